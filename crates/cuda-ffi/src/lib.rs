//! The device boundary: one trait, and the simulated backend.
#![forbid(unsafe_code)]
