//! What frames leave behind in bridges that know VLANs.

use macmoved::emit::RouteChoice;
use macmoved::engine::Round;

use crate::leftovers::{ledger, record, settle_up, shown};
use crate::world::{MAC, Rig, build, ip, isolated, settle, sh};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];

#[test]
fn a_static_copy_in_a_vlan_keeps_what_cannot_be_named_without_it() {
    isolated(
        "leftovers_vlans::a_static_copy_in_a_vlan_keeps_what_cannot_be_named_without_it",
        || {
            build();
            let directory = tempfile::tempdir().unwrap();
            let mut ledger = ledger(directory.path());
            let mut rig = Rig::staged(RouteChoice::Fdb);
            record(&mut ledger, &rig);
            rig.fire(Round::Scheduled(1)).unwrap();
            sh(&format!(
                "bridge fdb replace {MAC} dev vnet1 master static vlan 1"
            ));
            assert_eq!(settle_up(ledger, false), 0);
            let left = shown("br br0");
            let fixed = |line: &String| line.contains("vlan 1 master br0 static");
            assert_eq!(
                left.iter().filter(|line| fixed(line)).count(),
                1,
                "{left:?}"
            );
            assert_eq!(left.len(), 2, "{left:?}");
        },
    );
}

#[test]
fn on_a_filtering_bridge_it_is_the_vlans_own() {
    isolated(
        "leftovers_vlans::on_a_filtering_bridge_it_is_the_vlans_own",
        || {
            build();
            ip(&["link set br0 type bridge vlan_filtering 1"]);
            sh("bridge vlan add dev vnet1 vid 10");
            sh("bridge vlan add dev up0 vid 10");
            sh("bridge vlan add dev br0 vid 10 self");
            let directory = tempfile::tempdir().unwrap();
            for route in ROUTES {
                let mut ledger = ledger(directory.path());
                let mut rig = Rig::staged(route);
                record(&mut ledger, &rig);
                // A VLAN that the port is not announced in.
                sh("bridge vlan add dev vnet1 vid 20");
                sh(&format!(
                    "bridge fdb replace {MAC} dev vnet1 master dynamic vlan 20"
                ));
                for frame in [0, 1] {
                    let mut ticket = crate::world::ticket(Round::Scheduled(1));
                    ticket.frame = frame;
                    let now = macmoved::sys::clock::now();
                    rig.emitter.fire(&ticket, now).unwrap();
                }
                settle();
                assert_eq!(settle_up(ledger, false), 2, "{route:?}");
                let left = shown("br br0");
                assert_eq!(left.len(), 1, "{left:?}");
                assert!(left[0].contains("vlan 20"), "{left:?}");
                sh(&format!("bridge fdb del {MAC} dev vnet1 master vlan 20"));
                sh("bridge vlan del dev vnet1 vid 20");
            }
        },
    );
}
