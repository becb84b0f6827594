//! What comes by the hook's socket.

#![no_main]

use libfuzzer_sys::fuzz_target;
use macmoved::engine::Event;
use macmoved::listen::{domain_xml, hook};
use macmoved::model::HookOperation;
use macmoved::wire::HookMessage;

fuzz_target!(|octets: &[u8]| {
    sent_and_read(octets);
    let heard = hook::understand(octets);
    let Ok(message) = HookMessage::parse(octets) else {
        assert!(heard.is_err());
        return;
    };

    // What is read is written as it stood, as far as it was whole.
    if let Some(written) = message.emit() {
        assert!(written.len() <= HookMessage::MAX_OCTETS);
        if octets.len() <= HookMessage::MAX_OCTETS {
            assert_eq!(HookMessage::parse(&written), Ok(message));
        }
        if message.xml.is_some() && octets.len() <= HookMessage::MAX_OCTETS {
            assert_eq!(written, octets);
        }
    }

    // A hint is of the guest that the XML names, and what it says is in the XML.
    let Ok(heard) = heard else { return };
    assert_eq!(
        heard.operation,
        HookOperation::of(message.operation, message.phase)
    );
    let Some(hint) = heard.hint else { return };
    let told = domain_xml::parse(message.xml.unwrap()).unwrap();
    let (guest, description) = match hint {
        Event::Foretold { guest, description } => (guest, description),
        Event::CalledOff { guest } => {
            let ends = [HookOperation::Stopped, HookOperation::Release];
            assert!(ends.contains(&heard.operation));
            return assert_eq!(told.uuid, Some(guest));
        }
        other => panic!("a hook says {other:?}"),
    };
    assert_eq!(told.uuid, Some(guest));
    match heard.operation {
        HookOperation::Start => assert_eq!(description, Some(told)),
        _ => assert_eq!(
            (heard.operation, description),
            (HookOperation::Migrate, None)
        ),
    }
});

/// What a hook sends is what the agent reads, without the XML where that is too long. The input
/// stands for its five texts, lines apart.
fn sent_and_read(octets: &[u8]) {
    let mut texts = octets.splitn(5, |&octet| octet == b'\n');
    let mut text = || texts.next().unwrap_or_default();
    let message = HookMessage {
        object: text(),
        operation: text(),
        phase: text(),
        extra: text(),
        xml: Some(text()),
    };
    let Some(sent) = message.emit() else {
        let words = [
            message.object,
            message.operation,
            message.phase,
            message.extra,
        ];
        assert!(words.iter().any(|word| word.len() > 4_096));
        return;
    };
    assert!(sent.len() <= HookMessage::MAX_OCTETS);
    let read = HookMessage::parse(&sent).unwrap();
    let fits = 20 + octets.len() <= HookMessage::MAX_OCTETS;
    let xml = message.xml.filter(|xml| !xml.is_empty());
    assert_eq!(
        read,
        HookMessage {
            xml: read.xml,
            ..message
        }
    );
    assert!(read.xml == xml || (read.xml.is_none() && !fits));
}
