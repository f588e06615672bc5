// What the kernels share with the host, run on the host: tests compile this with any C++17 compiler, feed it data, and compare
// what it says with other implementations. It does what the kernels do with threads, one thread after another.
//
//   host hash                          digests of the blocks of stdin, to stdout
//   host find THREADS…                 the offset of the first byte of stdin that is not zero, as so many threads find it, a line
//                                      for each number of threads
//   host places BYTES CHUNK_BYTES LOADS SEED
//                                      for each chunk a line: the offsets in the buffer that the probe loads, the first uncounted
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "find_nonzero.cuh"
#include "hash_blocks.cuh"
#include "probe.cuh"

// The bytes of stdin at an address that is aligned as device memory is. No byte more is allocated, so that a tool that watches
// memory sees a read past the end.
struct Input {
    unsigned char* data = nullptr;
    uint64_t bytes = 0;

    Input() {
        std::vector<unsigned char> read;
        unsigned char buffer[1 << 16];
        for (size_t got; (got = fread(buffer, 1, sizeof buffer, stdin)) > 0;) read.insert(read.end(), buffer, buffer + got);
        bytes = read.size();
        void* memory = nullptr;
        if (posix_memalign(&memory, 256, bytes ? bytes : 1) != 0) exit(3);
        data = static_cast<unsigned char*>(memory);
        if (bytes) memcpy(data, read.data(), bytes);
    }
    ~Input() { free(data); }
    Input(const Input&) = delete;
};

// A warp's lanes between two barriers run one after another.
static void hash(const Input& input) {
    const uint64_t blocks = block_count(input.bytes);
    std::vector<Chunk> digests(blocks * (DIGEST_BYTES / sizeof(Chunk)));
    unsigned char* to = reinterpret_cast<unsigned char*>(digests.data());
    const uint32_t one = hidden_one(input.bytes);
    for (uint64_t first = 0; first < blocks; first += WARP_LANES) {
        Spans spans;
        // What no lane writes must not be used.
        memset(&spans, 0xaa, sizeof spans);
        State states[WARP_LANES];
        for (State& state : states) state = initial_state();
        for (uint32_t span = 0; span < BLOCK_BYTES / SPAN_BYTES; ++span) {
            for (uint32_t lane = 0; lane < WARP_LANES; ++lane) {
                load_spans(spans, input.data, input.bytes, first, span, lane);
            }
            for (uint32_t lane = 0; lane < WARP_LANES; ++lane) take_span(states[lane], spans, lane, one);
        }
        for (uint32_t lane = 0; lane < WARP_LANES; ++lane) {
            if (first + lane < blocks) write_digest(states[lane], to, first + lane, one);
        }
    }
    if (blocks > 0) fwrite(to, DIGEST_BYTES, blocks, stdout);
}

static void find(const Input& input, uint64_t threads) {
    uint64_t first = ~uint64_t(0);
    for (uint64_t thread = 0; thread < threads; ++thread) {
        const uint64_t found = first_of_thread(input.data, input.bytes, thread, threads);
        if (found < first) first = found;
    }
    printf("%llu\n", static_cast<unsigned long long>(first));
}

static void places(uint64_t bytes, uint64_t chunk_bytes, uint64_t loads, uint64_t seed) {
    for (uint64_t chunk = 0; probed_length(bytes, chunk_bytes, chunk) > 0; ++chunk) {
        Places places = first_places(probed_length(bytes, chunk_bytes, chunk), seed, chunk);
        for (uint64_t load = 0; load <= loads; ++load) {
            printf("%llu ", static_cast<unsigned long long>(chunk * chunk_bytes + next_place(places)));
        }
        printf("\n");
    }
}

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const auto number = [argv](int i) { return strtoull(argv[i], nullptr, 10); };
    if (what == "hash" && argc == 2) {
        hash(Input());
    } else if (what == "find" && argc > 2) {
        const Input input;
        for (int i = 2; i < argc; ++i) find(input, number(i));
    } else if (what == "places" && argc == 6) {
        places(number(2), number(3), number(4), number(5));
    } else {
        fprintf(stderr, "usage: host hash | find THREADS... | places BYTES CHUNK_BYTES LOADS SEED\n");
        return 2;
    }
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
