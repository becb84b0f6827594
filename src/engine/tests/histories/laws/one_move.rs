use super::{Law, Scene, Sight};
use crate::engine::tests::histories::{GUESTS, NICS, nics};

/// The moves of the latest migration.
#[derive(Clone, Copy, Debug, Default)]
struct Moves {
    /// It began with a network that was right, and both hosts were told well since.
    counts: bool,
    /// The source ran the guest again.
    rolled_back: bool,
    of: [u32; NICS],
}

/// Invariant 5: a migration moves an address once, and a rollback once more. Of the truth, where
/// both hosts were told well.
#[derive(Debug, Default)]
pub(super) struct OneMove {
    moves: [Moves; GUESTS],
    met: u64,
}

fn told_well(scene: &Scene, guest: usize) -> bool {
    scene.hosts.iter().all(|host| host.heard[guest].well)
}

impl Law for OneMove {
    fn name(&self) -> &'static str {
        "a migration moves an address once"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Departs { guest } => {
                let Some(migration) = scene.truth.guests[guest].migration else {
                    return Ok(());
                };
                let right = (0..nics(guest))
                    .all(|nic| scene.network.leads_to(migration.source, guest, nic));
                self.moves[guest] = Moves {
                    counts: right && told_well(scene, guest),
                    ..Moves::default()
                };
            }
            Sight::Stands { host, guest } => {
                let body = scene.truth.guests[guest];
                let moves = &mut self.moves[guest];
                moves.counts &= scene.truth.home(guest).is_some();
                moves.rolled_back |= scene.truth.runs(host, guest)
                    && body.migration.is_some_and(|last| last.source == host);
            }
            Sight::Fired {
                host,
                guest,
                ticket,
                moved: true,
                ..
            } => {
                let moves = &mut self.moves[guest];
                moves.counts &= told_well(scene, guest);
                let nic = usize::from(ticket.frame);
                moves.of[nic] += 1;
                self.met += u64::from(moves.counts);
                if moves.counts && moves.of[nic] > 1 + u32::from(moves.rolled_back) {
                    return Err(format!("host {host} moved guest {guest} NIC {nic} again"));
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
