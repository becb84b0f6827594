//! `macmovectl hook`: hands what libvirt says of a guest to the agent.
//!
//! libvirt waits for it, reads what it prints and acts on its exit status, so it has none but 0,
//! prints nothing, and ends within [`PATIENCE`] whatever it meets.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use tokio::net::UnixSocket;

use crate::config::{self, Sources};
use crate::wire::HookMessage;

/// Where the agent listens unless its settings say otherwise.
const SOCKET: &str = "/run/macmoved/hook.sock";

/// The longest that anybody is kept waiting, by a standard input that never ends, say. libvirt
/// writes all of the XML at once.
const PATIENCE: Duration = Duration::from_millis(500);

/// Does what can be done in time.
pub(super) fn run(words: Vec<OsString>) {
    let (done, waiting) = sync_channel::<()>(0);
    let worker = thread::Builder::new().spawn(move || {
        // Nobody is there who could be told that it failed.
        tell(&words).ok();
        drop(done);
    });
    if worker.is_ok() {
        // Its end is a hang-up. One that takes longer ends with the process.
        waiting.recv_timeout(PATIENCE).ok();
    }
}

fn tell(words: &[OsString]) -> io::Result<()> {
    let mut xml = Vec::new();
    // What is longer is left out. libvirt does not mind that nobody reads the rest: it takes EPIPE
    // for an early end of the input (`virCommandProcessIO` in `src/util/vircommand.c`).
    let limit = HookMessage::MAX_OCTETS as u64 + 1;
    io::stdin().lock().take(limit).read_to_end(&mut xml).ok();
    let word = |index: usize| words.get(index).map_or(&b"-"[..], |word| word.as_bytes());
    let message = HookMessage {
        object: word(0),
        operation: word(1),
        phase: word(2),
        extra: word(3),
        xml: Some(&xml).filter(|xml| !xml.is_empty()).map(Vec::as_slice),
    };
    let Some(octets) = message.emit() else {
        return Ok(());
    };
    // One call: it takes what the socket's buffer has room for, and that is more than a message.
    connect(&socket())?.write_all(&octets)
}

/// `[hook] socket`, or its default where the settings cannot be had.
pub(super) fn socket() -> PathBuf {
    let loaded = config::load(&Sources::of_process(None, Vec::new()));
    loaded.map_or_else(|_| SOCKET.into(), |loaded| loaded.config.hook_socket)
}

/// Connects without waiting, neither for an agent with many callers nor for one that is stopped,
/// to a stream that does not block either.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async { UnixSocket::new_stream()?.connect(path).await?.into_std() })
}
