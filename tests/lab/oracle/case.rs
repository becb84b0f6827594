//! Rules for one NIC in one migration.

use super::{Expect, Rule, Violation, announcement};
use crate::evidence::{Evidence, Frame, Migration, Place, Stamp, fabric_port, guest_mac};

/// A round that is due so shortly before the guest leaves, in milliseconds, may go or not.
const LEAVING: f64 = 100.0;

/// One NIC in one migration.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) expect: &'a Expect,
    pub(super) migration: &'a Migration,
    pub(super) nic: u8,
    announced: Vec<&'a Frame>,
}

impl<'a> Case<'a> {
    pub(super) fn of(
        evidence: &'a Evidence,
        expect: &'a Expect,
        migration: &'a Migration,
        nic: u8,
    ) -> Self {
        Self {
            evidence,
            expect,
            migration,
            nic,
            announced: evidence.announcements(migration, nic).collect(),
        }
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        let rules = [
            Self::source_silent,
            Self::destination_waits,
            Self::rounds,
            Self::rollback,
            Self::destination_silent,
            Self::fabric_astray,
            Self::octets,
            Self::one_move,
            Self::firsts_first,
        ];
        rules.iter().flat_map(|rule| rule(self)).collect()
    }

    pub(super) fn violation(&self, rule: Rule, what: &str) -> Violation {
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
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
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
    pub(super) fn sent_by(&self, frame: &Frame, host: &str) -> bool {
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
        let returned = self.migration.returned;
        self.frames()
            .filter(|frame| frame.at > first.at && self.sent_by(frame, &self.migration.from))
            .filter(|frame| returned.is_none_or(|returned| frame.at < returned))
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
        for (round, due) in self.take_rounds(resumed, &mut rest) {
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

    /// Takes the rounds of a schedule that began at `start` out of `frames`, and returns those that
    /// are missing: number and time. A guest that leaves takes the rest of its schedule along.
    pub(super) fn take_rounds(&self, start: Stamp, frames: &mut Vec<&Frame>) -> Vec<(usize, f64)> {
        // Closest pairs first, so that a lost round is not filled by its neighbour.
        let error = |due: f64, frame: &Frame| (frame.at.ms_after(start) - due).abs();
        let mut missing: Vec<_> = (1..).zip(self.expect.rounds.iter().copied()).collect();
        loop {
            let pairs = missing.iter().enumerate().flat_map(|(round, &(_, due))| {
                let of_round = frames.iter().enumerate();
                of_round.map(move |(at, frame)| (error(due, frame), round, at))
            });
            let closest = pairs.min_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, round, at)) = closest.filter(|pair| pair.0 <= self.expect.tolerance)
            else {
                break;
            };
            missing.remove(round);
            frames.remove(at);
        }
        let stay = self.migration.span.end.ms_after(start) - LEAVING;
        missing.retain(|&(_, due)| due < stay);
        missing
    }

    fn octets(&self) -> Vec<Violation> {
        let expected = announcement(guest_mac(self.nic, self.migration.guest));
        let from = &self.migration.from;
        let rollback = self
            .evidence
            .announcements_from(from, self.migration, self.nic);
        let differs = |frame: &&Frame| frame.vlan.is_none() && frame.octets != expected;
        let all = self.announced.iter().copied().chain(rollback);
        let wrong = all.filter(differs);
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
        let allowed = 1 + usize::from(self.migration.returned.is_some());
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
            if moves > allowed {
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
