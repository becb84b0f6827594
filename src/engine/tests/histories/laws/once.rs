use std::collections::BTreeSet;

use super::{Law, Scene, Sight};
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
