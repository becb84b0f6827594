use super::{Law, Scene, Sight};
use crate::engine::Round;
use crate::engine::tests::histories::GUESTS;

/// Invariant 1: after the destination's first frame none leaves the source, until the guest runs
/// there again. Of the truth, where the source was told well.
#[derive(Debug, Default)]
pub(super) struct SilentSource {
    /// The destination of the latest migration has spoken.
    spoke: [bool; GUESTS],
    met: u64,
}

impl Law for SilentSource {
    fn name(&self) -> &'static str {
        "the source is silent after the destination spoke"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Departs { guest } => self.spoke[guest] = false,
            Sight::Stands { host, guest } => {
                let migration = scene.truth.guests[guest].migration;
                let source = migration.map(|migration| migration.source);
                self.spoke[guest] &= source != Some(host) || !scene.truth.runs(host, guest);
            }
            Sight::Fired {
                host,
                guest,
                ticket,
                outcome: Ok(()),
                ..
            } if !matches!(ticket.round, Round::Retraction(_)) => {
                let Some(migration) = scene.truth.guests[guest].migration else {
                    return Ok(());
                };
                // One that was told of a rollback too late may speak after it.
                let left = !scene.truth.runs(migration.source, guest);
                if host == migration.destination && !self.spoke[guest] {
                    self.spoke[guest] = left;
                    self.met += u64::from(left);
                } else if host == migration.source
                    && self.spoke[guest]
                    && scene.hosts[host].heard[guest].well
                {
                    return Err(format!("host {host} spoke for guest {guest} that left"));
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
