//! Hears the UNARPs (RFC 1868) of others and says which are to be honoured. Deletes nothing.
//!
//! ```text
//!  PacketEar --> Unarps: is it one? --> Heard --> Rules: may it be acted on? --> the daemon,
//!                                                     ^            ^               which asks and
//!                                            prefixes, rates    Neighbour          deletes
//! ```

use std::io;

use crate::model::UnarpRefusal;
use crate::sys::clock;
use crate::sys::packet_ear::{PacketEar, Whom};

mod read;
mod rules;

pub use read::{HeardUnarp, read};
pub use rules::Rules;

use super::window::Window;

/// Frames that are read in a second. Somebody who floods the segment gets so much of this thread
/// and no more; the kernel's queue fills, and it drops and counts.
const FRAMES: usize = 1_000;

/// Room for a frame: twice an UNARP, for how long a longer one is the kernel tells.
const BUFFER: usize = 128;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An UNARP in form.
    Unarp(HeardUnarp),
    /// A frame like an UNARP that is none.
    Refused(UnarpRefusal),
    /// So many frames that nobody read.
    Lost(u64),
}

/// The ear for UNARPs, on every link of the network namespace.
#[derive(Debug)]
pub struct Unarps {
    socket: PacketEar,
    buffer: [u8; BUFFER],
    rate: Window,
    lost: u64,
}

impl Unarps {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// As [`PacketEar::of_unarps`]: `EPERM` without `CAP_NET_RAW`.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: PacketEar::of_unarps()?,
            buffer: [0; BUFFER],
            rate: Window::second(FRAMES),
            lost: 0,
        })
    }

    /// What is heard next; this host's own frames are not. Safe to cancel.
    pub async fn next(&mut self) -> Heard {
        loop {
            let lost = std::mem::take(&mut self.lost);
            if lost > 0 {
                return Heard::Lost(lost);
            }
            tokio::time::sleep(self.rate.wait(clock::now())).await;
            let received = self.socket.receive(&mut self.buffer).await;
            self.rate.take(clock::now());
            // What was dropped was dropped while something waited, so this comes soon enough.
            self.lost = self.socket.take_drops().unwrap_or_default();
            match received {
                Ok(received) if received.whom == Whom::Ours => {}
                Ok(received) => {
                    return read(&self.buffer, received).map_or_else(Heard::Refused, Heard::Unarp);
                }
                Err(error) => {
                    tracing::debug!(%error, "an UNARP cannot be received");
                    return Heard::Refused(UnarpRefusal::Kernel);
                }
            }
        }
    }
}
