// The kernel hash_blocks.
#include "hash_blocks.cuh"

// digests[32*i .. 32*i+32] = SHA-256 of the 4096-byte block i of `data`, the last one padded with zeros, for every i below
// ceil(bytes / 4096). `data` and `digests` are aligned to 16 bytes; blocks of HASH_THREADS threads, any number of them.
extern "C" __global__ void __launch_bounds__(HASH_THREADS)
    hash_blocks(const unsigned char* data, unsigned long long bytes, unsigned char* digests) {
    __shared__ Spans shared[HASH_THREADS / WARP_LANES];
    const uint32_t lane = threadIdx.x % WARP_LANES;
    Spans& spans = shared[threadIdx.x / WARP_LANES];
    const uint32_t one = hidden_one(bytes);
    const uint64_t blocks = block_count(bytes);
    const uint64_t stride = uint64_t(gridDim.x) * HASH_THREADS;
    uint64_t first = uint64_t(blockIdx.x) * HASH_THREADS + threadIdx.x - lane;
    // The warps are independent of each other: each has spans of its own.
    for (; first < blocks; first += stride) {
        State state = initial_state();
#pragma unroll 1
        for (uint32_t span = 0; span < BLOCK_BYTES / SPAN_BYTES; ++span) {
            load_spans(spans, data, bytes, first, span, lane);
            __syncwarp();
            take_span(state, spans, lane, one);
            __syncwarp();
        }
        if (first + lane < blocks) write_digest(state, digests, first + lane, one);
    }
}
