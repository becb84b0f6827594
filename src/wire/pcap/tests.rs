use super::*;

#[test]
fn header_and_records_are_laid_out_as_the_format_says() {
    let mut capture = Capture::new();
    capture.push(Timestamp::from_nanos(1_700_000_000_123_456_789), &[1, 2, 3]);
    let mut expected = vec![
        0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];
    expected.extend(1_700_000_000_u32.to_le_bytes());
    expected.extend(123_456_789_u32.to_le_bytes());
    expected.extend([3, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]);
    assert_eq!(capture.as_octets(), expected);
}

#[test]
fn times_outside_the_format_become_the_nearest() {
    for (nanos, seconds) in [(-1, 0), (i64::MAX, u32::MAX)] {
        let mut capture = Capture::new();
        capture.push(Timestamp::from_nanos(nanos), &[]);
        assert_eq!(capture.as_octets()[24..28], seconds.to_le_bytes());
    }
}

#[test]
fn a_frame_beyond_the_snapshot_is_cut_and_says_so() {
    let mut capture = Capture::new();
    capture.push(Timestamp::default(), &vec![0; 300_000]);
    assert_eq!(capture.as_octets().len(), 24 + 16 + 262_144);
    assert_eq!(capture.as_octets()[32..36], 262_144_u32.to_le_bytes());
    assert_eq!(capture.as_octets()[36..40], 300_000_u32.to_le_bytes());
}
