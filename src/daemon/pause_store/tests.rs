use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn what_is_written_is_read_until_it_is_cleared() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("made");
    let store = PauseStore::within(&state);
    assert_eq!(store.read().unwrap(), None);
    store.clear().unwrap();
    for until_ns in [Some(Timestamp::from_nanos(7)), None] {
        store.write(Kept { until_ns }).unwrap();
        assert_eq!(store.read().unwrap(), Some(Kept { until_ns }));
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&state), 0o750);
    assert_eq!(mode(&state.join("pause.json")), 0o600);
    store.clear().unwrap();
    assert_eq!(store.read().unwrap(), None);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is left");
}

#[test]
fn what_is_no_order_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = PauseStore::within(directory.path());
    for text in [
        "",
        "{}",
        "{\"until_ns\":null,\"by\":1}",
        "{\"until_ns\":-",
        "[]",
    ] {
        fs::write(directory.path().join("pause.json"), text).unwrap();
        let fault = store.read().unwrap_err();
        assert!(matches!(fault, PauseStoreError::Malformed { .. }), "{text}");
        assert!(
            fault
                .to_string()
                .ends_with("pause.json is no order to pause")
        );
    }
}

#[test]
fn a_write_that_fails_leaves_the_earlier_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = PauseStore::within(directory.path());
    let kept = Kept { until_ns: None };
    store.write(kept).unwrap();
    fs::create_dir(directory.path().join("pause.partial")).unwrap();
    let until_ns = Some(Timestamp::from_nanos(1));
    let fault = store.write(Kept { until_ns }).unwrap_err();
    assert!(fault.to_string().starts_with("cannot write "), "{fault}");
    assert_eq!(store.read().unwrap(), Some(kept));
}
