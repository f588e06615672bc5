//! What a device does with bytes: its own, and those of page-locked host memory, by address.

use crate::code::{Answer, ILLEGAL_ADDRESS};
use crate::state::State;

/// How many bytes are moved at once.
const PIECE: u64 = 1 << 16;

impl State {
    /// Whether a whole range lies in one allocation of a device or in one piece of page-locked memory.
    pub(crate) fn holds(&self, address: u64, bytes: u64) -> bool {
        self.devices.iter().any(|device| device.memory.holds(address, bytes)) || self.pinned.holds(address, bytes)
    }

    /// Fills `into` from `address` on.
    pub(crate) fn load(&self, address: u64, into: &mut [u8]) -> Answer {
        let bytes = u64::try_from(into.len()).map_err(|_| ILLEGAL_ADDRESS)?;
        match self.devices.iter().find(|device| device.memory.holds(address, bytes)) {
            Some(device) => {
                device.memory.read(address, into);
                Ok(())
            }
            None => self.pinned.read(address, into).map_err(|_| ILLEGAL_ADDRESS),
        }
    }

    /// Writes `from` from `address` on.
    pub(crate) fn store(&mut self, address: u64, from: &[u8]) -> Answer {
        let bytes = u64::try_from(from.len()).map_err(|_| ILLEGAL_ADDRESS)?;
        match self.devices.iter_mut().find(|device| device.memory.holds(address, bytes)) {
            Some(device) => {
                device.memory.write(address, from);
                Ok(())
            }
            None => self.pinned.write(address, from).map_err(|_| ILLEGAL_ADDRESS),
        }
    }

    pub(crate) fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Answer {
        if !self.holds(to, bytes) || !self.holds(from, bytes) {
            return Err(ILLEGAL_ADDRESS);
        }
        let mut buffer = Vec::new();
        for (offset, length) in pieces(bytes) {
            buffer.resize(length, 0);
            self.load(from.saturating_add(offset), &mut buffer)?;
            self.store(to.saturating_add(offset), &buffer)?;
        }
        Ok(())
    }

    pub(crate) fn fill(&mut self, to: u64, value: u8, bytes: u64) -> Answer {
        if !self.holds(to, bytes) {
            return Err(ILLEGAL_ADDRESS);
        }
        if let Some(device) = self.devices.iter_mut().find(|device| device.memory.holds(to, bytes)) {
            device.memory.fill(to, value, bytes);
            return Ok(());
        }
        for (offset, length) in pieces(bytes) {
            self.store(to.saturating_add(offset), &vec![value; length])?;
        }
        Ok(())
    }
}

/// A length cut into pieces: where each begins, and how long it is.
pub(crate) fn pieces(bytes: u64) -> impl Iterator<Item = (u64, usize)> {
    let mut offset = 0_u64;
    std::iter::from_fn(move || {
        let rest = bytes.saturating_sub(offset).min(PIECE);
        let piece = (offset, usize::try_from(rest).unwrap_or(0));
        offset = offset.saturating_add(rest);
        (rest > 0).then_some(piece)
    })
}
