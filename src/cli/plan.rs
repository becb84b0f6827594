//! `macmovectl plan`: what is announced of a guest, and what is not and why.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::failure::Failure;
use super::output;
use super::plan_text::PlanText;
use crate::engine::{Outline, OutlinedFrame, OutlinedGuest, OutlinedNic, StagedNic};
use crate::listen::domain_xml::{self, Domain, MAX_OCTETS};
use crate::model::{FrameKind, Interface};
use crate::wire::Frame;

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
        output::print_json(&outline(domain, OutlinedNic::from))
    } else {
        output::print(PlanText(&outline(domain, unstaged)))
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

fn outline<N>(domain: Domain, nic: impl Fn(Interface) -> N) -> Outline<N> {
    Outline {
        guest: OutlinedGuest {
            name: domain.name,
            uuid: domain.uuid,
        },
        nics: domain.interfaces.into_iter().map(nic).collect(),
    }
}

/// Without a host to look at, every frame is the untagged one.
fn unstaged(interface: Interface) -> StagedNic {
    let frames = interface.nic.as_ref().ok().map(|nic| OutlinedFrame {
        kind: FrameKind::Rarp,
        vlan: None,
        octets: Frame::rarp(nic.mac, None).to_vec(),
    });
    StagedNic {
        nic: interface.into(),
        frames: frames.into_iter().collect(),
        retractions: Vec::new(),
        route: None,
        port: None,
        bridge: None,
        uplinks: Vec::new(),
    }
}
