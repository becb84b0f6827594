use super::{Law, Scene, Sight};
use crate::engine::{Action, Round};

/// Invariant 6, its other half: no repeat leaves while a first frame waits.
#[derive(Debug, Default)]
pub(super) struct FirstFirst {
    /// First frames that waited before the input.
    waited: usize,
    /// A repeat left since.
    repeated: bool,
    met: u64,
}

impl Law for FirstFirst {
    fn name(&self) -> &'static str {
        "first frames go before repeats"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before { host, .. } => {
                self.waited = scene.hosts[host].engine.first_frames_waiting();
                self.repeated = false;
            }
            Sight::Acted {
                action: Action::Send(ticket),
                ..
            } => {
                self.repeated |= !matches!(ticket.round, Round::Early | Round::Scheduled(1));
            }
            Sight::After { host, .. } if self.waited > 0 => {
                let engine = &scene.hosts[host].engine;
                let (first, all) = (engine.first_frames_waiting(), engine.waiting.len());
                self.met += u64::from(all > first || self.repeated);
                if self.repeated && first >= self.waited {
                    return Err(format!("host {host}: a repeat passed {first} first frames"));
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
