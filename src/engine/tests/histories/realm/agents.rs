//! Agents that begin and die, and their connections to libvirt.

use std::time::Duration;

use super::{Item, LIST, Realm};
use crate::engine::tests::histories::GUESTS;
use crate::engine::tests::histories::host::Connection;
use crate::engine::tests::histories::laws::Sight;
use crate::engine::{Event, GuestFacts, Queue};

impl Realm {
    pub(in crate::engine::tests::histories) fn crash(&mut self, host: usize, down: Duration) {
        if self.scene.hosts[host].life.is_some() {
            self.scene.hosts[host].crash();
            self.see(&Sight::Crashed { host });
            self.plan_in(down, Item::Begin(host));
        }
    }

    /// An agent begins: it reads the links, and connects to libvirt.
    pub(super) fn begin(&mut self, host: usize) {
        self.scene.hosts[host].begin();
        self.input(host, Event::Clock { offset: 1_000 });
        for guest in 0..GUESTS {
            self.tell_links(host, guest);
        }
        let session = self.scene.hosts[host].session;
        self.plan_in(LIST, Item::Connect(host, session));
    }

    pub(in crate::engine::tests::histories) fn lose(&mut self, host: usize, down: Duration) {
        if self.scene.hosts[host].connection != Connection::None {
            self.scene.hosts[host].disconnect();
            self.input(host, Event::LibvirtLost);
            let session = self.scene.hosts[host].session;
            self.plan_in(down, Item::Connect(host, session));
        }
    }

    pub(super) fn connect(&mut self, host: usize) {
        self.scene.hosts[host].connection = Connection::Listing(Vec::new());
        let session = self.scene.hosts[host].session;
        self.plan_in(LIST, Item::Read(host, session));
    }

    pub(super) fn overflow(&mut self, host: usize) {
        if self.scene.hosts[host].connection == Connection::Stands {
            let (queue, count) = (Queue::Libvirt, 1);
            self.input(host, Event::Dropped { queue, count });
            let session = self.scene.hosts[host].session;
            self.scene.hosts[host].connection = Connection::Listing(Vec::new());
            self.plan_in(LIST, Item::Read(host, session));
        }
    }

    /// The list comes, and after it what was heard meanwhile.
    pub(super) fn list(&mut self, host: usize, guests: Vec<GuestFacts>) {
        let before = std::mem::replace(&mut self.scene.hosts[host].connection, Connection::Stands);
        let Connection::Listing(held) = before else {
            return;
        };
        if !self.scene.hosts[host].engine.snapshot().libvirt.connected {
            self.input(host, Event::LibvirtConnected);
        }
        self.input(host, Event::Listed { guests });
        for guest in 0..GUESTS {
            let peace = !self.scene.truth.guests[guest].busy;
            let heard = &mut self.scene.hosts[host].heard[guest];
            heard.well = peace && heard.in_flight == 0;
        }
        for (guest, word) in held {
            self.scene.hosts[host].heard[guest].well = false;
            self.told(host, guest, word);
        }
    }
}
