use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::hearer::{self, Hear};
use super::{ANSWERS, CALLBACKS, CAPACITY, Generation, Inbox, STATES};
use crate::engine::{DescribeFault, Event, Queue};
use crate::model::GuestId;

const FIRST: Generation = Generation(1);
const SECOND: Generation = Generation(2);

fn inbox() -> Inbox {
    Inbox::new(|| {})
}

/// Told apart by its offset.
fn event(number: i64) -> Event {
    Event::Clock { offset: number }
}

fn answer(generation: u64) -> Event {
    Event::Described {
        guest: GuestId::new([1; 16]),
        generation,
        outcome: Err(DescribeFault::Gone),
    }
}

fn listed() -> Event {
    Event::Listed { guests: Vec::new() }
}

fn drain(inbox: &Inbox) -> Vec<Event> {
    std::iter::from_fn(|| inbox.next()).collect()
}

fn connected(generation: Generation) -> Inbox {
    let inbox = inbox();
    inbox.begin(generation);
    assert!(inbox.listed(generation, Vec::new()));
    drain(&inbox);
    inbox
}

#[test]
fn what_happens_during_the_listing_comes_after_the_list() {
    let inbox = inbox();
    inbox.begin(FIRST);
    inbox.callback(FIRST, event(1));
    inbox.callback(FIRST, event(2));
    assert!(!inbox.is_ready());
    assert_eq!(inbox.next(), None);
    inbox.listed(FIRST, Vec::new());
    assert!(inbox.is_ready());
    inbox.callback(FIRST, event(3));
    assert_eq!(
        drain(&inbox),
        [
            Event::LibvirtConnected,
            listed(),
            event(1),
            event(2),
            event(3)
        ]
    );
}

#[test]
fn a_resync_lists_without_connecting_anew() {
    let inbox = connected(FIRST);
    inbox.callback(FIRST, event(1));
    inbox.hold();
    inbox.callback(FIRST, event(2));
    assert_eq!(inbox.next(), Some(event(1)));
    assert_eq!(inbox.next(), None);
    inbox.listed(FIRST, Vec::new());
    assert_eq!(drain(&inbox), [listed(), event(2)]);
}

#[test]
fn a_resync_that_fails_lets_go_of_what_it_held() {
    let inbox = connected(FIRST);
    inbox.hold();
    inbox.callback(FIRST, event(1));
    inbox.unlisted();
    assert_eq!(drain(&inbox), [event(1)]);
}

#[test]
fn nothing_of_a_connection_follows_its_end() {
    let inbox = connected(FIRST);
    inbox.callback(FIRST, event(1));
    inbox.lost(FIRST);
    inbox.callback(FIRST, event(2));
    assert!(!inbox.listed(FIRST, Vec::new()));
    assert_eq!(drain(&inbox), [event(1), Event::LibvirtLost]);
    inbox.begin(SECOND);
    inbox.callback(FIRST, event(3));
    inbox.lost(FIRST);
    inbox.callback(SECOND, event(4));
    inbox.listed(SECOND, Vec::new());
    assert_eq!(drain(&inbox), [Event::LibvirtConnected, listed(), event(4)]);
}

#[test]
fn a_connection_that_dies_while_it_lists_was_never_there() {
    let inbox = inbox();
    inbox.begin(FIRST);
    inbox.callback(FIRST, event(1));
    inbox.lost(FIRST);
    assert_eq!(drain(&inbox), [Event::LibvirtLost]);
    assert!(!inbox.is_current(FIRST));
}

#[test]
fn an_outage_is_told_once() {
    let inbox = inbox();
    for generation in [FIRST, SECOND, Generation(3)] {
        inbox.begin(generation);
        inbox.lost(generation);
        inbox.lost(generation);
    }
    assert_eq!(drain(&inbox), [Event::LibvirtLost]);
}

#[test]
fn answers_pass_what_is_held_back() {
    let inbox = inbox();
    inbox.begin(FIRST);
    inbox.callback(FIRST, event(1));
    inbox.answer(answer(5));
    assert_eq!(drain(&inbox), [answer(5)]);
    inbox.lost(FIRST);
    assert_eq!(drain(&inbox), [Event::LibvirtLost]);
}

#[test]
fn lost_callbacks_are_counted_where_they_would_stand() {
    let inbox = connected(FIRST);
    for number in 0..i64::try_from(CALLBACKS).unwrap() + 3 {
        inbox.callback(FIRST, event(number));
    }
    // Room again, but for one only: the second is lost, behind the first.
    assert_eq!(inbox.next(), Some(event(0)));
    assert_eq!(inbox.next(), Some(event(1)));
    inbox.callback(FIRST, event(-1));
    inbox.callback(FIRST, event(-2));
    let dropped = |count| Event::Dropped {
        queue: Queue::Libvirt,
        count,
    };
    let rest = drain(&inbox);
    let tail = &rest[rest.len() - 3..];
    assert_eq!(tail, [dropped(3), event(-1), dropped(1)]);
    assert_eq!(rest.len(), CALLBACKS - 2 + 3);
}

