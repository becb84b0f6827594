//! `macmovectl frame`: one frame, octet by octet.

use std::fmt;
use std::fs;

use serde::Serialize;

use super::failure::Failure;
use super::options::FrameKind;
use super::text::spaced;
use super::{clock, output};
use crate::model::FrameKind as Word;
use crate::wire::{Capture, Field, Frame};

/// Octets on one line.
const LINE: usize = 8;

/// Builds the frame and shows it.
pub(super) fn show(kind: &FrameKind, json: bool) -> Result<(), Failure> {
    let (word, frame, common) = match kind {
        FrameKind::Rarp { mac, common } => (Word::Rarp, Frame::rarp(*mac, common.vlan), common),
        FrameKind::Unarp { source, ip, common } => {
            let frame = Frame::unarp(*source, *ip, common.vlan);
            (Word::Unarp, frame, common)
        }
        FrameKind::Garp { mac, ip, common } => {
            (Word::Garp, Frame::garp(*mac, *ip, common.vlan), common)
        }
    };
    if let Some(path) = &common.pcap {
        let mut capture = Capture::new();
        capture.push(clock::now(), &frame.to_vec());
        fs::write(path, capture.as_octets()).map_err(|source| Failure::Capture {
            path: path.clone(),
            source,
        })?;
    }
    if json {
        output::print_json(&FrameJson::of(word, &frame))
    } else {
        output::print(Explained(&frame))
    }
}

#[derive(Serialize)]
struct FrameJson {
    kind: Word,
    description: String,
    length: usize,
    octets: String,
    fields: Vec<FieldJson>,
}

#[derive(Serialize)]
struct FieldJson {
    offset: usize,
    octets: String,
    meaning: String,
}

impl FrameJson {
    fn of(kind: Word, frame: &Frame) -> Self {
        let hex = |octets: &[u8]| spaced(octets).replace(' ', "");
        let field = |field: Field| FieldJson {
            offset: field.offset,
            octets: hex(&field.octets),
            meaning: field.meaning,
        };
        Self {
            kind,
            description: frame.to_string(),
            length: frame.buffer_len(),
            octets: hex(&frame.to_vec()),
            fields: frame.fields().into_iter().map(field).collect(),
        }
    }
}

/// A line of description and a line for each field.
struct Explained<'a>(&'a Frame);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0)?;
        let width = LINE * 3 - 1;
        for field in self.0.fields() {
            let mut meaning = field.meaning.as_str();
            let mut offset = field.offset;
            for octets in field.octets.chunks(LINE) {
                let line = format!("{offset:4}  {:width$}  {meaning}", spaced(octets));
                writeln!(f, "{}", line.trim_end())?;
                meaning = "";
                offset += octets.len();
            }
        }
        Ok(())
    }
}
