use super::*;

/// One `RTM_NEWADDR` with these attributes, `IFA_ADDRESS` 1 and `IFA_LOCAL` 2.
fn message(family: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut octets = vec![family, 64, 0, 0, 7, 0, 0, 0];
    for (kind, value) in attributes {
        let length = u16::try_from(value.len() + 4).unwrap();
        octets.extend(length.to_ne_bytes());
        octets.extend(u16::from(*kind).to_ne_bytes());
        octets.extend(*value);
    }
    octets
}

#[test]
fn the_local_end_of_a_link_is_the_hosts() {
    let (near, far) = ([0xfd; 16], [0xfc; 16]);
    for attributes in [[(1, &far), (2, &near)], [(2, &near), (1, &far)]] {
        let attributes = attributes.map(|(kind, value)| (kind, value.as_slice()));
        assert_eq!(local_address(&message(10, &attributes)), Some(near.into()));
    }
    assert_eq!(
        local_address(&message(10, &[(1, &near)])),
        Some(near.into())
    );
    let (near, far) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let both = [(1, far.as_slice()), (2, near.as_slice())];
    assert_eq!(local_address(&message(2, &both)), Some(near.into()));
    assert_eq!(local_address(&message(2, &[(1, &far)])), None);
    assert_eq!(local_address(&[]), None);
}
