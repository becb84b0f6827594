//! Rules for a guest that was stopped to leave and runs at its source again.

use super::case::Case;
use super::{Rule, Violation};
use crate::evidence::{Frame, Migration, RARP, fabric_port, guest_mac};

impl Case<'_> {
    /// The whole schedule goes from the source when the guest is back there.
    pub(super) fn rollback(&self) -> Vec<Violation> {
        let Some(returned) = self.migration.returned else {
            return Vec::new();
        };
        let from = &self.migration.from;
        let frames = self
            .evidence
            .announcements_from(from, self.migration, self.nic);
        let mut frames: Vec<_> = frames.filter(|frame| frame.at >= returned).collect();
        let mut violations = Vec::new();
        for (round, due) in self.take_rounds(returned, &mut frames) {
            let port = fabric_port(from, self.nic);
            let what = format!(
                "round {round}, due {due} ms after the guest is back, is missing at port {port}"
            );
            violations.push(self.violation(Rule::RollbackMissing, &what));
        }
        for frame in frames {
            let after = frame.at.ms_after(returned);
            let what = format!("no round is due {after:.3} ms after the guest is back: {frame}");
            violations.push(self.violation(Rule::RoundAstray, &what));
        }
        violations
    }

    /// A destination may hear of the guest's arrival after the source has taken it back.
    pub(super) fn destination_silent(&self) -> Vec<Violation> {
        let Migration {
            completed,
            resumed,
            returned,
            ..
        } = self.migration;
        let Some(returned) = returned.filter(|_| resumed.is_none()) else {
            return Vec::new();
        };
        let on_its_way = |frame: &Frame| {
            completed.is_some()
                && frame.ethertype == RARP
                && frame.at.ms_after(returned) <= self.expect.first_within
        };
        self.frames()
            .filter(|frame| frame.at > returned && self.sent_by(frame, &self.migration.to))
            .filter(|frame| !on_its_way(frame))
            .map(|frame| {
                let after = frame.at.ms_after(returned);
                let what = format!("{after:.3} ms after the guest is back: {frame}");
                self.violation(Rule::DestinationSilent, &what)
            })
            .collect()
    }

    /// The last that the fabric learned of the guest is that it is behind the source.
    pub(super) fn fabric_astray(&self) -> Vec<Violation> {
        let Migration {
            from,
            span,
            resumed,
            returned,
            guest,
            ..
        } = self.migration;
        if returned.is_none() || resumed.is_some() {
            return Vec::new();
        }
        let mac = guest_mac(self.nic, *guest);
        let last = self.evidence.fdb.iter().rfind(|change| {
            change.place == "fabric"
                && change.mac == mac
                && !change.gone
                && span.contains(&change.at)
        });
        last.filter(|last| last.port != fabric_port(from, self.nic))
            .map(|last| {
                let (file, line, port) = (&last.file, last.line, &last.port);
                let what =
                    format!("{file} line {line} has it behind {port}, and the guest is back");
                self.violation(Rule::FabricAstray, &what)
            })
            .into_iter()
            .collect()
    }
}
