//! Writes proof bundles: requirements, observed records, coverage and reports.
#![forbid(unsafe_code)]
