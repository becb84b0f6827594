//! QEMU's announcement schedule (`AnnounceParameters` in `qapi/net.json`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often and how far apart a guest is announced, under QAPI's names.
///
/// As in QEMU's `net/announce.c` the first round goes at once and `initial` is the gap between the
/// first and the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// Gap between the first and the second round.
    pub initial: Duration,
    /// No gap grows beyond this.
    pub max: Duration,
    /// How many rounds.
    pub rounds: u8,
    /// By how much each gap is longer than the one before it.
    pub step: Duration,
}

impl Default for Rounds {
    /// QEMU's own: five rounds at 0, 50, 200, 450 and 800 ms.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(50),
            max: Duration::from_millis(550),
            rounds: 5,
            step: Duration::from_millis(100),
        }
    }
}

impl Rounds {
    /// Time from the first round to round `round`, counted from 1; none past the last.
    #[must_use]
    pub fn offset(&self, round: u8) -> Option<Duration> {
        if round == 0 || round > self.rounds {
            return None;
        }
        let gap = |index: u8| {
            let grown = self.step.saturating_mul(u32::from(index));
            self.initial.saturating_add(grown).min(self.max)
        };
        Some(
            (0..round - 1)
                .map(gap)
                .fold(Duration::ZERO, Duration::saturating_add),
        )
    }
}

#[cfg(test)]
mod tests;
