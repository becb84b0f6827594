use super::{Law, Scene, Sight, run_word};
use crate::engine::tests::histories::{guest, nics, number};
use crate::engine::{Action, Cause, Round};

/// Invariant 4: a guest that runs here again after it was stopped in a departure is announced in
/// the same instant, where its frames stand ready, or its frames are first in line.
#[derive(Debug, Default)]
pub(super) struct RollbackAtOnce {
    /// The host, the guest, and the frames that were handed out.
    expected: Option<(usize, usize, usize)>,
    met: u64,
}

impl Law for RollbackAtOnce {
    fn name(&self) -> &'static str {
        "a rollback is announced at once"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before {
                host,
                event: Some(event),
            } => {
                let Some(index) = run_word(event) else {
                    return Ok(());
                };
                let it = &scene.hosts[host];
                let known = it.engine.guests.get(&guest(index));
                let frames = known
                    .and_then(|known| known.staging.as_ref())
                    .map_or(0, |staging| staging.frames.len());
                if it.heard[index].left && frames == nics(index) {
                    self.expected = Some((host, index, 0));
                    self.met += 1;
                }
            }
            Sight::Acted {
                host,
                action: Action::Send(ticket),
            } => {
                if let Some((at, index, frames)) = &mut self.expected
                    && (*at, *index) == (host, number(ticket.guest))
                    && (ticket.cause, ticket.round) == (Cause::Rollback, Round::Scheduled(1))
                {
                    *frames += 1;
                }
            }
            Sight::After { host, .. } => {
                if let Some((at, index, frames)) = self.expected.take()
                    && at == host
                    && frames < nics(index)
                    && scene.hosts[host].engine.first_frames_waiting() == 0
                {
                    return Err(format!(
                        "host {host} let go {frames} frames of guest {index} that rolled back"
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
