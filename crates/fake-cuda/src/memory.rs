//! The memory of one device: sparse pages that outlive the allocations upon them.

use std::collections::BTreeMap;

use crate::code::{Answer, INVALID_VALUE, OUT_OF_MEMORY};
use crate::pointer::Override;

/// The length of a page in bytes. A page is there once something was written to it.
const PAGE: usize = 1 << 16;
/// Where an allocation may begin, as the driver promises at least.
const ALIGNMENT: u64 = 512;
/// What memory holds that nobody has written to: not zeros, so that nobody relies on them.
const FRESH: u8 = 0xA5;

/// An allocation.
pub(crate) struct Allocation {
    /// How tests call it: never given twice, so that they need no address.
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    /// How many bytes at its end lie in host memory, whatever the attributes say.
    pub(crate) tail_in_host: u64,
    /// What the driver says of it in place of the truth.
    pub(crate) overrides: Vec<Override>,
}

/// A page that something was written to. Large fills, such as a probe's control, take no room.
enum Page {
    Filled(u8),
    Written(Box<[u8]>),
}

impl Page {
    fn read(&self, offset: usize, into: &mut [u8]) {
        match self {
            Self::Filled(value) => into.fill(*value),
            Self::Written(bytes) => {
                if let Some(held) = bytes.get(offset..).and_then(|rest| rest.get(..into.len())) {
                    into.copy_from_slice(held);
                }
            }
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if let Self::Filled(value) = *self {
            *self = Self::Written(vec![value; PAGE].into_boxed_slice());
        }
        match self {
            Self::Filled(_) => &mut [],
            Self::Written(bytes) => bytes,
        }
    }
}

/// Pages and the allocations upon them. Addresses are those of the device.
pub(crate) struct Memory {
    start: u64,
    pages: BTreeMap<u64, Page>,
    allocations: BTreeMap<u64, Allocation>,
}

impl Memory {
    pub(crate) fn new(start: u64) -> Self {
        Self { start, pages: BTreeMap::new(), allocations: BTreeMap::new() }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.allocations.values().fold(0, |sum, allocation| sum.saturating_add(allocation.bytes))
    }

    pub(crate) fn allocations(&self) -> impl Iterator<Item = (u64, &Allocation)> {
        self.allocations.iter().map(|(address, allocation)| (*address, allocation))
    }

    pub(crate) fn by_number(&mut self, number: u64) -> Option<(u64, &mut Allocation)> {
        let mut all = self.allocations.iter_mut().map(|(address, allocation)| (*address, allocation));
        all.find(|(_, allocation)| allocation.number == number)
    }

    /// Places the allocation in the first gap that is large enough, so the next owner gets what the last one left.
    pub(crate) fn allocate(&mut self, allocation: Allocation) -> Answer<u64> {
        let mut address = self.start;
        for (begin, other) in &self.allocations {
            if begin.saturating_sub(address) >= allocation.bytes {
                break;
            }
            let end = begin.saturating_add(other.bytes);
            address = end.checked_next_multiple_of(ALIGNMENT).ok_or(OUT_OF_MEMORY)?;
        }
        self.allocations.insert(address, allocation);
        Ok(address)
    }

    /// Takes an allocation away by its first address. Its bytes stay where they are.
    pub(crate) fn free(&mut self, address: u64) -> Answer {
        self.allocations.remove(&address).map(|_| ()).ok_or(INVALID_VALUE)
    }

    /// Takes every allocation away and says how many there were.
    pub(crate) fn free_all(&mut self) -> u64 {
        let count = u64::try_from(self.allocations.len()).unwrap_or(u64::MAX);
        self.allocations.clear();
        count
    }

    /// The allocation that an address lies in, with its first address.
    pub(crate) fn containing(&self, address: u64) -> Option<(u64, &Allocation)> {
        let (begin, allocation) = self.allocations.range(..=address).next_back()?;
        (address.checked_sub(*begin)? < allocation.bytes).then_some((*begin, allocation))
    }

