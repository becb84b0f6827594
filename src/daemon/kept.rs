//! What a reload cannot change.

use crate::config::Config;

/// The settings that differ from those at the start and need another start.
pub(super) fn kept(started: &Config, config: &Config) -> Vec<&'static str> {
    let same = [
        ("libvirt.uri", started.libvirt.uri == config.libvirt.uri),
        (
            "libvirt.access",
            started.libvirt.access == config.libvirt.access,
        ),
        (
            "control.socket",
            started.control_socket == config.control_socket,
        ),
        ("hook.socket", started.hook_socket == config.hook_socket),
        (
            "state.directory",
            started.state_directory == config.state_directory,
        ),
        (
            "metrics.listen",
            started.metrics.listen == config.metrics.listen,
        ),
    ];
    let changed = same.into_iter().filter(|(_, same)| !same);
    changed.map(|(key, _)| key).collect()
}
