use super::{Law, Scene, Sight, run_word, subject};
use crate::engine::tests::histories::{GUESTS, HOSTS, NICS, nics, number};
use crate::engine::{Action, Count, Queue, Round, Rounds};
use crate::model::{Outcome, Side};

/// As many as the settings have, and no setting changes it.
const ROUNDS: usize = 5;

/// What an engine owes a guest that it heard arrive and run.
#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    /// Frames that left, or whose loss was counted.
    settled: [[bool; ROUNDS]; NICS],
    /// It was resolved anew, and this NIC's frame has left since: rounds that were on their way to
    /// the old place go with the next one.
    restaged: bool,
    since: [bool; NICS],
}

/// Invariant 3: whoever arrives and runs gets every round of the schedule, or there is a count
/// that says why not.
#[derive(Debug, Default)]
pub(super) struct WholeSchedule {
    debts: [[Option<Debt>; GUESTS]; HOSTS],
    /// The guest of the input that is being handled; none where it may be about any.
    subject: Option<usize>,
    met: u64,
}

impl WholeSchedule {
    fn acted(&mut self, host: usize, action: &Action) {
        match *action {
            // Each is a count, or told beside one.
            Action::Count(Count::SchedulesCut | Count::Drops(Queue::Pacing), _) => {
                for guest in 0..GUESTS {
                    if self.subject.is_none_or(|subject| subject == guest) {
                        self.debts[host][guest] = None;
                    }
                }
            }
            Action::Finished(ref record)
                if record.side == Side::Destination && record.outcome != Outcome::Completed =>
            {
                self.debts[host][number(record.uuid)] = None;
            }
            Action::Refused { guest, nic, .. } => {
                if let Some(debt) = &mut self.debts[host][number(guest)] {
                    debt.settled[usize::from(nic)] = [true; ROUNDS];
                }
            }
            Action::Describe { guest, .. } => {
                if let Some(debt) = &mut self.debts[host][number(guest)] {
                    debt.restaged = true;
                    debt.since = [false; NICS];
                }
            }
            _ => {}
        }
    }

    fn judge(&self, host: usize, guest: usize) -> Result<(), String> {
        let Some(debt) = self.debts[host][guest] else {
            return Ok(());
        };
        for nic in 0..nics(guest) {
            let whole = debt.settled[nic].iter().all(|&settled| settled);
            if !whole && !(debt.restaged && debt.since[nic]) {
                let rounds = debt.settled[nic];
                return Err(format!(
                    "host {host} owes guest {guest} NIC {nic} rounds without a reason: {rounds:?}"
                ));
            }
        }
        Ok(())
    }
}

impl Law for WholeSchedule {
    fn name(&self) -> &'static str {
        "an arrival gets its whole schedule"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        match *sight {
            Sight::Before { host, event } => {
                self.subject = event.and_then(subject);
                if let Some(guest) = event.and_then(run_word)
                    && scene.hosts[host].heard[guest].arriving
                {
                    self.judge(host, guest)?;
                    assert_eq!(
                        usize::from(Rounds::default().rounds),
                        ROUNDS,
                        "the schedule has other rounds"
                    );
                    let mut debt = Debt::default();
                    let known = scene.hosts[host]
                        .engine
                        .guests
                        .get(&super::super::guest(guest));
                    let staging = known.and_then(|known| known.staging.as_ref());
                    // Counted when they were staged.
                    for (nic, _) in staging.iter().flat_map(|staging| &staging.refused) {
                        debt.settled[usize::from(*nic)] = [true; ROUNDS];
                    }
                    self.debts[host][guest] = Some(debt);
                    self.met += 1;
                }
            }
            Sight::Acted { host, action } => self.acted(host, action),
            Sight::Fired {
                host,
                guest,
                ticket,
                outcome,
                ..
            } => {
                if let Some(debt) = &mut self.debts[host][guest] {
                    let nic = usize::from(ticket.frame);
                    let announces = !matches!(ticket.round, Round::Retraction(_));
                    debt.since[nic] |= announces && outcome.is_ok();
                    if let Round::Scheduled(round) = ticket.round {
                        debt.settled[nic][usize::from(round) - 1] = true;
                    }
                }
            }
            Sight::Crashed { host } => self.debts[host] = [None; GUESTS],
            Sight::Quiet => {
                for host in 0..HOSTS {
                    for guest in 0..GUESTS {
                        self.judge(host, guest)?;
                    }
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
