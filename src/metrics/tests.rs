use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::engine::{GuestView, LibvirtView, PhaseAt};
use crate::model::{
    AddressRefusal, GuestId, GuestName, HintOutcome, HookFault, HookOperation, Phase, Timestamp,
    UnarpRefusal,
};

fn metrics() -> Metrics {
    Metrics::new("1.2.3").unwrap()
}

fn every_count() -> Vec<Count> {
    let mut counts = vec![
        Count::Retries,
        Count::Refusals,
        Count::SchedulesCut,
        Count::StagedLate,
        Count::Reconnects,
        Count::Stale,
        Count::EntriesUndone,
        Count::LedgerFaults,
        Count::ContestedAddresses,
    ];
    let refusals = AddressRefusal::ALL.iter();
    counts.extend(refusals.map(|&reason| Count::RefusedAddresses(reason)));
    counts.extend(HintOutcome::ALL.iter().map(|&o| Count::Hints(o)));
    counts.extend(FrameKind::ALL.iter().map(|&kind| Count::Frames(kind)));
    counts.extend(SendFault::ALL.iter().map(|&fault| Count::Faults(fault)));
    counts.extend(Queue::ALL.iter().map(|&queue| Count::Drops(queue)));
    for &side in Side::ALL {
        for &mode in Mode::ALL {
            counts.extend(Outcome::ALL.iter().map(|&outcome| Count::Migrations {
                side,
                mode,
                outcome,
            }));
        }
    }
    counts
}

fn every_measure() -> Vec<Measure> {
    let mut measures = vec![
        Measure::ResumeToWire,
        Measure::RoundDelay,
        Measure::Downtime,
        Measure::Staging,
    ];
    measures.extend(Cause::ALL.iter().map(|&cause| Measure::EventToWire(cause)));
    measures
}

/// One guest at every place, all of them staged, with a phase.
fn snapshot() -> Snapshot {
    let guest = |(index, (phase, _)): (u8, &(GuestPhase, &str))| GuestView {
        uuid: GuestId::new([index; 16]),
        name: GuestName::new("web-01".to_owned()),
        phase: *phase,
        mode: None,
        staged: true,
        round: None,
        macs: Vec::new(),
        addresses: Vec::new(),
        refused: Vec::new(),
        phases: vec![PhaseAt {
            phase: Phase::Staged,
            at_ns: Timestamp::from_nanos(1_700_000_000_500_000_000),
        }],
    };
    Snapshot {
        libvirt: LibvirtView {
            connected: true,
            resynced: true,
            ..LibvirtView::default()
        },
        guests: (0..).zip(&GUEST_PHASES).map(guest).collect(),
        history: Vec::new(),
        waiting_frames: 3,
    }
}

/// Every series with its value, without the process's own.
fn series(metrics: &Metrics) -> BTreeSet<String> {
    let text = metrics.render().unwrap();
    let own = |line: &&str| line.starts_with("macmove_");
    text.lines().filter(own).map(str::to_owned).collect()
}

fn value(metrics: &Metrics, series: &str) -> String {
    let text = metrics.render().unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
        .to_owned()
}

#[test]
fn each_count_adds_to_one_series_of_its_own() {
    let metrics = metrics();
    let mut touched = BTreeSet::new();
    for count in every_count() {
        let before = series(&metrics);
        metrics.apply(&Action::Count(count, 3));
        let after = series(&metrics);
        let changed: Vec<_> = after.difference(&before).collect();
        assert_eq!(changed.len(), 1, "{count:?}: {changed:?}");
        assert!(changed[0].ends_with(" 3"), "{count:?}: {changed:?}");
        assert!(touched.insert(changed[0].clone()), "{count:?}: {changed:?}");
    }
}

#[test]
fn each_measure_adds_to_one_histogram_of_its_own() {
    let metrics = metrics();
    let mut touched = BTreeSet::new();
    for measure in every_measure() {
        let before = series(&metrics);
        metrics.apply(&Action::Measure(measure, Duration::from_millis(7)));
        let after = series(&metrics);
        let changed: Vec<_> = after
            .difference(&before)
            .filter(|line| line.contains("_sum"))
            .collect();
        assert_eq!(changed.len(), 1, "{measure:?}: {changed:?}");
        assert!(changed[0].ends_with(" 0.007"), "{changed:?}");
        assert!(
            touched.insert(changed[0].clone()),
            "{measure:?}: {changed:?}"
        );
    }
}

#[test]
fn every_declared_metric_is_touched() {
    let metrics = metrics();
    let before = series(&metrics);
    for count in every_count() {
        metrics.apply(&Action::Count(count, 1));
    }
    let duration = Duration::from_millis(1);
    for measure in every_measure() {
        metrics.apply(&Action::Measure(measure, duration));
    }
    for &operation in HookOperation::ALL {
        metrics.hook(Ok(operation));
    }
    for &fault in HookFault::ALL {
        metrics.hook(Err(fault));
    }
    metrics.observe(&snapshot());
    metrics.configure(true, true);
    metrics.observe_brakes(true, true);
    metrics.unarp_honoured();
    metrics.unarp_refused(UnarpRefusal::OtherMac, 1);
    metrics.set_unarp_listening(true);
    let after = series(&metrics);
    for definition in CATALOG
        .iter()
        .filter(|definition| definition.name.starts_with("macmove_"))
    {
        // It is set once and for all.
        if *definition == catalog::BUILD_INFO {
            continue;
        }
        let changed = after
            .difference(&before)
            .any(|line| line.starts_with(definition.name));
        assert!(changed, "{} is never touched", definition.name);
    }
}

