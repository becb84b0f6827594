use super::{Law, Scene, Sight};
use crate::engine::tests::histories::hearsay::Place;
use crate::engine::tests::histories::number;
use crate::engine::{Event, Round, RunState};

/// Invariants 1 and 10: nobody retracts what is here; nobody speaks for a guest that is not arriving or running by the latest word.
/// Of the truth, where the host was told well: nor for one that has no QEMU here.
#[derive(Debug, Default)]
pub(super) struct HeardHere {
    met: u64,
}

impl Law for HeardHere {
    fn name(&self) -> &'static str {
        "only a guest that is here is spoken for"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before {
                host,
                event: Some(&Event::Announce { guest }),
            } => {
                let place = scene.hosts[host].heard[number(guest)].place;
                self.met += u64::from(place != Place::Runs);
            }
            Sight::Fired {
                host,
                guest,
                ticket,
                outcome,
                ..
            } => {
                let heard = scene.hosts[host].heard[guest];
                let may = match ticket.round {
                    Round::Early => heard.arriving && heard.place == Place::Stands,
                    Round::Scheduled(_) | Round::Single => heard.place == Place::Runs,
                    // Of one that left, the host says so in its own name.
                    Round::Retraction(_) => heard.place == Place::Gone,
                };
                let retracts = matches!(ticket.round, Round::Retraction(_));
                let gone = !retracts && scene.truth.guests[guest].at[host] == RunState::Off;
                if !may || (outcome.is_ok() && heard.well && gone) {
                    return Err(format!("host {host} sent {ticket:?}, having {heard:?}"));
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
