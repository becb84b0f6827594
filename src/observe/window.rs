//! So many in so much time, whichever stretch of time one looks at.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Instant;

/// At most `most` in any stretch of `span`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::observe) struct Window {
    most: usize,
    span: Duration,
    /// When the latest were taken, `most` at most.
    taken: VecDeque<Instant>,
}

impl Window {
    /// At most `most` in any second.
    pub(in crate::observe) const fn second(most: usize) -> Self {
        Self {
            most,
            span: Duration::from_secs(1),
            taken: VecDeque::new(),
        }
    }

    /// How long until one more may be taken; zero where it may at once.
    pub(in crate::observe) fn wait(&self, now: Instant) -> Duration {
        match self.taken.front() {
            Some(&oldest) if self.taken.len() >= self.most => {
                (oldest + self.span).saturating_since(now)
            }
            _ => Duration::ZERO,
        }
    }

    /// Takes one.
    pub(in crate::observe) fn take(&mut self, now: Instant) {
        if self.taken.len() >= self.most {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }

    /// Whether it is as if nothing had ever been taken.
    pub(in crate::observe) fn is_idle(&self, now: Instant) -> bool {
        let latest = self.taken.back();
        latest.is_none_or(|&latest| latest + self.span <= now)
    }
}

#[cfg(test)]
mod tests;
