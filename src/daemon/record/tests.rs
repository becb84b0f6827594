use std::fs;
use std::time::{Duration, Instant as Clock};

use super::*;

fn lines_in(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn what_was_noted_is_on_disk_when_the_recorder_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.jsonl");
    let mut recorder = Recorder::start(&path, &Policy::default()).unwrap();
    for _ in 0..LINES / 2 {
        recorder.timeout(Instant::default());
    }
    assert_eq!(recorder.take_dropped(), 0);
    drop(recorder);
    assert_eq!(lines_in(&path), 1 + LINES / 2);
}

#[test]
fn no_line_waits_in_the_buffer_for_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.jsonl");
    let file = BufWriter::new(create(&path).unwrap());
    let (lines, queue) = sync_channel(2);
    for _ in 0..2 {
        let line = Line {
            at_ns: Instant::default(),
            entry: Entry::Timeout,
        };
        lines.try_send(line).unwrap();
    }
    let writer = thread::spawn(move || write_all(file, &queue));
    let deadline = Clock::now() + Duration::from_secs(10);
    while lines_in(&path) < 2 {
        assert!(Clock::now() < deadline, "two lines are still in the buffer");
        thread::sleep(Duration::from_millis(1));
    }
    drop(lines);
    writer.join().unwrap();
}
