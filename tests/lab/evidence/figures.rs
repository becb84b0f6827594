//! What a migration cost, measured from outside.

use std::collections::BTreeSet;

use super::{Evidence, FdbChange, Migration, Stamp, fabric_port, guest_mac};

/// QEMU's schedule, in milliseconds from RESUME (`AnnounceParameters` in `qapi/net.json`).
pub(crate) const ROUNDS: [f64; 5] = [0.0, 50.0, 200.0, 450.0, 800.0];

/// The figures of one migration and one NIC. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// The guest's CPUs stopped at the source to RESUME at the destination.
    pub(crate) downtime: Option<f64>,
    /// QMP's word at the destination that the migration is complete, to the first announcement.
    pub(crate) completed_to_first: Option<f64>,
    /// RESUME to the first announcement; negative where that went before.
    pub(crate) resume_to_first: Option<f64>,
    /// How far each announcement at or after RESUME was from its time in QEMU's schedule.
    pub(crate) round_errors: Vec<f64>,
    /// The CPUs stopped at the source, or else the begin, to the fabric with the MAC behind the
    /// destination's port.
    pub(crate) stop_to_relearned: Option<f64>,
    /// The same for the destination's own bridge, with the MAC behind the guest's tap.
    pub(crate) stop_to_destination_learned: Option<f64>,
    /// The same for the source's bridge, with the MAC behind its uplink.
    pub(crate) stop_to_source_learned: Option<f64>,
    /// Echo requests that the peer sent from the begin on.
    pub(crate) requests: usize,
    /// And those that found no answer.
    pub(crate) lost: usize,
}

impl Figures {
    /// Works out the figures of NIC `nic` in a migration.
    pub(crate) fn of(evidence: &Evidence, migration: &Migration, nic: u8) -> Self {
        let first = evidence.announcements(migration, nic).next().map(|f| f.at);
        let since_resume = evidence.announcements(migration, nic).filter_map(|frame| {
            let millis = frame.at.ms_after(migration.resumed?);
            (millis >= 0.0).then_some(millis)
        });
        let since = migration.stopped.unwrap_or(migration.span.start);
        let learned = |place: &str, port: &dyn Fn(&str) -> bool| {
            let mac = guest_mac(nic, migration.guest);
            let learned = |change: &&FdbChange| {
                change.place == place
                    && change.mac == mac
                    && !change.gone
                    && port(&change.port)
                    && change.at >= since
                    && migration.span.contains(&change.at)
            };
            evidence.fdb.iter().find(learned).map(|change| change.at)
        };
        let between = |from: Option<Stamp>, to: Option<Stamp>| Some(to?.ms_after(from?));
        let (requests, lost) = echoes(evidence, migration, nic);
        Self {
            downtime: between(migration.stopped, migration.resumed),
            completed_to_first: between(migration.completed, first),
            resume_to_first: between(migration.resumed, first),
            round_errors: since_resume.zip(ROUNDS).map(|(at, due)| at - due).collect(),
            stop_to_relearned: between(
                Some(since),
                learned("fabric", &|port| port == fabric_port(&migration.to, nic)),
            ),
            stop_to_destination_learned: between(
                Some(since),
                learned(&migration.to, &|port| port.starts_with("vnet")),
            ),
            stop_to_source_learned: between(
                Some(since),
                learned(&migration.from, &|port| port == format!("up{nic}")),
            ),
            requests,
            lost,
        }
    }

    /// How far the rounds were from their times, early or late.
    pub(crate) fn round_distances(&self) -> impl Iterator<Item = f64> {
        self.round_errors.iter().map(|error| error.abs())
    }
}

/// Echo requests of the peer in the migration's span, and how many of them found no answer.
fn echoes(evidence: &Evidence, migration: &Migration, nic: u8) -> (usize, usize) {
    let link = format!("up{nic}");
    let at_peer = |out: bool| super::Place::Link {
        host: "peer".to_owned(),
        link: link.clone(),
        out,
    };
    let echoes = |out: bool| {
        let place = at_peer(out);
        let of_guest = evidence
            .frames
            .iter()
            .filter(move |frame| frame.place == place);
        of_guest
            .filter_map(|frame| Some((frame.at, frame.echo()?)))
            .filter(move |(_, echo)| echo.guest == migration.guest && echo.reply != out)
    };
    let answered: BTreeSet<_> = echoes(false).map(|(_, echo)| echo.id).collect();
    let asked: Vec<_> = echoes(true)
        .filter(|(at, _)| migration.span.contains(at))
        .map(|(_, echo)| echo.id)
        .collect();
    let lost = asked.iter().filter(|id| !answered.contains(id)).count();
    (asked.len(), lost)
}

/// The middle one of some figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<_> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
