//! What keeps frames from leaving, and the word to pull and loosen it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::model::Timestamp;

/// The longest pause that has an end. What is to last longer is a pause without one.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many orders to the brakes may wait. One that finds the queue full is refused as busy; the
/// caller may say it again.
pub const BRAKE_ORDERS: usize = 8;

/// The brakes as the agent has them; a dry run is a setting and stands in
/// [`Facts`](super::Facts).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brakes {
    /// Nothing is sent.
    pub pause: Option<Pause>,
    /// A limit was reached: only first frames of migrations are sent.
    pub safe_mode: bool,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pause {
    /// `macmovectl pause` said so.
    Command {
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
    /// A file says so by being there, and whatever a command says besides.
    File {
        /// Which file.
        path: PathBuf,
        /// Its first line, raw: escape it before it meets a terminal.
        reason: Option<String>,
    },
}

/// The brakes as callers see them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakesStatus {
    /// Nothing is sent, by order.
    pub paused: bool,
    /// By whose order.
    pub paused_by: Option<PausedBy>,
    /// When the pause ends by itself, as nanoseconds since the Unix epoch.
    pub until_ns: Option<Timestamp>,
    /// The file that has to go for the pause to end.
    pub file: Option<String>,
    /// What somebody wrote into that file, raw: escape it before it meets a terminal.
    pub reason: Option<String>,
    /// A limit was reached: only first frames of migrations are sent.
    pub safe_mode: bool,
    /// Nothing is sent, by configuration.
    pub dry_run: bool,
}

/// What pauses the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// `macmovectl pause`.
    Command,
    /// The file; it outranks a command.
    File,
}

impl BrakesStatus {
    pub(super) fn of(brakes: &Brakes, dry_run: bool) -> Self {
        let mut status = Self {
            paused: brakes.pause.is_some(),
            safe_mode: brakes.safe_mode,
            dry_run,
            ..Self::default()
        };
        match &brakes.pause {
            None => {}
            Some(Pause::Command { until }) => {
                status.paused_by = Some(PausedBy::Command);
                status.until_ns = *until;
            }
            Some(Pause::File { path, reason }) => {
                status.paused_by = Some(PausedBy::File);
                status.file = Some(path.display().to_string());
                status.reason.clone_from(reason);
            }
        }
        status
    }
}

/// A word to the brakes. The answer comes when it is obeyed and [`View`](super::View) shows it.
#[derive(Debug)]
pub enum BrakeOrder {
    /// Send nothing, in place of what an earlier order said.
    Pause {
        /// For so long, or until resumed.
        length: Option<Duration>,
        /// Dropping it unanswered tells the caller that the agent is stopping.
        reply: oneshot::Sender<Result<(), BrakeFault>>,
    },
    /// End that, and safe mode. The file's word stands.
    Resume {
        /// As above.
        reply: oneshot::Sender<Result<(), BrakeFault>>,
    },
}

/// What went wrong with an order that is obeyed all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrakeFault {
    /// A restart of the agent would not know of it.
    #[error("paused, but only until the agent restarts: {0}")]
    PauseNotKept(String),
    /// A restart of the agent would pause again.
    #[error("the order to pause is lifted, but comes back when the agent restarts: {0}")]
    ResumeNotKept(String),
}
