//! Which requirements the running test claims to prove.

use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::Spool;

/// The ids claimed in this process. Filled in a proof run only, where a process runs one test:
/// in a plain `cargo test` many tests share a process and would inherit each other's claims.
static CLAIMED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Claims requirements for the running test; written as [`proves!`](crate::proves).
///
/// In a proof run one claim line per id goes to the spool, and records that name no requirement
/// of their own inherit the ids. Outside a proof run nothing happens.
///
/// # Panics
///
/// When the spool cannot be written.
pub fn claim(requirements: &[&str]) {
    let Some(spool) = Spool::from_env() else {
        return;
    };
    for requirement in requirements {
        spool.write_line(&json!({"kind": "claim", "requirement": requirement}));
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.iter().any(|known| known == requirement) {
            claimed.push((*requirement).to_owned());
        }
    }
}

/// The ids claimed so far in this process, in the order of their first claim.
pub(crate) fn claimed() -> Vec<String> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Says what the test that contains it needs of the host beside its own program and the sources: `needs!("cargo");`,
/// `needs!("git");` or `needs!("readelf");`.
///
/// A kit, which carries tests to a host without Rust, counts on none of them. A proof there leaves the test out and says so: it
/// did not run, with this as the reason. Like those of [`proves`](crate::proves), these calls are read from the source text of
/// the `#[test]` function itself; at run time they do nothing.
#[macro_export]
macro_rules! needs {
    ("cargo") => {};
    ("git") => {};
    ("readelf") => {};
}

/// Says which requirements the test that contains it proves: `proves!("MS-001", "CI-006");`.
///
/// The requirement map is made from the source text of these calls, so each argument is a string
/// literal and the call stands inside the `#[test]` function itself. See [`claim`](crate::claim)
/// for what it does at run time.
#[macro_export]
macro_rules! proves {
    ($($requirement:literal),+ $(,)?) => {
        $crate::claim(&[$($requirement),+])
    };
}
