//! The functions by which a test controls the driver. None has an address in it: devices go by their ordinal, allocations by
//! their number, and number 0 is the plan for an allocation that is still to come. Those that can fail return 1 when they did
//! what was asked, else 0.

use std::ffi::{c_int, c_uint};

use crate::code::UNKNOWN;
use crate::device::Device;
use crate::faults::Fault;
use crate::memory::Allocation;
use crate::pointer::Override;
use crate::state::{Busy, Plan, State, lock};

/// Begins anew, with `devices` devices that nobody has used. What programs hold of before names nothing any more.
#[unsafe(no_mangle)]
extern "C" fn fake_reset(devices: u64) {
    let mut state = lock();
    state.reset();
    state.devices = (0..usize::try_from(devices).unwrap_or(0)).map(Device::new).collect();
}

/// Sets a device attribute, by the number that `CUdevice_attribute` gives it.
#[unsafe(no_mangle)]
extern "C" fn fake_set_attribute(device: c_int, attribute: c_int, value: c_int) -> c_uint {
    change(device, |device| device.set_attribute(attribute, value))
}

/// Sets how much memory a device has, and how much of it other processes use.
#[unsafe(no_mangle)]
extern "C" fn fake_set_capacity(device: c_int, total: u64, used_elsewhere: u64) -> c_uint {
    change(device, |device| {
        device.total_bytes = total;
        device.used_elsewhere = used_elsewhere;
    })
}

/// Sets a device's name.
///
/// # Safety
/// `name` may be read, `length` bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_set_name(device: c_int, name: *const u8, length: usize) -> c_uint {
    // SAFETY: as the caller vouches.
    let name = unsafe { bytes(name, length) };
    change(device, |device| device.name = name.to_vec())
}

/// Sets a device's uuid.
///
/// # Safety
/// `uuid` may be read, 16 bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_set_uuid(device: c_int, uuid: *const u8) -> c_uint {
    // SAFETY: as the caller vouches.
    let uuid = unsafe { bytes(uuid, 16) };
    change(device, |device| device.uuid = uuid.try_into().unwrap_or_default())
}

/// Makes work on a device fail with `code`: whoever waits next learns of it.
#[unsafe(no_mangle)]
extern "C" fn fake_fail_device(device: c_int, code: c_uint) -> c_uint {
    change(device, |device| device.fail_later(code))
}

/// Whether a device is lost: every call that needs it fails, and nothing can be given back to it.
#[unsafe(no_mangle)]
extern "C" fn fake_is_lost(device: c_int) -> c_uint {
    lock().device(device).map_or(0, |device| c_uint::from(device.is_lost()))
}

/// Whether `needle` stands anywhere in a device's memory, also in what was freed.
///
/// # Safety
/// `needle` may be read, `length` bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_memory_holds(device: c_int, needle: *const u8, length: usize) -> c_uint {
    // SAFETY: as the caller vouches.
    let needle = unsafe { bytes(needle, length) };
    let mut state = lock();
    state.device(device).map_or(0, |device| c_uint::from(device.memory.contains(needle)))
}

/// Whether page-locked memory that was not given back holds a byte that is not zero.
#[unsafe(no_mangle)]
extern "C" fn fake_pinned_holds_data() -> c_uint {
    c_uint::from(lock().pinned.have_data())
}

/// Plants a fault: the `nth` call from now on of a function (of any, when the name is empty), and `times` calls in a row,
/// return `code` and do nothing. With `later` the call succeeds, its work is not done, and whoever waits learns of it; with
/// code 0 as well, nobody does.
///
/// # Safety
/// `function` may be read, `length` bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_plant(function: *const u8, length: usize, nth: u64, times: u64, code: c_uint, later: c_uint) {
    // SAFETY: as the caller vouches.
    let function = unsafe { bytes(function, length) }.to_vec();
    // A call without work that fails without a code would be no fault.
    let code = if code == 0 && later == 0 { UNKNOWN } else { code };
    lock().faults.plant(Fault { function, calls_left: nth, times, code, later: later != 0 });
}

/// How often a planted fault struck.
#[unsafe(no_mangle)]
extern "C" fn fake_struck() -> u64 {
    lock().faults.struck
}

/// Writes the names of the functions that were called, each with a line feed, and returns how many bytes that takes. With
/// too little room nothing is written.
///
/// # Safety
/// `into` may be written to, `room` bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_journal(into: *mut u8, room: usize) -> usize {
    let text: String = lock().journal.iter().flat_map(|name| [*name, "\n"]).collect();
    if room > 0 && text.len() <= room {
        // SAFETY: as the caller vouches; the text is this function's own.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), into, text.len()) };
    }
    text.len()
}

/// Forgets the calls so far.
#[unsafe(no_mangle)]
extern "C" fn fake_clear_journal() {
    lock().journal.clear();
}

/// Writes nine numbers of what was not given back: allocations, their bytes, pieces of page-locked memory, streams, events,
/// modules, holds on contexts, what went away with a context that could have been given back before, and pieces of
/// page-locked memory that were given back with data in them.
///
/// # Safety
/// `into` may be written to, nine elements long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_leaks(into: *mut u64) {
    let state = lock();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let sum = |of: &dyn Fn(&Device) -> u64| state.devices.iter().fold(0, |sum: u64, d| sum.saturating_add(of(d)));
    let own_streams = state.devices.iter().filter(|device| device.context != 0).count();
    let leaks = [
        sum(&|device| number(device.memory.allocations().count())),
        sum(&|device| device.memory.used_bytes()),
        state.pinned.count(),
        number(state.streams.len().saturating_sub(own_streams)),
        number(state.events.len()),
        number(state.modules.len()),
        sum(&|device| device.retained),
        state.abandoned,
        state.pinned.freed_with_data,
    ];
    // SAFETY: as the caller vouches.
    unsafe { into.cast::<[u64; 9]>().write_unaligned(leaks) };
}

