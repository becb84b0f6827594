//! The guest's port as the frames find it: shut, without carrier, gone, or one that does not learn.

use macmoved::emit::{Route, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::SendFault;

use crate::world::{
    MAC, Rig, build, ears, entry, guest_talks_at_the_old_host, ip, isolated, peer_reaches_guest,
    plan, port_of, settings, settle, sh,
};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];

#[test]
fn a_port_that_does_not_pass_is_a_fault_and_no_frame_leaves() {
    isolated(
        "ports::a_port_that_does_not_pass_is_a_fault_and_no_frame_leaves",
        || {
            build();
            for route in ROUTES {
                let mut rig = Rig::staged(route);
                let mut ears = ears();
                let mut expect = |rig: &mut Rig, fault| {
                    rig.follow();
                    assert_eq!(rig.fire(Round::Scheduled(1)), Err(fault), "{route:?}");
                    for ear in &mut ears {
                        assert!(ear.heard_from(MAC).is_empty(), "{ear:?} {fault}");
                    }
                };
                sh("bridge link set dev vnet1 state 0");
                expect(&mut rig, SendFault::NotForwarding);
                sh("bridge link set dev vnet1 state 3");
                ip(&["link set guest1 down"]);
                expect(&mut rig, SendFault::NoCarrier);
                ip(&["link set guest1 up", "link set vnet1 down"]);
                expect(&mut rig, SendFault::NoCarrier);
                ip(&["link set vnet1 up"]);
                settle();
                ip(&["link set vnet1 nomaster"]);
                expect(&mut rig, SendFault::NoDevice);
                ip(&["link set vnet1 master br0"]);
                settle();
                rig.follow();
                assert_eq!(rig.fire(Round::Scheduled(1)), Ok(()));
            }
        },
    );
}

#[test]
fn the_kernels_own_refusals_have_their_names() {
    isolated("ports::the_kernels_own_refusals_have_their_names", || {
        build();
        for route in ROUTES {
            let mut rig = Rig::staged(route);
            // The emitter is not told, as between a change and its notification.
            let by_route = |injection, fdb| match route {
                RouteChoice::Injection | RouteChoice::Auto => injection,
                RouteChoice::Fdb => fdb,
            };
            sh("bridge link set dev vnet1 state 0");
            // Nobody can tell an injection that the bridge dropped from one that it took.
            guest_talks_at_the_old_host();
            let silent = by_route(Ok(()), Err(SendFault::NotForwarding));
            assert_eq!(rig.fire(Round::Scheduled(1)), silent);
            sh("bridge link set dev vnet1 state 3");

            ip(&["link set vnet1 down"]);
            let down = by_route(Err(SendFault::NetDown), Err(SendFault::NotForwarding));
            assert_eq!(rig.fire(Round::Scheduled(1)), down);
            ip(&["link set vnet1 up"]);
            settle();

            ip(&["link set br0 down"]);
            let fault = by_route(Ok(()), Err(SendFault::NotForwarding));
            assert_eq!(rig.fire(Round::Scheduled(1)), fault);
            ip(&["link set br0 up"]);
            settle();

            ip(&["link del vnet1"]);
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::NoDevice));
            rig.follow();
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::NoDevice));
            ip(&[
                "link add vnet1 type veth peer name guest1",
                "link set vnet1 master br0",
                "link set vnet1 up",
                "link set guest1 up",
            ]);
            settle();
            // The name is used again; what was staged was another device.
            rig.follow();
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::NoDevice));
        }
    });
}

#[test]
fn a_tap_that_nobody_holds_open_has_no_carrier() {
    isolated("ports::a_tap_that_nobody_holds_open_has_no_carrier", || {
        build();
        ip(&[
            "tuntap add dev vnet2 mode tap",
            "link set vnet2 master br0",
            "link set vnet2 up",
        ]);
        for route in ROUTES {
            let mut rig = Rig::new(settings(route));
            let prepared = rig.stage(&plan("vnet2"));
            assert_eq!(prepared.staging.frames.len(), 1);
            rig.emitter.insert(prepared);
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::NoCarrier));
        }
    });
}

#[test]
fn a_port_that_does_not_learn_gets_its_entry() {
    isolated("ports::a_port_that_does_not_learn_gets_its_entry", || {
        build();
        sh("bridge link set dev vnet1 learning off");
        for route in ROUTES {
            guest_talks_at_the_old_host();
            let mut rig = Rig::staged(route);
            let prepared = rig.emitter.prepared(crate::world::GUEST).unwrap();
            let way = match route {
                RouteChoice::Injection | RouteChoice::Auto => Route::EntryAndInjection,
                RouteChoice::Fdb => Route::EntryAndBridge,
            };
            assert!(prepared.frames().all(|(_, _, route)| route == way));
            // Before RESUME the entry is the manager's to make.
            let early = match route {
                RouteChoice::Injection | RouteChoice::Auto => Ok(()),
                RouteChoice::Fdb => Err(SendFault::Refused),
            };
            assert_eq!(rig.fire(Round::Early), early);
            settle();
            assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));

            rig.fire(Round::Scheduled(1)).unwrap();
            settle();
            let dynamic = ("vnet1".to_owned(), "master br0".to_owned());
            assert_eq!(entry("br0", MAC), Some(dynamic));
            assert!(peer_reaches_guest());
            sh(&format!("bridge fdb del {MAC} dev vnet1 master"));
        }
    });
}

#[test]
fn a_managers_static_entry_stays_static() {
    isolated("ports::a_managers_static_entry_stays_static", || {
        build();
        // As libvirt does it for macTableManager='libvirt'.
        sh("bridge link set dev vnet1 learning off flood off");
        for route in ROUTES {
            sh(&format!("bridge fdb add {MAC} dev vnet1 master static"));
            let mut rig = Rig::staged(route);
            rig.fire(Round::Scheduled(1)).unwrap();
            settle();
            let fixed = ("vnet1".to_owned(), "master br0 static".to_owned());
            assert_eq!(entry("br0", MAC), Some(fixed));
            assert!(peer_reaches_guest());
            sh(&format!("bridge fdb del {MAC} dev vnet1 master"));
        }
    });
}

#[test]
fn a_sticky_entry_elsewhere_is_not_taken_for_success() {
    isolated(
        "ports::a_sticky_entry_elsewhere_is_not_taken_for_success",
        || {
            build();
            sh(&format!(
                "bridge fdb add {MAC} dev up0 master dynamic sticky"
            ));
            let mut rig = Rig::staged(RouteChoice::Fdb);
            assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::Refused));
            assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));
        },
    );
}
