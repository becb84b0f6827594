//! macmovectl as an operator runs it: exit statuses, JSON, and input that means harm.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

#[path = "cli/hooks.rs"]
mod hooks;
#[path = "cli/hostile.rs"]
mod hostile;

const MACMOVECTL: &str = env!("CARGO_BIN_EXE_macmovectl");

fn run(arguments: &[&str]) -> Output {
    Command::new(MACMOVECTL).args(arguments).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("ended by a signal")
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

/// `plan --xml -` with `arguments` and this input.
fn plan(xml: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(MACMOVECTL)
        .args(["plan", "--xml", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(xml.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

fn plan_json(xml: &str) -> Value {
    let output = plan(xml, &["--json"]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_plan_has_one_entry_per_interface_in_the_xmls_own_words() {
    let plan = plan_json(
        "<domain type='kvm'><name>web</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>\
         <devices><interface type='bridge'><mac address='52:54:00:AA:BB:01'/>\
         <source bridge='br0'/><vlan><tag id='42'/></vlan><target dev='vnet0'/>\
         <model type='virtio'/></interface>\
         <interface type='direct'><mac address='52:54:00:AA:BB:02'/>\
         <source dev='eth0' mode='bridge'/></interface>\
         <interface type='bridge'><mac address='00:00:00:00:00:00'/><source bridge='br0'/>\
         </interface><interface/></devices></domain>",
    );
    assert_eq!(
        plan,
        json!({
            "guest": {"name": "web", "uuid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"},
            "nics": [
                {"mac": "52:54:00:aa:bb:01", "type": "bridge", "source": "br0",
                 "target": "vnet0", "model": "virtio", "vlans": [42], "announceable": true,
                 "reason": null},
                {"mac": "52:54:00:aa:bb:02", "type": "direct", "source": "eth0",
                 "target": null, "model": null, "vlans": [], "announceable": false,
                 "reason": "a macvtap device is not announced by this version"},
                {"mac": "00:00:00:00:00:00", "type": "bridge", "source": "br0",
                 "target": null, "model": null, "vlans": [], "announceable": false,
                 "reason": "the MAC address is all zeroes"},
                {"mac": null, "type": null, "source": null, "target": null, "model": null,
                 "vlans": [], "announceable": false,
                 "reason": "the interface has no MAC address"},
            ],
        })
    );
    assert_eq!(
        plan_json("<domain/>"),
        json!({"guest": {"name": null, "uuid": null}, "nics": []})
    );
}

#[test]
fn a_plan_for_people_has_the_frame_that_would_leave() {
    let output = plan(
        "<domain><name>web</name><devices><interface type='bridge'>\
         <mac address='52:54:00:aa:bb:01'/><source bridge='br0'/></interface></devices></domain>",
        &[],
    );
    assert_eq!(status(&output), 0);
    let text = text(&output.stdout);
    assert!(text.starts_with("guest web (without a UUID)\n"), "{text}");
    assert!(text.contains("Reverse Request who-is 52:54:00:aa:bb:01 tell 52:54:00:aa:bb:01\n"));
    assert!(text.contains("ff ff ff ff ff ff 52 54 00 aa bb 01 80 35 00 01\n"));
}

#[test]
fn strange_names_come_through_whole_and_touch_no_terminal() {
    let names = [
        "it's \"quoted\"".to_owned(),
        "tab\tand {braces} and $(sh) and `sh`".to_owned(),
        "\u{202e}evil\u{202c}\u{2066}\u{200b}\u{feff}".to_owned(),
        "c1 \u{9b}31m \u{85} \u{7f} end".to_owned(),
        "名前-ñ-😀".to_owned(),
        "x".repeat(200),
        "\u{e0041}".repeat(200),
    ];
    for name in names {
        let quoted = name
            .replace('&', "&amp;")
            .replace('\'', "&apos;")
            .replace('\t', "&#9;");
        let xml = format!(
            "<domain><name>{quoted}</name><devices><interface type='bridge'>\
             <source bridge='{quoted}'/><target dev='{quoted}'/><model type='{quoted}'/>\
             </interface></devices></domain>"
        );
        let plan = plan_json(&xml);
        assert_eq!(plan["guest"]["name"], name);
        for key in ["source", "target", "model"] {
            assert_eq!(plan["nics"][0][key], name);
        }
        for arguments in [&["--json"][..], &[]] {
            let output = terminal_control(&self::plan(&xml, arguments).stdout);
            assert!(output.is_none(), "{name:?} shows as {output:?}");
        }
    }
}

/// The first character of an output that could change a terminal's state.
fn terminal_control(output: &[u8]) -> Option<char> {
    let mut characters = text(output).chars();
    characters
        .find(|&it| !matches!(it, '\n' | '"' | '\\') && macmoved::model::is_unsafe_in_text(it))
}

#[test]
fn a_file_that_cannot_be_read_is_no_input() {
    for file in ["/nonexistent/guest.xml", "/"] {
        let output = run(&["plan", "--xml", file]);
        assert_eq!(status(&output), 66);
        let message = text(&output.stderr);
        assert!(
            message.starts_with(&format!("macmovectl: cannot read {file}: ")),
            "{message}"
        );
    }
}

#[test]
fn usage_is_64_and_says_what_is_wrong() {
    let refused = |arguments: &[&str], word: &str| {
        let output = run(arguments);
        assert_eq!(status(&output), 64, "{arguments:?}");
        assert!(output.stdout.is_empty());
        let message = text(&output.stderr);
        assert!(message.contains(word), "{arguments:?}: {message}");
    };
    refused(&[], "Usage");
    refused(&["annouce"], "annouce");
    refused(&["plan"], "--xml");
    refused(&["plan", "web", "--xml", "-"], "--xml");
    refused(&["history", "--limit", "0"], "limit");
    refused(&["frame", "rarp", "52:54:00:12:34"], "six pairs");
    refused(&["frame", "rarp", "01:00:5e:00:00:01"], "multicast");
    refused(&["frame", "rarp", "ff:ff:ff:ff:ff:ff"], "broadcast");
    refused(&["frame", "rarp", "00:00:00:00:00:00"], "zero");
    refused(
        &["frame", "rarp", "52:54:00:12:34:56", "--vlan", "0"],
        "1 to 4094",
    );
    refused(
        &["frame", "rarp", "52:54:00:12:34:56", "--vlan", "4095"],
        "1 to 4094",
    );
    refused(
        &["frame", "garp", "52:54:00:12:34:56", "0.0.0.0"],
        "no host's",
    );
    refused(
        &["frame", "garp", "52:54:00:12:34:56", "224.0.0.1"],
        "multicast",
    );
    refused(&["frame", "unarp", "192.0.2.7"], "--source");
    refused(&["pause", "--for", "hour"], "such as 1h");
    refused(&["pause", "--for", "31d"], "30days");
    refused(&["pause", "1h"], "1h");
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["help", "frame"], &["plan", "-h"]] {
        let output = run(arguments);
        assert_eq!(status(&output), 0);
        assert!(text(&output.stdout).contains("Usage: macmovectl"));
    }
    let output = run(&["--version"]);
    let version = format!("macmovectl {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (status(&output), text(&output.stdout)),
        (0, version.as_str())
    );
}

#[test]
fn the_tool_runs_without_libvirt() {
    let output = Command::new("ldd").arg(MACMOVECTL).output().unwrap();
    let libraries = text(&output.stdout);
    assert!(libraries.contains("libc.so"), "{libraries}");
    assert!(!libraries.contains("virt"), "{libraries}");
}

#[test]
fn frames_are_explained_and_written() {
    let output = run(&[
        "frame",
        "unarp",
        "--source",
        "02:00:00:00:00:01",
        "10.0.0.7",
        "--json",
    ]);
    let frame: Value = serde_json::from_slice(&output.stdout).unwrap();
    let octets = format!(
        "ffffffffffff020000000001080600010800000400020a000007ffffffff{}",
        "00".repeat(30)
    );
    assert_eq!(frame["octets"], octets);
    assert_eq!(frame["length"], 60);
    let output = run(&[
        "frame",
        "garp",
        "52:54:00:12:34:56",
        "192.0.2.7",
        "--vlan",
        "7",
    ]);
    let shown = text(&output.stdout);
    assert!(shown.contains("vlan 7, p 0, ethertype ARP (0x0806), Announcement 192.0.2.7"));
    assert!(shown.contains("  36  00 00 00 00 00 00        target MAC 00:00:00:00:00:00\n"));
    let output = run(&[
        "frame",
        "rarp",
        "52:54:00:12:34:56",
        "--pcap",
        "/nonexistent/x.pcap",
    ]);
    assert_eq!(status(&output), 74);
    assert!(text(&output.stderr).contains("/nonexistent/x.pcap"));
}

#[test]
fn questions_without_an_agent_are_unavailable_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("control.sock");
    let dead = directory.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let ask = |socket: &Path, command: &[&str]| {
        let socket = ["--socket", socket.to_str().unwrap()];
        let output = run(&[command, &socket].concat());
        assert_eq!(status(&output), 69, "{command:?}");
        assert!(output.stdout.is_empty());
        let message = text(&output.stderr).to_owned();
        assert!(message.contains("macmoved is not running"), "{message}");
        assert!(message.contains("systemctl status macmoved"), "{message}");
    };
    for command in [
        &["status"][..],
        &["guests", "--json"],
        &["history"],
        &["plan", "web"],
        &["pause"],
        &["pause", "--for", "1h", "--json"],
        &["resume"],
    ] {
        ask(&missing, command);
        ask(&dead, command);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let interfaces = "<interface/>".repeat(10_000);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("guest.xml");
    let xml = format!("<domain><devices>{interfaces}</devices></domain>");
    std::fs::write(&file, xml).unwrap();
    for arguments in [&["plan", "--xml"][..], &["plan", "--json", "--xml"]] {
        let mut child = Command::new(MACMOVECTL)
            .args(arguments)
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((status(&output), text(&output.stderr)), (0, ""));
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for arguments in [&["frame", "rarp", "52:54:00:12:34:56"][..], &["--help"]] {
        let output = Command::new(MACMOVECTL)
            .args(arguments)
            .stdout(full())
            .output()
            .unwrap();
        assert_eq!(status(&output), 74, "{arguments:?}");
    }
}
