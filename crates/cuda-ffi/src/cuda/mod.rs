//! The backend on the CUDA driver, through `cust`.
//!
//! Opening a device retains its primary context, loads our kernels and takes what copying and hashing need: whatever can fail
//! of that fails before memory holds weights, and the free memory that the device then reports is free indeed. Each operation
//! makes the context current on the calling thread and the former one again, so any thread may call.

mod backend;
mod books;
mod call;
mod compute;
mod context;
mod facts;
mod kernels;
mod memory;
mod nvml;
mod open;
mod pinned;
mod probing;
mod staging;

use std::sync::{Arc, Mutex};

use cust::device::Device as Ordinal;
use cust::sys::CUdevice_attribute as Attribute;

use crate::{DriverError, Operation};
use books::Books;
use call::{device_attribute, through_cust};
use compute::{Compute, Sizes};
use context::Primary;
use staging::Staging;

pub(crate) use open::open_devices;

/// A GPU behind the CUDA driver, or a device of the library that stands in for the driver in tests; its facts say which.
pub struct CudaDevice {
    index: u32,
    device: Ordinal,
    context: Arc<Primary>,
    books: Books,
    staging: Mutex<Staging>,
    compute: Mutex<Compute>,
}

/// The kernels, as they were built from `kernels/`.
static IMAGE: &[u8] = include_bytes!("../../../../kernels/images/vram_residency.fatbin");

impl CudaDevice {
    /// Opens the device at `index`.
    pub(crate) fn open(index: u32) -> Result<Self, DriverError> {
        let device = through_cust(Operation::Open, Ordinal::get_device(index))?;
        let context = Primary::retain(device)?;
        let current = context.enter(Operation::Open)?;
        let staging = Mutex::new(Staging::new(&context)?);
        let l2_bytes =
            device_attribute(Operation::Open, device.as_raw(), Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?;
        let sizes = Sizes::beside_l2_of(u64::try_from(l2_bytes).unwrap_or_default());
        let compute = Mutex::new(Compute::new(&context, IMAGE, sizes)?);
        drop(current);
        Ok(Self { index, device, context, books: Books::default(), staging, compute })
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        if !self.books.is_empty() {
            // Memory that was never freed is quarantined: it may hold weights. With its last owner the context would go, and
            // the driver would hand that memory to whoever asks next, so it is kept until the process ends.
            std::mem::forget(Arc::clone(&self.context));
        }
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
    use std::fmt::{Debug, Display};
    use std::marker::PhantomData;

    use super::*;

    /// Asks of a type whether it has Debug and Display: its own constants go before the trait's, where their bounds hold.
    struct Of<T>(PhantomData<T>);

    trait Otherwise {
        const DEBUG: bool = false;
        const DISPLAY: bool = false;
    }

    impl<T> Otherwise for Of<T> {}

    impl<T: Debug> Of<T> {
        const DEBUG: bool = true;
    }

    impl<T: Display> Of<T> {
        const DISPLAY: bool = true;
    }

    macro_rules! texts {
        ($($type:ty),+) => { [$((stringify!($type), Of::<$type>::DEBUG, Of::<$type>::DISPLAY)),+] };
    }

    #[test]
    fn what_holds_an_address_has_neither_debug_nor_display() {
        assert_eq!(texts!(u64, Option<u64>), [("u64", true, true), ("Option<u64>", true, false)]);
        for (name, debug, display) in texts!(
            crate::DeviceAddress,
            books::Allocation,
            books::Books,
            books::Held<()>,
            compute::Compute,
            context::Owned<u64>,
            facts::At,
            kernels::Probed,
            memory::Scratch,
            pinned::Pinned,
            staging::Staging,
            CudaDevice
        ) {
            assert!(!debug && !display, "{name}");
        }
    }

    #[test]
    fn the_image_is_a_fatbin() {
        assert_eq!(IMAGE[..4], 0xBA55_ED50_u32.to_le_bytes());
    }
}
