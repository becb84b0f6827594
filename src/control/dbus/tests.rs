use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;

use super::*;
use crate::control::client::{CallError, Client};
use crate::control::fixture::{Holder, connected, guest, holder, record};
use crate::control::{Brakes, INTERFACE, Pause};
use crate::engine::{Action, Count, GuestPhase, Queue, Snapshot};
use crate::model::{Mode, Outcome, SendFault, Side, UnarpRefusal};

struct Served {
    socket: PathBuf,
    holder: Holder,
    requests: mpsc::Receiver<Request>,
    orders: mpsc::Receiver<BrakeOrder>,
    task: JoinHandle<Infallible>,
    _directory: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn served(snapshot: Snapshot) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let socket = NamedSocket::bind(&path, CALLERS).await.unwrap();
    let (sender, requests) = mpsc::channel(1);
    let (order_sender, orders) = mpsc::channel(1);
    let holder = holder(snapshot);
    let task = tokio::spawn(serve(socket, holder.view.clone(), sender, order_sender));
    Served {
        socket: path,
        holder,
        requests,
        orders,
        task,
        _directory: directory,
    }
}

#[test]
fn root_and_the_agents_user_may_ask() {
    assert!(admits(7, 0) && admits(7, 7) && admits(0, 0));
    assert!(!admits(7, 8) && !admits(0, 7));
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn status_is_the_agent_in_a_page() {
    let mut snapshot = connected(true, false);
    snapshot.waiting_frames = 9;
    snapshot.guests = vec![
        guest(1, GuestPhase::Running),
        guest(2, GuestPhase::ArrivedPaused),
    ];
    let served = served(snapshot).await;
    let ending = Count::Migrations {
        side: Side::Destination,
        mode: Mode::Postcopy,
        outcome: Outcome::Failed,
    };
    for (count, by) in [
        (ending, 2),
        (Count::Faults(SendFault::NoCarrier), 3),
        (Count::Drops(Queue::Pacing), 4),
    ] {
        served.holder.view.metrics.apply(&Action::Count(count, by));
    }
    let metrics = &served.holder.view.metrics;
    metrics.set_unarp_listening(true);
    metrics.unarp_honoured();
    metrics.unarp_refused(UnarpRefusal::OtherMac, 5);
    served.holder.facts.send_modify(|facts| {
        Arc::make_mut(facts).honours = vec!["10.0.0.0/24".to_owned()];
    });
    let client = Client::connect(&served.socket).await.unwrap();
    let text = client.status().await.unwrap();
    assert_eq!(
        parsed(&text),
        json!({
            "version": "1.2.3",
            "since_ns": 7,
            "brakes": {
                "paused": false, "paused_by": null, "until_ns": null, "file": null,
                "reason": null, "safe_mode": false, "dry_run": true,
            },
            "access": "full",
            "libvirt": {"connected": true, "resynced": false, "since": 0, "reconnects": 0},
            "guests": {
                "running": 1, "paused": 0, "incoming": 0, "arrived_paused": 1,
                "announcing": 0, "outgoing": 0, "switched_over": 0,
            },
            "addresses": {"contested": 0, "refused": 0},
            "waiting_frames": 9,
            "migrations": [
                {"side": "destination", "mode": "postcopy", "outcome": "failed", "count": 2},
            ],
            "faults": [{"reason": "no_carrier", "count": 3}],
            "drops": [{"queue": "pacing", "count": 4}],
            "unarp": {
                "listening": true, "prefixes": ["10.0.0.0/24"], "honoured": 1,
                "refused": [{"reason": "other_mac", "count": 5}],
            },
            "warnings": ["beware"],
        })
    );
    assert_eq!(
        serde_json::from_str::<Status>(&text).unwrap(),
        Status::of(&served.holder.view)
    );
}

#[tokio::test]
async fn guests_and_history_follow_the_snapshot() {
    let served = served(Snapshot::default()).await;
    let client = Client::connect(&served.socket).await.unwrap();
    assert_eq!(client.guests().await.unwrap(), "[]");
    let snapshot = Snapshot {
        guests: vec![guest(1, GuestPhase::Running)],
        history: (0..5).rev().map(record).collect(),
        ..Snapshot::default()
    };
    served.holder.snapshot.send(Arc::new(snapshot)).unwrap();
    let guests = parsed(&client.guests().await.unwrap());
    assert_eq!(guests[0]["uuid"], "01010101-0101-0101-0101-010101010101");
    assert_eq!(guests[0]["name"], "a\"b\n");
    for (limit, expected) in [
        (0, vec![]),
        (2, vec![4, 3]),
        (u32::MAX, vec![4, 3, 2, 1, 0]),
    ] {
        let history = parsed(&client.history(limit).await.unwrap());
        let ids: Vec<_> = history
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_u64())
            .collect();
        assert_eq!(ids, expected.into_iter().map(Some).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_reload_changes_what_status_says() {
    let served = served(Snapshot::default()).await;
    let client = Client::connect(&served.socket).await.unwrap();
    served
        .holder
        .facts
        .send_modify(|facts| Arc::make_mut(facts).dry_run = false);
    let status = parsed(&client.status().await.unwrap());
    assert_eq!(status["brakes"]["dry_run"], false);
}

#[tokio::test]
async fn a_plan_is_the_drivers_answer() {
    let mut served = served(Snapshot::default()).await;
    let client = Client::connect(&served.socket).await.unwrap();
    let driver = async {
        for answer in [
            Ok("{\"nics\":[]}".to_owned()),
            Err(RequestFault::UnknownGuest),
            Err(RequestFault::LibvirtUnavailable),
            Err(RequestFault::Unreadable),
        ] {
            let Some(Request::Plan { guest, reply }) = served.requests.recv().await else {
                panic!("no request");
            };
            assert_eq!(guest, "web-01");
            reply.send(answer).unwrap();
        }
    };
    let caller = async {
        assert_eq!(client.plan("web-01").await.unwrap(), "{\"nics\":[]}");
        let mut faults = Vec::new();
        for _ in 0..3 {
            let Err(CallError::Refused(fault)) = client.plan("web-01").await else {
                panic!("not refused");
            };
            faults.push(fault);
        }
        faults
    };
    let (faults, ()) = tokio::join!(caller, driver);
    assert_eq!(
        faults,
        [
            AgentFault::UnknownGuest("libvirt has no such guest".to_owned()),
            AgentFault::LibvirtUnavailable("libvirt did not answer".to_owned()),
            AgentFault::Unreadable("libvirt's XML cannot be read".to_owned()),
        ]
    );
}

#[tokio::test]
async fn brakes_are_pulled_and_loosened_and_the_answer_is_how_they_stand() {
    let mut served = served(Snapshot::default()).await;
    let client = Client::connect(&served.socket).await.unwrap();
    let brakes = served.holder.brakes.clone();
    let obey = async {
        for wanted in [None, Some(Duration::from_secs(3_600))] {
            let Some(BrakeOrder::Pause { length, reply }) = served.orders.recv().await else {
                panic!("no order to pause");
            };
            assert_eq!(length, wanted);
            let until = length.map(|_| crate::model::Timestamp::from_nanos(9));
            brakes.send_modify(|brakes| brakes.pause = Some(Pause::Command { until }));
            reply.send(Ok(())).unwrap();
        }
        let Some(BrakeOrder::Resume { reply }) = served.orders.recv().await else {
            panic!("no order to resume");
        };
        let pause = Some(Pause::File {
            path: "/etc/macmoved/paused".into(),
            reason: Some("a\u{1b}b".to_owned()),
        });
        let safe_mode = true;
        brakes.send_replace(Brakes { pause, safe_mode });
        reply.send(Ok(())).unwrap();
    };
    let call = async {
        let answers = [
            client.pause(0).await.unwrap(),
            client.pause(3_600).await.unwrap(),
            client.resume().await.unwrap(),
        ];
        answers.map(|answer| parsed(&answer))
    };
    let (answers, ()) = tokio::join!(call, obey);
    let expected = |by: &str, until: Option<u64>, file: Option<&str>| {
        json!({
            "paused": true, "paused_by": by, "until_ns": until, "file": file,
            "reason": file.map(|_| "a\u{1b}b"), "safe_mode": file.is_some(), "dry_run": true,
        })
    };
    assert_eq!(answers[0], expected("command", None, None));
    assert_eq!(answers[1], expected("command", Some(9), None));
    let by_file = expected("file", None, Some("/etc/macmoved/paused"));
    assert_eq!(answers[2], by_file);
    assert_eq!(parsed(&client.status().await.unwrap())["brakes"], by_file);
}

#[tokio::test]
async fn a_pause_out_of_bounds_is_refused_and_one_that_is_not_kept_is_said_to_be_so() {
    let mut served = served(Snapshot::default()).await;
    let client = Client::connect(&served.socket).await.unwrap();
    for seconds in [LONGEST_PAUSE.as_secs() + 1, u64::MAX] {
        let refused = client.pause(seconds).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("within 2592000 s"), "{refused}");
        assert!(served.orders.try_recv().is_err(), "no order was given");
    }
    let obey = async {
        let Some(BrakeOrder::Pause { length, reply }) = served.orders.recv().await else {
            panic!("no order to pause");
        };
        assert_eq!(length, Some(LONGEST_PAUSE));
        let fault = BrakeFault::PauseNotKept("disk full".to_owned());
        reply.send(Err(fault)).unwrap();
    };
    let (answer, ()) = tokio::join!(client.pause(LONGEST_PAUSE.as_secs()), obey);
    let Err(CallError::Refused(AgentFault::NotKept(text))) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(text, "paused, but only until the agent restarts: disk full");
}

#[tokio::test]
async fn brakes_work_while_the_drivers_queue_is_full() {
    let mut served = served(Snapshot::default()).await;
    let first = Client::connect(&served.socket).await.unwrap();
    let second = Client::connect(&served.socket).await.unwrap();
    let waiting = tokio::spawn(async move { first.plan("a").await });
    while served.requests.is_empty() {
        tokio::task::yield_now().await;
    }
    let obey = async {
        let Some(BrakeOrder::Pause { reply, .. }) = served.orders.recv().await else {
            panic!("no order to pause");
        };
        reply.send(Ok(())).unwrap();
    };
    let (answer, ()) = tokio::join!(second.pause(0), obey);
    answer.unwrap();
    waiting.abort();
}

/// Questions and callers that were counted as dropped.
fn turned_away(served: &Served) -> u64 {
    let drops = served.holder.view.metrics.drops();
    let control = drops.filter(|(queue, _)| *queue == Queue::Control);
    control.map(|(_, number)| number).sum()
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_a_stopped_driver_says_so() {
    let mut served = served(Snapshot::default()).await;
    let first = Client::connect(&served.socket).await.unwrap();
    let second = Client::connect(&served.socket).await.unwrap();
    let waiting = tokio::spawn(async move { first.plan("a").await });
    while served.requests.is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = second.plan("b").await.unwrap_err();
    assert!(
        matches!(refused, CallError::Refused(AgentFault::Busy(_))),
        "{refused}"
    );
    assert_eq!(turned_away(&served), 1);
    served.requests.close();
    drop(served.requests.recv().await);
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the agent is stopping");
    assert!(second.status().await.is_ok(), "looking needs no driver");
    assert_eq!(
        second.plan("b").await.unwrap_err().to_string(),
        "the agent is stopping"
    );
}

#[tokio::test]
async fn names_on_the_wire_are_those_that_are_promised() {
    let served = served(Snapshot::default()).await;
    let stream = UnixStream::connect(&served.socket)
        .await
        .unwrap()
        .into_std()
        .unwrap();
    let connection = Builder::unix_stream(stream).p2p().build().await.unwrap();
    let properties = Some("org.freedesktop.DBus.Properties");
    let version = connection
        .call_method(
            None::<&str>,
            PATH,
            properties,
            "Get",
            &(INTERFACE, "Version"),
        )
        .await
        .unwrap();
    let version: zbus::OwnedVariant = version.body().deserialize().unwrap();
    assert_eq!(String::try_from(version).unwrap(), "1.2.3");
    let fault: zbus::Error = connection
        .call_method(None::<&str>, PATH, Some(INTERFACE), "Reboot", &())
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("UnknownMethod"), "{fault}");
    let fault = AgentFault::Busy(String::new());
    assert_eq!(DBusError::name(&fault).as_str(), "org.macmoved.Error.Busy");
}

#[tokio::test]
async fn one_caller_too_many_is_turned_away_and_a_parting_one_makes_room() {
    let served = served(Snapshot::default()).await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(&served.socket).await.unwrap());
    }
    let mut surplus = UnixStream::connect(&served.socket).await.unwrap();
    assert_eq!(surplus.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    assert_eq!(turned_away(&served), 1);
    clients.pop();
    let start = Instant::now();
    while Client::connect(&served.socket).await.is_err() {
        assert!(start.elapsed() < HANDSHAKE, "no room was made");
        sleep(Duration::from_millis(5)).await;
    }
}
