// Checks the committed image on a GPU against its host part, and measures it. Built and run as README.md beside it says.
//
//   bench IMAGE [GIB]    checks, then measures over GIB GiB (default 8)
//   bench IMAGE 0        checks alone: under compute-sanitizer
//
// Exits with 1 when a digest, an offset or a latency is wrong.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../find_nonzero.cuh"
#include "../hash_blocks.cuh"
#include "../probe.cuh"

#define CHECK(call)                                                                              \
    do {                                                                                         \
        const cudaError_t error = (call);                                                        \
        if (error != cudaSuccess) {                                                              \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(error)); \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

static int failures = 0;

static void expect(bool holds, const char* what, uint64_t bytes) {
    if (holds) return;
    ++failures;
    fprintf(stderr, "WRONG: %s, %llu bytes\n", what, static_cast<unsigned long long>(bytes));
}

// The image's kernels, launched as the host launches them.
struct Image {
    cudaLibrary_t library;
    cudaKernel_t hash, find, probe;

    explicit Image(const char* path) {
        std::ifstream file(path, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        if (bytes.empty()) {
            fprintf(stderr, "cannot read %s\n", path);
            exit(2);
        }
        CHECK(cudaLibraryLoadData(&library, bytes.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
        CHECK(cudaLibraryGetKernel(&hash, library, "hash_blocks"));
        CHECK(cudaLibraryGetKernel(&find, library, "find_nonzero"));
        CHECK(cudaLibraryGetKernel(&probe, library, "probe"));
    }

    static void launch(cudaKernel_t kernel, uint64_t grid, unsigned block, void** arguments) {
        if (grid == 0) return;
        const dim3 blocks(static_cast<unsigned>(grid)), threads(block);
        CHECK(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), blocks, threads, arguments, 0, nullptr));
    }

    // `grid` of 0: as many blocks as there are 128 blocks of data.
    void hash_blocks(const unsigned char* data, unsigned long long bytes, unsigned char* digests, uint64_t grid = 0) const {
        void* arguments[] = {&data, &bytes, &digests};
        const uint64_t all = (block_count(bytes) + HASH_THREADS - 1) / HASH_THREADS;
        launch(hash, grid ? grid : all, HASH_THREADS, arguments);
    }

    unsigned long long find_nonzero(const unsigned char* data, unsigned long long bytes, unsigned long long* first,
                                    uint64_t grid) const {
        void* arguments[] = {&data, &bytes, &first};
        unsigned long long found = ~0ull;
        CHECK(cudaMemcpy(first, &found, sizeof found, cudaMemcpyHostToDevice));
        launch(find, grid, 256, arguments);
        CHECK(cudaMemcpy(&found, first, sizeof found, cudaMemcpyDeviceToHost));
        return found;
    }

    std::vector<unsigned> probe_chunks(const unsigned char* data, unsigned long long bytes, unsigned long long chunk_bytes,
                                       unsigned loads) const {
        const uint64_t chunks = (bytes + chunk_bytes - 1) / chunk_bytes;
        unsigned* cycles;
        CHECK(cudaMalloc(&cycles, chunks * sizeof *cycles));
        CHECK(cudaMemset(cycles, 0, chunks * sizeof *cycles));
        unsigned long long zero = 0, seed = 0x5eed;
        void* arguments[] = {&data, &bytes, &chunk_bytes, &loads, &zero, &seed, &cycles};
        launch(probe, chunks, 1, arguments);
        std::vector<unsigned> result(chunks);
        CHECK(cudaMemcpy(result.data(), cycles, chunks * sizeof *cycles, cudaMemcpyDeviceToHost));
        CHECK(cudaFree(cycles));
        return result;
    }
};

// A block's digest by the functions that the tests compare with ring.
static void host_digest(const unsigned char* data, uint64_t bytes, uint64_t block, unsigned char* digest) {
    State state = initial_state();
    for (uint64_t at = block * BLOCK_BYTES; at < (block + 1) * BLOCK_BYTES; at += 64) {
        uint32_t w[16];
        for (uint32_t i = 0; i < 4; ++i) {
            const Chunk chunk = load_chunk(data, bytes, at + i * sizeof(Chunk));
            for (uint32_t j = 0; j < 4; ++j) w[4 * i + j] = byte_swapped(chunk.words[j]);
        }
        compress(state, w, 1);
    }
    write_digest(state, digest, 0, 1);
}

static void check_size(const Image& image, uint64_t bytes) {
    // Exactly as much as is needed, so that memcheck sees a read or a write past the end.
    unsigned char *data, *digests;
    unsigned long long* first;
    const uint64_t blocks = block_count(bytes);
    CHECK(cudaMalloc(&data, bytes));
    CHECK(cudaMalloc(&digests, blocks * DIGEST_BYTES));
    CHECK(cudaMalloc(&first, sizeof *first));
    std::vector<Chunk> padded(bytes / sizeof(Chunk) + 1);
    unsigned char* host = reinterpret_cast<unsigned char*>(padded.data());
    for (uint64_t i = 0; i < bytes; ++i) host[i] = static_cast<unsigned char>(i % 11 + i % 439 + i % 1103);
    CHECK(cudaMemcpy(data, host, bytes, cudaMemcpyHostToDevice));
    for (const uint64_t grid : {0, 1, 3}) {
        CHECK(cudaMemset(digests, 0, blocks * DIGEST_BYTES));
        image.hash_blocks(data, bytes, digests, grid);
        std::vector<unsigned char> got(blocks * DIGEST_BYTES);
        CHECK(cudaMemcpy(got.data(), digests, got.size(), cudaMemcpyDeviceToHost));
        bool same = true;
        for (uint64_t block = 0; block < blocks; ++block) {
            alignas(16) unsigned char digest[DIGEST_BYTES];
            host_digest(host, bytes, block, digest);
            same = same && std::equal(digest, digest + DIGEST_BYTES, got.begin() + block * DIGEST_BYTES);
        }
        expect(same, "hash_blocks", bytes);
    }
    CHECK(cudaMemset(data, 0, bytes));
    expect(image.find_nonzero(data, bytes, first, 7) == ~0ull, "find_nonzero of zeros", bytes);
    for (const uint64_t at : {bytes - 1, bytes / 2, uint64_t(0)}) {
        CHECK(cudaMemset(data + at, 0x40, 1));
        expect(image.find_nonzero(data, bytes, first, 7) == at, "find_nonzero", bytes);
    }
    for (const unsigned cycles : image.probe_chunks(data, bytes, 65536, 8)) {
        expect(cycles > 0 && cycles != ~0u, "probe", bytes);
    }
    CHECK(cudaFree(data));
    CHECK(cudaFree(digests));
    CHECK(cudaFree(first));
}

// The plainest reading of memory: what the others are measured against.
__global__ void read_all(const uint4* data, uint64_t count, unsigned* sink) {
    const uint64_t stride = uint64_t(gridDim.x) * blockDim.x;
    unsigned all = 0;
#pragma unroll 4
    for (uint64_t i = uint64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
        const uint4 value = data[i];
        all |= value.x | value.y | value.z | value.w;
    }
    if (all == 0x12345678) *sink = all;
}

// GB/s of the fastest of five runs.
template <typename Run>
static void measure(const char* what, uint64_t bytes, Run run) {
    cudaEvent_t begin, end;
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    float best = 1e30f;
    for (int i = 0; i < 6; ++i) {
        CHECK(cudaEventRecord(begin));
        run();
        CHECK(cudaEventRecord(end));
        CHECK(cudaEventSynchronize(end));
        float milliseconds;
        CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
        if (i > 0) best = std::min(best, milliseconds);
    }
    CHECK(cudaGetLastError());
    printf("%-28s %8.1f GB/s\n", what, static_cast<double>(bytes) / best / 1e6);
}

static unsigned report_latency(const Image& image, const char* what, const unsigned char* data, uint64_t bytes) {
    std::vector<unsigned> cycles = image.probe_chunks(data, bytes, 2 << 20, 64);
    std::sort(cycles.begin(), cycles.end());
    printf("%-28s %8u cycles a load in the fastest chunk, %u in the middle one, %u in the slowest of %zu\n", what,
           cycles.front(), cycles[cycles.size() / 2], cycles.back(), cycles.size());
    return cycles[cycles.size() / 2];
}

static void measure_all(const Image& image, uint64_t bytes) {
    unsigned char *data, *digests, *mapped, *host;
    unsigned long long* first;
    CHECK(cudaMalloc(&data, bytes));
    CHECK(cudaMalloc(&digests, block_count(bytes) * DIGEST_BYTES));
    CHECK(cudaMalloc(&first, sizeof *first));
    CHECK(cudaMemset(data, 0, bytes));
    measure("memset (driver)", bytes, [&] { CHECK(cudaMemset(data, 0, bytes)); });
    measure("read", bytes, [&] {
        read_all<<<8192, 256>>>(reinterpret_cast<const uint4*>(data), bytes / 16, reinterpret_cast<unsigned*>(first));
    });
    for (const uint64_t grid : {1024, 8192, 65536}) {
        const std::string name = "find_nonzero, grid " + std::to_string(grid);
        void* arguments[] = {&data, &bytes, &first};
        measure(name.c_str(), bytes, [&] { Image::launch(image.find, grid, 256, arguments); });
    }
    measure("hash_blocks", bytes, [&] { image.hash_blocks(data, bytes, digests); });
    for (const uint64_t part : {bytes / 128, bytes / 8}) {
        const std::string name = "hash_blocks, " + std::to_string(part >> 20) + " MiB";
        measure(name.c_str(), part, [&] { image.hash_blocks(data, part, digests); });
    }
    const uint64_t control = uint64_t(64) << 20;
    CHECK(cudaHostAlloc(&host, control, cudaHostAllocMapped));
    CHECK(cudaHostGetDevicePointer(&mapped, host, 0));
    const unsigned near = report_latency(image, "probe, device memory", data, bytes);
    const unsigned far = report_latency(image, "probe, mapped host memory", mapped, control);
    expect(far > near, "host memory answers faster than device memory", control);
    CHECK(cudaFreeHost(host));
    CHECK(cudaFree(data));
    CHECK(cudaFree(digests));
    CHECK(cudaFree(first));
}

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: bench IMAGE [GIB]\n");
        return 2;
    }
    cudaDeviceProp device;
    CHECK(cudaGetDeviceProperties(&device, 0));
    printf("%s, compute capability %d.%d, %d multiprocessors\n", device.name, device.major, device.minor,
           device.multiProcessorCount);
    const Image image(argv[1]);
    const uint64_t sizes[] = {1,       15,      16,      17,      63,      4095,    4096,    4097,     8191,    65535, 65537,
                              131071,  131072,  131073,  524287,  524288,  524289,  1000000, 1048577,  4194303, 9000001};
    for (const uint64_t bytes : sizes) check_size(image, bytes);
    printf("%zu sizes checked, %d wrong\n", std::size(sizes), failures);
    const uint64_t gib = argc == 3 ? strtoull(argv[2], nullptr, 10) : 8;
    if (gib > 0) measure_all(image, gib << 30);
    return failures != 0;
}
