//! One guest's port.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::book::{Book, Change};
use super::foreign::Foreign;
use super::read::{Way, read};
use super::word::Word;
use crate::engine::{Event, Queue};
use crate::model::{GuestId, MacAddr};
use crate::observe::window::Window;
use crate::sys::clock;
use crate::sys::packet_ear::{PacketEar, Received, Whom};

/// Frames that are read in a second. A guest that talks to a busy network has some tens; of one
/// that floods, the kernel drops the rest and counts.
const FRAMES: usize = 100;

/// Room for a frame: the longest DHCP message that a client has to take is 576 octets (RFC 2131
/// section 2), and an Ethernet frame ends at 1,514.
const BUFFER: usize = 2_048;

/// How long after an error of the socket it is tried again: the link is down, or gone.
const AGAIN: Duration = Duration::from_secs(1);

/// What one port's listener has.
pub(super) struct Tap {
    pub(super) guest: GuestId,
    pub(super) mac: MacAddr,
    pub(super) ear: PacketEar,
    pub(super) book: Rc<RefCell<Book>>,
    pub(super) foreign: Rc<Mutex<Foreign>>,
    pub(super) changes: mpsc::Sender<Event>,
}

impl Tap {
    /// Listens until it is cancelled, or nobody wants to know.
    pub(super) async fn listen(self) {
        let mut buffer = vec![0; BUFFER].into_boxed_slice();
        let mut rate = Window::second(FRAMES);
        loop {
            tokio::time::sleep(rate.wait(clock::now())).await;
            let changes = tokio::select! {
                received = self.ear.receive(&mut buffer) => {
                    rate.take(clock::now());
                    match received {
                        Ok(received) => self.hear(&buffer, received).await,
                        Err(error) => {
                            tracing::debug!(%error, guest = %self.guest, "a port is not heard");
                            tokio::time::sleep(AGAIN).await;
                            Vec::new()
                        }
                    }
                }
                () = self.until_deadline() => self.book.borrow_mut().expire(clock::now()),
            };
            if !self.tell(changes).await {
                return;
            }
        }
    }

    async fn hear(&self, buffer: &[u8], received: Received) -> Vec<Change> {
        let Some(octets) = buffer.get(..received.length) else {
            return Vec::new();
        };
        let way = match received.whom {
            Whom::Ours => Way::ToGuest,
            Whom::Us | Whom::Others => Way::FromGuest,
        };
        let mut changes = Vec::new();
        for word in read(octets, way, self.mac) {
            let had = match &word {
                Word::Claim(ip) => Some(*ip),
                Word::Lease { ip, .. } => Some((*ip).into()),
                Word::Seek(_) | Word::Other(..) | Word::Refusal => None,
            };
            let foreign = match had {
                Some(ip) => self.foreign.lock().await.refuses(ip).await,
                None => None,
            };
            let now = clock::now();
            changes.extend(self.book.borrow_mut().hear(now, word, foreign));
        }
        changes
    }

    async fn until_deadline(&self) {
        let deadline = self.book.borrow().deadline();
        match deadline {
            Some(at) => tokio::time::sleep(at.saturating_since(clock::now())).await,
            None => std::future::pending().await,
        }
    }

    /// False where nobody listens any more.
    async fn tell(&self, changes: Vec<Change>) -> bool {
        let lost = self.ear.take_drops().unwrap_or_default();
        let lost = (lost > 0).then_some(Event::Dropped {
            queue: Queue::Addresses,
            count: lost,
        });
        let changes = changes.into_iter().map(|change| event(self.guest, change));
        for event in changes.chain(lost) {
            if self.changes.send(event).await.is_err() {
                return false;
            }
        }
        true
    }
}

/// A change as the engine takes it.
pub(super) const fn event(guest: GuestId, (sighting, standing): Change) -> Event {
    Event::Address {
        guest,
        sighting,
        standing,
    }
}
