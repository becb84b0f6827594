//! Judges a capture: does what the vantage points saw keep the design's invariants?
//!
//! It knows nothing of the code under test. A verdict names the frame, or what is missing, and the
//! place.

use std::fmt;

use macmoved::model::MacAddr;

use crate::evidence::{
    Evidence, Frame, Migration, Place, RARP, ROUNDS, Stamp, fabric_port, guest_mac,
};

/// What a capture is held to.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    /// When rounds go, in milliseconds from RESUME. Empty: nobody announces.
    pub(crate) rounds: Vec<f64>,
    /// How many announcements may go before RESUME, per MAC.
    pub(crate) early: usize,
    /// How far from its time a round may be, in milliseconds.
    pub(crate) tolerance: f64,
    /// How long the first announcement may take while repeats of other guests go, in milliseconds.
    pub(crate) first_within: f64,
    /// How many announcements may enter the fabric by one port.
    pub(crate) pacing: Option<Pacing>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// Frames in any second, in the long run.
    pub(crate) frames_per_second: f64,
    /// Frames at once.
    pub(crate) burst: f64,
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Violation {
    /// Which.
    pub(crate) rule: Rule,
    /// What broke it, where and when.
    pub(crate) what: String,
}

/// The invariants, with their numbers in the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// 1: after the destination's first announcement nothing leaves the source for the guest.
    SourceSilent,
    /// 2: nothing leaves the destination for the guest before it arrived whole.
    DestinationWaits,
    /// 3: every round goes, at its time.
    RoundMissing,
    /// 3: nothing but the rounds and the early announcement goes.
    RoundAstray,
    /// 3: an announcement has the octets of QEMU's.
    Octets,
    /// 5: one move in the fabric's FDB per migration and MAC.
    OneMove,
    /// 6: pacing holds in every window.
    Pacing,
    /// 6: first frames go before repeats.
    FirstsFirst,
    /// 10: only guests that are here, and only when they arrive.
    Unasked,
}

impl Rule {
    const fn number(self) -> u8 {
        match self {
            Self::SourceSilent => 1,
            Self::DestinationWaits => 2,
            Self::RoundMissing | Self::RoundAstray | Self::Octets => 3,
            Self::OneMove => 5,
            Self::Pacing | Self::FirstsFirst => 6,
            Self::Unasked => 10,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invariant {} ({:?}): {}",
            self.rule.number(),
            self.rule,
            self.what
        )
    }
}

impl Default for Expect {
    /// QEMU's schedule, one early announcement, and what a busy machine needs.
    fn default() -> Self {
        Self {
            rounds: ROUNDS.to_vec(),
            early: 1,
            tolerance: 100.0,
            first_within: 100.0,
            pacing: None,
        }
    }
}

impl Expect {
    /// Nobody announces.
    pub(crate) fn silence() -> Self {
        Self {
            rounds: Vec::new(),
            early: 0,
            ..Self::default()
        }
    }
}

/// QEMU's announcement of a MAC (`net/announce.c`), 60 octets.
pub(crate) fn announcement(mac: MacAddr) -> Vec<u8> {
    let mac = mac.octets();
    let mut octets = vec![0xff; 6];
    octets.extend(mac);
    octets.extend([0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 6, 4, 0, 3]);
    octets.extend(mac);
    octets.extend([0; 4]);
    octets.extend(mac);
    octets.extend([0; 4]);
    octets.extend([0; 18]);
    octets
}

/// Every violation, migration by migration.
pub(crate) fn judge(evidence: &Evidence, expect: &Expect) -> Vec<Violation> {
    let mut violations = Vec::new();
    for migration in evidence
        .migrations
        .iter()
        .filter(|migration| migration.succeeded)
    {
        for nic in evidence.nics(migration.guest) {
            let case = Case {
                evidence,
                expect,
                migration,
                nic,
                announced: evidence.announcements(migration, nic).collect(),
            };
            violations.extend(case.source_silent());
            violations.extend(case.destination_waits());
            violations.extend(case.rounds());
            violations.extend(case.octets());
            violations.extend(case.one_move());
            violations.extend(case.firsts_first());
        }
    }
    violations.extend(unasked(evidence));
    violations.extend(paced(evidence, expect));
    violations
}

/// One NIC in one migration.
struct Case<'a> {
    evidence: &'a Evidence,
    expect: &'a Expect,
    migration: &'a Migration,
    nic: u8,
    announced: Vec<&'a Frame>,
}

