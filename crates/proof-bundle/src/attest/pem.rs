//! PEM (RFC 7468): one block of base64 between two labels. What is decoded may be a secret, so no copy of it stays behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;

/// The label of PKCS#8 (RFC 5958).
pub(super) const PRIVATE: &str = "PRIVATE KEY";

/// The label of SubjectPublicKeyInfo (RFC 5280, section 4.1).
pub(super) const PUBLIC: &str = "PUBLIC KEY";

/// More base64 than any key that is used here has.
const MOST: usize = 1 << 14;

/// Base64 characters of a line, as OpenSSL writes them.
const WIDTH: usize = 64;

/// The error of a key that cannot be used.
pub(super) fn fault(problem: impl Into<String>) -> Error {
    Error::Key { problem: problem.into() }
}

/// The bytes of the first block of `text`, which must have the label `wanted`.
pub(super) fn decode(text: &str, wanted: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| label(line, "BEGIN").is_none());
    let found = lines.next().and_then(|line| label(line, "BEGIN")).ok_or_else(|| {
        fault(format!("it is no PEM file: it has no line `-----BEGIN {wanted}-----`; {}", advice(wanted)))
    })?;
    if found != wanted {
        return Err(fault(other_label(found, wanted)));
    }
    // Room for everything from the start: a buffer that grows leaves copies.
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    loop {
        let line = lines.next().ok_or_else(|| fault(format!("its line `-----END {wanted}-----` is missing")))?;
        match label(line, "END") {
            Some(end) if end == wanted => break,
            _ => base64.push_str(line.trim()),
        }
    }
    if base64.len() > MOST {
        return Err(fault("it is too long for a key"));
    }
    let mut bytes = Zeroizing::new(vec![0; base64.len()]);
    let length = STANDARD
        .decode_slice(base64.as_bytes(), &mut bytes)
        .map_err(|_| fault("what stands between its BEGIN and END lines is not base64"))?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A block with the label `label`, in lines of 64 characters, as OpenSSL writes it.
pub(super) fn encode(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut base64 = Zeroizing::new(vec![0; bytes.len().saturating_mul(2).saturating_add(4)]);
    // The buffer is larger than four thirds.
    let length = STANDARD.encode_slice(bytes, &mut base64).unwrap_or_default();
    base64.truncate(length);
    let capacity = length.saturating_mul(2).saturating_add(128);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in base64.chunks(WIDTH) {
        // Base64 is ASCII.
        text.push_str(std::str::from_utf8(line).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn label<'a>(line: &'a str, edge: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(edge)?.strip_prefix(' ')?.strip_suffix("-----")
}

/// What a block of another label is, and what to do with it.
fn other_label(found: &str, wanted: &str) -> String {
    match (found, wanted) {
        ("ENCRYPTED PRIVATE KEY", _) => {
            "it is encrypted: decrypt it first, `openssl pkey -in FILE -out PLAIN_FILE`, and keep that one to yourself"
                .into()
        }
        (PUBLIC, PRIVATE) => "it is a public key; what signs is the private key that belongs to it".into(),
        (PRIVATE, PUBLIC) => {
            "it is a private key; give its public key, `openssl pkey -in FILE -pubout`, and keep this one to yourself"
                .into()
        }
        ("EC PRIVATE KEY" | "EC PARAMETERS" | "RSA PRIVATE KEY" | "DSA PRIVATE KEY", PRIVATE) => format!(
            "it is an older form of key (`{found}`): PKCS#8 is needed, `openssl pkcs8 -topk8 -nocrypt -in FILE -out PKCS8_FILE`"
        ),
        _ => format!("it is a `{}`, not a `{wanted}`; {}", found.escape_debug(), advice(wanted)),
    }
}

fn advice(wanted: &str) -> &'static str {
    if wanted == PRIVATE {
        "make a key with `cargo xtask keygen FILE` or `openssl genpkey -algorithm ED25519 -out FILE`"
    } else {
        "`openssl pkey -in PRIVATE_KEY_FILE -pubout` prints one"
    }
}
