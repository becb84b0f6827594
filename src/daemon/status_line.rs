//! The line that `systemctl status` shows.

use crate::emit::Brake;
use crate::engine::Snapshot;

/// What holds frames back, if anything does, and what is heard.
pub(super) fn status_line(brake: &Brake, snapshot: &Snapshot) -> String {
    format!(
        "{}{}",
        braked(brake.paused(), brake.safe_mode()),
        status(snapshot)
    )
}

/// What comes first in the line that `systemctl status` shows.
const fn braked(paused: bool, safe_mode: bool) -> &'static str {
    match (paused, safe_mode) {
        (true, _) => "PAUSED; ",
        (false, true) => "SAFE MODE; ",
        (false, false) => "",
    }
}

/// The rest of it.
fn status(snapshot: &Snapshot) -> String {
    let guests = snapshot.guests.len();
    if snapshot.libvirt.resynced {
        let ended = snapshot.history.len();
        format!("connected to libvirt; {guests} guests, {ended} migrations in history")
    } else {
        "waiting for libvirt".to_owned()
    }
}
