//! Actions as log lines. Names never appear here: a guest is its UUID, and a name is a tenant's.

use tracing::{info, warn};

use crate::engine::{Action, Count, Record};
use crate::model::Outcome;

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
            info!("a schedule was cut short because its guest no longer runs here");
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
            | Count::Stale,
            _,
        )
        | Action::Describe { .. }
        | Action::Stage { .. }
        | Action::Unstage { .. }
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
    let milliseconds = |duration: Option<std::time::Duration>| {
        duration.map(|duration| duration.as_secs_f64() * 1e3)
    };
    let good = *outcome == Outcome::Completed && measured.lost_frames == 0;
    let figures = (
        milliseconds(measured.downtime),
        milliseconds(measured.resume_to_wire),
        milliseconds(measured.event_to_wire),
    );
    let (downtime_ms, resume_to_wire_ms, event_to_wire_ms) = figures;
    let (frames, early_frames, lost_frames) =
        (measured.frames, measured.early_frames, measured.lost_frames);
    if good {
        info!(guest = %uuid, %side, %mode, %outcome, frames, early_frames, downtime_ms,
            resume_to_wire_ms, event_to_wire_ms, "migration ended");
    } else {
        warn!(guest = %uuid, %side, %mode, %outcome, frames, early_frames, lost_frames,
            "migration did not end well; see macmovectl history");
    }
}
