use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::model::{Ifindex, MacAddr, VlanId};

const GUEST: GuestId = GuestId::new([7; 16]);

fn leftover(vlan: Option<u16>) -> Leftover {
    Leftover {
        port: Ifindex::new(12).unwrap(),
        name: "vnet5".parse().unwrap(),
        bridge: Ifindex::new(5).unwrap(),
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 1]),
        vlan: vlan.map(|vlan| VlanId::try_from(vlan).unwrap()),
        fixed: false,
    }
}

fn two() -> [Leftover; 2] {
    [leftover(None), leftover(Some(100))]
}

fn store(file: &mut StateFile, leftovers: &[Leftover]) -> Result<(), StoreStateError> {
    file.store(leftovers.iter().map(|leftover| (GUEST, leftover)))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_stored_is_loaded_and_is_the_owners_alone() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("made");
    let mut file = StateFile::new(directory.clone());
    store(&mut file, &two()).unwrap();
    assert_eq!(names(&directory), ["state"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.join("state")), 0o600);
    assert_eq!(mode(&directory) & 0o027, 0);
    let loaded = StateFile::new(directory.clone()).load().unwrap();
    assert_eq!(loaded, two().map(|leftover| (GUEST, leftover)));
    // A killed agent's half of a change is no obstacle.
    fs::write(directory.join("state.new"), "{").unwrap();
    store(&mut file, &two()[..1]).unwrap();
    assert_eq!(names(&directory), ["state"]);
    store(&mut file, &[]).unwrap();
    assert_eq!(names(&directory), Vec::<String>::new());
    store(&mut file, &[]).unwrap();
}

#[test]
fn what_is_not_there_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_owned(), directory.path().join("absent")] {
        assert_eq!(StateFile::new(path).load().unwrap(), []);
    }
}

#[test]
fn another_boots_entries_are_gone_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = StateFile::new(directory.path().to_owned());
    assert_eq!(file.boot.len(), 36);
    file.boot = "another".to_owned();
    store(&mut file, &two()).unwrap();
    let mut later = StateFile::new(directory.path().to_owned());
    assert_eq!(later.load().unwrap(), []);
}

#[test]
fn what_is_no_ledger_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = StateFile::new(directory.path().to_owned());
    store(&mut file, &two()).unwrap();
    let state = directory.path().join("state");
    let good = fs::read_to_string(&state).unwrap();
    let full = format!("{good}{}", " ".repeat(usize::try_from(MAX_OCTETS).unwrap()));
    let bad = [
        String::new(),
        "macmoved".to_owned(),
        good.replace("\"version\":1", "\"version\":2"),
        good.replace(FORMAT, "another-state"),
        good.replace("\"port\":12", "\"port\":0"),
        good.replace("vnet5", "../state"),
        full,
    ];
    for text in bad {
        fs::write(&state, &text).unwrap();
        assert!(file.load().is_err(), "{text:.80}");
        assert_eq!(names(directory.path()), ["state.bad"]);
        let kept = fs::read_to_string(directory.path().join("state.bad")).unwrap();
        assert!(kept == text);
        assert_eq!(file.load().unwrap(), []);
    }
}

#[test]
fn no_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    let inside = directory.path().join("inside");
    fs::create_dir(&inside).unwrap();
    for name in ["state", "state.new"] {
        symlink(&elsewhere, inside.join(name)).unwrap();
    }
    let mut file = StateFile::new(inside.clone());
    assert!(file.load().is_err());
    store(&mut file, &two()).unwrap();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
    assert_eq!(file.load().unwrap().len(), 2);
}

#[test]
fn a_directory_that_cannot_be_used_is_told_and_tried_again() {
    let above = tempfile::tempdir().unwrap();
    let blocked = above.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let mut file = StateFile::new(blocked.clone());
    assert!(file.load().is_err());
    let error = store(&mut file, &two()).unwrap_err();
    assert!(error.to_string().ends_with("/blocked/state"), "{error}");
    assert!(file.failing);
    fs::remove_file(&blocked).unwrap();
    store(&mut file, &two()).unwrap();
    assert!(!file.failing);
}
