use super::{Law, Scene, Sight};
use crate::engine::tests::histories::number;
use crate::engine::{Event, MigrationStatus, Round};

/// Invariant 2: the destination sends nothing before it hears that all has arrived, or that the
/// guest runs. Of the truth, where it was told well: not while the guest runs elsewhere.
#[derive(Debug, Default)]
pub(super) struct WordFirst {
    met: u64,
}

impl Law for WordFirst {
    fn name(&self) -> &'static str {
        "the destination waits for the word"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before {
                host,
                event:
                    Some(&Event::Migration {
                        guest,
                        status: MigrationStatus::Active,
                        ..
                    }),
            } => self.met += u64::from(scene.hosts[host].heard[number(guest)].arriving),
            Sight::Fired {
                host,
                guest,
                ticket,
                outcome,
                ..
            } => {
                let heard = scene.hosts[host].heard[guest];
                if ticket.round == Round::Early && !(heard.arriving && heard.whole) {
                    return Err(format!("host {host} spoke for guest {guest} too early"));
                }
                let retracts = matches!(ticket.round, Round::Retraction(_));
                if !retracts && outcome.is_ok() && heard.well && scene.truth.runs(1 - host, guest) {
                    return Err(format!(
                        "host {host} spoke for guest {guest} that runs elsewhere"
                    ));
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
