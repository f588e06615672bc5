//! What a bundle's directory holds: the files of a bundle and nothing else, looked at before any of them is opened.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::path::Path;

use evidence::Stream;

use super::findings::Findings;
use crate::attest::DIRECTORY;
use crate::code_coverage;
use crate::records::file_of;
use crate::report::{REPORTS, REPORTS_OF_MERGED};
use crate::{junit, merge, mutants, sums};

/// The most that a `.jsonl` file may have, in bytes; it is read line by line.
const LINES_LIMIT: u64 = 512 << 20;

/// The most that any other file may have, in bytes; it is read whole.
const FILE_LIMIT: u64 = 64 << 20;

/// The most that a signed statement may have, in bytes: it is parsed before anyone knows who signed it.
const ATTESTATION_LIMIT: u64 = 16 << 20;

/// More than any directory of a bundle holds.
pub(super) const ENTRIES_LIMIT: usize = 64;

/// Files that every bundle has, apart from the records and the reports.
const REQUIRED: [&str; 7] =
    ["metadata.json", "provenance.json", "requirements.json", "coverage.json", junit::FILE, "seeds.txt", sums::FILE];

/// Files that a bundle may have.
const OPTIONAL: [&str; 2] = [code_coverage::FILE, mutants::FILE];

/// Files that every merged bundle has, apart from the reports; its inputs are bundles, each with a listing of its own.
const REQUIRED_OF_MERGED: [&str; 4] = [merge::FILE, "requirements.json", "coverage.json", sums::FILE];

/// What a directory is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// The bundle of a run.
    #[default]
    Run,
    /// A merged bundle, without its inputs.
    Merged,
}

impl Kind {
    /// The files that must be there.
    fn required(self) -> Vec<&'static str> {
        match self {
            Self::Run => REQUIRED.into_iter().chain(REPORTS).chain(Stream::ALL.into_iter().map(file_of)).collect(),
            Self::Merged => REQUIRED_OF_MERGED.into_iter().chain(REPORTS_OF_MERGED).collect(),
        }
    }

    /// The most bytes that a file of this name may have; `None` when there is no such file.
    fn limit_of(self, path: &str) -> Option<u64> {
        let is_lines = self == Self::Run && Stream::ALL.into_iter().any(|stream| file_of(stream) == path);
        let is_optional = self == Self::Run && OPTIONAL.contains(&path);
        if is_lines {
            return Some(LINES_LIMIT);
        }
        if ATTESTATIONS.contains(&path) {
            return Some(ATTESTATION_LIMIT);
        }
        (is_optional || self.required().contains(&path)).then_some(FILE_LIMIT)
    }
}

/// A file as it was when it was first looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its size in bytes.
    pub(super) bytes: u64,
    identity: Identity,
}

/// What changes when a file is written or replaced, whatever times are set on it afterwards.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);

/// What most likely changes when a file is written or replaced.
#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.modified().ok()
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), identity: identity(metadata) }
    }
}

/// The files of a bundle that may be read: regular files of a name and a size that a bundle can have.
#[derive(Debug, Default)]
pub(super) struct Listing {
    kind: Kind,
    files: BTreeMap<String, Stamp>,
    refused: bool,
}

impl Listing {
    /// Lists `bundle`. What does not belong there, and what is missing, is a finding.
    pub(super) fn read(bundle: &Path, kind: Kind, findings: &mut Findings) -> Self {
        let mut listing = Self { kind, ..Self::default() };
        listing.read_directory(bundle, "", findings);
        for name in kind.required() {
            if !listing.has(name) && !is_there(bundle, name) {
                findings.add(name, None, "the file is missing");
            }
        }
        listing
    }

