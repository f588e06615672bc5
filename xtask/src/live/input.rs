//! Untrusted input: ids, sizes, digests, device indices.

use evidence::Stream::InputValidation;
use vram_residency::{SealOptions, VramError};

use super::bytes::Generator;
use super::{Context, outcome};

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    let manager = context.manager()?;
    let gpu = context.device.index;
    let model = Generator::new(context.seed).bytes(1024);

    let blocked = manager.seal_model(&[], gpu);
    context.emit(InputValidation, "zero_size_blocked", |record| {
        record.field("blocked", blocked.is_err()).observe("refused: invalid input", outcome(&blocked))
    });
    let accepted = manager.seal_model(&model, gpu);
    context.emit(InputValidation, "valid_input_accepted", |record| {
        record.field("accepted", accepted.is_ok()).observe("accepted", outcome(&accepted))
    });

    let long = "a".repeat(257);
    for (operation, id) in [
        ("path_traversal_blocked", "../../etc/passwd"),
        ("null_byte_blocked", "shard\0id"),
        ("control_character_blocked", "shard\nid"),
        ("empty_id_blocked", ""),
        ("over_long_id_blocked", long.as_str()),
    ] {
        let blocked = manager.seal_model_as(id, &model, gpu);
        context.emit(InputValidation, operation, |record| {
            record
                .field("blocked", blocked.is_err())
                .field("error", blocked.as_ref().err().map(ToString::to_string))
                .observe("refused: invalid input", outcome(&blocked))
        });
    }

    let zeros = "0".repeat(64);
    for (operation, digest, expected) in [
        ("malformed_digest_blocked", "xyz", "refused: invalid input"),
        ("unexpected_digest_blocked", zeros.as_str(), "refused: SHA-256 digest not as expected"),
    ] {
        let options = SealOptions::new(gpu).expect_sha256(digest);
        let blocked = manager.seal_reader(model.as_slice(), model.len() as u64, options);
        context.emit(InputValidation, operation, |record| {
            record.field("blocked", blocked.is_err()).observe(expected, outcome(&blocked))
        });
    }
    Ok(())
}
