// The kernel probe: how long a load takes at random places of each chunk of a buffer. Memory of the device and memory of the
// host behind a bus differ in this whatever the driver says of them.
#include "probe.cuh"

// A byte from memory, past the caches that may hold a copy of the host's memory.
__device__ __forceinline__ uint64_t load_byte(const unsigned char* address) {
    uint32_t value;
    asm volatile("ld.global.cv.u8 %0, [%1];" : "=r"(value) : "l"(address) : "memory");
    return value;
}

// cycles[chunk] = the mean number of clock cycles of `loads` loads, each at an address that depends on the load before. One
// block of one thread for each chunk; `zero` is 0, which the compiler cannot know. 2^32 - 1 means that nothing was measured:
// such a chunk is the slowest there can be.
extern "C" __global__ void __launch_bounds__(1)
    probe(const unsigned char* data, unsigned long long bytes, unsigned long long chunk_bytes, unsigned int loads,
          unsigned long long zero, unsigned long long seed, unsigned int* cycles) {
    const uint64_t chunk = blockIdx.x;
    const uint64_t length = probed_length(bytes, chunk_bytes, chunk);
    cycles[chunk] = ~0u;
    if (length == 0 || loads == 0) return;
    const unsigned char* base = data + chunk * chunk_bytes;
    Places places = first_places(length, seed, chunk);
    // The first one, which may have to wait for the address to be translated, is not counted.
    uint64_t last = load_byte(base + next_place(places)) & zero;
    // Leaving cannot be decided before the value is there, and the clock is read after that.
    if (last != 0) return;
    const long long begin = clock64();
#pragma unroll 1
    for (uint32_t load = 0; load < loads; ++load) last = load_byte(base + next_place(places) + last) & zero;
    if (last != 0) return;
    const uint64_t mean = static_cast<uint64_t>(clock64() - begin) / loads;
    cycles[chunk] = mean < ~0u ? static_cast<uint32_t>(mean) : ~0u;
}
