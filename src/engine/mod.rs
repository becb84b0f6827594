//! What to announce and when: pure, without clock, IO, logging or errors.

mod action;
mod event;
mod plan;
mod policy;
mod rounds;
mod snapshot;

pub use action::{Action, Cause, Count, Measure, Round, Ticket};
pub use event::{
    DescribeFault, Event, GuestFacts, JobCompleted, Lifecycle, MigrationStatus, Queue, RunState,
    StagedFrame, Staging,
};
pub use plan::{Plan, PlannedNic, plan};
pub use policy::{GuestRule, Pacing, Policy};
pub use rounds::Rounds;
pub use snapshot::{GuestPhase, GuestView, LibvirtView, Measured, PhaseAt, Record, Snapshot};
