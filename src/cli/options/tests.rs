use super::*;

fn seconds(text: &str) -> Option<u64> {
    length(text).ok().map(|length| length.as_secs())
}

#[test]
fn a_pause_is_whole_seconds_within_its_bounds() {
    assert_eq!(seconds("1s"), Some(1));
    assert_eq!(seconds("1h 30m"), Some(5_400));
    assert_eq!(seconds("30d"), Some(2_592_000));
    for text in ["", "1", "0s", "500ms", "1500ms", "30d 1s", "-1h", "10000y"] {
        assert_eq!(seconds(text), None, "{text}");
    }
    let said = |text: &str| length(text).unwrap_err().to_string();
    assert_eq!(said("hour"), "a pause is a time with its unit, such as 1h");
    assert_eq!(
        said("31d"),
        "a pause has whole seconds, from 1s to 30days; without --for it has no end"
    );
}
