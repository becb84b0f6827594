//! Announcements.

use macmoved::emit::{EmitSettings, Route, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::{Refusal, SendFault};
use macmoved::wire::Frame;

use crate::world::{
    Ear, MAC, Rig, build, ears, guest_talks_at_the_old_host, ip, isolated, isolated_under, name,
    peer_reaches_guest, plan, plan_of, port_of, send, settings, settle, sh,
};

const ROUTES: [RouteChoice; 2] = [RouteChoice::Injection, RouteChoice::Fdb];

#[test]
fn both_routes_teach_the_own_bridge_and_the_fabric() {
    isolated(
        "emit::both_routes_teach_the_own_bridge_and_the_fabric",
        || {
            build();
            for route in ROUTES {
                guest_talks_at_the_old_host();
                assert!(!peer_reaches_guest());
                let mut rig = Rig::staged(route);
                let (mut peer, mut neighbour) = (Ear::at("peer"), Ear::at("guest9"));
                let mut itself = Ear::at("guest1");

                rig.fire(Round::Scheduled(1)).unwrap();

                let octets = Frame::rarp(MAC, None).to_vec();
                assert_eq!(peer.heard_from(MAC), std::slice::from_ref(&octets));
                assert_eq!(neighbour.heard_from(MAC), std::slice::from_ref(&octets));
                // Out of the bridge device, the guest hears its own announcement, too.
                let own = itself.heard_from(MAC);
                assert_eq!(own, vec![octets; usize::from(route == RouteChoice::Fdb)]);
                assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
                assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
                assert!(peer_reaches_guest());
            }
        },
    );
}

#[test]
fn guests_that_arrive_together_are_all_staged() {
    isolated("emit::guests_that_arrive_together_are_all_staged", || {
        build();
        // Links enough for a dump of several datagrams, so that one meets another under way.
        let links: Vec<_> = (0..40)
            .map(|number| format!("link add more{number} type bridge"))
            .collect();
        ip(&links.iter().map(String::as_str).collect::<Vec<_>>());
        let rig = Rig::new(settings(RouteChoice::Injection));
        for prepared in rig.stage_at_once(&plan("vnet1"), 20) {
            assert_eq!(prepared.staging.refused, []);
        }
    });
}

#[test]
fn a_frame_from_the_bridge_or_uplink_alone_cuts_the_guest_off() {
    isolated(
        "emit::a_frame_from_the_bridge_or_uplink_alone_cuts_the_guest_off",
        || {
            build();
            for link in ["br0", "up0"] {
                guest_talks_at_the_old_host();
                send(link, &Frame::rarp(MAC, None).to_vec());
                settle();
                // The fabric sends to this host, whose bridge would send back and so drops.
                assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
                assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));
                assert!(!peer_reaches_guest());
            }
            guest_talks_at_the_old_host();
            send("vnet1", &Frame::rarp(MAC, None).to_vec());
            settle();
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-old"));
        },
    );
}

#[test]
fn a_dry_run_sends_nothing_anywhere() {
    isolated("emit::a_dry_run_sends_nothing_anywhere", || {
        build();
        guest_talks_at_the_old_host();
        for route in ROUTES {
            let mut rig = Rig::new(EmitSettings {
                dry_run: true,
                ..settings(route)
            });
            let prepared = rig.stage(&plan("vnet1"));
            rig.emitter.insert(prepared);
            let mut ears = ears();
            assert_eq!(rig.fire(Round::Scheduled(1)), Ok(()));
            for ear in &mut ears {
                assert!(ear.heard_from(MAC).is_empty(), "{ear:?}");
            }
            assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));
        }
    });
}

#[test]
fn firing_allocates_nothing() {
    isolated("emit::firing_allocates_nothing", || {
        build();
        for route in ROUTES {
            for learning in ["on", "off"] {
                sh(&format!("bridge link set dev vnet1 learning {learning}"));
                let mut rig = Rig::staged(route);
                let mut outcome = Err(SendFault::Other);
                let spent = allocation_counter::measure(|| {
                    outcome = rig.fire(Round::Scheduled(1));
                });
                assert_eq!(outcome, Ok(()));
                assert_eq!(spent.count_total, 0, "{route:?}, learning {learning}");
                // Nor does a fault.
                ip(&["link set br0 down", "link set vnet1 down"]);
                let spent = allocation_counter::measure(|| {
                    outcome = rig.fire(Round::Scheduled(1));
                });
                assert!(outcome.is_err());
                assert_eq!(
                    spent.count_total, 0,
                    "{route:?}, learning {learning}, {outcome:?}"
                );
                ip(&["link set br0 up", "link set vnet1 up"]);
                settle();
            }
        }
    });
}

#[test]
fn the_limiter_holds_whatever_is_asked() {
    isolated("emit::the_limiter_holds_whatever_is_asked", || {
        build();
        let mut rig = Rig::staged(RouteChoice::Auto);
        let mut peer = Ear::at("peer");
        let sent = (0..100)
            .filter(|_| rig.fire(Round::Scheduled(2)).is_ok())
            .count();
        assert_eq!(sent, 40);
        assert_eq!(peer.heard_from(MAC).len(), 40);
        assert!(rig.emitter.brake().safe_mode());
        // Staging anew does not loosen it, nor does leaving safe mode.
        let prepared = rig.stage(&plan("vnet1"));
        rig.emitter.insert(prepared);
        rig.emitter.brake().leave_safe_mode();
        assert_eq!(rig.fire(Round::Scheduled(1)), Err(SendFault::Limited));
        assert!(rig.emitter.brake().safe_mode());
    });
}

