//! What a guest's links do not tell: its XML, once that is to be had.
//!
//! A guest that arrives on a libvirt which keeps its XML back is staged by its links, and announced
//! so. What it retracts when it leaves stands in the XML: so libvirt is asked for that once the
//! guest has arrived, and if it leaves before, as soon as it does.

use super::guest::Basis;
use super::hint::agree;
use super::{Action, DescribeFault, Engine, plan};
use crate::model::{GuestDescription, GuestId};

impl Engine {
    /// Asks for the XML of a guest whose links alone were known.
    pub(super) fn learn(&mut self, id: GuestId) {
        let guest = self.guests.get(&id).filter(|guest| {
            guest.basis == Basis::Links && guest.state.stays() && guest.asked.is_none()
        });
        if guest.is_none() {
            return;
        }
        let generation = self.next_generation();
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.learning = Some(generation);
        }
        self.act(Action::Describe {
            guest: id,
            generation,
        });
    }

    /// Takes the answer over where it stages the same. Otherwise, and without one, the guest's next
    /// staging asks anew.
    pub(super) fn learnt(&mut self, id: GuestId, outcome: Result<GuestDescription, DescribeFault>) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        guest.learning = None;
        let Ok(description) = outcome else {
            return;
        };
        let plan = plan(id, &description, &self.policy);
        let idle = guest.staging.is_none() && guest.asked.is_none();
        if idle || agree(&guest.plan, &plan) {
            guest.plan = plan;
            guest.basis = Basis::of(&description);
            guest.name = description.name;
            self.watch_networks(id);
        }
    }
}
