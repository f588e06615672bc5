//! Streams: queues of work that is done when somebody waits for it, and not before.

use std::collections::VecDeque;
use std::time::Instant;

use crate::code::{Answer, INVALID_HANDLE};
use crate::kernels::Launch;
use crate::state::State;

/// `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD`, which stand for the default stream as 0 does.
const DEFAULT_STREAMS: [usize; 3] = [0, 1, 2];

/// A stream.
pub(crate) struct Stream {
    pub(crate) device: usize,
    /// Whether it waits for the default stream, and that one for it.
    pub(crate) blocking: bool,
    queue: VecDeque<Work>,
    /// How many pieces of work were done.
    done: u64,
}

/// A piece of work in a stream. Addresses were in bounds when it was given.
pub(crate) enum Work {
    /// Bytes that were taken from the host when the work was given.
    Write {
        to: u64,
        bytes: Vec<u8>,
    },
    /// From device or page-locked memory to the same.
    Copy {
        to: u64,
        from: u64,
        bytes: u64,
    },
    Fill {
        to: u64,
        value: u8,
        bytes: u64,
    },
    Launch(Launch),
    Record {
        event: usize,
    },
    /// Waits for another stream.
    Wait {
        stream: usize,
        until: u64,
    },
    /// Work that a planted fault makes fail.
    Fail(u32),
}

impl Stream {
    pub(crate) fn new(device: usize, blocking: bool) -> Self {
        Self { device, blocking, queue: VecDeque::new(), done: 0 }
    }

    /// How many pieces of work were ever given to it.
    pub(crate) fn given(&self) -> u64 {
        self.done.saturating_add(u64::try_from(self.queue.len()).unwrap_or(u64::MAX))
    }

    /// Whether the first `until` pieces of work are done.
    pub(crate) fn has_done(&self, until: u64) -> bool {
        self.done >= until
    }
}

impl State {
    /// The handle of a stream in the books, and its device, for a handle that a program gave.
    ///
    /// # Errors
    /// When there is no such stream, no context is current, or the device is lost.
    pub(crate) fn stream(&mut self, given: usize) -> Answer<(usize, usize)> {
        let handle = if DEFAULT_STREAMS.contains(&given) {
            let index = self.current()?;
            self.of(index)?.default_stream
        } else {
            given
        };
        let index = self.streams.get(&handle).ok_or(INVALID_HANDLE)?.device;
        self.of(index)?.usable()?;
        Ok((handle, index))
    }

    /// Gives a stream a piece of work. The default stream and those that wait for it take turns: what the others were given
    /// before is done first.
    pub(crate) fn give(&mut self, handle: usize, work: Work) -> Answer {
        let work = self.doomed.take().map_or(work, Work::Fail);
        let stream = self.streams.get(&handle).ok_or(INVALID_HANDLE)?;
        let (index, blocking) = (stream.device, stream.blocking);
        let default = self.of(index)?.default_stream;
        if handle == default {
            self.finish_blocking(index);
        } else if blocking {
            self.finish(default);
        }
        self.streams.get_mut(&handle).ok_or(INVALID_HANDLE)?.queue.push_back(work);
        Ok(())
    }

    /// Does all the work of a stream.
    pub(crate) fn finish(&mut self, handle: usize) {
        let given = self.streams.get(&handle).map_or(0, Stream::given);
        self.finish_until(handle, given);
    }

    /// Does the first `until` pieces of a stream's work.
    pub(crate) fn finish_until(&mut self, handle: usize, until: u64) {
        while let Some(stream) = self.streams.get_mut(&handle).filter(|stream| !stream.has_done(until)) {
            let Some(work) = stream.queue.pop_front() else { return };
            stream.done = stream.done.saturating_add(1);
            let index = stream.device;
            if let Err(code) = self.work(index, work)
                && let Ok(device) = self.of(index)
            {
                device.fail_later(code);
            }
        }
    }

    /// Does the work of the default stream and of those that take turns with it, as a call without a stream waits for.
    pub(crate) fn finish_blocking(&mut self, index: usize) {
        self.finish_those(|stream| stream.device == index && stream.blocking);
    }

    /// Does all the work of a device.
    pub(crate) fn finish_all(&mut self, index: usize) {
        self.finish_those(|stream| stream.device == index);
    }

    fn finish_those(&mut self, which: impl Fn(&Stream) -> bool) {
        let handles: Vec<usize> = self.streams.iter().filter(|(_, stream)| which(stream)).map(|(h, _)| *h).collect();
        for handle in handles {
            self.finish(handle);
        }
    }

    fn work(&mut self, index: usize, work: Work) -> Answer {
        // A device that is lost does nothing any more.
        self.of(index)?.usable()?;
        match work {
            Work::Write { to, bytes } => self.store(to, &bytes),
            Work::Copy { to, from, bytes } => self.copy(to, from, bytes),
            Work::Fill { to, value, bytes } => self.fill(to, value, bytes),
            Work::Launch(launch) => self.run(launch),
            Work::Record { event } => {
                // An event that was destroyed in the meantime is recorded nowhere.
                if let Ok(event) = self.event(event) {
                    event.reached = Some(Instant::now());
                }
                Ok(())
            }
            Work::Wait { stream, until } => {
                self.finish_until(stream, until);
                Ok(())
            }
            // Work that was to be left undone without a word.
            Work::Fail(0) => Ok(()),
            Work::Fail(code) => Err(code),
        }
    }
}
