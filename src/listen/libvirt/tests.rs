//! Against libvirt's own test driver, which lives in this process: `test:///default` has one
//! guest named `test`, which runs, and shares its state among all connections.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use virt::connect::Connect;
use virt::domain::Domain;

use super::{Access, FindGuestError, Hear, Listener, Settings, StartListenerError};
use crate::engine::{DescribeFault, Event, Lifecycle, RunState};
use crate::model::GuestId;
use crate::sys::event_loop::RegisterEventLoopError;

/// Far longer than anything here takes, for what must happen.
const SOON: Duration = Duration::from_secs(10);

/// One listener a process, and one test driver.
static ALONE: Mutex<()> = Mutex::new(());

struct Rig {
    listener: Listener,
    runtime: Runtime,
    _alone: MutexGuard<'static, ()>,
}

impl Rig {
    fn start(uri: &str, access: Access) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let listener = Listener::start(Settings::new(uri, access)).unwrap();
        drop(entered);
        Self {
            listener,
            runtime,
            _alone: alone,
        }
    }

    fn next_within(&mut self, limit: Duration) -> Option<Event> {
        let until = Instant::now() + limit;
        loop {
            if let Some(event) = self.listener.next_event() {
                return Some(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            let ready = self.listener.ready();
            self.runtime
                .block_on(async { tokio::time::timeout(left, ready).await })
                .ok()?;
            self.listener.dispatch();
        }
    }

    fn next(&mut self) -> Event {
        self.next_within(SOON).expect("no event came")
    }

    /// Runs the loop until `found` picks something; other events are let go.
    fn until<T>(&mut self, found: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(&self.next()) {
                return found;
            }
        }
    }

    /// The one guest, once the listener is connected.
    fn connected(&mut self) -> GuestId {
        assert_eq!(self.next(), Event::LibvirtConnected);
        let Event::Listed { guests } = self.next() else {
            panic!("a list follows");
        };
        let names: Vec<_> = guests.iter().map(|facts| facts.name.as_str()).collect();
        assert_eq!(names, ["test"]);
        assert_eq!(guests[0].state, RunState::Running);
        guests[0].guest
    }
}

fn guest() -> (Connect, Domain) {
    let connection = Connect::open(Some("test:///default")).unwrap();
    let domain = connection.lookup_domain_by_name("test").unwrap();
    (connection, domain)
}

fn changes(rig: &mut Rig, guest: GuestId, count: usize) -> Vec<Lifecycle> {
    (0..count)
        .map(|_| {
            rig.until(|event| match event {
                Event::Lifecycle {
                    guest: of, change, ..
                } if *of == guest => Some(*change),
                _ => None,
            })
        })
        .collect()
}

#[test]
fn events_arrive_in_order() {
    let mut rig = Rig::start("test:///default", Access::Full);
    let id = rig.connected();
    let (_connection, domain) = guest();
    for _ in 0..3 {
        domain.suspend().unwrap();
        domain.resume().unwrap();
    }
    domain.destroy().unwrap();
    domain.create().unwrap();
    let mut expected = [Lifecycle::SuspendedPaused, Lifecycle::ResumedUnpaused].repeat(3);
    expected.extend([Lifecycle::Stopped, Lifecycle::Started]);
    assert_eq!(changes(&mut rig, id, 8), expected);
    rig.listener.stop();
}

#[test]
fn reading_only_is_enough_for_lifecycle_events() {
    let mut rig = Rig::start("test:///default", Access::ReadOnly);
    let id = rig.connected();
    let (_connection, domain) = guest();
    domain.suspend().unwrap();
    domain.resume().unwrap();
    assert_eq!(
        changes(&mut rig, id, 2),
        [Lifecycle::SuspendedPaused, Lifecycle::ResumedUnpaused]
    );
    rig.listener.stop();
}

#[test]
fn an_event_is_stamped_when_it_enters() {
    let mut rig = Rig::start("test:///default", Access::Full);
    rig.connected();
    let (_connection, domain) = guest();
    let before = crate::sys::clock::now();
    domain.suspend().unwrap();
    let at = rig.until(|event| match event {
        Event::Lifecycle { at, .. } => Some(*at),
        _ => None,
    });
    assert!(before <= at && at <= crate::sys::clock::now());
    domain.resume().unwrap();
    rig.listener.stop();
}

#[test]
fn descriptions_answer_with_their_generation() {
    let mut rig = Rig::start("test:///default", Access::Full);
    let id = rig.connected();
    let stranger = GuestId::new([0xee; 16]);
    rig.listener.describe(id, 7);
    rig.listener.describe(stranger, 8);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        if let Event::Described {
            guest,
            generation,
            outcome,
        } = rig.next()
        {
            answers.push((guest, generation, outcome));
        }
    }
    let (guest, generation, outcome) = &answers[0];
    assert_eq!((*guest, *generation), (id, 7));
    assert_eq!(outcome.as_ref().unwrap().name.as_str(), "test");
    assert_eq!(answers[1], (stranger, 8, Err(DescribeFault::Gone)));
    rig.listener.stop();
}

