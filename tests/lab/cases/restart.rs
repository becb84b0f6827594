//! What comes and goes beside the guests.

use super::{ROUNDS_OUT, agents, assert_kept, assert_learned};
use crate::evidence::Figures;
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

#[test]
fn an_agent_that_starts_beside_running_guests_sends_nothing() {
    let lab = Lab::up("start", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    let evidence = lab.capture("start", || {
        agents(&lab, "", &[]);
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::silence());
}

#[test]
fn after_libvirtd_was_killed_the_next_migration_is_announced_whole() {
    let lab = Lab::up("libvirtd", 2);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    for host in ["a", "b"] {
        lab.run("libvirtd", &[host, "kill"]);
        lab.run("libvirtd", &[host, "start"]);
        lab.wait_for_agent(host);
    }
    let evidence = lab.capture("migration", || {
        lab.migrate(&guest, "a", "b", &[]);
        pause(ROUNDS_OUT);
    });
    assert_kept(&evidence, &Expect::default());
    assert_learned(&Figures::of(&evidence, &evidence.migrations[0], 0));
}
