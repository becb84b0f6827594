use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn moments_are_in_utc() {
    let moment = Timestamp::from_nanos(1_700_000_000_123_456_789);
    assert_eq!(Moment(moment).to_string(), "2023-11-14T22:13:20.123Z");
    assert_eq!(Moment(at(-1)).to_string(), "before 1970");
    assert_eq!(
        Moment(Timestamp::from_nanos(i64::MAX)).to_string(),
        "2262-04-11T23:47:16.854Z"
    );
}

#[test]
fn ages_have_two_units_at_most() {
    let age = |seconds: i64| {
        Age {
            of: at(0),
            now: at(seconds),
        }
        .to_string()
    };
    assert_eq!(age(0), "0s ago");
    assert_eq!(age(59), "59s ago");
    assert_eq!(age(3_725), "1h 2m ago");
    assert_eq!(age(200_000), "2days 7h ago");
    assert_eq!(age(-5), "in the future");
}

#[test]
fn durations_are_in_milliseconds() {
    assert_eq!(
        Millis(Duration::from_nanos(412_345)).to_string(),
        "0.412 ms"
    );
    assert_eq!(
        Millis(Duration::from_millis(2_301)).to_string(),
        "2301.000 ms"
    );
}
