//! What `macmovectl hook` tells the agent: one message a connection.
//!
//! ```text
//!  0  "mmhook"              magic
//!  6  1                     version
//!  7  0
//!  8  octets of the object, the operation, the phase and the extra argument, 2 each
//! 16  octets of the XML, 4; 0 where it is left out
//! 20  the object, the operation, the phase, the extra argument, the XML
//! ```
//!
//! Numbers are big endian. The texts are libvirt's arguments and its XML as they came: nothing here
//! trusts them or takes them for UTF-8.

/// Begins every message; the last octet but one is the version.
const MAGIC: [u8; 8] = *b"mmhook\x01\x00";

/// Octets before the texts.
const HEADER: usize = 20;

/// Octets of one argument. A guest's name ends at 255 on disk, and every other word is shorter.
const MAX_WORD: usize = 4_096;

/// The arguments of a hook script, in libvirt's order, and what it has on standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookMessage<'m> {
    /// The guest's name: its tenant's text.
    pub object: &'m [u8],
    /// The operation.
    pub operation: &'m [u8],
    /// `begin` or `end`.
    pub phase: &'m [u8],
    /// The extra argument, `-` where there is none.
    pub extra: &'m [u8],
    /// The guest's XML; none where it was too long, or cut off on its way.
    pub xml: Option<&'m [u8]>,
}

/// Why octets are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHookError {
    /// Another protocol, or another version of this one.
    #[error("the message does not begin as one of this version does")]
    Magic,
    /// It ends within its header or its arguments.
    #[error("the message ends before its arguments do")]
    Short,
    /// It goes on after what its header tells of.
    #[error("the message is longer than its header says")]
    Long,
}

impl<'m> HookMessage<'m> {
    /// Octets of a whole message. The XML of a guest with fifty disks and NICs has about 60 KiB.
    pub const MAX_OCTETS: usize = 128 << 10;

    /// The message as octets, without the XML where that does not fit. None where an argument is
    /// longer than any that libvirt passes.
    #[must_use]
    pub fn emit(&self) -> Option<Vec<u8>> {
        let words = [self.object, self.operation, self.phase, self.extra];
        let mut octets = Vec::with_capacity(Self::MAX_OCTETS);
        octets.extend(MAGIC);
        for word in words {
            let length = u16::try_from(word.len()).ok();
            let length = length.filter(|&length| usize::from(length) <= MAX_WORD)?;
            octets.extend(length.to_be_bytes());
        }
        let texts = words.iter().map(|word| word.len()).sum::<usize>();
        let room = Self::MAX_OCTETS
            .saturating_sub(HEADER)
            .saturating_sub(texts);
        let xml = self.xml.filter(|xml| xml.len() <= room).unwrap_or_default();
        octets.extend(u32::try_from(xml.len()).ok()?.to_be_bytes());
        for text in words.iter().chain([&xml]) {
            octets.extend_from_slice(text);
        }
        Some(octets)
    }

    /// Reads a message. One that was cut off within its XML has none.
    ///
    /// # Errors
    ///
    /// When it is no message of this version, is cut off earlier, or goes on after its end.
    pub fn parse(octets: &'m [u8]) -> Result<Self, ParseHookError> {
        let short = ParseHookError::Short;
        let (magic, rest) = octets.split_first_chunk::<8>().ok_or(short)?;
        if *magic != MAGIC {
            return Err(ParseHookError::Magic);
        }
        let (object, rest) = length(rest)?;
        let (operation, rest) = length(rest)?;
        let (phase, rest) = length(rest)?;
        let (extra, rest) = length(rest)?;
        let (xml, rest) = rest.split_first_chunk().ok_or(short)?;
        let xml = usize::try_from(u32::from_be_bytes(*xml)).map_err(|_| ParseHookError::Long)?;
        let (object, rest) = rest.split_at_checked(object).ok_or(short)?;
        let (operation, rest) = rest.split_at_checked(operation).ok_or(short)?;
        let (phase, rest) = rest.split_at_checked(phase).ok_or(short)?;
        let (extra, rest) = rest.split_at_checked(extra).ok_or(short)?;
        if rest.len() > xml {
            return Err(ParseHookError::Long);
        }
        Ok(Self {
            object,
            operation,
            phase,
            extra,
            xml: Some(rest).filter(|rest| rest.len() == xml && xml > 0),
        })
    }
}

fn length(octets: &[u8]) -> Result<(usize, &[u8]), ParseHookError> {
    let (length, rest) = octets.split_first_chunk().ok_or(ParseHookError::Short)?;
    Ok((usize::from(u16::from_be_bytes(*length)), rest))
}

#[cfg(test)]
mod tests;
