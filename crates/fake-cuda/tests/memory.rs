//! Device memory: its books, its bounds, and what it holds.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use support::{Driver, call};

#[test]
fn the_books_are_exact_and_memory_that_was_freed_can_be_had_again() {
    let driver = Driver::started();
    assert_eq!(call!(fake_set_capacity(0 => i32, 10_000 => u64, 1000 => u64) -> u32), 1);
    assert_eq!(driver.capacity(), (9000, 10_000));
    let memory = driver.allocate(8999).unwrap();
    assert_eq!(driver.capacity(), (1, 10_000));
    assert_eq!(driver.allocate(2), Err(2));
    assert_eq!(driver.capacity(), (1, 10_000));
    let last = driver.allocate(1).unwrap();
    assert_eq!(driver.capacity(), (0, 10_000));
    assert_eq!((driver.free(memory), driver.free(last)), (0, 0));
    assert_eq!(driver.capacity(), (9000, 10_000));
    driver.allocate(9000).unwrap();
}

#[test]
fn what_is_no_allocation_is_not_freed_and_nothing_is_freed_twice() {
    let driver = Driver::started();
    let memory = driver.allocate(1000).unwrap();
    assert_eq!(driver.allocate(0), Err(1));
    assert_eq!((driver.free(memory + 1), driver.free(memory + 1000), driver.free(7)), (1, 1, 1));
    assert_eq!((driver.free(memory), driver.free(memory)), (0, 1));
    assert_eq!(driver.free(0), 0);
}

#[test]
fn allocations_do_not_overlap_and_begin_at_multiples_of_512() {
    let driver = Driver::started();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for round in 0..200_u64 {
        let bytes = 1 + round * 37 % 1500;
        ranges.push((driver.allocate(bytes as usize).unwrap(), bytes));
        if round % 3 == 2 {
            let (memory, _) = ranges.remove((round as usize * 7) % ranges.len());
            assert_eq!(driver.free(memory), 0);
        }
    }
    ranges.sort_unstable();
    assert!(ranges.iter().all(|(memory, _)| memory % 512 == 0));
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
}

#[test]
fn a_copy_that_is_not_within_one_allocation_is_refused_and_changes_nothing() {
    let driver = Driver::started();
    let memory = driver.allocate(512).unwrap();
    let next = driver.allocate(512).unwrap();
    assert_eq!(next, memory + 512);
    assert_eq!(driver.fill(memory, 1, 512), 0);
    assert_eq!(driver.fill(next, 2, 512), 0);
    for (at, bytes) in [(memory, 513), (memory + 511, 2), (memory - 1, 2), (next + 512, 1), (8, 1), (u64::MAX, 2)] {
        assert_eq!(driver.write(at, &vec![9; bytes]), 1, "{bytes}");
        assert_eq!(driver.read(at, bytes), Err(1), "{bytes}");
        assert_eq!(driver.fill(at, 9, bytes), 1, "{bytes}");
    }
    assert_eq!(driver.read(memory, 512), Ok(vec![1; 512]));
    assert_eq!(driver.read(next, 512), Ok(vec![2; 512]));
    assert_eq!(driver.write(memory, &[]), 0);
}

#[test]
fn bytes_come_back_across_pages_and_at_offsets() {
    let driver = Driver::started();
    let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let memory = driver.allocate(400_000).unwrap();
    assert_eq!(driver.write(memory + 60_001, &bytes), 0);
    assert_eq!(driver.read(memory + 60_001, bytes.len()), Ok(bytes.clone()));
    assert_eq!(driver.read(memory + 60_001 + 65_000, 3), Ok(bytes[65_000..65_003].to_vec()));
    let other = driver.allocate(300_000).unwrap();
    assert_eq!(call!(cuMemcpyDtoD_v2(other => u64, memory + 60_001 => u64, 300_000 => usize) -> u32), 0);
    assert_eq!(driver.read(other, 300_000), Ok(bytes));
}

