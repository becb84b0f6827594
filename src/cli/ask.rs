//! Commands that ask the agent.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::brakes::BrakesText;
use super::failure::Failure;
use super::guests::GuestsText;
use super::history::HistoryText;
use super::plan_text::PlanText;
use super::status::StatusText;
use super::{clock, output};
use crate::control::client::{CallError, Client};
use crate::control::{AgentFault, BrakesStatus, Status};
use crate::engine::{GuestView, Outline, Record, StagedNic};

/// A question waits for nothing on the network; after this the agent is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn status(socket: &Path, json: bool) -> Result<(), Failure> {
    let answer = ask(socket, async |agent| agent.status().await)?;
    show(&answer, json, |status: &Status| {
        StatusText(status, clock::now()).to_string()
    })
}

pub(super) fn guests(socket: &Path, json: bool) -> Result<(), Failure> {
    let answer = ask(socket, async |agent| agent.guests().await)?;
    show(&answer, json, |guests: &Vec<GuestView>| {
        GuestsText(guests, clock::now()).to_string()
    })
}

pub(super) fn history(socket: &Path, limit: u32, json: bool) -> Result<(), Failure> {
    let answer = ask(socket, async |agent| agent.history(limit).await)?;
    show(&answer, json, |records: &Vec<Record>| {
        HistoryText(records, clock::now()).to_string()
    })
}

pub(super) fn plan(socket: &Path, guest: &str, json: bool) -> Result<(), Failure> {
    let answer = ask(socket, async |agent| agent.plan(guest).await)?;
    show(&answer, json, |plan: &Outline<StagedNic>| {
        PlanText(plan).to_string()
    })
}

/// Has nothing sent, for a time or until [`resume`].
pub(super) fn pause(socket: &Path, length: Option<Duration>, json: bool) -> Result<(), Failure> {
    let seconds = length.map_or(0, |length| length.as_secs());
    let answer = ask(socket, async |agent| agent.pause(seconds).await)?;
    show(&answer, json, |brakes: &BrakesStatus| {
        BrakesText(brakes, clock::now()).to_string()
    })
}

/// Ends that and safe mode; a failure where nothing is sent all the same, by order of the file.
pub(super) fn resume(socket: &Path, json: bool) -> Result<(), Failure> {
    let answer = ask(socket, async |agent| agent.resume().await)?;
    show(&answer, json, |brakes: &BrakesStatus| {
        if *brakes == BrakesStatus::default() {
            "resumed; what was withheld is not sent later\n".to_owned()
        } else {
            BrakesText(brakes, clock::now()).to_string()
        }
    })?;
    let brakes: BrakesStatus = serde_json::from_str(&answer).map_err(Failure::Answer)?;
    match brakes.file {
        Some(file) if brakes.paused => Err(Failure::StillPaused(file)),
        Some(_) | None => Ok(()),
    }
}

/// Connects, asks one question and gives the answer, which is JSON.
fn ask(
    socket: &Path,
    question: impl AsyncFnOnce(&Client) -> Result<String, CallError>,
) -> Result<String, Failure> {
    reach(socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(patiently(async {
        let agent = Client::connect(socket).await.map_err(Failure::Connect)?;
        question(&agent).await.map_err(|error| match error {
            CallError::Refused(AgentFault::UnknownGuest(text)) => Failure::UnknownGuest(text),
            CallError::Refused(AgentFault::NotKept(text)) => Failure::NotKept(text),
            error @ (CallError::Refused(_) | CallError::Lost(_)) => Failure::Call(error),
        })
    }))
}

async fn patiently(
    answer: impl Future<Output = Result<String, Failure>>,
) -> Result<String, Failure> {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or(Err(Failure::Silent(PATIENCE)))
}

/// Tells an agent that is not there from a socket that is not ours, before a protocol hides it.
fn reach(socket: &Path) -> Result<(), Failure> {
    match UnixStream::connect(socket) {
        Ok(_) => Ok(()),
        Err(source) => Err(unreachable(socket, source)),
    }
}

fn unreachable(socket: &Path, source: io::Error) -> Failure {
    let path = socket.to_owned();
    if source.kind() == io::ErrorKind::PermissionDenied {
        Failure::Forbidden { path, source }
    } else {
        Failure::Absent { path, source }
    }
}

/// Prints the agent's own JSON, or what it says to people.
fn show<T: DeserializeOwned, D: fmt::Display>(
    answer: &str,
    json: bool,
    text: impl FnOnce(&T) -> D,
) -> Result<(), Failure> {
    if json {
        return output::print_raw_json(answer);
    }
    let value = serde_json::from_str(answer).map_err(Failure::Answer)?;
    output::print(text(&value))
}

#[cfg(test)]
mod tests;