#[test]
fn each_refusal_of_an_unarp_adds_to_one_series_of_its_own() {
    let metrics = metrics();
    let mut touched = BTreeSet::new();
    for &refusal in UnarpRefusal::ALL {
        let before = series(&metrics);
        metrics.unarp_refused(refusal, 3);
        let after = series(&metrics);
        let changed: Vec<_> = after.difference(&before).collect();
        let name = format!("macmove_unarp_refused_total{{reason=\"{refusal}\"}} 3");
        assert_eq!(changed, [&name]);
        assert!(touched.insert(name));
    }
    let all: Vec<_> = metrics.unarps_refused().collect();
    assert_eq!(all.len(), UnarpRefusal::ALL.len());
    assert!(all.iter().all(|&(_, count)| count == 3));
}

#[test]
fn what_is_shown_is_what_the_catalog_declares() {
    let metrics = metrics();
    metrics.observe(&snapshot());
    let shown: BTreeSet<_> = metrics
        .registry
        .gather()
        .iter()
        .map(|family| {
            let labels = family.get_metric()[0].get_label();
            let labels: BTreeSet<_> = labels.iter().map(|pair| pair.name().to_owned()).collect();
            (
                family.name().to_owned(),
                format!("{:?}", family.get_field_type()),
                labels,
            )
        })
        .collect();
    let declared: BTreeSet<_> = CATALOG
        .iter()
        .map(|definition| {
            let kind = match definition.kind {
                Kind::Counter => "COUNTER",
                Kind::Gauge => "GAUGE",
                Kind::Histogram(_) => "HISTOGRAM",
            };
            let labels = definition
                .labels
                .iter()
                .map(|&label| label.to_owned())
                .collect();
            (definition.name.to_owned(), kind.to_owned(), labels)
        })
        .collect();
    assert_eq!(shown, declared);
}

#[test]
fn every_label_value_stands_at_zero_from_the_start() {
    let metrics = metrics();
    assert_eq!(
        value(
            &metrics,
            "macmove_frame_errors_total{reason=\"not_forwarding\"}"
        ),
        "0"
    );
    assert_eq!(
        value(
            &metrics,
            "macmove_migrations_total{mode=\"postcopy\",outcome=\"rolled_back\",side=\"source\"}"
        ),
        "0"
    );
    assert_eq!(
        value(
            &metrics,
            "macmove_event_to_wire_seconds_count{cause=\"operator\"}"
        ),
        "0"
    );
    assert_eq!(
        value(&metrics, "macmove_dropped_total{queue=\"pacing\"}"),
        "0"
    );
    assert_eq!(
        value(&metrics, "macmove_guests{phase=\"switched_over\"}"),
        "0"
    );
    let lines = series(&metrics);
    let expected = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!(expected("macmove_migrations_total{"), 16);
    assert_eq!(expected("macmove_frames_total{"), FrameKind::ALL.len());
    assert_eq!(
        expected("macmove_frame_errors_total{"),
        SendFault::ALL.len()
    );
    assert_eq!(expected("macmove_dropped_total{"), Queue::ALL.len());
}

#[test]
fn gauges_follow_the_snapshot_up_and_down() {
    let metrics = metrics();
    let start = series(&metrics);
    metrics.observe(&snapshot());
    assert_eq!(value(&metrics, "macmove_libvirt_connected"), "1");
    assert_eq!(value(&metrics, "macmove_libvirt_resynced"), "1");
    assert_eq!(value(&metrics, "macmove_staged_guests"), "7");
    assert_eq!(value(&metrics, "macmove_waiting_frames"), "3");
    for (_, word) in GUEST_PHASES {
        assert_eq!(
            value(&metrics, &format!("macmove_guests{{phase=\"{word}\"}}")),
            "1"
        );
    }
    metrics.observe(&Snapshot::default());
    assert_eq!(series(&metrics), start);
}

#[test]
fn each_brake_has_a_gauge_of_its_own() {
    let metrics = metrics();
    let gauges = || {
        let names = ["macmove_paused", "macmove_safe_mode"];
        names.map(|name| value(&metrics, name))
    };
    assert_eq!(gauges(), ["0", "0"]);
    metrics.observe_brakes(true, false);
    assert_eq!(gauges(), ["1", "0"]);
    metrics.observe_brakes(false, true);
    assert_eq!(gauges(), ["0", "1"]);
}

#[test]
fn guests_are_named_only_where_that_is_wanted() {
    let metrics = metrics();
    metrics.observe(&snapshot());
    assert!(metrics.render().unwrap().contains("domain=\"web-01\""));
    metrics.configure(false, false);
    assert!(!metrics.render().unwrap().contains("web-01"));
    metrics.observe(&snapshot());
    assert!(!metrics.render().unwrap().contains("web-01"));
}

#[test]
fn words_of_phases_are_those_of_json() {
    for (phase, word) in GUEST_PHASES {
        assert_eq!(serde_json::to_value(phase).unwrap(), word);
    }
}

#[test]
fn build_and_process_are_shown() {
    let metrics = metrics();
    let text = metrics.render().unwrap();
    assert!(
        text.contains("macmove_build_info{") && text.contains("version=\"1.2.3\""),
        "{text}"
    );
    assert_ne!(value(&metrics, "process_start_time_seconds"), "0");
    assert_ne!(value(&metrics, "process_open_fds"), "0");
}

#[test]
fn promtool_finds_no_fault() {
    let metrics = metrics();
    metrics.observe(&snapshot());
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics", "--extended"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed: install the Debian package prometheus");
    let mut input = promtool.stdin.take().unwrap();
    input
        .write_all(metrics.render().unwrap().as_bytes())
        .unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.trim().is_empty(),
        "{errors}"
    );
}
