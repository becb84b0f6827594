//! Counters, histograms and gauges in the Prometheus text format.
//!
//! Counters and histograms follow the engine's actions through [`Metrics::apply`]; gauges follow
//! its snapshot through [`Metrics::observe`]. No guest is a label of the former. Every value of
//! every label stands at 0 from the start, so that `increase()` sees the first event.

mod catalog;
mod family;
mod hooks;
mod phases;
mod unarp;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, IntCounter, IntGauge, Registry, TextEncoder};

pub use catalog::{CATALOG, Definition, Kind};

use crate::engine::{Action, Cause, Count, GuestPhase, Measure, Queue, Snapshot};
use crate::model::{AddressRefusal, FrameKind, Mode, Outcome, SendFault, Side};
use family::Families;
use hooks::HookMetrics;
use phases::Phases;
use unarp::UnarpMetrics;

/// How one migration ended, as a label set.
pub type Ending = (Side, Mode, Outcome);

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    event_to_wire: BTreeMap<Cause, Histogram>,
    resume_to_wire: Histogram,
    round_delay: Histogram,
    downtime: Histogram,
    staging: Histogram,
    frames: BTreeMap<FrameKind, IntCounter>,
    frame_errors: BTreeMap<SendFault, IntCounter>,
    frame_retries: IntCounter,
    refusals: IntCounter,
    migrations: BTreeMap<Ending, IntCounter>,
    schedules_cut: IntCounter,
    staged_late: IntCounter,
    reconnects: IntCounter,
    dropped: BTreeMap<Queue, IntCounter>,
    stale_answers: IntCounter,
    entries_undone: IntCounter,
    ledger_errors: IntCounter,
    hooks: HookMetrics,
    contested_addresses: IntCounter,
    refused_addresses: BTreeMap<AddressRefusal, IntCounter>,
    unarp: UnarpMetrics,
    libvirt_connected: IntGauge,
    libvirt_resynced: IntGauge,
    guests: BTreeMap<GuestPhase, IntGauge>,
    staged_guests: IntGauge,
    waiting_frames: IntGauge,
    phases: Phases,
    dry_run: IntGauge,
    paused: IntGauge,
    safe_mode: IntGauge,
    guest_labels: AtomicBool,
}

