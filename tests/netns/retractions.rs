//! What the source says of a guest that has left: its own frames, after the tap is gone.

use macmoved::emit::{EmitSettings, RouteChoice};
use macmoved::engine::Round;
use macmoved::model::{HostIpv4, MacAddr, SendFault};
use macmoved::wire::Frame;

use crate::world::{
    Ear, MAC, Rig, build, guest_talks_at_the_old_host, isolated, plan, port_of, settings, sh,
};

/// The address of br0, which takes its lowest port's.
pub(crate) const HOST: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x01]);
const UPLINK: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x02]);

pub(crate) fn address() -> HostIpv4 {
    "192.0.2.7".parse().unwrap()
}

/// The guest has left this host for the old one, and its tap is gone.
fn guest_left() -> Rig {
    sh(&format!("ip link set br0 address {HOST}"));
    sh(&format!("ip link set up0 address {UPLINK}"));
    departed(settings(RouteChoice::Auto))
}

fn departed(settings: EmitSettings) -> Rig {
    let mut rig = Rig::new(settings);
    let prepared = rig.stage(&plan("vnet1"));
    rig.emitter.insert(prepared);
    sh("ip link del vnet1");
    rig.follow();
    guest_talks_at_the_old_host();
    rig
}

/// What the ear heard from the host, but for the kernel's own words.
pub(crate) fn unarps(ear: &mut Ear) -> Vec<Vec<u8>> {
    let mut heard = ear.heard_from(HOST);
    heard.retain(|frame| frame.get(12..14) == Some(&[0x08, 0x06]));
    heard
}

fn retract(rig: &mut Rig) -> Result<(), SendFault> {
    rig.fire(Round::Retraction(address()))
}

#[test]
fn everybody_on_the_network_hears_once_that_an_address_has_left_and_no_switch_is_misled() {
    isolated(
        "retractions::everybody_on_the_network_hears_once_that_an_address_has_left_and_no_switch_is_misled",
        || {
            build();
            let mut rig = guest_left();
            let mut ears: Vec<Ear> = ["old", "peer", "guest9"].map(Ear::at).into();
            let mut uplink = Ear::at("up0");
            assert_eq!(retract(&mut rig), Ok(()));
            let octets = Frame::unarp(HOST, address(), None).to_vec();
            for ear in &mut ears {
                assert_eq!(unarps(ear), std::slice::from_ref(&octets), "{ear:?}");
                assert!(ear.heard_from(MAC).is_empty(), "{ear:?}");
            }
            assert_eq!(unarps(&mut uplink).len(), 1);
            assert_eq!(port_of("fabric", MAC).as_deref(), Some("p-old"));
            assert_eq!(port_of("br0", MAC).as_deref(), Some("up0"));
        },
    );
}

#[test]
fn brakes_hold_retractions_too() {
    isolated("retractions::brakes_hold_retractions_too", || {
        build();
        let mut rig = guest_left();
        let mut ears: Vec<Ear> = ["old", "peer", "guest9", "up0", "br0"].map(Ear::at).into();
        rig.emitter.brake().set_paused(true);
        assert_eq!(retract(&mut rig), Err(SendFault::Paused));
        rig.emitter.brake().set_paused(false);
        rig.emitter.brake().enter_safe_mode();
        assert_eq!(retract(&mut rig), Err(SendFault::Limited));
        rig.emitter.brake().leave_safe_mode();
        rig.emitter.set_dry_run(true);
        assert_eq!(retract(&mut rig), Ok(()));
        for ear in &mut ears {
            assert!(unarps(ear).is_empty(), "{ear:?}");
        }
        rig.emitter.set_dry_run(false);
        let sent = (0..50).filter(|_| retract(&mut rig).is_ok()).count();
        // The dry run's frame counts: it shows what would have been sent.
        assert_eq!(sent, 39, "the limit of one kind of frame about one station");
        assert_eq!(unarps(&mut ears[1]).len(), 39);
    });
}

#[test]
fn a_bridge_that_is_gone_or_another_hears_nothing() {
    isolated(
        "retractions::a_bridge_that_is_gone_or_another_hears_nothing",
        || {
            build();
            let mut rig = guest_left();
            let number = crate::world::index("br0");
            let mut ears: Vec<Ear> = ["peer", "guest9"].map(Ear::at).into();
            sh("ip link del br0");
            rig.follow();
            assert_eq!(retract(&mut rig), Err(SendFault::NoDevice));
            // The number is used again, by a bridge of somebody else.
            sh(&format!("ip link add other index {number} type bridge"));
            sh(
                "ip link set guest9 down && ip link set vnet9 master other && ip link set guest9 up",
            );
            sh("ip link set other up");
            rig.follow();
            assert_eq!(retract(&mut rig), Err(SendFault::NoDevice));
            for ear in &mut ears {
                assert!(unarps(ear).is_empty(), "{ear:?}");
            }
        },
    );
}
