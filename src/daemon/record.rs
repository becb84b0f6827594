//! The flight recorder: every event and action as a JSON line, for replay in a test.
//!
//! ```text
//! {"format":"macmoved-recording","version":1,"policy":{...}}
//! {"at_ns":123,"event":{...}}
//! {"at_ns":123,"action":{...}}
//! {"at_ns":123,"timeout":null}
//! ```
//!
//! The lines stand in the order in which the engine was fed and drained, so a replay that does the
//! same finds the same actions.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::{io, thread};

use serde::Serialize;

use crate::engine::{Action, Event, Policy};
use crate::model::Instant;

/// Lines that wait for the disk. When full a line is dropped and counted, and the recording can no
/// longer be replayed; the agent goes on.
const LINES: usize = 8_192;

/// Why no recording was begun.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the recording {}", path.display())]
pub struct StartRecordError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Serialize)]
struct Header<'a> {
    format: &'static str,
    version: u32,
    policy: &'a Policy,
}

#[derive(Serialize)]
struct Line {
    at_ns: Instant,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Event(Event),
    Action(Action),
    Timeout,
}

/// Writes on a thread of its own, so that a slow disk holds up nothing but the end: what was noted
/// is written when this is gone.
#[derive(Debug)]
pub(super) struct Recorder {
    /// None at the end only.
    lines: Option<SyncSender<Line>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
}

impl Recorder {
    /// Begins a recording in a new file, readable by its owner only: it names guests.
    pub(super) fn start(path: &Path, policy: &Policy) -> Result<Self, StartRecordError> {
        let fail = |source| StartRecordError {
            path: path.to_owned(),
            source,
        };
        let mut file = BufWriter::new(create(path).map_err(fail)?);
        let header = Header {
            format: "macmoved-recording",
            version: 1,
            policy,
        };
        write_line(&mut file, &header).map_err(fail)?;
        let (lines, queue) = sync_channel(LINES);
        let writer = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write_all(file, &queue))
            .map_err(fail)?;
        Ok(Self {
            lines: Some(lines),
            writer: Some(writer),
            dropped: 0,
        })
    }

    /// Notes an input.
    pub(super) fn event(&mut self, at_ns: Instant, event: Event) {
        self.line(Line {
            at_ns,
            entry: Entry::Event(event),
        });
    }

    /// Notes an output.
    pub(super) fn action(&mut self, at_ns: Instant, action: Action) {
        self.line(Line {
            at_ns,
            entry: Entry::Action(action),
        });
    }

    /// Notes that time passed.
    pub(super) fn timeout(&mut self, at_ns: Instant) {
        self.line(Line {
            at_ns,
            entry: Entry::Timeout,
        });
    }

    /// Lines lost since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn line(&mut self, line: Line) {
        let sent = self.lines.as_ref().map(|lines| lines.try_send(line));
        match sent {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                self.dropped += 1;
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the recorder broke off");
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn write_all(mut file: BufWriter<File>, queue: &Receiver<Line>) {
    while let Ok(line) = queue.recv() {
        if let Err(error) = write_queued(&mut file, &line, queue) {
            tracing::error!(%error, "the recording ends here: it cannot be written");
            return;
        }
    }
}

/// Writes a line and all that wait behind it, and leaves none in the buffer: the agent may be
/// killed.
fn write_queued(file: &mut BufWriter<File>, line: &Line, queue: &Receiver<Line>) -> io::Result<()> {
    write_line(file, line)?;
    for next in queue.try_iter() {
        write_line(file, &next)?;
    }
    file.flush()
}

fn write_line(file: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests;
