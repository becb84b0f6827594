//! Capture files that tcpdump and Wireshark read (`pcap-savefile(5)`).

use crate::model::Timestamp;

/// Frames with their times, as the octets of a classic pcap file.
///
/// ```text
/// file   | a1b23c4d | 0002 | 0004 | 0 | 0 | snapshot length | 1 (LINKTYPE_ETHERNET) |
/// record | seconds  | nanoseconds | octets here | octets on the wire | the octets ... |
/// ```
///
/// All numbers are little endian; the magic number says so, and that fractions are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    octets: Vec<u8>,
}

/// Nanosecond resolution.
const MAGIC: u32 = 0xa1b2_3c4d;
/// The format's version, unchanged since 1998.
const VERSION: (u16, u16) = (2, 4);
/// What libpcap uses for "whole frames" (`MAXIMUM_SNAPLEN`).
const SNAPSHOT: u32 = 262_144;
/// Ethernet.
const LINKTYPE: u32 = 1;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// A file without frames.
    #[must_use]
    pub fn new() -> Self {
        let mut octets = Vec::with_capacity(24);
        octets.extend(MAGIC.to_le_bytes());
        octets.extend(VERSION.0.to_le_bytes());
        octets.extend(VERSION.1.to_le_bytes());
        octets.extend([0; 8]);
        octets.extend(SNAPSHOT.to_le_bytes());
        octets.extend(LINKTYPE.to_le_bytes());
        Self { octets }
    }

    /// Adds a frame that was seen at `at`. A time before the epoch or past the format's 32 bits
    /// becomes the nearest that it can hold.
    pub fn push(&mut self, at: Timestamp, frame: &[u8]) {
        let nanos = at.as_nanos().max(0);
        let seconds = u32::try_from(nanos.div_euclid(NANOS_PER_SECOND)).unwrap_or(u32::MAX);
        let fraction = u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        let snapshot = usize::try_from(SNAPSHOT).unwrap_or(usize::MAX);
        let kept = frame.get(..snapshot).unwrap_or(frame);
        let length = |octets: &[u8]| u32::try_from(octets.len()).unwrap_or(u32::MAX);
        for number in [seconds, fraction, length(kept), length(frame)] {
            self.octets.extend(number.to_le_bytes());
        }
        self.octets.extend(kept);
    }

    /// The file so far.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests;