impl Case<'_> {
    fn violation(&self, rule: Rule, what: &str) -> Violation {
        let Migration {
            guest, from, to, ..
        } = self.migration;
        Violation {
            rule,
            what: format!(
                "guest {guest}, NIC {}, from {from} to {to}: {what}",
                self.nic
            ),
        }
    }

    /// A frame with its time from RESUME, or else from the begin.
    fn frame(&self, frame: &Frame) -> String {
        let (since, what) = match self.migration.resumed {
            Some(resumed) => (resumed, "RESUME"),
            None => (self.migration.span.start, "the begin"),
        };
        format!("{frame}, {:+.3} ms from {what}", frame.at.ms_after(since))
    }

    /// Every frame of the guest's MAC in the migration's span.
    fn frames(&self) -> impl Iterator<Item = &Frame> {
        let mac = guest_mac(self.nic, self.migration.guest);
        let of_mac = self
            .evidence
            .frames
            .iter()
            .filter(move |frame| frame.source == mac);
        of_mac.filter(|frame| self.migration.span.contains(&frame.at))
    }

    /// Whether a host sends the frame, be it out of its uplink, in by the guest's tap as the guest
    /// does, or out of the bridge itself.
    fn sent_by(&self, frame: &Frame, host: &str) -> bool {
        let (uplink, bridge) = (format!("up{}", self.nic), format!("br{}", self.nic));
        match &frame.place {
            Place::Port(port) => *port == fabric_port(host, self.nic),
            Place::Link {
                host: at,
                link,
                out,
            } => {
                let sends = if *link == uplink || *link == bridge {
                    *out
                } else {
                    !*out
                };
                at == host && sends && link != "lo"
            }
        }
    }

    fn source_silent(&self) -> Vec<Violation> {
        let Some(first) = self.announced.first() else {
            return Vec::new();
        };
        self.frames()
            .filter(|frame| frame.at > first.at && self.sent_by(frame, &self.migration.from))
            .map(|frame| {
                let after = frame.at.ms_after(first.at);
                let what = format!("{}, {after:.3} ms after {first}", self.frame(frame));
                self.violation(Rule::SourceSilent, &what)
            })
            .collect()
    }

    fn destination_waits(&self) -> Vec<Violation> {
        let arrived = self.arrived();
        self.frames()
            .filter(|frame| arrived.is_none_or(|arrived| frame.at < arrived))
            .filter(|frame| self.sent_by(frame, &self.migration.to))
            .map(|frame| self.violation(Rule::DestinationWaits, &self.frame(frame)))
            .collect()
    }

    /// When the guest was whole at the destination, or, in post-copy before that, ran there.
    fn arrived(&self) -> Option<Stamp> {
        let Migration {
            completed, resumed, ..
        } = self.migration;
        [*completed, *resumed].into_iter().flatten().min()
    }

    fn rounds(&self) -> Vec<Violation> {
        let resumed = self.migration.resumed;
        let before_resume = |frame: &&&Frame| resumed.is_none_or(|resumed| frame.at < resumed);
        let (early, mut rest): (Vec<&Frame>, Vec<&Frame>) =
            self.announced.iter().partition(before_resume);
        let mut violations = Vec::new();
        for frame in early.iter().skip(self.expect.early) {
            let what = format!("one early announcement too many: {}", self.frame(frame));
            violations.push(self.violation(Rule::RoundAstray, &what));
        }
        let Some(resumed) = resumed else {
            return violations;
        };
        // Closest pairs first, so that a lost round is not filled by its neighbour.
        let error = |due: f64, frame: &Frame| (frame.at.ms_after(resumed) - due).abs();
        let mut missing: Vec<_> = self.expect.rounds.iter().copied().zip(1..).collect();
        loop {
            let pairs = missing.iter().enumerate().flat_map(|(round, &(due, _))| {
                let of_round = rest.iter().enumerate();
                of_round.map(move |(at, frame)| (error(due, frame), round, at))
            });
            let closest = pairs.min_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, round, at)) = closest.filter(|pair| pair.0 <= self.expect.tolerance)
            else {
                break;
            };
            missing.remove(round);
            rest.remove(at);
        }
        for (due, round) in missing {
            let port = fabric_port(&self.migration.to, self.nic);
            let what = format!("round {round}, due at {due} ms, is missing at port {port}");
            violations.push(self.violation(Rule::RoundMissing, &what));
        }
        // QEMU's two words may reach the agent together and late.
        let late = |frame: &&Frame| frame.at.ms_after(resumed) <= self.expect.tolerance;
        let spare = self.expect.early.saturating_sub(early.len());
        let late_early = rest.iter().copied().filter(late).take(spare).count();
        for frame in rest.into_iter().skip(late_early) {
            let what = format!("no round is due: {}", self.frame(frame));
            violations.push(self.violation(Rule::RoundAstray, &what));
        }
        violations
    }

    fn octets(&self) -> Vec<Violation> {
        let expected = announcement(guest_mac(self.nic, self.migration.guest));
        let differs = |frame: &&&Frame| frame.vlan.is_none() && frame.octets != expected;
        let wrong = self.announced.iter().filter(differs);
        wrong
            .map(|frame| {
                let pairs = frame.octets.iter().zip(&expected);
                let at = pairs.take_while(|(is, should)| is == should).count();
                let what = format!("{} differs from octet {at} on", self.frame(frame));
                self.violation(Rule::Octets, &what)
            })
            .collect()
    }

    fn one_move(&self) -> Vec<Violation> {
        let mac = guest_mac(self.nic, self.migration.guest);
        let since = self.migration.stopped.unwrap_or(self.migration.span.start);
        let in_fabric = self.evidence.fdb.iter().filter(|change| {
            change.place == "fabric" && change.mac == mac && change.at < self.migration.span.end
        });
        let mut moves = 0;
        let mut port: Option<&str> = None;
        let mut violations = Vec::new();
        for change in in_fabric.filter(|change| !change.gone) {
            let elsewhere = port != Some(&change.port);
            port = Some(&change.port);
            if !elsewhere || change.at < since {
                continue;
            }
            moves += 1;
            if moves > 1 {
                let (file, line, port) = (&change.file, change.line, &change.port);
                let what = format!("{file} line {line}: move {moves}, to fabric port {port}");
                violations.push(self.violation(Rule::OneMove, &what));
            }
        }
        violations
    }

    /// No repeat goes while the first announcement of another guest is overdue on the same port.
    fn firsts_first(&self) -> Vec<Violation> {
        let port = fabric_port(&self.migration.to, self.nic);
        let Some((first, due)) = self.announced.first().zip(self.arrived()) else {
            return Vec::new();
        };
        let others = self.evidence.migrations.iter().filter(|other| {
            other.guest != self.migration.guest && fabric_port(&other.to, self.nic) == port
        });
        let repeats = others.flat_map(|other| self.evidence.announcements(other, self.nic).skip(1));
        repeats
            .filter(|repeat| {
                repeat.at < first.at && repeat.at.ms_after(due) > self.expect.first_within
            })
            .map(|repeat| {
                let what = format!("{repeat} repeats before the first, {}", self.frame(first));
                self.violation(Rule::FirstsFirst, &what)
            })
            .collect()
    }
}

