//! The lever at the last point before the network.

use std::sync::atomic::{AtomicBool, Ordering};

/// What holds frames back, whoever decides to send them. Shared with the threads that may pull or
/// loosen it, so that it works while the driver's thread is busy.
///
/// A frame that is on its way into the kernel while the brake is pulled still leaves; none does
/// that is fired afterwards.
#[derive(Debug, Default)]
pub struct Brake {
    paused: AtomicBool,
    safe_mode: AtomicBool,
}

impl Brake {
    /// Whether no frame leaves.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Lets no frame leave, or frames again. What was held back is lost, not kept.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether a limit was reached, so that only first frames of migrations leave.
    #[must_use]
    pub fn safe_mode(&self) -> bool {
        self.safe_mode.load(Ordering::Acquire)
    }

    /// Lets repeats leave again. The limits hold as before, and count what left before.
    pub fn leave_safe_mode(&self) {
        self.safe_mode.store(false, Ordering::Release);
    }

    /// Lets only first frames of migrations leave; returns whether this began it.
    pub fn enter_safe_mode(&self) -> bool {
        !self.safe_mode.swap(true, Ordering::AcqRel)
    }
}
