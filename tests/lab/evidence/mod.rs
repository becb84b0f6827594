//! What `capture` recorded, as one picture on one clock.

mod figures;
mod frame;
mod logs;
mod pcap;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use macmoved::model::MacAddr;

pub(crate) use figures::{Figures, ROUNDS, median};
pub(crate) use frame::{ARP, Frame, Place, RARP};
pub(crate) use logs::FdbChange;
use logs::{Call, QmpEvent, QmpWhat};
use pcap::Pcap;

/// Nanoseconds since the Unix epoch, by the machine's realtime clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) i64);

impl Stamp {
    /// Milliseconds from `earlier` to this; negative where this is the earlier one.
    pub(crate) fn ms_after(self, earlier: Self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "spans of minutes, to the microsecond"
        )]
        let nanos = (self.0 - earlier.0) as f64;
        nanos / 1e6
    }
}

/// Everything that one capture recorded.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// The guests that the lab had, by number.
    pub(crate) guests: BTreeMap<u8, Guest>,
    /// The migrations, in the order in which they began.
    pub(crate) migrations: Vec<Migration>,
    /// Frames at every vantage point, by time.
    pub(crate) frames: Vec<Frame>,
    /// FDB changes everywhere, by time.
    pub(crate) fdb: Vec<FdbChange>,
}

/// A guest that the lab had.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// Its name.
    pub(crate) name: String,
    /// How many NICs it has.
    pub(crate) nics: u8,
}

/// One migration.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    /// The guest's number.
    pub(crate) guest: u8,
    /// Whether `virsh migrate` succeeded.
    pub(crate) succeeded: bool,
    /// The source host.
    pub(crate) from: String,
    /// The destination host.
    pub(crate) to: String,
    /// From its begin to the moment at which the guest leaves again in a later one, or to the end
    /// of all time.
    pub(crate) span: Range<Stamp>,
    /// QMP STOP at the source.
    pub(crate) stopped: Option<Stamp>,
    /// QMP MIGRATION completed at the destination.
    pub(crate) completed: Option<Stamp>,
    /// QMP RESUME at the destination.
    pub(crate) resumed: Option<Stamp>,
    /// QMP RESUME at the source after that STOP: the guest is back there.
    pub(crate) returned: Option<Stamp>,
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadEvidenceError {
    /// A file is missing, or cannot be opened.
    #[error("read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A capture file is not what `capture` writes.
    #[error("{0} is no capture of a port, or of all links, with a name for each")]
    Pcap(PathBuf),
    /// A line of a log is not what `capture` writes.
    #[error("{path} has an unknown line {line}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file's name is not one that `capture` gives.
    #[error("{0} is in the way")]
    Name(PathBuf),
}

/// The MAC address of NIC `nic` of guest `number`.
pub(crate) const fn guest_mac(nic: u8, number: u8) -> MacAddr {
    MacAddr::new([0x52, 0x54, 0x00, 0x4d, nic, number])
}

/// The fabric's port towards bridge `nic` of a host.
pub(crate) fn fabric_port(host: &str, nic: u8) -> String {
    format!("{host}-br{nic}")
}

impl Evidence {
    /// Reads the directory that `capture` filled.
    pub(crate) fn read(dir: &Path) -> Result<Self, ReadEvidenceError> {
        let mut frames = Vec::new();
        let mut fdb = Vec::new();
        let mut qmp = Vec::new();
        for path in list(dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some(port) = part(&name, "port-", ".pcap") {
                let found = read_pcap(&path)?.and_then(|pcap| frame::of_port(&name, port, pcap));
                frames.extend(found.ok_or_else(|| ReadEvidenceError::Pcap(path.clone()))?);
            } else if let Some(host) = part(&name, "any-", ".pcap") {
                let links = logs::links(&read_text(&dir.join(format!("links-{host}.txt")))?);
                let link = |index: u32| links.get(&index).cloned();
                let found =
                    read_pcap(&path)?.and_then(|pcap| frame::of_links(&name, host, pcap, link));
                frames.extend(found.ok_or_else(|| ReadEvidenceError::Pcap(path.clone()))?);
            } else if let Some(place) = part(&name, "fdb-", ".txt") {
                let found = logs::fdb(&name, place, &read_text(&path)?);
                let path = path.clone();
                fdb.extend(found.map_err(|line| ReadEvidenceError::Line { path, line })?);
            } else if let Some(account) = part(&name, "qmp-", ".txt") {
                let named = account.split_once('-');
                let named = named.and_then(|(host, guest)| Some((host, guest.parse().ok()?)));
                let (host, guest) = named.ok_or_else(|| ReadEvidenceError::Name(path.clone()))?;
                qmp.extend(logs::qmp(host, guest, &read_text(&path)?));
            } else if ![
                "events-",
                "links-",
                "guests",
                "migrations.txt",
                "recording-",
            ]
            .iter()
            .any(|known| name.starts_with(known))
            {
                return Err(ReadEvidenceError::Name(path));
            }
        }
        frames.sort_by_key(|frame| frame.at);
        fdb.sort_by_key(|change| change.at);
        qmp.sort_by_key(|event| event.at);

        let guests = read_guests(&dir.join("guests"))?;
        let path = dir.join("migrations.txt");
        let migrations = logs::calls(&read_text(&path)?)
            .and_then(|calls| migrations(&guests, &calls, &qmp))
            .map_err(|line| ReadEvidenceError::Line { path, line })?;
        Ok(Self {
            guests,
            migrations,
            frames,
            fdb,
        })
    }

