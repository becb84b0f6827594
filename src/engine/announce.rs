//! Frames: rounds that fall due, pacing, answers and retries.

use std::time::Duration;

use super::guest::{PARKED_FRAMES, Retry};
use super::{Action, Cause, Count, Engine, Measure, Queue, Round, Ticket};
use crate::model::{GuestId, Instant, LinkState, Outcome, Phase, Refusal, SendFault};

/// How long a frame waits that met a full queue: a queue of 1,000 frames drains in that time at
/// 200,000 frames a second.
const RETRY: Duration = Duration::from_millis(5);

/// How long frames wait for their port to pass frames: spanning tree with its default timers takes
/// 30 s. Afterwards they are lost.
const BLOCKED: Duration = Duration::from_secs(60);

/// How often one frame is tried again after a full queue; its round is repeated anyway.
const ATTEMPTS: u8 = 3;

impl Engine {
    /// Hands out what was called for before all stood ready.
    pub(super) fn catch_up(&mut self, now: Instant, id: GuestId) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if let Some(schedule) = &mut guest.schedule {
            // Rounds count from RESUME; where that is past, from the moment of readiness.
            schedule.start = now;
            self.round(now, id);
        } else if guest.early.is_some() && guest.state.awaits_run() {
            self.early(now, id);
        } else if let Some((cause, since)) = guest.single {
            self.all_frames(now, id, Round::Single, cause, since);
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
        let (cause, since) = match number {
            1 => (schedule.cause, schedule.since),
            _ => {
                let offset = rounds.offset(number).unwrap_or_default();
                (Cause::Schedule, schedule.start + offset)
            }
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
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let generation = guest.generation;
        let frames = guest
            .staging
            .as_ref()
            .map_or(0, |staging| staging.frames.len());
        for frame in 0..u16::try_from(frames).unwrap_or(u16::MAX) {
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
        self.release(now);
        self.settle(id);
    }

    fn enqueue(&mut self, ticket: Ticket) {
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
        waiting.retain(|ticket, class| {
            let Some(guest) = guests.get_mut(&ticket.guest) else {
                return false;
            };
            let may_speak = match ticket.round {
                Round::Early => guest.state.awaits_run(),
                Round::Scheduled(_) | Round::Single => guest.state.runs(),
            };
            let frame = guest
                .staging
                .as_ref()
                .filter(|_| guest.generation == ticket.generation && may_speak)
                .and_then(|staging| staging.frames.get(usize::from(ticket.frame)));
            let Some(frame) = frame else {
                guest.outstanding = guest.outstanding.saturating_sub(1);
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
    }

    /// Takes in how a send went.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        ticket: Ticket,
        returned: Instant,
        outcome: Result<(), SendFault>,
    ) {
        let Some(guest) = self.guests.get_mut(&ticket.guest) else {
            return;
        };
        guest.outstanding = guest.outstanding.saturating_sub(1);
        if guest.generation == ticket.generation {
            match outcome {
                Ok(()) => self.left(ticket, returned),
                Err(fault) => self.failed(now, ticket, fault),
            }
        }
        self.settle(ticket.guest);
    }

    fn left(&mut self, ticket: Ticket, returned: Instant) {
        let id = ticket.guest;
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let Some(staging) = &guest.staging else {
            return;
        };
        let Some(kind) = staging
            .frames
            .get(usize::from(ticket.frame))
            .map(|frame| frame.kind)
        else {
            return;
        };
        let frames = staging.frames.len();
        let mut first = false;
        let mut whole = false;
        match ticket.round {
            Round::Scheduled(number) => {
                let index = usize::from(number.saturating_sub(1));
                if let Some(sent) = guest.sent_by_round.get_mut(index) {
                    *sent += 1;
                    first = *sent == 1;
                    whole = usize::try_from(*sent) == Ok(frames);
                }
            }
            Round::Early | Round::Single => first = guest.last_round != Some(ticket.round),
        }
        guest.last_round = Some(ticket.round);
        guest.last_sent = returned;
        let delay = returned.saturating_since(ticket.since);
        if let Some(journal) = guest.journal_mut() {
            let measured = &mut journal.measured;
            match ticket.round {
                Round::Early => measured.early_frames += 1,
                Round::Scheduled(_) | Round::Single => measured.frames += 1,
            }
            measured.rounds = measured.rounds.saturating_add(u8::from(whole));
            measured.event_to_wire.get_or_insert(delay);
        }
        self.count(Count::Frames(kind), 1);
        if first {
            self.measure_first(ticket, returned);
        }
        self.reach(id, Phase::Announced, returned);
    }

    fn measure_first(&mut self, ticket: Ticket, returned: Instant) {
        let delay = returned.saturating_since(ticket.since);
        match ticket.round {
            Round::Early | Round::Single => {
                self.act(Action::Measure(Measure::EventToWire(ticket.cause), delay));
            }
            Round::Scheduled(1) => {
                self.act(Action::Measure(Measure::EventToWire(ticket.cause), delay));
                self.measure_resume(ticket, returned);
            }
            Round::Scheduled(_) => self.act(Action::Measure(Measure::RoundDelay, delay)),
        }
    }

    fn measure_resume(&mut self, ticket: Ticket, returned: Instant) {
        let Some(guest) = self.guests.get_mut(&ticket.guest) else {
            return;
        };
        let Some(resumed) = guest.resumed_at.filter(|_| ticket.cause == Cause::Resume) else {
            return;
        };
        let delay = returned.saturating_since(resumed);
        if let Some(journal) = guest.journal_mut() {
            journal.measured.resume_to_wire = Some(delay);
        }
        self.act(Action::Measure(Measure::ResumeToWire, delay));
    }

    fn failed(&mut self, now: Instant, ticket: Ticket, fault: SendFault) {
        self.count(Count::Faults(fault), 1);
        let Some(guest) = self.guests.get_mut(&ticket.guest) else {
            return;
        };
        let again = Ticket {
            attempt: ticket.attempt.saturating_add(1),
            ..ticket
        };
        let parked = match fault {
            SendFault::NoBuffers
                if again.attempt <= ATTEMPTS && guest.retries.len() < PARKED_FRAMES =>
            {
                guest.retries.push(Retry {
                    at: now + RETRY,
                    ticket: again,
                });
                true
            }
            // Only the first round waits for its port: later ones are its repetition.
            SendFault::NoCarrier
            | SendFault::NotForwarding
            | SendFault::NetDown
            | SendFault::Refused
                if is_first(ticket.round) && guest.blocked.len() < PARKED_FRAMES =>
            {
                guest.blocked.push(again);
                guest.blocked_until.get_or_insert(now + BLOCKED);
                true
            }
            SendFault::NoBuffers
            | SendFault::NoCarrier
            | SendFault::NotForwarding
            | SendFault::NetDown
            | SendFault::Refused
            | SendFault::NoDevice
            | SendFault::NotPermitted
            | SendFault::NotStaged
            | SendFault::Limited
            | SendFault::Other => false,
        };
        if !parked {
            self.lose(ticket.guest);
        }
    }

    fn lose(&mut self, id: GuestId) {
        if let Some(journal) = self
            .guests
            .get_mut(&id)
            .and_then(super::guest::Guest::journal_mut)
        {
            journal.measured.lost_frames += 1;
        }
    }

    /// Does what is due for one guest.
    pub(super) fn due(&mut self, now: Instant, id: GuestId) {
        let rounds = self.policy.rounds;
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        if guest.closing.is_some_and(|at| at <= now) {
            self.close_departure(id, Outcome::Completed);
            self.forget_if_over(id);
            return;
        }
        if guest.ask_again.is_some_and(|at| at <= now) {
            self.ask(id, now);
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

    /// A link changed: frames that waited for it go, and NICs that missed it are resolved again.
    pub(super) fn link(&mut self, now: Instant, link: &LinkState) {
        let mut opened = Vec::new();
        let mut appeared = Vec::new();
        for (&id, guest) in &self.guests {
            let blocked = guest
                .blocked
                .iter()
                .any(|ticket| guest.port_of(ticket) == Some(link.ifindex));
            if link.passes() && blocked {
                opened.push(id);
            }
            let missed = guest.staging.iter().flat_map(|staging| &staging.refused).any(
                |(_, refusal)| {
                    matches!(
                        refusal,
                        Refusal::LinkMissing(name) | Refusal::NotEnslaved(name) if *name == link.name
                    )
                },
            );
            if missed && link.present && link.master.is_some() {
                appeared.push(id);
            }
        }
        for id in opened {
            self.unblock(id, link);
        }
        for id in appeared {
            self.ask(id, now);
        }
    }

    fn unblock(&mut self, id: GuestId, link: &LinkState) {
        let Some(guest) = self.guests.get_mut(&id) else {
            return;
        };
        let (open, shut): (Vec<_>, Vec<_>) = guest
            .blocked
            .iter()
            .copied()
            .partition(|ticket| guest.port_of(ticket) == Some(link.ifindex));
        guest.blocked.clear();
        guest.blocked.extend(shut);
        if guest.blocked.is_empty() {
            guest.blocked_until = None;
        }
        for ticket in open {
            self.count(Count::Retries, 1);
            self.enqueue(ticket);
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
        if guest.last_round.is_some_and(is_scheduled) {
            let at = guest.last_sent;
            self.reach(id, Phase::RoundsDone, at);
        }
        self.close_arrival_when_done(id);
        self.close_rollback_when_done(id);
        let Some(guest) = self.guests.get(&id) else {
            return;
        };
        if guest.arrival.is_none() && guest.departure.is_none() {
            self.unstage(id);
        }
    }
}

const fn is_first(round: Round) -> bool {
    matches!(round, Round::Early | Round::Scheduled(1) | Round::Single)
}

const fn is_scheduled(round: Round) -> bool {
    matches!(round, Round::Scheduled(_))
}
