//! Seal at load, verify before each execute: the whole of a worker author's code.
#![forbid(unsafe_code)]

use vram_residency::{VramConfig, VramError, VramManager};

fn main() -> Result<(), VramError> {
    let manager = match VramManager::require_gpu(VramConfig::default()) {
        Ok(manager) => manager,
        Err(refusal @ VramError::NoGpu { .. }) => {
            println!("{refusal}");
            VramManager::simulated(VramConfig::default())?
        }
        Err(error) => return Err(error),
    };
    println!("on a device of class {}", manager.device_class()?);
    let shard = manager.seal_model(&[0x42; 100_000], 0)?;
    let stream = manager.stream(0)?;
    let guard = manager.verify_for_execute(&shard)?;
    let bytes = guard.launch(&stream, |weights| weights.bytes())?;
    drop(guard);
    manager.release(&shard)?;
    println!("executed over {bytes} verified bytes; {} in use afterwards", manager.used_vram(0)?);
    Ok(())
}
