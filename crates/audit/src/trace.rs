//! Events as structured `tracing` output.

use tracing::{error, info};

use crate::{AuditError, AuditSink, Event};

/// Emits each event through `tracing`, target `vram_residency::audit`: critical events at `error`, others at `info`.
///
/// What becomes of it is up to the subscriber, so this sink cannot fail and proves nothing durable: use
/// [`crate::NdjsonSink`] where a log must be kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink;

impl AuditSink for TracingSink {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        let details = serde_json::to_string(event)?;
        if event.is_critical() {
            error!(target: "vram_residency::audit", event = event.name(), critical = true, details);
        } else {
            info!(target: "vram_residency::audit", event = event.name(), critical = false, details);
        }
        Ok(())
    }
}
