//! Where a token may come from, and that no secret shows itself.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use evidence::{Stream, check, proves};
use seal::{AuditKey, SealError, SealKey, SecretToken};
use tempfile::TempDir;

const TOKEN: &[u8] = b"correct-horse-battery-staple-0123456789";
/// Set for the child that the test of the environment starts of itself.
const VARIABLE: &str = "VRAM_RESIDENCY_TEST_TOKEN";

fn audit_key(token: &SecretToken) -> [u8; 32] {
    *AuditKey::derive(token).unwrap().expose()
}

/// `read`, when the token is the one expected, or the name of the error without its fields.
fn outcome(token: Result<SecretToken, SealError>) -> String {
    match token {
        Ok(token) if audit_key(&token) == audit_key(&SecretToken::from_bytes(TOKEN.to_vec()).unwrap()) => {
            "read".to_owned()
        }
        Ok(_) => "read, but another token".to_owned(),
        Err(error) => format!("{error:?}").split([' ', '(']).next().unwrap().to_owned(),
    }
}

fn file(directory: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, contents).unwrap();
    set_mode(&path, 0o600);
    path
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}

#[test]
fn a_token_is_read_from_a_file_without_one_trailing_newline() {
    proves!("CI-005");
    let directory = TempDir::new().unwrap();
    let with = |end: &[u8]| file(&directory, "token", &[TOKEN, end].concat());
    let endings: [(&[u8], &str); 6] = [
        (b"", "read"),
        (b"\n", "read"),
        (b"\r\n", "read"),
        (b"\n\n", "read, but another token"),
        (b" \n", "read, but another token"),
        (b"\r", "read, but another token"),
    ];
    for (ending, expected) in endings {
        let operation = format!("token_file_ending_in {}", ending.escape_ascii());
        check(Stream::CryptoValidation, &operation, expected, outcome(SecretToken::from_file(&with(ending))));
    }
}

#[test]
fn a_file_that_is_no_token_is_refused() {
    proves!("CI-005");
    let directory = TempDir::new().unwrap();
    let contents: [(&str, Vec<u8>, &str); 7] = [
        ("empty", vec![], "TokenTooShort"),
        ("only a newline", b"\n".to_vec(), "TokenTooShort"),
        ("31 bytes", vec![b'x'; 31], "TokenTooShort"),
        ("31 bytes and a newline", [vec![b'x'; 31], vec![b'\n']].concat(), "TokenTooShort"),
        ("4096 bytes and a newline", [vec![b'x'; 4096], b"\r\n".to_vec()].concat(), "read, but another token"),
        ("4097 bytes", vec![b'x'; 4097], "TokenTooLong"),
        ("a megabyte", vec![b'x'; 1 << 20], "TokenTooLong"),
    ];
    for (what, bytes, expected) in contents {
        let observed = outcome(SecretToken::from_file(&file(&directory, "token", &bytes)));
        check(Stream::CryptoValidation, &format!("token_file_of: {what}"), expected, observed);
    }
    check(
        Stream::CryptoValidation,
        "token_file_missing",
        "TokenFile",
        outcome(SecretToken::from_file(&directory.path().join("none"))),
    );
    check(
        Stream::CryptoValidation,
        "token_file_is_a_directory",
        "TokenNotAFile",
        outcome(SecretToken::from_file(directory.path())),
    );
    check(
        Stream::CryptoValidation,
        "token_file_below_a_file",
        "TokenFile",
        outcome(SecretToken::from_file(&directory.path().join("token/x"))),
    );
}

