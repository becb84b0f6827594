use std::net::Ipv4Addr;

use super::{RESUME, Scene};
use crate::evidence::guest_mac;
use crate::oracle::retraction::unarp;
use crate::oracle::{Expect, Rule};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOST: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn expect() -> Expect {
    Expect {
        retracted: vec![(1, ADDRESS)],
        ..Expect::default()
    }
}

/// A whole migration whose source says `frame` by `port` so long after RESUME.
fn with(port: &'static str, after: f64, frame: Vec<u8>) -> Scene {
    let mut scene = Scene::whole();
    scene.port(port, RESUME + after, frame);
    scene
}

#[test]
fn an_address_that_is_retracted_once_by_the_source() {
    let scene = with("a-br0", 50.0, unarp(&HOST, ADDRESS));
    assert_eq!(scene.violations(&expect()), []);
}

#[test]
fn an_address_that_is_not_retracted_once() {
    let missing = ["guest 1, from a to b: 0 for 192.0.2.1"];
    Scene::whole().breaks_under(&expect(), Rule::RetractionMissing, &missing);
    let mut twice = with("a-br0", 50.0, unarp(&HOST, ADDRESS));
    twice.port("a-br0", RESUME + 60.0, unarp(&HOST, ADDRESS));
    twice.breaks_under(&expect(), Rule::RetractionMissing, &["2 for 192.0.2.1"]);
}

#[test]
fn a_retraction_before_the_guest_runs_or_by_another_or_of_other_octets() {
    let mut odd = unarp(&HOST, ADDRESS);
    odd[18 + 3] = 1;
    let as_guest = unarp(&guest_mac(0, 1).octets(), ADDRESS);
    for scene in [
        with("a-br0", -1.0, unarp(&HOST, ADDRESS)),
        with("b-br0", 50.0, unarp(&HOST, ADDRESS)),
        with("a-br0", 50.0, as_guest),
        with("a-br0", 50.0, odd),
    ] {
        scene.breaks_under(&expect(), Rule::RetractionMissing, &["0 for 192.0.2.1"]);
        scene.breaks_under(&expect(), Rule::RetractionAstray, &["br0.pcap frame"]);
    }
}

#[test]
fn a_retraction_where_there_should_be_none() {
    let scene = with("a-br0", 50.0, unarp(&HOST, ADDRESS));
    scene.breaks(Rule::RetractionAstray, &["port-a-br0.pcap frame 2"]);
    let other = with("a-br0", 50.0, unarp(&HOST, Ipv4Addr::new(192, 0, 2, 9)));
    other.breaks_under(
        &expect(),
        Rule::RetractionAstray,
        &["port-a-br0.pcap frame 2"],
    );
}

#[test]
fn a_retraction_of_a_guest_that_is_back() {
    assert_eq!(Scene::rolled_back().violations(&expect()), []);
    for port in ["a-br0", "b-br0"] {
        let mut scene = Scene::rolled_back();
        scene.port(port, RESUME + 50.0, unarp(&HOST, ADDRESS));
        scene.breaks_under(&expect(), Rule::RetractionAstray, &["br0.pcap frame"]);
    }
}
