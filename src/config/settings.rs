//! The settings as they are written: their frame, their types, their defaults. What a value means
//! and whether it may be so is decided in `check`.

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) dry_run: bool,
    pub(super) libvirt: LibvirtTable,
    pub(super) announce: AnnounceTable,
    pub(super) pacing: PacingTable,
    pub(super) unarp: UnarpTable,
    pub(super) addresses: AddressesTable,
    pub(super) network: NetworkTable,
    pub(super) handoff: HandoffTable,
    pub(super) hook: SocketTable,
    pub(super) control: SocketTable,
    pub(super) state: StateTable,
    pub(super) metrics: MetricsTable,
    pub(super) dbus: DbusTable,
    pub(super) guest: Vec<GuestTable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LibvirtTable {
    pub(super) uri: String,
    pub(super) access: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnnounceTable {
    pub(super) initial: String,
    pub(super) max: String,
    pub(super) rounds: i64,
    pub(super) step: String,
    pub(super) extend: Vec<String>,
    pub(super) move_budget: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PacingTable {
    pub(super) frames_per_second: i64,
    pub(super) burst: i64,
    pub(super) reserve: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnarpTable {
    pub(super) enabled: bool,
    pub(super) honour: bool,
    pub(super) honour_prefixes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressesTable {
    pub(super) sources: Vec<String>,
    pub(super) prefixes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkTable {
    pub(super) uplinks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandoffTable {
    pub(super) interface: String,
    pub(super) group: String,
    pub(super) port: i64,
    pub(super) peers: Vec<String>,
    pub(super) key_file: String,
    pub(super) queue_frames: i64,
    pub(super) hold: String,
}

/// A table with nothing but a socket's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SocketTable {
    pub(super) socket: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateTable {
    pub(super) directory: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsTable {
    pub(super) listen: String,
    pub(super) guest_labels: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DbusTable {
    pub(super) enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuestTable {
    #[serde(rename = "match")]
    pub(super) pattern: String,
    #[serde(default = "yes")]
    pub(super) announce: bool,
    #[serde(default)]
    pub(super) addresses: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl Default for Settings {
    fn default() -> Self {
        let socket = |path: &str| SocketTable {
            socket: path.to_owned(),
        };
        Self {
            dry_run: false,
            libvirt: LibvirtTable {
                uri: "qemu:///system".to_owned(),
                access: "full".to_owned(),
            },
            announce: AnnounceTable::default(),
            pacing: PacingTable {
                frames_per_second: 250,
                burst: 50,
                reserve: 100,
            },
            unarp: UnarpTable {
                enabled: true,
                honour: false,
                honour_prefixes: Vec::new(),
            },
            addresses: AddressesTable {
                sources: texts(&["xml", "config", "lease", "peer", "dhcp"]),
                prefixes: Vec::new(),
            },
            network: NetworkTable {
                uplinks: Vec::new(),
            },
            handoff: HandoffTable::default(),
            hook: socket("/run/macmoved/hook.sock"),
            control: socket("/run/macmoved/control.sock"),
            state: StateTable {
                directory: "/run/macmoved".to_owned(),
            },
            metrics: MetricsTable {
                listen: "127.0.0.1:11868".to_owned(),
                guest_labels: true,
            },
            dbus: DbusTable { enabled: false },
            guest: Vec::new(),
        }
    }
}

impl Default for AnnounceTable {
    fn default() -> Self {
        Self {
            initial: "50ms".to_owned(),
            max: "550ms".to_owned(),
            rounds: 5,
            step: "100ms".to_owned(),
            extend: texts(&["1500ms", "3s", "6s", "12s"]),
            move_budget: 4,
        }
    }
}

impl Default for HandoffTable {
    fn default() -> Self {
        Self {
            interface: "none".to_owned(),
            group: "239.255.18.68".to_owned(),
            port: 11_868,
            peers: Vec::new(),
            key_file: "/etc/macmoved/handoff.key".to_owned(),
            queue_frames: 4_096,
            hold: "10s".to_owned(),
        }
    }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
