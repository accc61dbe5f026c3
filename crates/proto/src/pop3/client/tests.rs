//! Dialogues with servers, kind and unkind. Every one runs whole, byte by byte and cut in two at
//! every offset, and must give the same events and the same output each time.

use proptest::prelude::*;

use super::*;
use crate::pop3::{Capability, ResponseCode};
use crate::sasl::{Identity, Link, Mechanism, Supplicant};
use crate::{MessageNumber, Octets};

type Outcome = (Vec<Event>, Vec<u8>, Option<ProtocolError>);

fn number(number: u32) -> MessageNumber {
    MessageNumber::new(number).unwrap()
}

fn argument(text: &str) -> CommandArg {
    CommandArg::new(text).unwrap()
}

/// A login of fred, by a password or a token.
fn auth(mechanism: Mechanism, secret: &str) -> Command {
    let user = "fred".to_owned();
    let identity = match mechanism {
        Mechanism::OauthBearer | Mechanism::Xoauth2 => {
            Identity::Token { user, token: Secret::new(secret.into()) }
        }
        Mechanism::External => Identity::Certificate { user: String::new() },
        _ => Identity::Password { user, password: Secret::new(secret.into()) },
    };
    let link = Link { nonce: "nonce".into(), binding: None, plus_offered: false };
    let supplicant = Supplicant::new(mechanism, identity, link).unwrap();
    Command::Auth { supplicant: Box::new(supplicant), with_command: true }
}

/// A body's chunks depend on the chunking, so they are joined.
fn push(events: &mut Vec<Event>, event: Event) {
    match (events.last_mut(), event) {
        (Some(Event::Body(body)), Event::Body(more)) => {
            *body = Bytes::from([&body[..], &more[..]].concat());
        }
        (_, event) => events.push(event),
    }
}

fn run(commands: &[Command], input: &[u8], cuts: &[usize]) -> Outcome {
    let mut client = Client::new();
    let (mut buffer, mut events, mut output) = (BytesMut::new(), Vec::new(), Vec::new());
    let mut commands = commands.iter().cloned();
    let mut rest = input;
    for cut in cuts.iter().copied().chain([input.len()]) {
        let (chunk, tail) = rest.split_at(cut.min(rest.len()));
        rest = tail;
        buffer.extend_from_slice(chunk);
        loop {
            let event = client.poll_event(&mut buffer);
            while let Some(wire) = client.poll_output() {
                output.extend_from_slice(wire.expose());
            }
            match event {
                Ok(Some(event)) => {
                    // All commands are sent as soon as they may be.
                    let ends = !matches!(event, Event::Body(_) | Event::Begun);
                    push(&mut events, event);
                    if ends {
                        send_allowed(&mut client, &mut commands);
                    }
                }
                Ok(None) => break,
                Err(error) => return (events, output, Some(error)),
            }
        }
    }
    while let Some(wire) = client.poll_output() {
        output.extend_from_slice(wire.expose());
    }
    (events, output, None)
}

fn send_allowed(client: &mut Client, commands: &mut (impl Iterator<Item = Command> + Clone)) {
    loop {
        let mut ahead = commands.clone();
        let Some(command) = ahead.next() else { return };
        if client.send(command).is_err() {
            return;
        }
        *commands = ahead;
    }
}

fn check(commands: &[Command], input: &str) -> Outcome {
    let input = input.as_bytes();
    let whole = run(commands, input, &[]);
    assert_eq!(run(commands, input, &vec![1; input.len()]), whole, "byte by byte");
    for cut in 0..input.len() {
        assert_eq!(run(commands, input, &[cut]), whole, "cut at {cut}");
    }
    whole
}

fn scan(line: u32, octets: Option<u64>) -> Event {
    Event::Scan(ScanLine { number: number(line), octets: octets.map(Octets::new) })
}

fn id(line: u32, id: &str) -> Event {
    Event::Id(IdLine { number: number(line), id: Bytes::copy_from_slice(id.as_bytes()) })
}

fn body(text: &str) -> Event {
    Event::Body(Bytes::copy_from_slice(text.as_bytes()))
}

fn greeted() -> Event {
    Event::Greeting { stamp: None }
}

fn refused(code: Option<ResponseCode>, text: &str) -> Event {
    Event::Refused(Refusal { code, text: text.into() })
}

