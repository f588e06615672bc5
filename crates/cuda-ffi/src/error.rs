//! What a driver call failed with.

use std::fmt;

/// An operation of a [`Device`](crate::Device), as errors and faults name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Device::facts`](crate::Device::facts).
    Facts,
    /// [`Device::capacity`](crate::Device::capacity).
    Capacity,
    /// [`Device::allocate`](crate::Device::allocate).
    Allocate,
    /// [`Device::allocation_facts`](crate::Device::allocation_facts).
    AllocationFacts,
    /// [`Device::write`](crate::Device::write).
    Write,
    /// [`Device::read`](crate::Device::read).
    Read,
    /// [`Device::overwrite`](crate::Device::overwrite).
    Overwrite,
    /// [`Device::free`](crate::Device::free).
    Free,
    /// [`Device::tree`](crate::Device::tree) and [`Device::tree_digest`](crate::Device::tree_digest).
    TreeDigest,
    /// [`Device::probe`](crate::Device::probe).
    Probe,
    /// [`Device::address`](crate::Device::address).
    Address,
    /// [`Device::synchronize`](crate::Device::synchronize).
    Synchronize,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 12] = [
        Self::Facts,
        Self::Capacity,
        Self::Allocate,
        Self::AllocationFacts,
        Self::Write,
        Self::Read,
        Self::Overwrite,
        Self::Free,
        Self::TreeDigest,
        Self::Probe,
        Self::Address,
        Self::Synchronize,
    ];

    /// The operation in the words of an error message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Facts => "read the device's facts",
            Self::Capacity => "read the device's capacity",
            Self::Allocate => "allocate device memory",
            Self::AllocationFacts => "read an allocation's facts",
            Self::Write => "write device memory",
            Self::Read => "read device memory",
            Self::Overwrite => "overwrite device memory",
            Self::Free => "free device memory",
            Self::TreeDigest => "hash device memory",
            Self::Probe => "probe device memory",
            Self::Address => "take the address of device memory",
            Self::Synchronize => "wait for the device",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A driver call that did not succeed: what was tried, and the driver's own code (`CUresult`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {operation}: the driver says {name} ({code}); {advice}", name = self.code_name(), advice = self.advice())]
pub struct DriverError {
    operation: Operation,
    code: u32,
}

impl DriverError {
    /// `CUDA_ERROR_INVALID_VALUE`: an argument is out of range, or the memory is not known to the device.
    pub const INVALID_VALUE: u32 = 1;
    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    pub const OUT_OF_MEMORY: u32 = 2;

    /// The error of `operation` with the driver's `code`.
    pub fn new(operation: Operation, code: u32) -> Self {
        Self { operation, code }
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The driver's code (`CUresult`).
    pub fn code(&self) -> u32 {
        self.code
    }

    /// The code's name in `cuda.h`; for a code that is not listed here `CUDA_ERROR_UNKNOWN`, while [`code`](Self::code)
    /// keeps the number.
    pub fn code_name(&self) -> &'static str {
        match self.code {
            1 => "CUDA_ERROR_INVALID_VALUE",
            2 => "CUDA_ERROR_OUT_OF_MEMORY",
            3 => "CUDA_ERROR_NOT_INITIALIZED",
            4 => "CUDA_ERROR_DEINITIALIZED",
            34 => "CUDA_ERROR_STUB_LIBRARY",
            46 => "CUDA_ERROR_DEVICE_UNAVAILABLE",
            100 => "CUDA_ERROR_NO_DEVICE",
            101 => "CUDA_ERROR_INVALID_DEVICE",
            201 => "CUDA_ERROR_INVALID_CONTEXT",
            209 => "CUDA_ERROR_NO_BINARY_FOR_GPU",
            214 => "CUDA_ERROR_ECC_UNCORRECTABLE",
            220 => "CUDA_ERROR_NVLINK_UNCORRECTABLE",
            222 => "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
            304 => "CUDA_ERROR_OPERATING_SYSTEM",
            400 => "CUDA_ERROR_INVALID_HANDLE",
            600 => "CUDA_ERROR_NOT_READY",
            700 => "CUDA_ERROR_ILLEGAL_ADDRESS",
            702 => "CUDA_ERROR_LAUNCH_TIMEOUT",
            709 => "CUDA_ERROR_CONTEXT_IS_DESTROYED",
            710 => "CUDA_ERROR_ASSERT",
            714 => "CUDA_ERROR_HARDWARE_STACK_ERROR",
            715 => "CUDA_ERROR_ILLEGAL_INSTRUCTION",
            716 => "CUDA_ERROR_MISALIGNED_ADDRESS",
            717 => "CUDA_ERROR_INVALID_ADDRESS_SPACE",
            718 => "CUDA_ERROR_INVALID_PC",
            719 => "CUDA_ERROR_LAUNCH_FAILED",
            800 => "CUDA_ERROR_NOT_PERMITTED",
            801 => "CUDA_ERROR_NOT_SUPPORTED",
            802 => "CUDA_ERROR_SYSTEM_NOT_READY",
            803 => "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            _ => "CUDA_ERROR_UNKNOWN",
        }
    }

    /// Whether the device had too little memory: the call can succeed once memory is released.
    pub fn is_out_of_memory(&self) -> bool {
        self.code == Self::OUT_OF_MEMORY
    }

    /// Whether the code leaves the driver's context unusable, so that every later call on the device fails as well.
    ///
    /// A code that is not listed in [`code_name`](Self::code_name) counts as lost.
    pub fn context_lost(&self) -> bool {
        matches!(self.code, 4 | 201 | 214 | 220 | 700 | 702 | 709 | 710 | 714..=719)
            || self.code_name() == "CUDA_ERROR_UNKNOWN"
    }

    fn advice(&self) -> &'static str {
        if self.is_out_of_memory() {
            "release a shard, or use a device with more memory"
        } else if self.context_lost() {
            "the device cannot be used any more: restart this process, and look at the driver's log"
        } else if self.code == Self::INVALID_VALUE {
            "the memory was freed, or the range lies outside of it"
        } else {
            "look the code up in the CUDA driver API, CUresult"
        }
    }
}
