//! Where a test's spool lies, and which test a spool belongs to.

use std::path::{Path, PathBuf};

use crate::test_map::TestId;

const EXTENSION: &str = ".ndjson";

/// The spool of one test: `<spool>/<binary>/<test>.ndjson`, where `%`, `/` and control characters of either name, and a
/// leading `.`, are written as `%` and two hexadecimal digits. What the environment variable `PROOF_SPOOL` of that test's process
/// has to say; the directory around it has to exist.
#[must_use]
pub fn spool_path(spool: impl AsRef<Path>, binary: &str, test: &str) -> PathBuf {
    spool.as_ref().join(escape(binary)).join(format!("{}{EXTENSION}", escape(test)))
}

/// The test whose spool has this path below the spool's directory.
pub(super) fn test_of(binary: &str, file: &str) -> Option<TestId> {
    Some(TestId::new(unescape(binary)?, unescape(file.strip_suffix(EXTENSION)?)?))
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (index, character) in name.chars().enumerate() {
        let plain = !matches!(character, '%' | '/') && !character.is_ascii_control() && (character != '.' || index > 0);
        if plain {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("%{:02X}", u32::from(character)));
        }
    }
    escaped
}

fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok().filter(u8::is_ascii)?;
        text.push(char::from(code));
        text.push_str(part.get(2..)?);
    }
    Some(text)
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
    use super::*;

    #[test]
    fn names_with_path_parts_stay_one_file_and_come_back() {
        for (binary, test) in [
            ("seal", "tests::tag"),
            ("xtask::bin/xtask", "a/b % c"),
            ("acceptance::scenarios", "Sealing a shard: exact fit, \"quoted\""),
            ("..", "."),
            ("a", "tab\tand é"),
        ] {
            let path = spool_path("spool", binary, test);
            assert_eq!(path.components().count(), 3, "{}", path.display());
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(test_of(&name(path.parent().unwrap()), &name(&path)), Some(TestId::new(binary, test)));
        }
    }

    #[test]
    fn a_name_that_escape_does_not_make_belongs_to_no_test() {
        assert_eq!(test_of("seal", "test.json"), None);
        assert_eq!(test_of("seal%", "test.ndjson"), None);
        assert_eq!(test_of("seal", "%zz.ndjson"), None);
        assert_eq!(test_of("seal", "%FF.ndjson"), None);
    }
}
