//! Faults that tests plant: which function, at which of its calls, with which code.

/// A planted fault.
pub(crate) struct Fault {
    /// The function; empty for any.
    pub(crate) function: Vec<u8>,
    /// How many calls of it are left until the fault strikes; 1 is the next call.
    pub(crate) calls_left: u64,
    /// How many calls in a row it strikes.
    pub(crate) times: u64,
    /// What the driver answers.
    pub(crate) code: u32,
    /// Whether the call itself succeeds and its work fails on the device.
    pub(crate) later: bool,
}

/// The faults that are planted, and how often one struck.
#[derive(Default)]
pub(crate) struct Faults {
    planted: Vec<Fault>,
    pub(crate) struck: u64,
}

/// A fault that strikes now.
pub(crate) struct Strike {
    pub(crate) code: u32,
    pub(crate) later: bool,
}

impl Faults {
    pub(crate) fn plant(&mut self, fault: Fault) {
        self.planted.push(fault);
    }

    /// Counts a call of `function`; the first fault that is due strikes.
    pub(crate) fn on_call(&mut self, function: &str) -> Option<Strike> {
        let mut strike = None;
        for fault in &mut self.planted {
            if !fault.function.is_empty() && fault.function != function.as_bytes() {
                continue;
            }
            if fault.calls_left > 1 {
                fault.calls_left = fault.calls_left.saturating_sub(1);
            } else if strike.is_none() && fault.times > 0 {
                fault.times = fault.times.saturating_sub(1);
                strike = Some(Strike { code: fault.code, later: fault.later });
            }
        }
        self.planted.retain(|fault| fault.times > 0);
        self.struck = self.struck.saturating_add(u64::from(strike.is_some()));
        strike
    }
}
