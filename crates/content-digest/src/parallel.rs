//! Hashes many whole blocks on all cores.

use std::num::NonZero;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use crate::block::{BLOCK_BYTES, Hash};
use crate::flat::hash;

/// What one thread takes from the queue at a time: large enough that the queue's lock does not show, small
/// enough that the threads end together.
const BLOCKS_PER_TURN: usize = 32;
/// Starting a thread costs about as much as hashing 64 KiB; with this many blocks to hash it pays.
const BLOCKS_PER_THREAD: usize = 64;
/// More threads than this outrun the host's memory; fewer stacks also keep the footprint small.
const MAX_THREADS: usize = 32;
/// The stack of a hashing thread: SHA-256 needs a few hundred bytes, Rust's default is 2 MiB.
const STACK_BYTES: usize = 128 * 1024;

/// How many threads this machine runs at once. Asking costs as much as hashing ten blocks, so it is asked once.
static THREADS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS));

/// Writes the hash of each of `blocks` to the place of the same number in `hashes`.
pub(crate) fn hash_blocks(blocks: &[[u8; BLOCK_BYTES]], hashes: &mut [Hash]) {
    let worthwhile = blocks.len().div_euclid(BLOCKS_PER_THREAD);
    hash_blocks_on(THREADS.min(worthwhile), blocks, hashes);
}

/// The same on at most `threads` threads, of which the caller's is one.
fn hash_blocks_on(threads: usize, blocks: &[[u8; BLOCK_BYTES]], hashes: &mut [Hash]) {
    if threads <= 1 {
        return hash_serially(blocks, hashes);
    }
    let turns = Mutex::new(blocks.chunks(BLOCKS_PER_TURN).zip(hashes.chunks_mut(BLOCKS_PER_TURN)));
    let work = || {
        loop {
            let turn = turns.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((blocks, hashes)) = turn else { break };
            hash_serially(blocks, hashes);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system refuses another thread, those that run take its turns too.
            let helper = thread::Builder::new().stack_size(STACK_BYTES);
            if helper.spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

fn hash_serially(blocks: &[[u8; BLOCK_BYTES]], hashes: &mut [Hash]) {
    for (block, place) in blocks.iter().zip(hashes) {
        *place = hash(block);
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use evidence::{Stream, check, proves};

    use super::*;

    #[test]
    fn any_number_of_threads_gives_the_hashes_that_one_gives() {
        proves!("CI-004");
        for count in [0, 1, 31, 32, 33, 64, 200] {
            let blocks: Vec<[u8; BLOCK_BYTES]> = (0..count).map(|number| [number as u8; BLOCK_BYTES]).collect();
            let one_by_one: Vec<Hash> = blocks.iter().map(|block| hash(block)).collect();
            for threads in [0, 1, 2, 3, 16] {
                let mut hashes = vec![[0; 32]; count];
                hash_blocks_on(threads, &blocks, &mut hashes);
                check(
                    Stream::CryptoValidation,
                    &format!("{count}_blocks_on_{threads}_threads_equal_those_on_one"),
                    true,
                    hashes == one_by_one,
                );
            }
        }
    }
}
