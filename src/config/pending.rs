//! Keys that are accepted and validated but have no effect in this version.

use std::net::Ipv6Addr;

use super::check;
use super::error::Blame;
use super::settings::Settings;
use super::validated::Config;

/// IPv6 addresses that a line is spent on. To say where one stands is to read the whole file, and
/// a file has room for 16,384 of them.
const ADDRESSES: usize = 16;

/// A line for each key without effect that says something else than its default.
pub(super) fn set_without_effect(
    settings: &Settings,
    config: &Config,
    blame: &Blame<'_>,
) -> Vec<String> {
    let Ok(usual) = check::check(&Settings::default()) else {
        return Vec::new();
    };
    let (now, then) = (&config.handoff, &usual.handoff);
    let same = [
        (
            "announce.extend",
            config.policy.extend == usual.policy.extend,
        ),
        (
            "announce.move_budget",
            config.move_budget == usual.move_budget,
        ),
        ("handoff.interface", now.interface == then.interface),
        ("handoff.group", now.group == then.group),
        ("handoff.port", now.port == then.port),
        ("handoff.peers", now.peers == then.peers),
        ("handoff.key_file", now.key_file == then.key_file),
        (
            "handoff.queue_frames",
            now.queue_frames == then.queue_frames,
        ),
        ("handoff.hold", now.hold == then.hold),
        ("dbus.enabled", config.dbus_enabled == usual.dbus_enabled),
    ];
    let changed = same
        .iter()
        .filter(|(_, same)| !same)
        .map(|(path, _)| (*path).to_owned());
    changed
        .chain(waiting_sources(settings))
        .chain(ipv6_addresses(settings))
        .map(|path| blame.remark(&path, "has no effect in this version"))
        .collect()
}

/// Sources that the operator asks for beyond the usual, and that nobody listens to yet.
fn waiting_sources(settings: &Settings) -> impl Iterator<Item = String> {
    let sources = settings.addresses.sources.iter().enumerate();
    let waiting = sources.filter(|(_, word)| ["metadata", "agent"].contains(&word.as_str()));
    waiting.map(|(index, _)| format!("addresses.sources.{index}"))
}

/// IPv6 addresses are learnt from the guest alone.
fn ipv6_addresses(settings: &Settings) -> impl Iterator<Item = String> {
    let guests = settings.guest.iter().enumerate();
    let found = guests.flat_map(|(guest, table)| {
        let addresses = table.addresses.iter().enumerate();
        let ipv6 = addresses.filter(|(_, text)| text.parse::<Ipv6Addr>().is_ok());
        ipv6.map(move |(index, _)| format!("guest.{guest}.addresses.{index}"))
    });
    found.take(ADDRESSES)
}
