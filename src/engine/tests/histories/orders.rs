//! What happens to a guest outside migrations.

use super::courses::{Fact, Script, Word};
use crate::engine::{Lifecycle, MigrationStatus, RunState};

/// What somebody does with a guest at the host where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Started, on this host.
    Boot(usize),
    Restore(usize),
    Shutdown,
    /// Its QEMU dies.
    Kill,
    Save,
    Suspend,
    Resume,
    /// The guest's kernel panics, or it sleeps, or its definition changes.
    Mention(Lifecycle),
}

impl Script {
    /// What the order leads to for a guest that is `here`, in this state; nothing where it cannot
    /// be carried out.
    pub(super) fn order(&mut self, order: Order, here: Option<(usize, RunState)>) {
        use Lifecycle as L;
        match (order, here) {
            (Order::Boot(host), None) => {
                self.runs(host, RunState::Running, L::ResumedUnpaused);
                self.life(host, L::Started);
                self.fact(Fact::Speaks(host));
            }
            (Order::Restore(host), None) => {
                self.is(host, RunState::Paused);
                self.wait(1, 30);
                self.qemu(host, MigrationStatus::Setup);
                self.qemu(host, MigrationStatus::Active);
                self.wait(1, 100);
                self.qemu(host, MigrationStatus::Completed);
                self.runs(host, RunState::Running, L::ResumedUnpaused);
                self.life(host, L::Started);
            }
            (Order::Shutdown, Some((host, _))) => {
                self.life(host, L::Shutdown);
                self.wait(0, 20);
                self.ends(host, L::Stopped);
            }
            (Order::Kill, Some((host, _))) => self.ends(host, L::StoppedFailed),
            (Order::Save, Some((host, state))) => {
                if state == RunState::Running {
                    self.stands(host);
                }
                self.qemu(host, MigrationStatus::Setup);
                self.qemu(host, MigrationStatus::Active);
                self.wait(1, 100);
                self.qemu(host, MigrationStatus::Completed);
                self.ends(host, L::Stopped);
            }
            (Order::Suspend, Some((host, RunState::Running))) => self.stands(host),
            (Order::Resume, Some((host, RunState::Paused))) => {
                self.runs(host, RunState::Running, L::ResumedUnpaused);
            }
            (Order::Mention(change), Some((host, _))) => self.life(host, change),
            _ => {}
        }
        self.fact(Fact::Over);
    }

    fn stands(&mut self, host: usize) {
        self.is(host, RunState::Paused);
        self.fact(Fact::Says(host, Word::Stop));
        self.life(host, Lifecycle::SuspendedPaused);
    }

    fn ends(&mut self, host: usize, change: Lifecycle) {
        self.is(host, RunState::Off);
        self.life(host, change);
    }
}
