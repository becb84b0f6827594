//! A monitor of QEMU's own, for orders while libvirtd is stopped (QEMU's `docs/interop/qmp-spec`).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::lab::{Guest, Lab};

/// How long QEMU may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A guest's QEMU on a host.
pub(crate) struct Monitor {
    stream: BufReader<UnixStream>,
    /// What it said before it answered.
    said: VecDeque<String>,
}

impl Monitor {
    pub(crate) fn open(lab: &Lab, host: &str, guest: &Guest) -> Self {
        let path = lab.run_file(host, &format!("orders-{}", guest.number()));
        let stream = UnixStream::connect(path).expect("QEMU listens");
        let patience = stream.set_read_timeout(Some(PATIENCE));
        patience.expect("it is no time of zero");
        let mut monitor = Self {
            stream: BufReader::new(stream),
            said: VecDeque::new(),
        };
        monitor.order("{\"execute\": \"qmp_capabilities\"}");
        monitor
    }

    /// Gives an order, which QEMU has to obey.
    pub(crate) fn order(&mut self, order: &str) {
        let stream = self.stream.get_mut();
        writeln!(stream, "{order}").expect("QEMU listens");
        loop {
            let line = self.line(order);
            assert!(!line.contains("\"error\""), "{order}: {line}");
            if line.contains("\"return\"") {
                return;
            }
            self.said.push_back(line);
        }
    }

    /// Waits until QEMU says these words. What it says before is passed over.
    pub(crate) fn wait(&mut self, words: &str) {
        loop {
            let line = self.said.pop_front().unwrap_or_else(|| self.line(words));
            if line.contains(words) {
                return;
            }
        }
    }

    fn line(&mut self, awaited: &str) -> String {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).expect(awaited);
        assert!(length > 0, "QEMU ended before it said {awaited}");
        line
    }
}
