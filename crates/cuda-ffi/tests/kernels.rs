//! The part of the kernels that host and device share, compiled as host C++ and compared with ring and with the tree on the host;
//! and what both sides must agree on. Where there is no C++ compiler, what needs one is ignored, and says so.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use content_digest::{BLOCK_BYTES, TreeDigest, TreeHasher, tree_digest};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

/// Around one block, around what the lanes of a warp hash together (32 blocks), and around a block of hashes (128 blocks).
const SIZES: [usize; 18] = [
    0, 1, 15, 16, 17, 4095, 4096, 4097, 8192, 131_071, 131_072, 131_073, 135_169, 524_287, 524_288, 524_289, 1_000_000,
    2_100_000,
];

/// fs-verity digests of the pattern, by other programs.
const VECTORS: [(usize, &str); 4] = [
    (1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551"),
    (4096, "6ac39979016e3ddf3d39fff6cb984f7c118acdf1852919f5c100c4b142c1818e"),
    (100_000, "f2096a36c5cdca4fa33ee8852833150bb324992e5417a9d571f1bffff73b9efc"),
    (1_000_000, "48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9"),
];

/// A test that needs the host part, compiled.
type Named = (&'static str, fn(&Host));

fn main() -> ExitCode {
    let needing_a_compiler: [Named; 4] = [
        ("every_block_has_the_digest_that_ring_gives", every_block_has_the_digest_that_ring_gives),
        ("the_tree_of_these_digests_is_that_of_fs_verity", the_tree_of_these_digests_is_that_of_fs_verity),
        ("the_first_byte_that_is_not_zero_is_found", the_first_byte_that_is_not_zero_is_found),
        ("the_probe_looks_at_lines_all_over_its_chunk", the_probe_looks_at_lines_all_over_its_chunk),
    ];
    let compiled = |(name, body): Named| Trial::ignorable_test(name, move || with_host(&[], body));
    let mut trials: Vec<Trial> = needing_a_compiler.into_iter().map(compiled).collect();
    trials.push(Trial::ignorable_test("nothing_is_read_past_the_end", || {
        with_host(&["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], |host| {
            every_block_has_the_digest_that_ring_gives(host);
            the_first_byte_that_is_not_zero_is_found(host);
        })
    }));
    trials.push(Trial::test("host_and_kernels_agree_on_names_and_sizes", || {
        host_and_kernels_agree_on_names_and_sizes();
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn kernels() -> PathBuf {
    // Where the test runs, not where it was compiled: it can be carried to another machine.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("../../kernels")
}

/// `kernels/host.cpp`, compiled.
struct Host(TempDir);

/// Runs `body` with the program, compiled with `flags`; ignored where nothing can be compiled and run so.
fn with_host(flags: &[&str], body: fn(&Host)) -> Result<Completion, Failed> {
    let directory = tempfile::tempdir()?;
    let trivial = directory.path().join("trivial.cpp");
    std::fs::write(&trivial, "#include <vector>\nint main() { return std::vector<int>(1)[0]; }\n")?;
    let able = |compiler: &&&str| {
        let program = directory.path().join("trivial");
        compile(compiler, flags, &trivial, &program).is_ok()
            && Command::new(program).output().is_ok_and(|output| output.status.success())
    };
    let Some(compiler) = ["c++", "g++", "clang++"].iter().find(able) else {
        let what = if flags.is_empty() { String::new() } else { format!(" with {}", flags.join(" ")) };
        return Ok(Completion::ignored_with(format!("no C++ compiler that works{what}: install g++")));
    };
    compile(compiler, flags, &kernels().join("host.cpp"), &directory.path().join("host"))?;
    body(&Host(directory));
    Ok(Completion::Completed)
}

fn compile(compiler: &str, flags: &[&str], source: &Path, program: &Path) -> Result<(), String> {
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", "-O2", "-Wall", "-Wextra"]).args(flags).arg(source).arg("-o").arg(program);
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{compiler}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{compiler} refuses {}: {said}", source.display())) }
}

impl Host {
    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(self.0.path().join("host"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It reads all before it writes.
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{arguments:?}, {} bytes: {said}", input.len());
        output.stdout
    }

    /// What is found by different numbers of threads.
    fn find(&self, data: &[u8]) -> Vec<Option<u64>> {
        let found = String::from_utf8(self.run(&["find", "1", "3", "64", "400"], data)).unwrap();
        let found: Vec<_> =
            found.lines().map(|line| Some(line.parse().unwrap()).filter(|at| *at != u64::MAX)).collect();
        assert_eq!(found.len(), 4);
        found
    }

    /// The offsets that the probe loads, for each chunk.
    fn places(&self, bytes: u64, chunk_bytes: u64, loads: u64, seed: u64) -> Vec<Vec<u64>> {
        let [bytes, chunk_bytes, loads, seed] = [bytes, chunk_bytes, loads, seed].map(|number| number.to_string());
        let said = String::from_utf8(self.run(&["places", &bytes, &chunk_bytes, &loads, &seed], &[])).unwrap();
        said.lines().map(|line| line.split_whitespace().map(|offset| offset.parse().unwrap()).collect()).collect()
    }
}

/// The bytes that the vectors are over.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 11 + i % 439 + i % 1103) & 255) as u8).collect()
}

fn every_block_has_the_digest_that_ring_gives(host: &Host) {
    for bytes in SIZES {
        let data = pattern(bytes);
        let mut padded = data.clone();
        padded.resize(bytes.next_multiple_of(BLOCK_BYTES), 0);
        let expected: Vec<u8> =
            padded.chunks(BLOCK_BYTES).flat_map(|block| digest(&SHA256, block).as_ref().to_vec()).collect();
        assert!(host.run(&["hash"], &data) == expected, "{bytes} bytes");
    }
}

/// Level by level as the device takes it: the digests of one level are the data of the next.
fn root(host: &Host, data: &[u8]) -> [u8; 32] {
    let mut level = host.run(&["hash"], data);
    while level.len() > 32 {
        level = host.run(&["hash"], &level);
    }
    // No data: no digests, and a root of zeros.
    level.resize(32, 0);
    level.try_into().unwrap()
}

fn digest_of(root: [u8; 32], bytes: usize) -> TreeDigest {
    let mut descriptor = [0_u8; 256];
    descriptor[..3].copy_from_slice(&[1, 1, 12]);
    descriptor[8..16].copy_from_slice(&(bytes as u64).to_le_bytes());
    descriptor[16..48].copy_from_slice(&root);
    TreeDigest::from_bytes(digest(&SHA256, &descriptor).as_ref().try_into().unwrap())
}

fn the_tree_of_these_digests_is_that_of_fs_verity(host: &Host) {
    for bytes in SIZES {
        let data = pattern(bytes);
        let mut hasher = TreeHasher::new();
        hasher.update(&data);
        let found = root(host, &data);
        assert_eq!(found, hasher.finish().root(), "{bytes} bytes");
        assert_eq!(digest_of(found, bytes), tree_digest(&data), "{bytes} bytes");
    }
    for (bytes, expected) in VECTORS {
        assert_eq!(digest_of(root(host, &pattern(bytes)), bytes).to_hex(), expected, "{bytes} bytes");
    }
}

fn the_first_byte_that_is_not_zero_is_found(host: &Host) {
    for bytes in [0_usize, 1, 2, 15, 16, 17, 64, 65, 255, 1000, 4096, 5001] {
        let zeros = vec![0; bytes];
        assert_eq!(host.find(&zeros), [None; 4], "{bytes} zeros");
        let places = [0, 1, 3, 4, 15, 16, 31, bytes / 2, bytes.saturating_sub(2), bytes.saturating_sub(1)];
        let mut places: Vec<usize> = places.into_iter().filter(|at| *at < bytes).collect();
        places.dedup();
        for at in places {
            let mut data = zeros.clone();
            data[at] = if at % 2 == 0 { 1 } else { 0x80 };
            // A later one must not be taken for the first, whoever finds it.
            data[bytes - 1] = data[bytes - 1].max(2);
            assert_eq!(host.find(&data), [Some(at as u64); 4], "at {at} of {bytes}");
        }
    }
}

fn the_probe_looks_at_lines_all_over_its_chunk(host: &Host) {
    let (bytes, chunk_bytes, loads) = ((4 << 20) + 1, 2 << 20, 4096);
    let chunks = host.places(bytes, chunk_bytes, loads, 7);
    assert_eq!(chunks.len(), 3);
    for (number, offsets) in chunks.iter().enumerate() {
        let begin = number as u64 * chunk_bytes;
        let end = (begin + chunk_bytes).min(bytes);
        // One more than is counted.
        assert_eq!(offsets.len() as u64, loads + 1);
        assert!(offsets.iter().all(|offset| (begin..end).contains(offset) && offset % 128 == 0), "chunk {number}");
    }
    assert!(chunks[2].iter().all(|offset| *offset == 2 * chunk_bytes), "a chunk of one byte");
    // Every 32nd part of a chunk is looked at about 128 times.
    let mut parts = [0; 32];
    chunks[1].iter().for_each(|offset| parts[((offset - chunk_bytes) / (chunk_bytes / 32)) as usize] += 1);
    assert!(parts.iter().all(|count| (64..=192).contains(count)), "{parts:?}");

    let first_of = |seed: u64, chunk: usize| host.places(bytes, chunk_bytes, 8, seed)[chunk].clone();
    let without_begin = |offsets: Vec<u64>| offsets.iter().map(|offset| offset % chunk_bytes).collect::<Vec<_>>();
    assert_eq!(first_of(7, 0), chunks[0][..9], "the same seed, the same lines");
    assert_ne!(first_of(7, 0), first_of(8, 0), "another seed");
    assert_ne!(without_begin(first_of(7, 0)), without_begin(first_of(7, 1)), "another chunk");
    for length in [1, 127, 128, 129, 1000] {
        let offsets: Vec<u64> = host.places(length, chunk_bytes, 500, 7).concat();
        let expected: Vec<u64> = (0..length).step_by(128).collect();
        let mut seen = offsets.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, expected, "every line of {length} bytes, and no other");
    }
}

fn host_and_kernels_agree_on_names_and_sizes() {
    let sources = kernels();
    let text =
        |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let defined = text(sources.join("common.cuh"));
    let rust = text(sources.join("../crates/cuda-ffi/src/cuda/kernels.rs"));
    let after = |text: &str, begin: &str| -> String {
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix(begin)).unwrap_or_else(|| panic!("no {begin}"));
        line.split('=').next_back().unwrap().trim().trim_end_matches(';').trim_matches('"').to_owned()
    };
    for name in ["BLOCK_BYTES", "DIGEST_BYTES", "HASH_THREADS"] {
        let there = after(&defined, &format!("#define {name} "));
        assert!(there.parse::<u64>().is_ok(), "{name} is {there}");
        assert_eq!(after(&rust, &format!("pub(super) const {name}: ")), there, "{name}");
    }
    assert_eq!(after(&defined, "#define BLOCK_BYTES "), BLOCK_BYTES.to_string());
    let manifest = text(sources.join("images/manifest.json"));
    for name in ["HASH_BLOCKS", "FIND_NONZERO", "PROBE"] {
        let kernel = after(&rust, &format!("pub(super) const {name}: "));
        assert_eq!(kernel, name.to_lowercase());
        assert!(manifest.contains(&format!("\"name\": \"{kernel}\"")), "the image has no {kernel}");
        let source = text(sources.join(format!("{kernel}.cu")));
        assert!(source.contains("extern \"C\" __global__ void"), "{kernel} has no name that the host can call");
    }
}
