use super::*;

const UPLINK: [Ifindex; 1] = [match Ifindex::new(2) {
    Some(ifindex) => ifindex,
    None => unreachable!(),
}];

fn at(milliseconds: u64) -> Instant {
    Instant::from_nanos(milliseconds * 1_000_000)
}

fn pacer(frames_per_second: u32, burst: u32, reserve: u32) -> Pacer {
    let mut pacer = Pacer::new(Pacing {
        frames_per_second,
        burst,
        reserve,
    });
    pacer.prepare(&UPLINK, Instant::ZERO);
    pacer
}

/// Sends as early as allowed and returns the times in nanoseconds.
fn drain(pacer: &mut Pacer, class: Class, from: Instant, frames: usize) -> Vec<u64> {
    let mut now = from;
    (0..frames)
        .map(|_| {
            now = now.max(pacer.ready_at(&UPLINK, class).unwrap());
            pacer.take(&UPLINK, class, now);
            now.as_nanos()
        })
        .collect()
}

#[test]
fn no_window_holds_more_than_burst_and_rate() {
    let mut pacer = pacer(20, 5, 0);
    let times = drain(&mut pacer, Class::Repeat, at(1_000), 60);
    for (index, &start) in times.iter().enumerate() {
        for (count, &end) in times.iter().enumerate().skip(index) {
            let allowed = 5 + (end - start) * 20 / 1_000_000_000;
            assert!(
                (count - index + 1) as u64 <= allowed,
                "frames {index}..={count}"
            );
        }
    }
    assert_eq!(times[4], times[0], "the burst leaves at once");
    assert_eq!(times[5] - times[4], 50_000_000);
}

#[test]
fn the_reserve_is_for_first_frames_only() {
    let mut pacer = pacer(10, 1, 3);
    let now = at(1_000);
    assert_eq!(drain(&mut pacer, Class::Repeat, now, 1), [now.as_nanos()]);
    assert!(pacer.ready_at(&UPLINK, Class::Repeat).unwrap() > now);
    let firsts = drain(&mut pacer, Class::First, now, 3);
    assert_eq!(firsts, [now.as_nanos(); 3]);
    assert!(pacer.ready_at(&UPLINK, Class::First).unwrap() > now);
}

#[test]
fn first_frames_leave_the_general_bucket_to_repeats_while_the_reserve_lasts() {
    let mut pacer = pacer(10, 1, 2);
    let now = at(1_000);
    drain(&mut pacer, Class::First, now, 2);
    assert!(pacer.ready_at(&UPLINK, Class::Repeat).unwrap() <= now);
}

#[test]
fn without_uplinks_nothing_waits() {
    let pacer = pacer(1, 1, 0);
    assert_eq!(pacer.ready_at(&[], Class::Repeat), Some(Instant::ZERO));
}

#[test]
fn new_settings_forget_nothing() {
    let mut pacer = pacer(10, 1, 0);
    let now = at(1_000);
    drain(&mut pacer, Class::Repeat, now, 1);
    pacer.configure(Pacing {
        frames_per_second: 20,
        burst: 1,
        reserve: 0,
    });
    assert_eq!(pacer.ready_at(&UPLINK, Class::Repeat), Some(at(1_100)));
}

#[test]
fn a_rate_of_zero_never_lets_through() {
    assert_eq!(pacer(0, 5, 0).ready_at(&UPLINK, Class::Repeat), None);
}
