use std::fs;
use std::path::PathBuf;
use std::time::Instant as Clock;

use tokio::sync::oneshot;

use super::*;
use crate::config::ConfigFile;

/// A host's files, which outlast the agents on it.
struct Host {
    directory: tempfile::TempDir,
}

/// One agent's brakes at work.
struct Agent {
    brake: Arc<Brake>,
    shown: watch::Receiver<Brakes>,
    orders: mpsc::Sender<BrakeOrder>,
    look: Arc<Notify>,
    task: JoinHandle<Infallible>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("paused")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn start(&self) -> Agent {
        let configuration = ConfigFile::Named(self.directory.path().join("m.toml"));
        let (pauses, levers) = Pauses::start(
            PauseFile::beside(&configuration),
            PauseStore::within(&self.state()),
        );
        Agent {
            brake: levers.brake,
            shown: levers.shown.subscribe(),
            orders: levers.orders,
            look: levers.look,
            task: tokio::spawn(pauses.serve()),
        }
    }
}

impl Agent {
    async fn pause(&self, length: Option<Duration>) -> Result<(), BrakeFault> {
        let (reply, answer) = oneshot::channel();
        let order = BrakeOrder::Pause { length, reply };
        self.orders.send(order).await.unwrap();
        answer.await.unwrap()
    }

    async fn resume(&self) -> Result<(), BrakeFault> {
        let (reply, answer) = oneshot::channel();
        let order = BrakeOrder::Resume { reply };
        self.orders.send(order).await.unwrap();
        answer.await.unwrap()
    }

    /// How the agent stands; the brake and what is shown agree.
    fn stands(&self) -> Option<Pause> {
        let shown = self.shown.borrow().clone();
        assert_eq!(self.brake.paused(), shown.pause.is_some());
        assert_eq!(self.brake.safe_mode(), shown.safe_mode);
        shown.pause
    }

    /// Waits until what is shown satisfies this.
    async fn becomes(&mut self, wanted: impl Fn(&Brakes) -> bool) {
        let change = self.shown.wait_for(wanted);
        tokio::time::timeout(Duration::from_secs(10), change)
            .await
            .unwrap()
            .unwrap();
    }
}

const FOR_EVER: Option<Pause> = Some(Pause::Command { until: None });

#[tokio::test]
async fn an_order_holds_until_the_other_and_outlasts_the_agent() {
    let host = Host::new();
    let agent = host.start();
    assert_eq!(agent.stands(), None);
    agent.pause(None).await.unwrap();
    assert_eq!(agent.stands(), FOR_EVER);
    drop(agent);
    let agent = host.start();
    assert_eq!(agent.stands(), FOR_EVER, "at once");
    agent.resume().await.unwrap();
    assert_eq!(agent.stands(), None);
    drop(agent);
    assert_eq!(host.start().stands(), None);
}

#[tokio::test]
async fn an_order_with_an_end_ends_then_in_this_and_the_next_agent() {
    let host = Host::new();
    let mut agent = host.start();
    let begin = Clock::now();
    agent.pause(Some(Duration::from_secs(1))).await.unwrap();
    let until = match agent.stands() {
        Some(Pause::Command { until: Some(until) }) => until,
        other => panic!("{other:?}"),
    };
    let next = host.start();
    match next.stands() {
        Some(Pause::Command { until: Some(same) }) => {
            // Clocks are read anew.
            assert!(same.as_nanos().abs_diff(until.as_nanos()) < 10_000_000);
        }
        other => panic!("{other:?}"),
    }
    drop(next);
    agent.becomes(|brakes| brakes.pause.is_none()).await;
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert!(!agent.brake.paused());
    assert_eq!(host.start().stands(), None);
}

#[tokio::test]
async fn the_later_order_counts() {
    let host = Host::new();
    let mut agent = host.start();
    agent.pause(None).await.unwrap();
    agent.pause(Some(Duration::from_millis(20))).await.unwrap();
    agent.becomes(|brakes| brakes.pause.is_none()).await;
    agent.pause(Some(Duration::from_millis(20))).await.unwrap();
    agent.pause(None).await.unwrap();
    sleep(Duration::from_millis(60)).await;
    assert_eq!(agent.stands(), FOR_EVER);
}

#[tokio::test]
async fn a_file_pauses_from_the_start_and_no_order_lifts_it() {
    let host = Host::new();
    fs::write(host.file(), "fabric work\n").unwrap();
    let by_file = Some(Pause::File {
        path: host.file(),
        reason: Some("fabric work".to_owned()),
    });
    let mut agent = host.start();
    assert_eq!(agent.stands(), by_file);
    agent.resume().await.unwrap();
    assert_eq!(agent.stands(), by_file);
    agent.pause(None).await.unwrap();
    assert_eq!(agent.stands(), by_file, "the file outranks the order");
    fs::remove_file(host.file()).unwrap();
    agent.becomes(|brakes| brakes.pause == FOR_EVER).await;
    assert_eq!(agent.stands(), FOR_EVER, "which stands by itself");
}

#[tokio::test]
async fn a_file_is_noticed_within_two_looks_and_at_once_when_asked() {
    let host = Host::new();
    let mut agent = host.start();
    let begin = Clock::now();
    fs::write(host.file(), "").unwrap();
    agent.becomes(|brakes| brakes.pause.is_some()).await;
    assert!(begin.elapsed() < 2 * LOOK, "{:?}", begin.elapsed());
    // The next tick is a second away.
    let begin = Clock::now();
    fs::remove_file(host.file()).unwrap();
    agent.look.notify_one();
    agent.becomes(|brakes| brakes.pause.is_none()).await;
    assert!(begin.elapsed() < LOOK / 2, "{:?}", begin.elapsed());
    assert_eq!(agent.stands(), None);
}

#[tokio::test]
async fn an_order_that_cannot_be_kept_is_obeyed_and_said_to_be_so() {
    let host = Host::new();
    fs::write(host.state(), "no directory").unwrap();
    let agent = host.start();
    agent.resume().await.unwrap_err();
    let fault = agent.pause(None).await.unwrap_err();
    assert!(matches!(fault, BrakeFault::PauseNotKept(_)), "{fault}");
    assert!(agent.brake.paused());
}

#[tokio::test]
async fn a_damaged_order_holds_until_resumed() {
    let host = Host::new();
    fs::create_dir(host.state()).unwrap();
    fs::write(host.state().join("pause.json"), "{").unwrap();
    let agent = host.start();
    assert_eq!(agent.stands(), FOR_EVER);
    agent.resume().await.unwrap();
    assert_eq!(host.start().stands(), None);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_pause_endless() {
    let host = Host::new();
    fs::create_dir(host.state()).unwrap();
    let far = format!("{{\"until_ns\":{}}}", i64::MAX);
    fs::write(host.state().join("pause.json"), far).unwrap();
    let agent = host.start();
    let Some(Pause::Command { until: Some(until) }) = agent.stands() else {
        panic!("not paused");
    };
    let latest = Timestamp::of(clock::now() + LONGEST_PAUSE, clock::realtime_offset());
    assert!(until.as_nanos() < latest.as_nanos() + 1_000_000_000);
}

#[tokio::test]
async fn resuming_leaves_safe_mode() {
    let host = Host::new();
    let agent = host.start();
    assert!(agent.brake.enter_safe_mode());
    agent.pause(None).await.unwrap();
    assert!(agent.shown.borrow().safe_mode);
    agent.resume().await.unwrap();
    assert_eq!(*agent.shown.borrow(), Brakes::default());
    assert!(!agent.brake.safe_mode());
}
