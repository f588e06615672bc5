// Which bytes the residency probe loads.
#pragma once

#include "common.cuh"

// The probe looks at one byte of a line of this many bytes.
#define LINE_BYTES 128

// The length of chunk number `chunk` of `bytes` bytes; the last one may be short.
HOST_DEVICE uint64_t probed_length(uint64_t bytes, uint64_t chunk_bytes, uint64_t chunk) {
    const uint64_t begin = chunk * chunk_bytes;
    if (begin >= bytes) return 0;
    return bytes - begin < chunk_bytes ? bytes - begin : chunk_bytes;
}

// The places of a chunk that are loaded one after another. Nobody who does not know the seed can tell them beforehand.
struct Places {
    uint64_t state;
    uint32_t lines;
};

// The places of chunk number `chunk`, which has `length` bytes, 1 to 2^38. (The finalizer of SplitMix64 over seed and number.)
HOST_DEVICE Places first_places(uint64_t length, uint64_t seed, uint64_t chunk) {
    uint64_t x = seed + (chunk + 1) * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return {x ^ (x >> 31), static_cast<uint32_t>((length - 1) / LINE_BYTES + 1)};
}

// The next place: the offset in the chunk at which a line begins. (The high half of a linear congruential generator modulo
// 2^64: a few instructions, for they stand between two loads.)
HOST_DEVICE uint64_t next_place(Places& places) {
    places.state = places.state * 6364136223846793005 + 1442695040888963407;
    const uint32_t line = static_cast<uint32_t>((places.state >> 32) * places.lines >> 32);
    return uint64_t(line) * LINE_BYTES;
}
