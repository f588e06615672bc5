//! A kit: what a proof needs on a host without Rust and without the repository. `cargo xtask pack` makes one.
//!
//! | in the kit | what it is |
//! | --- | --- |
//! | `prove` | the script that starts the proof |
//! | `kit.json` | what the host that runs it cannot ask for itself: the commit, the compiler, the targets |
//! | `bin/xtask` | this program |
//! | `tests.tar.zst` | until `prove` has unpacked it: `tests/` |
//! | `tests/` | the programs that tests start, `tests/deps/` the test binaries and the libraries that tests open, as cargo lays them out |
//! | `source/` | the checkout's files, without its history: where tests look for the specifications, their vectors and snapshots |
//! | `SHA256SUMS` | a line for every other file; its own digest stands for the kit |
//! | `proof_bundles/` | where bundles go; not part of the kit |

pub(crate) mod host;
pub(crate) mod inflate;
pub(crate) mod manifest;
mod open;
pub(crate) mod sums;

pub(crate) use manifest::Manifest;
pub(crate) use open::Kit;

/// The file that says what the kit is.
pub(crate) const MANIFEST: &str = "kit.json";

/// The directory with the checkout's files.
pub(crate) const SOURCE: &str = "source";

/// This program.
pub(crate) const XTASK: &str = "bin/xtask";

/// The script.
pub(crate) const PROVE: &str = "prove";

/// The directory for what cargo builds beside the tests.
pub(crate) const TESTS: &str = "tests";

/// The same as it is carried.
pub(crate) const TESTS_ARCHIVE: &str = "tests.tar.zst";

/// The directory for the test binaries.
pub(crate) const DEPS: &str = "tests/deps";
