//! Every key with what it takes: the one table behind validation, error lines and the sample.

use std::fmt;
use std::time::Duration;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Tables and name joined by dots; `guest.*` stands for every `[[guest]]`.
    pub path: &'static str,
    /// What it takes.
    pub rule: Rule,
}

/// What a key takes. `Display` is the words that follow "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A boolean.
    Switch,
    /// An integer from the first to the second, both included.
    Whole(i64, i64),
    /// A duration with its unit, from the first to the second, both included.
    Time(Duration, Duration),
    /// At most so many durations, each longer than the one before and within the bounds.
    Times(usize, Duration, Duration),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of some of these words, none twice.
    Words(&'static [&'static str]),
    /// A list of at most so many of what the text describes.
    List(usize, &'static str),
    /// The absolute path of a file or directory.
    Path,
    /// The absolute path of a Unix socket; the kernel's address holds 107 octets.
    SocketPath,
    /// What the text describes.
    Text(&'static str),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |duration| humantime::format_duration(duration);
        match *self {
            Self::Switch => f.write_str("true or false"),
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Time(least, most) => write!(
                f,
                "a time with its unit, such as \"50ms\", from \"{}\" to \"{}\"",
                time(least),
                time(most)
            ),
            Self::Times(count, least, most) => write!(
                f,
                "a list of at most {count} times with their units, rising, from \"{}\" to \"{}\"",
                time(least),
                time(most)
            ),
            Self::Word(words) => write!(f, "one of {}", quoted(words)),
            Self::Words(words) => write!(f, "a list of some of {}, none twice", quoted(words)),
            Self::List(count, what) => write!(f, "a list of at most {count} {what}"),
            Self::Path => f.write_str("an absolute path"),
            Self::SocketPath => f.write_str("an absolute path of at most 107 octets"),
            Self::Text(what) => f.write_str(what),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Every key, in the order of the sample file.
///
/// The rates end at 2,000 frames a second, where the limiter below the engine stands. Times of the
/// schedule end at 10 s: a later round tells nobody anything.
pub const KEYS: &[Key] = &[
    key("dry_run", Rule::Switch),
    key(
        "libvirt.uri",
        Rule::Text("a libvirt URI such as \"qemu:///system\""),
    ),
    key("libvirt.access", Rule::Word(&["full", "read-only"])),
    key("announce.initial", Rule::Time(millis(1), secs(10))),
    key("announce.max", Rule::Time(millis(1), secs(10))),
    key("announce.rounds", Rule::Whole(1, 50)),
    key("announce.step", Rule::Time(millis(0), secs(10))),
    key("announce.extend", Rule::Times(8, millis(100), secs(300))),
    key("announce.move_budget", Rule::Whole(1, 100)),
    key("pacing.frames_per_second", Rule::Whole(1, 2_000)),
    key("pacing.burst", Rule::Whole(1, 2_000)),
    key("pacing.reserve", Rule::Whole(0, 2_000)),
    key("unarp.enabled", Rule::Switch),
    key("unarp.honour", Rule::Switch),
    key(
        "unarp.honour_prefixes",
        Rule::List(64, "IPv4 prefixes such as \"192.0.2.0/24\""),
    ),
    key(
        "addresses.sources",
        Rule::Words(&[
            "xml", "config", "lease", "peer", "dhcp", "snoop", "metadata", "agent",
        ]),
    ),
    key(
        "addresses.prefixes",
        Rule::List(64, "prefixes such as \"192.0.2.0/24\""),
    ),
    key(
        "network.uplinks",
        Rule::List(16, "link names such as \"eth0\""),
    ),
    key(
        "handoff.interface",
        Rule::Text("a link name such as \"eth1\", or \"none\""),
    ),
    key(
        "handoff.group",
        Rule::Text("an IPv4 multicast address such as \"239.255.18.68\""),
    ),
    key("handoff.port", Rule::Whole(1, 65_535)),
    key(
        "handoff.peers",
        Rule::List(64, "addresses such as \"192.0.2.7\" or \"192.0.2.7:11868\""),
    ),
    key("handoff.key_file", Rule::Path),
    key("handoff.queue_frames", Rule::Whole(1, 16_384)),
    key("handoff.hold", Rule::Time(secs(1), secs(300))),
    key("hook.socket", Rule::SocketPath),
    key("control.socket", Rule::SocketPath),
    key("state.directory", Rule::Path),
    key(
        "metrics.listen",
        Rule::Text("an address and port such as \"127.0.0.1:11868\""),
    ),
    key("metrics.guest_labels", Rule::Switch),
    key("dbus.enabled", Rule::Switch),
    key(
        "guest.*.match",
        Rule::Text("a UUID, or a name with * and ?, of 1 to 255 octets"),
    ),
    key("guest.*.announce", Rule::Switch),
    key(
        "guest.*.addresses",
        Rule::List(64, "addresses such as \"192.0.2.7\""),
    ),
];

const fn key(path: &'static str, rule: Rule) -> Key {
    Key { path, rule }
}

/// The key that stands at `path`, where numbers count through lists.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let mut segments: Vec<_> = path.split('.').collect();
    if let ["guest", index, ..] = segments.as_mut_slice() {
        *index = "*";
    }
    // An element of a list is judged by the list's rule.
    let named = segments
        .iter()
        .filter(|segment| segment.parse::<usize>().is_err());
    let path = named.copied().collect::<Vec<_>>().join(".");
    KEYS.iter().find(|key| key.path == path)
}

/// The names that may stand in the table at `path`; the empty path is the file itself.
pub(super) fn names_in(path: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in KEYS {
        let inside = if path.is_empty() {
            Some(key.path)
        } else {
            key.path
                .strip_prefix(path)
                .and_then(|rest| rest.strip_prefix('.'))
        };
        let inside = inside.map(|rest| rest.strip_prefix("*.").unwrap_or(rest));
        if let Some(name) = inside.and_then(|rest| rest.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}
