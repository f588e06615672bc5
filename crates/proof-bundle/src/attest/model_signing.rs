//! An OpenSSF model-signing bundle (version 1.0) about a directory, for readers who have that tool and not ours.
//!
//! It is a Sigstore bundle (media type version 0.3) around a DSSE envelope, signed with ECDSA over P-256. Its statement lists
//! every file of the directory with its SHA-256, in the order of the paths' components; its one subject has the SHA-256 of
//! all these digests, one after another.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::Digest;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;
use zeroize::Zeroizing;

use super::key::algorithm;
use super::pem::{self, PRIVATE, PUBLIC, fault};
use super::{PAYLOAD_TYPE, pae};
use crate::Error;
use crate::hash::{Sha256, digest_file, hex, sha256_hex};
use crate::store::{Disk, Store};

/// SubjectPublicKeyInfo of a P-256 key (RFC 5480), up to the 65 bytes of the uncompressed point.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3,
    0x42, 0,
];

/// More levels of directories than any bundle has.
const DEEPEST: usize = 16;

/// A P-256 private key. It is wiped when dropped, and its `Debug` shows nothing.
pub struct ModelSigningKey(Zeroizing<Vec<u8>>);

impl ModelSigningKey {
    /// Reads an unencrypted PKCS#8 key, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let key = Self(pem::decode(text, PRIVATE)?);
        key.pair()?;
        Ok(key)
    }

    /// Writes the signature of all files below `directory` to `<directory>.sigstore.json` beside it, and returns that path.
    /// `model_signing verify key DIRECTORY --signature FILE --public_key FILE` checks it.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] for an entry that is neither a file nor a directory, or whose name is not UTF-8; [`Error::Io`] when
    /// there is such a file already, or the disk refuses.
    pub fn sign_directory(&self, directory: &Path) -> Result<PathBuf, Error> {
        let directory = fs::canonicalize(directory).map_err(Error::io("open", directory))?;
        let (name, target) = (name(&directory), signature_path(&directory)?);
        let mut text = self.bundle(&name, &files(&directory)?)?;
        text.push('\n');
        let written = Disk.create(&target, text.as_bytes()).and_then(|()| Disk.sync(&target));
        match written {
            Ok(()) => Ok(target),
            Err(error) => {
                if error.kind() != std::io::ErrorKind::AlreadyExists {
                    let _ = fs::remove_file(&target);
                }
                Err(Error::io("create", &target)(error))
            }
        }
    }

    fn pair(&self) -> Result<EcdsaKeyPair, Error> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.0, &SystemRandom::new()).map_err(|_| {
            let found = algorithm(&self.0).unwrap_or("unknown");
            fault(format!(
                "it holds a key of another kind ({found}) or curve; what model-signing takes here is P-256: `openssl genpkey \
                 -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE`"
            ))
        })
    }

    /// The Sigstore bundle over `files`, path to digest.
    fn bundle(&self, name: &str, files: &BTreeMap<Vec<String>, Digest>) -> Result<String, Error> {
        let mut all = Sha256::default();
        files.values().for_each(|digest| all.update(digest.as_ref()));
        let resources: Vec<_> = files
            .iter()
            .map(|(path, digest)| json!({"name": path.join("/"), "algorithm": "sha256", "digest": hex(digest)}))
            .collect();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": all.to_hex()}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
                "resources": resources,
            },
        });
        let payload = statement.to_string();
        let pair = self.pair()?;
        let signature = pair
            .sign(&SystemRandom::new(), &pae(PAYLOAD_TYPE, payload.as_bytes()))
            .map_err(|_| fault("the system gave no random bytes"))?;
        let public = pem::encode(PUBLIC, &[SPKI.as_slice(), pair.public_key().as_ref()].concat());
        Ok(json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                // The tool's name for a key: SHA-256 of its PEM.
                "publicKey": {"hint": sha256_hex(public.as_bytes())},
                "tlogEntries": [],
            },
            "dsseEnvelope": {
                "payload": STANDARD.encode(&payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": STANDARD.encode(signature.as_ref()), "keyid": ""}],
            },
        })
        .to_string())
    }
}

impl fmt::Debug for ModelSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelSigningKey(secret)")
    }
}

/// Where [`ModelSigningKey::sign_directory`] writes: `<directory>.sigstore.json` beside it.
///
/// # Errors
///
/// [`Error::Io`] when there is no such directory.
pub fn signature_path(directory: &Path) -> Result<PathBuf, Error> {
    let directory = fs::canonicalize(directory).map_err(Error::io("open", directory))?;
    Ok(directory.with_file_name(format!("{}.sigstore.json", name(&directory))))
}

/// The name of a canonical path.
fn name(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Every file below `directory`, by the components of its path.
fn files(directory: &Path) -> Result<BTreeMap<Vec<String>, Digest>, Error> {
    let mut found = BTreeMap::new();
    let mut open = vec![(directory.to_owned(), Vec::new())];
    while let Some((directory, components)) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(Error::io("list", &directory))? {
            let entry = entry.map_err(Error::io("list", &directory))?;
            let path = entry.path();
            let name = entry.file_name();
            let foreign = || Error::Foreign { name: name.to_string_lossy().into_owned() };
            let mut components = components.clone();
            components.push(name.to_str().ok_or_else(foreign)?.to_owned());
            // A link's own type: what it leads to is not in the directory.
            let kind = entry.file_type().map_err(Error::io("read", &path))?;
            if kind.is_dir() && components.len() < DEEPEST {
                open.push((path, components));
            } else if kind.is_file() {
                found.insert(components, digest_file(&path)?);
            } else {
                return Err(foreign());
            }
        }
    }
    Ok(found)
}
