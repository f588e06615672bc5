//! The driver library: opened once, and never closed, so that what was looked up in it stays valid.

use std::ffi::OsStr;
use std::sync::OnceLock;

use libloading::Library;

/// The driver library by the name that every CUDA program opens it by.
const DRIVER: &str = "libcuda.so.1";

/// A function of the library that this workspace's tests open, and of no driver.
const FUNCTION_OF_THE_FAKE: &[u8] = b"fake_reset\0";

/// What became of the one attempt to open the library.
static OPENED: OnceLock<Opened> = OnceLock::new();

struct Opened {
    library: Result<Library, DriverMissing>,
    /// Whether a test chose the library, or it is the one that tests use, whatever its file is called.
    stand_in: bool,
}

/// Why there is no driver, in the words of the dynamic linker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverMissing(String);

/// Opens the driver when nobody has, and remembers the answer: a driver that is missing stays missing for this process.
///
/// # Errors
/// The dynamic linker's reason, for example "libcuda.so.1: cannot open shared object file: No such file or directory".
pub fn open() -> Result<(), DriverMissing> {
    library().map(|_| ())
}

/// Whether the library is not the system's driver but one that a test chose, or the fake driver of this workspace under the
/// driver's name. Whatever comes from it is of the class `fake-driver`.
pub fn is_stand_in() -> bool {
    OPENED.get().is_some_and(|opened| opened.stand_in)
}

/// The library, opened when nobody has yet.
pub(crate) fn library() -> Result<&'static Library, DriverMissing> {
    opened(DRIVER.as_ref(), false).library.as_ref().map_err(Clone::clone)
}

fn opened(name: &OsStr, stand_in: bool) -> &'static Opened {
    OPENED.get_or_init(|| {
        // SAFETY: opening a library runs its initialisers. The system's driver is made to be opened by any program at any
        // time; a stand-in is chosen by a test of this workspace and has no initialisers of its own.
        let library = unsafe { Library::new(name) };
        let stand_in = stand_in || library.as_ref().is_ok_and(is_the_fake);
        Opened { library: library.map_err(|error| DriverMissing(error.to_string())), stand_in }
    })
}

fn is_the_fake(library: &Library) -> bool {
    // SAFETY: the symbol is looked up and neither called nor read, so its type does not matter.
    unsafe { library.get::<*const ()>(FUNCTION_OF_THE_FAKE) }.is_ok()
}

#[cfg(feature = "other-library")]
pub use other::{OtherLibraryError, symbol, use_library};

/// Tests open another library in the driver's place. This module is not in a release build.
#[cfg(feature = "other-library")]
mod other {
    use std::path::Path;

    use super::{DriverMissing, OPENED, is_stand_in, library, opened};

    /// Why the chosen library is not in use.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum OtherLibraryError {
        /// A library is open already, or was found to be missing.
        #[error("the driver was asked for before: choose the other library before the first driver call")]
        TooLate,
        /// The library cannot be opened; from now on there is no driver.
        #[error(transparent)]
        Missing(#[from] DriverMissing),
    }

    /// Opens the library at `path` in the place of the system's driver.
    ///
    /// # Errors
    /// [`OtherLibraryError::TooLate`] after the first use of the driver, [`OtherLibraryError::Missing`] when it cannot be
    /// opened.
    pub fn use_library(path: &Path) -> Result<(), OtherLibraryError> {
        if OPENED.get().is_some() {
            return Err(OtherLibraryError::TooLate);
        }
        opened(path.as_os_str(), true);
        // Another thread may have been faster with the system's driver.
        if !is_stand_in() {
            return Err(OtherLibraryError::TooLate);
        }
        Ok(library().map(|_| ())?)
    }

    /// The symbol `name` of the chosen library; `None` when there is no such symbol, or the library is the system's driver.
    ///
    /// # Safety
    /// `T` must be the type of the symbol: a function pointer with its very signature.
    pub unsafe fn symbol<T: Copy>(name: &str) -> Option<T> {
        if !is_stand_in() {
            return None;
        }
        // SAFETY: the caller vouches for the type, and the library is never closed.
        unsafe { library().ok()?.get::<T>(name.as_bytes()) }.ok().map(|symbol| *symbol)
    }
}