/// C24: a command leaves whole, with its arguments and its line end, in upper case and with single
/// spaces: some servers read no further than a segment.
#[test]
fn c24_a_command_leaves_in_one_piece() {
    let mut client = Client::new();
    let mut input = BytesMut::from("+OK\r\n");
    assert!(matches!(client.poll_event(&mut input), Ok(Some(Event::Greeting { .. }))));
    for (command, wire) in [
        (Command::List, "LIST\r\n"),
        (Command::Top { number: number(3), body_lines: 0 }, "TOP 3 0\r\n"),
    ] {
        client.send(command).unwrap();
        assert_eq!(client.poll_output().unwrap().expose(), wire.as_bytes());
        assert!(client.poll_output().is_none());
        input.extend_from_slice(b"-ERR no\r\n");
        while client.poll_event(&mut input).unwrap().is_some() {}
    }
}

#[test]
fn c9_pipelined_replies_are_matched_in_order() {
    let commands = [
        Command::Stat,
        Command::List,
        Command::Retr(number(1)),
        Command::Retr(number(2)),
        Command::Top { number: number(1), body_lines: 0 },
        Command::Dele(number(1)),
        Command::Rset,
        Command::Noop,
        Command::Quit,
    ];
    let (events, output, error) = check(
        &commands,
        "+OK hi\r\n+OK 2 320 extra\r\n+OK\r\n1 120 foo\r\n2 200\r\n.\r\n\
         +OK 120\r\na\r\n..b\r\n.\r\n-ERR [SYS/TEMP] not now\r\n+OK\r\nh: v\r\n\r\n.\r\n\
         +OK\r\n+OK\r\n+OK\r\n+OK bye\r\n",
    );
    assert_eq!(error, None);
    assert_eq!(
        events,
        [
            greeted(),
            Event::Stat { messages: 2, octets: Some(Octets::new(320)) },
            Event::Begun,
            scan(1, Some(120)),
            scan(2, Some(200)),
            Event::Done,
            Event::Begun,
            body("a\r\n.b\r\n"),
            Event::Done,
            refused(Some(ResponseCode::SysTemp), "not now"),
            Event::Begun,
            body("h: v\r\n\r\n"),
            Event::Done,
            Event::Done,
            Event::Done,
            Event::Done,
            Event::Done,
        ]
    );
    assert_eq!(
        output,
        b"STAT\r\nLIST\r\nRETR 1\r\nRETR 2\r\nTOP 1 0\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n"
    );
}

#[test]
fn c1_bodies_end_at_the_terminator_only() {
    let (events, _, error) = check(
        &[Command::Retr(number(1)), Command::Retr(number(2)), Command::Noop],
        "+OK\n+OK\n.\n+OK\r\n..\r\n.\rx\r\n+OK\r\n-ERR\r\n.\r\n+OK\r\n",
    );
    assert_eq!(error, None);
    let second = body(".\r\n\rx\r\n+OK\r\n-ERR\r\n");
    assert_eq!(
        events,
        [greeted(), Event::Begun, Event::Done, Event::Begun, second, Event::Done, Event::Done]
    );
}

#[test]
fn c2_c4_listings_are_read_leniently() {
    let long = "x".repeat(200);
    let (events, _, error) = check(
        &[Command::List, Command::Uidl, Command::Stat],
        &format!(
            "+OK\r\n+ok\r\n1   120  foo\r\n2 -5\r\n3\r\n\r\njunk\r\n0 1\r\n99999999999 1\r\n+4 1\r\n\
             .\n+OK\r\n 1   a\r\n2\ta b\r\n3\r\n4 {long}\r\n4 \u{e9}\r\n.\r\n+OK 2 -1972428639\r\n"
        ),
    );
    assert_eq!(error, None);
    assert_eq!(
        events,
        [
            greeted(),
            Event::Begun,
            scan(1, Some(120)),
            scan(2, None),
            scan(3, None),
            Event::Done,
            Event::Begun,
            id(1, "a"),
            id(2, "a"),
            id(3, ""),
            id(4, &long),
            id(4, "\u{e9}"),
            Event::Done,
            Event::Stat { messages: 2, octets: None },
        ]
    );
}

#[test]
fn c7_capabilities_and_their_absence() {
    let (events, _, _) =
        check(&[Command::Capa], "+OK\r\n+OK\r\ntop\r\nSASL PLAIN\r\nX-NEW a\r\n.\r\n");
    assert_eq!(
        events[2..],
        [
            Event::Capability(Capability::Top),
            Event::Capability(Capability::Sasl(vec!["PLAIN".into()])),
            Event::Capability(Capability::Other("X-NEW a".into())),
            Event::Done
        ]
    );
    let (events, _, _) = check(&[Command::Capa, Command::Noop], "+OK\r\n-ERR what?\r\n+OK\r\n");
    assert_eq!(events, [greeted(), refused(None, "what?"), Event::Done]);
}

