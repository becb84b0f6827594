//! Actions as log lines. Names never appear here: a guest is its UUID, and a name is a tenant's.

use tracing::field::debug;
use tracing::{info, warn};

use crate::engine::{Action, Count, Record};
use crate::model::{Outcome, SendFault};

/// Logs what an operator wants to read later.
pub(super) fn narrate(action: &Action) {
    match action {
        Action::Reached {
            guest,
            phase,
            at: _,
        } => info!(%guest, %phase, "phase reached"),
        Action::Refused {
            guest,
            nic,
            refusal,
        } => {
            warn!(%guest, nic, reason = %refusal, "interface is not announced");
        }
        Action::Finished(record) => finished(record),
        Action::Count(Count::Faults(reason), _) => warn!(%reason, "a frame did not leave"),
        Action::Count(Count::StagedLate, _) => {
            warn!("a guest runs before its frames stand ready; it is announced as soon as they do");
        }
        Action::Count(Count::SchedulesCut, _) => {
            info!("an announcement was cut short because its guest no longer runs here");
        }
        Action::Count(Count::ContestedAddresses, _) => {
            warn!("another station has an address of a guest, too; nothing is said of it");
        }
        Action::Count(Count::RefusedAddresses(reason), _) => {
            warn!(%reason, "an address that a guest uses is not believed; nothing is said of it");
        }
        Action::Count(Count::Drops(queue), amount) => {
            warn!(queue = queue.label(), amount, "a full queue dropped inputs");
        }
        Action::Count(
            Count::Frames(_)
            | Count::Retries
            | Count::Refusals
            | Count::Migrations { .. }
            | Count::Reconnects
            | Count::Stale
            | Count::Hints(_)
            // The ledger itself says which guest's.
            | Count::EntriesUndone
            | Count::LedgerFaults,
            _,
        )
        | Action::Describe { .. }
        | Action::Stage { .. }
        | Action::Unstage { .. }
        | Action::Watch { .. }
        | Action::Unwatch { .. }
        | Action::Send(_)
        | Action::Measure(..) => {}
    }
}

fn finished(record: &Record) {
    let Record {
        uuid,
        side,
        mode,
        outcome,
        measured,
        ..
    } = record;
    let good = *outcome == Outcome::Completed && measured.lost_frames == 0;
    let downtime = measured.downtime.map(debug);
    let resume_to_wire = measured.resume_to_wire.map(debug);
    let event_to_wire = measured.event_to_wire.map(debug);
    let (frames, early_frames, lost_frames) =
        (measured.frames, measured.early_frames, measured.lost_frames);
    if good {
        info!(guest = %uuid, %side, %mode, %outcome, frames, early_frames, downtime,
            resume_to_wire, event_to_wire, "migration ended");
    } else {
        let latest_fault = measured.latest_fault.map(SendFault::label);
        warn!(guest = %uuid, %side, %mode, %outcome, frames, early_frames, lost_frames,
            latest_fault, "migration did not end well; see macmovectl history");
    }
}
