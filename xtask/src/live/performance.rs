//! Timings, as samples: a release build of the library on the device of the run.

use std::time::{Duration, Instant};

use evidence::Stream::Performance;
use serde_json::{Value, json};
use vram_residency::VramError;

use super::Context;
use super::bytes::Generator;

const MODEL_BYTES: usize = 1_000_000;

/// Enough that the 99th percentile is not the slowest sample. A debug build's timings tell nothing, so it takes few.
const SAMPLES: usize = if cfg!(debug_assertions) { 5 } else { 200 };

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    let manager = context.manager()?;
    let gpu = context.device.index;
    let model = Generator::new(context.seed).bytes(MODEL_BYTES);
    let (mut seals, mut verifications, mut releases) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        if crate::process::interrupted() {
            break;
        }
        let started = Instant::now();
        let shard = manager.seal_model(&model, gpu)?;
        seals.push(started.elapsed());
        let started = Instant::now();
        manager.verify_sealed(&shard)?;
        verifications.push(started.elapsed());
        let started = Instant::now();
        manager.release(&shard)?;
        releases.push(started.elapsed());
    }
    let both =
        seals.iter().zip(&verifications).map(|(seal, verification)| seal.saturating_add(*verification)).collect();
    for (operation, samples) in
        [("seal", seals), ("verify", verifications), ("release", releases), ("seal_and_verify", both)]
    {
        let observed = samples.len();
        context.emit(Performance, operation, |record| {
            record
                .field("model_size_bytes", MODEL_BYTES)
                .field("build", if cfg!(debug_assertions) { "debug" } else { "release" })
                .field("timings", summary(samples))
                .observe(json!({"samples": SAMPLES}), json!({"samples": observed}))
        });
    }
    Ok(())
}

/// Count, minimum, median and 99th percentile, in nanoseconds; the last two by nearest rank.
fn summary(mut samples: Vec<Duration>) -> Value {
    samples.sort();
    let rank = |percent: usize| {
        let rank = samples.len().saturating_mul(percent).div_ceil(100).max(1);
        samples.get(rank.saturating_sub(1)).map(|sample| u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX))
    };
    json!({"count": samples.len(), "minimum_ns": rank(0), "median_ns": rank(50), "p99_ns": rank(99)})
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
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples = |count: u64| (1..=count).rev().map(Duration::from_nanos).collect::<Vec<_>>();
        let expected = json!({"count": 200, "minimum_ns": 1, "median_ns": 100, "p99_ns": 198});
        assert_eq!(summary(samples(200)), expected);
        let expected = json!({"count": 3, "minimum_ns": 1, "median_ns": 2, "p99_ns": 3});
        assert_eq!(summary(samples(3)), expected);
        let expected = json!({"count": 0, "minimum_ns": null, "median_ns": null, "p99_ns": null});
        assert_eq!(summary(samples(0)), expected);
    }
}
