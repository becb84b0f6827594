//! Domain XML that means harm, against the real binary under a limit of memory.

use std::time::{Duration, Instant};

use super::*;

/// KiB of address space, of which what is resident is a part.
const MEMORY: &str = "65536";

/// An unoptimised build on a busy machine is given more than the second that a release takes.
const PATIENCE: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(10)
} else {
    Duration::from_secs(1)
};

/// Runs `plan --xml` under the limits, and gives the exit status after checking what every input
/// is owed: an answer or a short complaint.
fn limited(what: &str, xml: &[u8]) -> i32 {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("guest.xml");
    std::fs::write(&file, xml).unwrap();
    let mut statuses = Vec::new();
    for json in [&["--json"][..], &[]] {
        let start = Instant::now();
        let output = Command::new("sh")
            .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY])
            .args([MACMOVECTL, "plan", "--xml"])
            .arg(&file)
            .args(json)
            .output()
            .unwrap();
        let took = start.elapsed();
        assert!(took < PATIENCE, "{what} took {took:?}");
        let message = text(&output.stderr);
        match output.status.code() {
            Some(0) => assert!(message.is_empty() && !output.stdout.is_empty(), "{what}"),
            Some(65) => {
                assert!(output.stdout.is_empty(), "{what}");
                assert!(
                    message.starts_with("macmovectl: cannot read "),
                    "{what}: {message}"
                );
                assert_eq!(message.lines().count(), 1, "{what}: {message}");
                assert!(message.len() < 2_000, "{what}: {message}");
            }
            other => panic!("{what} ended with {other:?}: {message}"),
        }
        assert_eq!(terminal_control(&output.stdout), None, "{what}");
        statuses.push(output.status.code().unwrap());
    }
    assert_eq!(statuses.first(), statuses.last(), "{what}");
    statuses[0]
}

fn refused(what: &str, xml: impl AsRef<[u8]>) {
    assert_eq!(limited(what, xml.as_ref()), 65, "{what}");
}

fn answered(what: &str, xml: impl AsRef<[u8]>) {
    assert_eq!(limited(what, xml.as_ref()), 0, "{what}");
}

/// A document of `length` octets with as much of `unit` as fits between `start` and `end`.
fn filled(length: usize, start: &str, unit: &str, end: &str) -> String {
    let room = length - start.len() - end.len();
    format!("{start}{}{end}", unit.repeat(room / unit.len()))
}

const MIB: usize = 1 << 20;

#[test]
fn what_is_no_domain_is_refused() {
    refused("an empty file", "");
    refused("white space", " \n");
    refused("no XML", "guest: web\n");
    refused("JSON", "{\"name\": \"web\"}");
    refused("another root", "<network><name>default</name></network>");
    refused("a saved state", "<domstatus><domain/></domstatus>");
    refused("an end too few", "<domain><devices></domain>");
    refused("octets", [0xff, 0xfe, 0x00]);
    refused("NUL", "<domain>\0</domain>");
}

#[test]
fn entity_bombs_are_refused() {
    let level = |level: u32| {
        let below = format!("&e{};", level - 1).repeat(10);
        format!("<!ENTITY e{level} '{below}'>")
    };
    let entities = (1..20).map(level).collect::<Vec<_>>().concat();
    let laughs = format!(
        "<!DOCTYPE domain [<!ENTITY e0 'ha'>{entities}]><domain><name>&e19;</name></domain>"
    );
    refused("a billion laughs", laughs);
    let blowup = format!(
        "<!DOCTYPE domain [<!ENTITY a '{}'>]><domain><name>{}</name></domain>",
        "a".repeat(MIB),
        "&a;".repeat(100_000)
    );
    refused("a quadratic blow-up", blowup);
    refused(
        "a loop",
        "<!DOCTYPE d [<!ENTITY a '&a;'>]><domain>&a;</domain>",
    );
    refused(
        "an external entity",
        "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>",
    );
}

#[test]
fn ten_mebibytes_are_refused_whatever_they_hold() {
    refused("spaces", filled(10 * MIB, "<domain>", " ", "</domain>"));
    refused(
        "elements",
        filled(10 * MIB, "<domain>", "<a/>", "</domain>"),
    );
    refused(
        "attributes",
        filled(10 * MIB, "<domain a=''", " b=''", "/>"),
    );
    refused("depth", filled(10 * MIB, "", "<domain>", ""));
    refused("brackets", filled(10 * MIB, "", "<", ""));
    refused("a comment", filled(10 * MIB, "<!--", "-", "-->"));
    refused("noise", vec![0x80; 10 * MIB]);
}

#[test]
fn the_longest_documents_are_answered_or_refused() {
    let longest = 4 * MIB;
    let name = |unit: &str| filled(longest, "<domain><name>", unit, "</name></domain>");
    answered("a long name", name("n"));
    answered("a name of references", name("&lt;"));
    answered("a name of controls", name("\u{85}"));
    answered(
        "a name of sections",
        name("<![CDATA[a very long section of text]]>"),
    );
    answered("spaces", filled(longest, "<domain>", " ", "</domain>"));
    refused("elements", filled(longest, "<domain>", "<a/>", "</domain>"));
    refused("attributes", filled(longest, "<domain ", "a='' ", "/>"));
    refused("colons", filled(longest, "<domain ", ":", "/>"));
    refused("equal signs", filled(longest, "<domain>", "=", "</domain>"));
    refused("depth", filled(longest, "", "<domain>", ""));
    let wide = (0..128)
        .map(|it| format!(" a{it}=''"))
        .collect::<Vec<_>>()
        .concat();
    let wide = filled(MIB, "<domain>", &format!("<a{wide}/>"), "</domain>");
    answered("wide elements", wide);
    let nested = (0..90_000)
        .map(|it| format!("<a xmlns:p{it}='u'>"))
        .collect::<Vec<_>>()
        .concat();
    let nested = format!("<domain>{nested}{}</domain>", "</a>".repeat(90_000));
    answered("namespaces in namespaces", nested);
    answered(
        "many VLANs",
        filled(
            2 * MIB,
            "<domain><devices><interface><vlan>",
            "<tag id='7'/>",
            "</vlan></interface></devices></domain>",
        ),
    );
}

#[test]
fn ten_thousand_interfaces_are_answered() {
    let interfaces = (0..10_000_u32)
        .map(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            format!(
                "    <interface type='bridge'>\n      \
                 <mac address='52:54:00:{a:02x}:{b:02x}:{c:02x}'/>\n      \
                 <source bridge='br0'/>\n      <target dev='vnet{number}'/>\n      \
                 <model type='virtio'/>\n      <alias name='net{number}'/>\n      \
                 <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>\n    \
                 </interface>\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let xml = format!("<domain><devices>\n{interfaces}</devices></domain>");
    answered("ten thousand interfaces", &xml);
    let plan = plan_json(&xml);
    let nics = plan["nics"].as_array().unwrap();
    assert_eq!(nics.len(), 10_000);
    assert!(nics.iter().all(|nic| nic["announceable"] == true));
    assert_eq!(nics[9_999]["target"], "vnet9999");
    let too_many = format!(
        "<domain><devices>{}</devices></domain>",
        "<interface/>".repeat(100_000)
    );
    refused("a hundred thousand interfaces", too_many);
}
