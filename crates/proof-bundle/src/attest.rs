//! Attestations: what a bundle shows, signed, so that a stranger can tell who vouches for it.
//!
//! A signed bundle has the directory [`DIRECTORY`] with one DSSE envelope for each in-toto Statement v1 that
//! [`statements`] makes of its files. Both statements are about `SHA256SUMS`, and through it about every other file, and
//! about the commit. The bytes of a statement follow from the bundle alone: whoever verifies makes them again and compares.
//!
//! Signing comes last ([`sign()`]), in a process that runs no tests.

mod dsse;
mod key;
mod model_signing;
mod pem;
mod sign;
mod statement;

pub use dsse::{Envelope, PAYLOAD_TYPE, pae};
pub use key::{PublicKey, SigningKey};
pub use model_signing::{ModelSigningKey, signature_path};
pub use sign::sign;
pub use statement::{RESIDENCY_PREDICATE, TEST_RESULT_PREDICATE, statements};

/// The directory of a signed bundle that holds its envelopes.
pub const DIRECTORY: &str = "attestations";

/// The envelope of the test result, in [`DIRECTORY`].
pub const TEST_RESULT: &str = "test-result.dsse.json";

/// The envelope of the statuses and the devices, in [`DIRECTORY`].
pub const RESIDENCY: &str = "residency.dsse.json";
