//! What tests emit: the requirement they prove, and what they expected and observed.
#![forbid(unsafe_code)]
