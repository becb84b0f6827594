//! Stagings at work, which wait for the kernel's answers and the ledger's file beside the loop.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::JoinSet;

use crate::emit::{Prepared, Stager};
use crate::engine::Plan;
use crate::model::GuestId;

/// How far a staging is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Everything is resolved and built.
    Resolved(Prepared),
    /// And what it may leave behind is written down, or `false`.
    Recorded(Prepared, bool),
}

/// What is staged of a guest once the staging at work has ended.
#[derive(Debug)]
struct Next {
    generation: u64,
    plan: Plan,
}

/// At most one staging at work a guest, and one that waits for its end; as many as the engine has
/// guests. An order that finds one waiting takes its place, for the engine awaits only its latest.
#[derive(Debug, Default)]
pub(super) struct Stagings {
    tasks: JoinSet<Stage>,
    guests: BTreeMap<GuestId, Option<Next>>,
}

impl Stagings {
    /// Stages a guest now, or once its staging at work has ended. False where that takes the place
    /// of another order.
    pub(super) fn begin(
        &mut self,
        stager: &Stager,
        guest: GuestId,
        generation: u64,
        plan: Plan,
    ) -> bool {
        let next = Next { generation, plan };
        if let Some(waiting) = self.guests.get_mut(&guest) {
            return waiting.replace(next).is_none();
        }
        self.start(stager, guest, next);
        true
    }

    fn start(&mut self, stager: &Stager, guest: GuestId, next: Next) {
        self.guests.insert(guest, None);
        let own = stager.clone();
        let staging = async move {
            let Next { generation, plan } = next;
            Stage::Resolved(own.stage(guest, generation, &plan).await)
        };
        self.tasks.spawn_on(staging, stager.work());
    }

    /// Goes on with a staging once `written` has told whether its leftovers are in the ledger.
    pub(super) fn record(
        &mut self,
        prepared: Prepared,
        written: impl Future<Output = bool> + Send + 'static,
    ) {
        self.tasks
            .spawn(async move { Stage::Recorded(prepared, written.await) });
    }

    /// The guest's staging at work has ended: begins the one that waits.
    pub(super) fn end(&mut self, stager: &Stager, guest: GuestId) {
        if let Some(next) = self.guests.remove(&guest).flatten() {
            self.start(stager, guest, next);
        }
    }

    /// What is done with next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Stage {
        match self.tasks.join_next().await {
            Some(Ok(stage)) => stage,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // None is at work; none is ever cancelled.
            Some(Err(_)) | None => pending().await,
        }
    }
}
