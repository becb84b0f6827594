//! Addresses that the DHCP server of libvirt's own network gave.

use macmoved::model::MacAddr;
use macmoved::wire::Frame;
use serde_json::Value;

use crate::lab::{Guest, Lab, pause};

/// A network with a DHCP server and no way out: what libvirt calls open needs no firewall.
const NETWORK: &str = "<network><name>leases</name><forward mode='open'/>\
    <bridge name='virbr7' stp='off' delay='0'/><ip address='10.113.7.1' netmask='255.255.255.0'>\
    <dhcp><range start='10.113.7.50' end='10.113.7.60'/></dhcp></ip></network>";

/// The guest's second NIC, in that network.
const MAC: &str = "52:54:00:4d:01:01";

/// Another station in it.
const STRANGER: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x77]);

/// The addresses of the second NIC, as people see them.
fn addresses(lab: &Lab) -> Vec<Value> {
    let guests: Value = serde_json::from_str(&lab.ctl("a", &["--json", "guests"])).expect("JSON");
    let addresses = guests[0]["addresses"].as_array().expect("a list").clone();
    let of_nic = addresses.into_iter().filter(|it| it["mac"] == MAC);
    of_nic.collect()
}

/// The same once there is one that stands so.
fn wait_for(lab: &Lab, standing: &str) -> Value {
    for _ in 0..600 {
        let mut found = addresses(lab).into_iter();
        if let Some(address) = found.find(|it| it["standing"] == standing) {
            return address;
        }
        pause(100);
    }
    panic!("none is {standing}: {:?}", addresses(lab));
}

/// How many addresses of the second NIC would be retracted.
fn retractions(lab: &Lab, guest: &Guest) -> usize {
    let plan = lab.ctl("a", &["--json", "plan", guest.name()]);
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    let retractions = plan["nics"][1]["retractions"].as_array();
    retractions.expect("a list").len()
}

#[test]
fn a_lease_of_libvirts_own_network_is_known_and_contested_like_any_other() {
    let lab = Lab::up("leases", 1);
    let guest = Guest::silent(1);
    lab.start(&guest, "a");
    let sh = |script: &str| lab.host("a", &["sh", "-c", script]);
    sh(&format!(
        "echo \"{NETWORK}\" | virsh --quiet net-create /dev/stdin"
    ));
    sh(&format!(
        "virsh --quiet attach-interface {} network leases --mac {MAC} --model virtio --live",
        guest.name()
    ));
    // In the guest's stead, and with its address.
    sh(&format!(
        "ip link add asks address {MAC} type veth peer name asked && ip link set asked master \
         virbr7 up && ip link set asks up && busybox udhcpc -q -n -i asks -s /bin/true 2>&1 && \
         ip link delete asks"
    ));
    let leases = sh("virsh net-dhcp-leases leases");
    let ip = leases
        .split_whitespace()
        .find_map(|word| word.strip_suffix("/24"));
    let ip = ip.unwrap_or_else(|| panic!("no lease: {leases}"));

    lab.agent("a", "", &[]);
    let held = wait_for(&lab, "held");
    assert_eq!(
        (&held["ip"], &held["source"]),
        (&ip.into(), &"lease".into())
    );
    assert_eq!(retractions(&lab, &guest), 1);

    sh(
        "ip link add peer0 type veth peer name peer1 && ip link set peer1 master virbr7 up && \
        ip link set peer0 up",
    );
    pause(200);
    let ip = ip.parse().expect("an address");
    lab.send("a", "peer0", &Frame::garp(STRANGER, ip, None).to_vec());
    let contested = wait_for(&lab, "contested");
    assert_eq!(contested["by"], "02:00:00:00:00:77");
    assert_eq!(retractions(&lab, &guest), 0);
    assert!(lab.ctl("a", &["status"]).contains("addresses: 1 contested"));
}
