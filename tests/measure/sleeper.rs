//! The minimal loop: a thread that sleeps in read(2) and makes a route's calls when it wakes.

use std::io::{PipeWriter, Read, Write, pipe};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use macmoved::emit::RouteChoice;

use crate::floor::Floor;

pub(crate) struct Sleeper {
    waker: PipeWriter,
    samples: Receiver<Duration>,
}

impl Sleeper {
    pub(crate) fn start(route: RouteChoice) -> Self {
        let (mut reader, waker) = pipe().unwrap();
        let (sender, samples) = channel();
        thread::spawn(move || {
            let floor = Floor::open();
            let mut octet = [0];
            while reader.read_exact(&mut octet).is_ok() {
                let (begun, returned) = floor.send(route);
                sender.send(returned.saturating_since(begun)).unwrap();
            }
        });
        Self { waker, samples }
    }

    /// Wakes it and returns how long the calls took.
    pub(crate) fn wake(&self) -> Duration {
        (&self.waker).write_all(&[1]).unwrap();
        self.samples.recv().unwrap()
    }
}