#[test]
fn c11_the_greeting_may_be_a_refusal_and_text_is_made_harmless() {
    let (events, _, error) = check(&[Command::Noop], "-ERR [in-use/x] \u{1b}[1m\u{202e}busy\r\n");
    assert_eq!(error, None);
    assert_eq!(events, [refused(Some(ResponseCode::InUse), "?[1m?busy")]);
    assert_eq!(Client::new().send(Command::Noop), Err(SendError::NotGreeted));
}

#[test]
fn c13_any_byte_behind_the_reply_to_stls_is_fatal() {
    let commands = [Command::Stls, Command::Capa];
    let (events, output, error) = check(&commands, "+OK\r\n+OK begin\r\n");
    assert_eq!((events, error), (vec![greeted(), Event::Done], None));
    // Nothing goes out in the clear behind it, whatever the caller asks for.
    assert_eq!(output, b"STLS\r\n");
    for tail in (1..200).map(|len| "x".repeat(len)).chain(["+OK fake\r\n".into(), "\0".into()]) {
        let input = format!("+OK\r\n+OK begin\r\n{tail}");
        let (events, _, error) = run(&commands, input.as_bytes(), &[]);
        assert_eq!((events, error), (vec![greeted()], Some(ProtocolError::StlsInjection)));
        // Also when it comes in a segment of its own, before the handshake's first byte.
        let (_, _, error) = run(&commands, input.as_bytes(), &[input.len() - tail.len()]);
        assert_eq!(error, Some(ProtocolError::Unsolicited));
    }
    // A refused STLS leaves the session usable, for the caller to end.
    let (events, _, error) = check(&commands, "+OK\r\n-ERR no\r\n+OK\r\n.\r\n");
    assert_eq!(error, None);
    assert_eq!(events, [greeted(), refused(None, "no"), Event::Begun, Event::Done]);
}

#[test]
fn c16_plain_in_one_line_up_to_255_octets_and_in_two_above() {
    let plain = |password: &str| auth(Mechanism::Plain, password);
    let short = "AUTH PLAIN AGZyZWQAcHc=\r\n";
    for (input, output) in [
        ("+OK\r\n+OK\r\n", short.to_owned()),
        // A server that ignores the initial response asks for it again.
        ("+OK\r\n+ \r\n+OK\r\n", format!("{short}AGZyZWQAcHc=\r\n")),
        // One that goes on asking gets a cancellation, not the password again.
        ("+OK\r\n+\r\n+ more\r\n-ERR\r\n", format!("{short}AGZyZWQAcHc=\r\n*\r\n")),
    ] {
        let (_, sent, error) = check(&[plain("pw")], input);
        assert_eq!((String::from_utf8(sent).unwrap(), error), (output, None));
    }
    // 174 octets of password make a line of 253 octets, one more a line of 257.
    for (length, two_steps) in [(174, false), (175, true)] {
        for go_on in ["+ \r\n", "+ say it\r\n", "+OK\r\n"] {
            let input = format!("+OK\r\n{}+OK in\r\n", if two_steps { go_on } else { "" });
            let (events, sent, error) = check(&[plain(&"x".repeat(length))], &input);
            assert_eq!((events.len(), error), (2, None));
            let lines: Vec<_> = sent.split_inclusive(|&byte| byte == b'\n').collect();
            assert_eq!(lines.len(), if two_steps { 2 } else { 1 });
            assert_eq!(lines[0] == b"AUTH PLAIN\r\n", two_steps);
            assert!(two_steps || lines[0].len() == 253);
        }
    }
    let mut client = Client::after_stls();
    client.send(plain("pw")).unwrap();
    assert_eq!(client.send(Command::Noop), Err(SendError::Busy));
}

