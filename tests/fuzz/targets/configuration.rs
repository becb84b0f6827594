//! The configuration: a file, and variables.
//!
//! An input is the file's text and, after a NUL each, variables as `NAME=VALUE`.

#![no_main]

use std::cell::OnceCell;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use macmoved::config::{self, Config, ConfigFile, LoadConfigError, Sources};
use macmoved_fuzz::assert_fit_to_print;

thread_local! {
    /// A file without a name, so that none is left.
    static FILE: OnceCell<File> = const { OnceCell::new() };
}

fuzz_target!(|octets: &[u8]| {
    let mut parts = octets.split(|&octet| octet == 0);
    let path = written(parts.next().unwrap_or_default());
    let variables = parts.map(|variable| {
        let text = String::from_utf8_lossy(variable);
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        (format!("MACMOVED_{name}"), value.to_owned())
    });
    let sources = Sources {
        file: ConfigFile::Named(path),
        environment: variables.collect(),
        flags: Vec::new(),
    };
    let loaded = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!matches!(error, LoadConfigError::Read { .. }), "{error}");
            return assert_fit_to_print(&error.to_string());
        }
    };
    for warning in &loaded.warnings {
        assert_fit_to_print(warning);
    }
    check(&loaded.config);
    // A reload changes nothing.
    assert_eq!(config::load(&sources).unwrap(), loaded);
});

/// The path of the file with this text.
fn written(text: &[u8]) -> PathBuf {
    FILE.with(|file| {
        let mut file = file.get_or_init(|| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_TMPFILE);
            options.open(std::env::temp_dir()).unwrap()
        });
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(text).unwrap();
        format!("/proc/self/fd/{}", file.as_raw_fd()).into()
    })
}

/// What holds of all settings, by the ranges that the sample names.
fn check(config: &Config) {
    let policy = &config.policy;
    assert!((1..=50).contains(&policy.rounds.rounds));
    assert!(policy.rounds.initial <= policy.rounds.max);
    assert!(policy.extend.len() <= 8);
    assert!(policy.extend.is_sorted_by(|earlier, later| earlier < later));
    assert!((1..=2_000).contains(&policy.pacing.frames_per_second));
    assert!((1..=2_000).contains(&policy.pacing.burst));
    assert!(policy.pacing.reserve <= 2_000);
    assert!(policy.guests.len() <= 256);
    for guest in &policy.guests {
        assert!((1..=255).contains(&guest.pattern.len()));
        assert!(guest.addresses.len() <= 64);
    }
    assert!(policy.addresses.prefixes.len() <= 64);
    assert_eq!(policy.retract, config.unarp.enabled);
    let honoured = &config.unarp.honour_prefixes;
    assert!(!config.unarp.honour || !honoured.is_empty());
    assert!(honoured.iter().all(|prefix| prefix.address().is_ipv4()));
    for prefix in honoured.iter().chain(&policy.addresses.prefixes) {
        assert_eq!(prefix.to_string().parse(), Ok(*prefix));
        assert!(prefix.contains(prefix.address()));
    }
    assert!(config.network_uplinks.len() <= 16);
    assert!(config.libvirt.uri.len() <= 512);
    assert!(config.handoff.group.is_multicast());
    for socket in [&config.hook_socket, &config.control_socket] {
        assert!(socket.is_absolute() && socket.as_os_str().len() <= 107);
    }
    assert!(config.state_directory.is_absolute());
}
