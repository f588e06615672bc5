//! What a device says of itself and of memory, and what it computes over memory in place.

use content_digest::{TreeHasher, tree_digest};
use evidence::Stream;
use facts::MemoryType;

use super::{BLOCK, Bench, MIB, pattern};

pub(crate) fn the_device_answers_and_says_what_it_is(bench: &Bench) {
    bench.device.synchronize().unwrap();
    let [one, other] = [0, 1].map(|_| bench.device.facts().unwrap());
    let named = !one.name.is_empty() && !one.uuid.is_zero() && one.total_bytes > 0;
    let same = (one.class, one.index, one.uuid) == (other.class, other.index, other.uuid);
    bench.check(Stream::CudaOperations, "facts", (true, true), (named, same));
}

pub(crate) fn capacity_is_told_and_is_possible(bench: &Bench) {
    let capacity = bench.device.capacity().unwrap();
    let possible = capacity.total_bytes > 0 && capacity.free_bytes <= capacity.total_bytes;
    let of_this_device = capacity.total_bytes <= bench.device.facts().unwrap().total_bytes;
    bench.check(Stream::CudaOperations, "capacity", (true, true), (possible, of_this_device));
}

pub(crate) fn allocations_are_aligned_to_256_bytes(bench: &Bench) {
    let buffers: Vec<_> = [1, 3, 257, BLOCK + 1, MIB].map(|bytes| bench.buffer(bytes).unwrap()).into();
    let offsets: Vec<u64> = buffers.iter().map(|buffer| buffer.address().unwrap().as_raw() % 256).collect();
    bench.check(Stream::CudaOperations, "offsets_from_a_multiple_of_256", [0; 5], offsets);
}

pub(crate) fn the_driver_says_where_an_allocation_lies(bench: &Bench) {
    let index = bench.device.facts().unwrap().index;
    for bytes in [1, BLOCK + 1, 5 * MIB] {
        let buffer = bench.buffer(bytes).unwrap();
        let facts = buffer.facts().unwrap();
        let covered = facts.range_offset_bytes + facts.requested_bytes <= facts.range_bytes;
        bench.check(
            Stream::CudaOperations,
            &format!("facts_of_{bytes}_bytes"),
            (bytes, MemoryType::Device, false, false, index, true),
            (
                facts.requested_bytes,
                facts.memory_type,
                facts.is_managed,
                facts.has_host_pointer,
                facts.device_ordinal,
                covered,
            ),
        );
    }
}

pub(crate) fn the_tree_is_the_one_that_the_host_makes(bench: &Bench) {
    for bytes in [1, 4095, 4096, 4097, 8192, 524_287, 524_288, 524_289, 3 * MIB + 11] {
        let data = pattern(bytes, 0);
        let buffer = bench.holding(&data);
        let mut hasher = TreeHasher::new();
        hasher.update(&data);
        let same = (
            buffer.tree_digest().unwrap() == tree_digest(&data),
            buffer.tree().unwrap().differing_blocks(&hasher.finish()),
        );
        bench.check(Stream::CryptoValidation, &format!("tree_over_{bytes}_bytes"), (true, Vec::<u64>::new()), same);
    }
}

pub(crate) fn a_changed_bit_changes_the_digest_and_its_block_is_found(bench: &Bench) {
    let mut data = pattern(2 * MIB + 77, 0);
    let buffer = bench.holding(&data);
    let (before, digest) = (buffer.tree().unwrap(), buffer.tree_digest().unwrap());
    for (byte, mask) in [(0, 1_u8), (BLOCK - 1, 0x80), (BLOCK, 4), (MIB + 3, 0x10), (2 * MIB + 76, 2)] {
        data[byte] ^= mask;
        buffer.write(byte as u64, &data[byte..=byte]).unwrap();
        let changed = (buffer.tree_digest().unwrap() != digest, before.differing_blocks(&buffer.tree().unwrap()));
        data[byte] ^= mask;
        buffer.write(byte as u64, &data[byte..=byte]).unwrap();
        let back = buffer.tree_digest().unwrap() == digest;
        let expected = (true, vec![(byte / BLOCK) as u64]);
        bench.check(Stream::CryptoValidation, &format!("bit_of_byte_{byte}"), (expected, true), (changed, back));
    }
}

pub(crate) fn the_probe_reaches_every_chunk_and_finds_device_memory(bench: &Bench) {
    for (bytes, chunks) in [(1, 1), (2 * MIB, 1), (2 * MIB + 1, 2), (9 * MIB, 5)] {
        let buffer = bench.buffer(bytes).unwrap();
        let probe = buffer.probe().unwrap();
        let told_apart = probe.device_control_cycles < probe.host_control_cycles;
        let in_device = probe.slowest_cycles < probe.threshold_cycles();
        let named = probe.slowest_chunk < probe.chunks;
        bench.check_measured(
            Stream::CudaOperations,
            &format!("probe_of_{bytes}_bytes"),
            &probe,
            (chunks, true, true, true),
            (probe.chunks, told_apart, in_device, named),
        );
    }
}

pub(crate) fn no_text_holds_an_address(bench: &Bench) {
    let buffer = bench.buffer(MIB).unwrap();
    let address = buffer.address().unwrap().as_raw();
    let facts = buffer.facts().unwrap();
    let refused = bench.device.write(buffer.memory(), u64::MAX, &[1]).unwrap_err();
    let texts = [
        format!("{buffer:?} {:?} {facts:?} {refused:?} {refused}", buffer.memory()),
        serde_json::to_string(&facts).unwrap(),
    ];
    let forms = [format!("{address}"), format!("{address:x}"), format!("{address:X}")];
    let told = texts.iter().any(|text| forms.iter().any(|form| text.contains(form)));
    bench.check(Stream::CudaOperations, "an_address_in_a_text", false, told);
}
