//! The table of keys: which values each may have.

use super::*;

/// `path = value` for each key with such a rule, and whether it may stand.
fn assert_each(cases: impl Fn(&str, Rule) -> Vec<(String, bool)>) {
    let mut tried = 0;
    for key in KEYS.iter().filter(|key| !key.path.starts_with("guest")) {
        for (value, fits) in cases(key.path, key.rule) {
            // The gaps' own relation must not hide the range.
            let relation = match key.path {
                "announce.initial" => "announce.max = \"10s\"",
                "announce.max" => "announce.initial = \"1ms\"",
                _ => "",
            };
            let text = format!("{relation}\n{} = {value}", key.path);
            assert_eq!(load_text(&text).is_ok(), fits, "{text}");
            tried += 1;
        }
    }
    assert_ne!(tried, 0);
}

#[test]
fn numbers_end_where_the_table_says() {
    assert_each(|_, rule| match rule {
        Rule::Whole(least, most) => [
            (least, true),
            (most, true),
            (least - 1, false),
            (most + 1, false),
        ]
        .map(|(value, fits)| (value.to_string(), fits))
        .to_vec(),
        _ => Vec::new(),
    });
}

#[test]
fn times_end_where_the_table_says() {
    let nanosecond = Duration::from_nanos(1);
    let written = |(time, fits)| (format!("\"{}\"", humantime::format_duration(time)), fits);
    assert_each(|_, rule| match rule {
        Rule::Time(least, most) => {
            let below = least.checked_sub(nanosecond);
            let inside = [(least, true), (most, true), (most + nanosecond, false)];
            let outside = below.map(|below| (below, false));
            inside.into_iter().chain(outside).map(written).collect()
        }
        Rule::Times(count, ..) => {
            let list = |count: usize| {
                let times: Vec<_> = (1..=count).map(|n| format!("\"{n}s\"")).collect();
                format!("[{}]", times.join(","))
            };
            vec![
                (list(count), true),
                (list(count + 1), false),
                ("[\"2s\", \"2s\"]".to_owned(), false),
                ("[\"99ms\"]".to_owned(), false),
                ("[\"301s\"]".to_owned(), false),
            ]
        }
        _ => Vec::new(),
    });
}

#[test]
fn paths_are_absolute_and_sockets_fit_their_address() {
    let path = |length: usize| format!("\"/{}\"", "x".repeat(length - 1));
    assert_each(|_, rule| match rule {
        Rule::SocketPath => vec![
            (path(107), true),
            (path(108), false),
            ("\"relative\"".to_owned(), false),
        ],
        Rule::Path => vec![(path(200), true), ("\"relative\"".to_owned(), false)],
        _ => Vec::new(),
    });
}

#[test]
fn lists_end_where_the_table_says() {
    let list = |value: &str, count| format!("[{}]", vec![value; count].join(","));
    assert_each(|path, rule| match (path, rule) {
        (_, Rule::Words(words)) => vec![
            (format!("{words:?}"), true),
            ("[]".to_owned(), true),
            ("[\"xml\", \"xml\"]".to_owned(), false),
            ("[\"guess\"]".to_owned(), false),
        ],
        // Without its key file no number of peers is accepted; a test of its own has one.
        ("handoff.peers", Rule::List(..)) => vec![("[]".to_owned(), true)],
        (_, Rule::List(count, _)) => {
            let value = match path {
                "network.uplinks" => "\"eth0\"",
                _ => "\"192.0.2.0/24\"",
            };
            vec![
                (list(value, count), true),
                (list(value, count + 1), false),
                ("[\"\"]".to_owned(), false),
                ("[7]".to_owned(), false),
            ]
        }
        _ => Vec::new(),
    });
}

#[test]
fn words_and_switches_take_nothing_else() {
    assert_each(|_, rule| match rule {
        Rule::Switch | Rule::Word(_) | Rule::Text(_) => {
            vec![("\"\"".to_owned(), false), ("7".to_owned(), false)]
        }
        _ => Vec::new(),
    });
}

#[test]
fn what_only_looks_right_is_refused() {
    for text in [
        "[unarp]\nhonour_prefixes = [\"2001:db8::/32\"]",
        "[addresses]\nprefixes = [\"192.0.2.1/24\"]",
        "[handoff]\ngroup = \"192.0.2.1\"",
        "[handoff]\npeers = [\"239.0.0.1\"]",
        "[handoff]\npeers = [\"192.0.2.7:0\"]",
        "[handoff]\ninterface = \"\"",
        "[libvirt]\nuri = \"qemu:///sys tem\"",
        "[metrics]\nlisten = \"localhost:1\"",
        "[[guest]]\nmatch = \"\"",
        "[network]\nuplinks = \"eth0\"",
    ] {
        assert!(load_text(text).is_err(), "{text}");
    }
}

/// The table and the frame that serde reads describe the same keys.
#[test]
fn the_table_of_keys_is_the_frame() {
    fn leaves(prefix: &str, value: &figment::value::Value, found: &mut Vec<String>) {
        match value.as_dict() {
            Some(table) => {
                for (name, value) in table {
                    let path = if prefix.is_empty() {
                        name.clone()
                    } else {
                        format!("{prefix}.{name}")
                    };
                    leaves(&path, value, found);
                }
            }
            None => found.push(prefix.to_owned()),
        }
    }
    let mut found = Vec::new();
    let defaults = figment::value::Value::serialize(Settings::default()).unwrap();
    leaves("", &defaults, &mut found);
    found.retain(|path| path != "guest");
    found.extend(["match", "announce", "addresses"].map(|name| format!("guest.*.{name}")));
    found.sort();
    let mut listed: Vec<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    listed.sort();
    assert_eq!(listed, found);
}
