//! Properties of the bare session that hold whatever a client sends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test stops where it fails"
)]

use proptest::prelude::*;
use restante_dialogue::Dialogue;

mod support;
use support::Office;

/// Lines a client might send, most of them commands.
fn line() -> impl Strategy<Value = String> {
    let argument = prop::sample::select(vec![
        "",
        " ",
        " 0",
        " 1",
        " 2",
        " 3",
        " 4",
        " 01",
        " -1",
        " +1",
        " 1 1",
        " 1 0",
        " 2 99",
        " x",
        " 99999999999999999999",
        "  1 ",
        "\t2",
        " fred",
        " secret",
        " PLAIN",
        " PLAIN =",
        " *",
        " PLAIN AGZyZWQAc2VjcmV0",
        " LOGIN",
        " LOGIN ZnJlZA==",
        " CRAM-MD5",
        " OAUTHBEARER bixhPWZyZWQsAWF1dGg9QmVhcmVyIGxldG1laW4BAQ==",
        " XOAUTH2 dXNlcj1mcmVkAWF1dGg9QmVhcmVyIG5vAQE=",
        " AQ==",
        " SCRAM-SHA-256",
        " SCRAM-SHA-1 biwsbj1mcmVkLHI9YWJj",
        " biwsbj1mcmVkLHI9YWJj",
        " [AUTH]",
        " es",
        " \u{e9}",
    ]);
    let verb = prop::sample::select(vec![
        "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "CAPA", "AUTH", "USER",
        "PASS", "APOP", "UTF8", "LANG", "XYZZY", "list", "",
    ]);
    (verb, argument).prop_map(|(verb, argument)| format!("{verb}{argument}"))
}

fn dialogue() -> Dialogue {
    Dialogue {
        messages: vec![b"a\n.\n".to_vec(), b"A: b\n\n..c".to_vec(), Vec::new()],
        gone: vec![3],
        scram: true,
        digests: true,
        tokens: true,
        ..Dialogue::default()
    }
}

/// Takes one reply off what the server said: its first line, and the rest of it if it has more.
fn reply<'s>(said: &mut &'s [u8], multi_line: bool) -> &'s [u8] {
    let whole = *said;
    let mut line = || {
        let end = said.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let (line, rest) = said.split_at(end + 2);
        *said = rest;
        line
    };
    let first = line();
    assert!(first.len() <= 512, "S4");
    if multi_line && first.starts_with(b"+OK") {
        while line() != b".\r\n" {}
    }
    &whole[..whole.len() - said.len()]
}

/// Whether a command is answered with more lines when it is granted.
fn is_multi_line(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    match verb.as_str() {
        "RETR" | "TOP" | "CAPA" => true,
        "LIST" | "UIDL" | "AUTH" | "LANG" => words.next().is_none(),
        _ => false,
    }
}

proptest! {
    /// S5, S6, S43: each line gets exactly one reply, in order, of a known form; none is lost or
    /// doubled, whatever the chunking.
    #[test]
    fn s05_s06_s16_s43_every_line_gets_one_reply(
        logged_in in any::<bool>(),
        lines in prop::collection::vec(line(), 0..30),
        chunk in 1..64_usize,
    ) {
        let dialogue = dialogue();
        let mut office = Office::new(&dialogue);
        if logged_in {
            office.hear(b"USER fred\r\nPASS secret\r\n");
        }
        office.said.clear();
        let sent: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        sent.as_bytes().chunks(chunk).for_each(|chunk| office.hear(chunk));
        let mut said = &office.said[..];
        let mut challenged = false;
        for line in &lines {
            if said.is_empty() {
                prop_assert!(office.closed, "no reply to {line:?}");
                break;
            }
            let reply = reply(&mut said, is_multi_line(line) && !challenged);
            challenged = reply.starts_with(b"+ ");
            let known = challenged || reply.starts_with(b"+OK ") || reply.starts_with(b"-ERR ");
            prop_assert!(known, "{line:?} -> {}", reply.escape_ascii());
        }
        prop_assert!(said.is_empty(), "too much: {}", said.escape_ascii());
        // The same octets in one piece are answered alike.
        let mut whole = Office::new(&dialogue);
        if logged_in {
            whole.hear(b"USER fred\r\nPASS secret\r\n");
        }
        whole.said.clear();
        whole.hear(sent.as_bytes());
        prop_assert_eq!(&whole.said, &office.said);
    }

    /// R12: an argument names a message if it is its number in digits, blanks around it aside, and
    /// is an error otherwise: no sign, no fraction, no number beyond 32 or 64 bits that comes round
    /// to one that exists.
    #[test]
    fn r12_only_the_digits_of_a_number_name_a_message(
        argument in "[0-9+. x,-]{0,5}|0{0,20}[0-4]|[0-9]{9,40}|(4294967297|18446744073709551617)",
        verb in prop::sample::select(vec!["DELE", "LIST", "UIDL"]),
    ) {
        let dialogue = dialogue();
        let mut office = Office::new(&dialogue);
        office.hear(b"USER fred\r\nPASS secret\r\n");
        office.said.clear();
        let words: Vec<_> = argument.split(' ').filter(|word| !word.is_empty()).collect();
        // The one argument these may do without is that of a list.
        prop_assume!(!words.is_empty() || verb == "DELE");
        let names = |word: &str| {
            let digits = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
            digits && matches!(word.trim_start_matches('0'), "1" | "2" | "3")
        };
        let granted = matches!(words[..], [word] if names(word));
        office.hear(format!("{verb} {argument}\r\n").as_bytes());
        let said = office.said.escape_ascii().to_string();
        prop_assert_eq!(office.said.starts_with(b"+OK"), granted, "{} {:?}: {}", verb, argument, said);
    }

    /// S9: any octets at all neither stop the session nor make it say more than it may.
    #[test]
    fn s09_any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
        let dialogue = dialogue();
        let mut office = Office::new(&dialogue);
        office.hear(&octets);
        for line in office.said.split_inclusive(|&octet| octet == b'\n') {
            prop_assert!(line.ends_with(b"\r\n"));
        }
    }
}

/// S10: silence ends the session at the deadline, not before, without a word; a command resets it.
#[test]
fn s10_autologout_is_silent_and_reset_by_commands() {
    let dialogue = dialogue();
    let mut office = Office::new(&dialogue);
    assert!(!office.pass_seconds(179) && office.pass_seconds(2), "the time to log in");
    let mut office = Office::new(&dialogue);
    office.hear(b"USER fred\r\nPASS secret\r\nDELE 1\r\n");
    office.said.clear();
    assert!(!office.pass_seconds(599));
    office.hear(b"NOOP\r\n");
    assert_eq!(std::mem::take(&mut office.said), b"+OK Still here\r\n");
    assert!(!office.pass_seconds(599) && office.pass_seconds(2), "ten minutes of silence");
    assert_eq!(office.said, b"");
}
