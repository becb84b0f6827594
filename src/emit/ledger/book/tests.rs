use super::*;

fn guest(number: u8) -> GuestId {
    GuestId::new([number; 16])
}

fn leftover(port: u32) -> Leftover {
    Leftover {
        port: Ifindex::new(port).unwrap(),
        name: "vnet1".parse().unwrap(),
        bridge: Ifindex::new(3).unwrap(),
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 1]),
        vlan: None,
        fixed: false,
    }
}

fn written(book: &Book) -> Vec<(GuestId, u32)> {
    let entries = book.entries();
    entries
        .map(|(guest, leftover)| (guest, leftover.port.get()))
        .collect()
}

fn of_two() -> Book {
    let mut book = Book::default();
    for number in [1, 2] {
        assert!(book.add(guest(number), BTreeSet::from([leftover(u32::from(number))])));
    }
    assert!(book.take_changed());
    book
}

#[test]
fn a_second_staging_adds_to_the_first() {
    let mut book = of_two();
    assert!(book.add(guest(1), BTreeSet::from([leftover(1)])));
    assert!(!book.take_changed(), "that is written already");
    assert!(book.add(guest(1), BTreeSet::from([leftover(7)])));
    assert!(book.take_changed());
    assert_eq!(
        written(&book),
        [(guest(1), 1), (guest(1), 7), (guest(2), 2)]
    );
}

#[test]
fn what_is_true_is_struck_out_and_what_is_not_stays_until_it_is_undone() {
    let mut book = of_two();
    book.strike(guest(1));
    assert!(book.take_changed());
    assert_eq!(book.next_doomed(), None);
    book.doom(guest(2));
    assert!(!book.take_changed());
    assert_eq!(written(&book), [(guest(2), 2)]);
    let entries = BTreeSet::from([leftover(2)]);
    assert_eq!(book.next_doomed(), Some((guest(2), entries.clone())));
    assert_eq!(book.doomed(guest(2)), Some(entries));
    // Staged anew while nothing may be changed.
    book.spare(guest(2));
    assert_eq!(book.next_doomed(), None);
    book.doom(guest(2));
    assert!(!book.take_changed());
    book.bury(guest(2));
    assert!(book.take_changed());
    assert_eq!(written(&book), []);
    // Of a guest of which nothing is written there is nothing to do.
    book.strike(guest(9));
    book.doom(guest(9));
    book.bury(guest(9));
    assert!(!book.take_changed());
}

#[test]
fn an_earlier_agents_entries_are_judged_by_where_the_guests_are() {
    let entries = [1, 2, 3, 4].map(|number| (guest(number), leftover(u32::from(number))));
    let mut book = Book::inherited(entries.to_vec());
    assert!(!book.take_changed());
    // Staged by us in the meantime, and so settled by us.
    book.strike(guest(4));
    assert!(book.add(guest(4), BTreeSet::from([leftover(4)])));
    book.judge(&[guest(1), guest(9)], &[guest(3)]);
    assert_eq!(book.next_doomed().unwrap().0, guest(2));
    book.bury(guest(2));
    assert_eq!(written(&book), [(guest(3), 3), (guest(4), 4)]);
    book.judge(&[], &[]);
    assert_eq!(book.next_doomed().unwrap().0, guest(3));
    book.bury(guest(3));
    assert_eq!(book.next_doomed(), None);
}

#[test]
fn it_is_bounded() {
    let mut book = Book::default();
    let many = (1..).map(leftover).take(MAX_ENTRIES).collect();
    assert!(book.add(guest(1), many));
    assert!(!book.add(guest(2), BTreeSet::from([leftover(1)])));
    assert_eq!(book.entries().count(), MAX_ENTRIES);
}
