//! Every metric with its labels: the one table that registration, tests and dashboards go by.

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// Its full name.
    pub name: &'static str,
    /// What it tells, for `# HELP`.
    pub help: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Its labels, in the order of their values.
    pub labels: &'static [&'static str],
}

/// A metric's kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values below bounds, in seconds.
    Histogram(&'static [f64]),
}

const fn counter(name: &'static str, help: &'static str, labels: Labels) -> Definition {
    let kind = Kind::Counter;
    Definition {
        name,
        help,
        kind,
        labels,
    }
}

const fn gauge(name: &'static str, help: &'static str, labels: Labels) -> Definition {
    let kind = Kind::Gauge;
    Definition {
        name,
        help,
        kind,
        labels,
    }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    labels: Labels,
    bounds: &'static [f64],
) -> Definition {
    let kind = Kind::Histogram(bounds);
    Definition {
        name,
        help,
        kind,
        labels,
    }
}

type Labels = &'static [&'static str];

/// From a warm send, about 5 us, to a second, when a switch has long aged nothing out.
const OWN_WORK: &[f64] = &[
    5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5,
    1.0,
];
/// From one event's way through QEMU and libvirt to the longest wait for a port to forward.
const WAITING: &[f64] = &[
    1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];
/// libvirt tells milliseconds; QEMU aims at 300 ms.
const DOWNTIMES: &[f64] = &[
    1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0,
];

pub(super) const EVENT_TO_WIRE: Definition = histogram(
    "macmove_event_to_wire_seconds",
    "From the entry of the libvirt callback to the return of the sending call, first frame of an announcement.",
    &["cause"],
    OWN_WORK,
);
pub(super) const RESUME_TO_WIRE: Definition = histogram(
    "macmove_resume_to_wire_seconds",
    "From QEMU's RESUME stamp to the return of the sending call, first frame of the first round.",
    &[],
    WAITING,
);
pub(super) const ROUND_DELAY: Definition = histogram(
    "macmove_round_delay_seconds",
    "How late after its due time the first frame of a later round left.",
    &[],
    WAITING,
);
pub(super) const DOWNTIME: Definition = histogram(
    "macmove_downtime_seconds",
    "Downtime of completed outgoing migrations as libvirt reports it.",
    &[],
    DOWNTIMES,
);
pub(super) const STAGING: Definition = histogram(
    "macmove_staging_seconds",
    "From the question for a guest's XML to frames that stand ready.",
    &[],
    WAITING,
);
pub(super) const FRAMES: Definition =
    counter("macmove_frames_total", "Frames that left.", &["kind"]);