#[test]
fn the_next_owner_finds_what_the_last_one_left() {
    let driver = Driver::started();
    let memory = driver.allocate(70_000).unwrap();
    let secret = b"weights of somebody else";
    assert_eq!(driver.write(memory + 65_520, secret), 0);
    assert_eq!(driver.free(memory), 0);
    let holds = |needle: &[u8]| {
        call!(fake_memory_holds(0 => i32, needle.as_ptr() => *const u8, needle.len() => usize) -> u32) == 1
    };
    assert!(holds(secret), "across the border of two pages");
    let again = driver.allocate(70_000).unwrap();
    assert_eq!(driver.read(again + 65_520, secret.len()), Ok(secret.to_vec()));
    assert_eq!(driver.read(again, 4), Ok(vec![0xA5; 4]), "nobody ever wrote here, and it is not zero");
    assert_eq!(driver.fill(again, 0, 70_000), 0);
    assert_eq!(driver.synchronize(), 0);
    assert!(!holds(secret));
    assert!(!holds(b""));
}

#[test]
fn a_large_fill_is_found_and_written_over_like_any_other() {
    const PAGE: u64 = 1 << 16;
    let driver = Driver::started();
    let memory = driver.allocate(5 * PAGE as usize).unwrap();
    assert_eq!(driver.fill(memory + 100, 7, 4 * PAGE as usize), 0);
    let middle = memory + 2 * PAGE;
    assert_eq!(driver.write(middle + PAGE - 1, &[1, 2]), 0);
    let mut expected = vec![0xA5; 5 * PAGE as usize];
    expected[100..100 + 4 * PAGE as usize].fill(7);
    expected[3 * PAGE as usize - 1..][..2].copy_from_slice(&[1, 2]);
    assert_eq!(driver.read(memory, expected.len()), Ok(expected));
    let holds = |needle: &[u8]| {
        call!(fake_memory_holds(0 => i32, needle.as_ptr() => *const u8, needle.len() => usize) -> u32) == 1
    };
    for (needle, there) in [
        (&[7_u8, 1, 2, 7][..], true),
        (&[0xA5, 7, 7], true),
        (&[7, 7, 0xA5], true),
        (&[7; 1000], true),
        (&[7; 2 * PAGE as usize], true),
        (&[7; 4 * PAGE as usize], false),
        (&[7, 2], false),
        (&[7, 0xA5, 7], false),
    ] {
        assert_eq!(holds(needle), there, "{} bytes", needle.len());
    }
}

#[test]
fn eighty_gigabytes_can_be_had_without_having_them() {
    let driver = Driver::started();
    assert_eq!(call!(fake_set_capacity(0 => i32, 80 << 30 => u64, 0 => u64) -> u32), 1);
    let memory = driver.allocate(79 << 30).unwrap();
    assert_eq!(driver.write(memory + (78 << 30), b"far"), 0);
    assert_eq!(driver.read(memory + (78 << 30), 3), Ok(b"far".to_vec()));
    assert_eq!(driver.capacity(), (1 << 30, 80 << 30));
}

#[test]
fn tests_look_into_allocations_by_number_and_flip_single_bits() {
    let driver = Driver::started();
    let memory = driver.allocate(4096).unwrap();
    assert_eq!(driver.write(memory, &[0; 4096]), 0);
    let mut all = [0_u64; 3];
    assert_eq!(call!(fake_allocations(all.as_mut_ptr() => *mut u64, 1 => usize) -> usize), 1);
    let [number, device, bytes] = all;
    assert_eq!((device, bytes), (0, 4096));
    assert_eq!(call!(fake_flip_bit(number => u64, 4095 => u64, 7 => u32) -> u32), 1);
    assert_eq!(driver.read(memory + 4095, 1), Ok(vec![0x80]));
    for (number, offset, bit) in [(number, 4096, 0), (number, 0, 8), (number, u64::MAX, 0), (number + 1, 0, 0)] {
        assert_eq!(call!(fake_flip_bit(number => u64, offset => u64, bit => u32) -> u32), 0);
    }
    let mut held = [0_u8; 2];
    assert_eq!(call!(fake_read(number => u64, 4094 => u64, held.as_mut_ptr() => *mut u8, 2 => usize) -> u32), 1);
    assert_eq!(held, [0, 0x80]);
    assert_eq!(call!(fake_read(number => u64, 4095 => u64, held.as_mut_ptr() => *mut u8, 2 => usize) -> u32), 0);
}
