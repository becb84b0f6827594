//! Honours the UNARPs of others (`unarp.honour`).
//!
//! ```text
//!  watch<HonourSettings> --+
//!  Unarps (observe) -------+--> Honour --> Rules, Neighbours::read, Rules, NextHops, in this order
//!                                 |
//!                                 +--> Neighbours::forget (emit), which asks the brake
//! ```
//!
//! It runs on the main thread and shares nothing with the driver but the brake. It needs no libvirt.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{debug, error, info};

use super::run_error::chain;
use crate::config::Config;
use crate::emit::{Brake, ForgetError, Neighbours};
use crate::metrics::Metrics;
use crate::model::{Prefix, UnarpRefusal};
use crate::observe::next_hops::{Families, NextHops};
use crate::observe::unarp::{Heard, HeardUnarp, Rules, Unarps};
use crate::sys::clock;

/// What an operator chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HonourSettings {
    /// Addresses for which UNARPs are honoured; none where they are not.
    pub prefixes: Option<Vec<Prefix>>,
    /// Whether nothing is deleted.
    pub dry_run: bool,
}

impl HonourSettings {
    /// What the configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let prefixes = config.unarp.honour_prefixes.clone();
        Self {
            prefixes: config.unarp.honour.then_some(prefixes),
            dry_run: config.dry_run,
        }
    }
}

/// Why UNARPs cannot be honoured.
#[derive(Debug, thiserror::Error)]
pub enum OpenHonourError {
    /// They cannot be heard.
    #[error("cannot listen for UNARPs (unarp.honour takes CAP_NET_RAW)")]
    Packets(#[source] io::Error),
    /// Entries and routes cannot be read.
    #[error("cannot open a netlink socket for neighbour entries and routes")]
    Netlink(#[source] io::Error),
}

/// The task, with whatever it needs while UNARPs are honoured.
#[derive(Debug)]
pub struct Honour {
    settings: watch::Receiver<HonourSettings>,
    brake: Arc<Brake>,
    metrics: Arc<Metrics>,
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    unarps: Unarps,
    rules: Rules,
    neighbours: Neighbours,
    next_hops: NextHops,
}

impl Honour {
    /// Begins to listen, where the settings say so. New ones are sent to the other end.
    ///
    /// # Errors
    ///
    /// [`OpenHonourError`], where they say so and it cannot be.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO enabled.
    pub fn start(
        settings: HonourSettings,
        brake: &Arc<Brake>,
        metrics: &Arc<Metrics>,
    ) -> Result<(Self, watch::Sender<HonourSettings>), OpenHonourError> {
        let (sender, settings) = watch::channel(settings);
        let mut honour = Self {
            settings,
            brake: Arc::clone(brake),
            metrics: Arc::clone(metrics),
            work: None,
        };
        honour.apply()?;
        Ok((honour, sender))
    }

    /// Follows UNARPs and the settings.
    pub async fn serve(mut self) -> Infallible {
        if let Some(work) = &mut self.work {
            work.prepare().await;
        }
        loop {
            tokio::select! {
                // New settings before what is heard after them.
                biased;
                Ok(()) = self.settings.changed() => {
                    if let Err(failure) = self.apply() {
                        error!("UNARPs are not honoured until the next reload: {}", chain(&failure));
                    }
                }
                heard = hear(self.work.as_mut()) => self.answer(heard).await,
            }
        }
    }

    fn apply(&mut self) -> Result<(), OpenHonourError> {
        let HonourSettings { prefixes, dry_run } = self.settings.borrow_and_update().clone();
        let done = match (prefixes, &mut self.work) {
            (Some(prefixes), Some(work)) => {
                work.rules.set_prefixes(prefixes);
                work.neighbours.set_dry_run(dry_run);
                Ok(())
            }
            (Some(prefixes), none) => {
                Work::open(prefixes, Arc::clone(&self.brake), dry_run).map(|work| {
                    *none = Some(work);
                    info!("honouring UNARPs of others");
                })
            }
            (None, work) => {
                if work.take().is_some() {
                    info!("no longer honouring UNARPs of others");
                }
                Ok(())
            }
        };
        self.metrics.set_unarp_listening(self.work.is_some());
        done
    }

    async fn answer(&mut self, heard: Heard) {
        let refused = match (heard, &mut self.work) {
            (Heard::Unarp(unarp), Some(work)) => match work.honour(&unarp).await {
                Ok(()) => {
                    info!(address = %unarp.address, mac = %unarp.sender, link = %unarp.link,
                        "neighbour entry deleted on an UNARP");
                    self.metrics.unarp_honoured();
                    return;
                }
                Err(refusal) => {
                    debug!(address = %unarp.address, mac = %unarp.sender, link = %unarp.link,
                        reason = %refusal, "UNARP is not honoured");
                    (refusal, 1)
                }
            },
            (Heard::Unarp(_), None) => return,
            (Heard::Refused(refusal), _) => (refusal, 1),
            (Heard::Lost(count), _) => (UnarpRefusal::Overrun, count),
        };
        self.metrics.unarp_refused(refused.0, refused.1);
    }
}

/// Waits for an UNARP; for ever where none is to be heard.
async fn hear(work: Option<&mut Work>) -> Heard {
    match work {
        Some(work) => work.unarps.next().await,
        None => std::future::pending().await,
    }
}

impl Work {
    fn open(
        prefixes: Vec<Prefix>,
        brake: Arc<Brake>,
        dry_run: bool,
    ) -> Result<Self, OpenHonourError> {
        Ok(Self {
            unarps: Unarps::open().map_err(OpenHonourError::Packets)?,
            rules: Rules::new(prefixes),
            neighbours: Neighbours::open(brake, dry_run).map_err(OpenHonourError::Netlink)?,
            next_hops: NextHops::open(Families::Ipv4).map_err(OpenHonourError::Netlink)?,
        })
    }

    /// Reads the routes, so that the first UNARP need not wait for that.
    async fn prepare(&mut self) {
        if let Err(failure) = self.next_hops.read_all().await {
            debug!("the routes are read when the first UNARP comes: {failure}");
        }
    }

    /// Deletes the entry that the UNARP is about, if it may be.
    async fn honour(&mut self, unarp: &HeardUnarp) -> Result<(), UnarpRefusal> {
        self.rules.admit(unarp, clock::now())?;
        let entry = self.neighbours.read(unarp.link, unarp.address);
        let entry = entry.map_err(|error| refused_by_kernel(&error))?;
        let entry = self.rules.judge(unarp, entry, clock::now())?;
        match self.next_hops.contains(unarp.address.into()).await {
            Ok(false) => {}
            Ok(true) => return Err(UnarpRefusal::NextHop),
            Err(failure) => {
                debug!("the routes cannot be read: {failure}");
                return Err(UnarpRefusal::RoutesUnknown);
            }
        }
        self.neighbours
            .forget(&entry)
            .map_err(|error| match error {
                ForgetError::Paused => UnarpRefusal::Paused,
                ForgetError::DryRun => UnarpRefusal::DryRun,
                ForgetError::Changed => UnarpRefusal::Changed,
                ForgetError::Kernel(error) => refused_by_kernel(&error),
            })?;
        self.rules.record(unarp, clock::now());
        Ok(())
    }
}

fn refused_by_kernel(error: &io::Error) -> UnarpRefusal {
    debug!("the kernel does not give or delete a neighbour entry: {error}");
    UnarpRefusal::Kernel
}
