//! Reads capture files: classic pcap, as `tcpdump -w` writes it.
//!
//! ```text
//! file:    magic 4 | major 2 | minor 2 | zone 4 | accuracy 4 | snaplen 4 | link type 4
//! record:  seconds 4 | fraction 4 | captured octets 4 | octets on the wire 4 | octets
//! ```

use super::Stamp;

/// Magic of a file in this machine's octet order whose fractions are microseconds.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
/// The same with nanoseconds.
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Octets before the first record.
const FILE_HEADER: usize = 24;
/// Octets before a record's own.
const RECORD_HEADER: usize = 16;

/// A capture file.
#[derive(Debug)]
pub(crate) struct Pcap {
    /// `LINKTYPE_*`.
    pub(crate) link_type: u32,
    /// What was captured, in the order of the file.
    pub(crate) records: Vec<Record>,
}

/// One captured frame.
#[derive(Debug)]
pub(crate) struct Record {
    /// The kernel's stamp.
    pub(crate) at: Stamp,
    /// As many octets as the capture kept.
    pub(crate) octets: Vec<u8>,
}

impl Pcap {
    /// Reads a whole file; none where it is not one. A record cut short at the end is left out.
    pub(crate) fn parse(file: &[u8]) -> Option<Self> {
        let nanos_per_fraction = match word(file, 0)? {
            MICROSECONDS => 1_000,
            NANOSECONDS => 1,
            _ => return None,
        };
        let link_type = word(file, 20)?;
        let mut records = Vec::new();
        let mut rest = file.get(FILE_HEADER..)?;
        while let Some((record, after)) = split_record(rest, nanos_per_fraction) {
            records.push(record);
            rest = after;
        }
        Some(Self { link_type, records })
    }
}

fn split_record(octets: &[u8], nanos_per_fraction: i64) -> Option<(Record, &[u8])> {
    let seconds = i64::from(word(octets, 0)?);
    let fraction = i64::from(word(octets, 4)?);
    let length = usize::try_from(word(octets, 8)?).ok()?;
    let end = RECORD_HEADER.checked_add(length)?;
    let record = Record {
        at: Stamp(seconds * 1_000_000_000 + fraction * nanos_per_fraction),
        octets: octets.get(RECORD_HEADER..end)?.to_vec(),
    };
    Some((record, octets.get(end..)?))
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    let word = octets.get(at..at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}