    /// Whether the whole range lies in one allocation.
    pub(crate) fn holds(&self, address: u64, bytes: u64) -> bool {
        self.containing(address).is_some_and(|(begin, allocation)| {
            address.checked_add(bytes).is_some_and(|end| end <= begin.saturating_add(allocation.bytes))
        })
    }

    /// Whether the byte at an address is secretly host memory.
    pub(crate) fn is_in_host(&self, address: u64) -> bool {
        self.containing(address).is_some_and(|(begin, allocation)| {
            address >= begin.saturating_add(allocation.bytes.saturating_sub(allocation.tail_in_host))
        })
    }

    /// Fills `into` from `address` on, allocated or not.
    pub(crate) fn read(&self, address: u64, into: &mut [u8]) {
        let mut parts = into;
        let mut at = address;
        while !parts.is_empty() {
            let (page, offset) = split(at);
            let (part, rest) = parts.split_at_mut(parts.len().min(PAGE.saturating_sub(offset)));
            match self.pages.get(&page) {
                Some(held) => held.read(offset, part),
                None => part.fill(FRESH),
            }
            at = at.saturating_add(length(part));
            parts = rest;
        }
    }

    /// Writes `bytes` from `address` on.
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        let mut parts = bytes;
        let mut at = address;
        while !parts.is_empty() {
            let (page, offset) = split(at);
            let (part, rest) = parts.split_at(parts.len().min(PAGE.saturating_sub(offset)));
            let page = self.pages.entry(page).or_insert(Page::Filled(FRESH)).bytes_mut();
            if let Some(held) = page.get_mut(offset..).and_then(|page| page.get_mut(..part.len())) {
                held.copy_from_slice(part);
            }
            at = at.saturating_add(length(part));
            parts = rest;
        }
    }

    /// Writes `bytes` times `value` from `address` on.
    pub(crate) fn fill(&mut self, address: u64, value: u8, bytes: u64) {
        let mut at = address;
        let mut left = bytes;
        while left > 0 {
            let (page, offset) = split(at);
            let room = PAGE.saturating_sub(offset);
            let part = usize::try_from(left).map_or(room, |left| left.min(room));
            if part == PAGE {
                self.pages.insert(page, Page::Filled(value));
            } else {
                self.write(at, &vec![value; part]);
            }
            let part = u64::try_from(part).unwrap_or(left);
            at = at.saturating_add(part);
            left = left.saturating_sub(part);
        }
    }

    /// Whether `needle` stands anywhere in the device, also in what nobody owns any more.
    pub(crate) fn contains(&self, needle: &[u8]) -> bool {
        let overlap = needle.len().saturating_sub(1);
        let mut before: Vec<u8> = Vec::new();
        let mut expected = None;
        for (index, page) in &self.pages {
            if expected != Some(*index) {
                before.clear();
            }
            let end = before.len();
            match page {
                // Within such a page nothing begins that is not all of its value: its first bytes stand for it.
                Page::Filled(value) if needle.len() < PAGE && needle.iter().any(|byte| byte != value) => {
                    before.resize(end.saturating_add(overlap), *value);
                }
                Page::Filled(value) => before.resize(end.saturating_add(PAGE), *value),
                Page::Written(bytes) => before.extend_from_slice(bytes),
            }
            if find(&before, needle) {
                return true;
            }
            before.drain(..before.len().saturating_sub(overlap));
            expected = index.checked_add(1);
        }
        false
    }
}

/// Whether `needle` stands in `bytes`; an empty one does not.
fn find(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// The page of an address and the offset in it.
fn split(address: u64) -> (u64, usize) {
    let page = PAGE as u64;
    // The remainder is below 2^16.
    (address.checked_div(page).unwrap_or(0), usize::try_from(address.checked_rem(page).unwrap_or(0)).unwrap_or(0))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
