// SHA-256 (FIPS 180-4) over 64-byte blocks, on host and device alike.
#pragma once

#include "common.cuh"

// On the device, additions can be written as multiplications by a one that the compiler cannot see: they then run on the
// multiply-add pipe beside the shifts and the logic of the other, which would otherwise do all the work.
// 0 leaves the choice to the compiler.
#ifndef SHA256_ADDS_BY_MULTIPLYING
#define SHA256_ADDS_BY_MULTIPLYING 1
#endif

// The round constants; a macro, so that they become operands of the instructions and are not looked up.
#define SHA256_K                                                                                                        \
    {                                                                                                                   \
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,     \
            0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, \
            0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, \
            0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, \
            0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, \
            0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, \
            0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, \
            0xc67178f2                                                                                                  \
    }

// Adds modulo 2^32. `one` is 1.
HOST_DEVICE uint32_t add(uint32_t a, uint32_t b, uint32_t one) {
#if defined(__CUDA_ARCH__) && SHA256_ADDS_BY_MULTIPLYING
    uint32_t sum;
    asm("mad.lo.u32 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(one), "r"(b));
    return sum;
#else
    (void)one;
    return a + b;
#endif
}

HOST_DEVICE constexpr uint32_t rotated_right(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

HOST_DEVICE constexpr uint32_t small_sigma0(uint32_t x) {
    return rotated_right(x, 7) ^ rotated_right(x, 18) ^ (x >> 3);
}

HOST_DEVICE constexpr uint32_t small_sigma1(uint32_t x) {
    return rotated_right(x, 17) ^ rotated_right(x, 19) ^ (x >> 10);
}

HOST_DEVICE uint32_t byte_swapped(uint32_t x) {
#if defined(__CUDA_ARCH__)
    return __byte_perm(x, 0, 0x0123);
#else
    return (x << 24) | ((x & 0xff00) << 8) | ((x >> 8) & 0xff00) | (x >> 24);
#endif
}

// The state of a hash, and the working variables of a compression.
struct State {
    uint32_t a, b, c, d, e, f, g, h;
};

HOST_DEVICE constexpr State initial_state() {
    return {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
}

// One round; `kw` is the sum of the round's constant and its word.
HOST_DEVICE void sha256_round(State& s, uint32_t kw, uint32_t one) {
    const uint32_t big1 = rotated_right(s.e, 6) ^ rotated_right(s.e, 11) ^ rotated_right(s.e, 25);
    const uint32_t choice = (s.e & s.f) ^ (~s.e & s.g);
    const uint32_t t1 = add(add(add(s.h, kw, one), choice, one), big1, one);
    const uint32_t big0 = rotated_right(s.a, 2) ^ rotated_right(s.a, 13) ^ rotated_right(s.a, 22);
    const uint32_t majority = (s.a & s.b) ^ (s.a & s.c) ^ (s.b & s.c);
    const uint32_t t2 = add(big0, majority, one);
    s = {add(t1, t2, one), s.a, s.b, s.c, add(s.d, t1, one), s.e, s.f, s.g};
}

HOST_DEVICE void add_state(State& s, const State& t, uint32_t one) {
    s = {add(s.a, t.a, one), add(s.b, t.b, one), add(s.c, t.c, one), add(s.d, t.d, one),
         add(s.e, t.e, one), add(s.f, t.f, one), add(s.g, t.g, one), add(s.h, t.h, one)};
}

// Takes 64 bytes of the message into the state, as 16 big-endian words. The words are used up.
HOST_DEVICE void compress(State& state, uint32_t (&w)[16], uint32_t one) {
    constexpr uint32_t k[64] = SHA256_K;
    State s = state;
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int t = 0; t < 64; ++t) {
        if (t >= 16) {
            const uint32_t far = add(w[t % 16], small_sigma0(w[(t + 1) % 16]), one);
            w[t % 16] = add(add(far, w[(t + 9) % 16], one), small_sigma1(w[(t + 14) % 16]), one);
        }
        sha256_round(s, add(w[t % 16], k[t], one), one);
    }
    add_state(state, s, one);
}

// The sums of constant and word for the 64 bytes that pad a message of BLOCK_BYTES bytes.
struct PaddingSums {
    uint32_t kw[64];
};

HOST_DEVICE constexpr PaddingSums padding_sums() {
    constexpr uint32_t k[64] = SHA256_K;
    uint32_t w[64] = {0x80000000};
    w[15] = BLOCK_BYTES * 8;
    PaddingSums sums = {};
    for (int t = 0; t < 64; ++t) {
        if (t >= 16) w[t] = w[t - 16] + small_sigma0(w[t - 15]) + w[t - 7] + small_sigma1(w[t - 2]);
        sums.kw[t] = k[t] + w[t];
    }
    return sums;
}

// The last compression of a message of BLOCK_BYTES bytes: its schedule is known beforehand.
HOST_DEVICE void compress_padding(State& state, uint32_t one) {
    constexpr PaddingSums sums = padding_sums();
    State s = state;
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int t = 0; t < 64; ++t) sha256_round(s, sums.kw[t], one);
    add_state(state, s, one);
}
