//! From what is written to what it means: every range and every relation between keys.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::error::Fault;
use super::keys::{self, Rule};
use super::settings::{GuestTable, HandoffTable, Settings};
use super::validated::{Access, Config, Handoff, Libvirt, Metrics, Peer, Unarp};
use crate::engine::{AddressPolicy, GuestRule, Pacing, Policy, Rounds};
use crate::model::{AddressSource, HostIpv4, Prefix};

/// Longest libvirt URI: four times the longest in libvirt's own documentation.
const URI_OCTETS: usize = 512;
/// Most `[[guest]]` tables: each is compared with each guest's name.
const GUEST_TABLES: usize = 256;
/// Longest name that a `[[guest]]` table can match; libvirt keeps names as file names.
const PATTERN_OCTETS: usize = 255;
/// `sun_path` of `unix(7)` less the closing NUL.
const SOCKET_PATH_OCTETS: usize = 107;

/// Validates all settings.
pub(super) fn check(settings: &Settings) -> Result<Config, Fault> {
    let libvirt = &settings.libvirt;
    let uri_fits = libvirt.uri.contains("://")
        && libvirt.uri.len() <= URI_OCTETS
        && libvirt
            .uri
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace());
    demand(uri_fits, "libvirt.uri")?;
    let access = match libvirt.access.as_str() {
        "full" => Access::Full,
        "read-only" => Access::ReadOnly,
        _ => return Err(Fault::at("libvirt.access")),
    };
    Ok(Config {
        dry_run: settings.dry_run,
        policy: policy(settings)?,
        libvirt: Libvirt {
            uri: libvirt.uri.clone(),
            access,
        },
        move_budget: whole("announce.move_budget", settings.announce.move_budget)?,
        unarp: unarp(settings)?,
        network_uplinks: parsed("network.uplinks", &settings.network.uplinks)?,
        handoff: handoff(&settings.handoff)?,
        hook_socket: path("hook.socket", &settings.hook.socket)?,
        control_socket: path("control.socket", &settings.control.socket)?,
        state_directory: path("state.directory", &settings.state.directory)?,
        metrics: Metrics {
            listen: one("metrics.listen", &settings.metrics.listen)?,
            guest_labels: settings.metrics.guest_labels,
        },
        dbus_enabled: settings.dbus.enabled,
    })
}

fn policy(settings: &Settings) -> Result<Policy, Fault> {
    let announce = &settings.announce;
    let pacing = &settings.pacing;
    let rounds = Rounds {
        initial: time("announce.initial", &announce.initial)?,
        max: time("announce.max", &announce.max)?,
        rounds: whole("announce.rounds", announce.rounds)?,
        step: time("announce.step", &announce.step)?,
    };
    if rounds.initial > rounds.max {
        let (initial, max) = (&announce.initial, &announce.max);
        return Err(Fault {
            blamed: vec![
                (
                    "announce.initial".to_owned(),
                    format!("at most announce.max, which is {max:?}"),
                ),
                (
                    "announce.max".to_owned(),
                    format!("at least announce.initial, which is {initial:?}"),
                ),
            ],
            found: None,
        });
    }
    Ok(Policy {
        rounds,
        extend: times("announce.extend", &announce.extend)?,
        pacing: Pacing {
            frames_per_second: whole("pacing.frames_per_second", pacing.frames_per_second)?,
            burst: whole("pacing.burst", pacing.burst)?,
            reserve: whole("pacing.reserve", pacing.reserve)?,
        },
        guests: guest_rules(&settings.guest)?,
        retract: settings.unarp.enabled,
        addresses: AddressPolicy {
            sources: address_sources(&settings.addresses.sources)?,
            prefixes: parsed("addresses.prefixes", &settings.addresses.prefixes)?,
        },
    })
}

fn unarp(settings: &Settings) -> Result<Unarp, Fault> {
    let unarp = &settings.unarp;
    let honour_prefixes: Vec<Prefix> = parsed("unarp.honour_prefixes", &unarp.honour_prefixes)?;
    for (index, prefix) in honour_prefixes.iter().enumerate() {
        demand(
            prefix.address().is_ipv4(),
            &format!("unarp.honour_prefixes.{index}"),
        )?;
    }
    if unarp.honour && honour_prefixes.is_empty() {
        let expected = "false, or at least one prefix in unarp.honour_prefixes".to_owned();
        return Err(Fault::but("unarp.honour", expected));
    }
    Ok(Unarp {
        enabled: unarp.enabled,
        honour: unarp.honour,
        honour_prefixes,
    })
}

