//! Our kernels, launched by name.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use content_digest::sha256;
use support::{Driver, IMAGE, call};

/// As many cycles as the probe of `bytes` bytes in chunks of `chunk` finds.
fn probe(driver: &Driver, memory: u64, bytes: u64, chunk: u64, seed: u64) -> Vec<u32> {
    let chunks = bytes.div_ceil(chunk);
    let cycles = driver.allocate(chunks as usize * 4).unwrap();
    let kernel = driver.kernel("probe");
    let parameters = [memory, bytes, chunk, 64, 0, seed, cycles];
    assert_eq!(driver.launch(kernel, chunks as u32, 1, &parameters, 0), 0);
    let bytes = driver.read(cycles, chunks as usize * 4).unwrap();
    assert_eq!(driver.free(cycles), 0);
    bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
}

#[test]
fn hash_blocks_takes_the_digest_of_every_block_and_pads_the_last_with_zeros() {
    let driver = Driver::started();
    let data: Vec<u8> = (0..70_000_u32).map(|i| (i % 253) as u8).collect();
    let memory = driver.allocate(data.len()).unwrap();
    let digests = driver.allocate(18 * 32).unwrap();
    assert_eq!(driver.write(memory, &data), 0);
    let kernel = driver.kernel("hash_blocks");
    assert_eq!(driver.launch(kernel, 1, 128, &[memory, 70_000, digests], 0), 0);
    let mut expected = Vec::new();
    for block in data.chunks(4096) {
        let mut padded = block.to_vec();
        padded.resize(4096, 0);
        expected.extend_from_slice(sha256(&padded).as_bytes());
    }
    assert_eq!(driver.read(digests, 18 * 32), Ok(expected));
}

#[test]
fn find_nonzero_finds_the_first_byte_that_an_overwrite_left() {
    let driver = Driver::started();
    let memory = driver.allocate(200_000).unwrap();
    let first = driver.allocate(8).unwrap();
    let kernel = driver.kernel("find_nonzero");
    let find = || {
        assert_eq!(driver.fill(first, 0xFF, 8), 0);
        assert_eq!(driver.launch(kernel, 7, 64, &[memory, 200_000, first], 0), 0);
        u64::from_ne_bytes(driver.read(first, 8).unwrap().try_into().unwrap())
    };
    assert_eq!(find(), 0);
    assert_eq!(driver.fill(memory, 0, 200_000), 0);
    assert_eq!(find(), u64::MAX);
    for offset in [199_999, 131_073, 70_001] {
        assert_eq!(driver.write(memory + offset, &[1]), 0);
        assert_eq!(find(), offset);
    }
}

#[test]
fn a_tail_in_host_memory_shows_in_the_latency_and_nowhere_else() {
    const CHUNK: u64 = 1 << 21;
    let driver = Driver::started();
    call!(fake_plan(10 * CHUNK => u64) -> ());
    assert_eq!(call!(fake_set_tail(0 => u64, 2 * CHUNK => u64) -> u32), 1);
    let small = driver.allocate(CHUNK as usize).unwrap();
    let memory = driver.allocate(10 * CHUNK as usize).unwrap();
    let honest = driver.allocate(10 * CHUNK as usize).unwrap();
    for seed in 0..5 {
        assert!(probe(&driver, small, CHUNK, CHUNK, seed).iter().all(|cycles| (600..800).contains(cycles)));
        assert!(probe(&driver, honest, 10 * CHUNK, CHUNK, seed).iter().all(|cycles| (600..800).contains(cycles)));
        let found = probe(&driver, memory, 10 * CHUNK, CHUNK, seed);
        assert!(found[..8].iter().all(|cycles| (600..800).contains(cycles)), "{found:?}");
        assert!(found[8..].iter().all(|cycles| (2300..2900).contains(cycles)), "{found:?}");
    }
    assert_ne!(probe(&driver, memory, 10 * CHUNK, CHUNK, 1), probe(&driver, memory, 10 * CHUNK, CHUNK, 2));
    for attribute in [2, 8, 9, 12] {
        assert_eq!(driver.pointer(attribute, memory + 9 * CHUNK), driver.pointer(attribute, honest));
    }
    assert_eq!(driver.write(memory + 9 * CHUNK, b"written and read as ever"), 0);
    let control = driver.allocate_host(4096).unwrap();
    let mut mapped = 0_u64;
    assert_eq!(
        call!(cuMemHostGetDevicePointer_v2(&raw mut mapped => *mut u64, control => *mut u8, 0 => u32) -> u32),
        0
    );
    assert!(probe(&driver, mapped, 4096, 4096, 0).iter().all(|cycles| (2300..2900).contains(cycles)));
}