    fn read_directory(&mut self, bundle: &Path, prefix: &str, findings: &mut Findings) {
        let directory = bundle.join(prefix);
        let place = if prefix.is_empty() { "." } else { prefix };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => return findings.add(place, None, format!("cannot be listed: {error}")),
        };
        let entries: Result<Vec<_>, _> = entries.take(ENTRIES_LIMIT.saturating_add(1)).collect();
        match entries {
            Ok(mut entries) if entries.len() <= ENTRIES_LIMIT => {
                entries.sort_by_key(fs::DirEntry::file_name);
                for entry in entries {
                    self.read_entry(bundle, prefix, &entry, findings);
                }
            }
            Ok(_) => {
                self.refused = true;
                findings.add(place, None, format!("it holds more than {ENTRIES_LIMIT} entries"));
            }
            Err(error) => {
                self.refused = true;
                findings.add(place, None, format!("cannot be listed: {error}"));
            }
        }
    }

    fn read_entry(&mut self, bundle: &Path, prefix: &str, entry: &fs::DirEntry, findings: &mut Findings) {
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else {
            let shown: String = file_name.to_string_lossy().escape_default().collect();
            return findings.add(shown, None, "no file of a bundle has such a name");
        };
        let path = format!("{prefix}{name}");
        let shown: String = path.escape_default().collect();
        let metadata = match entry.path().symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => return findings.add(shown, None, format!("cannot be looked at: {error}")),
        };
        if self.kind == Kind::Merged && path == merge::INPUTS && metadata.is_dir() {
            // Each of the bundles in it has a listing of its own.
            return;
        }
        let is_folder = path == DIRECTORY;
        let Some(limit) = self.kind.limit_of(&path).or(is_folder.then_some(0)) else {
            return findings.add(shown, None, "no file of a bundle has such a name");
        };
        let problem = if is_folder && metadata.is_dir() {
            return self.read_directory(bundle, &format!("{DIRECTORY}/"), findings);
        } else if metadata.is_symlink() {
            "it is a symbolic link: what it leads to is no part of the bundle".to_owned()
        } else if is_folder {
            "it is no directory".to_owned()
        } else if !metadata.is_file() {
            "it is no regular file".to_owned()
        } else if metadata.len() > limit {
            format!("it has {} bytes; more than {limit} are refused unread", metadata.len())
        } else {
            self.files.insert(path, Stamp::of(&metadata));
            return;
        };
        self.refused = true;
        findings.add(shown, None, problem);
    }

    /// Whether an entry has the name of a file of a bundle and must not be opened. Then nothing may be opened by its name.
    pub(super) fn has_refused(&self) -> bool {
        self.refused
    }

    /// Whether the file may be read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The files, by name; those of a folder are written `folder/name`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The size of all files in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, stamp| sum.saturating_add(stamp.bytes))
    }

    /// Opens a file, if it is still the one that was listed.
    pub(super) fn open(&self, bundle: &Path, name: &str) -> Result<(File, u64), String> {
        let stamp = self.files.get(name).ok_or("the file cannot be used")?;
        let file = File::open(bundle.join(name)).map_err(|error| format!("cannot be opened: {error}"))?;
        let metadata = file.metadata().map_err(|error| format!("cannot be looked at: {error}"))?;
        if Stamp::of(&metadata) != *stamp {
            return Err(CHANGED.to_owned());
        }
        Ok((file, stamp.bytes))
    }

    /// Checks that all files are still the ones that were listed: otherwise what was hashed is not what was judged.
    pub(super) fn check_unchanged(&self, bundle: &Path, findings: &mut Findings) {
        for (name, stamp) in &self.files {
            match bundle.join(name).symlink_metadata() {
                Ok(metadata) if metadata.is_file() && Stamp::of(&metadata) == *stamp => {}
                _ => findings.add(name.as_str(), None, CHANGED),
            }
        }
    }
}

const CHANGED: &str = "it changed while the bundle was being verified";

/// The signed statements.
pub(super) const ATTESTATIONS: [&str; 2] = [TEST_RESULT_FILE, "attestations/residency.dsse.json"];

/// The one of them about the tests.
pub(super) const TEST_RESULT_FILE: &str = "attestations/test-result.dsse.json";

/// Whether anything of this name is there: it has a finding of its own already.
fn is_there(bundle: &Path, name: &str) -> bool {
    bundle.join(name).symlink_metadata().is_ok()
}
