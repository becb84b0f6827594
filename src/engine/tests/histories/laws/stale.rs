use super::{Law, Scene, Sight};
use crate::engine::{Action, Count, Event};
use crate::model::SendFault;

/// Invariant 7: an answer to an earlier question is counted and leads to nothing, and no ticket
/// names what is not staged.
#[derive(Debug, Default)]
pub(super) struct NothingStale {
    expected: bool,
    met: u64,
}

impl Law for NothingStale {
    fn name(&self) -> &'static str {
        "nothing stale is sent"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before {
                host,
                event:
                    Some(
                        &Event::Described {
                            guest, generation, ..
                        }
                        | &Event::Staged {
                            guest, generation, ..
                        },
                    ),
            } => {
                let known = scene.hosts[host].engine.guests.get(&guest);
                // What a hook said is confirmed under a number of its own.
                self.expected = known.is_none_or(|known| {
                    known.generation != generation && known.confirming != Some(generation)
                });
                self.met += u64::from(self.expected);
            }
            Sight::Acted {
                action: Action::Count(Count::Stale, _),
                ..
            } => self.expected = false,
            Sight::After { host, .. } if std::mem::take(&mut self.expected) => {
                return Err(format!("host {host} took a stale answer"));
            }
            Sight::Fired {
                host,
                ticket,
                outcome: Err(SendFault::NotStaged),
                ..
            } => return Err(format!("host {host}: {ticket:?} is of nothing staged")),
            _ => {}
        }
        Ok(())
    }

    fn met(&self) -> u64 {
        self.met
    }
}