/// Announcements outside any migration, by the wrong port, or of an address that no guest has; and
/// frames of strangers.
fn unasked(evidence: &Evidence) -> Vec<Violation> {
    let guests: Vec<_> = (0..2)
        .flat_map(|nic| {
            evidence
                .guests
                .keys()
                .map(move |&number| guest_mac(nic, number))
        })
        .collect();
    let asked = |frame: &Frame| {
        evidence.migrations.iter().any(|migration| {
            (0..2).any(|nic| {
                frame.source == guest_mac(nic, migration.guest)
                    && migration.span.contains(&frame.at)
                    && frame.entered(&fabric_port(&migration.to, nic))
            })
        })
    };
    // The lab's own links have addresses that begin so.
    let lab = |mac: MacAddr| mac.octets().starts_with(&[0x02, 0, 0, 0]);
    let at_port = |frame: &&Frame| matches!(frame.place, Place::Port(_));
    let violation = |frame: &Frame| Violation {
        rule: Rule::Unasked,
        what: frame.to_string(),
    };
    let entered = evidence.frames.iter().filter(at_port);
    entered
        .filter(|frame| {
            let stranger = !guests.contains(&frame.source) && !lab(frame.source);
            stranger || (frame.ethertype == RARP && !asked(frame))
        })
        .map(violation)
        .collect()
}

/// Announcements by each port against the token bucket, in every window.
fn paced(evidence: &Evidence, expect: &Expect) -> Vec<Violation> {
    let Some(pacing) = expect.pacing else {
        return Vec::new();
    };
    let announcements = evidence
        .frames
        .iter()
        .filter(|frame| frame.ethertype == RARP);
    let mut ports: std::collections::BTreeMap<&str, Vec<&Frame>> =
        std::collections::BTreeMap::new();
    for frame in announcements {
        if let Place::Port(port) = &frame.place {
            ports.entry(port).or_default().push(frame);
        }
    }
    let mut violations = Vec::new();
    for frames in ports.values() {
        // The first window that each frame overflows is enough to name it.
        for (last, frame) in frames.iter().enumerate() {
            let overflows = |first: &usize| {
                let seconds = frame.at.ms_after(frames[*first].at) / 1e3;
                let allowed = pacing.burst + pacing.frames_per_second * seconds;
                f64::from(u32::try_from(last - first + 1).unwrap_or(u32::MAX)) > allowed + 0.5
            };
            if let Some(first) = (0..=last).find(overflows) {
                let span = frame.at.ms_after(frames[first].at);
                let count = last - first + 1;
                violations.push(Violation {
                    rule: Rule::Pacing,
                    what: format!("{frame} is the {count}th announcement in {span:.3} ms"),
                });
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests;
