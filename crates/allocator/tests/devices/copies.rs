//! Copies to and from device memory.

use std::thread;

use allocator::AllocatorError;
use cuda_ffi::DriverError;
use evidence::Stream;

use super::{BLOCK, Bench, KIB, MIB, held, pattern};

pub(crate) fn write_and_read_at_offsets(bench: &Bench) {
    let mut expected = pattern(64 * KIB, 0);
    let buffer = bench.holding(&expected);
    for (offset, len) in [(0, 1), (1, 1), (255, 2), (4095, 2), (BLOCK, BLOCK), (64 * KIB - 1, 1), (1000, 30_001)] {
        let part = pattern(len, offset + 7);
        buffer.write(offset as u64, &part).unwrap();
        expected[offset..offset + len].copy_from_slice(&part);
        let mut read = vec![0; len];
        buffer.read(offset as u64, &mut read).unwrap();
        assert_eq!(read, part, "{len} bytes at {offset}");
    }
    let all = held(&*bench.device, buffer.memory(), expected.len());
    bench.check(Stream::CudaOperations, "writes_at_offsets_change_what_they_name_alone", true, all == expected);
}

/// Ranges that leave a buffer of 64 bytes.
const OUTSIDE: [(&str, u64, usize); 6] = [
    ("end_one_past", 0, 65),
    ("end_one_past_from_the_middle", 32, 33),
    ("starts_at_the_end", 64, 1),
    ("starts_past_the_end", 65, 1),
    ("nothing_past_the_end", 65, 0),
    ("offset_beyond_32_bits", 1 << 32, 1),
];

/// Ranges whose end is past the largest number.
const OVERFLOWING: [(&str, u64, usize); 3] = [
    ("largest_offset", u64::MAX, 1),
    ("end_wraps_to_the_middle", u64::MAX - 3, 8),
    ("end_wraps_to_zero", u64::MAX - 63, 64),
];

pub(crate) fn writes_out_of_bounds_are_refused(bench: &Bench) {
    let [before, buffer, after] = [1, 2, 3].map(|salt| bench.holding(&pattern(64, salt)));
    for (case, offset, len) in OUTSIDE {
        let by_buffer = matches!(buffer.write(offset, &vec![0xEE; len]), Err(AllocatorError::OutOfBounds { .. }));
        let by_device = bench.device.write(buffer.memory(), offset, &vec![0xEE; len]).map_err(|error| error.code());
        bench.check(
            Stream::BoundsChecking,
            case,
            (true, Err::<(), _>(DriverError::INVALID_VALUE)),
            (by_buffer, by_device),
        );
    }
    let kept = [&before, &buffer, &after].map(|one| held(&*bench.device, one.memory(), 64));
    bench.check(Stream::BoundsChecking, "refused_writes_change_nothing", [1, 2, 3].map(|salt| pattern(64, salt)), kept);
}

pub(crate) fn reads_out_of_bounds_are_refused_and_leave_the_target_as_it_was(bench: &Bench) {
    let buffer = bench.holding(&pattern(64, 0));
    for (case, offset, len) in OUTSIDE {
        let mut target = vec![0x5C; len];
        let by_buffer = matches!(buffer.read(offset, &mut target), Err(AllocatorError::OutOfBounds { .. }));
        let by_device = bench.device.read(buffer.memory(), offset, &mut target).map_err(|error| error.code());
        let expected = (true, Err::<(), _>(DriverError::INVALID_VALUE), vec![0x5C; len]);
        bench.check(Stream::BoundsChecking, case, expected, (by_buffer, by_device, target));
    }
}

pub(crate) fn offsets_that_overflow_are_refused(bench: &Bench) {
    let buffer = bench.holding(&pattern(64, 0));
    for (case, offset, len) in OVERFLOWING {
        let mut target = vec![0x5C; len];
        let answers = [
            bench.device.write(buffer.memory(), offset, &target).map_err(|error| error.code()),
            bench.device.read(buffer.memory(), offset, &mut target).map_err(|error| error.code()),
        ];
        bench.check(Stream::BoundsChecking, case, [Err::<(), _>(DriverError::INVALID_VALUE); 2], answers);
    }
    assert_eq!(held(&*bench.device, buffer.memory(), 64), pattern(64, 0));
}

pub(crate) fn zero_bytes_are_copied_anywhere_up_to_the_end(bench: &Bench) {
    let buffer = bench.holding(&pattern(64, 0));
    for offset in [0, 1, 63, 64] {
        let answers = [buffer.write(offset, &[]).is_ok(), buffer.read(offset, &mut []).is_ok()];
        bench.check(Stream::BoundsChecking, &format!("nothing_at_{offset}"), [true; 2], answers);
    }
    assert_eq!(held(&*bench.device, buffer.memory(), 64), pattern(64, 0));
}

pub(crate) fn a_large_copy_arrives_whole(bench: &Bench) {
    let bytes = pattern(48 * MIB + 5, 0);
    let buffer = bench.holding(&bytes);
    let arrived = held(&*bench.device, buffer.memory(), bytes.len()) == bytes;
    bench.check(Stream::CudaOperations, "48_mib_and_5_bytes", true, arrived);
}

pub(crate) fn copies_of_any_length_arrive_whole(bench: &Bench) {
    // About the halves of the staging area, at an odd place.
    for len in [1, 2, 255, 256, 257, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB + 3] {
        let bytes = pattern(len, len);
        let buffer = bench.buffer(len + 3).unwrap();
        buffer.write(3, &bytes).unwrap();
        let mut read = vec![0; len];
        buffer.read(3, &mut read).unwrap();
        bench.check(Stream::CudaOperations, &format!("copy_of_{len}_bytes"), true, read == bytes);
    }
}

pub(crate) fn patterns_survive(bench: &Bench) {
    let len = 3 * BLOCK + 1;
    let alternating: Vec<u8> = (0..len).map(|i| if i % 2 == 0 { 0xAA } else { 0x55 }).collect();
    let counting: Vec<u8> = (0..len).map(|i| i as u8).collect();
    let cases =
        [("zeros", vec![0; len]), ("ones", vec![0xFF; len]), ("alternating", alternating), ("counting", counting)];
    for (case, bytes) in cases {
        let buffer = bench.holding(&bytes);
        let survives = held(&*bench.device, buffer.memory(), len) == bytes;
        bench.check(Stream::CudaOperations, case, true, survives);
    }
}

pub(crate) fn threads_do_not_see_each_others_bytes(bench: &Bench) {
    let own = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_usize)
            .map(|salt| {
                scope.spawn(move || {
                    (0..8).all(|turn| {
                        let bytes = pattern(100 * KIB + salt, salt * 8 + turn);
                        let buffer = bench.holding(&bytes);
                        held(&*bench.device, buffer.memory(), bytes.len()) == bytes
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<bool>>()
    });
    bench.check(Stream::CudaOperations, "each_of_8_threads_reads_its_own_bytes", [true; 8], own);
}
