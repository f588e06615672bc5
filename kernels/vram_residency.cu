// The image: all kernels in one translation unit.
#include "find_nonzero.cu"
#include "hash_blocks.cu"
#include "probe.cu"
