//! What honours UNARPs, and a host for it.
//!
//! The host has 10.0.0.1 on its bridge, and 10.1.0.1 on a link of its own:
//!
//! ```text
//!  peer ---- up0 - br0 10.0.0.1        far ---- near 10.1.0.1
//! ```
//!
//! What is sent out of `peer` or `far` has one way into the host, and so is heard once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use macmoved::daemon::{Honour, HonourSettings};
use macmoved::emit::Brake;
use macmoved::metrics::Metrics;
use macmoved::model::MacAddr;
use macmoved::wire::Frame;
use tokio::sync::{oneshot, watch};

use crate::world::{ip, send, settle, sh};

/// Who holds the addresses by proxy ARP.
pub(crate) const HOLDER: MacAddr = MacAddr::new([2, 0, 0, 0, 0xc5, 1]);
pub(crate) const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0xc5, 2]);

/// How long anything may take; a hundred times what it takes on a machine that does nothing else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What honours UNARPs in the daemon, on a thread of its own.
pub(crate) struct Listener {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) brake: Arc<Brake>,
    settings: watch::Sender<HonourSettings>,
}

pub(crate) fn settings(prefixes: &[&str]) -> HonourSettings {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap());
    HonourSettings {
        prefixes: Some(prefixes.collect()),
        dry_run: false,
    }
}

impl Listener {
    pub(crate) fn start(prefixes: &[&str]) -> Self {
        let metrics = Arc::new(Metrics::new("0").unwrap());
        let brake = Arc::<Brake>::default();
        let settings = settings(prefixes);
        let (started, begun) = oneshot::channel();
        let parts = (Arc::clone(&brake), Arc::clone(&metrics));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let honour = Honour::start(settings, &parts.0, &parts.1);
                let (honour, settings) = honour.unwrap();
                started.send(settings).unwrap();
                match honour.serve().await {}
            });
        });
        Self {
            metrics,
            brake,
            settings: begun.blocking_recv().unwrap(),
        }
    }

    pub(crate) fn set(&self, settings: HonourSettings) {
        self.settings.send_replace(settings);
        settle();
    }

    /// What was counted so far, without zeroes. Deletions stand under "honoured".
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let honoured = ("honoured", self.metrics.unarps_honoured());
        let refused = self.metrics.unarps_refused();
        let refused = refused.map(|(refusal, count)| (refusal.label(), count));
        let all = refused.chain([honoured]);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// What is counted once `total` are.
    pub(crate) fn counted(&self, total: u64) -> BTreeMap<&'static str, u64> {
        let begin = Instant::now();
        loop {
            let counts = self.counts();
            let sum: u64 = counts.values().sum();
            if sum >= total || begin.elapsed() > PATIENCE {
                assert_eq!(sum, total, "{counts:?}");
                return counts;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends one frame out of `link` and returns what came of it.
    pub(crate) fn verdict(&self, link: &str, frame: &[u8]) -> &'static str {
        let before = self.counts();
        send(link, frame);
        let after = self.counted(before.values().sum::<u64>() + 1);
        let changed = |(label, count): (&&'static str, &u64)| {
            (before.get(*label) != Some(count)).then_some(*label)
        };
        after.iter().find_map(changed).unwrap()
    }
}

pub(crate) fn unarp(sender: MacAddr, address: &str) -> Vec<u8> {
    Frame::unarp(sender, address.parse().unwrap(), None).to_vec()
}

/// The entry for `address` on `link` as ip(8) shows it; empty where there is none.
pub(crate) fn entry(link: &str, address: &str) -> String {
    sh(&format!("ip neigh show to {address} dev {link} nud all"))
}

/// Writes an entry.
pub(crate) fn enter(link: &str, address: &str, mac: MacAddr, words: &str) {
    ip(&[&format!(
        "neigh replace {address} dev {link} lladdr {mac} {words}"
    )]);
}

pub(crate) fn world() {
    ip(&[
        "link set lo up",
        "link add br0 type bridge",
        "link set br0 up",
        "link add up0 type veth peer name peer",
        "link set up0 master br0 up",
        "link set peer up",
        "link add near type veth peer name far",
        "link set far up",
        "link set near up",
        "addr add 10.0.0.1/24 dev br0",
        "addr add 10.1.0.1/24 dev near",
    ]);
    for link in ["br0", "near"] {
        // Probes that nobody answers end no entry while a test looks at it.
        sh(&format!(
            "echo 1000 > /proc/sys/net/ipv4/neigh/{link}/ucast_solicit"
        ));
    }
    settle();
}

/// The UNARP for `address` with a tag as 802.1Q has it.
pub(crate) fn tagged(address: &str, tag: u16) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    let mut frame = unarp(HOLDER, address);
    frame.splice(12..12, [0x81, 0, high, low]);
    frame
}
