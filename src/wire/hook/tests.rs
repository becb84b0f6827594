use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const START: HookMessage<'static> = HookMessage {
    object: b"web\n-01",
    operation: b"start",
    phase: b"begin",
    extra: b"-",
    xml: Some(b"<domain/>"),
};

#[test]
fn a_message_has_these_octets() {
    let golden = b"mmhook\x01\x00\x00\x07\x00\x05\x00\x05\x00\x01\x00\x00\x00\x09\
                   web\n-01startbegin-<domain/>";
    assert_eq!(START.emit().unwrap(), golden);
    assert_eq!(HookMessage::parse(golden), Ok(START));
}

#[test]
fn an_xml_that_does_not_fit_is_left_out() {
    let room = HookMessage::MAX_OCTETS - START.emit().unwrap().len() + b"<domain/>".len();
    for (length, fits) in [(room, true), (room + 1, false), (10 << 20, false)] {
        let xml = vec![b'x'; length];
        let message = HookMessage {
            xml: Some(&xml),
            ..START
        };
        let octets = message.emit().unwrap();
        assert!(octets.len() <= HookMessage::MAX_OCTETS);
        let parsed = HookMessage::parse(&octets).unwrap();
        assert_eq!(parsed.xml.is_some(), fits, "{length}");
        assert_eq!(parsed.object, START.object);
    }
}

#[test]
fn an_argument_that_libvirt_never_passes_makes_no_message() {
    let long = vec![b'x'; MAX_WORD + 1];
    for length in [MAX_WORD, MAX_WORD + 1] {
        let message = HookMessage {
            extra: &long[..length],
            ..START
        };
        assert_eq!(message.emit().is_some(), length == MAX_WORD);
    }
}

#[test]
fn a_message_is_refused_at_every_cut_but_within_its_xml() {
    let octets = START.emit().unwrap();
    let xml = octets.len() - b"<domain/>".len();
    for end in 0..octets.len() {
        let parsed = HookMessage::parse(&octets[..end]);
        let whole = HookMessage { xml: None, ..START };
        let expected = if end < xml {
            Err(ParseHookError::Short)
        } else {
            Ok(whole)
        };
        assert_eq!(parsed, expected, "cut at {end}");
    }
    let mut longer = octets;
    longer.push(0);
    assert_eq!(HookMessage::parse(&longer), Err(ParseHookError::Long));
}

#[test]
fn another_protocol_or_version_is_refused() {
    for index in 0..MAGIC.len() {
        let mut octets = START.emit().unwrap();
        octets[index] ^= 1;
        assert_eq!(HookMessage::parse(&octets), Err(ParseHookError::Magic));
    }
}

proptest! {
    #[test]
    fn any_arguments_and_xml_come_back(
        words in [vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..20),
                  vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..20)],
        xml in vec(any::<u8>(), 1..5_000),
    ) {
        let [object, operation, phase, extra] = &words;
        let message = HookMessage { object, operation, phase, extra, xml: Some(&xml) };
        let octets = message.emit().unwrap();
        prop_assert_eq!(HookMessage::parse(&octets), Ok(message));
    }

    #[test]
    fn no_octets_make_the_parser_panic(
        magic in any::<bool>(), rest in vec(any::<u8>(), 0..200),
    ) {
        let mut octets = if magic { MAGIC.to_vec() } else { Vec::new() };
        octets.extend(rest);
        if let Ok(message) = HookMessage::parse(&octets) {
            prop_assert!(message.xml.is_none_or(|xml| xml.len() < octets.len()));
        }
    }
}