    /// The NICs of a guest.
    pub(crate) fn nics(&self, guest: u8) -> impl Iterator<Item = u8> {
        0..self.guests.get(&guest).map_or(0, |guest| guest.nics)
    }

    /// Announcements of NIC `nic` of the guest that entered the fabric from the destination.
    pub(crate) fn announcements<'a>(
        &'a self,
        migration: &'a Migration,
        nic: u8,
    ) -> impl Iterator<Item = &'a Frame> {
        self.announcements_from(&migration.to, migration, nic)
    }

    /// The same from a host.
    pub(crate) fn announcements_from<'a>(
        &'a self,
        host: &str,
        migration: &'a Migration,
        nic: u8,
    ) -> impl Iterator<Item = &'a Frame> + use<'a> {
        let mac = guest_mac(nic, migration.guest);
        let port = fabric_port(host, nic);
        self.frames.iter().filter(move |frame| {
            frame.ethertype == RARP
                && frame.source == mac
                && migration.span.contains(&frame.at)
                && frame.entered(&port)
        })
    }
}

/// The migrations that were called for; the error is the number of the call for an unknown guest.
fn migrations(
    guests: &BTreeMap<u8, Guest>,
    calls: &[Call],
    qmp: &[QmpEvent],
) -> Result<Vec<Migration>, usize> {
    let mut migrations = Vec::new();
    for (line, call) in (1_usize..).zip(calls) {
        let guest = guests.iter().find(|(_, guest)| guest.name == call.guest);
        let (&guest, _) = guest.ok_or(line)?;
        let of_guest = calls.iter().filter(|other| other.guest == call.guest);
        let next = of_guest
            .map(|other| other.begin)
            .filter(|begin| *begin > call.begin)
            .min();
        let span = call.begin..next.unwrap_or(Stamp(i64::MAX));
        let first = |host: &str, what: QmpWhat, since: Stamp| {
            let found = qmp.iter().find(|event| {
                event.guest == guest
                    && event.host == host
                    && event.what == what
                    && event.at >= since
                    && span.contains(&event.at)
            });
            found.map(|event| event.at)
        };
        let stopped = first(&call.from, QmpWhat::Stop, span.start);
        migrations.push(Migration {
            guest,
            succeeded: call.succeeded,
            from: call.from.clone(),
            to: call.to.clone(),
            stopped,
            completed: first(&call.to, QmpWhat::Completed, span.start),
            resumed: first(&call.to, QmpWhat::Resume, span.start),
            returned: stopped.and_then(|stopped| first(&call.from, QmpWhat::Resume, stopped)),
            span,
        });
    }
    migrations.sort_by_key(|migration| migration.span.start);
    let left = |later: &Migration| {
        later
            .stopped
            .or_else(|| later.succeeded.then_some(later.span.start))
    };
    let ends: Vec<_> = (0..migrations.len())
        .map(|index| {
            let (migration, later) = (&migrations[index], &migrations[index + 1..]);
            let mut of_guest = later.iter().filter(|later| later.guest == migration.guest);
            of_guest.find_map(left).unwrap_or(Stamp(i64::MAX))
        })
        .collect();
    for (migration, end) in migrations.iter_mut().zip(ends) {
        migration.span.end = end;
    }
    Ok(migrations)
}

fn read_guests(dir: &Path) -> Result<BTreeMap<u8, Guest>, ReadEvidenceError> {
    let mut guests = BTreeMap::new();
    for path in list(dir)? {
        let number = path.file_name();
        let number = number.and_then(|name| name.to_str()?.parse().ok());
        let number = number.ok_or_else(|| ReadEvidenceError::Name(path.clone()))?;
        let text = read_text(&path)?;
        let guest = text.split_once(' ').and_then(|(nics, name)| {
            Some(Guest {
                name: name.to_owned(),
                nics: nics.parse().ok()?,
            })
        });
        let guest = guest.ok_or(ReadEvidenceError::Line { path, line: 1 })?;
        guests.insert(number, guest);
    }
    Ok(guests)
}

fn part<'a>(name: &'a str, prefix: &str, suffix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix)?.strip_suffix(suffix)
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, ReadEvidenceError> {
    let failed = |source| ReadEvidenceError::Io {
        path: dir.to_owned(),
        source,
    };
    let entries: io::Result<Vec<_>> = fs::read_dir(dir).map_err(failed)?.collect();
    let mut paths: Vec<_> = entries
        .map_err(failed)?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    paths.sort();
    Ok(paths)
}

fn read_pcap(path: &Path) -> Result<Option<Pcap>, ReadEvidenceError> {
    let file = fs::read(path).map_err(|source| ReadEvidenceError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(Pcap::parse(&file))
}

fn read_text(path: &Path) -> Result<String, ReadEvidenceError> {
    fs::read_to_string(path).map_err(|source| ReadEvidenceError::Io {
        path: path.to_owned(),
        source,
    })
}
