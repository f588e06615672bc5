//! The VRAM-only rules: facts in, decision out, no input or output.
#![forbid(unsafe_code)]
