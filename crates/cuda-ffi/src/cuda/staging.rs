//! Copies between the host and the device, through a page-locked area of two halves: while the device copies one half, the
//! host fills or empties the other. The area held weights, so it is zeroised after every copy.

use std::mem;
use std::sync::Arc;

use cust::context::CurrentContext;
use cust::event::{Event, EventFlags};
use cust::stream::{Stream, StreamFlags};
use cust::sys;

use super::call::{direct, forget_failure, through_cust};
use super::context::{Owned, Primary};
use super::pinned::Pinned;
use crate::{DriverError, Operation};

/// A half's length in bytes: four turns for the 4 MiB that sealing writes at a time, and long enough that starting a copy
/// does not show.
const HALF_BYTES: usize = 1 << 20;

/// One device's staging area, and the stream on which its copies run in order.
pub(super) struct Staging {
    stream: Owned<Stream>,
    halves: [Half; 2],
}

/// Half of the area, and the end of the last copy that used it.
struct Half {
    memory: Pinned,
    done: Owned<Event>,
}

impl Staging {
    /// The context must be current.
    pub(super) fn new(context: &Arc<Primary>) -> Result<Self, DriverError> {
        let stream = through_cust(Operation::Open, Stream::new(StreamFlags::DEFAULT, None))?;
        let stream = Owned::new(context, stream, drop);
        Ok(Self { stream, halves: [Half::new(context)?, Half::new(context)?] })
    }

    /// Copies `bytes` to the device memory at `to`, and returns when they are there.
    ///
    /// # Safety
    /// The context is current, and `bytes.len()` bytes at `to` are allocated in it and stay so until this returns.
    pub(super) unsafe fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), DriverError> {
        let [mut next, mut other] = self.halves.each_mut();
        let sent = bytes.chunks(HALF_BYTES).zip((to..).step_by(HALF_BYTES)).try_for_each(|(part, to)| {
            // SAFETY: the caller vouches for the range that `part` goes to.
            let started = unsafe { next.send(&self.stream, to, part) };
            mem::swap(&mut next, &mut other);
            started
        });
        self.settle(Operation::Write, bytes.len(), sent)
    }

    /// Fills `bytes` from the device memory at `from`. After a failure some of them may be filled.
    ///
    /// # Safety
    /// As for [`Staging::write`].
    pub(super) unsafe fn read(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), DriverError> {
        let len = bytes.len();
        let [mut next, mut other] = self.halves.each_mut();
        // What the half that is not next is being filled for.
        let mut awaited: Option<&mut [u8]> = None;
        let fetched = bytes.chunks_mut(HALF_BYTES).zip((from..).step_by(HALF_BYTES)).try_for_each(|(part, from)| {
            // SAFETY: the caller vouches for the range that `part` comes from.
            unsafe { next.fetch(&self.stream, from, part.len())? };
            let filled = awaited.replace(part).map_or(Ok(()), |before| other.deliver(before));
            mem::swap(&mut next, &mut other);
            filled
        });
        let fetched = fetched.and_then(|()| awaited.map_or(Ok(()), |last| other.deliver(last)));
        self.settle(Operation::Read, len, fetched)
    }

    /// Ends a copy of `len` bytes that went as `result` says: waits for the device, and zeroises what was used.
    fn settle(&mut self, operation: Operation, len: usize, result: Result<(), DriverError>) -> Result<(), DriverError> {
        let stopped = through_cust(operation, self.stream.synchronize());
        if stopped.is_err() {
            // The wait may have failed while a copy goes on. What this one fails with is told by the first.
            let _ = CurrentContext::synchronize();
            forget_failure();
        }
        let mut left = len;
        for half in &mut self.halves {
            // SAFETY: the stream was waited for, or else the whole context. Where that failed as well the driver does not say
            // that a copy still runs, and one that does reads or writes bytes that live as long as the context and that nobody
            // relies on: the copy is reported as failed.
            let used = unsafe { half.memory.bytes_mut() };
            wipe(used.get_mut(..left.min(HALF_BYTES)).unwrap_or_default());
            left = left.saturating_sub(HALF_BYTES);
        }
        result.and(stopped)
    }
}

impl Half {
    fn new(context: &Arc<Primary>) -> Result<Self, DriverError> {
        let memory = Pinned::allocate(context, HALF_BYTES)?;
        let done = through_cust(Operation::Open, Event::new(EventFlags::DISABLE_TIMING))?;
        Ok(Self { memory, done: Owned::new(context, done, drop) })
    }

    /// Waits for the last copy out of this half, and starts the copy of `part`, which fits.
    ///
    /// # Safety
    /// As for [`Staging::write`].
    unsafe fn send(&mut self, stream: &Stream, to: u64, part: &[u8]) -> Result<(), DriverError> {
        through_cust(Operation::Write, self.done.synchronize())?;
        // SAFETY: the last copy is done, and the slice is given up before the next one starts.
        let staged = unsafe { self.memory.bytes_mut() };
        let refused = DriverError::new(Operation::Write, DriverError::INVALID_VALUE);
        let staged = staged.get_mut(..part.len()).ok_or(refused)?;
        staged.copy_from_slice(part);
        let (staged, len) = (staged.as_ptr().cast(), staged.len());
        // SAFETY: `len` bytes were just written from `staged` on, and stay as they are until `done`; the caller vouches for
        // `to` and for the context.
        direct(Operation::Write, unsafe { sys::cuMemcpyHtoDAsync_v2(to, staged, len, stream.as_inner()) })?;
        through_cust(Operation::Write, self.done.record(stream))
    }

    /// Starts a copy of `len` bytes, which fit, into this half; the bytes of the one before were delivered.
    ///
    /// # Safety
    /// As for [`Staging::write`].
    unsafe fn fetch(&mut self, stream: &Stream, from: u64, len: usize) -> Result<(), DriverError> {
        // SAFETY: the last copy is done, since its bytes were delivered, and the slice is given up before the next one starts.
        let place = unsafe { self.memory.bytes_mut() };
        let len = len.min(place.len());
        // SAFETY: `place` holds `len` bytes, and nobody reads or writes them until `done`; the caller vouches for `from` and
        // for the context.
        let started = unsafe { sys::cuMemcpyDtoHAsync_v2(place.as_mut_ptr().cast(), from, len, stream.as_inner()) };
        direct(Operation::Read, started)?;
        through_cust(Operation::Read, self.done.record(stream))
    }

    /// Waits for the copy into this half, and hands the bytes over.
    fn deliver(&mut self, part: &mut [u8]) -> Result<(), DriverError> {
        through_cust(Operation::Read, self.done.synchronize())?;
        // SAFETY: the copy is done, and the next into this half starts after this returns.
        let staged = unsafe { self.memory.bytes_mut() };
        let refused = DriverError::new(Operation::Read, DriverError::INVALID_VALUE);
        part.copy_from_slice(staged.get(..part.len()).ok_or(refused)?);
        Ok(())
    }
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Without it the compiler may leave out stores that nothing reads.
    zeroize::optimization_barrier(bytes);
}