#[test]
fn c16_every_mechanism_is_framed_as_pop3_has_it() {
    let in_two_steps = |mut command| {
        if let Command::Auth { with_command, .. } = &mut command {
            *with_command = false;
        }
        command
    };
    let token = "dXNlcj1mcmVkAWF1dGg9QmVhcmVyIHQBAQ==";
    for (command, input, output) in [
        (auth(Mechanism::External, ""), "+OK\r\n", "AUTH EXTERNAL =\r\n".to_owned()),
        (
            auth(Mechanism::Login, "pw"),
            "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK\r\n",
            "AUTH LOGIN\r\nZnJlZA==\r\ncHc=\r\n".to_owned(),
        ),
        (auth(Mechanism::Xoauth2, "t"), "+OK\r\n", format!("AUTH XOAUTH2 {token}\r\n")),
        (
            in_two_steps(auth(Mechanism::Xoauth2, "t")),
            "+ \r\n+OK\r\n",
            format!("AUTH XOAUTH2\r\n{token}\r\n"),
        ),
        (
            auth(Mechanism::CramMd5, "pw"),
            "+ not base64\r\n-ERR\r\n",
            "AUTH CRAM-MD5\r\n*\r\n".to_owned(),
        ),
    ] {
        let (_, sent, error) = check(&[command], &format!("+OK\r\n{input}"));
        assert_eq!((String::from_utf8(sent).unwrap(), error), (output, None));
    }
    let apop = Command::Apop { user: argument("fred"), answer: argument("abc") };
    let (events, sent, _) = check(&[apop, Command::Utf8], "+OK <a@b>\r\n+OK\r\n+OK\r\n");
    assert_eq!((events.len(), &sent[..]), (3, &b"APOP fred abc\r\nUTF8\r\n"[..]));
}

#[test]
fn c18_what_is_said_of_a_refused_token_is_kept() {
    // {"status":"401"}
    let input = "+OK\r\n+ eyJzdGF0dXMiOiI0MDEifQ==\r\n-ERR [AUTH] no\r\n";
    for (mechanism, dummy) in [(Mechanism::OauthBearer, "AQ=="), (Mechanism::Xoauth2, "")] {
        let (events, sent, error) = check(&[auth(mechanism, "t")], input);
        assert_eq!(error, None);
        let refusal = Refusal { code: Some(ResponseCode::Auth), text: "no".into() };
        let report = r#"{"status":"401"}"#.to_owned();
        assert_eq!(events, [greeted(), Event::TokenRefused { report, refusal }]);
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.ends_with(&format!("\r\n{dummy}\r\n")), "{sent}");
    }
}

#[test]
fn c17_a_server_that_proves_nothing_is_not_believed() {
    // r=other,s=AAEC,i=1
    let other = "+ cj1vdGhlcixzPUFBRUMsaT0x\r\n";
    for (input, distrust) in [
        ("+OK in\r\n".to_owned(), Distrust::Unproven),
        (format!("{other}-ERR\r\n"), Distrust::Nonce),
        (format!("{other}+OK in\r\n"), Distrust::Nonce),
        ("+ ?\r\n+OK in\r\n".to_owned(), Distrust::BadBase64),
    ] {
        let input = format!("+OK\r\n{input}");
        let (events, sent, error) = check(&[auth(Mechanism::ScramSha256, "pw")], &input);
        assert_eq!((events, error), (vec![greeted(), Event::Distrusted(distrust)], None));
        assert_eq!(sent.ends_with(b"\r\n*\r\n"), distrust != Distrust::Unproven);
    }
}

#[test]
fn c19_only_a_strict_stamp_counts() {
    for (greeting, stamp) in [
        ("+OK ready <1896.697170952@dbc.mtview.ca.us>", Some("<1896.697170952@dbc.mtview.ca.us>")),
        ("+OK <@>", None),
        ("+OK <a b@c>", None),
        ("+OK <a@b@c>", None),
        ("+OK <a@\u{e9}>", None),
        ("+OK <<a@b>", None),
        ("+OK a@b", None),
    ] {
        let (events, _, _) = check(&[], &format!("{greeting}\r\n"));
        assert_eq!(events, [Event::Greeting { stamp: stamp.map(str::to_owned) }], "{greeting}");
    }
}

#[test]
fn c23_every_line_is_bounded() {
    let list = [Command::Uidl];
    for chunk in [1024, 1 << 16] {
        let mut client = Client::after_stls();
        let mut buffer = BytesMut::from(&b"+OK\r\n1 "[..]);
        list.iter().cloned().for_each(|command| client.send(command).unwrap());
        let error = loop {
            match client.poll_event(&mut buffer) {
                Ok(_) => buffer.extend_from_slice(&vec![b'x'; chunk]),
                Err(error) => break error,
            }
            assert!(buffer.len() <= 2048 + chunk);
        };
        assert_eq!(error, ProtocolError::LineTooLong);
        assert_eq!(client.send(Command::Noop), Err(SendError::Over));
    }
    // A listing line over the limit is as good as none; a status line over it is fatal.
    let long = "x".repeat(3000);
    let (events, _, error) =
        run(&list, format!("+OK\r\n+OK\r\n1 {long}\r\n2 b\r\n.\r\n").as_bytes(), &[]);
    assert_eq!(error, None);
    assert_eq!(events, [greeted(), Event::Begun, id(2, "b"), Event::Done]);
    let (_, _, error) = run(&list, format!("+OK {long}\r\n").as_bytes(), &[]);
    assert_eq!(error, Some(ProtocolError::LineTooLong));
}

