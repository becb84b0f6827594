//! `macmovectl hooks`: the script's file, and nobody else's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::{MACMOVECTL, status, text};

const SCRIPT: &str = include_str!("../../hooks/50-macmoved");

struct Host(TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn script(&self) -> PathBuf {
        self.path("etc/libvirt/hooks/qemu.d/50-macmoved")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(MACMOVECTL)
            .arg("hooks")
            .args(arguments)
            .arg("--root")
            .arg(self.0.path())
            .env("MACMOVED_HOOK__SOCKET", self.path("hook.sock"))
            .output()
            .unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(status(&output), 0, "{output:?}");
        text(&output.stdout).to_owned()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.succeeds(&["status", "--json"])).unwrap()
    }

    /// A process that is called as libvirt's daemon is and has started at that time.
    fn libvirt_since(&self, at: SystemTime) -> Libvirt {
        let program = self.path("libvirtd");
        fs::copy("/bin/sleep", &program).unwrap();
        let process = Command::new(program).arg("60").spawn().unwrap();
        self.write("run/libvirtd.pid", &process.id().to_string());
        let file = fs::File::options()
            .append(true)
            .open(self.path("run/libvirtd.pid"))
            .unwrap();
        file.set_modified(at).unwrap();
        // A process has its name once it is executed.
        let name = format!("/proc/{}/comm", process.id());
        while fs::read_to_string(&name).unwrap() != "libvirtd\n" {
            std::thread::yield_now();
        }
        Libvirt(process)
    }
}

struct Libvirt(std::process::Child);

impl Drop for Libvirt {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_script_is_installed_replaced_and_removed() {
    let host = Host::new();
    assert_eq!(host.status()["script"], "not_installed");
    for before in [None, Some(SCRIPT.replace("exit 0\n", "exit 0\n# older\n"))] {
        if let Some(older) = before {
            fs::write(host.script(), older).unwrap();
            assert_eq!(host.status()["script"], "differs");
        }
        assert!(host.succeeds(&["install"]).starts_with("installed "));
        assert_eq!(fs::read_to_string(host.script()).unwrap(), SCRIPT);
        let mode = fs::metadata(host.script()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert_eq!(host.status()["script"], "installed");
    }
    let entries = fs::read_dir(host.script().parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "nothing beside it");
    assert!(host.succeeds(&["uninstall"]).starts_with("removed "));
    assert!(!host.script().exists());
    assert!(host.succeeds(&["uninstall"]).contains("not installed"));
}

#[test]
fn somebody_elses_file_is_left_alone() {
    let host = Host::new();
    host.write("etc/libvirt/hooks/qemu", "#!/bin/sh\n");
    host.write(
        "etc/libvirt/hooks/qemu.d/50-macmoved",
        "#!/bin/sh\nexec /opt/mine\n",
    );
    for action in ["install", "uninstall"] {
        let output = host.run(&[action]);
        assert_eq!(status(&output), 73);
        assert!(text(&output.stderr).contains("is not macmoved's, and is left alone"));
    }
    assert_eq!(host.status()["script"], "foreign");
    assert!(
        fs::read_to_string(host.script())
            .unwrap()
            .contains("/opt/mine")
    );
    assert_eq!(
        host.path("etc/libvirt/hooks/qemu")
            .metadata()
            .unwrap()
            .len(),
        10
    );
}

#[test]
fn status_says_whether_anybody_listens() {
    let host = Host::new();
    assert_eq!(host.status()["socket_is"], "dead");
    let listener = UnixListener::bind(host.path("hook.sock")).unwrap();
    assert_eq!(host.status()["socket_is"], "alive");
    drop(listener);
    assert_eq!(host.status()["socket_is"], "dead");
}

#[test]
fn a_libvirt_that_started_without_hooks_has_to_be_reloaded() {
    let host = Host::new();
    let hour = Duration::from_secs(3_600);
    assert_eq!(host.status()["reload"], "unknown");
    let _libvirt = host.libvirt_since(SystemTime::now() - hour);
    let said = host.succeeds(&["install"]);
    assert!(said.contains("once it is started there"), "{said}");
    assert_eq!(host.status()["reload"], "needed");
    assert!(
        host.succeeds(&["status"])
            .contains("started before there was a hook")
    );
    // Another's hook was there when it started, so that it looks for more by itself.
    host.write("etc/libvirt/hooks/qemu", "#!/bin/sh\n");
    let other = fs::File::options()
        .append(true)
        .open(host.path("etc/libvirt/hooks/qemu"))
        .unwrap();
    other.set_modified(SystemTime::now() - 2 * hour).unwrap();
    assert_eq!(host.status()["reload"], "not_needed");
    assert!(
        host.succeeds(&["install"])
            .contains("libvirt runs it from now on")
    );
}
