//! What a driver call failed with.

use std::fmt;

use crate::codes;

/// An operation of a [`Device`](crate::Device), as errors and faults name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opening the device, before there is a [`Device`](crate::Device).
    Open,
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
    /// Every operation of a device that is open.
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
            Self::Open => "open the device",
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

/// What a driver call failed with: what was tried, the driver's function and its own code (`CUresult`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {operation}: {cause}; {advice}", advice = self.advice())]
pub struct DriverError {
    operation: Operation,
    cause: Cause,
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Cause {
    /// A code of the driver. Without a function, the call was refused before the driver was asked.
    #[error("{} says {} ({code})", .function.unwrap_or("the driver"), name_of(*.code))]
    Code { function: Option<&'static str>, code: u32 },
    /// The driver reported success, and a look at the memory found otherwise.
    #[error("byte {offset} was not zero after cuMemsetD8_v2 had reported success")]
    Residue { offset: u64 },
    /// The driver reported success for a launch, and its results were not written.
    #[error("the results of a kernel were not there after cuLaunchKernel had reported success")]
    Undone,
}

impl DriverError {
    /// `CUDA_ERROR_INVALID_VALUE`: an argument is out of range, or the memory is not known to the device.
    pub const INVALID_VALUE: u32 = 1;
    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    pub const OUT_OF_MEMORY: u32 = 2;

    /// The error of `operation` with the driver's `code`.
    pub fn new(operation: Operation, code: u32) -> Self {
        Self { operation, cause: Cause::Code { function: None, code } }
    }

    /// The error of `operation` when the driver's `function` returned `code`.
    pub fn of(operation: Operation, function: &'static str, code: u32) -> Self {
        Self { operation, cause: Cause::Code { function: Some(function), code } }
    }

    /// The error of an overwrite that the driver reported as done, while the byte at `offset` was not zero afterwards.
    pub fn residue(offset: u64) -> Self {
        Self { operation: Operation::Overwrite, cause: Cause::Residue { offset } }
    }

    /// The error of `operation` when the driver reported success for a kernel's launch, while some of its results were not
    /// written.
    pub fn undone(operation: Operation) -> Self {
        Self { operation, cause: Cause::Undone }
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The driver's function that failed, as the CUDA driver API names it; `None` when the driver was not asked.
    pub fn function(&self) -> Option<&'static str> {
        match self.cause {
            Cause::Code { function, .. } => function,
            Cause::Residue { .. } | Cause::Undone => None,
        }
    }

    /// The driver's code (`CUresult`), also one that is not known here; 0 when the driver reported success for what was
    /// found undone.
    pub fn code(&self) -> u32 {
        match self.cause {
            Cause::Code { code, .. } => code,
            Cause::Residue { .. } | Cause::Undone => 0,
        }
    }

    /// The code's name in `cuda.h`; for a code that is not known here `CUDA_ERROR_UNKNOWN`, while [`code`](Self::code)
    /// keeps the number.
    pub fn code_name(&self) -> &'static str {
        name_of(self.code())
    }

    /// Whether the device had too little memory: the call can succeed once memory is released.
    pub fn is_out_of_memory(&self) -> bool {
        self.code() == Self::OUT_OF_MEMORY
    }

    /// Whether the code leaves the driver's context unusable, so that every later call on the device fails as well.
    ///
    /// A code that is not known here counts as lost.
    pub fn context_lost(&self) -> bool {
        codes::loses_context(self.code())
    }

    fn advice(&self) -> &'static str {
        match self.cause {
            Cause::Residue { .. } => {
                return "the memory may still hold weights: stop using the device, and look for a driver that was tampered with";
            }
            Cause::Undone => return "stop using the device, and look for a driver that was tampered with",
            Cause::Code { .. } => {}
        }
        match self.code() {
            Self::OUT_OF_MEMORY => "release a shard, or use a device with more memory",
            Self::INVALID_VALUE => "the memory was freed, or the range lies outside of it",
            code => codes::advice(code).unwrap_or(if self.context_lost() {
                "the device cannot be used any more: restart this process, and look at the driver's log"
            } else {
                "look the code up in the CUDA driver API, CUresult"
            }),
        }
    }
}

fn name_of(code: u32) -> &'static str {
    codes::name(code).unwrap_or("CUDA_ERROR_UNKNOWN")
}
