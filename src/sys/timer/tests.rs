use std::time::Duration;

use super::*;
use crate::sys::clock;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn it_fires_at_its_time_and_not_before() {
    runtime().block_on(async {
        let mut timer = Timer::new().unwrap();
        for _ in 0..3 {
            let at = clock::now() + Duration::from_micros(3_300);
            timer.until(Some(at)).await;
            assert!(clock::now() >= at);
        }
        timer.until(Some(Instant::ZERO)).await;
    });
}

#[test]
fn a_later_deadline_takes_the_place_of_one_that_passed_unheard() {
    runtime().block_on(async {
        let mut timer = Timer::new().unwrap();
        let soon = clock::now() + Duration::from_millis(1);
        tokio::select! {
            biased;
            () = timer.until(Some(soon)) => panic!("fired before its time"),
            () = std::future::ready(()) => {}
        }
        std::thread::sleep(Duration::from_millis(3));
        let late = clock::now() + Duration::from_millis(20);
        timer.until(Some(late)).await;
        assert!(clock::now() >= late);
        let never = tokio::time::timeout(Duration::from_millis(5), timer.until(None)).await;
        assert!(never.is_err());
    });
}
