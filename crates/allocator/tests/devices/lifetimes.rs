//! Device memory from its allocation to its end.

use allocator::AllocatorError;
use cuda_ffi::{Device, DriverError, MemoryId, SimulatedConfig, SimulatedDevice};
use evidence::Stream;
use facts::DeviceClass;
use serde_json::json;

use super::{BLOCK, Bench, KIB, MIB, held, pattern};

pub(crate) fn sizes_from_one_byte_on_can_be_allocated(bench: &Bench) {
    for bytes in [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, MIB, 2 * MIB + 1, 32 * MIB] {
        let buffer = bench.buffer(bytes).unwrap();
        let ends = [0, bytes as u64 - 1].map(|offset| buffer.write(offset, &[0xA5]).is_ok());
        let past = buffer.write(bytes as u64, &[0xA5]).is_ok();
        bench.check(
            Stream::CudaOperations,
            &format!("allocate_{bytes}_bytes"),
            (bytes, [true; 2], false),
            (buffer.len(), ends, past),
        );
    }
}

pub(crate) fn zero_bytes_cannot_be_allocated(bench: &Bench) {
    let answer = bench.raw(0).map(drop).map_err(|error| error.code());
    bench.check(Stream::CudaOperations, "allocate_nothing", Err::<(), _>(DriverError::INVALID_VALUE), answer);
}

pub(crate) fn more_than_there_is_cannot_be_allocated(bench: &Bench) {
    let total = bench.device.capacity().unwrap().total_bytes;
    for (case, bytes) in [("one_byte_more_than_there_is", total + 1), ("far_more", total * 4)] {
        let answer = bench.device.allocate(bytes).map(drop).map_err(|error| error.code());
        bench.check(Stream::CudaOperations, case, Err::<(), _>(DriverError::OUT_OF_MEMORY), answer);
    }
    let refused = matches!(bench.buffer(total as usize + 1), Err(AllocatorError::InsufficientMemory { .. }));
    bench.check(Stream::CudaOperations, "a_buffer_of_more_than_is_free", true, refused);
}

pub(crate) fn many_small_allocations_lie_apart(bench: &Bench) {
    let buffers: Vec<_> = (0..500_usize).map(|i| bench.holding(&pattern(100 + i % 7, i))).collect();
    let kept = (0..).zip(&buffers).filter(|(i, buffer)| {
        let expected = pattern(100 + i % 7, *i);
        held(&*bench.device, buffer.memory(), expected.len()) == expected
    });
    bench.check(Stream::CudaOperations, "500_small_allocations_keep_their_bytes", 500, kept.count());
}

pub(crate) fn the_books_follow_every_allocation(bench: &Bench) {
    let free = bench.ledger.books().available_bytes;
    let used = || bench.ledger.books().used_bytes;
    let one = bench.buffer(MIB).unwrap();
    let after_one = used();
    let two = bench.buffer(5).unwrap();
    let after_two = used();
    one.release().unwrap();
    let after_release = used();
    drop(two);
    let expected = [1 << 20, (1 << 20) + 5, 5, 0];
    bench.check(Stream::CudaOperations, "used_bytes", expected, [after_one, after_two, after_release, used()]);
    bench.check(Stream::CudaOperations, "all_is_available_again", free, bench.ledger.books().available_bytes);
}

pub(crate) fn dropping_a_buffer_frees_its_memory(bench: &Bench) {
    let buffer = bench.holding(&pattern(MIB, 0));
    let memory = buffer.memory();
    drop(buffer);
    let answer = bench.device.read(memory, 0, &mut [0]).map_err(|error| error.code());
    bench.check(Stream::CudaOperations, "read_after_drop", Err::<(), _>(DriverError::INVALID_VALUE), answer);
    // The capacity of a real GPU is everybody's: only a device of our own has exact figures.
    if bench.class() != DeviceClass::Gpu {
        let before = bench.device.capacity().unwrap();
        let buffer = bench.buffer(8 * MIB).unwrap();
        let during = bench.device.capacity().unwrap();
        drop(buffer);
        let after = bench.device.capacity().unwrap();
        let observed = (before.free_bytes - during.free_bytes >= 8 << 20, after == before);
        bench.check(Stream::CudaOperations, "capacity_falls_and_returns", (true, true), observed);
    }
}

pub(crate) fn a_second_free_is_refused(bench: &Bench) {
    let memory = bench.raw(KIB).unwrap();
    let answers = [0, 1].map(|_| bench.device.free(memory).map_err(|error| error.code()));
    bench.check(Stream::CudaOperations, "free_twice", [Ok(()), Err(DriverError::INVALID_VALUE)], answers);
}

/// What each operation that takes memory answers, by its code.
fn answers(device: &dyn Device, memory: MemoryId) -> Vec<Result<(), u32>> {
    [
        device.allocation_facts(memory).map(drop),
        device.write(memory, 0, &[1]),
        device.read(memory, 0, &mut [0]),
        device.overwrite(memory),
        device.free(memory),
        device.tree(memory).map(drop),
        device.tree_digest(memory).map(drop),
        device.probe(memory).map(drop),
        device.address(memory).map(drop),
    ]
    .into_iter()
    .map(|answer| answer.map_err(|error| error.code()))
    .collect()
}

