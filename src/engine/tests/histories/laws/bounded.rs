use super::{Law, Scene, Sight};
use crate::engine::guest::PARKED_FRAMES;
use crate::engine::state::State;
use crate::engine::tests::histories::{GUESTS, HOSTS, guest, number};
use crate::engine::{Event, HISTORY, Lifecycle, RunState};
use crate::model::GuestId;

/// Invariant 8: nothing grows, and at rest the engine keeps nothing that it needs not: no frame,
/// no staging, no timer, no guest that is not there.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    met: u64,
}

/// It stands, and is kept ready for its run.
const fn is_awaited(state: State) -> bool {
    matches!(state, State::ArrivedPaused | State::SwitchedOver { .. })
}

fn at_rest(scene: &Scene, host: usize) -> Result<(), String> {
    let it = &scene.hosts[host];
    let engine = &it.engine;
    if let Some(at) = engine.poll_timeout() {
        return Err(format!("host {host} wants to be woken at {at:?}"));
    }
    if engine.waiting.len() > 0 {
        return Err(format!("host {host} has frames that wait"));
    }
    for index in 0..GUESTS {
        let id = guest(index);
        let known = engine.guests.get(&id);
        let awaited = known.is_some_and(|known| is_awaited(known.state));
        let kept = engine.held.contains(&id) || it.staged.contains_key(&index);
        if kept && !awaited {
            return Err(format!("host {host} keeps guest {index} staged"));
        }
    }
    for (&id, guest) in &engine.guests {
        if is_awaited(guest.state) {
            continue;
        }
        let off = scene.truth.guests[number(id)].at[host] == RunState::Off;
        let busy = guest.outstanding > 0 || guest.arrival.is_some() || guest.departure.is_some();
        if off || busy || !guest.is_idle() {
            return Err(format!("host {host} remembers {guest:?}"));
        }
    }
    Ok(())
}

/// A departure that is open though libvirt has said that the guest runs here.
fn untold(scene: &Scene) -> Option<(usize, GuestId)> {
    (0..HOSTS).find_map(|host| {
        let mut guests = scene.hosts[host].engine.guests.iter();
        let open = guests.find(|&(&id, guest)| {
            let here = scene.truth.guests[number(id)].at[host];
            guest.departure.is_some() && here == RunState::Running
        });
        open.map(|(&id, _)| (host, id))
    })
}

impl Law for Bounded {
    fn name(&self) -> &'static str {
        "nothing grows and nothing is left"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::After { host, event } => {
                let engine = &scene.hosts[host].engine;
                let ended = matches!(
                    event,
                    Some(Event::Lifecycle {
                        change: Lifecycle::StoppedMigrated | Lifecycle::StoppedFailed,
                        ..
                    })
                );
                self.met += u64::from(ended);
                let parked = engine.guests.values().any(|guest| {
                    guest.retries.len() > PARKED_FRAMES || guest.blocked.len() > PARKED_FRAMES
                });
                if engine.guests.len() > GUESTS
                    || engine.held.len() > GUESTS
                    || engine.history.len() > HISTORY
                    || parked
                {
                    return Err(format!("host {host} remembers too much"));
                }
                if engine.poll_timeout().is_some_and(|at| at <= scene.now) && event.is_none() {
                    return Err(format!("host {host} wants to be woken for nothing"));
                }
            }
            Sight::Resynced => {
                if let Some((host, guest)) = untold(scene) {
                    return Err(format!("host {host} never tells what became of {guest}"));
                }
            }
            Sight::Rested => {
                for host in 0..HOSTS {
                    at_rest(scene, host)?;
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
