//! `macmovectl plan`: what is announced of a guest, and what is not and why.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::failure::Failure;
use super::output;
use super::plan_text::PlanText;
use super::text::from_hex;
use crate::listen::domain_xml::{self, Domain, MAX_OCTETS};
use crate::model::{FrameKind, Interface, VlanId};
use crate::wire::Frame;

/// A guest and its NICs. Texts are the XML's own, raw: escape them before they meet a terminal.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Plan<N> {
    pub(super) guest: Guest,
    pub(super) nics: Vec<N>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Guest {
    pub(super) name: Option<String>,
    pub(super) uuid: Option<String>,
}

/// One `<interface>` and what was decided about it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct NicPlan {
    pub(super) mac: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    pub(super) model: Option<String>,
    pub(super) vlans: Vec<VlanId>,
    pub(super) announceable: bool,
    pub(super) reason: Option<String>,
}

/// A NIC with what stands ready for it on this host.
#[derive(Debug, Deserialize)]
pub(super) struct StagedNic {
    #[serde(flatten)]
    pub(super) nic: NicPlan,
    #[serde(default)]
    pub(super) frames: Vec<PlannedFrame>,
    #[serde(default)]
    pub(super) route: Option<String>,
    #[serde(default)]
    pub(super) port: Option<String>,
    #[serde(default)]
    pub(super) bridge: Option<String>,
    #[serde(default)]
    pub(super) uplinks: Vec<String>,
}

/// A frame that stands ready.
#[derive(Debug, Deserialize)]
pub(super) struct PlannedFrame {
    pub(super) kind: FrameKind,
    #[serde(default)]
    pub(super) vlan: Option<VlanId>,
    /// In JSON pairs of hexadecimal digits.
    #[serde(deserialize_with = "octets")]
    pub(super) octets: Vec<u8>,
}

fn octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    from_hex(&digits).ok_or_else(|| D::Error::custom("octets are no pairs of hexadecimal digits"))
}

/// Shows the plan for the domain XML in `file`, or on standard input where that is `-`.
pub(super) fn of_file(file: &Path, json: bool) -> Result<(), Failure> {
    let xml = read(file).map_err(|source| Failure::Input {
        path: file.to_owned(),
        source,
    })?;
    let domain = domain_xml::read(&xml).map_err(|source| Failure::Data {
        path: file.to_owned(),
        source,
    })?;
    drop(xml);
    if json {
        output::print_json(&plan(domain, NicPlan::from))
    } else {
        output::print(PlanText(&plan(domain, StagedNic::from)))
    }
}

/// Reads as much as says whether the file is too long.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_OCTETS).unwrap_or(u64::MAX) + 1;
    let mut xml = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut xml)?;
    } else {
        File::open(file)?.take(limit).read_to_end(&mut xml)?;
    }
    Ok(xml)
}

fn plan<N>(domain: Domain, nic: impl Fn(Interface) -> N) -> Plan<N> {
    Plan {
        guest: Guest {
            name: domain.name,
            uuid: domain.uuid,
        },
        nics: domain.interfaces.into_iter().map(nic).collect(),
    }
}

impl From<Interface> for NicPlan {
    fn from(interface: Interface) -> Self {
        Self {
            mac: interface.mac,
            kind: interface.kind,
            source: interface.source,
            target: interface.target,
            model: interface.model,
            vlans: interface.vlans,
            announceable: interface.nic.is_ok(),
            reason: interface.nic.err().map(|refusal| refusal.to_string()),
        }
    }
}

impl From<Interface> for StagedNic {
    /// Without a host to look at, every frame is the untagged one.
    fn from(interface: Interface) -> Self {
        let frames = interface.nic.as_ref().ok().map(|nic| PlannedFrame {
            kind: FrameKind::Rarp,
            vlan: None,
            octets: Frame::rarp(nic.mac, None).to_vec(),
        });
        Self {
            nic: interface.into(),
            frames: frames.into_iter().collect(),
            route: None,
            port: None,
            bridge: None,
            uplinks: Vec::new(),
        }
    }
}
