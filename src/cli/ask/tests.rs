use super::*;

#[test]
fn a_socket_for_root_and_a_missing_agent_are_told_apart() {
    let path = Path::new("/run/macmoved/control.sock");
    let failure = |kind: io::ErrorKind| unreachable(path, kind.into());
    let forbidden = failure(io::ErrorKind::PermissionDenied);
    assert_eq!(forbidden.status(), 77);
    assert_eq!(
        forbidden.to_string(),
        "/run/macmoved/control.sock is for root only; try sudo"
    );
    for kind in [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused] {
        let absent = failure(kind);
        assert_eq!(absent.status(), 69);
        assert!(absent.to_string().contains("macmoved is not running"));
        assert!(absent.to_string().contains("systemctl status macmoved"));
    }
}

#[test]
fn an_answer_of_another_version_is_said_to_be_one() {
    let text = |_: &Vec<Record>| String::new();
    let failure = show("{\"format\": 2}", false, text).unwrap_err();
    assert_eq!(failure.status(), 70);
    assert!(failure.to_string().contains("same version"));
}
