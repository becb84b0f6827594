use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::engine::{GuestRule, Policy};

mod table;

/// Settings from a file with this text, these variables and these flags.
fn load_all(
    text: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str, &str)],
) -> Result<Loaded, LoadConfigError> {
    let directory = written(text);
    let owned = |text: &&str| (*text).to_owned();
    load(&Sources {
        file: ConfigFile::Named(directory.path().join("m.toml")),
        environment: variables
            .iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect(),
        flags: flags
            .iter()
            .map(|(origin, key, value)| Setting {
                origin: owned(origin),
                key: owned(key),
                value: owned(value),
            })
            .collect(),
    })
}

fn written(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("m.toml"), text).unwrap();
    directory
}

fn load_text(text: &str) -> Result<Loaded, LoadConfigError> {
    load_all(text, &[], &[])
}

/// The error line without the file's directory.
fn refusal(result: Result<Loaded, LoadConfigError>) -> String {
    let line = result.unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    match line.split_once("/m.toml:") {
        Some((_, rest)) => rest.to_owned(),
        None => line,
    }
}

fn defaults() -> Config {
    load_text("").unwrap().config
}

#[test]
fn without_any_source_the_designs_defaults_hold() {
    let loaded = load_text("").unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.policy, Policy::default());
    assert!(!config.dry_run && config.network_uplinks.is_empty() && !config.dbus_enabled);
    assert_eq!(config.libvirt.uri, "qemu:///system");
    assert_eq!(config.libvirt.access, Access::Full);
    assert_eq!(config.move_budget, 4);
    assert!(config.unarp.enabled && !config.unarp.honour);
    assert_eq!(config.policy.addresses.sources.len(), 5);
    assert_eq!(config.handoff.interface, None);
    assert_eq!(config.handoff.group.octets(), [239, 255, 18, 68]);
    assert_eq!(config.handoff.port.get(), 11_868);
    assert_eq!(
        config.handoff.key_file,
        PathBuf::from("/etc/macmoved/handoff.key")
    );
    assert_eq!(config.handoff.queue_frames, 4_096);
    assert_eq!(config.handoff.hold, Duration::from_secs(10));
    assert_eq!(config.hook_socket, PathBuf::from("/run/macmoved/hook.sock"));
    assert_eq!(
        config.control_socket,
        PathBuf::from("/run/macmoved/control.sock")
    );
    assert_eq!(config.state_directory, PathBuf::from("/run/macmoved"));
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:11868");
    assert!(config.metrics.guest_labels);
}

#[test]
fn flags_rank_above_variables_above_the_file_above_defaults() {
    let file = "[announce]\nrounds = 2\nstep = \"1ms\"\ninitial = \"2ms\"";
    let variables = [
        ("MACMOVED_ANNOUNCE__ROUNDS", "3"),
        ("MACMOVED_ANNOUNCE__STEP", "4ms"),
    ];
    let flags = [("--rounds", "announce.rounds", "6")];
    let rounds = load_all(file, &variables, &flags)
        .unwrap()
        .config
        .policy
        .rounds;
    assert_eq!(rounds.rounds, 6);
    assert_eq!(rounds.step, Duration::from_millis(4));
    assert_eq!(rounds.initial, Duration::from_millis(2));
    assert_eq!(rounds.max, Duration::from_millis(550));
}

#[test]
fn variables_reach_every_kind_of_value() {
    let loaded = load_all(
        "",
        &[
            ("MACMOVED_DRY_RUN", "true"),
            ("MACMOVED_NETWORK__UPLINKS", "[eth0, eth1]"),
            ("MACMOVED_METRICS__LISTEN", "[::1]:9"),
            ("MACMOVED_LIBVIRT__URI", "qemu+unix:///system?socket=/run/a"),
            ("MACMOVED_GUEST", "[{match=\"a*\", announce=false}]"),
        ],
        &[],
    );
    let config = loaded.unwrap().config;
    assert!(config.dry_run);
    assert_eq!(config.network_uplinks.len(), 2);
    assert_eq!(config.metrics.listen.to_string(), "[::1]:9");
    assert_eq!(config.libvirt.uri, "qemu+unix:///system?socket=/run/a");
    let pattern = "a*".to_owned();
    assert_eq!(
        config.policy.guests,
        [GuestRule {
            pattern,
            announce: false,
            addresses: Vec::new(),
        }]
    );
}

