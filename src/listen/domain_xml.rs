//! Domain XML to NICs.
//!
//! Whoever may define a guest writes its XML, so nothing here trusts it: what a document can cost
//! is bounded before a tree is built, and no text of it reaches an error message unescaped.

mod attachment;
mod interface;
mod tags;

use roxmltree::{Document, Error as XmlError, Node, ParsingOptions};

use crate::model::{Escaped, GuestDescription, GuestId, GuestName, Interface};

/// Octets of a document: libvirt carries no longer string (`VIR_NET_MESSAGE_STRING_MAX` in
/// `src/rpc/virnetprotocol.x`).
pub const MAX_OCTETS: usize = 4 << 20;

/// Elements, texts and comments of a document. XML as libvirt writes it has fewer in
/// [`MAX_OCTETS`]; the tree takes 80 octets for each.
const MAX_NODES: usize = 1 << 18;

/// Attributes of a document, as [`MAX_NODES`].
const MAX_ATTRIBUTES: usize = 1 << 18;

/// Attributes of one element. libvirt's schema has none with forty; the tree compares each with
/// all others.
const MAX_ATTRIBUTES_OF_ONE: usize = 128;

/// Interfaces of a guest. QEMU's PCI topology ends far below.
const MAX_INTERFACES: usize = 1 << 14;

/// Characters of a parser's message that are kept: it may quote the document at any length.
const MAX_MESSAGE: usize = 200;

/// Why a text is no domain XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainXmlError {
    /// Nothing at all.
    #[error("the domain XML is empty")]
    Empty,
    /// Longer than [`MAX_OCTETS`].
    #[error("the domain XML is longer than {MAX_OCTETS} octets, more than libvirt sends")]
    TooLong,
    /// In another encoding than libvirt's.
    #[error("the domain XML is not UTF-8 at octet {0}; libvirt writes UTF-8")]
    NotUtf8(usize),
    /// More elements, texts and comments than a tree is built for.
    #[error("the domain XML has more than {MAX_NODES} elements, texts and comments")]
    TooManyNodes,
    /// More attributes than a tree is built for.
    #[error(
        "the domain XML has more than {MAX_ATTRIBUTES} attributes, \
         or one element with more than {MAX_ATTRIBUTES_OF_ONE}"
    )]
    TooManyAttributes,
    /// More interfaces than a guest can have.
    #[error("the domain XML has more than {MAX_INTERFACES} interfaces")]
    TooManyInterfaces,
    /// A document type definition, which can define entities that grow without bound.
    #[error("the domain XML has a document type definition; remove it, libvirt writes none")]
    DocumentType,
    /// Not well-formed XML; the parser's words, escaped.
    #[error("the domain XML is not well-formed: {0}")]
    Malformed(String),
    /// Another root element; its name, escaped.
    #[error("the root element is <{0}>, not <domain>")]
    NotADomain(String),
}

/// A `<domain>` in the XML's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// `<name>`.
    pub name: Option<String>,
    /// `<uuid>`.
    pub uuid: Option<String>,
    /// One entry per `<interface>`, in document order.
    pub interfaces: Vec<Interface>,
}

impl From<Domain> for GuestDescription {
    fn from(domain: Domain) -> Self {
        Self {
            uuid: domain.uuid.as_deref().and_then(parse_uuid),
            name: GuestName::new(domain.name.unwrap_or_default()),
            interfaces: domain.interfaces,
            by_links: false,
        }
    }
}

/// Reads what matters of a guest's XML.
///
/// Takes any `<domain>` that libvirt takes, except for a document type definition. A document
/// of [`MAX_OCTETS`] is answered or refused within 48 MiB.
pub fn parse(xml: &[u8]) -> Result<GuestDescription, DomainXmlError> {
    read(xml).map(GuestDescription::from)
}

/// As [`parse`], in the XML's own words.
pub fn read(xml: &[u8]) -> Result<Domain, DomainXmlError> {
    if xml.is_empty() {
        return Err(DomainXmlError::Empty);
    }
    if xml.len() > MAX_OCTETS {
        return Err(DomainXmlError::TooLong);
    }
    let text =
        std::str::from_utf8(xml).map_err(|error| DomainXmlError::NotUtf8(error.valid_up_to()))?;
    let text = tags::prepare(text)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: u32::try_from(MAX_NODES).unwrap_or(u32::MAX),
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&text, options).map_err(|error| refuse(&error))?;
    let root = document.root_element();
    if root.tag_name().name() != "domain" {
        return Err(DomainXmlError::NotADomain(shown(root.tag_name().name())));
    }
    Ok(Domain {
        name: text_of_child(root, "name"),
        uuid: text_of_child(root, "uuid"),
        interfaces: interfaces(root)?,
    })
}

fn refuse(error: &XmlError) -> DomainXmlError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's own words do for the others"
    )]
    match error {
        XmlError::DtdDetected => DomainXmlError::DocumentType,
        XmlError::NodesLimitReached => DomainXmlError::TooManyNodes,
        XmlError::AttributesLimitReached => DomainXmlError::TooManyAttributes,
        other => DomainXmlError::Malformed(shown(&other.to_string())),
    }
}

/// A part of the prepared document that is fit for a message.
fn shown(text: &str) -> String {
    let text = &text.replace(tags::STAND_IN, ":");
    let end = text.char_indices().nth(MAX_MESSAGE);
    match end.and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{}…", Escaped(start)),
        None => Escaped(text).to_string(),
    }
}

fn interfaces(root: Node<'_, '_>) -> Result<Vec<Interface>, DomainXmlError> {
    let mut reader = interface::Reader::default();
    let mut interfaces = Vec::new();
    let nodes = children(root, "devices").flat_map(|devices| children(devices, "interface"));
    for node in nodes {
        if interfaces.len() == MAX_INTERFACES {
            return Err(DomainXmlError::TooManyInterfaces);
        }
        interfaces.push(reader.read(node));
    }
    Ok(interfaces)
}

/// The child elements of that name. libvirt sees none that are in a namespace.
fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| {
        let tag = child.tag_name();
        child.is_element() && tag.name() == name && tag.namespace().is_none()
    })
}

/// The text of the first such child, joined over comments and CDATA sections.
fn text_of_child(node: Node<'_, '_>, name: &'static str) -> Option<String> {
    let child = children(node, name).next()?;
    let texts = child.descendants().filter(Node::is_text);
    Some(texts.filter_map(|text| text.text()).collect())
}

/// A UUID as `virUUIDParse` takes it: hyphens anywhere, white space around it.
fn parse_uuid(text: &str) -> Option<GuestId> {
    let digits: String = text.trim().chars().filter(|&digit| digit != '-').collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests;
