//! A real model: sealed, compared with other people's digests, verified, corrupted, restored, released.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evidence::Stream::{CryptoValidation, CudaOperations, InputValidation};
use proof_bundle::provenance::ModelFile;
use ring::digest::{Context as Sha256, SHA256};
use serde_json::json;
use vram_residency::{
    DEFAULT_MAX_MODEL_BYTES, SealOptions, SealedShard, TestHooks, VramConfig, VramError, VramManager,
};

use super::bytes::Generator;
use super::crypto::hex;
use super::device::Residue;
use super::{Context, outcome};
use crate::error::XtaskError;
use crate::model::{Format, Model};
use crate::process;
use crate::progress::Bar;

/// How much of the file is in memory at a time when its digest is taken apart from sealing, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Tools of other people that compute the same digests: the command, and which digest of ours it prints.
const TOOLS: [(&str, &[&str], &str); 2] = [
    ("sha256sum", &["--binary", "--"], "digest"),
    ("fsverity", &["digest", "--compact", "--hash-alg=sha256", "--block-size=4096", "--"], "tree_digest"),
];

/// Runs everything on one model, which is added to `files` once it is sealed. What could not be compared is added to `notes`.
///
/// # Errors
/// [`XtaskError::Input`] when the model does not fit the device, [`XtaskError::Read`] when its file cannot be read,
/// [`XtaskError::Vram`] when the library refuses it otherwise, [`XtaskError::Interrupted`].
pub(super) fn run(
    context: &Context<'_>,
    model: &Model,
    files: &mut Vec<ModelFile>,
    notes: &mut Vec<String>,
) -> Result<(), XtaskError> {
    let config = VramConfig::default().max_model_bytes(model.bytes.max(DEFAULT_MAX_MODEL_BYTES));
    let manager = context.manager_of(config, model.bytes)?;
    let gpu = context.device.index;
    let started = Instant::now();
    let shard = seal(&manager, model, gpu)?;
    let sealing = started.elapsed();

    record_header(context, &manager, model, &shard);
    let independent = digest_of(model)?;
    let mut tools = BTreeMap::new();
    for (tool, arguments, _) in TOOLS {
        tools.insert(tool, ask_tool(tool, arguments, &model.path)?);
    }
    let present = |answer: &Option<String>| if answer.is_some() { "asked" } else { "not installed" };
    let asked: BTreeMap<&str, &str> = tools.iter().map(|(tool, answer)| (*tool, present(answer))).collect();
    context.emit(CryptoValidation, "model_seal", |record| {
        record
            .field("model", &model.name)
            .field("model_size_bytes", model.bytes)
            .field("shard_id", &shard.shard_id)
            .field("vram_bytes", shard.vram_bytes)
            .field("gpu_device", shard.gpu_device)
            .field("digest", &shard.digest)
            .field("tree_digest", &shard.tree_digest)
            .field("signature_present", shard.signature().is_some())
            .field("compared_with", &asked)
            .field("timings", json!({"read_and_seal_ns": nanoseconds(sealing)}))
            .field(
                "explanation",
                "the digest of the seal is that of the file, read again and hashed apart from sealing",
            )
            .observe(
                json!({"digest": independent, "vram_bytes": model.bytes}),
                json!({"digest": shard.digest, "vram_bytes": shard.vram_bytes}),
            )
    });
    let (format, header_bytes, tensors) = match model.format {
        Format::Safetensors { tensors, header_bytes } => ("safetensors", Some(header_bytes), Some(tensors)),
        Format::Gguf { tensors, header_bytes, .. } => ("gguf", Some(header_bytes), Some(tensors)),
        Format::Opaque => ("opaque", None, None),
    };
    // It was sealed, whatever comes next.
    files.push(ModelFile {
        name: model.name.clone(),
        format: format.to_owned(),
        bytes: model.bytes,
        header_bytes,
        tensors,
        sha256: shard.digest.clone(),
        tree_digest: shard.tree_digest.clone(),
    });
    compare_with_tools(context, model, &shard, &tools, notes);
    verify_and_corrupt(context, &manager, model, &shard)?;
    release(context, &manager, model, &shard, gpu)
}

