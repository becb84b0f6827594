//! A plan for people.

use std::fmt;

use super::text::{HexDump, cell, optional, table};
use crate::engine::{Outline, OutlinedFrame, StagedNic};
use crate::model::VlanId;
use crate::wire::Frame;

/// A heading, a table of the NICs, and the frames of each.
pub(super) struct PlanText<'a>(pub(super) &'a Outline<StagedNic>);

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outline { guest, nics } = self.0;
        let name = guest
            .name
            .as_deref()
            .map_or_else(|| "without a name".to_owned(), cell);
        let uuid = guest
            .uuid
            .as_deref()
            .map_or_else(|| "without a UUID".to_owned(), cell);
        writeln!(f, "guest {name} ({uuid})")?;
        if nics.is_empty() {
            return writeln!(f, "no interfaces: nothing to announce");
        }
        let mut rows = table(&[
            "nic",
            "mac",
            "type",
            "source",
            "target",
            "model",
            "vlans",
            "announced",
        ]);
        for (index, staged) in nics.iter().enumerate() {
            let nic = &staged.nic;
            rows.add_row([
                index.to_string(),
                optional(nic.mac.as_deref()),
                optional(nic.kind.as_deref()),
                optional(nic.source.as_deref()),
                optional(nic.target.as_deref()),
                optional(nic.model.as_deref()),
                vlans(&nic.vlans),
                verdict(staged),
            ]);
        }
        for line in rows.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        for (index, staged) in nics.iter().enumerate() {
            details(f, index, staged)?;
        }
        Ok(())
    }
}

/// VLANs that a table shows.
const SHOWN_VLANS: usize = 8;

fn vlans(vlans: &[VlanId]) -> String {
    let shown: Vec<String> = vlans
        .iter()
        .take(SHOWN_VLANS)
        .map(VlanId::to_string)
        .collect();
    match (shown.is_empty(), vlans.len() > SHOWN_VLANS) {
        (true, _) => "-".to_owned(),
        (false, false) => shown.join(","),
        (false, true) => format!("{},…", shown.join(",")),
    }
}

fn verdict(staged: &StagedNic) -> String {
    match (staged.nic.announceable, &staged.nic.reason) {
        (true, _) => "yes".to_owned(),
        (false, Some(reason)) => format!("no: {}", crate::model::Escaped(reason)),
        (false, None) => "no".to_owned(),
    }
}

/// The way out and the frames of one NIC.
fn details(f: &mut fmt::Formatter<'_>, index: usize, staged: &StagedNic) -> fmt::Result {
    if let Some(route) = &staged.route {
        let uplinks = staged.uplinks.iter().map(|uplink| cell(uplink));
        let uplinks: Vec<String> = uplinks.collect();
        writeln!(
            f,
            "\nnic {index}: by {} from port {} of bridge {}, uplinks {}",
            cell(route),
            optional(staged.port.as_deref()),
            optional(staged.bridge.as_deref()),
            if uplinks.is_empty() {
                "none".to_owned()
            } else {
                uplinks.join(", ")
            },
        )?;
    }
    for frame in &staged.frames {
        show(f, index, "", frame)?;
    }
    let mut retractions = staged.retractions.iter();
    retractions.try_for_each(|frame| show(f, index, " once it has left", frame))
}

fn show(
    f: &mut fmt::Formatter<'_>,
    index: usize,
    when: &str,
    frame: &OutlinedFrame,
) -> fmt::Result {
    let vlan = frame
        .vlan
        .map_or_else(String::new, |vlan| format!(" for VLAN {vlan}"));
    write!(f, "\nnic {index}, {}{vlan}{when}: ", frame.kind)?;
    match Frame::parse(&frame.octets) {
        Ok(parsed) => writeln!(f, "{parsed}")?,
        Err(error) => writeln!(f, "{error}")?,
    }
    write!(f, "{}", HexDump(&frame.octets))
}

#[cfg(test)]
mod tests;
