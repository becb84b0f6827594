use super::{Law, Scene, Sight};
use crate::engine::{Action, Count, Event};

/// Invariant 8, its other half: what is dropped, and every frame that does not leave, is counted
/// with its reason.
#[derive(Debug, Default)]
pub(super) struct DropsCounted {
    expected: Vec<(Count, u64)>,
    met: u64,
}

impl Law for DropsCounted {
    fn name(&self) -> &'static str {
        "drops are counted"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before {
                event: Some(&Event::Dropped { queue, count }),
                ..
            } => {
                self.met += 1;
                self.expected.push((Count::Drops(queue), count));
            }
            Sight::Fired {
                host,
                ticket,
                outcome: Err(fault),
                ..
            } => {
                let known = scene.hosts[host].engine.guests.get(&ticket.guest);
                if known.is_some_and(|known| known.generation == ticket.generation) {
                    self.met += 1;
                    self.expected.push((Count::Faults(fault), 1));
                }
            }
            Sight::Acted {
                action: &Action::Count(count, amount),
                ..
            } => {
                let found = self
                    .expected
                    .iter()
                    .position(|&expected| expected == (count, amount));
                if let Some(index) = found {
                    self.expected.swap_remove(index);
                }
            }
            Sight::After { host, .. } if !self.expected.is_empty() => {
                return Err(format!("host {host} did not count {:?}", self.expected));
            }
            _ => {}
        }
        Ok(())
    }

    fn met(&self) -> u64 {
        self.met
    }
}
