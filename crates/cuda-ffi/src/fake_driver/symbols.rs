//! The control functions of the fake driver, as `fake-cuda/src/control.rs` defines them.

use std::ffi::{c_int, c_uint};
use std::ops::Range;
use std::ptr::null_mut;

use super::{DriverFault, FakeDriverError};

/// Keeps each function by its name, with its C type.
macro_rules! symbols {
    ($($name:ident: fn($($argument:ty),*) -> $result:ty;)*) => {
        /// The functions of the library, which is never closed.
        pub(super) struct Symbols {
            $($name: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl Symbols {
            /// Looks all of them up.
            pub(super) fn look_up() -> Result<Self, FakeDriverError> {
                Ok(Self {$(
                    // SAFETY: the type is that of the function of this name in `control.rs` of fake-cuda, whose library
                    // the caller has opened.
                    $name: unsafe { cuda_driver::symbol(stringify!($name)) }
                        .ok_or(FakeDriverError::Lacking(stringify!($name)))?,
                )*})
            }
        }
    };
}

symbols! {
    fake_reset: fn(u64) -> ();
    fake_set_attribute: fn(c_int, c_int, c_int) -> c_uint;
    fake_set_capacity: fn(c_int, u64, u64) -> c_uint;
    fake_set_name: fn(c_int, *const u8, usize) -> c_uint;
    fake_set_uuid: fn(c_int, *const u8) -> c_uint;
    fake_fail_device: fn(c_int, c_uint) -> c_uint;
    fake_is_lost: fn(c_int) -> c_uint;
    fake_memory_holds: fn(c_int, *const u8, usize) -> c_uint;
    fake_pinned_holds_data: fn() -> c_uint;
    fake_plant: fn(*const u8, usize, u64, u64, c_uint, c_uint) -> ();
    fake_struck: fn() -> u64;
    fake_journal: fn(*mut u8, usize) -> usize;
    fake_clear_journal: fn() -> ();
    fake_leaks: fn(*mut u64) -> ();
    fake_allocations: fn(*mut u64, usize) -> usize;
    fake_plan: fn(u64) -> ();
    fake_set_tail: fn(u64, u64) -> c_uint;
    fake_override: fn(u64, u64, c_uint, u64) -> c_uint;
    fake_busy: fn(u64, u64, u64) -> ();
    fake_flip_bit: fn(u64, u64, c_uint) -> c_uint;
    fake_read: fn(u64, u64, *mut u8, usize) -> c_uint;
}

/// The functions with the types of Rust. Those that can be refused return whether they were not.
impl Symbols {
    pub(super) fn reset(&self, devices: u64) {
        // SAFETY: it takes a number; nothing of this program lies in the driver's memory but through the driver.
        unsafe { (self.fake_reset)(devices) }
    }

    pub(super) fn set_attribute(&self, device: u32, attribute: i32, value: i32) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_set_attribute)(ordinal(device), attribute, value) == 1 }
    }

    pub(super) fn set_capacity(&self, device: u32, total: u64, used_elsewhere: u64) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_set_capacity)(ordinal(device), total, used_elsewhere) == 1 }
    }

    pub(super) fn set_name(&self, device: u32, name: &str) -> bool {
        // SAFETY: it reads the name while it runs.
        unsafe { (self.fake_set_name)(ordinal(device), name.as_ptr(), name.len()) == 1 }
    }

    pub(super) fn set_uuid(&self, device: u32, uuid: &[u8; 16]) -> bool {
        // SAFETY: it reads 16 bytes while it runs.
        unsafe { (self.fake_set_uuid)(ordinal(device), uuid.as_ptr()) == 1 }
    }

    pub(super) fn fail_device(&self, device: u32, code: u32) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_fail_device)(ordinal(device), code) == 1 }
    }

    pub(super) fn is_lost(&self, device: u32) -> bool {
        // SAFETY: it takes a number.
        unsafe { (self.fake_is_lost)(ordinal(device)) == 1 }
    }

    pub(super) fn memory_holds(&self, device: u32, needle: &[u8]) -> bool {
        // SAFETY: it reads the needle while it runs.
        unsafe { (self.fake_memory_holds)(ordinal(device), needle.as_ptr(), needle.len()) == 1 }
    }

    pub(super) fn pinned_holds_data(&self) -> bool {
        // SAFETY: it takes nothing.
        unsafe { (self.fake_pinned_holds_data)() == 1 }
    }

    pub(super) fn plant(&self, fault: &DriverFault<'_>) {
        let name = fault.function.unwrap_or_default();
        // SAFETY: it reads the name while it runs.
        unsafe {
            (self.fake_plant)(name.as_ptr(), name.len(), fault.nth, fault.times, fault.code, c_uint::from(fault.later))
        }
    }

    pub(super) fn struck(&self) -> u64 {
        // SAFETY: it takes nothing.
        unsafe { (self.fake_struck)() }
    }

    pub(super) fn journal(&self) -> String {
        // SAFETY: with no room it writes nothing.
        let mut length = unsafe { (self.fake_journal)(null_mut(), 0) };
        loop {
            let mut text = vec![0; length];
            // SAFETY: there is as much room as it is told.
            let now = unsafe { (self.fake_journal)(text.as_mut_ptr(), text.len()) };
            // Another thread may have called the driver meanwhile.
            if now <= length {
                text.truncate(now);
                return String::from_utf8_lossy(&text).into_owned();
            }
            length = now;
        }
    }

    pub(super) fn clear_journal(&self) {
        // SAFETY: it takes nothing.
        unsafe { (self.fake_clear_journal)() }
    }

    pub(super) fn leaks(&self) -> [u64; 9] {
        let mut leaks = [0; 9];
        // SAFETY: it writes nine numbers.
        unsafe { (self.fake_leaks)(leaks.as_mut_ptr()) };
        leaks
    }

    pub(super) fn allocations(&self) -> Vec<[u64; 3]> {
        // SAFETY: with no room it writes nothing.
        let mut count = unsafe { (self.fake_allocations)(null_mut(), 0) };
        loop {
            let mut all = vec![[0; 3]; count];
            // SAFETY: there is room for as many allocations, of three numbers each, as it is told.
            let now = unsafe { (self.fake_allocations)(all.as_mut_ptr().cast(), all.len()) };
            // Another thread may have called the driver meanwhile.
            if now <= count {
                all.truncate(now);
                return all;
            }
            count = now;
        }
    }

    pub(super) fn plan(&self, at_least: u64) {
        // SAFETY: it takes a number.
        unsafe { (self.fake_plan)(at_least) }
    }

    pub(super) fn set_tail(&self, number: u64, bytes: u64) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_set_tail)(number, bytes) == 1 }
    }

    pub(super) fn pretend(&self, number: u64, from: u64, attribute: u32, value: u64) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_override)(number, from, attribute, value) == 1 }
    }

    pub(super) fn busy(&self, launches: Range<u64>, factor: u64) {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_busy)(launches.start, launches.end, factor) }
    }

    pub(super) fn flip_bit(&self, number: u64, offset: u64, bit: u32) -> bool {
        // SAFETY: it takes numbers.
        unsafe { (self.fake_flip_bit)(number, offset, bit) == 1 }
    }

    pub(super) fn read(&self, number: u64, offset: u64, bytes: usize) -> Option<Vec<u8>> {
        let mut held = vec![0; bytes];
        // SAFETY: there is as much room as it is told.
        (unsafe { (self.fake_read)(number, offset, held.as_mut_ptr(), held.len()) } == 1).then_some(held)
    }
}

/// A device as the driver takes it; one that C cannot count is none.
fn ordinal(device: u32) -> c_int {
    c_int::try_from(device).unwrap_or(-1)
}
