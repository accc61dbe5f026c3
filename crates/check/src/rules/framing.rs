//! Lines and replies (RFC 1939 section 3, RFC 2449 section 4).

use crate::Rule;
use crate::bench::Bench;
use crate::connection::{Connection, Reply};
use crate::fault::Outcome;

pub(super) const RULES: &[Rule] = &[
    Rule::must("S1", "RFC 1939 section 3", "keywords are case-blind", keywords_are_case_blind),
    Rule::must(
        "S2",
        "RFC 2449 section 4",
        "a command of 255 octets is taken as one line",
        a_long_command_is_one_line,
    ),
    Rule::must(
        "S2a",
        "RFC 1939 section 3",
        "a line of 1000 octets gets one -ERR, or the end of the connection",
        a_too_long_line_is_one_error,
    ),
    Rule::must(
        "S4",
        "RFC 1939 section 3",
        "the first line of a reply has 512 octets at most",
        replies_are_short,
    ),
    Rule::must(
        "S5",
        "RFC 1939 section 3",
        "replies begin with +OK or -ERR and end with CRLF",
        replies_begin_and_end_well,
    ),
    Rule::must("S6", "RFC 1939 section 3", "-ERR is one line", errors_are_one_line),
    Rule::should("S16", "RFC 1957", "a space follows +OK", a_space_follows_ok),
    Rule::should(
        "S1a",
        "RFC 1939 section 3",
        "a command that comes in pieces is one command",
        pieces_are_one_command,
    ),
];

fn keywords_are_case_blind(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    for command in ["nOoP", "stat", "Noop"] {
        session.ok(command)?;
    }
    session.listing("lisT")?;
    bench.keep(session);
    Ok(())
}

fn a_long_command_is_one_line(bench: &mut Bench) -> Outcome {
    need!(bench.capabilities().is_some(), "without CAPA a command has 47 octets at most");
    let mut connection = bench.connect()?;
    let reply = connection.ask(&format!("USER {}", "x".repeat(248)))?;
    ensure!(reply.is_ok() || reply.is_err(), "USER is answered {reply}");
    in_step(&mut connection)
}

fn a_too_long_line_is_one_error(bench: &mut Bench) -> Outcome {
    let mut connection = bench.connect()?;
    connection.send_line(&format!("XLONG{}", "x".repeat(993)))?;
    let Ok(reply) = connection.reply() else { return Ok(()) };
    ensure!(reply.is_err(), "a line of 1000 octets is answered {reply}");
    let more = connection.unasked()?;
    ensure!(more.is_empty(), "a line of 1000 octets is answered more than once");
    Ok(())
}

/// The next reply is that to `QUIT`, and then the server closes.
fn in_step(connection: &mut Connection) -> Outcome {
    connection.ok("QUIT")?;
    let end = connection.end()?;
    ensure!(end.said.is_empty(), "something follows the reply to QUIT");
    Ok(())
}

/// Replies of many kinds, without their further lines: before the login, and after.
fn samples(bench: &mut Bench) -> Outcome<Vec<(&'static str, Reply)>> {
    let (mut before, greeting) = bench.greeted()?;
    let mut samples = vec![("the greeting", greeting)];
    samples.push(("a command that is none", before.ask("XYZZY")?));
    let user = format!("USER {}", bench.target().user);
    samples.push(("USER", before.ask(&user)?));
    samples.push(("QUIT", before.ask("QUIT")?));
    let mut session = bench.session()?;
    for command in ["STAT", "NOOP", "RETR 0", "LIST 0"] {
        samples.push((command, session.ask(command)?));
    }
    for command in ["LIST", "UIDL", "CAPA"] {
        let reply = session.ask(command)?;
        if reply.is_ok() {
            session.lines()?;
        }
        samples.push((command, reply));
    }
    bench.keep(session);
    Ok(samples)
}

fn replies_are_short(bench: &mut Bench) -> Outcome {
    for (what, reply) in samples(bench)? {
        let octets = reply.octets().len();
        ensure!(octets <= 512, "the reply to {what} has {octets} octets");
    }
    let mut connection = bench.connect()?;
    let reply = connection.ask(&format!("XYZZY {}", "y".repeat(247)))?;
    let octets = reply.octets().len();
    ensure!(octets <= 512, "the reply to a long command that is none has {octets} octets");
    Ok(())
}

fn replies_begin_and_end_well(bench: &mut Bench) -> Outcome {
    for (what, reply) in samples(bench)? {
        ensure!(reply.is_ok() || reply.is_err(), "the reply to {what} is {reply}");
        ensure!(reply.octets().ends_with(b"\r\n"), "the reply to {what} ends with LF alone");
    }
    Ok(())
}

fn errors_are_one_line(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    for command in ["RETR 0", "LIST 0", "XYZZY", "TOP 0 0", "UIDL 0", "RETR"] {
        session.refused(command)?;
        let next = session.ask("STAT")?;
        let is_stat = next.rest().split(' ').take(2).all(|word| word.parse::<u64>().is_ok());
        ensure!(next.is_ok() && is_stat, "behind the -ERR to {command}, STAT is answered {next}");
    }
    bench.keep(session);
    Ok(())
}

fn a_space_follows_ok(bench: &mut Bench) -> Outcome {
    for (what, reply) in samples(bench)? {
        let bare = reply.is_ok() && !reply.octets().starts_with(b"+OK ");
        ensure!(!bare, "the reply to {what} is {reply}, without a space");
    }
    Ok(())
}

fn pieces_are_one_command(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    for octet in b"NOOP\r\n" {
        session.send(&[*octet])?;
    }
    let reply = session.reply()?;
    ensure!(reply.is_ok(), "NOOP, octet by octet, is answered {reply}");
    let more = session.unasked()?;
    ensure!(more.is_empty(), "NOOP, octet by octet, is answered more than once");
    bench.keep(session);
    Ok(())
}