/// Why the metrics cannot be registered: a fault of the catalog.
#[derive(Debug, thiserror::Error)]
#[error("cannot register the metrics")]
pub struct RegisterMetricsError(#[from] prometheus::Error);

/// Why the metrics cannot be written down: a fault of the client library.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the metrics as text")]
pub struct RenderMetricsError(#[from] prometheus::Error);

impl Metrics {
    /// Registers every metric of [`CATALOG`], all at 0, for this version of the program.
    ///
    /// # Errors
    /// When two definitions have one name or a name is none; tests rule both out.
    pub fn new(version: &str) -> Result<Self, RegisterMetricsError> {
        let families = Families::default();
        let of = |definition| families.histogram(definition);
        let metrics = Self {
            event_to_wire: families.histograms(
                &catalog::EVENT_TO_WIRE,
                Cause::ALL.iter().map(|&c| (c, [c.label()])),
            )?,
            resume_to_wire: of(&catalog::RESUME_TO_WIRE)?,
            round_delay: of(&catalog::ROUND_DELAY)?,
            downtime: of(&catalog::DOWNTIME)?,
            staging: of(&catalog::STAGING)?,
            frames: families.counters(
                &catalog::FRAMES,
                FrameKind::ALL.iter().map(|&k| (k, [k.label()])),
            )?,
            frame_errors: families.counters(
                &catalog::FRAME_ERRORS,
                SendFault::ALL.iter().map(|&f| (f, [f.label()])),
            )?,
            frame_retries: families.counter(&catalog::FRAME_RETRIES)?,
            refusals: families.counter(&catalog::REFUSALS)?,
            migrations: families.counters(
                &catalog::MIGRATIONS,
                endings().map(|key| (key, [key.0.label(), key.1.label(), key.2.label()])),
            )?,
            schedules_cut: families.counter(&catalog::SCHEDULES_CUT)?,
            staged_late: families.counter(&catalog::STAGED_LATE)?,
            reconnects: families.counter(&catalog::RECONNECTS)?,
            dropped: families.counters(
                &catalog::DROPPED,
                Queue::ALL.iter().map(|&q| (q, [q.label()])),
            )?,
            stale_answers: families.counter(&catalog::STALE_ANSWERS)?,
            entries_undone: families.counter(&catalog::ENTRIES_UNDONE)?,
            ledger_errors: families.counter(&catalog::LEDGER_ERRORS)?,
            hooks: HookMetrics::new(&families)?,
            contested_addresses: families.counter(&catalog::CONTESTED_ADDRESSES)?,
            refused_addresses: families.counters(
                &catalog::REFUSED_ADDRESSES,
                AddressRefusal::ALL.iter().map(|&r| (r, [r.label()])),
            )?,
            unarp: UnarpMetrics::new(&families)?,
            libvirt_connected: families.gauge(&catalog::LIBVIRT_CONNECTED)?,
            libvirt_resynced: families.gauge(&catalog::LIBVIRT_RESYNCED)?,
            guests: families.gauges(&catalog::GUESTS, GUEST_PHASES.map(|(p, word)| (p, [word])))?,
            staged_guests: families.gauge(&catalog::STAGED_GUESTS)?,
            waiting_frames: families.gauge(&catalog::WAITING_FRAMES)?,
            phases: Phases::new(families.registry(), &catalog::PHASE_TIMESTAMP)?,
            dry_run: families.gauge(&catalog::DRY_RUN)?,
            paused: families.gauge(&catalog::PAUSED)?,
            safe_mode: families.gauge(&catalog::SAFE_MODE)?,
            guest_labels: AtomicBool::new(true),
            registry: families.registry().clone(),
        };
        show_build(&families, version)?;
        metrics
            .registry
            .register(Box::new(ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Follows the settings: whether this is a dry run, and whether guests may be named.
    pub fn configure(&self, dry_run: bool, guest_labels: bool) {
        self.dry_run.set(i64::from(dry_run));
        self.guest_labels.store(guest_labels, Ordering::Relaxed);
        if !guest_labels {
            self.phases.clear();
        }
    }

    /// Sets the gauges of the brakes. Only a scrape needs it.
    pub fn observe_brakes(&self, paused: bool, safe_mode: bool) {
        self.paused.set(i64::from(paused));
        self.safe_mode.set(i64::from(safe_mode));
    }

    /// Counts what an action says. Takes no lock and allocates nothing.
    pub fn apply(&self, action: &Action) {
        match action {
            Action::Count(count, by) => self.count(*count, *by),
            Action::Measure(measure, duration) => {
                if let Some(histogram) = self.histogram(*measure) {
                    histogram.observe(duration.as_secs_f64());
                }
            }
            // The engine counts these by itself, and phases are read from the snapshot.
            Action::Describe { .. }
            | Action::Stage { .. }
            | Action::Unstage { .. }
            | Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::Send(_)
            | Action::Reached { .. }
            | Action::Refused { .. }
            | Action::Finished(_) => {}
        }
    }

    fn count(&self, count: Count, by: u64) {
        let counter = match count {
            Count::Frames(kind) => self.frames.get(&kind),
            Count::Faults(fault) => self.frame_errors.get(&fault),
            Count::Retries => Some(&self.frame_retries),
            Count::Refusals => Some(&self.refusals),
            Count::Migrations {
                side,
                mode,
                outcome,
            } => self.migrations.get(&(side, mode, outcome)),
            Count::SchedulesCut => Some(&self.schedules_cut),
            Count::StagedLate => Some(&self.staged_late),
            Count::Reconnects => Some(&self.reconnects),
            Count::Drops(queue) => self.dropped.get(&queue),
            Count::Stale => Some(&self.stale_answers),
            Count::EntriesUndone => Some(&self.entries_undone),
            Count::LedgerFaults => Some(&self.ledger_errors),
            Count::Hints(outcome) => self.hooks.hint(outcome),
            Count::ContestedAddresses => Some(&self.contested_addresses),
            Count::RefusedAddresses(reason) => self.refused_addresses.get(&reason),
        };
        if let Some(counter) = counter {
            counter.inc_by(by);
        }
    }

    fn histogram(&self, measure: Measure) -> Option<&Histogram> {
        match measure {
            Measure::EventToWire(cause) => self.event_to_wire.get(&cause),
            Measure::ResumeToWire => Some(&self.resume_to_wire),
            Measure::RoundDelay => Some(&self.round_delay),
            Measure::Downtime => Some(&self.downtime),
            Measure::Staging => Some(&self.staging),
        }
    }

    /// Sets the gauges to what the engine holds. Only a scrape needs it.
    pub fn observe(&self, snapshot: &Snapshot) {
        self.libvirt_connected
            .set(i64::from(snapshot.libvirt.connected));
        self.libvirt_resynced
            .set(i64::from(snapshot.libvirt.resynced));
        for (phase, gauge) in &self.guests {
            gauge.set(total(
                snapshot
                    .guests
                    .iter()
                    .filter(|guest| guest.phase == *phase)
                    .count(),
            ));
        }
        self.staged_guests.set(total(
            snapshot.guests.iter().filter(|guest| guest.staged).count(),
        ));
        self.waiting_frames
            .set(i64::try_from(snapshot.waiting_frames).unwrap_or(i64::MAX));
        if self.guest_labels.load(Ordering::Relaxed) {
            self.phases.show(snapshot);
        }
    }

    /// Everything in the Prometheus text format 0.0.4.
    ///
    /// # Errors
    /// When the client library finds its own families inconsistent.
    pub fn render(&self) -> Result<String, RenderMetricsError> {
        let families = self.phases.undisturbed(|| self.registry.gather());
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }

    /// Migrations that ended, for every way to end.
    pub fn migrations(&self) -> impl Iterator<Item = (Ending, u64)> {
        self.migrations
            .iter()
            .map(|(&ending, counter)| (ending, counter.get()))
    }

    /// Frames that did not leave, for every reason.
    pub fn frame_errors(&self) -> impl Iterator<Item = (SendFault, u64)> {
        self.frame_errors
            .iter()
            .map(|(&fault, counter)| (fault, counter.get()))
    }

    /// Inputs lost, for every queue.
    pub fn drops(&self) -> impl Iterator<Item = (Queue, u64)> {
        self.dropped
            .iter()
            .map(|(&queue, counter)| (queue, counter.get()))
    }
}

/// Every way in which a migration can end.
fn endings() -> impl Iterator<Item = Ending> {
    Side::ALL.iter().flat_map(|&side| {
        let modes = Mode::ALL.iter().map(move |&mode| (side, mode));
        modes.flat_map(|(side, mode)| Outcome::ALL.iter().map(move |&end| (side, mode, end)))
    })
}

fn show_build(families: &Families, version: &str) -> Result<(), prometheus::Error> {
    let build = [((), [version, std::env::consts::ARCH])];
    for info in families.gauges(&catalog::BUILD_INFO, build)?.values() {
        info.set(1);
    }
    Ok(())
}

/// Every place where a guest can stand, with its word in JSON.
const GUEST_PHASES: [(GuestPhase, &str); 7] = [
    (GuestPhase::Running, "running"),
    (GuestPhase::Paused, "paused"),
    (GuestPhase::Incoming, "incoming"),
    (GuestPhase::ArrivedPaused, "arrived_paused"),
    (GuestPhase::Announcing, "announcing"),
    (GuestPhase::Outgoing, "outgoing"),
    (GuestPhase::SwitchedOver, "switched_over"),
];

fn total(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