#[test]
fn a_resync_lists_again() {
    let mut rig = Rig::start("test:///default", Access::Full);
    rig.connected();
    let (_connection, domain) = guest();
    domain.suspend().unwrap();
    assert!(rig.listener.request_list());
    let state = rig.until(|event| match event {
        Event::Listed { guests } => Some(guests[0].state),
        _ => None,
    });
    assert_eq!(state, RunState::Paused);
    domain.resume().unwrap();
    rig.listener.stop();
}

#[test]
fn guests_are_found_by_name_and_by_uuid() {
    let mut rig = Rig::start("test:///default", Access::Full);
    let id = rig.connected();
    let find = |rig: &mut Rig, text: &str| {
        let (reply, answer) = tokio::sync::oneshot::channel();
        rig.listener.find(text, reply);
        rig.runtime.block_on(answer).unwrap()
    };
    for text in ["test".to_owned(), id.to_string()] {
        let (found, description) = find(&mut rig, &text).unwrap();
        assert_eq!(found, id);
        assert_eq!(description.name.as_str(), "test");
    }
    let strangers = [
        "nobody",
        "",
        "te\0st",
        "ffffffff-ffff-4fff-8fff-ffffffffffff",
    ];
    for text in strangers {
        let answer = find(&mut rig, text);
        assert!(
            matches!(answer, Err(FindGuestError::NoSuchGuest)),
            "{text}: {answer:?}"
        );
    }
    rig.listener.stop();
}

#[test]
fn a_libvirt_that_is_not_there_is_told_once_and_refuses() {
    let uri = "qemu:///system?socket=/nonexistent/libvirt-sock";
    let mut rig = Rig::start(uri, Access::Full);
    assert_eq!(rig.next(), Event::LibvirtLost);
    let stranger = GuestId::new([0xee; 16]);
    rig.listener.describe(stranger, 1);
    let refusal = Event::Described {
        guest: stranger,
        generation: 1,
        outcome: Err(DescribeFault::Unavailable),
    };
    assert_eq!(rig.next(), refusal);
    let (reply, answer) = tokio::sync::oneshot::channel();
    rig.listener.find("test", reply);
    let answer = rig.runtime.block_on(answer).unwrap();
    assert!(matches!(answer, Err(FindGuestError::NotConnected)));
    assert_eq!(rig.next_within(Duration::from_millis(400)), None);
    rig.listener.stop();
}

#[test]
fn there_is_one_listener_at_a_time_and_another_after_it() {
    let mut rig = Rig::start("test:///default", Access::Full);
    let entered = rig.runtime.enter();
    let second = Listener::start(Settings::new("test:///default", Access::Full));
    assert!(matches!(
        second,
        Err(StartListenerError::EventLoop(RegisterEventLoopError::Taken))
    ));
    drop(entered);
    let id = rig.connected();
    rig.listener.stop();
    let entered = rig.runtime.enter();
    rig.listener = Listener::start(Settings::new("test:///default", Access::Full)).unwrap();
    drop(entered);
    assert_eq!(rig.connected(), id);
    rig.listener.stop();
}

#[test]
fn a_uri_with_a_nul_is_refused() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = Listener::start(Settings::new("test:///def\0ault", Access::Full));
    assert!(matches!(refused, Err(StartListenerError::Uri)));
}

/// From the readable descriptor to the event in hand, libvirt's own code and ours together: the
/// Rust side allocates nothing. (What libvirt's C allocates is not counted here.)
#[test]
fn an_event_costs_no_allocation() {
    let mut rig = Rig::start("test:///default", Access::Full);
    rig.connected();
    let (_connection, domain) = guest();
    let once = |rig: &mut Rig| {
        domain.suspend().unwrap();
        domain.resume().unwrap();
        assert!(rig.listener.event_loop.wait(SOON));
        let mut events = 0;
        let info = allocation_counter::measure(|| {
            rig.listener.dispatch();
            while let Some(event) = rig.listener.next_event() {
                events += usize::from(matches!(event, Event::Lifecycle { .. }));
            }
        });
        assert_eq!(events, 2);
        info.count_total
    };
    assert_eq!([(); 5].map(|()| once(&mut rig)), [0; 5]);
    rig.listener.stop();
}

/// The event is taken before the callback returns, and `dispatch` ends with it.
#[test]
fn a_hearer_is_told_within_dispatch() {
    #[derive(Default)]
    struct Ears(Vec<Event>);
    impl Hear for Ears {
        fn hear(&mut self, event: Event) -> Result<(), Event> {
            self.0.push(event);
            Ok(())
        }
    }
    let mut rig = Rig::start("test:///default", Access::Full);
    rig.connected();
    let (_connection, domain) = guest();
    let ears = Rc::new(RefCell::new(Ears::default()));
    rig.listener
        .hear_by(&(Rc::clone(&ears) as Rc<RefCell<dyn Hear>>));
    domain.suspend().unwrap();
    while ears.borrow().0.is_empty() {
        assert!(rig.listener.event_loop.wait(SOON));
        rig.listener.dispatch();
    }
    assert_eq!(rig.listener.next_event(), None);
    let heard = std::mem::take(&mut ears.borrow_mut().0);
    let [Event::Lifecycle { change, .. }] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(*change, Lifecycle::SuspendedPaused);
    domain.resume().unwrap();
    rig.listener.stop();
}
