//! The primary context of a device: retained while anything of ours lives in it, and current only during a call.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

use cust::context::Context;
use cust::device::Device;
use cust::sys::{self, CUcontext};

use super::call::{direct, forget_failure, through_cust};
use crate::{DriverError, Operation};

/// A device's primary context, which the CUDA runtime and the frameworks on it use as well. Released with its last owner.
pub(super) struct Primary(Context);

impl Primary {
    pub(super) fn retain(device: Device) -> Result<Arc<Self>, DriverError> {
        let before = current(Operation::Open)?;
        let context = through_cust(Operation::Open, Context::new(device));
        // cust makes the context current and does not look whether that succeeded; `enter` does.
        forget_failure();
        make_current(before);
        Ok(Arc::new(Self(context?)))
    }

    /// Makes the context current on this thread until the answer is dropped; then the one that was current is current again,
    /// so a worker's own calls go on where they were.
    pub(super) fn enter(&self, operation: Operation) -> Result<Entered, DriverError> {
        let before = current(operation)?;
        // SAFETY: the context is retained as long as `self` lives, so its handle is valid.
        direct(operation, unsafe { sys::cuCtxSetCurrent(self.0.as_raw()) })?;
        Ok(Entered { before })
    }
}

/// While it lives the context is current on this thread.
#[must_use = "the context is current only while this lives"]
pub(super) struct Entered {
    /// Null when none was. It also keeps the value on the thread that it speaks of.
    before: CUcontext,
}

impl Drop for Entered {
    fn drop(&mut self) {
        make_current(self.before);
    }
}

fn current(operation: Operation) -> Result<CUcontext, DriverError> {
    let mut context = ptr::null_mut();
    // SAFETY: the driver writes one handle to a place that is there for it.
    direct(operation, unsafe { sys::cuCtxGetCurrent(&raw mut context) })?;
    Ok(context)
}

/// A context that somebody destroyed meanwhile cannot be made current again. No operation of ours is undone by that, so it is
/// no error of one.
fn make_current(context: CUcontext) {
    // SAFETY: null unbinds the thread's context; any other handle was this thread's current context a call ago.
    if let Err(error) = direct(Operation::Open, unsafe { sys::cuCtxSetCurrent(context) }) {
        let (function, code) = (error.function(), error.code());
        tracing::warn!(
            function,
            code,
            "this thread's former context is not current again: its next CUDA calls may fail"
        );
    }
}

/// An object that lives in a context: a stream, an event, a module, memory. It keeps the context, and is given back to the
/// driver while that is current.
pub(super) struct Owned<T> {
    object: ManuallyDrop<T>,
    give_back: fn(T),
    context: Arc<Primary>,
}

impl<T> Owned<T> {
    /// `give_back` is called once, with the context current.
    pub(super) fn new(context: &Arc<Primary>, object: T, give_back: fn(T)) -> Self {
        Self { object: ManuallyDrop::new(object), give_back, context: Arc::clone(context) }
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // A context that cannot be made current is lost, and what was in it went with it.
        if let Ok(_entered) = self.context.enter(Operation::Open) {
            // SAFETY: this is the only place that takes the object, and nobody can use it after `drop`.
            (self.give_back)(unsafe { ManuallyDrop::take(&mut self.object) });
            forget_failure();
        }
    }
}
