//! Frames against octets that QEMU sent, and capture files against their format.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::process::Command;

use macmoved::model::MacAddr;
use macmoved::wire::{Body, Frame, RarpOperation};

/// What QEMU 7.2.22 sent from `52:54:00:12:34:56` when told to `announce-self` twice, as its
/// `filter-dump` wrote it.
const QEMU: &[u8] = include_bytes!("frames/qemu-7.2-announce-self.pcap");

const GUEST: MacAddr = MacAddr::new([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

/// The frames of a classic little-endian capture, by its own reader.
fn frames(capture: &[u8]) -> Vec<&[u8]> {
    let number = |octets: &[u8]| u32::from_le_bytes(octets.try_into().unwrap());
    let (header, mut rest) = capture.split_at(24);
    assert!(matches!(number(&header[..4]), 0xa1b2_c3d4 | 0xa1b2_3c4d));
    assert_eq!(header[4..8], [2, 0, 4, 0]);
    assert_eq!(number(&header[20..]), 1, "LINKTYPE_ETHERNET");
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (record, after) = rest.split_at(16);
        let length = number(&record[8..12]);
        assert_eq!(number(&record[12..]), length, "a whole frame");
        let (frame, after) = after.split_at(usize::try_from(length).unwrap());
        frames.push(frame);
        rest = after;
    }
    frames
}

#[test]
fn our_rarp_is_qemus_octet_by_octet() {
    let sent = frames(QEMU);
    assert_eq!(sent.len(), 2);
    for octets in sent {
        assert_eq!(Frame::rarp(GUEST, None).to_vec(), octets);
        let read = Frame::parse(octets).unwrap();
        assert_eq!(read, Frame::rarp(GUEST, None));
        assert!(matches!(
            read.body,
            Body::Rarp(RarpOperation::RequestReverse, _)
        ));
    }
}

#[test]
fn a_written_capture_has_qemus_frame() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rarp.pcap");
    let status = Command::new(env!("CARGO_BIN_EXE_macmovectl"))
        .args(["frame", "rarp", "52:54:00:12:34:56", "--pcap"])
        .arg(&file)
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    let written = std::fs::read(&file).unwrap();
    assert_eq!(frames(&written), frames(QEMU)[..1]);
}

#[test]
fn a_tag_stands_between_source_and_type() {
    let untagged = Frame::rarp(GUEST, None).to_vec();
    let tagged = Frame::rarp(GUEST, Some(100.try_into().unwrap())).to_vec();
    assert_eq!(tagged.len(), 64);
    assert_eq!(tagged[..12], untagged[..12]);
    assert_eq!(tagged[12..16], [0x81, 0x00, 0x00, 0x64]);
    assert_eq!(tagged[16..], untagged[12..]);
}