#[cfg(unix)]
#[test]
fn a_token_file_that_others_can_open_is_refused() {
    proves!("CI-005");
    let directory = TempDir::new().unwrap();
    let path = file(&directory, "token", TOKEN);
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&path, mode);
        check(
            Stream::CryptoValidation,
            &format!("token_file_of_mode_{mode:03o}"),
            "read",
            outcome(SecretToken::from_file(&path)),
        );
    }
    for mode in [0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o666, 0o777] {
        set_mode(&path, mode);
        let refused = SecretToken::from_file(&path).unwrap_err();
        let message = refused.to_string();
        assert!(message.contains("run `chmod 600`") && message.contains(&format!("mode {mode:03o}")), "{message}");
        check(
            Stream::CryptoValidation,
            &format!("token_file_of_mode_{mode:03o}"),
            "TokenFileOpenToOthers",
            outcome(Err(refused)),
        );
    }
}

#[test]
fn a_token_is_read_from_the_environment() {
    proves!("CI-005");
    if std::env::var_os(VARIABLE).is_some() {
        assert_eq!(outcome(SecretToken::from_env(VARIABLE)), "read");
        return;
    }
    check(
        Stream::CryptoValidation,
        "token_variable_missing",
        "TokenVariableMissing",
        outcome(SecretToken::from_env(VARIABLE)),
    );
    for impossible in ["", "A=B", "A\0B"] {
        assert_eq!(outcome(SecretToken::from_env(impossible)), "TokenVariableMissing");
    }
    // A process cannot safely change its own environment, so the test runs itself once more with the variable set.
    let child = |token: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_token_is_read_from_the_environment"])
            .env(VARIABLE, token)
            .env_remove("PROOF_SPOOL")
            .output()
            .unwrap();
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed")
    };
    let token = str::from_utf8(TOKEN).unwrap();
    check(Stream::CryptoValidation, "token_variable_set", true, child(token));
    check(Stream::CryptoValidation, "token_variable_set_to_another", false, child(&token.replace("horse", "mouse")));
    check(Stream::CryptoValidation, "token_variable_too_short", false, child("short"));
}

#[test]
fn no_secret_shows_itself_in_debug_or_error_texts() {
    proves!("CI-006");
    let text = str::from_utf8(TOKEN).unwrap();
    let token = || SecretToken::from_bytes(TOKEN.to_vec()).unwrap();
    let seal = SealKey::derive(&token()).unwrap();
    let audit = AuditKey::derive(&token()).unwrap();
    check(
        Stream::CryptoValidation,
        "debug_of_secrets",
        ["SecretToken(secret)", "SealKey(secret)", "AuditKey(secret)"],
        [format!("{:?}", token()), format!("{seal:?}"), format!("{audit:?}")],
    );
    check(
        Stream::CryptoValidation,
        "pretty_debug_of_secrets",
        ["SecretToken(secret)", "SealKey(secret)", "AuditKey(secret)"],
        [format!("{:#?}", token()), format!("{seal:#?}"), format!("{audit:#?}")],
    );

    let directory = TempDir::new().unwrap();
    let short = &text[..31];
    let long = text.repeat(4096);
    let open = file(&directory, "open", TOKEN);
    set_mode(&open, 0o644);
    let mut errors = vec![
        SecretToken::from_bytes(short.into()).unwrap_err(),
        SecretToken::from_bytes(long.clone().into()).unwrap_err(),
        SecretToken::from_file(&file(&directory, "short", short.as_bytes())).unwrap_err(),
        SecretToken::from_file(&file(&directory, "long", long.as_bytes())).unwrap_err(),
        seal.verify_message("domain", b"message", &SealKey::random().unwrap().sign_message("domain", b"message"))
            .unwrap_err(),
    ];
    errors.extend(SecretToken::from_file(&open).err());
    // Any four characters of the token in a row would be a leak.
    let leaks = |shown: &str| TOKEN.windows(4).any(|part| shown.contains(str::from_utf8(part).unwrap()));
    assert!(leaks("a horse"));
    for error in errors {
        let name = format!("{error:?}").split([' ', '(']).next().unwrap().to_owned();
        let shown = format!("{error} {error:?}").replace(&directory.path().display().to_string(), "");
        check(Stream::CryptoValidation, &format!("token_in_text_of: {name}"), false, leaks(&shown));
    }
}
