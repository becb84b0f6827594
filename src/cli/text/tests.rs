use super::*;

#[test]
fn a_cell_is_escaped_and_short() {
    assert_eq!(cell("br0"), "br0");
    assert_eq!(cell("a\tb\u{202e}"), "a\\tb\\u{202e}");
    assert_eq!(cell(&"é".repeat(CELL)), "é".repeat(CELL));
    assert_eq!(
        cell(&"é".repeat(CELL + 1)),
        format!("{}…", "é".repeat(CELL))
    );
    assert_eq!(optional(None), "-");
}

#[test]
fn a_dump_counts_from_the_start_of_the_frame() {
    let octets: Vec<u8> = (0..18).collect();
    assert_eq!(
        HexDump(&octets).to_string(),
        "    0x0000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n    0x0010  10 11\n"
    );
}

#[test]
fn octets_become_pairs_of_digits() {
    assert_eq!(spaced(&[0x0a, 0xff, 0x00]), "0a ff 00");
    assert_eq!(joined(&[0x0a, 0xff, 0x00]), "0aff00");
}
