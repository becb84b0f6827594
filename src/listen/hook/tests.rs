use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;
use crate::model::GuestId;

const UUID: &str = "6d6d0000-0000-4000-9000-000000000001";

fn xml() -> String {
    format!(
        "<domain><name>web</name><uuid>{UUID}</uuid><devices><interface type='bridge'>\
         <mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet7'/>\
         </interface></devices></domain>"
    )
}

fn message(operation: &str, phase: &str, xml: Option<&str>) -> Vec<u8> {
    let message = HookMessage {
        object: b"web",
        operation: operation.as_bytes(),
        phase: phase.as_bytes(),
        extra: b"-",
        xml: xml.map(str::as_bytes),
    };
    message.emit().unwrap()
}

fn heard(operation: &str, phase: &str, xml: Option<&str>) -> Result<Heard, HookFault> {
    understand(&message(operation, phase, xml))
}

#[test]
fn migrate_begin_foretells_a_guest_and_start_begin_what_it_is_plugged_into() {
    let guest: GuestId = UUID.parse().unwrap();
    let description = domain_xml::parse(xml().as_bytes()).unwrap();
    for (operation, description) in [("migrate", None), ("start", Some(description))] {
        let heard = heard(operation, "begin", Some(&xml())).unwrap();
        let hint = Event::Foretold { guest, description };
        assert_eq!(heard.operation.label(), operation);
        assert_eq!(heard.hint, Some(hint));
    }
}

#[test]
fn every_other_operation_is_counted_and_nothing_else() {
    for &operation in HookOperation::ALL {
        let phase = match operation {
            HookOperation::Migrate
            | HookOperation::Start
            | HookOperation::Stopped
            | HookOperation::Release => continue,
            _ => "begin",
        };
        for xml in [Some(&*xml()), Some("<nonsense"), None] {
            let hint = None;
            let expected = Heard { operation, hint };
            assert_eq!(heard(operation.label(), phase, xml), Ok(expected));
        }
    }
    for (word, phase) in [
        ("start", "end"),
        ("migrate", "-"),
        ("", ""),
        ("START", "begin"),
    ] {
        let operation = HookOperation::Other;
        let hint = None;
        let expected = Heard { operation, hint };
        assert_eq!(heard(word, phase, Some(&xml())), Ok(expected));
    }
}

#[test]
fn the_end_of_a_guests_qemu_calls_off_what_was_foretold_where_it_says_whose() {
    let guest: GuestId = UUID.parse().unwrap();
    for operation in [HookOperation::Stopped, HookOperation::Release] {
        for (xml, hint) in [
            (Some(&*xml()), Some(Event::CalledOff { guest })),
            (Some("<nonsense"), None),
            (None, None),
        ] {
            let expected = Heard { operation, hint };
            assert_eq!(heard(operation.label(), "end", xml), Ok(expected));
        }
    }
}

#[test]
fn what_names_no_guest_is_refused_by_reason() {
    let anonymous = xml().replace(UUID, "");
    for (xml, fault) in [
        (None, HookFault::WithoutXml),
        (Some("<domain"), HookFault::Xml),
        (Some("<network/>"), HookFault::Xml),
        (Some(&*anonymous), HookFault::Xml),
    ] {
        assert_eq!(heard("start", "begin", xml), Err(fault));
    }
    assert_eq!(understand(b"GET / HTTP/1.0"), Err(HookFault::Malformed));
}

proptest! {
    #[test]
    fn no_octets_and_no_xml_make_it_panic(
        octets in proptest::collection::vec(any::<u8>(), 0..400), text in ".{0,200}",
    ) {
        assert!(understand(&octets).is_err());
        understand(&message("start", "begin", Some(&text))).ok();
    }
}

/// A socket that is served for this process's own user, and what it reported.
struct Served {
    path: PathBuf,
    reports: mpsc::UnboundedReceiver<Result<Heard, HookFault>>,
    _directory: tempfile::TempDir,
}

impl Served {
    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).unwrap()
    }

    fn send(&self, octets: &[u8]) {
        // Somebody who is turned away may find the connection closed.
        self.connect().write_all(octets).ok();
    }

    async fn reported(&mut self, count: usize) -> Vec<Result<Heard, HookFault>> {
        let mut told = Vec::new();
        while told.len() < count {
            let next = timeout(PATIENCE * 10, self.reports.recv()).await;
            told.push(next.unwrap().unwrap());
        }
        told
    }
}

/// Plays `scene` beside a served socket; `stranger`: it is served for another user.
fn beside_server(stranger: bool, scene: impl AsyncFnOnce(Served)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hook.sock");
        let socket = NamedSocket::bind(&path, BACKLOG).await.unwrap();
        let user = socket.owner() + u32::from(stranger);
        let (sender, reports) = mpsc::unbounded_channel();
        let served = Served {
            path,
            reports,
            _directory: directory,
        };
        tokio::select! {
            never = serve_for(user, socket, move |told| sender.send(told).unwrap()) => {
                match never {}
            }
            () = scene(served) => {}
        }
    });
}

#[test]
fn a_message_is_heard_once_its_sender_is_gone() {
    beside_server(false, async |mut served| {
        served.send(&message("release", "end", None));
        let told = served.reported(1).await;
        let (operation, hint) = (HookOperation::Release, None);
        assert_eq!(told, [Ok(Heard { operation, hint })]);
    });
}

#[test]
fn another_users_message_is_not_read() {
    beside_server(true, async |mut served| {
        served.send(&message("start", "begin", Some(&xml())));
        assert_eq!(served.reported(1).await, [Err(HookFault::Caller)]);
    });
}

#[test]
fn octets_without_end_are_refused_and_a_look_is_nothing() {
    beside_server(false, async |mut served| {
        drop(served.connect());
        let mut endless = served.connect();
        endless.set_nonblocking(true).unwrap();
        for _ in 0..100 {
            // It is hung up on, or its buffer is full.
            endless.write_all(&[b'x'; 8_192]).ok();
            tokio::task::yield_now().await;
        }
        assert_eq!(served.reported(1).await, [Err(HookFault::Oversized)]);
    });
}

#[test]
fn silent_callers_end_after_a_second_and_the_next_are_heard() {
    beside_server(false, async |mut served| {
        let silent: Vec<_> = (0..CONNECTIONS + 3).map(|_| served.connect()).collect();
        served.send(&message("release", "end", None));
        let told = served.reported(silent.len() + 1).await;
        let silenced = told.iter().filter(|told| **told == Err(HookFault::Timeout));
        assert_eq!(silenced.count(), silent.len());
        assert!(told.iter().any(Result::is_ok));
    });
}