fn seal(manager: &VramManager, model: &Model, gpu: u32) -> Result<SealedShard, XtaskError> {
    let file = File::open(&model.path).map_err(XtaskError::read(&model.path))?;
    let bar = Bar::bytes("sealing", model.bytes);
    let sealed = manager.seal_reader(Watched { file, bar: &bar }, model.bytes, SealOptions::new(gpu));
    // An interrupt ends the input, and that is an error of the seal as well.
    process::check_interrupted()?;
    sealed.map_err(|error| match error {
        VramError::Read(source) => XtaskError::Read { path: model.path.clone(), source },
        VramError::InvalidInput(_) | VramError::InsufficientVram { .. } => {
            XtaskError::Input(format!("model {:?} cannot be sealed: {error}", model.name))
        }
        other => XtaskError::Vram(other),
    })
}

/// A file that moves a progress bar and ends with an error when the user interrupts.
struct Watched<'a> {
    file: File,
    bar: &'a Bar,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if process::interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let read = self.file.read(into)?;
        self.bar.advance(read as u64);
        Ok(read)
    }
}

/// The SHA-256 of the file, read once more and hashed here.
fn digest_of(model: &Model) -> Result<String, XtaskError> {
    let mut file = File::open(&model.path).map_err(XtaskError::read(&model.path))?;
    let mut sha256 = Sha256::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    let bar = Bar::bytes("hashing", model.bytes);
    loop {
        process::check_interrupted()?;
        let read = file.read(&mut chunk).map_err(XtaskError::read(&model.path))?;
        if read == 0 {
            return Ok(hex(sha256.finish().as_ref()));
        }
        sha256.update(chunk.get(..read).unwrap_or_default());
        bar.advance(read as u64);
    }
}

/// The header was parsed, and checked against the file's size, before anything ran. It is parsed again where the model is
/// now: in device memory. Nothing was looked for in an opaque file, so nothing is recorded of one.
fn record_header(context: &Context<'_>, manager: &VramManager, model: &Model, shard: &SealedShard) {
    if model.format == Format::Opaque {
        return;
    }
    let held = InDevice { hooks: manager.test_hooks(), shard, position: 0 };
    let held = model.format_in(held).map_or_else(|why| json!(why), |format| json!(format));
    context.emit(InputValidation, "model_header", |record| {
        record
            .field("model", &model.name)
            .field("model_size_bytes", model.bytes)
            .field("header", &model.format)
            .field(
                "explanation",
                "the header in device memory says what the file's says; it can be read to its end, and the tensors that it \
                 lists lie within the file, apart from one another; their sizes follow from type and extents, but for those \
                 counted in unchecked_tensors",
            )
            .observe(&model.format, held)
    });
}

/// A shard's device memory as a file.
struct InDevice<'a> {
    hooks: TestHooks<'a>,
    shard: &'a SealedShard,
    position: u64,
}

impl Read for InDevice<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = (self.shard.vram_bytes as u64).saturating_sub(self.position);
        let length = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let into = into.get_mut(..length).unwrap_or_default();
        self.hooks.read_device(self.shard, self.position, into).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(length as u64);
        Ok(length)
    }
}

impl Seek for InDevice<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => (self.shard.vram_bytes as u64).checked_add_signed(distance),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

fn compare_with_tools(
    context: &Context<'_>,
    model: &Model,
    shard: &SealedShard,
    answers: &BTreeMap<&str, Option<String>>,
    notes: &mut Vec<String>,
) {
    for (tool, _, which) in TOOLS {
        let ours = if which == "digest" { &shard.digest } else { &shard.tree_digest };
        match answers.get(tool).and_then(Option::as_ref) {
            Some(theirs) => context.emit(CryptoValidation, &format!("model_{which}_by_{tool}"), |record| {
                record
                    .field("model", &model.name)
                    .field("tool", tool)
                    .field("explanation", "a tool of other people computes the same digest of the file")
                    .observe(json!({which: theirs}), json!({which: ours}))
            }),
            None => {
                notes.push(format!("{tool} is not installed: the {which} of {} was not compared with it", model.name));
            }
        }
    }
}

