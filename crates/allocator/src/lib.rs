//! A capacity ledger and owned, bounds-checked device buffers that are overwritten before they are freed.
#![forbid(unsafe_code)]
