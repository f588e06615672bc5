//! Typed security events and the sinks they are written to.
//!
//! Sealing, verifying and lending write their event before they succeed: when a sink returns an error, sealing rolls back and
//! verification fails. A release frees first, and errs when its event is lost.
//!
//! Three sinks are here: [`TracingSink`] for operators who collect `tracing` output, [`NdjsonSink`] for a file whose lines are
//! chained and authenticated, and [`MemorySink`] for tests.
#![forbid(unsafe_code)]

mod chain;
mod error;
mod event;
mod memory;
mod ndjson;
mod trace;

pub use chain::{ChainKey, LogSummary, verify_log};
pub use error::AuditError;
pub use event::{Event, StartedDevice};
pub use memory::MemorySink;
pub use ndjson::NdjsonSink;
pub use trace::TracingSink;

/// Where events go. A sink that cannot keep an event returns an error, and the operation that caused it does not count
/// as done.
///
/// A sink is called in the middle of an operation of the manager: it must not call the manager, which may wait for that very
/// operation for ever, and it must not panic.
pub trait AuditSink: Send + Sync {
    /// Keeps one event. For a critical event ([`Event::is_critical`]) a durable sink returns only once the event is on
    /// stable storage.
    ///
    /// # Errors
    /// [`AuditError`] when the event was not kept.
    fn record(&self, event: &Event) -> Result<(), AuditError>;
}
