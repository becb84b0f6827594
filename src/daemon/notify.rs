//! Words to the service manager (`sd_notify(3)`), and none where there is none.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager how things stand. Without `NOTIFY_SOCKET` it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifier {
    present: bool,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The service manager that this process's environment names, if any.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            present: socket().is_some(),
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

    /// The process is alive. False where the service manager has no room for the word: the caller
    /// never waits for it.
    #[must_use]
    pub fn watchdog(&self) -> bool {
        self.hint(&NotifyState::Watchdog)
    }

    /// How things stand, for `systemctl status`. False as with [`Self::watchdog`].
    #[must_use]
    pub fn status(&self, text: &str) -> bool {
        // A further line would be a further word to the service manager.
        let line = text.lines().next().unwrap_or_default();
        self.hint(&NotifyState::Status(line))
    }

    /// Says what may be lost.
    fn hint(self, word: &NotifyState<'_>) -> bool {
        let said = match socket().filter(|_| self.present) {
            Some(name) => send(&name, format!("{word}\n").as_bytes()),
            None => Ok(()),
        };
        if let Err(error) = &said {
            tracing::debug!(%error, "the service manager does not listen");
        }
        said.is_ok()
    }

    fn say(self, words: &[NotifyState<'_>]) {
        if self.present
            && let Err(error) = sd_notify::notify(words)
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

fn socket() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET")
}

/// Sends a datagram to the service manager without ever waiting; its name begins with `@` where it
/// is an abstract one.
fn send(name: &OsStr, word: &[u8]) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(word, &address).map(|_| ())
}

#[cfg(test)]
mod tests;
