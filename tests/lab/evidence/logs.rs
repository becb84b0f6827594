//! The lines of the logs beside the captures.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use macmoved::model::MacAddr;
use serde::Deserialize;
use serde_json::Value;

use super::Stamp;

/// An FDB entry that came, changed or went.
#[derive(Clone, Debug)]
pub(crate) struct FdbChange {
    /// The log's file name.
    pub(crate) file: String,
    /// Its line there, from 1.
    pub(crate) line: usize,
    /// When `bridge monitor` heard of it.
    pub(crate) at: Stamp,
    /// `fabric`, or the host.
    pub(crate) place: String,
    /// The address.
    pub(crate) mac: MacAddr,
    /// The port behind which it is.
    pub(crate) port: String,
    /// Whether the entry went.
    pub(crate) gone: bool,
}

/// One of QEMU's events.
#[derive(Clone, Debug)]
pub(crate) struct QmpEvent {
    /// QEMU's stamp.
    pub(crate) at: Stamp,
    /// The host.
    pub(crate) host: String,
    /// The guest's number.
    pub(crate) guest: u8,
    /// What happened.
    pub(crate) what: QmpWhat,
}

/// The events that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QmpWhat {
    /// The CPUs stopped.
    Stop,
    /// The CPUs run.
    Resume,
    /// The migration is complete, at this end.
    Completed,
}

/// A call of `migrate`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it began.
    pub(crate) begin: Stamp,
    /// Whether it succeeded.
    pub(crate) succeeded: bool,
    /// The source host.
    pub(crate) from: String,
    /// The destination host.
    pub(crate) to: String,
    /// The guest's name.
    pub(crate) guest: String,
}

/// Reads `bridge -timestamp monitor fdb`; the error is the number of a line that cannot be read.
pub(super) fn fdb(file: &str, place: &str, text: &str) -> Result<Vec<FdbChange>, usize> {
    let mut changes = Vec::new();
    let mut at = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(stamp) = line.strip_prefix("Timestamp: ") {
            at = Some(calendar_stamp(stamp).ok_or(index + 1)?);
            continue;
        }
        let (gone, entry) = match line.strip_prefix("Deleted ") {
            Some(entry) => (true, entry),
            None => (false, line),
        };
        let mut words = entry.split_whitespace();
        let mac = words.next().and_then(|word| word.parse().ok());
        let port = match words.next() {
            Some("dev") => words.next(),
            _ => None,
        };
        let (Some(mac), Some(port), Some(at)) = (mac, port, at) else {
            return Err(index + 1);
        };
        changes.push(FdbChange {
            file: file.to_owned(),
            line: index + 1,
            at,
            place: place.to_owned(),
            mac,
            port: port.to_owned(),
            gone,
        });
    }
    Ok(changes)
}

/// Reads `Sun Nov 22 00:50:42 2026 32185 usec`, which is in UTC.
fn calendar_stamp(text: &str) -> Option<Stamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = text.split_whitespace().collect();
    let [_, month, day, time, year, micros, "usec"] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let day: u8 = day.parse().ok()?;
    let second = humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:02}T{time}Z")).ok()?;
    let seconds = second.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let micros: i64 = micros.parse().ok()?;
    Some(Stamp(
        i64::try_from(seconds).ok()? * 1_000_000_000 + micros * 1_000,
    ))
}

/// A line of a monitor (`docs/interop/qmp-spec.txt` of QEMU).
#[derive(Deserialize)]
struct QmpLine {
    timestamp: QmpStamp,
    event: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct QmpStamp {
    seconds: i64,
    microseconds: i64,
}

/// Reads what a QEMU says at its monitor. Greetings and answers are no events, and the last line of
/// one that was killed may be torn.
pub(super) fn qmp(host: &str, guest: u8, text: &str) -> Vec<QmpEvent> {
    let event = |line: &str| {
        let line: QmpLine = serde_json::from_str(line).ok()?;
        let what = match line.event.as_str() {
            "STOP" => QmpWhat::Stop,
            "RESUME" => QmpWhat::Resume,
            "MIGRATION" if line.data["status"] == "completed" => QmpWhat::Completed,
            _ => return None,
        };
        let QmpStamp {
            seconds,
            microseconds,
        } = line.timestamp;
        Some(QmpEvent {
            at: Stamp(seconds * 1_000_000_000 + microseconds * 1_000),
            host: host.to_owned(),
            guest,
            what,
        })
    };
    text.lines().filter_map(event).collect()
}

/// Reads `ip -oneline link` and `ip -oneline monitor link`: names by index.
pub(super) fn links(text: &str) -> BTreeMap<u32, String> {
    let link = |line: &str| {
        let line = line.strip_prefix("Deleted ").unwrap_or(line);
        let (index, rest) = line.split_once(": ")?;
        let name = rest.split([':', '@']).next()?;
        Some((index.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(link).collect()
}

/// Reads what `migrate` writes down; the error is the number of a line that cannot be read.
pub(super) fn calls(text: &str) -> Result<Vec<Call>, usize> {
    let call = |line: &str| {
        let words: Vec<_> = line.splitn(6, ' ').collect();
        let [begin, _, status, from, to, guest] = words[..] else {
            return None;
        };
        Some(Call {
            begin: Stamp(begin.parse::<i64>().ok()? * 1_000),
            succeeded: status == "0",
            from: from.to_owned(),
            to: to.to_owned(),
            guest: guest.to_owned(),
        })
    };
    let numbered = |(index, line)| call(line).ok_or(index + 1);
    text.lines().enumerate().map(numbered).collect()
}
