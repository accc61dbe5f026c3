//! RETR and TOP: what a message looks like on the wire (RFC 1939 sections 3, 5, 7 and 11).

use crate::Rule;
use crate::bench::{Bench, MESSAGE_OCTETS_MAX};
use crate::connection::Connection;
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must("S25", "RFC 1939 section 5", "RETR gives the same each time", retr_repeats),
    Rule::must(
        "S25a",
        "RFC 1939 section 5",
        "RETR of no message, or without a number, is -ERR",
        retr_of_none_is_refused,
    ),
    Rule::must(
        "S7",
        "RFC 1939 section 3",
        "lines that begin with a dot get another",
        dots_are_stuffed,
    ),
    Rule::must(
        "S8",
        "RFC 1939 section 3",
        "every line of a message ends with CRLF",
        lines_end_with_crlf,
    ),
    Rule::must(
        "S24",
        "RFC 1939 section 11",
        "LIST has the octets that RETR sends",
        sizes_are_exact,
    ),
    Rule::must(
        "S28",
        "RFC 1939 section 7",
        "TOP n 0 is the header and the blank line",
        top_0_is_the_header,
    ),
    Rule::must(
        "S28a",
        "RFC 1939 section 7",
        "TOP n k counts lines of the body",
        top_counts_body_lines,
    ),
    Rule::must(
        "S28b",
        "RFC 1939 section 7",
        "TOP with more lines than there are is RETR",
        a_large_top_is_retr,
    ),
    Rule::must(
        "S28c",
        "RFC 1939 section 7",
        "TOP wants a message and a number that is not negative",
        top_wants_two_numbers,
    ),
];

/// A message on the wire.
struct Fetched {
    number: u64,
    /// What LIST said of it.
    octets: u64,
    /// The lines, stuffed.
    lines: Vec<Vec<u8>>,
}

/// The first messages, so many that it does not take long.
fn fetch(bench: &mut Bench, session: &mut Connection) -> Outcome<Vec<Fetched>> {
    let mut budget = FETCHED_OCTETS_MAX;
    let mut fetched = Vec::new();
    for (number, octets) in bench.scan(session)?.into_iter().take(FETCHED_MAX) {
        if octets > MESSAGE_OCTETS_MAX.min(budget) {
            continue;
        }
        budget -= octets;
        let lines = session.listing(&format!("RETR {number}"))?;
        fetched.push(Fetched { number, octets, lines });
    }
    need!(!fetched.is_empty(), "the maildrop has no message, or only large ones");
    Ok(fetched)
}

fn is_top_there(session: &mut Connection, number: u64) -> Outcome {
    let reply = session.ask(&format!("TOP {number} 0"))?;
    need!(reply.is_ok(), "TOP is answered {reply}");
    session.lines().map(|_| ())
}

fn retr_repeats(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let (number, _) = bench.message(&mut session)?;
    let command = format!("RETR {number}");
    let (first, second) = (session.listing(&command)?, session.listing(&command)?);
    ensure!(first == second, "{command} gives {} lines, and then {}", first.len(), second.len());
    bench.keep(session);
    Ok(())
}

fn retr_of_none_is_refused(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let messages = bench.scan(&mut session)?.len();
    let beyond = format!("RETR {}", messages + 1);
    for command in [&beyond, "RETR", "RETR 0", "RETR -1", "RETR x", "RETR 18446744073709551617"] {
        let reply = session.ask(command)?;
        if reply.is_ok() {
            session.lines()?;
        }
        ensure!(reply.is_err(), "{command} is answered {reply}");
    }
    bench.keep(session);
    Ok(())
}

fn dots_are_stuffed(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let mut seen = false;
    for Fetched { number, lines, .. } in fetch(bench, &mut session)? {
        for line in lines.iter().filter(|line| line.starts_with(b".")) {
            seen = true;
            ensure!(
                line.starts_with(b".."),
                "message {number} has the line \"{}\"",
                line.escape_ascii()
            );
        }
    }
    bench.keep(session);
    need!(seen, "no line begins with a dot in the first {FETCHED_MAX} messages");
    Ok(())
}

fn lines_end_with_crlf(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    for Fetched { number, lines, .. } in fetch(bench, &mut session)? {
        let bare = lines.iter().position(|line| !line.ends_with(b"\r\n"));
        if let Some(bare) = bare {
            let line = bare + 1;
            return Err(Fault::Broken(format!("line {line} of message {number} ends with LF")));
        }
    }
    bench.keep(session);
    Ok(())
}

fn sizes_are_exact(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let mut wrong = Vec::new();
    let fetched = fetch(bench, &mut session)?;
    for Fetched { number, octets, lines } in &fetched {
        let sent: usize =
            lines.iter().map(|line| line.len() - usize::from(line.starts_with(b"."))).sum();
        if *octets != sent as u64 {
            wrong.push(format!("message {number} has {sent} octets and LIST says {octets}"));
        }
    }
    bench.keep(session);
    ensure!(
        wrong.is_empty(),
        "{} of {} messages: {}",
        wrong.len(),
        fetched.len(),
        wrong.first().map(String::as_str).unwrap_or_default()
    );
    Ok(())
}

/// Where the body begins: behind the first empty line.
fn body_start(lines: &[Vec<u8>]) -> usize {
    lines.iter().position(|line| line == b"\r\n").map_or(lines.len(), |blank| blank + 1)
}

/// What TOP gives for some numbers of lines, and what it should give of the message.
fn compare_top(bench: &mut Bench, body_lines: impl Fn(usize) -> Vec<usize>) -> Outcome {
    let mut session = bench.session()?;
    for Fetched { number, lines, .. } in fetch(bench, &mut session)?.into_iter().take(TOPPED) {
        is_top_there(&mut session, number)?;
        let start = body_start(&lines);
        // A message without a body has no blank line; servers may add one.
        if start == lines.len() {
            continue;
        }
        for wanted in body_lines(lines.len() - start) {
            let top = session.listing(&format!("TOP {number} {wanted}"))?;
            let end = start.saturating_add(wanted).min(lines.len());
            ensure!(
                lines.get(..end) == Some(top.as_slice()),
                "TOP {number} {wanted} has {} lines; the header and the blank line are {start}, \
                 the body is {}",
                top.len(),
                lines.len() - start
            );
        }
    }
    bench.keep(session);
    Ok(())
}

fn top_0_is_the_header(bench: &mut Bench) -> Outcome {
    compare_top(bench, |_| vec![0])
}

fn top_counts_body_lines(bench: &mut Bench) -> Outcome {
    compare_top(bench, |body| vec![1, 2.min(body), body.saturating_sub(1), body])
}

fn a_large_top_is_retr(bench: &mut Bench) -> Outcome {
    compare_top(bench, |body| vec![body + 1, 99_999_999])
}

fn top_wants_two_numbers(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let (number, _) = bench.message(&mut session)?;
    is_top_there(&mut session, number)?;
    for arguments in
        [String::new(), " 0 0".to_owned(), format!(" {number} -1"), format!(" {number} x")]
    {
        let command = format!("TOP{arguments}");
        let reply = session.ask(&command)?;
        if reply.is_ok() {
            session.lines()?;
        }
        ensure!(reply.is_err(), "{command} is answered {reply}");
    }
    bench.keep(session);
    Ok(())
}

const FETCHED_MAX: usize = 20;
const FETCHED_OCTETS_MAX: u64 = 4 * 1024 * 1024;
/// Messages that TOP is tried on.
const TOPPED: usize = 5;
