//! The chained log: what was written verifies, and nothing else does.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;

use audit::{AuditError, AuditSink, ChainKey, Event, NdjsonSink, TracingSink, verify_log};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use validation::{DigestHex, ShardId};

fn key() -> ChainKey {
    ChainKey::new(&[9; 32])
}

fn events() -> Vec<Event> {
    let shard_id = ShardId::parse("llama-layer-0").unwrap();
    vec![
        Event::Sealed {
            shard_id: shard_id.clone(),
            gpu_device: 0,
            vram_bytes: 4096,
            digest: DigestHex::from_bytes([1; 32]),
        },
        Event::Verified { shard_id: shard_id.clone(), gpu_device: 0 },
        Event::VerificationFailed {
            shard_id: "a\nb\u{0}\",\"mac\":\"".to_owned(),
            gpu_device: 9,
            reason: "unknown id".to_owned(),
        },
        Event::Deallocated { shard_id, gpu_device: 0, vram_bytes: 4096 },
    ]
}

fn write_log(path: &Path) -> Vec<u8> {
    let sink = NdjsonSink::open(path, key()).unwrap();
    for event in events() {
        sink.record(&event).unwrap();
    }
    std::fs::read(path).unwrap()
}

#[test]
fn a_written_log_verifies_and_is_continued_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let first = verify_log(&write_log(&path)[..], &key()).unwrap();
    assert_eq!((first.lines, first.critical), (4, 1));
    let second = verify_log(&write_log(&path)[..], &key()).unwrap();
    assert_eq!((second.lines, second.critical), (8, 2));
}

#[test]
fn every_changed_byte_breaks_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = write_log(&dir.path().join("audit.ndjson"));
    for position in 0..log.len() {
        let mut changed = log.clone();
        changed[position] ^= 1;
        assert!(verify_log(&changed[..], &key()).is_err(), "byte {position} changed unnoticed");
    }
}

#[test]
fn dropped_swapped_repeated_and_cut_lines_break_the_log_at_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let log = String::from_utf8(write_log(&dir.path().join("audit.ndjson"))).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let broken_at = |text: String| match verify_log(text.as_bytes(), &key()) {
        Err(AuditError::Broken { line, .. }) => line,
        other => panic!("expected a broken log, got {other:?}"),
    };
    assert_eq!(broken_at(format!("{}\n{}\n", lines[0], lines[2])), 2);
    assert_eq!(broken_at(format!("{}\n{}\n", lines[1], lines[0])), 1);
    assert_eq!(broken_at(format!("{}\n{}\n", lines[0], lines[0])), 2);
    assert_eq!(broken_at(log[..log.len() - 10].to_owned()), 4);
    assert_eq!(broken_at(format!("{log}{{}}\n")), 5);
}

#[test]
fn another_key_does_not_verify_or_continue_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let log = write_log(&path);
    assert!(matches!(verify_log(&log[..], &ChainKey::new(&[8; 32])), Err(AuditError::Broken { line: 1, .. })));
    assert!(matches!(NdjsonSink::open(&path, ChainKey::new(&[8; 32])), Err(AuditError::Broken { line: 1, .. })));
    assert_eq!(std::fs::read(&path).unwrap(), log, "a refused log must stay as it was");
}

#[test]
fn a_directory_is_refused_and_the_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(NdjsonSink::open(dir.path(), key()), Err(AuditError::NotAFile)));
    let path = dir.path().join("audit.ndjson");
    write_log(&path);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn keys_are_opaque_in_debug() {
    assert_eq!(format!("{:?}", key()), "ChainKey(..)");
}

#[test]
fn a_log_has_one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let first = NdjsonSink::open(&path, key()).unwrap();
    assert!(matches!(NdjsonSink::open(&path, key()), Err(AuditError::InUse)));
    drop(first);
    NdjsonSink::open(&path, key()).unwrap();
}

#[test]
fn an_event_too_long_for_a_line_is_refused_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let sink = NdjsonSink::open(&path, key()).unwrap();
    let long = Event::PolicyViolation { gpu_device: 0, rules: vec!["x".repeat(1 << 20)], findings: Vec::new() };
    assert!(matches!(sink.record(&long), Err(AuditError::TooLong { .. })));
    sink.record(&events()[1]).unwrap();
    assert_eq!(verify_log(&std::fs::read(&path).unwrap()[..], &key()).unwrap().lines, 1);
}

#[test]
fn lines_say_when_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let before = OffsetDateTime::now_utc();
    let log = String::from_utf8(write_log(&dir.path().join("audit.ndjson"))).unwrap();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let at = OffsetDateTime::parse(line["at"].as_str().unwrap(), &Rfc3339).unwrap();
        assert!(before <= at && at <= OffsetDateTime::now_utc(), "{at}");
    }
}

#[test]
fn tracing_shows_critical_events_as_errors_and_others_as_information() {
    let shown = |event: &Event| {
        let writer = tempfile::NamedTempFile::new().unwrap();
        let target = Arc::new(writer.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(target).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || TracingSink.record(event).unwrap());
        std::fs::read_to_string(writer.path()).unwrap()
    };
    let (critical, ordinary) = (shown(&events()[2]), shown(&events()[1]));
    assert!(critical.contains("ERROR") && critical.contains("verification_failed"), "{critical}");
    assert!(ordinary.contains("INFO") && ordinary.contains("verified"), "{ordinary}");
}