#[test]
fn variables_that_name_no_key_do_not_stop_anything() {
    let variables = [
        ("MACMOVED_LOG", "debug"),
        ("MACMOVED_CONFIG", "/x"),
        ("MACMOVED_ANOUNCE__ROUNDS", "3"),
        ("HOME", "/root"),
    ];
    let loaded = load_all("", &variables, &[]).unwrap();
    assert_eq!(loaded.config, defaults());
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("MACMOVED_ANOUNCE__ROUNDS: names no setting"));
}

const REFUSALS: &[(&str, &str)] = &[
    (
        "dry_run = true\n\n[announce]\n  rouns = 3\n",
        "4:3: announce.rouns: expected one of initial, max, rounds, step, extend, \
             move_budget, found unknown key \"rouns\"",
    ),
    (
        "# é\n[pacing]\nburst = \"ten\"",
        "3:1: pacing.burst: expected a whole number from 1 to 2000, found \"ten\"",
    ),
    (
        "announce.rounds = 51",
        "1:10: announce.rounds: expected a whole number from 1 to 50, found 51",
    ),
    (
        "announce.rounds = -1",
        "1:10: announce.rounds: expected a whole number from 1 to 50, found -1",
    ),
    (
        "announce.rounds = 1.5",
        "1:10: announce.rounds: expected a whole number from 1 to 50, found 1.5",
    ),
    (
        "[announce]\ninitial = 50",
        "2:1: announce.initial: expected a time with its unit, such as \"50ms\", from \"1ms\" \
             to \"10s\", found 50",
    ),
    (
        "[announce]\nmax = \"50\"",
        "2:1: announce.max: expected a time with its unit, such as \"50ms\", from \"1ms\" to \
             \"10s\", found \"50\"",
    ),
    (
        "[announce]\ninitial = \"600ms\"",
        "2:1: announce.initial: expected at most announce.max, which is \"550ms\", found \"600ms\"",
    ),
    (
        "[announce]\nmax = \"40ms\"",
        "2:1: announce.max: expected at least announce.initial, which is \"50ms\", found \"40ms\"",
    ),
    (
        "announce = 3",
        "1:1: announce: expected a table with initial, max, rounds, step, extend, move_budget, found 3",
    ),
    (
        "[libvirt]\naccess = \"rw\"",
        "2:1: libvirt.access: expected one of \"full\", \"read-only\", found \"rw\"",
    ),
    (
        "[network]\nuplinks = [\n  \"eth0\",\n  \"eth/1\",\n]",
        "4:3: network.uplinks[1]: expected a list of at most 16 link names such as \"eth0\", found \"eth/1\"",
    ),
    (
        "[unarp]\nhonour = true",
        "2:1: unarp.honour: expected false, or at least one prefix in unarp.honour_prefixes, found true",
    ),
    (
        "[[guest]]\nmatch = \"a\"\n[[guest]]\nannounce = false",
        "3:1: guest[1].match: expected a UUID, or a name with * and ?, of 1 to 255 octets, found none",
    ),
    (
        "[[guest]]\nmatch = \"a\"\nanounce = false",
        "3:1: guest[0].anounce: expected one of match, announce, addresses, found unknown key \"anounce\"",
    ),
    (
        "[metrics]\nlisten = 1979-05-27",
        "2:1: metrics.listen: expected an address and port such as \"127.0.0.1:11868\", found a date or time",
    ),
    (
        "guest = 1",
        "1:1: guest: expected [[guest]] tables, found 1",
    ),
];

#[test]
fn each_refusal_names_line_column_key_expectation_and_finding() {
    for (text, expected) in REFUSALS {
        assert_eq!(refusal(load_text(text)), *expected);
    }
}

#[test]
fn hostile_text_is_cut_and_escaped() {
    let line = refusal(load_text("\"a\\u001b[2J\" = 1"));
    assert!(
        line.contains("\\u{1b}[2J") && !line.contains('\u{1b}'),
        "{line}"
    );
    let long = format!("[libvirt]\nuri = \"{}\"", "x".repeat(9_000));
    assert!(refusal(load_text(&long)).len() < 300);
}

