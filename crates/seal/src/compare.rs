//! The one comparison of digests and tags.

/// Whether `a` and `b` are equal, in a time that depends on their lengths only, never on where they differ.
///
/// Lengths are no secret here: slices of different lengths are unequal at once.
#[must_use]
pub fn digests_equal(a: &[u8], b: &[u8]) -> bool {
    #[cfg(test)]
    counted::note(a.len(), b.len());
    ::constant_time_eq::constant_time_eq(a, b)
}

/// A note of each comparison, so that tests can see that it was asked, and with how much.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::RefCell;

    thread_local! {
        static CALLS: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(a: usize, b: usize) {
        CALLS.with_borrow_mut(|calls| calls.push((a, b)));
    }

    /// The lengths compared on this thread since the last call of this function.
    pub(crate) fn take() -> Vec<(usize, usize)> {
        CALLS.take()
    }
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
    use std::fs;
    use std::path::Path;

    use evidence::{Stream, check, proves};

    /// A comparison that stops at the first difference gives the same answers, so the source itself is looked at: no build
    /// has another body than this one, and in a build without tests its last line is all of it.
    #[test]
    fn all_builds_compare_by_constant_time_eq_and_by_nothing_else() {
        proves!("CI-003");
        let shipped = shipped(include_str!("compare.rs"));
        let (_, body) = shipped.split_once("pub fn digests_equal(a: &[u8], b: &[u8]) -> bool {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let lines: Vec<&str> = body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let expected =
            ["#[cfg(test)]", "counted::note(a.len(), b.len());", "::constant_time_eq::constant_time_eq(a, b)"];
        check(Stream::CryptoValidation, "the_comparison_as_its_source_says", expected, lines);
        check(Stream::CryptoValidation, "definitions_of_it", 1, shipped.matches("fn digests_equal").count());
        check(Stream::CryptoValidation, "other_comparisons_beside_it", 0, comparisons(&shipped).count());
    }

    #[test]
    fn digests_and_tags_are_compared_nowhere_else() {
        proves!("CI-003");
        let mut read = Vec::new();
        let mut found = Vec::new();
        for package in ["seal", "vram-residency"] {
            let folder = Path::new("..").join(package).join("src");
            look(&folder, package, &mut read, &mut found);
        }
        for known in ["seal/compare.rs", "seal/key.rs", "seal/tag.rs", "vram-residency/verifying.rs"] {
            assert!(read.iter().any(|name| name == known), "{known} is not among {read:?}");
        }
        check(Stream::CryptoValidation, "digests_compared_elsewhere", Vec::<String>::new(), found);
    }

    fn look(folder: &Path, name: &str, read: &mut Vec<String>, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}/{}", entry.file_name().display());
            if entry.file_type().unwrap().is_dir() {
                look(&entry.path(), &name, read, found);
            } else {
                let source = shipped(&fs::read_to_string(entry.path()).unwrap());
                let of_digests = comparisons(&source).filter(|expression| names_a_digest(expression));
                found.extend(of_digests.map(|expression| format!("{name}: {}", expression.trim())));
                read.push(name);
            }
        }
    }

    #[test]
    fn a_plain_comparison_of_digests_would_be_seen() {
        for source in [
            "if tag == lease.tag {",
            "if in_place.as_bytes() != tree_digest\n    .as_bytes() {",
            "(1 < 2 && expected.to_bytes() == *observed)",
            "Sha256Digest::eq(a, b);",
            "self.tree_digest.ne(&other)",
        ] {
            assert_eq!(comparisons(source).filter(|expression| names_a_digest(expression)).count(), 1, "{source}");
        }
        for source in
            ["if bytes.last() == Some(&b'\\n') {", "tag(); if rank != core.rank {", "constant_time_eq(tag, b)"]
        {
            assert_eq!(comparisons(source).filter(|expression| names_a_digest(expression)).count(), 0, "{source}");
        }
    }

    /// A file without its comments and its tests.
    fn shipped(source: &str) -> String {
        let code = source.split("\nmod tests {").next().unwrap();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
    }

    /// The expressions that compare, each without those around it.
    fn comparisons(code: &str) -> impl Iterator<Item = &str> {
        let expressions =
            code.split([';', '{', '}']).flat_map(|part| part.split("&&")).flat_map(|part| part.split("||"));
        expressions.filter(|expression| {
            ["==", "!=", ".eq(", ".ne(", "::eq(", "::ne("].iter().any(|by| expression.contains(by))
        })
    }

    /// Whether a word of the code says that a digest, a tag or the bytes of one are meant.
    fn names_a_digest(code: &str) -> bool {
        let code = code.to_lowercase();
        ["digest", "sha256", "as_bytes", "to_bytes"].iter().any(|piece| code.contains(piece))
            || code
                .split(|character: char| !character.is_alphanumeric())
                .any(|word| ["hash", "hmac", "mac", "root", "tag", "tree"].contains(&word))
    }
}
