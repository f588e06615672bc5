//! Seal model shards in GPU memory, verify them in place before every execution, and refuse what fails.
#![forbid(unsafe_code)]