/// The digest that a tool prints for a file: its first word, the algorithm's name stripped. None when the tool is absent.
fn ask_tool(tool: &str, arguments: &[&str], path: &Path) -> Result<Option<String>, XtaskError> {
    let path = std::path::absolute(path).map_err(XtaskError::read(path))?;
    let temporary = || tempfile::tempfile().map_err(XtaskError::write(&std::env::temp_dir()));
    let (mut stdout, mut stderr) = (temporary()?, temporary()?);
    let attach = |file: &File| file.try_clone().map_err(XtaskError::write(&std::env::temp_dir()));
    let mut command = Command::new(tool);
    command.args(arguments).arg(path).stdin(Stdio::null()).stdout(attach(&stdout)?).stderr(attach(&stderr)?);
    let ended = match process::run(&mut command, None) {
        Err(XtaskError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        ended => ended?,
    };
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(XtaskError::read(&std::env::temp_dir()))?;
        // The file's name, which need not be UTF-8, comes after the digest.
        Ok::<_, XtaskError>(String::from_utf8_lossy(&bytes).into_owned())
    };
    if !ended.is_success() {
        // What stands here instead of a digest matches none, so the record does not hold.
        return Ok(Some(format!("{tool}: {ended}: {}", read(&mut stderr)?.trim())));
    }
    let text = read(&mut stdout)?;
    let word = text.split_whitespace().next().unwrap_or_default();
    // sha256sum marks an escaped file name with a backslash before the digest.
    Ok(Some(word.trim_start_matches('\\').trim_start_matches("sha256:").to_owned()))
}

/// Verifies; flips one bit of device memory, of a position that follows from the seed; restores it.
fn verify_and_corrupt(
    context: &Context<'_>,
    manager: &VramManager,
    model: &Model,
    shard: &SealedShard,
) -> Result<(), XtaskError> {
    let bit = Generator::new(context.seed).below(model.bytes.saturating_mul(8));
    let block = bit.div_euclid(8).div_euclid(4096);
    let hooks = manager.test_hooks();
    let started = Instant::now();
    let sealed = outcome(&manager.verify_sealed(shard));
    let verification = started.elapsed();
    process::check_interrupted()?;
    hooks.flip_bit(shard, bit)?;
    let flipped = outcome(&manager.verify_sealed(shard));
    process::check_interrupted()?;
    hooks.flip_bit(shard, bit)?;
    let restored = outcome(&manager.verify_sealed(shard));
    context.emit(CryptoValidation, "model_corruption", |record| {
        record
            .field("model", &model.name)
            .field("shard_id", &shard.shard_id)
            .field("model_size_bytes", model.bytes)
            .field("timings", json!({"verify_ns": nanoseconds(verification)}))
            .field("flipped_bit", bit)
            .field("block", block)
            .field(
                "explanation",
                "one bit of device memory was flipped: verification names its block; restored, it verifies",
            )
            .observe(
                json!({
                    "sealed": "accepted",
                    "flipped": format!("refused: contents changed in blocks [{block}]"),
                    "restored": "accepted",
                }),
                json!({"sealed": sealed, "flipped": flipped, "restored": restored}),
            )
    });
    Ok(())
}

fn release(
    context: &Context<'_>,
    manager: &VramManager,
    model: &Model,
    shard: &SealedShard,
    gpu: u32,
) -> Result<(), XtaskError> {
    let residue = Residue::watch(manager, gpu);
    let started = Instant::now();
    let released = outcome(&manager.release(shard));
    let releasing = started.elapsed();
    let after = outcome(&manager.verify_sealed(shard));
    let mut expected = json!({"release": "accepted", "verification_after": "refused: released", "used_bytes": 0});
    let mut observed = json!({"release": released, "verification_after": after, "used_bytes": manager.used_vram(gpu)?});
    residue.add_to(model.bytes, &mut expected, &mut observed);
    context.emit(CudaOperations, "model_release", |record| {
        record
            .field("model", &model.name)
            .field("shard_id", &shard.shard_id)
            .field("model_size_bytes", model.bytes)
            .field("timings", json!({"release_ns": nanoseconds(releasing)}))
            .field("explanation", "released memory was overwritten before it was freed, and none is in use")
            .observe(expected, observed)
    });
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
    use crate::device::DeviceChoice;
    use crate::live::{LIVE, Shared};

    #[test]
    fn a_header_that_device_memory_does_not_hold_is_a_record_that_does_not_hold() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(LIVE)).unwrap();
        let path = dir.path().join("m.gguf");
        let sound = [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &[0; 16], &[9; 5000]].concat();
        std::fs::write(&path, &sound).unwrap();
        let model = Model::open(&path).unwrap();
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let (shared, mut other) = (Shared::default(), sound.clone());
        other[4] = 2;
        let context = Context::new(&chosen, dir.path(), &shared, 42);
        let manager = context.manager().unwrap();
        for contents in [sound, other, vec![0; 8]] {
            record_header(&context, &manager, &model, &manager.seal_model(&contents, 0).unwrap());
        }
        let ran = context.into_ran("models");
        assert_eq!((ran.records, ran.broken.len()), (3, 2));
    }
}