#[test]
fn lost_answers_are_counted() {
    let inbox = inbox();
    for generation in 0..u64::try_from(ANSWERS).unwrap() + 2 {
        inbox.answer(answer(generation));
    }
    let dropped = Event::Dropped {
        queue: Queue::Describe,
        count: 2,
    };
    assert_eq!(inbox.next(), Some(dropped));
    assert_eq!(drain(&inbox).len(), ANSWERS);
}

/// Everything at its bound at once, popped and pushed at the worst times.
#[test]
fn the_queue_never_outgrows_its_room() {
    let inbox = connected(FIRST);
    let capacity = inbox.lock().entries.capacity();
    for round in 0..4 * CALLBACKS {
        for number in 0..3 {
            inbox.callback(FIRST, event(number));
            inbox.answer(answer(0));
        }
        if round > CALLBACKS {
            inbox.next();
            inbox.next();
        }
    }
    let mut generation = FIRST;
    while inbox.has_room() {
        inbox.lost(generation);
        generation = generation.next();
        inbox.begin(generation);
        inbox.listed(generation, Vec::new());
        for number in 0..8 {
            inbox.callback(generation, event(number));
        }
    }
    assert!(inbox.lock().states >= STATES);
    inbox.lost(generation);
    assert!(inbox.lock().entries.len() <= CAPACITY);
    assert_eq!(inbox.lock().entries.capacity(), capacity);
}

#[test]
fn every_arrival_wakes() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&wakes);
    let inbox = Inbox::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    inbox.begin(FIRST);
    let step = |expected| assert_eq!(wakes.swap(0, Ordering::Relaxed), expected);
    step(0);
    inbox.listed(FIRST, Vec::new());
    step(1);
    inbox.callback(FIRST, event(1));
    step(1);
    inbox.answer(answer(1));
    step(1);
    inbox.hold();
    inbox.unlisted();
    step(1);
    inbox.lost(FIRST);
    step(1);
}

#[test]
fn a_callback_allocates_nothing() {
    let inbox = connected(FIRST);
    let info = allocation_counter::measure(|| {
        for number in 0..100 {
            inbox.callback(FIRST, event(number));
        }
        while inbox.next().is_some() {}
    });
    assert_eq!(info.count_total, 0);
}

/// Keeps what it hears, as far as it has room.
struct Ears {
    heard: Vec<Event>,
    room: usize,
}

impl Hear for Ears {
    fn hear(&mut self, event: Event) -> Result<(), Event> {
        if self.heard.len() >= self.room {
            return Err(event);
        }
        self.heard.push(event);
        Ok(())
    }
}

/// This thread's hearer; a test has a thread of its own.
fn ears(room: usize) -> Rc<RefCell<Ears>> {
    let heard = Vec::new();
    let ears = Rc::new(RefCell::new(Ears { heard, room }));
    hearer::install(&(Rc::clone(&ears) as Rc<RefCell<dyn Hear>>));
    ears
}

#[test]
fn a_hearer_takes_events_past_the_queue() {
    let inbox = connected(FIRST);
    let ears = ears(9);
    hearer::forget_heard();
    inbox.callback(SECOND, event(0));
    assert!(!hearer::has_heard(), "none of this connection's");
    inbox.callback(FIRST, event(1));
    assert!(hearer::has_heard());
    assert_eq!(ears.borrow().heard, [event(1)]);
    assert_eq!(drain(&inbox), []);
}

#[test]
fn nothing_is_heard_before_what_waits() {
    let inbox = connected(FIRST);
    let ears = ears(9);
    inbox.answer(answer(1));
    inbox.callback(FIRST, event(1));
    assert_eq!(drain(&inbox), [answer(1), event(1)]);
    inbox.hold();
    inbox.callback(FIRST, event(2));
    assert_eq!(drain(&inbox), []);
    inbox.unlisted();
    assert_eq!(drain(&inbox), [event(2)]);
    assert_eq!(ears.borrow().heard, []);
}

#[test]
fn what_a_hearer_does_not_take_waits() {
    let inbox = connected(FIRST);
    let ears = ears(1);
    for number in 1..4 {
        inbox.callback(FIRST, event(number));
    }
    assert_eq!(ears.borrow().heard, [event(1)]);
    ears.borrow_mut().room = 9;
    inbox.callback(FIRST, event(4));
    assert_eq!(drain(&inbox), [event(2), event(3), event(4)]);

    let busy = ears.borrow_mut();
    inbox.callback(FIRST, event(5));
    drop(busy);
    assert_eq!(drain(&inbox), [event(5)]);

    drop(ears);
    inbox.callback(FIRST, event(6));
    assert_eq!(drain(&inbox), [event(6)]);
}
