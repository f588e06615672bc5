//! Typed security events and the sinks they are written to.
//!
//! An operation of the facade that succeeds has written its event first: when a sink returns an error, sealing rolls
//! back and verification fails. Three sinks are here: [`TracingSink`] for operators who collect `tracing` output,
//! [`NdjsonSink`] for a file whose lines are chained and authenticated, and [`MemorySink`] for tests.
#![forbid(unsafe_code)]

mod chain;
mod error;
mod event;
mod memory;
mod ndjson;
mod trace;

pub use chain::{ChainKey, LogSummary, verify_log};
pub use error::AuditError;
pub use event::Event;
pub use memory::MemorySink;
pub use ndjson::NdjsonSink;
pub use trace::TracingSink;

/// Where events go. A sink that cannot keep an event returns an error, and the operation that caused it does not count
/// as done.
///
/// A sink is called while the shard that the event is about is held: it must not seal, verify, lend or release that shard.
pub trait AuditSink: Send + Sync {
    /// Keeps one event. For a critical event ([`Event::is_critical`]) a durable sink returns only once the event is on
    /// stable storage.
    ///
    /// # Errors
    /// [`AuditError`] when the event was not kept.
    fn record(&self, event: &Event) -> Result<(), AuditError>;
}
