use super::*;

#[test]
fn the_loopback_has_the_zero_address() {
    let address = link_address(&"lo".parse().unwrap()).unwrap();
    assert!(address.is_zero(), "{address}");
}

#[test]
fn a_link_that_is_not_there_is_an_error() {
    let error = link_address(&"no-such-link".parse().unwrap()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
}
