//! What is put on a host: the installer, its reversal, and the unit.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "deploy/unit.rs"]
mod unit;

/// A root to install below, with commands in front of `PATH` that must not be called.
struct Host {
    root: tempfile::TempDir,
    /// What cargo would have built, in small.
    build: tempfile::TempDir,
    traps: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            root: tempfile::tempdir().unwrap(),
            build: tempfile::tempdir().unwrap(),
            traps: tempfile::tempdir().unwrap(),
        };
        for binary in ["macmoved", "macmovectl"] {
            executable(
                &host.build.path().join(binary),
                &format!("#!/bin/{binary}\n"),
            );
        }
        let called = host.traps.path().join("called");
        for trap in ["systemctl", "systemd-sysusers", "deb-systemd-invoke"] {
            let script = format!("#!/bin/sh\necho {trap} >>{}\n", called.display());
            executable(&host.traps.path().join(trap), &script);
        }
        host
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new(format!("deploy/{script}"))
            .args(["--root", self.root.path().to_str().unwrap()])
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.traps.path().display()))
            .output()
            .unwrap();
        let called = fs::read_to_string(self.traps.path().join("called"));
        assert!(
            called.is_err(),
            "below a root of its own it called {called:?}"
        );
        output
    }

    fn install(&self) -> String {
        succeeded(&self.run("install", &["--build", self.build.path().to_str().unwrap()]))
    }

    fn uninstall(&self) -> String {
        succeeded(&self.run("uninstall", &[]))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Every file and directory with its mode and content.
    fn tree(&self) -> BTreeMap<PathBuf, (u32, Option<Vec<u8>>)> {
        let mut found = BTreeMap::new();
        let mut pending = vec![self.root.path().to_owned()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                let content = metadata.is_file().then(|| fs::read(&path).unwrap());
                if metadata.is_dir() {
                    pending.push(path.clone());
                }
                found.insert(path, (metadata.permissions().mode(), content));
            }
        }
        found
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs a program that a Debian package brings.
fn tool(package: &str, program: &str, arguments: &[&str]) -> Output {
    match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("{program}: {error}; install the Debian package {package}"),
    }
}

const CONFIG: &str = "etc/macmoved/macmoved.toml";
const HOOK: &str = "etc/libvirt/hooks/qemu.d/50-macmoved";
const SAMPLE: &str = include_str!("../deploy/macmoved.toml");

