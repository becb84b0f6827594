use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

proptest! {
    #[test]
    fn no_stretch_of_a_second_has_more_than_allowed(
        most in 1_usize..20,
        gaps in vec(0..SECOND / 3, 0..200),
    ) {
        let mut window = Window::second(most);
        let (mut now, mut taken) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            if window.wait(Instant::from_nanos(now)).is_zero() {
                window.take(Instant::from_nanos(now));
                taken.push(now);
            } else {
                let latest = &taken[taken.len() - most..];
                prop_assert!(now - latest[0] < SECOND, "refused without need");
            }
        }
        for (first, last) in taken.iter().zip(taken.iter().skip(most)) {
            prop_assert!(last - first >= SECOND);
        }
    }
}

#[test]
fn it_is_idle_when_the_latest_is_a_second_old() {
    let mut window = Window::second(2);
    assert!(window.is_idle(Instant::ZERO));
    window.take(Instant::from_nanos(5));
    assert!(!window.is_idle(Instant::from_nanos(4 + SECOND)));
    assert!(window.is_idle(Instant::from_nanos(5 + SECOND)));
}

#[test]
fn it_says_how_long_to_wait() {
    let mut window = Window::second(2);
    window.take(Instant::from_nanos(5));
    window.take(Instant::from_nanos(7));
    let wait = window.wait(Instant::from_nanos(8));
    assert_eq!(wait, Duration::from_nanos(SECOND - 3));
}
