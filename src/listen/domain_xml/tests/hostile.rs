//! Documents that mean harm.

use proptest::prelude::*;

use super::*;

fn refused(xml: &str) -> DomainXmlError {
    read(xml.as_bytes()).unwrap_err()
}

#[test]
fn what_is_no_domain_is_refused_in_words() {
    assert_eq!(read(b""), Err(DomainXmlError::Empty));
    assert_eq!(
        read(b"<domain>\xff</domain>"),
        Err(DomainXmlError::NotUtf8(8))
    );
    assert_eq!(
        refused("<network/>"),
        DomainXmlError::NotADomain("network".to_owned())
    );
    assert_eq!(
        refused("<domstatus/>"),
        DomainXmlError::NotADomain("domstatus".to_owned())
    );
    for xml in [
        " ",
        "no xml",
        "<domain>",
        "<domain></domian>",
        "<domain/><domain/>",
        "<domain a='1' a='2'/>",
        "<domain>&nbsp;</domain>",
        "<domain>\u{1}</domain>",
        "<domain><a b='<'/></domain>",
        "<?xml version='1.0'?>",
    ] {
        assert!(
            matches!(refused(xml), DomainXmlError::Malformed(_)),
            "{xml}"
        );
    }
}

#[test]
fn document_types_are_refused_before_any_entity_grows() {
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>\
                <!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><domain><name>&c;&c;&c;</name></domain>";
    assert_eq!(refused(bomb), DomainXmlError::DocumentType);
    let external = "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>";
    assert_eq!(refused(external), DomainXmlError::DocumentType);
}

#[test]
fn messages_quote_little_and_escape_it() {
    let name = format!("a{}\u{202e}", "é".repeat(5_000));
    let message = refused(&format!("<domain><{name}></domain>")).to_string();
    assert!(message.len() < 1_000, "{message}");
    let message = refused("<domain><a>&\u{7f}\u{1b}[2J;</a></domain>").to_string();
    assert!(!message.chars().any(char::is_control), "{message}");
    // A format character that XML takes in a name.
    let message = refused("<domain><a\u{200c}></b></domain>").to_string();
    assert!(
        !message.contains('\u{200c}') && message.contains("\\u{200c}"),
        "{message}"
    );
    let root = refused("<a\u{200c}/>").to_string();
    assert!(
        !root.contains('\u{200c}') && root.contains("\\u{200c}"),
        "{root}"
    );
}

#[test]
fn the_size_is_bounded() {
    let padded = |length: usize| {
        let frame = "<domain><!-- --></domain>";
        frame.replace(
            "<!-- ",
            &format!("<!-- {}", " ".repeat(length - frame.len())),
        )
    };
    assert!(read(padded(MAX_OCTETS).as_bytes()).is_ok());
    assert_eq!(refused(&padded(MAX_OCTETS + 1)), DomainXmlError::TooLong);
}

#[test]
fn depth_does_not_reach_the_stack() {
    let depth = 100_000;
    let nested = |inside: &str| {
        let (open, close) = ("<a>".repeat(depth), "</a>".repeat(depth));
        format!("<domain><name>{open}{inside}{close}</name></domain>")
    };
    assert_eq!(
        read(nested("n").as_bytes()).unwrap().name.as_deref(),
        Some("n")
    );
    assert!(matches!(
        refused(&"<domain>".repeat(depth)),
        DomainXmlError::Malformed(_)
    ));
}

#[test]
fn ten_thousand_interfaces_are_read() {
    let nics: String = (0..10_000_u32)
        .map(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            format!(
                "<interface type='bridge'><mac address='52:54:00:{a:02x}:{b:02x}:{c:02x}'/>\
                 <source bridge='br0'/><target dev='vnet{number}'/></interface>"
            )
        })
        .collect();
    let read = domain(&nics).interfaces;
    assert_eq!(read.len(), 10_000);
    assert!(read.iter().all(|it| it.nic.is_ok()));
    let many = "<interface/>".repeat(MAX_INTERFACES + 1);
    assert_eq!(
        refused(&format!("<domain><devices>{many}</devices></domain>")),
        DomainXmlError::TooManyInterfaces
    );
}

#[test]
fn more_nodes_than_a_tree_holds_are_refused() {
    let nodes = format!("<domain>{}</domain>", "<a/> ".repeat(MAX_NODES / 2));
    assert_eq!(refused(&nodes), DomainXmlError::TooManyNodes);
}

#[test]
fn namespaces_cost_nothing() {
    let nested: String = (0..40_000)
        .map(|it| format!("<a xmlns:p{it}='urn:{it}'>"))
        .collect();
    let xml = format!("<domain>{nested}{}</domain>", "</a>".repeat(40_000));
    assert!(read(xml.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(error) = read(&octets) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn arbitrary_markup_never_panics(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<domain>"), Just("</domain>"), Just("<devices>"), Just("</devices>"),
                Just("<interface type='bridge'>"), Just("</interface>"), Just("<mac address='"),
                Just("'/>"), Just("<![CDATA["), Just("]]>"), Just("<!--"), Just("-->"), Just("&lt;"),
                Just("&"), Just("<?x"), Just("?>"), Just("<a:b c:d='"), Just("\""), Just("\u{202e}"),
                Just("<!DOCTYPE"), Just("xmlns='x'"), Just("<name>"), Just("</name>"), Just(":"),
            ],
            0..40,
        ),
    ) {
        if let Err(error) = read(pieces.concat().as_bytes()) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn damaged_documents_never_panic(
        damage in proptest::collection::vec((0..RUNNING.len(), any::<u8>()), 1..8),
    ) {
        let mut xml = RUNNING.as_bytes().to_vec();
        for (offset, octet) in damage {
            if let Some(place) = xml.get_mut(offset) {
                *place = octet;
            }
        }
        if let Err(error) = read(&xml) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = RUNNING.trim_end().as_bytes();
    for end in 0..whole.len() {
        assert!(read(whole.get(..end).unwrap()).is_err(), "{end}");
    }
}
