//! Frames that fall due: rounds, pacing, retries whose time has come.

use super::state::State;
use super::{Action, Cause, Count, Engine, Queue, Round, StagedFrame, Ticket};
use crate::model::{GuestId, Instant, Phase};

impl Engine {
    /// Hands out what was called for before all stood ready.
    pub(super) fn catch_up(&mut self, now: Instant, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let inspected = std::mem::take(&mut guest.inspected);
        if let Some(schedule) = &mut guest.schedule {
            // Rounds count from RESUME; where that is past, from the moment of readiness.
            if schedule.next == 1 {
                schedule.start = now;
                self.round(now, id);
            }
        } else if guest.early.is_some() && guest.state.awaits_run() {
            self.early(now, id);
        } else if let Some((cause, since)) = guest.single {
            self.all_frames(now, id, Round::Single, cause, since);
        } else if inspected && guest.state.runs() {
            let stray = |frame: &StagedFrame| frame.behind_uplink;
            self.frames(now, id, Round::Single, Cause::Resync, now, stray);
        }
        self.settle(id);
    }

    /// The early frames, once a migration.
    pub(super) fn early(&mut self, now: Instant, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let Some(since) = guest.early.take() else {
            return;
        };
        guest.early_sent = true;
        self.all_frames(now, id, Round::Early, Cause::Completed, since);
    }

    /// The round that is due.
    pub(super) fn round(&mut self, now: Instant, id: GuestId) {
        let rounds = self.policy.rounds;
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let Some(schedule) = &mut guest.schedule else {
            return;
        };
        let number = schedule.next;
        let (cause, since) = if number == 1 {
            (schedule.cause, schedule.since)
        } else {
            let offset = rounds.offset(number).unwrap_or_default();
            (Cause::Schedule, schedule.start + offset)
        };
        schedule.next = number.saturating_add(1);
        let last = rounds.offset(schedule.next).is_none();
        if guest.state.runs() {
            if last {
                guest.schedule = None;
            }
            self.all_frames(now, id, Round::Scheduled(number), cause, since);
        } else {
            self.cut(id);
            self.settle(id);
        }
    }

    /// Puts every staged frame of a guest in line.
    pub(super) fn all_frames(
        &mut self,
        now: Instant,
        id: GuestId,
        round: Round,
        cause: Cause,
        since: Instant,
    ) {
        self.frames(now, id, round, cause, since, |_| true);
    }

