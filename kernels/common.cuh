// What every file here needs: the sizes that host and kernels share, and the words that make a function both.
//
// Everything marked HOST_DEVICE is also compiled as host C++ (host.cpp), where tests compare it with other implementations.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define HOST_DEVICE __host__ __device__ __forceinline__
#else
#define HOST_DEVICE inline
#endif

// fs-verity: blocks of data and of hashes, and a hash (SHA-256), in bytes.
#define BLOCK_BYTES 4096
#define DIGEST_BYTES 32

// Threads in a block of hash_blocks; a launch with another number does not fit its shared memory.
#define HASH_THREADS 128

// 16 bytes: what a thread loads at once.
struct alignas(16) Chunk {
    uint32_t words[4];
};

// The chunk at `offset`, a multiple of 16, of `bytes` bytes at `data`, which is aligned to 16. Zeros stand where the data has
// ended; nothing is read past its end.
HOST_DEVICE Chunk load_chunk(const unsigned char* data, uint64_t bytes, uint64_t offset) {
    Chunk chunk = {{0, 0, 0, 0}};
    if (offset >= bytes) return chunk;
    if (bytes - offset >= sizeof(Chunk)) return *reinterpret_cast<const Chunk*>(data + offset);
    // A word at a time, so that it can stay in registers.
    const uint32_t left = static_cast<uint32_t>(bytes - offset);
    for (uint32_t byte = 0; byte < sizeof(Chunk); ++byte) {
        if (byte < left) chunk.words[byte / 4] |= uint32_t(data[offset + byte]) << (8 * (byte % 4));
    }
    return chunk;
}
