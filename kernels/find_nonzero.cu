// The kernel find_nonzero.
#include "find_nonzero.cuh"

// *first = the smaller of *first and the offset of the first byte of `data` that is not zero; the caller sets it to 2^64 - 1
// before. `data` is aligned to 16 bytes; any grid of blocks in one dimension.
extern "C" __global__ void find_nonzero(const unsigned char* data, unsigned long long bytes, unsigned long long* first) {
    const uint64_t thread = uint64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    const uint64_t found = first_of_thread(data, bytes, thread, uint64_t(gridDim.x) * blockDim.x);
    if (found != ~uint64_t(0)) atomicMin(first, static_cast<unsigned long long>(found));
}
