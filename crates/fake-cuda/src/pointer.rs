//! What the driver says of a pointer (`cuPointerGetAttribute`).

use crate::code::{Answer, INVALID_VALUE};
use crate::state::State;

const CONTEXT: u32 = 1;
const MEMORY_TYPE: u32 = 2;
const DEVICE_POINTER: u32 = 3;
const HOST_POINTER: u32 = 4;
const BUFFER_ID: u32 = 7;
const IS_MANAGED: u32 = 8;
const DEVICE_ORDINAL: u32 = 9;
const RANGE_START_ADDR: u32 = 11;
const RANGE_SIZE: u32 = 12;
const MAPPED: u32 = 13;

/// `CU_MEMORYTYPE_HOST` and `CU_MEMORYTYPE_DEVICE`.
const HOST: u64 = 1;
const DEVICE: u64 = 2;

/// An answer that a test put in the place of the truth.
#[derive(Clone, Copy)]
pub(crate) struct Override {
    /// From which byte of the allocation on.
    pub(crate) from: u64,
    pub(crate) attribute: u32,
    /// The value; for `RANGE_START_ADDR` how many bytes the range begins before the allocation.
    pub(crate) value: u64,
}

/// The attribute of a pointer.
///
/// # Errors
/// `CUDA_ERROR_INVALID_VALUE` for a pointer that the driver does not know and for an attribute that it does not have.
pub(crate) fn attribute(state: &State, attribute: u32, pointer: u64) -> Answer<u64> {
    for (ordinal, device) in state.devices.iter().enumerate() {
        let Some((begin, allocation)) = device.memory.containing(pointer) else { continue };
        let offset = pointer.saturating_sub(begin);
        let lie = allocation.overrides.iter().rfind(|lie| lie.attribute == attribute && lie.from <= offset);
        if let Some(lie) = lie {
            return Ok(if attribute == RANGE_START_ADDR { begin.wrapping_sub(lie.value) } else { lie.value });
        }
        return match attribute {
            CONTEXT => Ok(u64::try_from(device.context).unwrap_or(0)),
            MEMORY_TYPE => Ok(DEVICE),
            DEVICE_POINTER => Ok(pointer),
            BUFFER_ID => Ok(allocation.number),
            IS_MANAGED => Ok(0),
            DEVICE_ORDINAL => Ok(u64::try_from(ordinal).unwrap_or(u64::MAX)),
            RANGE_START_ADDR => Ok(begin),
            RANGE_SIZE => Ok(allocation.bytes),
            MAPPED => Ok(1),
            _ => Err(INVALID_VALUE),
        };
    }
    let (begin, bytes, ordinal) = state.pinned.containing(pointer).ok_or(INVALID_VALUE)?;
    match attribute {
        CONTEXT => Ok(state.devices.get(ordinal).and_then(|device| u64::try_from(device.context).ok()).unwrap_or(0)),
        MEMORY_TYPE => Ok(HOST),
        // Since there is unified addressing, every device reaches it.
        DEVICE_POINTER | HOST_POINTER => Ok(pointer),
        IS_MANAGED => Ok(0),
        DEVICE_ORDINAL => Ok(u64::try_from(ordinal).unwrap_or(u64::MAX)),
        RANGE_START_ADDR => Ok(begin),
        RANGE_SIZE => Ok(bytes),
        MAPPED => Ok(1),
        _ => Err(INVALID_VALUE),
    }
}

/// How many bytes the driver writes for an attribute.
pub(crate) fn width(attribute: u32) -> usize {
    match attribute {
        CONTEXT | DEVICE_POINTER | HOST_POINTER | BUFFER_ID | RANGE_START_ADDR | RANGE_SIZE => 8,
        _ => 4,
    }
}
