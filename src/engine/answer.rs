//! What became of a frame: figures, retries, ports that open late.

use std::time::Duration;

use super::guest::{Guest, PARKED_FRAMES, Retry};
use super::{Action, Cause, Count, Engine, Measure, Round, Ticket};
use crate::model::{FrameKind, GuestId, Instant, Phase, SendFault};

/// How long a frame waits that met a full queue: a queue of 1,000 frames drains in that time at
/// 200,000 frames a second.
const RETRY: Duration = Duration::from_millis(5);

/// How long frames wait for their port to pass frames: spanning tree with its default timers takes
/// 30 s. Afterwards they are lost.
const BLOCKED: Duration = Duration::from_secs(60);

/// How often one frame is tried again after a queue that may be full; its round is repeated
/// anyway.
const ATTEMPTS: u8 = 3;

impl Engine {
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
        self.forget_if_over(ticket.guest);
    }

    fn left(&mut self, ticket: Ticket, returned: Instant) {
        let id = ticket.guest;
        if let Round::Retraction(_) = ticket.round {
            return self.retracted(ticket, returned);
        }
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
            Round::Early | Round::Single | Round::Retraction(_) => {
                first = guest.last_round != Some(ticket.round);
            }
        }
        guest.last_round = Some(ticket.round);
        guest.last_sent = returned;
        let delay = returned.saturating_since(ticket.since);
        if let Some(journal) = guest.journal_mut() {
            let measured = &mut journal.measured;
            match ticket.round {
                Round::Early => measured.early_frames += 1,
                Round::Scheduled(_) | Round::Single | Round::Retraction(_) => measured.frames += 1,
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

    fn retracted(&mut self, ticket: Ticket, returned: Instant) {
        let id = ticket.guest;
        let Some(journal) = self
            .guests
            .get_mut(&id)
            .and_then(|guest| guest.departure.as_mut())
        else {
            return;
        };
        journal.measured.retractions += 1;
        let first = journal.measured.retractions == 1;
        self.count(Count::Frames(FrameKind::Unarp), 1);
        if first {
            self.measure_first(ticket, returned);
        }
        self.reach(id, Phase::Retracted, returned);
    }

    fn measure_first(&mut self, ticket: Ticket, returned: Instant) {
        let delay = returned.saturating_since(ticket.since);
        match ticket.round {
            Round::Early | Round::Single | Round::Retraction(_) => {
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
        if let Some(journal) = guest.journal_mut() {
            journal.measured.latest_fault = Some(fault);
        }
        let parked = match fault {
            // An injection says the same of a link that went down and of a full backlog.
            SendFault::NoBuffers | SendFault::NetDown
                if again.attempt <= ATTEMPTS && guest.retries.len() < PARKED_FRAMES =>
            {
                guest.retries.push(Retry {
                    at: now + RETRY,
                    ticket: again,
                });
                true
            }
            // Only the first round waits for its port: later ones are its repetition.
            SendFault::NoCarrier | SendFault::NotForwarding | SendFault::NetDown
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
            | SendFault::Paused
            | SendFault::Other => false,
        };
        if !parked {
            self.lose(ticket.guest);
        }
    }

    pub(super) fn lose(&mut self, id: GuestId) {
        if let Some(journal) = self.guests.get_mut(&id).and_then(Guest::journal_mut) {
            journal.measured.lost_frames += 1;
        }
    }
}

const fn is_first(round: Round) -> bool {
    matches!(round, Round::Early | Round::Scheduled(1) | Round::Single)
}