#[test]
fn files_that_are_no_toml_are_refused_at_their_line() {
    assert!(refusal(load_text("a = 1\nb = = 2")).starts_with("2:5: expected valid TOML: "));
    assert!(
        refusal(load_text("[announce]\nrounds=1\nrounds=2"))
            .starts_with("3:1: expected valid TOML: duplicate key")
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("m.toml");
    fs::write(&file, b"# fine\n# \xff\n").unwrap();
    let sources = Sources {
        file: ConfigFile::Named(file),
        environment: Vec::new(),
        flags: Vec::new(),
    };
    assert_eq!(
        refusal(load(&sources)),
        "2:3: expected valid TOML: not UTF-8"
    );
}

#[test]
fn a_named_file_must_be_there_and_the_default_one_need_not() {
    let mut sources = Sources {
        file: ConfigFile::Named("/nonexistent/m.toml".into()),
        environment: Vec::new(),
        flags: Vec::new(),
    };
    let error = load(&sources).unwrap_err();
    assert!(matches!(error, LoadConfigError::Read { .. }));
    assert_eq!(
        error.to_string(),
        "/nonexistent/m.toml: expected a readable configuration file"
    );
    sources.file = ConfigFile::IfPresent("/nonexistent/m.toml".into());
    assert_eq!(load(&sources).unwrap().config, defaults());
    assert_eq!(
        ConfigFile::new(None),
        ConfigFile::IfPresent(DEFAULT_FILE.into())
    );
}

#[test]
fn refusals_from_outside_the_file_name_the_variable_or_the_flag() {
    let variables = [("MACMOVED_ANNOUNCE__ROUNDS", "none")];
    assert_eq!(
        refusal(load_all("", &variables, &[])),
        "MACMOVED_ANNOUNCE__ROUNDS: announce.rounds: expected a whole number from 1 to 50, found \"none\""
    );
    let variables = [("MACMOVED_PACING__BRUST", "1")];
    assert_eq!(
        refusal(load_all("pacing.burst = 1", &variables, &[])),
        "MACMOVED_PACING__BRUST: pacing.brust: expected one of frames_per_second, burst, reserve, \
         found unknown key \"brust\""
    );
    assert_eq!(
        refusal(load_all(
            "dry_run = false",
            &[],
            &[("--dry-run", "dry_run", "perhaps")]
        )),
        "--dry-run: dry_run: expected true or false, found \"perhaps\""
    );
}

#[test]
fn handoff_demands_its_key_file_only_when_it_is_on() {
    let absent = "key_file = \"/nonexistent/key\"";
    assert!(load_text(&format!("[handoff]\n{absent}")).is_ok());
    assert_eq!(
        refusal(load_text(&format!(
            "[handoff]\n{absent}\ninterface = \"eth1\""
        ))),
        "2:1: handoff.key_file: expected a key file, because handoff is on, found no file \
         \"/nonexistent/key\""
    );
    let key = tempfile::NamedTempFile::new().unwrap();
    let present = format!(
        "[handoff]\nkey_file = {:?}\npeers = [\"192.0.2.7\", \"[::1]:9\"]",
        key.path()
    );
    let handoff = load_text(&present).unwrap().config.handoff;
    assert!(handoff.enabled());
    assert_eq!(
        handoff.peers[1].port.map(std::num::NonZeroU16::get),
        Some(9)
    );
}

#[test]
fn a_key_without_effect_warns_when_it_is_changed_and_not_when_it_is_repeated() {
    let loaded = load_text("[handoff]\nhold = \"10000ms\"\nport = 11868\n[unarp]\nhonour = false");
    assert_eq!(loaded.unwrap().warnings, Vec::<String>::new());
    let variables = [("MACMOVED_ANNOUNCE__MOVE_BUDGET", "9")];
    let text = "[[guest]]\nmatch = \"a\"\naddresses = [\"192.0.2.7\", \"2001:db8::7\"]\n\
                [addresses]\nsources = [\"snoop\", \"agent\"]\n[unarp]\nenabled = false";
    let warnings = load_all(text, &variables, &[]).unwrap().warnings;
    let ends: Vec<_> = warnings
        .iter()
        .map(|line| {
            line.split_once("/m.toml:")
                .map_or(line.as_str(), |(_, rest)| rest)
        })
        .collect();
    assert_eq!(
        ends,
        [
            "MACMOVED_ANNOUNCE__MOVE_BUDGET: announce.move_budget: has no effect in this version",
            "5:21: addresses.sources[1]: has no effect in this version",
            "3:27: guest[0].addresses[1]: has no effect in this version",
        ]
    );
}

#[test]
fn what_is_said_of_ipv6_addresses_ends_however_many_there_are() {
    let addresses = vec!["\"2001:db8::7\""; 64].join(",");
    let table = format!("[[guest]]\nmatch = \"a\"\naddresses = [{addresses}]\n");
    let warnings = load_text(&table.repeat(256)).unwrap().warnings;
    assert_eq!(warnings.len(), 16);
    assert!(
        warnings[15].contains("guest[0].addresses[15]"),
        "{warnings:?}"
    );
}
