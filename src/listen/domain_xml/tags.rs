//! One linear look over a document before a tree is built.

use std::borrow::Cow;

use super::{DomainXmlError, MAX_ATTRIBUTES, MAX_ATTRIBUTES_OF_ONE, MAX_NODES};

/// Refuses a document that would cost too much, and takes the prefixes out of its names.
///
/// libvirt reads `<metadata>` with prefixes that are declared nowhere, and a tree with namespaces
/// grows with the square of their declarations. Nothing that matters here has a prefix, so the
/// colon of every name becomes a full stop and all offsets stay as they are.
pub(super) fn prepare(xml: &str) -> Result<Cow<'_, str>, DomainXmlError> {
    // The tree reserves room by these two counts.
    let count = |wanted: u8| xml.bytes().filter(|&octet| octet == wanted).count();
    if count(b'<') > MAX_NODES {
        return Err(DomainXmlError::TooManyNodes);
    }
    if count(b'=') > MAX_ATTRIBUTES {
        return Err(DomainXmlError::TooManyAttributes);
    }
    let mut names = Names::of(xml);
    let mut offset = 0;
    while let Some(found) = xml.get(offset..).and_then(|rest| rest.find('<')) {
        offset += found;
        let rest = xml.get(offset..).unwrap_or_default();
        offset += match section_end(rest) {
            Section::Tag => names.tag(offset, rest)?,
            Section::Ends(length) => length,
            Section::Unclosed => break,
        };
    }
    Ok(names.finish())
}

/// What begins at a `<`.
enum Section {
    /// A start or end tag.
    Tag,
    /// Something without names, this long.
    Ends(usize),
    /// Something without names and without end, which the parser refuses.
    Unclosed,
}

fn section_end(rest: &str) -> Section {
    let closed = |start: &str, end: &str| {
        let after = rest.strip_prefix(start)?;
        Some(match after.find(end) {
            Some(length) => Section::Ends(start.len() + length + end.len()),
            None => Section::Unclosed,
        })
    };
    closed("<!--", "-->")
        .or_else(|| closed("<![CDATA[", "]]>"))
        .or_else(|| closed("<?", "?>"))
        .unwrap_or(Section::Tag)
}

/// The document with the names that were rewritten so far.
struct Names<'a> {
    xml: &'a str,
    rewritten: String,
    /// Up to here `rewritten` has the document.
    done: usize,
}

impl<'a> Names<'a> {
    const fn of(xml: &'a str) -> Self {
        Self {
            xml,
            rewritten: String::new(),
            done: 0,
        }
    }

    /// Rewrites the names of the tag at `start`, which `rest` begins with, and gives its length.
    fn tag(&mut self, start: usize, rest: &str) -> Result<usize, DomainXmlError> {
        let mut quote = None;
        let mut attributes = 0;
        for (index, octet) in rest.bytes().enumerate().skip(1) {
            match (quote, octet) {
                (Some(open), _) if octet == open => {
                    quote = None;
                    attributes += 1;
                    if attributes > MAX_ATTRIBUTES_OF_ONE {
                        return Err(DomainXmlError::TooManyAttributes);
                    }
                }
                // Not well-formed, within quotes or without. The parser says so.
                (_, b'<') => return Ok(index),
                (None, b'"' | b'\'') => quote = Some(octet),
                (None, b':') => self.replace(start + index),
                (None, b'>') => return Ok(index + 1),
                (Some(_) | None, _) => {}
            }
        }
        Ok(rest.len())
    }

    fn replace(&mut self, colon: usize) {
        if self.rewritten.is_empty() {
            self.rewritten.reserve_exact(self.xml.len());
        }
        let before = self.xml.get(self.done..colon).unwrap_or_default();
        self.rewritten.push_str(before);
        self.rewritten.push('.');
        self.done = colon + 1;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.done == 0 {
            return Cow::Borrowed(self.xml);
        }
        let rest = self.xml.get(self.done..).unwrap_or_default();
        self.rewritten.push_str(rest);
        Cow::Owned(self.rewritten)
    }
}

#[cfg(test)]
mod tests;
