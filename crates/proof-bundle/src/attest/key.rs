//! Ed25519 keys (RFC 8032) in the files that OpenSSL writes and reads (RFC 8410).

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::pem::{self, PRIVATE, PUBLIC, fault};
use crate::Error;
use crate::hash::sha256_hex;

/// PKCS#8, version 1, of an Ed25519 key, up to the 32 bytes of the key. OpenSSL 3.0 reads no other version.
const PKCS8_V1: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// SubjectPublicKeyInfo of an Ed25519 key, up to the 32 bytes of the key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Algorithms by their object identifiers in DER, for error messages.
const ALGORITHMS: [(&[u8], &str); 5] = [
    (&[6, 3, 0x2b, 0x65, 0x70], "Ed25519"),
    (&[6, 3, 0x2b, 0x65, 0x71], "Ed448"),
    (&[6, 3, 0x2b, 0x65, 0x6e], "X25519"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "elliptic-curve (ECDSA)"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], "RSA"),
];

/// A private key. It is wiped when dropped, and its `Debug` shows nothing.
///
/// ring's own key object, which ring does not wipe, lives only while it signs.
pub struct SigningKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl SigningKey {
    /// A new key, and its PEM as `openssl genpkey -algorithm ED25519` would write it.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the system gives no random bytes.
    pub fn generate() -> Result<(Self, Zeroizing<String>), Error> {
        let mut pkcs8 = Zeroizing::new(vec![0; PKCS8_V1.len().saturating_add(32)]);
        let (head, seed) = pkcs8.split_at_mut(PKCS8_V1.len());
        head.copy_from_slice(&PKCS8_V1);
        SystemRandom::new().fill(seed).map_err(|_| fault("the system gave no random bytes"))?;
        let pem = pem::encode(PRIVATE, &pkcs8);
        Ok((Self::from_pkcs8(pkcs8)?, pem))
    }

    /// Reads an unencrypted PKCS#8 key, version 1 (OpenSSL's and ours) or 2.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_pkcs8(pem::decode(text, PRIVATE)?)
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(pair(&self.pkcs8)?.sign(message).as_ref().to_vec())
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let mut public = [0; 32];
        // As long as ring says an Ed25519 key is; were it not, nothing could be signed.
        let key = pair(&pkcs8)?;
        let bytes = key.public_key().as_ref();
        match bytes.len() == public.len() {
            true => public.copy_from_slice(bytes),
            false => return Err(fault("it is not an Ed25519 key")),
        }
        Ok(Self { pkcs8, public: PublicKey(public) })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(secret)")
    }
}

/// OpenSSL's files are of version 1, which lacks the public key: ring computes it.
fn pair(pkcs8: &[u8]) -> Result<Ed25519KeyPair, Error> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|rejected| match algorithm(pkcs8) {
        Some("Ed25519") => fault(format!("its Ed25519 key is damaged ({rejected}): take another copy of the file")),
        other => fault(wrong_algorithm(other)),
    })
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let der = pem::decode(text, PUBLIC)?;
        match der.strip_prefix(&SPKI).map(<[u8; 32]>::try_from) {
            Some(Ok(key)) => Ok(Self(key)),
            _ => Err(match algorithm(&der) {
                Some("Ed25519") => fault("its Ed25519 key is damaged: take another copy of the file"),
                other => fault(wrong_algorithm(other)),
            }),
        }
    }

    /// The same, as OpenSSL writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(PUBLIC, &self.to_der()).to_string()
    }

    /// The name of the key: SHA-256 of the DER of its SubjectPublicKeyInfo, in lower-case hexadecimal.
    /// `openssl pkey -pubin -in FILE -outform DER | sha256sum` prints it.
    #[must_use]
    pub fn keyid(&self) -> String {
        sha256_hex(&self.to_der())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    fn to_der(&self) -> Vec<u8> {
        [SPKI.as_slice(), &self.0].concat()
    }
}

/// The algorithm that a key's DER names near its beginning.
pub(super) fn algorithm(der: &[u8]) -> Option<&'static str> {
    let head = der.get(..der.len().min(40)).unwrap_or_default();
    let named = |oid: &[u8]| head.windows(oid.len()).any(|window| window == oid);
    ALGORITHMS.into_iter().find(|(oid, _)| named(oid)).map(|(_, name)| name)
}

fn wrong_algorithm(found: Option<&str>) -> String {
    let found =
        found.map_or_else(|| "it is not a key of a known kind".to_owned(), |name| format!("it is an {name} key"));
    format!(
        "{found}; what signs a bundle is an Ed25519 key: `cargo xtask keygen FILE` or `openssl genpkey -algorithm ED25519`"
    )
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::super::pae;
    use super::*;

    /// The pre-authentication encoding of the DSSE specification's example, signed by OpenSSL with the same key.
    const BY_OPENSSL: &str = "e031d7dd99f8aa904abc48fb99a13c3bdbbd6e35c49cf2cb9f25d5509d8f5c947c0d22dc2f7403a45bdf24e8f7a41fd23c7b\
                              25e898386e8c6c31be8abee60007";

    #[test]
    fn a_key_from_openssl_signs_as_openssl_does() {
        let key = SigningKey::from_pem(include_str!("../../tests/keys/ed25519.pem")).unwrap();
        let public = PublicKey::from_pem(include_str!("../../tests/keys/ed25519.pub.pem")).unwrap();
        assert_eq!(key.public_key(), public);
        let message = pae("http://example.com/HelloWorld", b"hello world");
        let signature = key.sign(&message).unwrap();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, BY_OPENSSL);
        assert!(public.verifies(&message, &signature));
        for (message, signature) in [(&message[1..], &signature[..]), (&message[..], &signature[1..])] {
            assert!(!public.verifies(message, signature));
        }
    }

    #[test]
    fn a_key_of_version_2_is_read_and_one_with_another_keys_public_half_is_not() {
        let v2 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = SigningKey::from_pem(&pem::encode(PRIVATE, v2.as_ref())).unwrap();
        assert_eq!(key.sign(b"x").unwrap().len(), 64);
        let mut torn = v2.as_ref().to_vec();
        *torn.last_mut().unwrap() ^= 1;
        let error = SigningKey::from_pem(&pem::encode(PRIVATE, &torn)).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}
