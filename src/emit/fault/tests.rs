use super::*;

#[test]
fn every_error_number_of_the_way_has_its_word() {
    for (errno, fault) in [
        (libc::ENETDOWN, SendFault::NetDown),
        (libc::ENOBUFS, SendFault::NoBuffers),
        (libc::EAGAIN, SendFault::NoBuffers),
        (libc::ENOMEM, SendFault::NoBuffers),
        (libc::ENXIO, SendFault::NoDevice),
        (libc::ENODEV, SendFault::NoDevice),
        (libc::EPERM, SendFault::NotPermitted),
        (libc::EACCES, SendFault::NotPermitted),
        (libc::EMSGSIZE, SendFault::Other),
    ] {
        assert_eq!(of_errno(errno), fault);
        assert_eq!(of_io(&io::Error::from_raw_os_error(errno)), fault);
    }
    assert_eq!(of_io(&io::ErrorKind::InvalidData.into()), SendFault::Other);
}

#[test]
fn an_injection_says_no_without_an_error_number() {
    assert_eq!(of_injection(0), Ok(()));
    assert_eq!(of_injection(1), Err(SendFault::NetDown));
    assert_eq!(of_injection(-libc::EINVAL), Err(SendFault::NoDevice));
    assert_eq!(of_injection(-libc::ENOMEM), Err(SendFault::NoBuffers));
    assert_eq!(of_injection(-libc::ERANGE), Err(SendFault::Refused));
    assert_eq!(of_injection(2), Err(SendFault::Refused));
}
