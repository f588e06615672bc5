//! The audit trail of one scenario: it keeps every event, logs it as the facade's own sink does, and can refuse.

use std::sync::atomic::{AtomicBool, Ordering};

use vram_residency::{AuditError, AuditSink, Event, MemorySink, TracingSink};

#[derive(Default)]
pub(crate) struct Trail {
    kept: MemorySink,
    refuses: AtomicBool,
}

impl Trail {
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.kept.events()
    }

    /// Each event as the rows of a feature's table: its name, whom it is about, whether it is critical.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        self.events()
            .iter()
            .map(|event| {
                let critical = if event.is_critical() { "yes" } else { "no" };
                vec![event.name().to_owned(), about(event), critical.to_owned()]
            })
            .collect()
    }
}

impl AuditSink for Trail {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(AuditError::Refused("the scenario asked for it".to_owned()));
        }
        TracingSink.record(event)?;
        self.kept.record(event)
    }
}

/// The shard's id, the broken rules, or the device where no shard is named.
fn about(event: &Event) -> String {
    match event {
        Event::Started { device_class, .. } => device_class.to_string(),
        Event::Sealed { shard_id, .. }
        | Event::SealRefused { shard_id, .. }
        | Event::Verified { shard_id, .. }
        | Event::Lent { shard_id, .. }
        | Event::Returned { shard_id, .. }
        | Event::Deallocated { shard_id, .. }
        | Event::Quarantined { shard_id, .. } => shard_id.to_string(),
        Event::VerificationFailed { shard_id, .. } => shard_id.clone(),
        Event::AllocationFailed { gpu_device, .. } | Event::DeviceStopped { gpu_device, .. } => {
            format!("device {gpu_device}")
        }
        Event::PolicyViolation { rules, .. } => rules.join(", "),
        other => format!("{other:?}"),
    }
}
