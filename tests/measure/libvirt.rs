//! Somebody else's hand on the domain of libvirt's test driver, which runs within this process.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use macmoved::model::GuestId;
use virt::connect::Connect;

pub(crate) const URI: &str = "test:///default";

enum Hand {
    Suspend,
    ResumeAfter(Duration),
}

/// A thread with a connection of its own.
pub(crate) struct Libvirt(Sender<Hand>);

impl Libvirt {
    pub(crate) fn open(guest: GuestId) -> Self {
        let (sender, hands) = channel();
        thread::spawn(move || {
            let connection = Connect::open(Some(URI)).unwrap();
            let uuid = guest.to_string();
            let domain = connection.lookup_domain_by_uuid_string(&uuid).unwrap();
            for hand in hands {
                match hand {
                    Hand::Suspend => {
                        domain.suspend().unwrap();
                    }
                    Hand::ResumeAfter(pause) => {
                        thread::sleep(pause);
                        domain.resume().unwrap();
                    }
                }
            }
        });
        Self(sender)
    }

    pub(crate) fn suspend(&self) {
        self.0.send(Hand::Suspend).unwrap();
    }

    pub(crate) fn resume_after(&self, pause: Duration) {
        self.0.send(Hand::ResumeAfter(pause)).unwrap();
    }
}
