//! What later libvirts and QEMUs say and do otherwise: `tests/run --full` tries it on those of
//! Debian's backports, and with it every failure again.

use macmoved::model::{Phase, Side};

use super::failures::{assert_told, history};
use super::{ROUNDS_OUT, agents, assert_kept, assert_learned};
use crate::evidence::Figures;
use crate::lab::{Guest, Lab, pause};
use crate::oracle::Expect;

/// The first libvirt that says it.
const LIBVIRT: u32 = 11;

/// libvirt's words for it.
const SHUTDOWN: &str = "Shutdown Finished after host request";

/// libvirt's own major version on a host.
fn libvirt(lab: &Lab, host: &str) -> u32 {
    let version = lab.host(host, &["virsh", "--version"]);
    let major = version.split('.').next().expect("a part");
    major.parse().expect("a number")
}

#[test]
#[ignore = "needs LAB_RELEASE=backports, as tests/run --full sets it"]
fn a_shutdown_at_the_source_of_a_migration_that_succeeds_is_no_other_end() {
    let lab = Lab::up("backports", 2);
    assert!(libvirt(&lab, "a") >= LIBVIRT, "this is an older libvirt");
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    agents(&lab, "", &[]);
    let evidence = lab.capture("migrations", || {
        for (from, to) in [("a", "b"), ("b", "a")] {
            lab.migrate(&guest, from, to, &[]);
            pause(ROUNDS_OUT);
        }
    });
    assert_kept(&evidence, &Expect::default());
    for migration in &evidence.migrations {
        assert_learned(&Figures::of(&evidence, migration, 0));
        let events = lab.host(&migration.from, &["cat", "/run/events.log"]);
        assert!(events.contains(SHUTDOWN), "{events}");
    }
    lab.host("peer", &["ping", "-c", "1", "-W", "1", &guest.address(0)]);
    assert_told(&lab, "a", &["destination completed", "source completed"]);
    assert_told(&lab, "b", &["source completed", "destination completed"]);
    // This libvirt keeps an arriving guest's XML back, and its frames stand ready all the same.
    for host in ["a", "b"] {
        let records = history(&lab, host).into_iter();
        for record in records.filter(|record| record.side == Side::Destination) {
            let first = record.phases.first().map(|step| step.phase);
            assert_eq!(first, Some(Phase::Staged), "{host}: {record:?}");
        }
    }
}
