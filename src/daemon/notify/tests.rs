use std::env;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::*;

/// Runs in a process of its own, whose environment names a service manager.
#[test]
#[ignore = "a part of the_service_manager_hears_every_word, which runs it"]
fn says_everything() {
    let notifier = Notifier::from_environment();
    assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(15)));
    notifier.ready();
    assert!(notifier.status("waiting for libvirt\nREADY=1"));
    notifier.reloading();
    assert!(notifier.watchdog());
    notifier.stopping();
}

#[test]
fn the_service_manager_hears_every_word() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "daemon::notify::tests::says_everything",
        ])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "30000000")
        .env_remove("WATCHDOG_PID")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    manager.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(length) = manager.recv(&mut buffer) {
        heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    assert_eq!(heard.len(), 5, "{heard:?}");
    assert_eq!(heard[0], "READY=1\n");
    assert_eq!(heard[1], "STATUS=waiting for libvirt\n");
    assert!(
        heard[2].starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{heard:?}"
    );
    assert_eq!(heard[3], "WATCHDOG=1\n");
    assert_eq!(heard[4], "STOPPING=1\n");
}

#[test]
fn a_service_manager_that_does_not_read_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let name = path.as_os_str();
    // The queue of a datagram socket is bounded (net.unix.max_dgram_qlen).
    let full = (0..100_000).find_map(|_| send(name, b"WATCHDOG=1\n").err());
    assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    manager.recv(&mut [0; 16]).unwrap();
    send(name, b"WATCHDOG=1\n").unwrap();
}

#[test]
fn an_abstract_name_is_one() {
    let name = format!("macmoved-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    send(OsStr::new(&format!("@{name}")), b"WATCHDOG=1\n").unwrap();
    assert_eq!(manager.recv(&mut [0; 16]).unwrap(), 11);
}

#[test]
fn without_a_service_manager_nothing_is_due() {
    assert_eq!(Notifier::default().watchdog_interval(), None);
}
