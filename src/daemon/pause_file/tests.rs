use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

struct Place {
    directory: tempfile::TempDir,
    file: PauseFile,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = ConfigFile::Named(directory.path().join("other.toml"));
        let file = PauseFile::beside(&configuration);
        assert_eq!(file.path(), directory.path().join("paused"));
        Self { directory, file }
    }

    /// What it says of a file with this content.
    fn mark_of(&self, content: impl AsRef<[u8]>) -> Mark {
        fs::write(self.file.path(), content).unwrap();
        self.file.look().unwrap()
    }
}

#[test]
fn without_a_word_it_is_where_the_default_configuration_is() {
    let file = PauseFile::beside(&ConfigFile::new(None));
    assert_eq!(file.path(), Path::new("/etc/macmoved/paused"));
}

#[test]
fn being_there_is_enough() {
    let place = Place::new();
    assert_eq!(place.file.look(), None);
    assert_eq!(place.mark_of("").reason, None);
    fs::remove_file(place.file.path()).unwrap();
    assert_eq!(place.file.look(), None);
    let nothing = Some(Mark { reason: None });
    fs::create_dir(place.file.path()).unwrap();
    assert_eq!(place.file.look(), nothing);
    fs::remove_dir(place.file.path()).unwrap();
    symlink("/nonexistent", place.file.path()).unwrap();
    assert_eq!(place.file.look(), nothing);
}

#[test]
fn its_first_line_is_the_reason_cut_to_200_characters() {
    let place = Place::new();
    assert_eq!(
        place
            .mark_of(" fabric work, ask Ada \nmore\n")
            .reason
            .as_deref(),
        Some("fabric work, ask Ada")
    );
    assert_eq!(place.mark_of("\nsecond\n").reason, None);
    assert_eq!(
        place.mark_of(b"a\xff\x1b").reason.unwrap(),
        "a\u{fffd}\u{1b}"
    );
    assert_eq!(
        place.mark_of("😀".repeat(9_000)).reason,
        Some("😀".repeat(200))
    );
}

#[test]
fn a_pipe_and_a_device_pause_and_are_not_read() {
    let place = Place::new();
    let made = Command::new("mkfifo")
        .arg(place.file.path())
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(place.file.look(), Some(Mark { reason: None }));
    fs::remove_file(place.file.path()).unwrap();
    symlink("/dev/zero", place.file.path()).unwrap();
    assert_eq!(place.file.look(), Some(Mark { reason: None }));
}

#[test]
fn a_place_that_cannot_be_looked_at_pauses_and_says_why() {
    let place = Place::new();
    let circle = place.directory.path().join("circle");
    symlink(&circle, &circle).unwrap();
    let file = PauseFile::beside(&ConfigFile::Named(circle.join("m.toml")));
    let reason = file.look().unwrap().reason.unwrap();
    assert!(
        reason.starts_with("cannot tell whether it is there: "),
        "{reason}"
    );
}
