//! A signed statement of what is resident: device facts, policy decisions and shard identities.

use facts::DeviceClass;
use policy::{Decision, Outcome, PolicyRecord};
use seal::{SealKey, Tag};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use validation::{DigestHex, ShardId, TensorParallel};

use crate::VramError;
use crate::sealed::Seal;

/// Separates attestations from every other message under the seal key.
const DOMAIN: &str = "vram-residency/attestation/v1";

/// What a manager attests: made by [`crate::VramManager::attest_residency`], checked by
/// [`crate::VramManager::verify_attestation`] under the same token. It holds no address and no weights.
///
/// Serialised it has two fields: `statement`, a text that is JSON itself, and `tag`, the HMAC-SHA256 (RFC 2104) over that text
/// as 64 hex digits. What is signed is the text and not what was read from it, so nothing can be added to it or taken from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Signed", into = "Signed")]
pub struct ResidencyAttestation {
    signed: Signed,
    /// What the signed text says.
    statement: Statement,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    statement: String,
    tag: DigestHex,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    device_class: DeviceClass,
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    devices: Vec<DeviceAttestation>,
    shards: Vec<ShardAttestation>,
}

/// A device's facts as the driver reported them, and what the policy says of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceAttestation {
    /// What the driver reported. A verifier judges it again.
    pub record: PolicyRecord,
    /// What the rules said.
    pub decision: Decision,
}

/// A shard whose bytes were verified in device memory for this attestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardAttestation {
    /// The shard's id.
    pub shard_id: ShardId,
    /// Size in bytes.
    pub vram_bytes: u64,
    /// Index of the device.
    pub gpu_device: u32,
    /// Plain SHA-256 of the contents at sealing.
    pub digest: DigestHex,
    /// fs-verity digest of the contents, taken in device memory for this attestation.
    pub tree_digest: DigestHex,
    /// The device's UUID.
    pub device_uuid: String,
    /// The shard's place among the shards of its model.
    pub tensor_parallel: TensorParallel,
}

impl ShardAttestation {
    pub(crate) fn of(seal: &Seal) -> Self {
        Self {
            shard_id: seal.shard_id.clone(),
            vram_bytes: seal.vram_bytes,
            gpu_device: seal.gpu_device,
            digest: DigestHex::from_bytes(seal.sha256),
            tree_digest: DigestHex::from_bytes(seal.tree_digest),
            device_uuid: seal.device_uuid.to_string(),
            tensor_parallel: seal.tensor_parallel,
        }
    }
}

impl ResidencyAttestation {
    pub(crate) fn sign(
        device_class: DeviceClass,
        challenge: Option<String>,
        devices: Vec<DeviceAttestation>,
        shards: Vec<ShardAttestation>,
        key: &SealKey,
    ) -> Result<Self, VramError> {
        let made_at = OffsetDateTime::now_utc();
        let statement = Statement { device_class, made_at, challenge, devices, shards };
        let text = serde_json::to_string(&statement).map_err(|_| VramError::AttestationForged)?;
        let tag = key.sign_message(DOMAIN, text.as_bytes());
        Ok(Self { signed: Signed { statement: text, tag: DigestHex::from_bytes(*tag.as_bytes()) }, statement })
    }

    pub(crate) fn check(&self, key: &SealKey) -> Result<(), VramError> {
        key.verify_message(DOMAIN, self.signed.statement.as_bytes(), &Tag::from_bytes(self.signed.tag.to_bytes()))
            .map_err(|_| VramError::AttestationForged)
    }

    /// What kind of device the shards are on: simulated as soon as one device is.
    #[must_use]
    pub const fn device_class(&self) -> DeviceClass {
        self.statement.device_class
    }

    /// When it was made, UTC.
    #[must_use]
    pub const fn made_at(&self) -> OffsetDateTime {
        self.statement.made_at
    }

    /// What whoever asked for it gave, so that it cannot be an older one: [`crate::VramManager::attest_residency_for`].
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.statement.challenge.as_deref()
    }

    /// Whether it says that everything on real GPUs was judged resident in device memory only: each device's record, judged
    /// again here, gives the decision that stands beside it, and that is `enforced`. False of a simulated device, and of one
    /// that holds no shard. The signature is another question: [`crate::VramManager::verify_attestation`].
    #[must_use]
    pub fn is_vram_only(&self) -> bool {
        let Statement { device_class, devices, .. } = &self.statement;
        let enforced = |device: &DeviceAttestation| {
            let judged = device.record.judge();
            judged == device.decision && judged.outcome() == Outcome::Enforced
        };
        *device_class == DeviceClass::Gpu && !devices.is_empty() && devices.iter().all(enforced)
    }

    /// The devices, in order of their index.
    #[must_use]
    pub fn devices(&self) -> &[DeviceAttestation] {
        &self.statement.devices
    }

    /// The live shards, in order of their ids.
    #[must_use]
    pub fn shards(&self) -> &[ShardAttestation] {
        &self.statement.shards
    }
}

impl TryFrom<Signed> for ResidencyAttestation {
    type Error = serde_json::Error;

    fn try_from(signed: Signed) -> Result<Self, Self::Error> {
        let statement = serde_json::from_str(&signed.statement)?;
        Ok(Self { signed, statement })
    }
}

impl From<ResidencyAttestation> for Signed {
    fn from(attestation: ResidencyAttestation) -> Self {
        attestation.signed
    }
}
