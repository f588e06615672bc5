//! The form of a chained line, and the check of a whole log.
//!
//! A line is one JSON object: `seq` (from 0), `at` (RFC 3339, UTC), `prev_sha256`, `event`, `mac`. `prev_sha256` is the
//! SHA-256 of the line before it without its newline, for the first line of [`DOMAIN`]. `mac` is the HMAC-SHA256
//! (RFC 2104) over [`DOMAIN`], a zero byte, and the line up to its `mac` field.

use std::io::BufRead;

use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{AuditError, Event};

/// Separates this use of SHA-256 and HMAC from every other.
pub(crate) const DOMAIN: &str = "vram-residency/audit/v1";

/// The longest line that the check reads, in bytes: far above any event, far below what would exhaust memory.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The key that authenticates a log's lines.
pub struct ChainKey(Box<Zeroizing<[u8; 32]>>);

impl ChainKey {
    /// A key of 32 bytes, such as the audit key that the `seal` crate derives from a worker's token.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        // Boxed before it is filled: a move of the key copies a pointer, never the bytes.
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        Self(key)
    }

    fn mac(&self, body: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref().as_slice());
        let mut context = hmac::Context::with_key(&key);
        context.update(DOMAIN.as_bytes());
        context.update(&[0]);
        context.update(body.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey(..)")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    prev_sha256: String,
    event: Event,
}

/// Where a chain stands: what the next line must carry.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) next_seq: u64,
    pub(crate) prev_sha256: String,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { next_seq: 0, prev_sha256: sha256_hex(DOMAIN.as_bytes()) }
    }

    /// The line for `event`, without newline, and the chain after it.
    pub(crate) fn seal(&self, key: &ChainKey, at: OffsetDateTime, event: &Event) -> Result<(String, Self), AuditError> {
        let line = Line { seq: self.next_seq, at, prev_sha256: self.prev_sha256.clone(), event: event.clone() };
        let body = serde_json::to_string(&line)?;
        let open = body.strip_suffix('}').unwrap_or(&body);
        let text = format!("{open},\"mac\":\"{}\"}}", hex(&key.mac(open)));
        // With its newline a line must be one that the check reads.
        if text.len() as u64 >= MAX_LINE_BYTES {
            return Err(AuditError::TooLong { bytes: text.len() });
        }
        let after = self.after(&text);
        Ok((text, after))
    }

    fn after(&self, text: &str) -> Self {
        Self { next_seq: self.next_seq.saturating_add(1), prev_sha256: sha256_hex(text.as_bytes()) }
    }

    /// Checks `text` as the next line; the event and the chain after it, or what is wrong.
    fn open(&self, key: &ChainKey, text: &str) -> Result<(Event, Self), String> {
        let (open, mac) = split_mac(text).ok_or("it does not end in a mac field")?;
        if !constant_time_eq::constant_time_eq(hex(&key.mac(open)).as_bytes(), mac.as_bytes()) {
            return Err("its mac does not verify under this key".to_owned());
        }
        let line: Line = serde_json::from_str(&format!("{open}}}")).map_err(|error| error.to_string())?;
        if line.seq != self.next_seq {
            return Err(format!("seq is {}, expected {}", line.seq, self.next_seq));
        }
        if line.prev_sha256 != self.prev_sha256 {
            return Err("prev_sha256 is not the digest of the line before it".to_owned());
        }
        Ok((line.event, self.after(text)))
    }
}

/// Splits `{…,"mac":"<64 hex digits>"}` into the part that the mac covers and the mac.
fn split_mac(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_suffix("\"}")?;
    let (open, mac) = rest.rsplit_once(",\"mac\":\"")?;
    (mac.len() == 64).then_some((open, mac))
}

/// What a whole and authentic log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogSummary {
    /// Number of lines.
    pub lines: u64,
    /// Number of critical events.
    pub critical: u64,
    /// SHA-256 of the last line in hex. Keep it elsewhere: a log cut off at its end is otherwise a valid shorter log.
    pub last_sha256: String,
}

/// Checks every line of a log: sequence, chain, mac, and that the last line is complete.
///
/// # Errors
/// [`AuditError::Broken`] names the first line that does not hold; [`AuditError::Io`] when reading fails.
pub fn verify_log(log: impl BufRead, key: &ChainKey) -> Result<LogSummary, AuditError> {
    walk(log, key).map(|(summary, _)| summary)
}

pub(crate) fn walk(mut log: impl BufRead, key: &ChainKey) -> Result<(LogSummary, Chain), AuditError> {
    let mut chain = Chain::new();
    let mut critical = 0_u64;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let line = chain.next_seq.saturating_add(1);
        let broken = |why: String| AuditError::Broken { line, why };
        let read = std::io::Read::take(&mut log, MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)
            .map_err(|source| AuditError::Io { action: "read", source })?;
        if read == 0 {
            let summary = LogSummary { lines: chain.next_seq, critical, last_sha256: chain.prev_sha256.clone() };
            return Ok((summary, chain));
        }
        if bytes.pop() != Some(b'\n') {
            return Err(broken("it is cut off or too long: no newline at its end".to_owned()));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| broken("it is not UTF-8".to_owned()))?;
        let (event, after) = chain.open(key, text).map_err(broken)?;
        critical = critical.saturating_add(u64::from(event.is_critical()));
        chain = after;
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