fn handoff(table: &HandoffTable) -> Result<Handoff, Fault> {
    let interface = match table.interface.as_str() {
        "none" => None,
        name => Some(one("handoff.interface", name)?),
    };
    let group: std::net::Ipv4Addr = one("handoff.group", &table.group)?;
    demand(group.is_multicast(), "handoff.group")?;
    let handoff = Handoff {
        interface,
        group,
        port: NonZeroU16::new(whole("handoff.port", table.port)?)
            .ok_or_else(|| Fault::at("handoff.port"))?,
        peers: parsed("handoff.peers", &table.peers)?,
        key_file: path("handoff.key_file", &table.key_file)?,
        queue_frames: whole("handoff.queue_frames", table.queue_frames)?,
        hold: time("handoff.hold", &table.hold)?,
    };
    if handoff.enabled() && !handoff.key_file.is_file() {
        let expected = "a key file, because handoff is on".to_owned();
        let blamed = ["handoff.key_file", "handoff.interface", "handoff.peers"]
            .map(|path| (path.to_owned(), expected.clone()));
        return Err(Fault {
            blamed: blamed.to_vec(),
            found: Some(format!("no file {:?}", table.key_file)),
        });
    }
    Ok(handoff)
}

impl FromStr for Peer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, port) = if let Ok(address) = text.parse::<IpAddr>() {
            (address, None)
        } else {
            let full: SocketAddr = text.parse().map_err(|_| ())?;
            (full.ip(), Some(NonZeroU16::new(full.port()).ok_or(())?))
        };
        if address.is_multicast() || address.is_unspecified() {
            return Err(());
        }
        Ok(Self { address, port })
    }
}

fn address_sources(words: &[String]) -> Result<Vec<AddressSource>, Fault> {
    let path = "addresses.sources";
    let mut sources = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let known = AddressSource::ALL
            .iter()
            .find(|known| known.label() == word);
        let source = known.ok_or_else(|| Fault::at(&format!("{path}.{index}")))?;
        demand(!sources.contains(source), &format!("{path}.{index}"))?;
        sources.push(*source);
    }
    Ok(sources)
}

fn guest_rules(guests: &[GuestTable]) -> Result<Vec<GuestRule>, Fault> {
    if guests.len() > GUEST_TABLES {
        return Err(Fault::but(
            "guest",
            format!("at most {GUEST_TABLES} [[guest]] tables"),
        ));
    }
    let rule = |(index, guest): (usize, &GuestTable)| {
        let fits = (1..=PATTERN_OCTETS).contains(&guest.pattern.len());
        demand(fits, &format!("guest.{index}.match"))?;
        Ok(GuestRule {
            pattern: guest.pattern.clone(),
            announce: guest.announce,
            addresses: guest_addresses(index, guest)?,
        })
    };
    guests.iter().enumerate().map(rule).collect()
}

/// The IPv4 addresses of one table; `pending` says of the others that they have no effect.
fn guest_addresses(index: usize, guest: &GuestTable) -> Result<Vec<HostIpv4>, Fault> {
    let path = format!("guest.{index}.addresses");
    let addresses: Vec<IpAddr> = parsed(&path, &guest.addresses)?;
    let mut found = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        if let IpAddr::V4(address) = *address {
            let ip = HostIpv4::try_from(address);
            found.push(
                ip.map_err(|error| Fault::but(&format!("{path}.{index}"), error.to_string()))?,
            );
        }
    }
    Ok(found)
}

fn demand(holds: bool, path: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::at(path)) }
}

fn rule(path: &str) -> Option<Rule> {
    keys::find(path).map(|key| key.rule)
}

fn whole<T: TryFrom<i64>>(path: &str, number: i64) -> Result<T, Fault> {
    match rule(path) {
        Some(Rule::Whole(least, most)) if (least..=most).contains(&number) => {
            T::try_from(number).map_err(|_| Fault::at(path))
        }
        _ => Err(Fault::at(path)),
    }
}

fn time(path: &str, text: &str) -> Result<Duration, Fault> {
    match (rule(path), humantime::parse_duration(text)) {
        (Some(Rule::Time(least, most)), Ok(time)) if (least..=most).contains(&time) => Ok(time),
        _ => Err(Fault::at(path)),
    }
}

fn times(path: &str, texts: &[String]) -> Result<Vec<Duration>, Fault> {
    let Some(Rule::Times(count, least, most)) = rule(path) else {
        return Err(Fault::at(path));
    };
    demand(texts.len() <= count, path)?;
    let mut times: Vec<Duration> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}.{index}");
        let time = humantime::parse_duration(text).map_err(|_| Fault::at(&path))?;
        let rises = times.last().is_none_or(|&last| last < time);
        demand(rises && (least..=most).contains(&time), &path)?;
        times.push(time);
    }
    Ok(times)
}

fn path(path: &str, text: &str) -> Result<PathBuf, Fault> {
    let longest = match rule(path) {
        Some(Rule::SocketPath) => SOCKET_PATH_OCTETS,
        _ => usize::MAX,
    };
    let fits = text.starts_with('/') && !text.contains('\0') && text.len() <= longest;
    demand(fits, path)?;
    Ok(text.into())
}

fn one<T: FromStr>(path: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::at(path))
}

fn parsed<T: FromStr>(path: &str, texts: &[String]) -> Result<Vec<T>, Fault> {
    match rule(path) {
        Some(Rule::List(count, _)) if texts.len() <= count => {}
        _ => return Err(Fault::at(path)),
    }
    let element = |(index, text): (usize, &String)| one(&format!("{path}.{index}"), text);
    texts.iter().enumerate().map(element).collect()
}
