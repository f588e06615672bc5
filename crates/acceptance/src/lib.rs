//! Runs the behaviour scenarios of specs/features through the facade's public interface.
#![forbid(unsafe_code)]
