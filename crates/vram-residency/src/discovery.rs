//! Which GPUs this host has, without a manager on them.

use cuda_ffi::DriverError;
use facts::DeviceFacts;

/// What a look at this host found. It lends no device: memory is had from a [`crate::VramManager`] alone.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostGpus {
    /// The GPUs that can be used, as their driver reports them, in order of their index.
    pub usable: Vec<DeviceFacts>,
    /// The GPUs that are present and cannot be used: their index, and what refused.
    pub broken: Vec<(u32, DriverError)>,
    /// Why there is no GPU; none where there is one, usable or not.
    pub reason: Option<String>,
    /// What was looked at and what was there, a line each, for a person to read. It differs between hosts.
    pub looked_at: Vec<String>,
}

/// Looks for GPUs: opens the driver and each device for the time of the look. Without the feature `cuda` it opens nothing.
#[must_use]
pub fn discover() -> HostGpus {
    let found = cuda_ffi::discover();
    let reason = found.devices.is_empty().then(|| found.reason.to_string());
    let (mut usable, mut broken) = (Vec::new(), Vec::new());
    for (index, device) in found.devices {
        match device.facts() {
            Ok(facts) => usable.push(facts),
            Err(error) => broken.push((index, error)),
        }
    }
    HostGpus { usable, broken, reason, looked_at: found.seen }
}
