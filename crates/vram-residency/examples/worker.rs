//! A worker's whole life with a shard: load, seal, verify, execute, attest, release.
//!
//! ```sh
//! cargo run --example worker -- model.safetensors
//! ```
//!
//! Without a file it seals a made-up model. `WORKER_TOKEN_FILE` names a file with the worker's token; without it the
//! seal key is random for this process. `WORKER_AUDIT_LOG` names a file for the audit log, which is kept under that token.
//! A production worker calls `VramManager::require_gpu` where this one simulates.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use vram_residency::{
    AuditKey, ChainKey, DeviceWeights, NdjsonSink, SealOptions, SecretToken, VramConfig, VramManager,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = VramConfig::default();
    let log = std::env::var_os("WORKER_AUDIT_LOG");
    if let Some(path) = std::env::var_os("WORKER_TOKEN_FILE") {
        let token = SecretToken::from_file(Path::new(&path))?;
        if let Some(log) = log {
            // Whoever has the token can check the log: `verify_log`, under the same key.
            let key = ChainKey::new(AuditKey::derive(&token)?.expose());
            config = config.audit(Arc::new(NdjsonSink::open(Path::new(&log), key)?));
        }
        config = config.token(token);
    } else if log.is_some() {
        return Err("WORKER_AUDIT_LOG is kept under a token: set WORKER_TOKEN_FILE as well".into());
    }
    let manager = VramManager::simulated(config)?;
    println!("device: {} ({})", manager.device_facts(0)?.name, manager.device_class()?);

    let (model, model_bytes): (Box<dyn Read>, u64) = match std::env::args_os().nth(1) {
        Some(path) => {
            let file = File::open(path)?;
            let model_bytes = file.metadata()?.len();
            (Box::new(file), model_bytes)
        }
        None => (Box::new(std::io::repeat(0x42).take(1_000_000)), 1_000_000),
    };
    let shard = manager.seal_reader(model, model_bytes, SealOptions::new(0).shard_id("weights"))?;
    println!("sealed: {} bytes, SHA-256 {}", shard.vram_bytes, shard.digest);

    let stream = manager.stream(0)?;
    for request in 1..=3 {
        let guard = manager.verify_for_execute(&shard)?;
        let bytes = guard.launch(&stream, execute)?;
        println!("request {request}: verified, executed over {bytes} bytes");
    }

    // What a peer is sent who asked for it with a number of its own choice, and what it looks at.
    let attestation = manager.attest_residency_for("a number that the peer uses once")?;
    manager.verify_attestation(&attestation)?;
    println!("attested: {} shards, in VRAM only: {}", attestation.shards().len(), attestation.is_vram_only());

    manager.release(&shard)?;
    println!("released: {} bytes of device memory in use", manager.used_vram(0)?);
    Ok(())
}

/// Stands for the launch of the worker's kernels, which are given `weights.address()`, and for the wait until they are done: the
/// guard is dropped after this.
fn execute(weights: &DeviceWeights) -> u64 {
    weights.bytes()
}
