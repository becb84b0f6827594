//! What the targets have in common: how to tell that a line can be printed.

use macmoved::model::is_unsafe_in_text;

/// Fails where a line could forge another one, or a terminal's state.
///
/// Quotes may stand: macmoved puts them around what it quotes.
///
/// # Panics
///
/// That is how a target fails.
pub fn assert_fit_to_print(line: &str) {
    let bad =
        |&character: &char| is_unsafe_in_text(character) && character != '"' && character != '\\';
    let found = line.chars().find(bad);
    assert_eq!(found, None, "in {line:?}");
}
