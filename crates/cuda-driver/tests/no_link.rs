//! A program with `cust` in it does not need `libcuda` to start.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;

/// The libraries that an ELF file (64 bit, little endian) says it needs: `DT_NEEDED` of its dynamic section.
fn needed(file: &[u8]) -> Vec<String> {
    const PT_LOAD: u64 = 1;
    const PT_DYNAMIC: u64 = 2;
    const DT_NEEDED: u64 = 1;
    const DT_STRTAB: u64 = 5;

    let number = |at: u64, bytes: usize| {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&file[at as usize..][..bytes]);
        u64::from_le_bytes(value)
    };
    assert_eq!(&file[..6], b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file");
    // Each segment: type, offset in the file, address, length in the file.
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let segments: Vec<[u64; 4]> = (0..count)
        .map(|index| table + index * size)
        .map(|at| [number(at, 4), number(at + 8, 8), number(at + 16, 8), number(at + 32, 8)])
        .collect();
    let [_, dynamic, _, length] = *segments.iter().find(|[kind, ..]| *kind == PT_DYNAMIC).expect("a dynamic section");
    let entries: Vec<(u64, u64)> =
        (0..length / 16).map(|index| dynamic + index * 16).map(|at| (number(at, 8), number(at + 8, 8))).collect();
    let (_, strings) = *entries.iter().find(|(tag, _)| *tag == DT_STRTAB).expect("a string table");
    let [_, offset, address, _] = *segments
        .iter()
        .find(|[kind, _, start, length]| *kind == PT_LOAD && (*start..start + length).contains(&strings))
        .expect("the segment of the string table");
    let text = |at: u64| {
        let bytes = &file[(strings - address + offset + at) as usize..];
        String::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
    };
    entries.iter().filter(|(tag, _)| *tag == DT_NEEDED).map(|(_, at)| text(*at)).collect()
}

#[test]
fn a_program_that_calls_cust_needs_no_libcuda_and_opens_it_when_it_is_asked_for() {
    let program = std::env::current_exe().unwrap();
    let needed = needed(&fs::read(program).unwrap());
    assert!(needed.iter().any(|library| library.starts_with("libc.so")), "{needed:?}");
    assert!(!needed.iter().any(|library| library.contains("cuda")), "{needed:?}");

    let is_loaded = || fs::read_to_string("/proc/self/maps").unwrap().contains("/libcuda.so");
    assert!(!is_loaded());
    let started = cust::init(cust::CudaFlags::empty());
    match cuda_driver::open() {
        Ok(()) => assert!(is_loaded(), "open() found a driver that is not in this process"),
        Err(reason) => {
            assert!(reason.to_string().starts_with("libcuda.so.1: cannot open shared object file"), "{reason}");
            assert!(!is_loaded());
            assert_eq!(started, Err(cust::error::CudaError::NoDevice));
        }
    }
    assert!(!cuda_driver::is_stand_in());
}