pub(crate) fn freed_memory_is_known_to_no_operation(bench: &Bench) {
    let memory = bench.raw(KIB).unwrap();
    bench.device.free(memory).unwrap();
    let expected = vec![Err::<(), _>(DriverError::INVALID_VALUE); 9];
    bench.check(Stream::CudaOperations, "operations_on_freed_memory", expected, answers(&*bench.device, memory));
}

pub(crate) fn memory_of_another_device_is_refused(bench: &Bench) {
    let other = SimulatedDevice::new(SimulatedConfig::for_index(9).capacity(1 << 20));
    let foreign = other.allocate(KIB as u64).unwrap();
    let expected = vec![Err::<(), _>(DriverError::INVALID_VALUE); 9];
    bench.check(Stream::CudaOperations, "operations_on_foreign_memory", expected, answers(&*bench.device, foreign));
    assert_eq!(other.live_allocations(), 1);
}

pub(crate) fn after_a_failed_allocation_the_next_one_succeeds(bench: &Bench) {
    for turn in 0..3 {
        let total = bench.device.capacity().unwrap().total_bytes;
        let refused = bench.device.allocate(total + 1).is_err();
        let bytes = pattern(KIB, turn);
        let buffer = bench.holding(&bytes);
        let works = held(&*bench.device, buffer.memory(), KIB) == bytes;
        bench.check(Stream::CudaOperations, &format!("refused_then_allocated_{turn}"), (true, true), (refused, works));
    }
}

pub(crate) fn after_an_invalid_operation_the_next_one_succeeds(bench: &Bench) {
    let freed = bench.raw(KIB).unwrap();
    bench.device.free(freed).unwrap();
    let bytes = pattern(KIB, 0);
    let buffer = bench.holding(&bytes);
    let refused = answers(&*bench.device, freed).iter().all(Result::is_err)
        && bench.device.write(buffer.memory(), 1, &bytes).is_err();
    let answers = [
        held(&*bench.device, buffer.memory(), KIB) == bytes,
        buffer.facts().is_ok(),
        buffer.tree_digest().is_ok(),
        buffer.probe().is_ok(),
        bench.device.synchronize().is_ok(),
    ];
    bench.check(Stream::CudaOperations, "refused_then_done", (true, [true; 5]), (refused, answers));
}

pub(crate) fn overwriting_leaves_zeros(bench: &Bench) {
    for len in [1, 15, 16, 17, BLOCK + 1, 3 * MIB + 7] {
        let memory = bench.raw(len).unwrap();
        bench.device.write(memory, 0, &pattern(len, 1)).unwrap();
        bench.device.overwrite(memory).unwrap();
        let zeros = held(&*bench.device, memory, len).iter().all(|byte| *byte == 0);
        bench.check(Stream::CudaOperations, &format!("overwrite_of_{len}_bytes"), true, zeros);
        bench.device.free(memory).unwrap();
    }
}

pub(crate) fn freed_memory_holds_no_trace_of_its_last_owner(bench: &Bench) {
    const LEN: usize = 4 * MIB;
    let secret = pattern(LEN, 0);
    // Whoever used the memory before us is not our concern: look for our bytes, block by block.
    let traces = |memory| {
        let found = held(&*bench.device, memory, LEN);
        bench.device.free(memory).unwrap();
        found.chunks(BLOCK).zip(secret.chunks(BLOCK)).filter(|(found, ours)| found == ours).count()
    };
    // Several at once and again, so that the driver gives out some of the same memory.
    for _ in 0..4 {
        let buffers: Vec<_> = (0..4).map(|_| bench.holding(&secret)).collect();
        drop(buffers);
        let successors: Vec<_> = (0..4).map(|_| bench.raw(LEN).unwrap()).collect();
        let found: usize = successors.into_iter().map(traces).sum();
        bench.check(Stream::CudaOperations, "blocks_of_the_last_owner_in_new_memory", 0, found);
    }
    // The control: without our overwrite the look does find them. Only the fake driver is sure to give the same memory again.
    let bare = bench.raw(LEN).unwrap();
    bench.device.write(bare, 0, &secret).unwrap();
    let was_there = held(&*bench.device, bare, LEN) == secret;
    bench.device.free(bare).unwrap();
    let found = traces(bench.raw(LEN).unwrap());
    let measured = json!({"blocks_in_new_memory": found});
    bench.check_measured(Stream::CudaOperations, "freed_without_an_overwrite", measured, true, was_there);
    if bench.class() == DeviceClass::FakeDriver {
        bench.check(Stream::CudaOperations, "blocks_without_an_overwrite", LEN / BLOCK, found);
    }
    // Nothing of the control may be left for others.
    let last = bench.raw(LEN).unwrap();
    bench.device.overwrite(last).unwrap();
    bench.device.free(last).unwrap();
}
