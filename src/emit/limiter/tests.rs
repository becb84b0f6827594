use proptest::prelude::*;

use super::*;

const ROUND: Round = Round::Scheduled(2);
const FIRST: Round = Round::Scheduled(1);

fn stream(last: u8) -> Stream {
    Stream {
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, last]),
        vlan: None,
        kind: FrameKind::Rarp,
    }
}

fn uplink(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

fn at_millis(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// Asks and, where admitted, sends.
fn send(
    limiter: &mut Limiter,
    stream: Stream,
    uplinks: &[Ifindex],
    round: Round,
    now: Instant,
) -> bool {
    let admitted = limiter.admit(stream, uplinks, round, now).is_ok();
    if admitted {
        limiter.record(stream, uplinks, now);
    }
    admitted
}

#[test]
fn a_stream_has_forty_frames_in_any_ten_seconds() {
    let mut limiter = Limiter::default();
    limiter.prepare(stream(1), &[]);
    limiter.prepare(stream(2), &[]);
    for frame in 0..40 {
        assert!(send(
            &mut limiter,
            stream(1),
            &[],
            ROUND,
            at_millis(frame * 100)
        ));
    }
    assert!(!limiter.brake.safe_mode());
    assert!(!send(&mut limiter, stream(1), &[], ROUND, at_millis(9_999)));
    assert!(limiter.brake.safe_mode());
    // The other stream is within its limit: its first frames pass, repeats do not.
    assert!(send(&mut limiter, stream(2), &[], FIRST, at_millis(9_999)));
    assert!(send(
        &mut limiter,
        stream(2),
        &[],
        Round::Early,
        at_millis(9_999)
    ));
    assert!(!send(&mut limiter, stream(2), &[], ROUND, at_millis(9_999)));
    assert!(!send(
        &mut limiter,
        stream(2),
        &[],
        Round::Single,
        at_millis(9_999)
    ));
    // Ten seconds after the first of the forty there is room for one.
    limiter.brake.leave_safe_mode();
    assert!(send(&mut limiter, stream(1), &[], ROUND, at_millis(10_000)));
    assert!(!send(
        &mut limiter,
        stream(1),
        &[],
        ROUND,
        at_millis(10_000)
    ));
    assert!(limiter.brake.safe_mode());
}

#[test]
fn an_uplink_has_two_thousand_frames_in_any_second() {
    let mut limiter = Limiter::default();
    let (busy, idle) = (uplink(1), uplink(2));
    let mut passed = 0;
    for round in 0..40 {
        for last in 0..60 {
            limiter.prepare(stream(last), &[busy]);
            let now = at_millis(round);
            passed += usize::from(send(&mut limiter, stream(last), &[busy], FIRST, now));
        }
    }
    assert_eq!(passed, 2_000);
    assert!(limiter.brake.safe_mode());
    limiter.prepare(stream(100), &[busy, idle]);
    // One of two uplinks without room is enough to hold a frame back.
    let both = [busy, idle];
    assert!(!send(
        &mut limiter,
        stream(100),
        &both,
        FIRST,
        at_millis(900)
    ));
    assert!(send(
        &mut limiter,
        stream(100),
        &[idle],
        FIRST,
        at_millis(900)
    ));
    assert!(send(
        &mut limiter,
        stream(100),
        &both,
        FIRST,
        at_millis(1_000)
    ));
}

#[test]
fn what_is_not_prepared_is_held_back() {
    let mut limiter = Limiter::default();
    assert!(!send(&mut limiter, stream(1), &[], FIRST, Instant::ZERO));
    limiter.prepare(stream(1), &[]);
    assert!(!send(
        &mut limiter,
        stream(1),
        &[uplink(1)],
        FIRST,
        Instant::ZERO
    ));
    assert!(send(&mut limiter, stream(1), &[], FIRST, Instant::ZERO));
}

fn numbered(number: u32) -> Stream {
    let [a, b, c, d] = number.to_be_bytes();
    Stream {
        mac: MacAddr::new([2, 0, a, b, c, d]),
        vlan: None,
        kind: FrameKind::ALL[0],
    }
}

/// As the emitter stages, while nobody holds anything.
fn stage(limiter: &mut Limiter, stream: Stream, now: Instant) {
    if limiter.is_crowded() {
        limiter.make_room(now, &Held::default());
    }
    limiter.prepare(stream, &[]);
}

#[test]
fn tables_are_bounded_and_only_idle_windows_make_room() {
    let mut limiter = Limiter::default();
    for number in 0..u32::try_from(MAX_STREAMS).unwrap() {
        stage(&mut limiter, numbered(number), Instant::ZERO);
        let stream = numbered(number);
        assert!(send(&mut limiter, stream, &[], ROUND, Instant::ZERO));
    }
    let late = numbered(u32::MAX);
    stage(&mut limiter, late, at_millis(9_999));
    assert_eq!(limiter.streams.len(), MAX_STREAMS);
    assert!(!send(&mut limiter, late, &[], ROUND, at_millis(9_999)));
    stage(&mut limiter, late, at_millis(10_000));
    assert_eq!(limiter.streams.len(), 1);
    assert!(send(&mut limiter, late, &[], ROUND, at_millis(10_000)));
}

#[test]
fn what_guests_leave_behind_is_forgotten_long_before_the_bound() {
    let mut limiter = Limiter::default();
    let mut most = 0;
    // One guest after another, each gone before the next but one.
    for number in 0..20_000 {
        let now = at_millis(u64::from(number) * 6_000);
        stage(&mut limiter, numbered(number), now);
        assert!(send(&mut limiter, numbered(number), &[], ROUND, now));
        most = most.max(limiter.streams.len());
    }
    assert!(most <= FEW_STREAMS, "{most}");
}

#[test]
fn what_is_staged_keeps_its_windows_however_long_it_waits() {
    let mut limiter = Limiter::default();
    let held = Held {
        streams: [numbered(0)].into(),
        uplinks: [uplink(1)].into(),
    };
    limiter.prepare(numbered(0), &[uplink(1)]);
    for number in 1..1_000 {
        let now = at_millis(u64::from(number) * 60_000);
        limiter.prepare(numbered(number), &[uplink(number + 1)]);
        if limiter.is_crowded() {
            limiter.make_room(now, &held);
        }
    }
    assert!(limiter.streams.len() <= FEW_STREAMS);
    assert!(limiter.uplinks.len() <= MAX_UPLINKS);
    let (stream, now) = (numbered(0), at_millis(60_000_000));
    assert!(send(&mut limiter, stream, &[uplink(1)], ROUND, now));
}

proptest! {
    #[test]
    fn no_window_ever_holds_more(gaps in proptest::collection::vec(0_u64..800, 1..400)) {
        let mut limiter = Limiter::default();
        limiter.prepare(stream(1), &[]);
        let mut now = 0;
        let mut left: Vec<u64> = Vec::new();
        for gap in gaps {
            now += gap;
            if send(&mut limiter, stream(1), &[], FIRST, at_millis(now)) {
                left.push(now);
            }
            let recent = left.iter().filter(|&&time| now - time < 10_000).count();
            prop_assert!(recent <= STREAM_FRAMES);
        }
    }
}
