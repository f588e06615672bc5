//! Which devices this host has, and what was looked at to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use crate::Device;

/// The driver library that every CUDA program opens.
const DRIVER: &str = "libcuda.so.1";
/// What the dynamic linker knows, and the folders where it looks as well.
const LINKER_CACHE: &str = "etc/ld.so.cache";
const LIBRARY_FOLDERS: [&str; 6] =
    ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "usr/lib", "usr/lib/wsl/lib"];
/// What the kernel driver makes for each GPU; `dxg` is WSL2's.
const DEVICE_NODES: [&str; 3] = ["dev/nvidiactl", "dev/nvidia0", "dev/dxg"];

/// Why there is no GPU to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoGpu {
    /// Driver and device are there, and this build cannot use them.
    #[error("this build has no CUDA backend: a driver and a device are here, and it cannot use them")]
    NoCudaFeature,
    /// There is no driver library; the text says what was missing.
    #[error("no CUDA driver: {0}; install the NVIDIA driver, or start the container with its GPU runtime")]
    NoDriver(String),
    /// There is a driver library and no device.
    #[error("a CUDA driver and no device: check nvidia-smi, or give the container a GPU")]
    NoDevice,
}

/// What [`discover`] or [`discover_only`] found.
pub struct Discovery {
    /// The devices by their indices. One that cannot be opened is among them; its operations give the cause.
    pub devices: BTreeMap<u32, Arc<dyn Device>>,
    /// Why there is no device; of no meaning where there is one.
    pub reason: NoGpu,
    /// What was looked at and what was there, a line each, for a person to read. It differs between hosts.
    pub seen: Vec<String>,
}

/// Opens the CUDA driver and all of its devices, where there are any, and looks for the files that belong to it. Without the
/// feature `cuda` it opens nothing.
pub fn discover() -> Discovery {
    discover_among(None)
}

/// The same for the devices with these indices alone (the driver's, which `CUDA_VISIBLE_DEVICES` renumbers). No other is
/// opened. An index that the driver does not know is a device that cannot be opened.
pub fn discover_only(indices: &BTreeSet<u32>) -> Discovery {
    discover_among(Some(indices))
}

#[cfg(feature = "cuda")]
fn discover_among(only: Option<&BTreeSet<u32>>) -> Discovery {
    let mut seen = look(Path::new("/"), search_path()).seen;
    let (devices, reason) = match crate::cuda::open_devices(only) {
        Ok(devices) => {
            seen.push(format!("the driver was opened: {} devices", devices.len()));
            (devices, NoGpu::NoDevice)
        }
        Err(reason) => {
            seen.push(match &reason {
                NoGpu::NoDriver(missing) => format!("the driver was not opened: {missing}"),
                _ => "the driver was opened: no device".to_owned(),
            });
            (BTreeMap::new(), reason)
        }
    };
    Discovery { devices, reason, seen }
}

/// Looks for the files of a CUDA driver, which this build cannot use.
#[cfg(not(feature = "cuda"))]
fn discover_among(_: Option<&BTreeSet<u32>>) -> Discovery {
    let Files { driver, device, seen } = look(Path::new("/"), search_path());
    Discovery { devices: BTreeMap::new(), reason: without_backend(driver, device), seen }
}

/// Why a build without the backend has no GPU.
#[cfg(any(test, not(feature = "cuda")))]
fn without_backend(driver: bool, device: bool) -> NoGpu {
    match (driver, device) {
        (false, _) => NoGpu::NoDriver(format!("{DRIVER} is not on this host's library path")),
        (true, false) => NoGpu::NoDevice,
        (true, true) => NoGpu::NoCudaFeature,
    }
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("LD_LIBRARY_PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default()
}

/// The files of a driver that a host has.
struct Files {
    /// Whether there is a driver library.
    #[cfg_attr(feature = "cuda", allow(dead_code, reason = "with the backend the driver itself is asked"))]
    driver: bool,
    /// Whether there is a device node.
    #[cfg_attr(feature = "cuda", allow(dead_code, reason = "with the backend the driver itself is asked"))]
    device: bool,
    seen: Vec<String>,
}

/// Looks below `root`, in `folders` before the usual ones.
fn look(root: &Path, mut folders: Vec<PathBuf>) -> Files {
    folders.extend(LIBRARY_FOLDERS.map(|folder| root.join(folder)));
    let mut seen = Vec::new();
    let mut driver = false;
    // A relative or empty entry of the search path means the working directory, where no driver belongs.
    for path in folders.iter().filter(|folder| folder.is_absolute()).map(|folder| folder.join(DRIVER)) {
        if path.exists() {
            driver = true;
            seen.push(format!("{}: present", path.display()));
        }
    }
    let cache = root.join(LINKER_CACHE);
    let known = fs::read(&cache).is_ok_and(|bytes| bytes.windows(DRIVER.len()).any(|at| at == DRIVER.as_bytes()));
    driver |= known;
    seen.push(format!(
        "{}: {}",
        cache.display(),
        if known { "names libcuda.so.1" } else { "does not name libcuda.so.1" }
    ));

    let mut device = false;
    for node in DEVICE_NODES.map(|node| root.join(node)) {
        let present = node.exists();
        device |= present;
        seen.push(format!("{}: {}", node.display(), if present { "present" } else { "absent" }));
    }
    Files { driver, device, seen }
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

    /// A host that has `files`.
    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        root
    }

    #[test]
    fn without_the_backend_the_reason_follows_from_what_the_host_has() {
        let library = ("usr/lib64/libcuda.so.1", "");
        let cached = ("etc/ld.so.cache", "\0libcuda.so.1\0/opt/driver/libcuda.so.1");
        let other = ("etc/ld.so.cache", "\0libcudart.so.13\0libcuda.so.2");
        let node = ("dev/nvidia0", "");
        let wsl = ("dev/dxg", "");
        let missing = NoGpu::NoDriver("libcuda.so.1 is not on this host's library path".to_owned());
        let cases = [
            (vec![], missing.clone()),
            (vec![other], missing.clone()),
            (vec![node], missing),
            (vec![library], NoGpu::NoDevice),
            (vec![cached], NoGpu::NoDevice),
            (vec![library, node], NoGpu::NoCudaFeature),
            (vec![cached, wsl], NoGpu::NoCudaFeature),
        ];
        for (files, reason) in cases {
            let root = host(&files);
            let found = look(root.path(), Vec::new());
            assert_eq!(without_backend(found.driver, found.device), reason, "{files:?}");
            for (path, _) in files.iter().filter(|file| **file != other) {
                let path = root.path().join(path).display().to_string();
                assert!(found.seen.iter().any(|line| line.starts_with(&path)), "{path} in {:?}", found.seen);
            }
        }
    }

    #[test]
    fn the_search_path_comes_first_and_only_absolute_folders_count() {
        let root = host(&[("opt/libcuda.so.1", ""), ("dev/nvidiactl", "")]);
        let found = look(root.path(), vec![PathBuf::new(), PathBuf::from("."), root.path().join("opt")]);
        assert!(found.driver && found.device);
        assert!(found.seen[0].ends_with("opt/libcuda.so.1: present"), "{:?}", found.seen);
    }
}
