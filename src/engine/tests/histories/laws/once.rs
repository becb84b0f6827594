use std::collections::BTreeSet;

use super::{Law, Scene, Sight, stop_word};
use crate::engine::Round;
use crate::model::Instant;

/// Invariant 3, its other half: no frame of a round leaves twice.
#[derive(Debug, Default)]
pub(super) struct OnceARound {
    left: BTreeSet<(usize, u32, usize, u64, Round, u16, Instant)>,
    met: u64,
}

impl Law for OnceARound {
    fn name(&self) -> &'static str {
        "a frame of a round leaves once"
    }

    fn see(&mut self, scene: &Scene, sight: &Sight<'_>) -> Result<(), String> {
        // Once it was stopped it may be announced anew, at the same instant even.
        if let Sight::Before {
            host,
            event: Some(event),
        } = *sight
            && let Some(guest) = stop_word(event)
        {
            self.left
                .retain(|&(at, _, of, ..)| (at, of) != (host, guest));
        }
        if let Sight::Fired {
            host,
            guest,
            ticket,
            outcome: Ok(()),
            ..
        } = *sight
            && ticket.round != Round::Single
        {
            self.met += 1;
            let life = scene.hosts[host].lives;
            let (generation, round) = (ticket.generation, ticket.round);
            let (frame, since) = (ticket.frame, ticket.since);
            let key = (host, life, guest, generation, round, frame, since);
            if !self.left.insert(key) {
                return Err(format!("host {host} sent {ticket:?} twice"));
            }
        }
        Ok(())
    }

    fn met(&self) -> u64 {
        self.met
    }
}
