// SHA-256 of every 4096-byte block of a buffer: the leaves of an fs-verity tree, and its nodes, which are hashed the same way.
//
// A thread hashes one block. Blocks lie 4096 bytes apart, so the lanes of a warp would read as many lines at each load as there
// are lanes; a warp therefore loads a span of each of its blocks together, line by line, into shared memory, and each lane then
// takes its own block's span from there.
#pragma once

#include "sha256.cuh"

#define WARP_LANES 32
// How much of each block is in shared memory at a time, in bytes: a line of the cache, two compressions.
#define SPAN_BYTES 128
#define SPAN_CHUNKS (SPAN_BYTES / 16)
// Spans that a warp loads at once; the others of its 32 follow.
#define ROWS_AT_ONCE (WARP_LANES / SPAN_CHUNKS)

// The spans of a warp's blocks.
struct Spans {
    Chunk chunks[WARP_LANES * SPAN_CHUNKS];
};

// Where a chunk of a row's span lies. The chunks of a row are permuted by the row's number, so that neither the lanes of a row
// that is written nor the rows of a column that is read share a bank.
HOST_DEVICE uint32_t slot(uint32_t row, uint32_t chunk) { return row * SPAN_CHUNKS + (chunk ^ (row % SPAN_CHUNKS)); }

// A lane's share in loading span number `span` of the 32 blocks from `first_block` on.
HOST_DEVICE void load_spans(Spans& spans, const unsigned char* data, uint64_t bytes, uint64_t first_block, uint32_t span,
                            uint32_t lane) {
    const uint32_t chunk = lane % SPAN_CHUNKS;
    const uint32_t row = lane / SPAN_CHUNKS;
    const uint64_t offset = (first_block + row) * BLOCK_BYTES + span * SPAN_BYTES + chunk * sizeof(Chunk);
    if ((first_block + WARP_LANES) * BLOCK_BYTES <= bytes) {
        Chunk loaded[WARP_LANES / ROWS_AT_ONCE];
        const unsigned char* from = data + offset;
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (uint32_t i = 0; i < WARP_LANES / ROWS_AT_ONCE; ++i) {
            loaded[i] = *reinterpret_cast<const Chunk*>(from + i * ROWS_AT_ONCE * BLOCK_BYTES);
        }
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (uint32_t i = 0; i < WARP_LANES / ROWS_AT_ONCE; ++i) {
            spans.chunks[slot(row + i * ROWS_AT_ONCE, chunk)] = loaded[i];
        }
    } else {
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
        for (uint32_t i = 0; i < WARP_LANES / ROWS_AT_ONCE; ++i) {
            const uint64_t at = offset + uint64_t(i) * ROWS_AT_ONCE * BLOCK_BYTES;
            spans.chunks[slot(row + i * ROWS_AT_ONCE, chunk)] = load_chunk(data, bytes, at);
        }
    }
}

// A lane takes the span of its own block into its state.
HOST_DEVICE void take_span(State& state, const Spans& spans, uint32_t lane, uint32_t one) {
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
    for (uint32_t begin = 0; begin < SPAN_CHUNKS; begin += 4) {
        uint32_t w[16];
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (uint32_t i = 0; i < 16; i += 4) {
            const Chunk chunk = spans.chunks[slot(lane, begin + i / 4)];
            for (uint32_t j = 0; j < 4; ++j) w[i + j] = byte_swapped(chunk.words[j]);
        }
        compress(state, w, one);
    }
}

// The digest of a lane's block after its last span, to `digests`.
HOST_DEVICE void write_digest(State state, unsigned char* digests, uint64_t block, uint32_t one) {
    compress_padding(state, one);
    Chunk* to = reinterpret_cast<Chunk*>(digests + block * DIGEST_BYTES);
    to[0] = {{byte_swapped(state.a), byte_swapped(state.b), byte_swapped(state.c), byte_swapped(state.d)}};
    to[1] = {{byte_swapped(state.e), byte_swapped(state.f), byte_swapped(state.g), byte_swapped(state.h)}};
}

HOST_DEVICE uint64_t block_count(uint64_t bytes) { return bytes / BLOCK_BYTES + (bytes % BLOCK_BYTES != 0); }

// 1, which the compiler cannot know: no buffer has 2^63 bytes.
HOST_DEVICE uint32_t hidden_one(uint64_t bytes) { return uint32_t(bytes >> 63) + 1; }
