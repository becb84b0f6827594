//! Dashboards query what the daemon shows, and can be imported as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use macmoved::metrics::{CATALOG, Kind};
use promql_parser::parser::{self, AggregateExpr, BinaryExpr, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::{Value, json};

/// Labels that Prometheus adds to every series.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

fn dashboards() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("dashboards").unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        found.push((
            path.display().to_string(),
            serde_json::from_str(&text).unwrap(),
        ));
    }
    assert!(!found.is_empty());
    found
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Panels without the rows that hold or head them.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    for panel in list(dashboard, "panels") {
        if text(panel, "type") == "row" {
            found.extend(list(panel, "panels"));
        } else {
            found.push(panel);
        }
    }
    found
}

/// Every query with the labels that its legend shows.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        for target in list(panel, "targets") {
            found.push((
                text(target, "expr").to_owned(),
                text(target, "legendFormat").to_owned(),
            ));
        }
    }
    for annotation in list(&dashboard["annotations"], "list") {
        let shown = format!(
            "{} {}",
            text(annotation, "titleFormat"),
            text(annotation, "textFormat")
        );
        found.push((text(annotation, "expr").to_owned(), shown));
    }
    for variable in list(&dashboard["templating"], "list") {
        if text(variable, "type") == "query" {
            let query = text(&variable["query"], "query");
            let inner = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (series, label) = inner.and_then(|inner| inner.rsplit_once(", ")).unwrap();
            found.push((series.to_owned(), format!("{{{{{label}}}}}")));
        }
    }
    found
}

/// What a query names.
#[derive(Default)]
struct Names {
    /// Metrics, with the labels that matchers want of them.
    selected: Vec<(String, BTreeSet<String>)>,
    /// Labels by which series are grouped or joined.
    grouped: BTreeSet<String>,
}

impl ExprVisitor for Names {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        let mut select = |selector: &VectorSelector| {
            let name = selector.name.clone().ok_or("a selector without a name")?;
            let labels = selector
                .matchers
                .matchers
                .iter()
                .map(|matcher| matcher.name.clone());
            self.selected.push((name, labels.collect()));
            Ok::<_, String>(())
        };
        match expression {
            Expr::VectorSelector(selector) => select(selector)?,
            Expr::MatrixSelector(matrix) => select(&matrix.vs)?,
            Expr::Aggregate(AggregateExpr {
                modifier: Some(modifier),
                ..
            }) => {
                self.group(modifier);
            }
            Expr::Binary(BinaryExpr {
                modifier: Some(modifier),
                ..
            }) => {
                if let Some(matching) = &modifier.matching {
                    self.group(matching);
                }
            }
            Expr::Aggregate(_)
            | Expr::Binary(_)
            | Expr::Unary(_)
            | Expr::Paren(_)
            | Expr::Subquery(_)
            | Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::Call(_)
            | Expr::Extension(_) => {}
        }
        Ok(true)
    }
}

impl Names {
    fn of(query: &str) -> Self {
        let plain = query
            .replace("$__rate_interval", "5m")
            .replace("$__range", "6h");
        let expression = parser::parse(&plain).unwrap_or_else(|fault| panic!("{query}: {fault}"));
        let mut names = Self::default();
        walk_expr(&mut names, &expression).unwrap_or_else(|fault| panic!("{query}: {fault}"));
        names
    }

    fn group(&mut self, modifier: &LabelModifier) {
        self.grouped
            .extend(modifier.labels().labels.iter().cloned());
    }
}

/// The metric behind a series' name, and the labels that the series has.
fn series(name: &str) -> Option<(&'static str, BTreeSet<&'static str>)> {
    CATALOG.iter().find_map(|definition| {
        let suffix = name.strip_prefix(definition.name)?;
        let le = match (definition.kind, suffix) {
            (Kind::Histogram(_), "_bucket") => Some("le"),
            (Kind::Histogram(_), "_sum" | "_count") | (Kind::Counter | Kind::Gauge, "") => None,
            _ => return None,
        };
        let labels = definition
            .labels
            .iter()
            .copied()
            .chain(TARGET_LABELS)
            .chain(le);
        Some((definition.name, labels.collect()))
    })
}

/// The labels in `{{label}}`s.
fn shown(legend: &str) -> impl Iterator<Item = &str> {
    legend
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(label, _)| label.trim())
}

/// The faults of a query against the catalog.
fn unknown(query: &str, legend: &str) -> Vec<String> {
    let names = Names::of(query);
    let (mut faults, mut known) = (Vec::new(), BTreeSet::new());
    for (name, labels) in &names.selected {
        let Some((_, has)) = series(name) else {
            faults.push(format!("no metric {name}"));
            continue;
        };
        let lacking = labels.iter().filter(|label| !has.contains(label.as_str()));
        faults.extend(lacking.map(|label| format!("{name} has no label {label}")));
        known.extend(has);
    }
    let used = names
        .grouped
        .iter()
        .map(String::as_str)
        .chain(shown(legend));
    let lacking = used.filter(|label| !known.contains(label));
    faults.extend(lacking.map(|label| format!("no series has the label {label}")));
    faults
}