#[test]
fn what_is_not_staged_is_not_sent() {
    isolated("emit::what_is_not_staged_is_not_sent", || {
        build();
        let mut rig = Rig::staged(RouteChoice::Auto);
        let now = macmoved::sys::clock::now();
        let mut ticket = crate::world::ticket(Round::Scheduled(1));
        ticket.generation = 2;
        assert_eq!(rig.emitter.fire(&ticket, now), Err(SendFault::NotStaged));
        ticket.generation = 1;
        ticket.frame = 1;
        assert_eq!(rig.emitter.fire(&ticket, now), Err(SendFault::NotStaged));
        ticket.frame = 0;
        assert_eq!(rig.emitter.fire(&ticket, now), Ok(()));
        rig.emitter.remove(crate::world::GUEST);
        assert_eq!(rig.emitter.fire(&ticket, now), Err(SendFault::NotStaged));
    });
}

#[test]
fn staging_refuses_in_words() {
    isolated("emit::staging_refuses_in_words", || {
        build();
        ip(&["tuntap add dev vnet2 mode tap", "link set vnet2 master br0"]);
        ip(&["tuntap add dev vnet3 mode tap"]);
        sh("bridge link set dev vnet9 locked on");
        let guest1 = sh("cat /proc/net/dev >/dev/null; ip -o link show guest1");
        let address = guest1.split("link/ether ").nth(1).unwrap();
        let host_mac = address.split(' ').next().unwrap().parse().unwrap();
        let rig = Rig::new(EmitSettings::default());
        let plan = plan_of(&[
            (MAC, "vnet1"),
            (MAC, "vnet2"),
            (MAC, "vnet3"),
            (MAC, "vnet4"),
            (MAC, "vnet9"),
            (host_mac, "vnet1"),
        ]);
        let prepared = rig.stage(&plan);
        assert_eq!(
            prepared.staging.refused,
            [
                (1, Refusal::DuplicateMac),
                (2, Refusal::NotEnslaved(name("vnet3"))),
                (3, Refusal::LinkMissing(name("vnet4"))),
                (4, Refusal::LockedPort(name("vnet9"))),
                (5, Refusal::MacOfHostLink(name("guest1"))),
            ]
        );
        let [place] = prepared.places() else {
            panic!("{:?}", prepared.places());
        };
        assert_eq!(place.bridge, name("br0"));
        // The planned ports and taps are no uplinks.
        assert_eq!(place.uplinks, [name("up0")]);
        assert_eq!(prepared.staging.frames[0].uplinks.len(), 1);
    });
}

#[test]
fn without_cap_bpf_the_bridge_device_stands_in() {
    let caps = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--"];
    isolated_under(
        "emit::without_cap_bpf_the_bridge_device_stands_in",
        &caps,
        || {
            build();
            guest_talks_at_the_old_host();
            let mut rig = Rig::staged(RouteChoice::Auto);
            assert_eq!(rig.emitter.route(), Route::EntryAndBridge);
            rig.fire(Round::Scheduled(1)).unwrap();
            settle();
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
            assert!(peer_reaches_guest());
        },
    );
}

#[test]
fn cap_bpf_and_cap_net_admin_suffice_to_inject() {
    let caps = ["setpriv", "--bounding-set=-all,+net_admin,+bpf", "--"];
    isolated_under(
        "emit::cap_bpf_and_cap_net_admin_suffice_to_inject",
        &caps,
        || {
            build();
            let mut rig = Rig::staged(RouteChoice::Auto);
            assert_eq!(rig.emitter.route(), Route::Injection);
            rig.fire(Round::Scheduled(1)).unwrap();
            settle();
            assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
        },
    );
}

#[test]
fn an_injection_that_is_refused_goes_by_the_bridge_device() {
    isolated(
        "emit::an_injection_that_is_refused_goes_by_the_bridge_device",
        || {
            build();
            guest_talks_at_the_old_host();
            let injecting = Rig::staged(RouteChoice::Injection);
            // Staged for injection, fired where that is not to be had.
            let mut rig = Rig::new(settings(RouteChoice::Fdb));
            rig.emitter.insert(injecting.stage(&plan("vnet1")));
            let prepared = rig.emitter.prepared(crate::world::GUEST).unwrap();
            assert!(
                prepared
                    .frames()
                    .all(|(_, _, route)| route == Route::Injection)
            );
            rig.fire(Round::Scheduled(1)).unwrap();
            settle();
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-up"));
            assert!(peer_reaches_guest());
        },
    );
}

#[test]
fn a_guest_behind_an_uplink_is_noticed_where_it_is_staged() {
    isolated(
        "emit::a_guest_behind_an_uplink_is_noticed_where_it_is_staged",
        || {
            build();
            let behind_uplink = || {
                let mut rig = Rig::new(settings(RouteChoice::Injection));
                let mut prepared = rig.stage(&plan("vnet1"));
                rig.emitter.locate(&mut prepared);
                prepared.staging.frames[0].behind_uplink
            };
            assert!(!behind_uplink(), "nobody knows the address");
            guest_talks_at_the_old_host();
            assert!(behind_uplink(), "the bridge has it behind up0");
            send(
                "guest1",
                &crate::world::probe(MAC, macmoved::model::MacAddr::BROADCAST),
            );
            settle();
            assert_eq!(port_of("br0", MAC).as_deref(), Some("vnet1"));
            assert!(!behind_uplink(), "the bridge has it on its own port");
        },
    );
}
