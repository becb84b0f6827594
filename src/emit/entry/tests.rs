use super::*;

const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0x00, 0xaa, 0xbb, 0x01]);

fn request(vlan: Option<u16>) -> EntryRequest {
    let ifindex = |number| Ifindex::new(number).unwrap();
    let vlan = vlan.map(|vlan| VlanId::try_from(vlan).unwrap());
    EntryRequest::new(ifindex(5), ifindex(3), MAC, vlan)
}

#[cfg(target_endian = "little")]
#[test]
fn messages_are_octet_for_octet_what_the_kernel_takes() {
    let mut request = request(None);
    request.number(0x0102_0304);
    #[rustfmt::skip]
    let expected = [
        40, 0, 0, 0, 28, 0, 0x05, 0x05, 4, 3, 2, 1, 0, 0, 0, 0,
        7, 0, 0, 0, 5, 0, 0, 0, 2, 0, 5, 0,
        10, 0, 2, 0, 0x52, 0x54, 0, 0xaa, 0xbb, 1, 0, 0,
        48, 0, 0, 0, 30, 0, 0x01, 0x00, 5, 3, 2, 1, 0, 0, 0, 0,
        7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        10, 0, 2, 0, 0x52, 0x54, 0, 0xaa, 0xbb, 1, 0, 0,
        8, 0, 9, 0, 3, 0, 0, 0,
    ];
    assert_eq!(request.octets, expected);
}

#[cfg(target_endian = "little")]
#[test]
fn a_vlan_stands_in_both_messages() {
    let request = request(Some(100));
    let vlan = [6, 0, 5, 0, 100, 0, 0, 0];
    let (learn, ask) = request.octets.split_at(request.question);
    assert_eq!(learn[0], 48);
    assert_eq!(learn[40..48], vlan);
    assert_eq!(ask[0], 56);
    assert_eq!(ask[40..48], vlan);
}

#[test]
fn numbering_wraps() {
    let mut request = request(None);
    request.number(u32::MAX);
    let at = |start: usize| &request.octets[start + SEQUENCE..start + SEQUENCE + 4];
    assert_eq!(at(0), [0xff; 4]);
    assert_eq!(at(request.question), [0; 4]);
}

fn datagram(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(PAYLOAD + payload.len()).unwrap();
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend([0; 2]);
    octets.extend(sequence.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(payload);
    octets
}

fn neighbour(port: u32, state: u16, flags: u8) -> Vec<u8> {
    let mut payload = vec![7, 0, 0, 0];
    payload.extend(port.to_ne_bytes());
    payload.extend(state.to_ne_bytes());
    payload.extend([flags, 0]);
    datagram(libc::RTM_NEWNEIGH, 9, &payload)
}

#[test]
fn answers_are_told_apart() {
    let verdict = |errno: i32| datagram(NLMSG_ERROR, 9, &errno.to_ne_bytes());
    assert_eq!(parse(&verdict(0), 9), Some(Answer::Verdict(0)));
    assert_eq!(parse(&verdict(-2), 9), Some(Answer::Verdict(-2)));
    let behind = |pinned, fixed| {
        let port = 5;
        Some(Answer::Behind {
            port,
            pinned,
            fixed,
        })
    };
    assert_eq!(parse(&neighbour(5, 2, 0), 9), behind(false, false));
    assert_eq!(parse(&neighbour(5, 2, 0x40), 9), behind(true, false));
    assert_eq!(parse(&neighbour(5, 0x80, 0), 9), behind(true, false));
    assert_eq!(parse(&neighbour(5, 0x40, 0), 9), behind(false, true));
    assert_eq!(parse(&neighbour(5, 0x40, 0x40), 9), behind(true, false));
    assert_eq!(parse(&neighbour(5, 0x40, 0x10), 9), behind(false, false));
}

#[test]
fn what_is_no_answer_is_passed_over() {
    assert_eq!(parse(&neighbour(5, 2, 0), 8), None);
    assert_eq!(parse(&datagram(libc::RTM_NEWLINK, 9, &[0; 16]), 9), None);
    let whole = neighbour(5, 2, 0);
    for length in 0..whole.len() - 1 {
        assert_eq!(parse(&whole[..length], 9), None, "{length}");
    }
}
