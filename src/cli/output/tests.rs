use super::*;

#[test]
fn json_on_a_terminal_is_equal_data() {
    let name = "a\"\\\n\t\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{e0041}é{}\u{1f600}";
    let json = serde_json::to_string(name).unwrap();
    let shown = TerminalSafe(&json).to_string();
    assert!(
        !shown
            .chars()
            .any(|it| is_unsafe_in_text(it) && it != '"' && it != '\\')
    );
    assert!(shown.contains("\\u202e") && shown.contains("\\udb40\\udc41"));
    assert!(shown.contains('é') && shown.contains('\u{1f600}'));
    assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), name);
}

#[test]
fn the_white_space_of_json_stays() {
    let json = "{\n\t\"a\": 1\r\n}";
    assert_eq!(TerminalSafe(json).to_string(), json);
}

#[test]
fn only_a_closed_pipe_is_no_failure() {
    assert!(outcome(Ok(())).is_ok());
    assert!(outcome(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
    assert!(outcome(Err(io::ErrorKind::StorageFull.into())).is_err());
}
