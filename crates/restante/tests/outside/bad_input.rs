//! Clients that send rubbish, too much, or do not read: a clear -ERR or a closed connection, flat
//! memory, and another session that does not notice.

use std::io::{ErrorKind, Write as _};

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD, Serving};

#[test]
fn an_endless_line_is_refused_in_flat_memory() {
    for logged_in in [false, true] {
        let office = Office::with_mail([MESSAGE]);
        let serving = office.serve();
        let mut line = if logged_in {
            Line::login(serving.pop3, "alice", PASSWORD)
        } else {
            Line::connect(serving.pop3)
        };
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            match line.send(&chunk) {
                Ok(()) => {}
                Err(error) if is_closed(error.kind()) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if !logged_in {
            other_session_works(&serving);
        }
        line.send(b"\r\n").ok();
        if let Some(reply) = line.reply() {
            assert!(reply.starts_with("-ERR "), "{reply}");
        }
        drop(line);
        other_session_works(&serving);
        assert_flat(&serving);
    }
}

#[test]
fn bad_arguments_and_commands_out_of_place_are_refused() {
    let office = Office::with_mail([MESSAGE, MESSAGE]);
    let serving = office.serve();

    for command in ["STAT", "LIST", "RETR 1", "DELE 1", "RSET", "NOOP", "UIDL", "TOP 1 0"] {
        // A line of its own for each: a server may close after some bad commands.
        let mut line = Line::connect(serving.pop3);
        line.refused(command);
    }
    let mut line = Line::connect(serving.pop3);
    line.refused(&format!("PASS {PASSWORD}"));

    let refused = [
        "RETR 0",
        "RETR 3",
        "RETR 99999999999999999999",
        "RETR -1",
        "RETR 1.5",
        "RETR",
        "RETR x",
        "RETR 1 junk",
        "LIST 1 junk",
        "LIST 0",
        "LIST 3",
        "DELE 0",
        "DELE",
        "DELE 3",
        "UIDL 0",
        "UIDL 1 junk",
        "TOP 0 1",
        "TOP 1 -1",
        "TOP 1 x",
        "TOP 1 1 1",
        "STAT 1 2 3 junk\0",
        "ST\0AT",
        "\0",
        "RETR 1\0",
        "\0RETR 1",
        "",
        "XYZZY",
        "USER alice",
        "PASS x",
        "STLS now please",
        "\u{e4}\u{f6}\u{fc}",
        "EHLO localhost",
    ];
    for command in refused {
        let mut line = Line::login(serving.pop3, "alice", PASSWORD);
        line.refused(command);
        // The session goes on as if nothing had been said, unless the server gave it up.
        if let Some(reply) = line.ask("STAT") {
            assert!(reply.starts_with("+OK 2 "), "after {command:?}: {reply}");
            line.ok("QUIT");
        }
        assert!(line.rest().is_empty(), "nothing behind the end");
    }

    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    line.ok("DELE 1");
    for command in ["RETR 1", "DELE 1", "LIST 1", "UIDL 1", "TOP 1 0"] {
        line.refused(command);
    }
    assert!(line.ok("STAT").starts_with("+OK 1 "));
}

#[test]
fn a_client_that_sends_100_000_commands_and_does_not_read_waits_alone() {
    const COMMANDS: usize = 100_000;
    let office = Office::new(&["alice", "bob"]);
    for user in ["alice", "bob"] {
        crate::support::maildir::fill(&office.maildir(user), [MESSAGE]);
    }
    let serving = office.serve();
    let mut line = Line::login(serving.pop3, "bob", PASSWORD);
    let mut socket = line.socket();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let commands = "LIST 1\r\n".repeat(COMMANDS);
            socket.write_all(commands.as_bytes()).and_then(|()| socket.write_all(b"QUIT\r\n"))
        });
        for _ in 0..20 {
            other_session_works(&serving);
        }
        assert_flat(&serving);
        let mut replies = 0;
        while let Some(reply) = line.reply() {
            replies += 1;
            assert!(reply.starts_with("+OK"), "reply {replies}: {reply}");
        }
        assert_eq!(replies, COMMANDS + 1, "every command is answered");
        writer.join().unwrap().unwrap();
    });
    assert_flat(&serving);
}

#[test]
fn noise_and_foreign_protocols_hurt_nobody() {
    let office = Office::with_mail([MESSAGE]);
    let serving = office.serve();
    let noise: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not a handshake",
        b"\xff\xf4\xff\xfd\x06\r\n\r\n\r\n",
        &[0; 70_000],
        &[b'\n'; 5000],
        &[b'\r'; 5000],
    ];
    for address in [serving.pop3, serving.pop3s] {
        for octets in noise {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            // A server that has heard enough may close before all is said.
            let _ = socket.write_all(octets);
            drop(socket);
            other_session_works(&serving);
        }
    }
    assert_flat(&serving);
}

const MESSAGE: &str = "Subject: a\n\nbody\n";

/// Far below what any of this input would need if it were kept.
const MEMORY_KIB_MAX: u64 = 48 * 1024;

fn assert_flat(serving: &Serving) {
    let peak_kib = serving.process.memory_peak_kib();
    assert!(peak_kib < MEMORY_KIB_MAX, "the server had {peak_kib} KiB");
}

fn other_session_works(serving: &Serving) {
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    assert_eq!(line.body("RETR 1"), crate::support::maildir::canonical(MESSAGE.as_bytes()));
    line.ok("QUIT");
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
