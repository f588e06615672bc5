// The search for a byte that is not zero.
#pragma once

#include "common.cuh"

// Chunks that a thread loads before it looks at them.
#define CHUNKS_AT_ONCE 4

HOST_DEVICE bool is_zero(const Chunk& c) { return (c.words[0] | c.words[1] | c.words[2] | c.words[3]) == 0; }

// The place of the first byte of `chunk` that is not zero; it has one.
HOST_DEVICE uint32_t first_in_chunk(const Chunk& chunk) {
    uint32_t place = 0;
    uint32_t word = chunk.words[0];
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (uint32_t i = 1; i < 4; ++i) {
        if (word != 0) break;
        place += 4;
        word = chunk.words[i];
    }
    for (; (word & 0xff) == 0; word >>= 8) ++place;
    return place;
}

// The offset of the first byte that is not zero among the chunks of thread `thread` of `threads`, or 2^64 - 1. The threads
// together see every byte.
HOST_DEVICE uint64_t first_of_thread(const unsigned char* data, uint64_t bytes, uint64_t thread, uint64_t threads) {
    const uint64_t stride = threads * sizeof(Chunk);
    const uint64_t whole = bytes / sizeof(Chunk) * sizeof(Chunk);
    uint64_t at = thread * sizeof(Chunk);
    while (at < whole && (CHUNKS_AT_ONCE - 1) * stride < whole - at) {
        Chunk loaded[CHUNKS_AT_ONCE];
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (uint32_t i = 0; i < CHUNKS_AT_ONCE; ++i) {
            loaded[i] = *reinterpret_cast<const Chunk*>(data + at + i * stride);
        }
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (uint32_t i = 0; i < CHUNKS_AT_ONCE; ++i) {
            if (!is_zero(loaded[i])) return at + i * stride + first_in_chunk(loaded[i]);
        }
        at += CHUNKS_AT_ONCE * stride;
    }
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
    for (; at < bytes; at += stride) {
        const Chunk chunk = load_chunk(data, bytes, at);
        if (!is_zero(chunk)) return at + first_in_chunk(chunk);
    }
    return ~uint64_t(0);
}
