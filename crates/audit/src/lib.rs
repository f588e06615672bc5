//! Typed security events and the sinks they are written to.
#![forbid(unsafe_code)]
