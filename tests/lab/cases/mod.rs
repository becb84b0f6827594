//! What is tried in the lab.

mod silence;

use crate::evidence::Evidence;
use crate::oracle::{Expect, judge};

/// Fails with every violation that the oracle finds.
#[track_caller]
fn assert_kept(evidence: &Evidence, expect: &Expect) {
    let violations: Vec<_> = judge(evidence, expect)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
