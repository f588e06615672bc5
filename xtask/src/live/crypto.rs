//! Digests, signatures, tamper detection.

use std::time::Instant;

use evidence::Stream::CryptoValidation;
use ring::digest::{SHA256, digest};
use serde_json::json;
use vram_residency::VramError;

use super::bytes::Generator;
use super::{Context, outcome};

const MODEL_BYTES: usize = 1_000_000;

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    let manager = context.manager()?;
    let gpu = context.device.index;
    let mut generator = Generator::new(context.seed);

    let model = generator.bytes(MODEL_BYTES);
    let started = Instant::now();
    let shard = manager.seal_model(&model, gpu)?;
    let seal_duration = started.elapsed();
    let expected = json!({
        "digest": hex(digest(&SHA256, &model).as_ref()),
        "vram_bytes": MODEL_BYTES,
        "gpu_device": gpu,
        "signature_hex_digits": 64,
    });
    let observed = json!({
        "digest": shard.digest,
        "vram_bytes": shard.vram_bytes,
        "gpu_device": shard.gpu_device,
        "signature_hex_digits": shard.signature().map_or(0, |signature| signature.to_hex().len()),
    });
    context.emit(CryptoValidation, "seal_operation", |record| {
        record
            .field("model_size_bytes", MODEL_BYTES)
            .field("shard_id", &shard.shard_id)
            .field("vram_bytes", shard.vram_bytes)
            .field("gpu_device", shard.gpu_device)
            .field("digest", &shard.digest)
            .field("tree_digest", &shard.tree_digest)
            .field("signature_present", shard.signature().is_some())
            .field("timings", json!({"seal_duration_ms": millis(seal_duration)}))
            .field("explanation", "a model was written to device memory and its handle signed")
            .observe(expected, observed)
    });

    let started = Instant::now();
    let verified = manager.verify_sealed(&shard);
    context.emit(CryptoValidation, "seal_verification", |record| {
        record
            .field("shard_id", &shard.shard_id)
            .field("timings", json!({"verify_duration_ms": millis(started.elapsed())}))
            .field("explanation", "the signature and the bytes in device memory were verified")
            .observe("accepted", outcome(&verified))
    });

    let mut tampered = shard.clone();
    tampered.digest = "0".repeat(64);
    let refused = manager.verify_sealed(&tampered);
    context.emit(CryptoValidation, "tamper_detection", |record| {
        record
            .field("shard_id", &shard.shard_id)
            .field("original_digest", &shard.digest)
            .field("tampered_digest", &tampered.digest)
            .field("correctly_rejected", refused.is_err())
            .field("error", refused.as_ref().err().map(ToString::to_string))
            .field("explanation", "a handle with another digest was given to verification")
            .observe("refused: seal forged", outcome(&refused))
    });

    let hooks = manager.test_hooks();
    for (name, signature, expected) in [
        ("removed_signature", None, "refused: not sealed"),
        ("zeroed_signature", Some([0; 32]), "refused: seal forged"),
    ] {
        let refused = manager.verify_sealed(&hooks.with_signature(&shard, signature));
        context.emit(CryptoValidation, name, |record| {
            record.field("shard_id", &shard.shard_id).observe(expected, outcome(&refused))
        });
    }

    let bit = generator.below((MODEL_BYTES as u64).saturating_mul(8));
    let block = bit.div_euclid(8).div_euclid(4096);
    hooks.flip_bit(&shard, bit)?;
    let corrupted = manager.verify_sealed(&shard);
    hooks.flip_bit(&shard, bit)?;
    let restored = manager.verify_sealed(&shard);
    context.emit(CryptoValidation, "memory_corruption", |record| {
        record
            .field("shard_id", &shard.shard_id)
            .field("flipped_bit", bit)
            .field("explanation", "one bit of device memory was flipped and flipped back")
            .observe(
                json!({"flipped": format!("refused: contents changed in blocks [{block}]"), "restored": "accepted"}),
                json!({"flipped": outcome(&corrupted), "restored": outcome(&restored)}),
            )
    });

    let (first, second) = (generator.bytes(1024), generator.bytes(1024));
    let one = manager.seal_model(&first, gpu)?;
    let other = manager.seal_model(&second, gpu)?;
    context.emit(CryptoValidation, "unique_digests", |record| {
        record
            .field("shard1_id", &one.shard_id)
            .field("shard2_id", &other.shard_id)
            .field("shard1_digest", &one.digest)
            .field("shard2_digest", &other.digest)
            .field("explanation", "different models have different digests")
            .observe(json!({"digests_differ": true}), json!({"digests_differ": one.digest != other.digest}))
    });

    let again = manager.seal_model(&first, gpu)?;
    context.emit(CryptoValidation, "deterministic_digests", |record| {
        record
            .field("shard_a_id", &one.shard_id)
            .field("shard_b_id", &again.shard_id)
            .field("shard_a_digest", &one.digest)
            .field("shard_b_digest", &again.digest)
            .field("explanation", "equal models have equal digests")
            .observe(
                json!({"digest": one.digest, "tree_digest": one.tree_digest}),
                json!({"digest": again.digest, "tree_digest": again.tree_digest}),
            )
    });
    Ok(())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
