//! Which driver a run was on: the digests of NVIDIA's libraries that this process has loaded.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proof_bundle::provenance::FileDigest;

use super::progress::note;
use super::source;

/// The files that a process has mapped into its memory, a line each (proc(5)).
const MAPS: &str = "/proc/self/maps";
/// How the names of the driver's libraries begin: the driver itself, its parts, and the management library.
const NAMES: [&str; 2] = ["libcuda.so", "libnvidia-"];

/// The libraries by their file names. A system without [`MAPS`] says nothing of them; one that was replaced since it was loaded
/// cannot be read any more, which is said and loses nothing else.
pub(super) fn loaded() -> Vec<FileDigest> {
    digests(&fs::read_to_string(MAPS).unwrap_or_default())
}

fn digests(maps: &str) -> Vec<FileDigest> {
    let digest = |path: &PathBuf| {
        let digest = source::digest(&path.file_name().unwrap_or_default().to_string_lossy(), path);
        digest.inspect_err(|error| note(&format!("no digest of a library of the driver: {error}"))).ok()
    };
    let mut digests: Vec<_> = named(maps).iter().filter_map(digest).collect();
    digests.sort();
    digests
}

/// The driver's libraries in the lines of [`MAPS`], sorted.
fn named(maps: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| Some(PathBuf::from(line.get(line.find('/')?..)?));
    let is_the_drivers = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| NAMES.iter().any(|start| name.starts_with(start)))
    };
    maps.lines().filter_map(path).filter(|path| is_the_drivers(path)).collect()
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
    fn the_drivers_libraries_are_named_once_and_nothing_else_is() {
        let maps = "\
            55d0c0000000-55d0c0100000 r-xp 00000000 08:01 11   /opt/kit/bin/xtask\n\
            55d0c1000000-55d0c1100000 rw-p 00000000 00:00 0    [heap]\n\
            7f0000000000-7f0000100000 r--p 00000000 08:01 12   /usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04\n\
            7f0000100000-7f0000900000 r-xp 00100000 08:01 12   /usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04\n\
            7f0001000000-7f0001100000 r--p 00000000 08:01 13   /opt/a driver/libnvidia-ml.so.1\n\
            7f0002000000-7f0002100000 r--p 00000000 08:01 14   /usr/lib/libcudart.so.13\n\
            7f0003000000-7f0003100000 rw-s 00000000 00:06 15   /dev/nvidiactl\n\
            7f0004000000-7f0004100000 r--p 00000000 08:01 16   /srv/libcuda.so/notes\n";
        let paths: Vec<PathBuf> = named(maps).into_iter().collect();
        assert_eq!(
            paths,
            ["/opt/a driver/libnvidia-ml.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_library_has_the_digest_of_its_bytes_and_the_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libcuda.so.1");
        fs::write(&path, "abc").unwrap();
        let line = format!("7f0000000000-7f0000100000 r--p 00000000 08:01 12   {}\n", path.display());
        // FIPS 180-4, the example of one block.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(digests(&line), [FileDigest { name: "libcuda.so.1".to_owned(), sha256 }]);
        fs::remove_file(&path).unwrap();
        assert_eq!(digests(&line), []);
    }
}