pub(super) const FRAME_ERRORS: Definition = counter(
    "macmove_frame_errors_total",
    "Attempts to send a frame that failed.",
    &["reason"],
);
pub(super) const FRAME_RETRIES: Definition = counter(
    "macmove_frame_retries_total",
    "Frames that were tried once more.",
    &[],
);
pub(super) const REFUSALS: Definition = counter(
    "macmove_refusals_total",
    "Guest interfaces that were not announced.",
    &[],
);
pub(super) const MIGRATIONS: Definition = counter(
    "macmove_migrations_total",
    "Migrations that ended, by this host's side.",
    &["side", "mode", "outcome"],
);
pub(super) const SCHEDULES_CUT: Definition = counter(
    "macmove_schedules_cut_total",
    "Announcements cut short because the guest left, stopped or moved on.",
    &[],
);
pub(super) const STAGED_LATE: Definition = counter(
    "macmove_staged_late_total",
    "Guests that resumed before their frames stood ready.",
    &[],
);
pub(super) const RECONNECTS: Definition = counter(
    "macmove_libvirt_reconnects_total",
    "Connections to libvirt made after the first.",
    &[],
);
pub(super) const DROPPED: Definition = counter(
    "macmove_dropped_total",
    "Inputs lost in a full queue.",
    &["queue"],
);
pub(super) const STALE_ANSWERS: Definition = counter(
    "macmove_stale_answers_total",
    "Answers that came after the question had been asked anew.",
    &[],
);
pub(super) const ENTRIES_UNDONE: Definition = counter(
    "macmove_forwarding_entries_undone_total",
    "Forwarding entries that were taken back because their guest did not stay.",
    &[],
);
pub(super) const LEDGER_ERRORS: Definition = counter(
    "macmove_ledger_errors_total",
    "Lasting changes that could not be written down or undone.",
    &[],
);
pub(super) const HOOK_CALLS: Definition = counter(
    "macmove_hook_calls_total",
    "Calls of libvirt's hook script that were heard.",
    &["operation"],
);
pub(super) const HOOK_ERRORS: Definition = counter(
    "macmove_hook_errors_total",
    "Connections to the hook socket that told nothing.",
    &["reason"],
);
pub(super) const HOOK_HINTS: Definition = counter(
    "macmove_hook_hints_total",
    "Guests that libvirt's hook script foretold, by what became of that.",
    &["outcome"],
);
pub(super) const CONTESTED_ADDRESSES: Definition = counter(
    "macmove_contested_addresses_total",
    "IP addresses of guests that another station had, too: not retracted.",
    &[],
);
pub(super) const REFUSED_ADDRESSES: Definition = counter(
    "macmove_refused_addresses_total",
    "IP addresses that a guest was heard to have and that are not believed: not retracted.",
    &["reason"],
);
pub(super) const UNARP_HONOURED: Definition = counter(
    "macmove_unarp_honoured_total",
    "Neighbour entries of this host that were deleted on an UNARP.",
    &[],
);
pub(super) const UNARP_REFUSED: Definition = counter(
    "macmove_unarp_refused_total",
    "UNARPs that were heard and deleted no neighbour entry.",
    &["reason"],
);
pub(super) const UNARP_LISTENING: Definition = gauge(
    "macmove_unarp_listening",
    "1 while UNARPs of others are heard and honoured.",
    &[],
);
pub(super) const LIBVIRT_CONNECTED: Definition = gauge(
    "macmove_libvirt_connected",
    "1 while a connection to libvirt stands.",
    &[],
);
pub(super) const LIBVIRT_RESYNCED: Definition = gauge(
    "macmove_libvirt_resynced",
    "1 once every guest has been read over the present connection to libvirt.",
    &[],
);
pub(super) const GUESTS: Definition = gauge(
    "macmove_guests",
    "Guests on this host by where they stand.",
    &["phase"],
);
pub(super) const STAGED_GUESTS: Definition = gauge(
    "macmove_staged_guests",
    "Guests whose frames stand ready.",
    &[],
);
pub(super) const WAITING_FRAMES: Definition = gauge(
    "macmove_waiting_frames",
    "Frames that wait for pacing.",
    &[],
);
pub(super) const PHASE_TIMESTAMP: Definition = gauge(
    "macmove_migration_phase_timestamp_seconds",
    "When a guest's latest migration reached a phase; the latest 64 guests.",
    &["domain", "uuid", "phase"],
);
pub(super) const BUILD_INFO: Definition = gauge(
    "macmove_build_info",
    "1, with the version that runs.",
    &["version", "arch"],
);
pub(super) const DRY_RUN: Definition = gauge(
    "macmove_dry_run",
    "1 where nothing is sent or changed.",
    &[],
);
pub(super) const PAUSED: Definition = gauge(
    "macmove_paused",
    "1 while the operator lets nothing be sent.",
    &[],
);
pub(super) const SAFE_MODE: Definition = gauge(
    "macmove_safe_mode",
    "1 since a limit was reached: only first frames of migrations leave until resumed.",
    &[],
);

/// Every metric that `/metrics` shows. The last seven are the client library's own.
pub const CATALOG: &[Definition] = &[
    EVENT_TO_WIRE,
    RESUME_TO_WIRE,
    ROUND_DELAY,
    DOWNTIME,
    STAGING,
    FRAMES,
    FRAME_ERRORS,
    FRAME_RETRIES,
    REFUSALS,
    MIGRATIONS,
    SCHEDULES_CUT,
    STAGED_LATE,
    RECONNECTS,
    DROPPED,
    STALE_ANSWERS,
    ENTRIES_UNDONE,
    LEDGER_ERRORS,
    HOOK_CALLS,
    HOOK_ERRORS,
    HOOK_HINTS,
    CONTESTED_ADDRESSES,
    REFUSED_ADDRESSES,
    UNARP_HONOURED,
    UNARP_REFUSED,
    UNARP_LISTENING,
    LIBVIRT_CONNECTED,
    LIBVIRT_RESYNCED,
    GUESTS,
    STAGED_GUESTS,
    WAITING_FRAMES,
    PHASE_TIMESTAMP,
    BUILD_INFO,
    DRY_RUN,
    PAUSED,
    SAFE_MODE,
    counter("process_cpu_seconds_total", "Processor time used.", &[]),
    gauge("process_open_fds", "Open file descriptors.", &[]),
    gauge("process_max_fds", "Most file descriptors allowed.", &[]),
    gauge("process_virtual_memory_bytes", "Virtual memory.", &[]),
    gauge("process_resident_memory_bytes", "Resident memory.", &[]),
    gauge(
        "process_start_time_seconds",
        "Start, since the Unix epoch.",
        &[],
    ),
    gauge("process_threads", "Threads.", &[]),
];
