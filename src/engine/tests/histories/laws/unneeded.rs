use super::{Law, Scene, Sight};
use crate::engine::tests::histories::{GUESTS, HOSTS, guest, nics};
use crate::engine::{Cause, Event, RunState, state::State};

/// Invariant 7: a resync sends nothing for a guest that the network finds, unless that guest
/// arrived while nobody listened.
#[derive(Debug, Default)]
pub(super) struct NothingUnneeded {
    arrived: [[bool; GUESTS]; HOSTS],
    /// Everything has been read and set right.
    rested: bool,
    met: u64,
}

impl Law for NothingUnneeded {
    fn name(&self) -> &'static str {
        "nothing is sent where nothing is wrong"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Woken => self.rested = true,
            Sight::Before {
                host,
                event: Some(Event::Listed { guests }),
            } => {
                for index in 0..GUESTS {
                    let known = scene.hosts[host].engine.guests.get(&guest(index));
                    // What an earlier list set off may still be on its way.
                    let before = self.arrived[host][index];
                    self.arrived[host][index] = known.is_some_and(|known| {
                        before && !known.is_idle()
                            || matches!(
                                known.state,
                                State::Incoming { .. }
                                    | State::ArrivedPaused
                                    | State::OutgoingPaused { arrived: true }
                            )
                    });
                    let right =
                        (0..nics(index)).all(|nic| scene.network.leads_to(host, index, nic));
                    let runs = guests.iter().any(|facts| {
                        (facts.guest, facts.state) == (guest(index), RunState::Running)
                    });
                    self.met += u64::from(runs && right && !self.arrived[host][index]);
                }
            }
            Sight::Fired {
                host,
                guest,
                ticket,
                needed,
                ..
            } => {
                if self.rested {
                    return Err(format!("host {host} sent {ticket:?} at rest"));
                }
                // One that had to wait may have been needed when it was called for.
                let at_once = ticket.since == scene.now && ticket.attempt == 0;
                let resync = ticket.cause == Cause::Resync && at_once;
                if resync && !needed && !self.arrived[host][guest] {
                    return Err(format!("host {host} sent {ticket:?} for nothing"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn met(&self) -> u64 {
        self.met
    }
}