/// How many times a server can say `line` in a listing before the session ends.
fn lines_taken(command: Command, line: &[u8], lines_max: usize) -> usize {
    let (mut client, mut buffer) = (Client::new(), BytesMut::from(&b"+OK\r\n"[..]));
    assert_eq!(client.poll_event(&mut buffer), Ok(Some(greeted())));
    client.send(command).unwrap();
    buffer.extend_from_slice(b"+OK\r\n");
    for lines in 0..lines_max {
        loop {
            match client.poll_event(&mut buffer) {
                Ok(None) => break,
                Ok(Some(_)) => {}
                Err(error) => {
                    assert_eq!(error, ProtocolError::ListingTooLong);
                    return lines;
                }
            }
        }
        buffer.extend_from_slice(line);
    }
    lines_max
}

#[test]
fn a_listing_of_short_lines_has_an_end() {
    // What is kept of a line costs more memory than the line has octets.
    assert!(lines_taken(Command::Capa, b"X\r\n", 100_000) < 2_000);
    assert!(lines_taken(Command::Capa, b"\n", 100_000) < 2_000);
    assert_eq!(lines_taken(Command::Uidl, b"1 a\r\n", 100_000), 100_000);
}

#[test]
fn what_is_no_reply_ends_the_session() {
    for input in ["HTTP/1.1 400\r\n", "\r\n", "* OK IMAP\r\n", "220 smtp\r\n", "+ go\r\n"] {
        let (_, _, error) = check(&[], input);
        assert!(matches!(error, Some(ProtocolError::NotAReply(_))), "{input}");
    }
    let (_, _, error) = check(&[Command::Stat], "+OK\r\n+OK lots\r\n");
    assert_eq!(error, Some(ProtocolError::NotAReply("+OK lots".into())));
    let (_, _, error) = check(&[Command::Noop], "+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(error, Some(ProtocolError::Unsolicited));
}

#[test]
fn challenges_without_an_end_end_the_session() {
    let plain = auth(Mechanism::Plain, "secret");
    // Servers that ignored the initial response ask once; a second challenge is cancelled.
    let (_, output, error) = check(&[plain], "+OK\r\n+\r\n+\r\n+\r\n+\r\n");
    assert_eq!(error, Some(ProtocolError::NotAReply("+".into())));
    assert_eq!(output.iter().filter(|octet| **octet == b'*').count(), 1);
}

#[test]
fn no_secret_is_shown() {
    let mut client = Client::after_stls();
    let pass = Command::Pass(argument("s3cret pw"));
    assert!(!format!("{pass:?}").contains("s3cret"));
    client.send(pass).unwrap();
    assert!(!format!("{client:?}").contains("s3cret"));
    let wire = client.poll_output().unwrap();
    assert_eq!(wire.expose(), b"PASS s3cret pw\r\n");
    assert!(!format!("{wire:?}").contains("s3cret"));
}

/// What servers say, and what they should not.
fn babble() -> impl Strategy<Value = String> {
    let words = [
        "+OK",
        "-ERR",
        "+ ",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        ".",
        "\r\n.\r\n",
        " ",
        "1",
        "2",
        "-1",
        "a",
        "[AUTH]",
        "\0",
        "\u{e9}",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| words.concat())
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let commands = vec![
        Command::Capa,
        Command::Utf8,
        Command::User(argument("fred")),
        auth(Mechanism::Plain, &"x".repeat(200)),
        auth(Mechanism::ScramSha256, "pw"),
        auth(Mechanism::Login, "pw"),
        auth(Mechanism::Xoauth2, "token"),
        Command::Stat,
        Command::List,
        Command::Uidl,
        Command::Retr(number(1)),
        Command::Top { number: number(2), body_lines: 1 },
        Command::Dele(number(1)),
        Command::Quit,
    ];
    prop::collection::vec(prop::sample::select(commands), 0..6)
}

proptest! {
    /// Goal: nothing a server says makes the session fall over, and what it means does not depend
    /// on how it is cut into segments.
    #[test]
    fn r10_any_input_means_the_same_in_any_chunking(
        commands in commands(),
        input in babble(),
        cuts in prop::collection::vec(1..6_usize, 0..60),
    ) {
        let input = format!("+OK\r\n{input}");
        let whole = run(&commands, input.as_bytes(), &[]);
        prop_assert_eq!(run(&commands, input.as_bytes(), &cuts), whole);
    }
}
