//! What happens to guests and their ports, whoever is told.

use std::time::Duration;

use super::{Item, Realm, answers};
use crate::engine::tests::histories::courses::{Fact, Hook};
use crate::engine::tests::histories::laws::Sight;
use crate::engine::tests::histories::nics;
use crate::engine::{Event, RunState};

impl Realm {
    pub(super) fn fact(&mut self, guest: usize, fact: Fact) {
        match fact {
            Fact::Is(host, state) => self.stands(host, guest, state),
            Fact::Says(host, word) => {
                self.words += 1;
                self.says(host, guest, word);
            }
            Fact::Speaks(host) => {
                for nic in 0..nics(guest) {
                    self.scene.network.hears(host, guest, nic);
                }
            }
            Fact::Hook(host, hook) => self.hook(host, guest, hook),
            Fact::Deaf(host, down) => self.lose(host, down),
            Fact::Over => self.scene.truth.guests[guest].busy = false,
        }
    }

    pub(super) fn hook(&mut self, host: usize, guest: usize, hook: Hook) {
        let description = (hook == Hook::StartBegin).then(|| answers::description(guest));
        let guest = super::super::guest(guest);
        let event = match hook {
            Hook::MigrateBegin | Hook::StartBegin => Event::Foretold { guest, description },
            Hook::ReleaseEnd => Event::CalledOff { guest },
        };
        self.input(host, event);
    }

    /// The guest stands like this on the host from here on. Its taps come and go with its QEMU.
    pub(super) fn stands(&mut self, host: usize, guest: usize, state: RunState) {
        let before = std::mem::replace(&mut self.scene.truth.guests[guest].at[host], state);
        if before == RunState::Off && state != RunState::Off {
            self.scene.truth.plug(host, guest);
            self.tell_links(host, guest);
        }
        if before != RunState::Off && state == RunState::Off {
            let gone = self.scene.truth.links(host, guest);
            self.scene.truth.guests[guest].taps[host] = None;
            self.scene.network.forgets(host, guest);
            for mut link in gone {
                (link.up, link.carrier, link.port) = (false, false, None);
                link.master = None;
                self.input(host, Event::Link(link));
                link.present = false;
                self.input(host, Event::Link(link));
            }
        }
        self.see(&Sight::Stands { host, guest });
    }

    pub(super) fn change_taps(&mut self, guest: usize, time: Duration, unplug: bool) {
        let Some((host, _)) = self.scene.truth.home(guest) else {
            return;
        };
        if let Some(taps) = &mut self.scene.truth.guests[guest].taps[host] {
            if unplug {
                taps.plugged = false;
            } else {
                taps.open = false;
            }
            self.scene.network.forgets(host, guest);
            self.tell_links(host, guest);
            let item = if unplug { Item::Plug } else { Item::Open };
            self.plan_in(time, item(host, guest));
        }
    }

    pub(super) fn tell_links(&mut self, host: usize, guest: usize) {
        for link in self.scene.truth.links(host, guest) {
            self.input(host, Event::Link(link));
        }
    }
}
