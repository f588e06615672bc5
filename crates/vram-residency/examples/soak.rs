//! Threads that seal, verify, lend and release shards on a simulated device for some seconds; the ledger must end at
//! zero.
//!
//! ```sh
//! cargo run --release --example soak -- 10
//! ```
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vram_residency::{SimulatedConfig, VramConfig, VramError, VramManager};

const THREADS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    let device = SimulatedConfig::default().capacity(16 << 20);
    let manager = VramManager::simulated(VramConfig::default().simulated_devices(vec![device]))?;
    let (begin, length) = (Instant::now(), Duration::from_secs(seconds));
    let rounds = AtomicU64::new(0);
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let lives: Vec<_> = (1..=THREADS)
            .map(|thread| {
                let (manager, rounds, refused) = (&manager, &rounds, &refused);
                scope.spawn(move || -> Result<(), VramError> {
                    let model = vec![0x5a; thread << 19];
                    while begin.elapsed() < length {
                        match life(manager, &model) {
                            Ok(()) => rounds.fetch_add(1, Ordering::Relaxed),
                            Err(VramError::InsufficientVram { .. }) => refused.fetch_add(1, Ordering::Relaxed),
                            Err(error) => return Err(error),
                        };
                    }
                    Ok(())
                })
            })
            .collect();
        lives.into_iter().try_for_each(|life| life.join().map_err(|_| "a thread panicked")?.map_err(|e| e.to_string()))
    })?;
    println!(
        "{} shards lived on {THREADS} threads in {seconds} s, {} refused for lack of memory",
        rounds.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed)
    );
    let used = manager.used_vram(0)?;
    println!("in use at the end: {used} bytes");
    if used == 0 { Ok(()) } else { Err("device memory was leaked".into()) }
}

fn life(manager: &VramManager, model: &[u8]) -> Result<(), VramError> {
    let shard = manager.seal_model(model, 0)?;
    let stream = manager.stream(0)?;
    manager.verify_sealed(&shard)?;
    manager.verify_for_execute(&shard)?.launch(&stream, |_| ())?;
    manager.release(&shard)
}