#[test]
fn everything_is_put_in_its_place_with_its_mode() {
    let host = Host::new();
    host.install();
    for (path, mode) in [
        ("usr/sbin/macmoved", 0o755),
        ("usr/bin/macmovectl", 0o755),
        ("usr/lib/systemd/system/macmoved.service", 0o644),
        ("usr/lib/sysusers.d/macmoved.conf", 0o644),
        (HOOK, 0o755),
        (CONFIG, 0o644),
        ("etc/macmoved", 0o755),
    ] {
        let metadata = fs::metadata(host.path(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
    }
    assert_eq!(host.read(CONFIG), SAMPLE);
    assert_eq!(host.read(HOOK), include_str!("../hooks/50-macmoved"));
    assert_eq!(
        host.read("usr/sbin/macmoved"),
        "#!/bin/macmoved
"
    );
    assert_eq!(
        host.read("usr/bin/macmovectl"),
        "#!/bin/macmovectl
"
    );
}

#[test]
fn an_empty_root_is_empty_again() {
    let host = Host::new();
    host.install();
    host.install();
    assert!(!host.tree().is_empty());
    host.uninstall();
    assert_eq!(host.tree(), BTreeMap::new());
}

#[test]
fn a_root_in_use_is_as_it_was() {
    let host = Host::new();
    host.write("usr/bin/other", "#!/bin/sh\n");
    host.write("etc/hostname", "a\n");
    host.write("usr/lib/systemd/system/other.service", "[Unit]\n");
    host.write("etc/libvirt/hooks/qemu", "#!/bin/sh\n");
    host.write("etc/libvirt/hooks/qemu.d/10-other", "#!/bin/sh\n");
    fs::create_dir_all(host.path("etc/macmoved")).unwrap();
    fs::set_permissions(host.path("etc/macmoved"), fs::Permissions::from_mode(0o700)).unwrap();
    let before = host.tree();
    host.install();
    host.uninstall();
    assert_eq!(host.tree(), before);
    assert!(host.uninstall().contains("nothing is installed"));
    assert_eq!(host.tree(), before);
}

#[test]
fn an_edited_configuration_is_neither_overwritten_nor_removed() {
    let host = Host::new();
    host.install();
    host.write(CONFIG, "dry_run = true\n");
    assert!(host.install().contains("which was edited"));
    assert_eq!(host.read(CONFIG), "dry_run = true\n");
    assert_eq!(host.read("etc/macmoved/macmoved.toml.new"), SAMPLE);
    let said = host.uninstall();
    assert!(said.contains("macmoved.toml, which was edited"), "{said}");
    let left: Vec<_> = host.tree().into_keys().collect();
    assert_eq!(
        left,
        ["etc", "etc/macmoved", CONFIG].map(|path| host.path(path))
    );
    assert_eq!(host.read(CONFIG), "dry_run = true\n");
}

#[test]
fn purging_removes_the_edited_configuration_too() {
    for uninstalled_before in [false, true] {
        let host = Host::new();
        host.install();
        host.write(CONFIG, "dry_run = true\n");
        host.install();
        if uninstalled_before {
            host.uninstall();
        }
        succeeded(&host.run("uninstall", &["--purge"]));
        assert!(!host.path("etc/macmoved").exists());
        assert!(!host.path("usr").exists());
    }
}

#[test]
fn an_unedited_configuration_follows_the_sample() {
    let host = Host::new();
    host.install();
    // As an older release would have left it.
    let older = "# an older sample\n";
    host.write(CONFIG, older);
    let sum = tool(
        "coreutils",
        "sha256sum",
        &[host.path(CONFIG).to_str().unwrap()],
    );
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split(' ').next().unwrap();
    let mut manifest = String::new();
    for line in host.read("usr/lib/macmoved/manifest").lines() {
        if line.starts_with("c ") {
            manifest.push_str("c ");
            manifest.push_str(sum);
            manifest.push_str(" /etc/macmoved/macmoved.toml\n");
        } else {
            manifest.push_str(line);
            manifest.push('\n');
        }
    }
    host.write("usr/lib/macmoved/manifest", &manifest);
    host.install();
    assert_eq!(host.read(CONFIG), SAMPLE);
    assert!(!host.path("etc/macmoved/macmoved.toml.new").exists());
    host.uninstall();
    assert_eq!(host.tree(), BTreeMap::new());
}

#[test]
fn files_of_others_are_refused_before_anything_is_touched() {
    let host = Host::new();
    host.write("usr/bin/macmovectl", "from a package");
    let before = host.tree();
    let said = complaint(&host.run("install", &["--build", host.build.path().to_str().unwrap()]));
    assert!(
        said.contains("usr/bin/macmovectl is there and is not from here"),
        "{said}"
    );
    assert_eq!(host.tree(), before);
}

#[test]
fn a_hook_script_of_somebody_else_is_refused_and_one_of_ours_is_taken_over() {
    let host = Host::new();
    host.write(HOOK, "#!/bin/sh\n");
    let build = ["--build", host.build.path().to_str().unwrap()];
    let said = complaint(&host.run("install", &build));
    assert!(
        said.contains("50-macmoved is there and is not from here"),
        "{said}"
    );
    host.write(HOOK, "#!/bin/sh\n# This file is macmoved's: an older one\n");
    host.install();
    assert_eq!(host.read(HOOK), include_str!("../hooks/50-macmoved"));
    host.uninstall();
    assert!(!host.path(HOOK).exists());
}

#[test]
fn the_hook_script_ends_at_once_where_macmovectl_is_gone() {
    let script = include_str!("../hooks/50-macmoved");
    let mut lines = script.lines();
    assert_eq!(lines.next(), Some("#!/bin/sh"));
    assert_eq!(lines.next(), Some("[ -x /usr/bin/macmovectl ] || exit 0"));
}

#[test]
fn what_is_wrong_is_said() {
    let host = Host::new();
    let empty = tempfile::tempdir().unwrap();
    let unbuilt = complaint(&host.run("install", &["--build", empty.path().to_str().unwrap()]));
    assert!(
        unbuilt.contains("run 'cargo build --release' first"),
        "{unbuilt}"
    );
    assert_eq!(host.tree(), BTreeMap::new());
    let nowhere = Command::new("deploy/install")
        .args(["--root", "/nonexistent"])
        .output()
        .unwrap();
    assert!(complaint(&nowhere).contains("there is no directory /nonexistent"));
    for script in ["install", "uninstall"] {
        assert_eq!(host.run(script, &["--start"]).status.code(), Some(64));
        assert!(succeeded(&host.run(script, &["--help"])).starts_with("usage: "));
    }
}

#[test]
fn the_scripts_pass_shellcheck() {
    let output = tool(
        "shellcheck",
        "shellcheck",
        &["deploy/install", "deploy/uninstall", "hooks/50-macmoved"],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