/// Writes three numbers of each allocation in the order of their making (its own number, its device, its bytes) and returns
/// how many allocations there are. With room for fewer nothing is written.
///
/// # Safety
/// `into` may be written to, three times `room` elements long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_allocations(into: *mut u64, room: usize) -> usize {
    let state = lock();
    let mut all = Vec::new();
    for (ordinal, device) in state.devices.iter().enumerate() {
        let ordinal = u64::try_from(ordinal).unwrap_or(u64::MAX);
        all.extend(device.memory.allocations().map(|(_, allocation)| [allocation.number, ordinal, allocation.bytes]));
    }
    all.sort_unstable();
    if room > 0 && all.len() <= room {
        // SAFETY: as the caller vouches; the list is this function's own.
        unsafe { std::ptr::copy_nonoverlapping(all.as_ptr(), into.cast(), all.len()) };
    }
    all.len()
}

/// Begins a plan for the next allocation of at least so many bytes: it gets what is set for number 0 from now on.
#[unsafe(no_mangle)]
extern "C" fn fake_plan(at_least: u64) {
    lock().plan = Some(Plan { at_least, tail_in_host: 0, overrides: Vec::new() });
}

/// Moves the last `tail` bytes of an allocation to host memory. Only the latency of loads tells.
#[unsafe(no_mangle)]
extern "C" fn fake_set_tail(number: u64, tail: u64) -> c_uint {
    let mut state = lock();
    match state.plan.as_mut().filter(|_| number == 0) {
        Some(plan) => {
            plan.tail_in_host = tail;
            1
        }
        None => with(&mut state, number, |_, allocation| allocation.tail_in_host = tail.min(allocation.bytes)),
    }
}

/// Has the driver answer `value` for an attribute of an allocation, from the byte `from` of it on. For
/// `CU_POINTER_ATTRIBUTE_RANGE_START_ADDR` the value says how many bytes before the allocation the range begins.
#[unsafe(no_mangle)]
extern "C" fn fake_override(number: u64, from: u64, attribute: c_uint, value: u64) -> c_uint {
    let lie = Override { from, attribute, value };
    let mut state = lock();
    match state.plan.as_mut().filter(|_| number == 0) {
        Some(plan) => {
            plan.overrides.push(lie);
            1
        }
        None => with(&mut state, number, |_, allocation| allocation.overrides.push(lie)),
    }
}

/// Makes the launches of `probe` from number `begin` to before `end`, counted from 0 on from now, find latencies that are `factor`
/// times as long, as on a device that is busy.
#[unsafe(no_mangle)]
extern "C" fn fake_busy(begin: u64, end: u64, factor: u64) {
    lock().busy = Busy { launches: begin..end, factor, seen: 0 };
}

/// Flips one bit of an allocation.
#[unsafe(no_mangle)]
extern "C" fn fake_flip_bit(number: u64, offset: u64, bit: c_uint) -> c_uint {
    let mut state = lock();
    let Some(address) = within(&mut state, number, offset, 1) else { return 0 };
    let Some(mask) = 1_u8.checked_shl(bit) else { return 0 };
    let mut byte = [0];
    let done = state.load(address, &mut byte).and_then(|()| {
        let flipped = byte.map(|byte| byte ^ mask);
        state.store(address, &flipped)
    });
    c_uint::from(done.is_ok())
}

/// Reads what an allocation holds now, beside all streams.
///
/// # Safety
/// `into` may be written to, `length` bytes long.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_read(number: u64, offset: u64, into: *mut u8, length: usize) -> c_uint {
    let mut state = lock();
    let Ok(bytes) = u64::try_from(length) else { return 0 };
    let Some(address) = within(&mut state, number, offset, bytes) else { return 0 };
    let mut held = vec![0; length];
    if state.load(address, &mut held).is_err() {
        return 0;
    }
    // SAFETY: as the caller vouches; `held` is this function's own.
    unsafe { std::ptr::copy_nonoverlapping(held.as_ptr(), into, length) };
    1
}

/// Changes a device.
fn change(device: c_int, change: impl FnOnce(&mut Device)) -> c_uint {
    c_uint::from(lock().device(device).map(change).is_ok())
}

/// Does something with an allocation and its first address.
fn with(state: &mut State, number: u64, act: impl FnOnce(u64, &mut Allocation)) -> c_uint {
    let found = state.devices.iter_mut().find_map(|device| device.memory.by_number(number));
    c_uint::from(found.map(|(address, allocation)| act(address, allocation)).is_some())
}

/// The address of a range of an allocation, if it lies within.
fn within(state: &mut State, number: u64, offset: u64, bytes: u64) -> Option<u64> {
    let mut found = None;
    with(state, number, |address, allocation| {
        let fits = offset.checked_add(bytes).is_some_and(|end| end <= allocation.bytes);
        found = fits.then_some(address.saturating_add(offset));
    });
    found
}

/// # Safety
/// `from` may be read, `length` bytes long, for as long as the slice is used.
unsafe fn bytes<'a>(from: *const u8, length: usize) -> &'a [u8] {
    if from.is_null() {
        return &[];
    }
    // SAFETY: as the caller vouches.
    unsafe { std::slice::from_raw_parts(from, length) }
}