#[test]
fn a_probe_says_where_it_measured_nothing() {
    let driver = Driver::started();
    let (memory, cycles) = (driver.allocate(5000).unwrap(), driver.allocate(16).unwrap());
    assert_eq!(driver.fill(cycles, 0, 16), 0);
    let kernel = driver.kernel("probe");
    let found = |grid: u32, loads: u64| {
        assert_eq!(driver.launch(kernel, grid, 1, &[memory, 5000, 4096, loads, 0, 9, cycles], 0), 0);
        let bytes = driver.read(cycles, 16).unwrap();
        bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect::<Vec<_>>()
    };
    let one = found(1, 10);
    assert!(one[0] < 1000 && one[1..] == [0; 3], "{one:?}");
    let three = found(3, 10);
    assert!(three[0] < 1000 && three[1] < 1000 && three[2..] == [u32::MAX, 0], "{three:?}");
    assert_eq!(found(2, 0)[..2], [u32::MAX; 2], "no loads");
}

#[test]
fn a_busy_device_is_slow_for_as_many_probes_as_are_said() {
    let driver = Driver::started();
    let memory = driver.allocate(10_000).unwrap();
    let quiet = probe(&driver, memory, 10_000, 4096, 3);
    call!(fake_busy(0 => u64, 2 => u64, 5 => u64) -> ());
    let busy: Vec<u32> = quiet.iter().map(|cycles| 5 * cycles).collect();
    assert_eq!(probe(&driver, memory, 10_000, 4096, 3), busy);
    assert_eq!(probe(&driver, memory, 10_000, 4096, 3), busy);
    assert_eq!(probe(&driver, memory, 10_000, 4096, 3), quiet);
}

#[test]
fn a_launch_that_the_kernels_are_not_written_for_is_refused() {
    let driver = Driver::started();
    let memory = driver.allocate(8192).unwrap();
    let (hash, find, probe) = (driver.kernel("hash_blocks"), driver.kernel("find_nonzero"), driver.kernel("probe"));
    let parameters = [memory, 4096, memory + 4096, 1, 0, 0, memory + 4096];
    for (kernel, grid, block, code) in [
        (hash, 0, 128, 1),
        (hash, 1, 0, 1),
        (hash, 1, 64, 1),
        (hash, 1, 256, 701),
        (hash, 1, 2048, 1),
        (find, 1, 1025, 1),
        (probe, 1, 2, 701),
        (0x77, 1, 1, 400),
    ] {
        assert_eq!(driver.launch(kernel, grid, block, &parameters, 0), code, "{grid} x {block}");
    }
    assert_eq!(driver.launch(hash, 1, 128, &parameters, 0x77), 400, "an unknown stream");
    assert_eq!(driver.synchronize(), 0);
}

#[test]
fn a_launch_on_memory_that_is_not_there_fails_when_it_is_waited_for_and_for_good() {
    let cases = [
        ("hash_blocks", 128, 0, 4096, 700),
        ("hash_blocks", 128, 1, 4096, 716),
        ("find_nonzero", 32, 1, 8, 716),
        ("probe", 1, 0, 1, 700),
    ];
    for (name, block, off_alignment, bytes, code) in cases {
        let driver = Driver::started();
        let memory = driver.allocate(8192).unwrap();
        let kernel = driver.kernel(name);
        let outside = memory + 8192 + 512;
        let result = if off_alignment == 0 { outside } else { memory + 1 };
        let parameters = [memory, bytes, if name == "probe" { 4096 } else { result }, 1, 0, 0, outside];
        assert_eq!(driver.launch(kernel, 1, block, &parameters, 0), 0, "{name}");
        assert_eq!(driver.synchronize(), code, "{name}");
        assert_eq!(driver.read(memory, 1), Err(code), "{name}");
        assert_eq!(driver.allocate(1), Err(code), "{name}");
    }
}

#[test]
fn only_images_load_and_only_our_kernels_are_in_them() {
    let driver = Driver::started();
    assert_eq!(driver.load(b"\x50\xEDno image\0"), Err(200));
    assert_eq!(driver.load(b"\0"), Err(200));
    for (major, minor, loads) in [(7, 0, false), (7, 5, true), (8, 0, true), (6, 1, false), (12, 0, true)] {
        for (number, value) in [(75, major), (76, minor)] {
            assert_eq!(call!(fake_set_attribute(0 => i32, number => i32, value => i32) -> u32), 1);
        }
        assert_eq!(driver.load(&IMAGE).err(), (!loads).then_some(209), "{major}.{minor}");
    }
    let real = include_bytes!("../../../kernels/images/vram_residency.fatbin");
    let module = driver.load(real).unwrap();
    assert_eq!(driver.function(module, "hash_block"), Err(500));
    let function = driver.function(module, "hash_blocks").unwrap();
    let mut threads = 0_i32;
    assert_eq!(call!(cuFuncGetAttribute(&raw mut threads => *mut i32, 0 => i32, function => usize) -> u32), 0);
    assert_eq!(threads, 128);
    assert_eq!(call!(cuModuleUnload(module => usize) -> u32), 0);
    assert_eq!(call!(cuModuleUnload(module => usize) -> u32), 400);
    assert_eq!(driver.function(module, "hash_blocks"), Err(400));
    assert_eq!(call!(cuFuncGetAttribute(&raw mut threads => *mut i32, 0 => i32, function => usize) -> u32), 400);
}
