//! DSSE envelopes (Dead Simple Signing Envelope, version 1.0) with one Ed25519 signature.
//!
//! An envelope has parts that no signature covers: its white space, its `keyid`, the way its base64 is written. So that no
//! byte of a bundle can change unseen, one serialisation is canonical and the only one that is read:
//! `{"payloadType":"application/vnd.in-toto+json","payload":"…","signatures":[{"keyid":"…","sig":"…"}]}` and a newline,
//! with the standard base64 alphabet, padded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use super::{PublicKey, SigningKey};

/// The type of every payload here: an in-toto statement as JSON.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The length of an Ed25519 signature (RFC 8032, section 5.1.6).
const SIGNATURE_BYTES: usize = 64;

/// What is signed: DSSE 1.0's pre-authentication encoding, `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload` with
/// lengths in bytes, in decimal.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// An envelope: a statement and one signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    keyid: String,
    signature: Vec<u8>,
}

/// The form on disk. The order of the members is that of the canonical serialisation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    payload_type: String,
    payload: String,
    signatures: [WireSignature; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs `payload`.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::sign`].
    pub(super) fn sign(payload: Vec<u8>, key: &SigningKey) -> Result<Self, crate::Error> {
        let signature = key.sign(&pae(PAYLOAD_TYPE, &payload))?;
        Ok(Self { payload, keyid: key.public_key().keyid(), signature })
    }

    /// Reads an envelope that is written in its canonical form. Both base64 alphabets of RFC 4648 are understood, so that
    /// the error can say which envelope is a good one in another form.
    ///
    /// # Errors
    ///
    /// What is wrong with it, on one line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| {
            format!("it is no DSSE envelope with one signature: {}", error.to_string().escape_debug())
        })?;
        if wire.payload_type != PAYLOAD_TYPE {
            return Err(format!("its payload is of type `{}`, not {PAYLOAD_TYPE}", wire.payload_type.escape_debug()));
        }
        let [WireSignature { keyid, sig }] = wire.signatures;
        let envelope = Self {
            payload: decode(&wire.payload).ok_or("its payload is not base64")?,
            signature: decode(&sig).ok_or("its signature is not base64")?,
            keyid,
        };
        if envelope.signature.len() != SIGNATURE_BYTES {
            return Err("its signature is not 64 bytes long, as Ed25519's are".to_owned());
        }
        if envelope.keyid.len() != 64 || envelope.keyid.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("its keyid is not a SHA-256 in lower-case hexadecimal".to_owned());
        }
        if envelope.to_bytes() != bytes {
            return Err(
                "it is a DSSE envelope, but not in its canonical form: bytes were changed after signing".to_owned()
            );
        }
        Ok(envelope)
    }

    /// The canonical serialisation, which ends in a newline.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&self.payload),
            signatures: [WireSignature { keyid: self.keyid.clone(), sig: STANDARD.encode(&self.signature) }],
        };
        // A struct of strings always has a JSON form.
        let mut bytes = serde_json::to_vec(&wire).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The statement's bytes, as they were signed: never read them from anywhere else.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the envelope says of its key. It is not signed: it is a hint at best, and never a reason to trust. Where
    /// [`is_signed_by`](Self::is_signed_by) holds for a key of another [`keyid`](PublicKey::keyid), somebody changed this
    /// hint afterwards.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// Whether `key` made the signature. What the envelope itself says of its key plays no part in it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verifies(&pae(PAYLOAD_TYPE, &self.payload), &self.signature)
    }
}

/// Base64 in the standard or in the URL-safe alphabet (RFC 4648, sections 4 and 5), padded.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}
