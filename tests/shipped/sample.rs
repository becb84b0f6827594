//! `deploy/macmoved.toml` has every key at its default, and no other.

use std::fs;

use macmoved::config::{self, ConfigFile, KEYS, Loaded, Sources};
use macmoved::model::{GuestId, GuestName};

const SAMPLE: &str = include_str!("../../deploy/macmoved.toml");

/// A commented key, as opposed to a comment: no space follows the sign.
fn commented(line: &str) -> Option<&str> {
    line.strip_prefix('#')
        .filter(|rest| !rest.is_empty() && !rest.starts_with(' '))
}

fn uncommented() -> String {
    let lines = SAMPLE.lines().map(|line| commented(line).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn load(text: &str) -> Loaded {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    config::load(&Sources {
        file: ConfigFile::Named(file.path().to_owned()),
        environment: Vec::new(),
        flags: Vec::new(),
    })
    .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn as_it_ships_it_changes_nothing() {
    assert_eq!(load(SAMPLE), load(""));
}

#[test]
fn each_of_its_keys_says_its_default() {
    let mut loaded = load(&uncommented());
    assert_eq!(loaded.warnings, Vec::<String>::new());
    // An exception that makes none.
    let guests = std::mem::take(&mut loaded.config.policy.guests);
    assert_eq!(guests.len(), 1);
    let mut policy = loaded.config.policy.clone();
    policy.guests = guests;
    let name = GuestName::new("web-01".to_owned());
    assert!(!policy.excludes(GuestId::new([1; 16]), &name));
    assert_eq!(loaded.config, load("").config);
}

/// Every key of the sample: its path, its value, and the comment above it.
fn keys() -> Vec<(String, String, String)> {
    let (mut table, mut comment, mut found) = (String::new(), String::new(), Vec::new());
    for line in SAMPLE.lines() {
        let line = commented(line).unwrap_or(line);
        if let Some(words) = line.strip_prefix("# ") {
            comment = format!("{comment}{words} ");
        } else if let Some(name) = line.strip_prefix("[[") {
            table = format!("{}.*.", name.trim_end_matches(']'));
            comment.clear();
        } else if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
            comment.clear();
        } else if let Some((name, value)) = line.split_once(" = ") {
            found.push((format!("{table}{name}"), value.to_owned(), comment.clone()));
            comment.clear();
        } else {
            comment.clear();
        }
    }
    found
}

#[test]
fn it_has_every_key_in_the_tables_order_and_says_what_each_takes() {
    let keys = keys();
    let found: Vec<_> = keys.iter().map(|(path, ..)| path.as_str()).collect();
    let expected: Vec<_> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(found, expected);
    for (key, (path, _, comment)) in KEYS.iter().zip(&keys) {
        let takes = format!("Takes {}.", key.rule);
        assert!(comment.contains(&takes), "{path}: {takes}\n{comment}");
    }
}

/// Something else than the default.
fn other(path: &str, value: &str) -> String {
    match (path, value) {
        ("libvirt.uri", _) => "\"test:///default\"".to_owned(),
        ("guest.*.match", _) => "\"db\"".to_owned(),
        ("libvirt.access", _) => "\"read-only\"".to_owned(),
        ("announce.extend", _) => "[\"2s\"]".to_owned(),
        ("addresses.sources", _) => "[\"xml\"]".to_owned(),
        ("network.uplinks", _) => "[\"eth0\"]".to_owned(),
        ("handoff.interface", _) => "\"eth1\"".to_owned(),
        ("handoff.group", _) => "\"239.0.0.1\"".to_owned(),
        ("metrics.listen", _) => "\"127.0.0.1:1\"".to_owned(),
        ("handoff.peers" | "guest.*.addresses", _) => "[\"192.0.2.7\"]".to_owned(),
        ("unarp.honour_prefixes" | "addresses.prefixes", _) => "[\"192.0.2.0/24\"]".to_owned(),
        (_, "true") => "false".to_owned(),
        (_, "false") => "true".to_owned(),
        (_, text) if text.starts_with("\"/") => "\"/elsewhere\"".to_owned(),
        (_, text) if text.ends_with("s\"") => "\"2s\"".to_owned(),
        (_, number) => (number.parse::<u32>().unwrap() + 1).to_string(),
    }
}

#[test]
fn not_yet_stands_where_the_program_warns() {
    for (path, value, comment) in keys() {
        let value = other(&path, &value);
        // What must hold beside it, so that the change itself is valid.
        let beside = match path.as_str() {
            "announce.initial" => "announce.max = \"3s\"\n",
            "unarp.honour" => "unarp.honour_prefixes = [\"192.0.2.0/24\"]\n",
            "handoff.interface" | "handoff.peers" => "handoff.key_file = \"/proc/self/stat\"\n",
            _ => "",
        };
        let text = match path.strip_prefix("guest.*.") {
            Some("match") => format!("[[guest]]\nmatch = {value}"),
            Some(name) => format!("[[guest]]\nmatch = \"a\"\n{name} = {value}"),
            None => format!("{beside}{path} = {value}"),
        };
        let loaded = load(&text);
        assert_ne!(loaded.config, load("").config, "{text}");
        let shown = path.replace(".*", "[0]");
        let expected = format!(": {shown}: has no effect in this version");
        let warned = loaded.warnings.iter().any(|line| line.ends_with(&expected));
        assert_eq!(
            warned,
            comment.contains("Not yet. "),
            "{path}: {:?}",
            loaded.warnings
        );
    }
}
