use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::MacAddr;

const HOLDER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);
const MS: u64 = 1_000_000;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * MS)
}

fn link(number: u32) -> Ifindex {
    Ifindex::new(number).unwrap()
}

fn unarp(number: u32, last: u8) -> HeardUnarp {
    HeardUnarp {
        link: link(number),
        sender: HOLDER,
        address: Ipv4Addr::new(10, 0, 0, last),
    }
}

fn entry(number: u32, last: u8) -> Neighbour {
    Neighbour {
        link: link(number),
        address: Ipv4Addr::new(10, 0, 0, last),
        mac: Some(HOLDER),
        keeper: Keeper::Arp,
    }
}

fn rules() -> Rules {
    Rules::new(vec!["10.0.0.0/24".parse().unwrap()])
}

#[test]
fn an_entry_that_points_to_the_sender_may_go() {
    let mut rules = rules();
    assert_eq!(rules.admit(&unarp(1, 50), at(0)), Ok(()));
    let entry = entry(1, 50);
    assert_eq!(rules.judge(&unarp(1, 50), Some(entry), at(0)), Ok(entry));
}

#[test]
fn every_other_entry_stays() {
    let rules = rules();
    let good = entry(1, 50);
    let cases = [
        (None, UnarpRefusal::NoEntry),
        (Some(Neighbour { mac: None, ..good }), UnarpRefusal::NoEntry),
        (Some(entry(2, 50)), UnarpRefusal::NoEntry),
        (Some(entry(1, 51)), UnarpRefusal::NoEntry),
        (
            Some(Neighbour {
                mac: Some(OTHER),
                ..good
            }),
            UnarpRefusal::OtherMac,
        ),
        (
            Some(Neighbour {
                keeper: Keeper::Permanent,
                ..good
            }),
            UnarpRefusal::Permanent,
        ),
        (
            Some(Neighbour {
                keeper: Keeper::NoArp,
                ..good
            }),
            UnarpRefusal::NoArp,
        ),
        (
            Some(Neighbour {
                keeper: Keeper::Controller,
                ..good
            }),
            UnarpRefusal::Controller,
        ),
    ];
    for (entry, refusal) in cases {
        let verdict = rules.judge(&unarp(1, 50), entry, at(0));
        assert_eq!(verdict, Err(refusal), "{entry:?}");
    }
}

#[test]
fn addresses_outside_the_prefixes_are_not_looked_up() {
    let mut rules = rules();
    let mut outside = unarp(1, 50);
    outside.address = Ipv4Addr::new(10, 0, 1, 50);
    for _ in 0..2 * LOOKUPS {
        let verdict = rules.admit(&outside, at(0));
        assert_eq!(verdict, Err(UnarpRefusal::OutsidePrefixes));
    }
    // They used up nothing.
    assert_eq!(rules.admit(&unarp(1, 50), at(0)), Ok(()));
    rules.set_prefixes(vec!["10.0.1.0/24".parse().unwrap()]);
    assert_eq!(rules.admit(&outside, at(0)), Ok(()));
    let verdict = rules.admit(&unarp(1, 50), at(0));
    assert_eq!(verdict, Err(UnarpRefusal::OutsidePrefixes));
}

#[test]
fn lookups_of_a_link_are_limited_and_of_another_are_not_by_that() {
    let mut rules = rules();
    for _ in 0..LOOKUPS {
        assert_eq!(rules.admit(&unarp(1, 50), at(0)), Ok(()));
    }
    let refused = Err(UnarpRefusal::LookupRate);
    assert_eq!(rules.admit(&unarp(1, 51), at(999)), refused);
    assert_eq!(rules.admit(&unarp(2, 50), at(999)), Ok(()));
    assert_eq!(rules.admit(&unarp(1, 51), at(1000)), Ok(()));
}

#[test]
fn an_address_is_deleted_once_in_five_seconds() {
    let mut rules = rules();
    let unarp = unarp(1, 50);
    rules.record(&unarp, at(0));
    for millis in [0, 4999] {
        let verdict = rules.judge(&unarp, Some(entry(1, 50)), at(millis));
        assert_eq!(verdict, Err(UnarpRefusal::AddressRate));
    }
    // The same address on another link is another entry.
    let other = HeardUnarp {
        link: link(2),
        ..unarp
    };
    assert!(rules.judge(&other, Some(entry(2, 50)), at(1)).is_ok());
    assert!(rules.judge(&unarp, Some(entry(1, 50)), at(5000)).is_ok());
}

#[test]
fn refusals_use_up_no_deletion() {
    let mut rules = rules();
    let wrong = Neighbour {
        mac: Some(OTHER),
        ..entry(1, 50)
    };
    for _ in 0..LOOKUPS {
        let verdict = rules.judge(&unarp(1, 50), Some(wrong), at(0));
        assert_eq!(verdict, Err(UnarpRefusal::OtherMac));
    }
    assert_eq!(rules.admit(&unarp(1, 50), at(0)), Ok(()));
    assert!(
        rules
            .judge(&unarp(1, 50), Some(entry(1, 50)), at(0))
            .is_ok()
    );
}

#[test]
fn what_is_remembered_is_forgotten() {
    let mut rules = rules();
    for number in 1..1000 {
        assert_eq!(rules.admit(&unarp(number, 50), at(0)), Ok(()));
        rules.record(&unarp(number, 50), at(0));
    }
    assert_eq!(rules.admit(&unarp(1, 51), at(6000)), Ok(()));
    assert_eq!((rules.links.len(), rules.deleted.len()), (1, 0));
}

proptest! {
    #[test]
    fn no_flood_deletes_more_than_the_rates_allow(
        heard in vec((0_u64..60, 1_u32..4, 0_u8..40), 0..600),
    ) {
        let mut rules = rules();
        let (mut now, mut deleted) = (0, Vec::new());
        for (gap, number, last) in heard {
            now += gap;
            let unarp = unarp(number, last);
            if rules.admit(&unarp, at(now)).is_ok()
                && rules.judge(&unarp, Some(entry(number, last)), at(now)).is_ok()
            {
                rules.record(&unarp, at(now));
                deleted.push((now, number, last));
            }
        }
        for number in 1..4 {
            let times: Vec<_> =
                deleted.iter().filter(|it| it.1 == number).map(|it| it.0).collect();
            for (first, last) in times.iter().zip(times.iter().skip(DELETIONS)) {
                prop_assert!(last - first >= 1000);
            }
            for last in 0..40 {
                let times: Vec<_> = deleted
                    .iter()
                    .filter(|it| (it.1, it.2) == (number, last))
                    .map(|it| it.0)
                    .collect();
                prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 5000));
            }
        }
        // Per link, what a second and five seconds can hold.
        let links: BTreeSet<_> = deleted.iter().map(|it| it.1).collect();
        prop_assert!(rules.deleted.len() <= links.len() * 5 * DELETIONS);
    }

    #[test]
    fn only_the_senders_own_entry_of_arp_ever_goes(
        mac in prop::option::of(prop::array::uniform6(0_u8..3)),
        sender in prop::array::uniform6(0_u8..3),
        keeper in prop::sample::select(
            vec![Keeper::Arp, Keeper::Permanent, Keeper::NoArp, Keeper::Controller],
        ),
    ) {
        let unarp = HeardUnarp { sender: MacAddr::new(sender), ..unarp(1, 50) };
        let entry = Neighbour { mac: mac.map(MacAddr::new), keeper, ..entry(1, 50) };
        let goes = rules().judge(&unarp, Some(entry), at(0)).is_ok();
        prop_assert_eq!(goes, mac == Some(sender) && keeper == Keeper::Arp);
    }
}
