//! Seal at load, verify before each execute: the whole of a worker author's code.

use vram_residency::{VramConfig, VramError, VramManager};

fn main() -> Result<(), VramError> {
    let manager = VramManager::simulated(VramConfig::default())?;
    let shard = manager.seal_model(&[0x42; 100_000], 0)?;
    let stream = manager.stream(0)?;
    let guard = manager.verify_for_execute(&shard)?;
    let bytes = guard.launch(&stream, |weights| weights.bytes())?;
    drop(guard);
    manager.release(&shard)?;
    println!("executed over {bytes} verified bytes; {} in use afterwards", manager.used_vram(0)?);
    Ok(())
}
