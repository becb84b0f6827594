use super::*;

const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

fn shown(brakes: &BrakesStatus) -> String {
    BrakesText(brakes, NOW).to_string()
}

#[test]
fn no_brake_no_word() {
    assert_eq!(shown(&BrakesStatus::default()), "");
}

#[test]
fn an_order_says_when_and_how_it_ends() {
    let mut brakes = BrakesStatus {
        paused: true,
        paused_by: Some(PausedBy::Command),
        ..BrakesStatus::default()
    };
    assert_eq!(
        shown(&brakes),
        "PAUSED: nothing is sent; run `macmovectl resume` to end it\n"
    );
    brakes.until_ns = Some(Timestamp::from_nanos(NOW.as_nanos() + 3_599_000_000_000));
    assert_eq!(
        shown(&brakes),
        "PAUSED until 2023-11-14T23:13:19.000Z (59m 59s left): nothing is sent; run \
         `macmovectl resume` to end it\n"
    );
    brakes.until_ns = Some(Timestamp::from_nanos(0));
    assert!(shown(&brakes).contains("(0s left)"));
}

#[test]
fn a_file_is_named_and_its_reason_touches_no_terminal() {
    let brakes = BrakesStatus {
        paused: true,
        paused_by: Some(PausedBy::File),
        file: Some("/etc/macmoved/paused".to_owned()),
        reason: Some("fabric \u{1b}[2J work".to_owned()),
        ..BrakesStatus::default()
    };
    assert_eq!(
        shown(&brakes),
        "PAUSED by /etc/macmoved/paused: nothing is sent; delete the file to end it\n\
         reason:    fabric \\u{1b}[2J work\n"
    );
}

#[test]
fn brakes_add_up() {
    let brakes = BrakesStatus {
        paused: true,
        paused_by: Some(PausedBy::Command),
        safe_mode: true,
        dry_run: true,
        ..BrakesStatus::default()
    };
    let text = shown(&brakes);
    let words: Vec<_> = text.lines().map(|line| line.split(':').next()).collect();
    assert_eq!(words, [Some("PAUSED"), Some("SAFE MODE"), Some("DRY RUN")]);
    assert!(text.contains("run `macmovectl resume`"), "{text}");
}
