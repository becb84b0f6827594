use netlink_packet_route::link::LinkMessage;

use super::*;

#[test]
fn a_message_has_its_length_and_numbers() {
    let octets = message(18, 0x301, 0x0102_0304, &LinkMessage::default());
    let read: Vec<_> = messages(&octets).collect();
    let [message] = read.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!(message.length(), 32);
    assert_eq!(message.message_type(), 18);
    assert_eq!(message.flags(), 0x301);
    assert_eq!(message.sequence_number(), 0x0102_0304);
    assert_eq!(message.payload(), [0; 16]);
}

#[test]
fn messages_are_aligned_and_end_where_they_cannot_be_read() {
    let mut datagram = Vec::new();
    for length in [17_u32, 16, 21] {
        let start = datagram.len();
        datagram.extend(length.to_ne_bytes());
        datagram.resize(start + 24, 0);
        datagram.truncate(start + usize::try_from(length.next_multiple_of(4)).unwrap());
    }
    assert_eq!(messages(&datagram).count(), 3);
    assert_eq!(messages(&datagram[..datagram.len() - 4]).count(), 2);
    assert_eq!(messages(&[0; 16]).count(), 0);
    assert_eq!(messages(&[0xff; 16]).count(), 0);
    assert_eq!(messages(&[]).count(), 0);
}
