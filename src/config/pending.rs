//! Keys that are accepted and validated but have no effect in this version.

use super::check;
use super::error::Blame;
use super::settings::Settings;
use super::validated::Config;

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
        ("unarp.enabled", config.unarp.enabled == usual.unarp.enabled),
        ("unarp.honour", config.unarp.honour == usual.unarp.honour),
        (
            "unarp.honour_prefixes",
            config.unarp.honour_prefixes.is_empty(),
        ),
        (
            "addresses.sources",
            config.addresses.sources == usual.addresses.sources,
        ),
        ("addresses.prefixes", config.addresses.prefixes.is_empty()),
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
    let addressed = settings
        .guest
        .iter()
        .position(|guest| !guest.addresses.is_empty());
    changed
        .chain(addressed.map(|index| format!("guest.{index}.addresses")))
        .map(|path| blame.remark(&path, "has no effect in this version"))
        .collect()
}
