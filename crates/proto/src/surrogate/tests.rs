//! What becomes of a message; the addresses are RFC 6858's own example and worse ones.

use proptest::prelude::*;

use super::*;
use crate::Extent;
use crate::top::Cutter;

fn surrogate_of(message: &[u8], chunk: usize) -> (Vec<u8>, bool) {
    let (mut surrogate, mut out) = (Surrogate::default(), Vec::new());
    message.chunks(chunk.max(1)).for_each(|chunk| surrogate.push(chunk, &mut out));
    let differs = surrogate.finish(&mut out);
    (out, differs)
}

/// Compares the surrogate, whole and octet by octet.
fn check(message: &str, expected: &str) {
    for chunk in [usize::MAX, 1, 7] {
        let (surrogate, differs) = surrogate_of(message.as_bytes(), chunk);
        assert_eq!(String::from_utf8_lossy(&surrogate), expected, "{message:?} by {chunk}");
        assert_eq!(differs, message != expected);
    }
}

/// Compares the surrogate of one field.
fn check_field(field: &str, expected: &str) {
    check(&format!("{field}\r\n\r\nbödy\r\n"), &format!("{expected}\r\nbödy\r\n"));
}

#[test]
fn s80_texts_become_encoded_words() {
    check_field("Subject: Grüße", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n");
    check_field(
        "Subject: Re: Grüße aus Köln am Rhein",
        "Subject: Re: =?utf-8?B?R3LDvMOfZQ==?= aus =?utf-8?B?S8O2bG4=?= am Rhein\r\n",
    );
    check_field("X-Note: ä ö\r\n\tü", "X-Note: =?utf-8?B?w6Qgw7Ygw7w=?=\r\n");
    check_field(
        "SUBJECT:=?utf-8?Q?=C3=A4?= ö =?utf-8?Q?=C3=A4?=",
        "SUBJECT: =?utf-8?Q?=C3=A4?= =?utf-8?B?IMO2IA==?= =?utf-8?Q?=C3=A4?=\r\n",
    );
    let long = "ö".repeat(50);
    check_field(
        &format!("Subject: {long}"),
        "Subject: =?utf-8?B?w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7Y=?=\r\n =?utf-8?B?w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7Y=?=\r\n =?utf-8?B?w7bDtsO2w7bDtsO2?=\r\n",
    );
}

#[test]
fn s80_addresses_that_are_not_ascii_reach_nobody() {
    let nobody = "<invalid@internationalized-address.invalid>";
    // "jörg", "Jörg", "jörg <jörg@x>", "Jö, rg".
    check_field("From: Jörg <j@x>", "From: =?utf-8?B?SsO2cmc=?= <j@x>\r\n");
    check_field("From: \"Jö, rg\" <j@x>", "From: =?utf-8?B?SsO2LCByZw==?= <j@x>\r\n");
    check_field("To: j@x (Jörg), a@b", "To: =?utf-8?B?SsO2cmc=?= <j@x>, a@b\r\n");
    check_field(
        "To: jörg@x, A <a@b>",
        &format!("To: =?utf-8?B?asO2cmdAeA==?= {nobody}, A\r\n <a@b>\r\n"),
    );
    check_field(
        "Cc: jörg <jörg@x>",
        &format!("Cc: =?utf-8?B?asO2cmcgPGrDtnJnQHg+?=\r\n {nobody}\r\n"),
    );
    check_field(
        "To: Jörgs: a@b, \"<,;\" <c@d>; e@f",
        "To: =?utf-8?B?SsO2cmdz?=: a@b, \"<,;\" <c@d>;, e@f\r\n",
    );
    check_field("Return-Path: <jörg@x>", &format!("Return-Path: {nobody}\r\n"));
}

#[test]
fn s80_parameters_take_rfc_2231_and_other_fields_go() {
    check_field(
        "Content-Disposition: attachment; filename=\"ä b.pdf\"; size=5",
        "Content-Disposition: attachment; filename*=utf-8''%C3%A4%20b.pdf; size=5\r\n",
    );
    let name = "ä".repeat(20);
    let (first, second) = ("%C3%A4".repeat(8) + "%C3", "%A4".to_owned() + &"%C3%A4".repeat(11));
    let (second, third) = second.split_at(51);
    check_field(
        &format!("Content-Type: a/b; name={name}"),
        &format!(
            "Content-Type: a/b;\r\n name*0*=utf-8''{first};\r\n name*1*={second};\r\n name*2*={third}\r\n"
        ),
    );
    check_field("Received: from jörg by x", "");
    check_field("Content-Type: tëxt/plain", "");
    check_field("Message-ID: <ä@b>\r\nDate: x", "Date: x\r\n");
}

#[test]
fn what_needs_no_surrogate_stays_to_the_octet() {
    for message in [
        "",
        "\n",
        "Subject: a\n\nbödy",
        "Subject:  a \r\n\tb\r\n\r\nb",
        "no field at äll\n\n",
        "ä: b\n\n",
        " ä\n\n",
        "Subject: a",
    ] {
        check(message, message);
    }
    let latin = b"Subject: Gr\xfc\xdfe\nFrom: J\xf6rg <j@x>\n\n\xff";
    assert_eq!(surrogate_of(latin, 3), (latin.to_vec(), false));
    let long = format!("Subject: {}\n\tä\nX: y\n\n", "ä".repeat(FIELD_OCTETS_MAX / 2));
    assert_eq!(surrogate_of(long.as_bytes(), 999), (long.into_bytes(), false));
    let mixed = b"Subject: Gr\xfc\xdfe\nComments: \xc3\xa4\n\n";
    let expected = b"Subject: Gr\xfc\xdfe\nComments: =?utf-8?B?w6Q=?=\r\n\n";
    assert_eq!(surrogate_of(mixed, 1), (expected.to_vec(), true));
}

#[test]
fn s80_headers_of_parts_and_of_messages_inside_are_headers_too() {
    let (ae, word) = ("Content-Description: ä\n", "Content-Description: =?utf-8?B?w6Q=?=\r\n");
    let message = |header: &str, signed: &str| {
        format!(
            "Content-Type: multipart/mixed; boundary=\"o\"\n\n{ae}--o\n{header}\n{ae}--o--no\n--o  \n\
             content-type: Multipart/Alternative; boundary=i\n\n--i\n{header}--i--\n{ae}--o\n\
             Content-Type: message/rfc822\n\n{header}\n{ae}\n--o\n\
             Content-Type: message/global\nContent-Transfer-Encoding: base64\n\n{ae}\n--o\n\
             Content-Type: multipart/signed; boundary=s\n\n--s\n{signed}\n--s--\n--o--\n{header}--o\n{ae}"
        )
    };
    let mut expected = message(word, ae);
    // Behind the last delimiter nothing is a header.
    let tail = format!("--o--\n{word}");
    expected = expected.replace(&tail, &format!("--o--\n{ae}"));
    check(&message(ae, ae), &expected);
}

#[test]
fn entities_deeper_than_anybody_nests_them_pass() {
    let mut message = String::new();
    for depth in 0..DEPTH_MAX + 5 {
        message += &format!("Content-Type: multipart/mixed; boundary=b{depth}x\n\n--b{depth}x\n");
    }
    check(&message, &message);
}

#[test]
fn s81_the_surrogate_is_counted_and_cut_as_it_is_sent() {
    let message = "Subject: ä\nReceived: ä\n\none\ntwo".as_bytes();
    let mut counter = SurrogateCounter::default();
    message.chunks(2).for_each(|chunk| counter.push(chunk));
    let (surrogate, _) = surrogate_of(message, 5);
    let sent = b"Subject: =?utf-8?B?w6Q=?=\r\n\r\none\r\ntwo\r\n";
    assert_eq!(counter.finish(), Some(Octets::new(sent.len() as u64)));
    let top = Cutter::new(Extent::Top { body_lines: 1 }).take(&surrogate);
    assert_eq!(&surrogate[..top], b"Subject: =?utf-8?B?w6Q=?=\r\n\none\n");
    let mut plain = SurrogateCounter::default();
    plain.push(b"Subject: a\n\n\xc3\xa4");
    assert_eq!(plain.finish(), None);
}

/// Goal: whoever sends a message decides neither how much is kept of it nor how large it becomes.
/// Method: headers and delimiters that never end, in pieces.
#[test]
fn r14_no_message_is_kept_or_grows_without_a_bound() {
    let nested = |n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n");
    for message in [
        format!("From: {}", "\u{e9},".repeat(1 << 17)),
        format!("From: {}\n\n", "\u{e9},".repeat(20_000)),
        format!("Subject: {}", "\u{e9}\n ".repeat(1 << 17)),
        format!("To: {}\n\n", "(\u{e9}\"<".repeat(10_000)),
        format!("Content-Type: x/y; a=\"{}\n\n", ";\u{e9}=".repeat(10_000)),
        "\u{e9}: \u{e9}\n".repeat(1 << 16),
        format!("{}{}", nested(0), "--".repeat(1 << 18)),
        format!("{}Subject: a\n\n{}", nested(0), "--b0--".repeat(1 << 16)),
        (0..2000).map(nested).collect(),
    ] {
        let (mut machine, mut out) = (Surrogate::default(), Vec::new());
        for chunk in message.as_bytes().chunks(4096) {
            machine.push(chunk, &mut out);
            let boundaries: usize = machine.boundaries.iter().map(Vec::len).sum();
            let kept = machine.line.len() + machine.field.len() + boundaries;
            assert!(kept <= FIELD_OCTETS_MAX + 4096, "{kept} octets of {}", message.len());
        }
        machine.finish(&mut out);
        assert!(out.len() <= message.len() * 32, "{} octets of {}", out.len(), message.len());
    }
}

/// Messages made of what matters to a header.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "From:",
        "To: ",
        "Subject: ",
        "X-A: ",
        "Content-Type: multipart/mixed; boundary=b\n",
        "Content-Type: message/rfc822\n",
        "Content-Type: text/plain; name=",
        "--b",
        "--b--",
        "--",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "ä",
        "\u{1f600}",
        "a",
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        "\"",
        "(",
        ")",
        "\\",
        "=?",
        "?=",
        "=",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn s80_any_chunking_gives_the_same_surrogate_and_it_needs_none(
        message in message(), chunk in 1..9_usize,
    ) {
        let (whole, differs) = surrogate_of(&message, usize::MAX);
        prop_assert_eq!(&surrogate_of(&message, chunk), &(whole.clone(), differs));
        prop_assert!(differs || whole == message);
        let (again, _) = surrogate_of(&whole, usize::MAX);
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&whole));
        let mut counter = SurrogateCounter::default();
        message.chunks(chunk).for_each(|chunk| counter.push(chunk));
        let mut sent = Counter::default();
        sent.push(&whole);
        prop_assert_eq!(counter.finish(), differs.then(|| sent.finish()));
    }

    #[test]
    fn s80_no_octet_of_any_kind_stops_it(message: Vec<u8>, chunk in 1..9_usize) {
        prop_assert_eq!(surrogate_of(&message, chunk), surrogate_of(&message, usize::MAX));
    }
}
