//! What happens without macmoved, and what is not enough.

use super::{CALLS, assert_kept, assert_learned, record_medians};
use crate::evidence::{Evidence, Figures, guest_mac};
use crate::lab::{Guest, Lab, pause};
use crate::oracle::{Expect, announcement};

/// The peer calls before the migration and after it. In between, a guest that was stopped with an
/// answer on its lips would give it at the destination, and so teach the network by luck.
fn migrate_between_calls(lab: &Lab, guest: &Guest, after: impl FnOnce()) {
    let calls = lab.call(guest, 0, CALLS);
    pause(300);
    drop(calls);
    pause(100);
    lab.migrate(guest, "a", "b", &[]);
    after();
    let calls = lab.call(guest, 0, CALLS);
    pause(1_500);
    drop(calls);
}

/// Calls in the only migration of `evidence` since the source guest stopped, and those lost.
fn calls_since_stop(evidence: &Evidence) -> (usize, usize) {
    let migration = evidence.migrations.first().expect("one migration");
    let mut since_stop = migration.clone();
    since_stop.span.start = migration.stopped.expect("the guest stopped");
    let figures = Figures::of(evidence, &since_stop, 0);
    (figures.requests, figures.lost)
}

#[test]
fn without_an_agent_a_silent_guest_is_dark() {
    let lab = Lab::up("dark", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    let evidence = lab.capture("migration", || {
        migrate_between_calls(&lab, &guest, || ());
    });
    assert_kept(&evidence, &Expect::silence());
    let migration = &evidence.migrations[0];
    assert!(
        migration.resumed.is_some(),
        "the guest runs at the destination"
    );
    let figures = Figures::of(&evidence, migration, 0);
    assert_eq!(figures.stop_to_relearned, None, "nothing taught the fabric");
    let (requests, lost) = calls_since_stop(&evidence);
    assert!(requests > 50, "{requests} calls");
    assert_eq!(
        lost, requests,
        "calls since the guest stopped that found no answer"
    );
}

#[test]
fn qemu_announces_in_these_octets_at_these_times() {
    let lab = Lab::up("qemu", 2);
    let guest = Guest::silent(1).with(&["--announces"]);
    lab.start(&guest, "a");
    let evidence = lab.capture("migrations", || {
        for (from, to) in [("a", "b"), ("b", "a")] {
            lab.migrate(&guest, from, to, &[]);
            pause(1_200);
        }
    });
    // QEMU counts from the completion, however long RESUME then takes; its late first round is due
    // at RESUME.
    let expect = Expect {
        early: 0,
        tolerance: 1_000.0,
        ..Expect::default()
    };
    assert_kept(&evidence, &expect);
    assert_eq!(evidence.migrations.len(), 2);
    let figures: Vec<_> = evidence
        .migrations
        .iter()
        .map(|migration| Figures::of(&evidence, migration, 0))
        .collect();
    for figures in &figures {
        assert_learned(figures);
    }
    record_medians("qemu (the floor)", &figures);
}

/// A packet socket's frame on the bridge or on its uplink teaches the fabric, which then sends
/// everything to a host whose own bridge still has the guest behind its uplink.
#[test]
fn a_packet_socket_on_bridge_or_uplink_alone_black_holes() {
    for link in ["br0", "up0"] {
        let lab = Lab::up("packet-socket", 2);
        let guest = Guest::silent(1);
        lab.start(&guest, "a");
        let (mac, frame) = (guest_mac(0, 1), announcement(guest_mac(0, 1)));
        // As the guest's last broadcast went: it leaves b's bridge with the guest behind its uplink.
        lab.send("a", "up0", &frame);
        let evidence = lab.capture(link, || {
            migrate_between_calls(&lab, &guest, || {
                lab.send("b", link, &frame);
            });
        });
        let figures = Figures::of(&evidence, &evidence.migrations[0], 0);
        assert!(
            figures.stop_to_relearned.is_some(),
            "{link}: the fabric learned: {figures:?}"
        );
        assert_eq!(
            figures.stop_to_destination_learned, None,
            "{link}: the bridge did not"
        );
        let (requests, lost) = calls_since_stop(&evidence);
        assert!(requests > 50, "{link}: {requests} calls");
        assert_eq!(lost, requests, "{link}: calls that found no answer");

        // With the bridge's own entry put right, the same network delivers.
        lab.host(
            "b",
            &[
                "bridge",
                "fdb",
                "replace",
                &mac.to_string(),
                "dev",
                "vnet0",
                "master",
                "dynamic",
            ],
        );
        lab.host("peer", &["ping", "-c", "1", "-W", "1", &guest.address(0)]);
    }
}
