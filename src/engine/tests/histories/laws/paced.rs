use super::{Law, Scene, Sight};
use crate::engine::tests::histories::HOSTS;
use crate::engine::{Action, Event, Pacing, Round};
use crate::model::Instant;

/// Frames whose windows are looked at; more than any burst and second of the settings together.
const WINDOW: usize = 400;

#[derive(Clone, Debug, Default)]
struct Line {
    left: Vec<(Instant, bool)>,
    /// The loosest settings of this life.
    loosest: Option<Pacing>,
}

/// Invariant 6: in no window more frames than the settings allow.
#[derive(Debug, Default)]
pub(super) struct Paced {
    lines: [Line; HOSTS],
    met: u64,
}

impl Line {
    fn loosen(&mut self, pacing: Pacing) {
        let before = self.loosest.unwrap_or(pacing);
        self.loosest = Some(Pacing {
            frames_per_second: before.frames_per_second.max(pacing.frames_per_second),
            burst: before.burst.max(pacing.burst),
            reserve: before.reserve.max(pacing.reserve),
        });
    }

    /// Whether every window that ends with the latest frame holds.
    fn holds(&self) -> bool {
        let (Some(pacing), Some(&(last, _))) = (self.loosest, self.left.last()) else {
            return true;
        };
        let (mut repeats, mut all) = (0, 0);
        self.left.iter().rev().take(WINDOW).all(|&(at, repeat)| {
            repeats += u128::from(repeat);
            all += 1;
            let length = last.saturating_since(at).as_nanos();
            let room = |rate: u32, burst: u32| {
                u128::from(burst) + u128::from(rate) * length / 1_000_000_000
            };
            let general = room(pacing.frames_per_second, pacing.burst);
            repeats <= general && all <= general + room(pacing.reserve, pacing.reserve)
        })
    }
}

impl Law for Paced {
    fn name(&self) -> &'static str {
        "pacing holds in every window"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Crashed { host } => self.lines[host] = Line::default(),
            Sight::Before { host, event } => {
                let line = &mut self.lines[host];
                if line.loosest.is_none() {
                    line.loosen(scene.hosts[host].engine.policy().pacing);
                }
                if let Some(Event::Policy(policy)) = event {
                    line.loosen(policy.pacing);
                }
            }
            Sight::Acted {
                host,
                action: Action::Send(ticket),
            } => {
                let line = &mut self.lines[host];
                let repeat = !matches!(ticket.round, Round::Early | Round::Scheduled(1));
                line.left.push((scene.now, repeat));
                if !line.holds() {
                    return Err(format!("host {host} sent more than it may"));
                }
            }
            Sight::After { host, .. } => {
                let waiting = scene.hosts[host].engine.waiting.len();
                self.met += u64::from(waiting > 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn met(&self) -> u64 {
        self.met
    }
}
