//! Checks that the module graph stays a layered, acyclic one.

#![expect(clippy::unwrap_used, reason = "a check that cannot run must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every top-level module and the modules it may import.
///
/// The order is the layering: a row may name only rows above it, so the graph
/// cannot contain a cycle. Adding an edge means editing this table in review.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("engine", &["model", "wire"]),
    ("config", &["model", "engine"]),
    ("sys", &["model"]),
    ("listen", &["model", "wire", "engine", "sys"]),
    ("observe", &["model", "wire", "engine", "sys"]),
    ("emit", &["model", "wire", "engine", "sys"]),
    ("metrics", &["model", "engine"]),
    ("control", &["model", "engine", "metrics", "sys"]),
    (
        "daemon",
        &[
            "model", "wire", "engine", "config", "sys", "listen", "observe", "emit", "metrics",
            "control",
        ],
    ),
    (
        "cli",
        &["model", "wire", "engine", "config", "listen", "control"],
    ),
];

/// Modules that must stay deterministic: no clock, no file, no socket, no task.
const PURE: &[&str] = &["model", "wire", "engine"];

/// Paths that would make a pure module impure.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "UdpSocket",
    "TcpStream",
    "Instant::now",
    "SystemTime",
    "tokio::",
    "nix::",
    "libc::",
    "zbus::",
    "rand::",
    "HashMap",
    "HashSet",
];

/// Longest file a reader should meet, tests excluded.
const MAX_LINES: usize = 400;

#[test]
fn the_table_is_a_topological_order() {
    for (row, (module, allowed)) in LAYERS.iter().enumerate() {
        let above: BTreeSet<_> = LAYERS[..row].iter().map(|(name, _)| *name).collect();
        for dependency in *allowed {
            assert!(
                above.contains(dependency),
                "`{module}` names `{dependency}`, not above it"
            );
        }
    }
}

#[test]
fn every_module_is_in_the_table() {
    let listed: BTreeSet<_> = LAYERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<_> = fs::read_dir("src")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !["lib", "main", "bin"].contains(&name.as_str()))
        .collect();
    assert_eq!(listed, found);
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut violations = Vec::new();
    for (module, allowed) in LAYERS {
        for file in rust_files(module) {
            for import in crate_imports(&code(&file)) {
                if import != *module && !allowed.contains(&import.as_str()) {
                    violations.push(format!("{}: crate::{import}", file.display()));
                }
            }
        }
    }
    assert!(
        violations.is_empty(),
        "layering broken:\n{}",
        violations.join("\n")
    );
}

#[test]
fn the_core_is_pure() {
    for module in PURE {
        // What tests it may read its environment and write files.
        let tested = |file: &&PathBuf| !file.iter().any(|part| part == "tests");
        for file in rust_files(module).iter().filter(tested) {
            let code = code(file);
            for path in IMPURE {
                assert!(!code.contains(path), "{} mentions {path}", file.display());
            }
        }
    }
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    for (module, _) in LAYERS {
        for file in rust_files(module) {
            if file.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
        }
    }
}

/// Source files of one top-level module, be it `src/m.rs` or `src/m/**`.
fn rust_files(module: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from("src").join(module)];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.extend(Some(PathBuf::from(format!("src/{module}.rs"))).filter(|path| path.is_file()));
    found
}

/// The text of a file without its line comments.
fn code(file: &Path) -> String {
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// First segments that follow `crate::`, in single paths and in `{...}` groups,
/// and the top-level modules reached through `super::`.
fn crate_imports(text: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<_> = text
        .match_indices("super::")
        .map(|(at, matched)| identifier(&text[at + matched.len()..]))
        .filter(|name| LAYERS.iter().any(|(module, _)| module == name))
        .collect();
    for (at, matched) in text.match_indices("crate::") {
        let rest = &text[at + matched.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut start = Some(0);
        for (offset, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = Some(offset + 1),
                c if depth == 0 && !c.is_whitespace() => {
                    if let Some(begin) = start.take() {
                        found.insert(identifier(group[begin..].trim_start()));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn grouped_and_single_imports_are_both_seen() {
    let text = "use crate::{model::MacAddr, wire::{arp, rarp}, sys};\nlet x = crate::emit::send();";
    let found: Vec<_> = crate_imports(text).into_iter().collect();
    assert_eq!(found, ["emit", "model", "sys", "wire"]);
}
