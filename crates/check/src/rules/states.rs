//! What may be said when (RFC 1939 sections 3 to 6).

use crate::Rule;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S11",
        "RFC 1939 section 4",
        "the greeting is one positive line",
        greeting_is_one_line,
    ),
    Rule::must(
        "S9",
        "RFC 1939 section 3",
        "what is no command is -ERR, before the login and after it",
        unknown_commands_are_refused,
    ),
    Rule::must(
        "S9a",
        "RFC 1939 section 3",
        "before the login, commands for after it are -ERR",
        early_commands_are_refused,
    ),
    Rule::must(
        "S9b",
        "RFC 1939 section 3",
        "after the login, commands for before it are -ERR",
        late_commands_are_refused,
    ),
    Rule::must(
        "S9c",
        "RFC 1939 section 3",
        "LIST, UIDL and RETR with too many arguments are -ERR",
        too_many_arguments_are_refused,
    ),
    Rule::must("S20", "RFC 1939 section 4", "QUIT before the login is +OK and closes", quit_closes),
    Rule::must(
        "S12",
        "RFC 1939 section 4",
        "while a session is open, no other changes its maildrop: a second login is refused",
        a_second_login_is_refused,
    ),
    Rule::should(
        "S12a",
        "RFC 2449 section 8.1.2",
        "with RESP-CODES, that refusal is [IN-USE]",
        the_refusal_says_in_use,
    ),
];

fn greeting_is_one_line(bench: &mut Bench) -> Outcome {
    let (mut connection, greeting) = bench.greeted()?;
    ensure!(greeting.is_ok(), "the greeting is {greeting}");
    let more = connection.unasked()?;
    ensure!(more.is_empty(), "something follows the greeting");
    Ok(())
}

fn unknown_commands_are_refused(bench: &mut Bench) -> Outcome {
    let mut connection = bench.connect()?;
    for command in ["XYZZY", "STATUS"] {
        connection.refused(command)?;
    }
    let mut session = bench.session()?;
    for command in ["XYZZY", "STATUS", "A1 NOOP"] {
        session.refused(command)?;
    }
    bench.keep(session);
    Ok(())
}

fn early_commands_are_refused(bench: &mut Bench) -> Outcome {
    let commands =
        ["STAT", "LIST", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 0", "UIDL", "LIST 1"];
    // Servers close after some bad commands in a row.
    for few in commands.chunks(2) {
        let mut connection = bench.connect()?;
        for command in few {
            connection.refused(command)?;
        }
    }
    Ok(())
}

fn late_commands_are_refused(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let user = format!("USER {}", bench.target().user);
    for command in [user.as_str(), "PASS x", "STLS", "APOP x c4c9334bac560ecc979e58001b3e22fb"] {
        session.refused(command)?;
    }
    session.ok("NOOP")?;
    bench.keep(session);
    Ok(())
}

fn too_many_arguments_are_refused(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let (number, _) = bench.message(&mut session)?;
    for verb in ["LIST", "UIDL", "RETR"] {
        let command = format!("{verb} {number} {number}");
        let reply = session.ask(&command)?;
        if reply.is_ok() && verb == "RETR" {
            session.lines()?;
        }
        ensure!(reply.is_err(), "{command} is answered {reply}");
    }
    bench.keep(session);
    Ok(())
}

fn quit_closes(bench: &mut Bench) -> Outcome {
    let mut connection = bench.connect()?;
    connection.ok("QUIT")?;
    let end = connection.end()?;
    ensure!(end.said.is_empty(), "something follows the reply to QUIT");
    Ok(())
}

/// A session, and what a second login is told meanwhile.
fn second_login(bench: &mut Bench) -> Outcome<(Connection, crate::connection::Reply)> {
    let mut first = bench.session()?;
    let mut second = bench.connect()?;
    let reply = bench.log_in(&mut second)?;
    first.ok("STAT")?;
    Ok((first, reply))
}

fn a_second_login_is_refused(bench: &mut Bench) -> Outcome {
    let (first, reply) = second_login(bench)?;
    bench.keep(first);
    need!(
        reply.is_err(),
        "a second login succeeds; whether it can take messages from the first is not tried"
    );
    Ok(())
}

fn the_refusal_says_in_use(bench: &mut Bench) -> Outcome {
    need!(bench.has_codes(), "no RESP-CODES is announced");
    let (first, reply) = second_login(bench)?;
    bench.keep(first);
    match reply.code().as_deref() {
        _ if reply.is_ok() => Err(Fault::Untestable("a second login succeeds".into())),
        Some("LOGIN-DELAY") => Err(Fault::Untestable("logins are delayed".into())),
        Some("IN-USE") => Ok(()),
        _ => Err(Fault::Broken(format!("the second login is answered {reply}"))),
    }
}
