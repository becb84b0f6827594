//! A view that tests hold by its other end.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Brakes, Facts, View};
use crate::engine::{GuestPhase, GuestView, LibvirtView, Measured, Record, Snapshot};
use crate::metrics::Metrics;
use crate::model::{GuestId, GuestName, Mode, Outcome, Side, Timestamp};

pub(super) struct Holder {
    pub(super) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(super) facts: watch::Sender<Arc<Facts>>,
    pub(super) brakes: watch::Sender<Brakes>,
    pub(super) view: View,
}

pub(super) fn holder(snapshot: Snapshot) -> Holder {
    let facts = Facts {
        version: "1.2.3".to_owned(),
        since: Timestamp::from_nanos(7),
        dry_run: true,
        access: "full".to_owned(),
        honours: Vec::new(),
        warnings: vec!["beware".to_owned()],
    };
    let (snapshot, snapshots) = watch::channel(Arc::new(snapshot));
    let (facts, all_facts) = watch::channel(Arc::new(facts));
    let (brakes, all_brakes) = watch::channel(Brakes::default());
    let view = View {
        snapshot: snapshots,
        facts: all_facts,
        brakes: all_brakes,
        metrics: Arc::new(Metrics::new("1.2.3").unwrap()),
    };
    Holder {
        snapshot,
        facts,
        brakes,
        view,
    }
}

pub(super) fn connected(connected: bool, resynced: bool) -> Snapshot {
    let libvirt = LibvirtView {
        connected,
        resynced,
        ..LibvirtView::default()
    };
    Snapshot {
        libvirt,
        ..Snapshot::default()
    }
}

pub(super) fn guest(octet: u8, phase: GuestPhase) -> GuestView {
    GuestView {
        uuid: GuestId::new([octet; 16]),
        name: GuestName::new("a\"b\n".to_owned()),
        phase,
        mode: None,
        staged: false,
        round: None,
        macs: Vec::new(),
        addresses: Vec::new(),
        refused: Vec::new(),
        phases: Vec::new(),
    }
}

pub(super) fn record(id: u64) -> Record {
    Record {
        id,
        uuid: GuestId::new([1; 16]),
        name: GuestName::default(),
        side: Side::Source,
        mode: Mode::Precopy,
        outcome: Outcome::Completed,
        phases: Vec::new(),
        measured: Measured::default(),
        peer: None,
    }
}