    /// Puts those staged frames of a guest in line that are `wanted`.
    fn frames(
        &mut self,
        now: Instant,
        id: GuestId,
        round: Round,
        cause: Cause,
        since: Instant,
        wanted: impl Fn(&StagedFrame) -> bool,
    ) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let generation = guest.generation;
        let frames = guest
            .staging
            .as_ref()
            .map_or(0, |staging| staging.frames.len());
        for frame in 0..u16::try_from(frames).unwrap_or(u16::MAX) {
            let staging = self
                .guests
                .get(&id)
                .and_then(|guest| guest.staging.as_ref());
            let staged = staging.and_then(|staging| staging.frames.get(usize::from(frame)));
            if staged.is_some_and(&wanted) {
                self.enqueue(Ticket {
                    guest: id,
                    generation,
                    frame,
                    round,
                    cause,
                    since,
                    attempt: 0,
                });
            }
        }
        self.release(now);
        self.settle(id);
    }

    pub(super) fn enqueue(&mut self, ticket: Ticket) {
        if self.waiting.push(ticket) {
            if let Some(guest) = self.guests.get_mut(&ticket.guest) {
                guest.outstanding += 1;
            }
        } else {
            self.lose(ticket.guest);
            self.count(Count::Drops(Queue::Pacing), 1);
        }
    }

    /// Lets go what pacing allows, first frames before repeats.
    pub(super) fn release(&mut self, now: Instant) {
        self.release_at = None;
        if self.waiting.len() == 0 {
            return;
        }
        let Self {
            waiting,
            guests,
            pacer,
            actions,
            release_at,
            ..
        } = self;
        let (mut dropped, mut cut) = (false, false);
        waiting.retain(|ticket, class| {
            let Some(guest) = guests.get_mut(&ticket.guest) else {
                return false;
            };
            let may_speak = match ticket.round {
                Round::Early => guest.state.awaits_run(),
                Round::Scheduled(_) | Round::Single => guest.state.runs(),
                Round::Retraction(_) => guest.state == State::Absent,
            };
            let frame = guest
                .staging
                .as_ref()
                .filter(|_| guest.generation == ticket.generation && may_speak)
                .and_then(|staging| staging.frames.get(usize::from(ticket.frame)));
            let Some(frame) = frame else {
                guest.outstanding = guest.outstanding.saturating_sub(1);
                dropped = true;
                let current = guest.generation == ticket.generation;
                cut |= current && matches!(ticket.round, Round::Scheduled(_));
                return false;
            };
            match pacer.ready_at(&frame.uplinks, class) {
                Some(at) if at <= now => {
                    pacer.take(&frame.uplinks, class, now);
                    actions.push_back(Action::Send(*ticket));
                    false
                }
                ready => {
                    *release_at = [*release_at, ready].into_iter().flatten().min();
                    true
                }
            }
        });
        if cut {
            self.count(Count::SchedulesCut, 1);
        }
        if dropped {
            self.settle_all();
        }
    }

    /// Frames were dropped that somebody may have waited for.
    fn settle_all(&mut self) {
        let guests: Vec<GuestId> = self.guests.keys().copied().collect();
        for id in guests {
            self.settle(id);
        }
    }

    /// Does what is due for one guest.
    pub(super) fn due(&mut self, now: Instant, id: GuestId) {
        let rounds = self.policy.rounds;
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.closing.is_some_and(|at| at <= now) {
            guest.closing = None;
            self.close_departure_when_done(id);
            self.forget_if_over(id);
            return;
        }
        if guest.foretold.is_some_and(|at| at <= now) {
            self.forget_foretold(id);
            return;
        }
        if guest.gone.is_some_and(|at| at <= now) {
            guest.gone = None;
            self.missed_end(id);
            return;
        }
        if guest.ask_again.is_some_and(|at| at <= now) {
            if guest.confirming.is_some() {
                self.confirm(id);
            } else {
                self.resolve(now, id);
            }
            return;
        }
        if guest.blocked_until.is_some_and(|at| at <= now) {
            guest.blocked_until = None;
            for _ in 0..std::mem::take(&mut guest.blocked).len() {
                self.lose(id);
            }
            self.settle(id);
            return;
        }
        let retries = guest.retries.iter().filter(|retry| retry.at <= now).count();
        for _ in 0..retries {
            let Some(guest) = self.guests.get_mut(&id) else {
                return;
            };
            let Some(index) = guest.retries.iter().position(|retry| retry.at <= now) else {
                break;
            };
            let retry = guest.retries.swap_remove(index);
            self.count(Count::Retries, 1);
            self.enqueue(retry.ticket);
        }
        let round_due = self.guests.get(&id).and_then(|guest| {
            let schedule = guest.schedule.filter(|_| guest.staging.is_some())?;
            Some(schedule.start + rounds.offset(schedule.next)?)
        });
        if round_due.is_some_and(|at| at <= now) {
            self.round(now, id);
        }
    }

    /// Notes the end of a schedule, and lets go of what no one needs any more.
    pub(super) fn settle(&mut self, id: GuestId) {
        let Some(guest) = self
            .guests
            .get_mut(&id)
            .filter(|guest| guest.asked.is_none())
        else {
            return;
        };
        if guest.outstanding == 0 && guest.retries.is_empty() && guest.blocked.is_empty() {
            guest.single = None;
        }
        if !guest.is_idle() {
            return;
        }
        let at = guest.last_sent;
        if guest
            .journal_mut()
            .is_some_and(|journal| journal.measured.frames > 0)
        {
            self.reach(id, Phase::RoundsDone, at);
        }
        self.close_arrival_when_done(id);
        self.close_rollback_when_done(id);
        self.close_departure_when_done(id);
        let Some(guest) = self.guests.get(&id) else {
            return;
        };
        // One that was found in the middle of a migration has no journal and may run any moment.
        let awaited = matches!(guest.state, State::Incoming { .. } | State::ArrivedPaused)
            || guest.foretold.is_some();
        if guest.arrival.is_none() && guest.departure.is_none() && !awaited {
            self.unstage(id);
        }
    }
}