#[test]
fn every_metric_and_label_is_one_that_the_daemon_shows() {
    for (file, dashboard) in dashboards() {
        let queries = queries(&dashboard);
        assert!(queries.len() > 20, "{file}: {}", queries.len());
        for (query, legend) in queries {
            assert_eq!(
                unknown(&query, &legend),
                Vec::<String>::new(),
                "{file}: {query}"
            );
        }
    }
}

#[test]
fn a_query_that_drifted_from_the_daemon_is_found() {
    for (query, legend, fault) in [
        ("macmove_frame_total", "", "no metric macmove_frame_total"),
        (
            "macmove_frames_total_bucket",
            "",
            "no metric macmove_frames_total_bucket",
        ),
        (
            "macmove_downtime_seconds",
            "",
            "no metric macmove_downtime_seconds",
        ),
        (
            "macmove_frames_total{knd=\"a\"}",
            "",
            "macmove_frames_total has no label knd",
        ),
        (
            "sum by (reason) (macmove_frames_total)",
            "",
            "no series has the label reason",
        ),
        (
            "macmove_frames_total",
            "{{reason}}",
            "no series has the label reason",
        ),
        (
            "macmove_dry_run + on (uuid) macmove_dry_run",
            "",
            "no series has the label uuid",
        ),
    ] {
        assert_eq!(unknown(query, legend), [fault], "{query}");
    }
}

#[test]
fn every_metric_of_our_own_is_on_a_dashboard() {
    let mut used = BTreeSet::new();
    for (_, dashboard) in dashboards() {
        for (query, _) in queries(&dashboard) {
            used.extend(
                Names::of(&query)
                    .selected
                    .iter()
                    .filter_map(|(name, _)| Some(series(name)?.0)),
            );
        }
    }
    let own = CATALOG
        .iter()
        .map(|definition| definition.name)
        .filter(|name| name.starts_with("macmove_"));
    let missing: Vec<_> = own.filter(|name| !used.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn a_dashboard_can_be_imported_anywhere() {
    for (file, dashboard) in dashboards() {
        assert_eq!(dashboard["schemaVersion"], 39, "{file}");
        assert_eq!(dashboard["editable"], false, "{file}");
        assert!(
            !text(&dashboard, "uid").is_empty() && dashboard.get("id").is_none(),
            "{file}"
        );
        let variables: BTreeMap<_, _> = list(&dashboard["templating"], "list")
            .iter()
            .map(|variable| (text(variable, "name"), variable))
            .collect();
        assert_eq!(variables["datasource"]["query"], "prometheus", "{file}");
        for name in ["job", "instance"] {
            let variable = variables[name];
            assert_eq!(
                variable["refresh"], 2,
                "{file}: {name} follows the time range"
            );
            assert_eq!(variable["allValue"], ".+", "{file}: {name}");
            assert!(
                variable["multi"] == true && variable["includeAll"] == true,
                "{file}: {name}"
            );
        }
    }
}

#[test]
fn panels_are_described_and_share_no_place_and_no_number() {
    for (file, dashboard) in dashboards() {
        let (mut numbers, mut places) = (BTreeSet::new(), Vec::new());
        for panel in list(&dashboard, "panels") {
            assert!(
                numbers.insert(panel["id"].as_u64().unwrap()),
                "{file}: {}",
                panel["id"]
            );
            places.push((text(panel, "title"), &panel["gridPos"]));
        }
        for (index, (title, place)) in places.iter().enumerate() {
            for (other, taken) in &places[..index] {
                let apart = |at: &str, size: &str| {
                    let edge =
                        |place: &Value| place[at].as_u64().unwrap() + place[size].as_u64().unwrap();
                    edge(place) <= taken[at].as_u64().unwrap()
                        || edge(taken) <= place[at].as_u64().unwrap()
                };
                assert!(
                    apart("x", "w") || apart("y", "h"),
                    "{file}: {title} lies on {other}"
                );
            }
        }
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            assert!(
                !title.is_empty() && !text(panel, "description").is_empty(),
                "{file}: {title}"
            );
            let source = json!({"type": "prometheus", "uid": "${datasource}"});
            assert_eq!(panel["datasource"], source, "{file}: {title}");
            assert!(
                !text(&panel["fieldConfig"]["defaults"], "unit").is_empty(),
                "{file}: {title}"
            );
            assert!(!list(panel, "targets").is_empty(), "{file}: {title}");
        }
    }
}

#[test]
fn queries_choose_hosts_and_turn_counters_into_rates() {
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in list(panel, "targets") {
                let query = text(target, "expr");
                let at = format!("{file}: {}: {query}", text(panel, "title"));
                for (name, labels) in Names::of(query).selected {
                    assert!(labels.contains("job"), "{at}: {name} of any job");
                    assert!(query.contains("job=~\"$job\""), "{at}");
                    let counter = matches!(
                        CATALOG.iter().find(|definition| definition.name == name),
                        Some(definition) if definition.kind == Kind::Counter
                    );
                    let rated = query.contains("rate(") || query.contains("increase(");
                    assert!(
                        rated || !(counter || name.ends_with("_bucket")),
                        "{at}: {name} raw"
                    );
                }
                for range in query
                    .split('[')
                    .skip(1)
                    .filter_map(|rest| rest.split_once(']'))
                {
                    assert!(
                        ["$__rate_interval", "$__range"].contains(&range.0),
                        "{at}: {}",
                        range.0
                    );
                }
            }
        }
    }
}
