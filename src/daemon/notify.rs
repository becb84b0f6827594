//! Words to the service manager (`sd_notify(3)`), and none where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager how things stand. Without `NOTIFY_SOCKET` it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifier {
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The service manager that this process's environment names, if any.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// How often [`Self::watchdog`] is due: twice in the time after which the service manager kills
    /// this process, as `sd_watchdog_enabled(3)` recommends. None where it does not watch.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
            .map(|limit| limit / 2)
            .filter(|interval| !interval.is_zero())
    }

    /// The start or a reload is finished.
    pub fn ready(&self) {
        self.say(&[NotifyState::Ready]);
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        // systemd takes the time since 253 and matches it with its own signal's.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.say(&[NotifyState::Reloading, now]),
            Err(_) => self.say(&[NotifyState::Reloading]),
        }
    }

    /// The process is about to end.
    pub fn stopping(&self) {
        self.say(&[NotifyState::Stopping]);
    }

    /// The process is alive.
    pub fn watchdog(&self) {
        self.say(&[NotifyState::Watchdog]);
    }

    /// How things stand, for `systemctl status`.
    pub fn status(&self, text: &str) {
        // A further line would be a further word to the service manager.
        let line = text.lines().next().unwrap_or_default();
        self.say(&[NotifyState::Status(line)]);
    }

    fn say(self, words: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(words) {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

#[cfg(test)]
mod tests;
