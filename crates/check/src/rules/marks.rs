//! DELE, RSET and QUIT (RFC 1939 sections 5 and 6). All but the last leave the maildrop as it was.

use crate::Rule;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S26",
        "RFC 1939 section 5",
        "a marked message is not there any more",
        marked_is_gone,
    )
    .deleting(),
    Rule::must(
        "S26a",
        "RFC 1939 section 5",
        "numbers do not move when one is marked",
        numbers_stay,
    )
    .deleting(),
    Rule::must("S27", "RFC 1939 section 5", "RSET takes all marks back", rset_takes_marks_back)
        .deleting(),
    Rule::must("S15", "RFC 1939 section 6", "without QUIT nothing is deleted", only_quit_deletes)
        .deleting(),
    Rule::must(
        "S27a",
        "RFC 1939 section 6",
        "what RSET took back survives QUIT",
        rset_then_quit_keeps,
    )
    .deleting(),
    Rule::must(
        "S21",
        "RFC 1939 section 6",
        "QUIT deletes what is marked, and only that",
        quit_deletes,
    )
    .deleting(),
];

/// A session whose maildrop has two messages or more.
fn session_with_two(bench: &mut Bench) -> Outcome<(Connection, Vec<(u64, u64)>)> {
    let mut session = bench.session()?;
    let scan = bench.scan(&mut session)?;
    if scan.len() < 2 {
        bench.keep(session);
        return Err(Fault::Untestable("the maildrop has less than two messages".into()));
    }
    Ok((session, scan))
}

/// Takes the marks back, and hands the session on.
fn leave(bench: &mut Bench, mut session: Connection) -> Outcome {
    session.ok("RSET")?;
    bench.keep(session);
    Ok(())
}

fn marked_is_gone(bench: &mut Bench) -> Outcome {
    let (mut session, scan) = session_with_two(bench)?;
    session.ok("DELE 1")?;
    for command in ["RETR 1", "DELE 1", "LIST 1"] {
        session.refused(command)?;
    }
    for command in ["TOP 1 0", "UIDL 1"] {
        let reply = session.ask(command)?;
        ensure!(reply.is_err(), "{command} of a marked message is answered {reply}");
    }
    let left = bench.scan(&mut session)?;
    let wanted = scan.get(1..).unwrap_or_default();
    ensure!(left == wanted, "with message 1 marked, LIST has {} messages", left.len());
    let sum: u64 = wanted.iter().map(|(_, octets)| *octets).sum();
    let stat = session.ok("STAT")?;
    let expected = format!("{} {sum}", wanted.len());
    ensure!(stat.rest().starts_with(&expected), "with message 1 marked, STAT is answered {stat}");
    leave(bench, session)
}

fn numbers_stay(bench: &mut Bench) -> Outcome {
    let (mut session, scan) = session_with_two(bench)?;
    session.ok("DELE 1")?;
    let (number, octets) = scan.get(1).copied().unwrap_or_default();
    let reply = session.ok(&format!("LIST {number}"))?;
    let is_same = reply.rest().starts_with(&format!("{number} {octets}"));
    ensure!(is_same, "with message 1 marked, LIST {number} is answered {reply}");
    leave(bench, session)
}

fn rset_takes_marks_back(bench: &mut Bench) -> Outcome {
    let (mut session, scan) = session_with_two(bench)?;
    session.ok("DELE 1")?;
    session.ok("RSET")?;
    let after = bench.scan(&mut session)?;
    ensure!(after == scan, "after DELE and RSET, LIST has {} messages", after.len());
    bench.keep(session);
    Ok(())
}

fn only_quit_deletes(bench: &mut Bench) -> Outcome {
    let (mut session, scan) = session_with_two(bench)?;
    session.ok("DELE 1")?;
    drop(session);
    let mut session = bench.login()?;
    let after = bench.scan(&mut session)?;
    ensure!(after.len() >= scan.len(), "of {} messages {} are left", scan.len(), after.len());
    bench.keep(session);
    Ok(())
}

/// Ends a session by QUIT.
fn quit(session: &mut Connection) -> Outcome {
    session.ok("QUIT")?;
    session.end().map(|_| ())
}

fn rset_then_quit_keeps(bench: &mut Bench) -> Outcome {
    need!(bench.capability("EXPIRE").is_none_or(|days| days != "0"), "QUIT deletes what was read");
    let (session, scan) = session_with_two(bench)?;
    // Of a session of its own, in which nothing was read.
    drop(session);
    let mut session = bench.login()?;
    session.ok("DELE 1")?;
    session.ok("RSET")?;
    quit(&mut session)?;
    let mut session = bench.login()?;
    let after = bench.scan(&mut session)?;
    ensure!(after.len() >= scan.len(), "of {} messages {} are left", scan.len(), after.len());
    bench.keep(session);
    Ok(())
}

fn quit_deletes(bench: &mut Bench) -> Outcome {
    need!(bench.capability("EXPIRE").is_none_or(|days| days != "0"), "QUIT deletes what was read");
    let (session, _) = session_with_two(bench)?;
    drop(session);
    let mut session = bench.login()?;
    let before = session.listing("UIDL")?;
    let last = before.len();
    session.ok(&format!("DELE {last}"))?;
    quit(&mut session)?;
    let mut session = bench.login()?;
    let after = session.listing("UIDL")?;
    let wanted = before.get(..last.saturating_sub(1)).unwrap_or_default();
    let kept = after.get(..wanted.len()).unwrap_or_default();
    ensure!(kept == wanted, "messages that were not marked are gone, or have another unique-id");
    let deleted = before.last().is_some_and(|line| !after.contains(line));
    ensure!(deleted, "the message that was marked is still there");
    bench.keep(session);
    Ok(())
}
