use super::{Law, Scene, Sight};
use crate::engine::tests::histories::{GUESTS, nics};

/// Invariant 7: whatever was lost, once libvirt was read again the network leads to where each
/// guest runs, or comes to run.
#[derive(Debug, Default)]
pub(super) struct NothingMissed {
    met: u64,
}

/// A guest that runs where the network does not lead.
fn lost(scene: &Scene) -> Option<(usize, usize)> {
    (0..GUESTS).find_map(|guest| {
        let (host, _) = scene.truth.home(guest)?;
        let found = (0..nics(guest)).all(|nic| scene.network.leads_to(host, guest, nic));
        (scene.truth.runs(host, guest) && !found).then_some((host, guest))
    })
}

impl Law for NothingMissed {
    fn name(&self) -> &'static str {
        "nothing is missed after a resync"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Quiet => self.met += u64::from(lost(scene).is_some()),
            Sight::Resynced | Sight::Woken => {
                if let Some((host, guest)) = lost(scene) {
                    return Err(format!("guest {guest} is not found at host {host}"));
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
