//! Several commands before the first reply (RFC 2449 section 6.6).

use crate::Rule;
use crate::bench::Bench;
use crate::fault::Outcome;

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S43",
        "RFC 2449 section 6.6",
        "with PIPELINING, commands in one write are answered in turn",
        replies_come_in_turn,
    ),
    Rule::must(
        "S43a",
        "RFC 2449 section 6.6",
        "with PIPELINING, many RETR in one write do not block",
        many_retr_do_not_block,
    ),
];

fn replies_come_in_turn(bench: &mut Bench) -> Outcome {
    bench.announced("PIPELINING")?;
    let mut session = bench.session()?;
    let (number, octets) = bench.message(&mut session)?;
    let turn = format!("STAT\r\nRETR {number}\r\nLIST {number}\r\nXYZZY\r\nLIST\r\nNOOP\r\n");
    session.send(turn.repeat(2).as_bytes())?;
    for _ in 0..2 {
        let stat = session.reply()?;
        ensure!(stat.is_ok(), "STAT is answered {stat}");
        let retr = session.reply()?;
        ensure!(retr.is_ok(), "RETR is answered {retr}");
        session.lines()?;
        let list = session.reply()?;
        let wanted = format!("{number} {octets}");
        ensure!(list.rest().starts_with(&wanted), "LIST {number} is answered {list}");
        let unknown = session.reply()?;
        ensure!(unknown.is_err(), "XYZZY is answered {unknown}");
        let list = session.reply()?;
        ensure!(list.is_ok(), "LIST is answered {list}");
        session.lines()?;
        let noop = session.reply()?;
        ensure!(noop.is_ok(), "NOOP is answered {noop}");
    }
    bench.keep(session);
    Ok(())
}

fn many_retr_do_not_block(bench: &mut Bench) -> Outcome {
    bench.announced("PIPELINING")?;
    let mut session = bench.session()?;
    let (number, octets) = bench.message(&mut session)?;
    let often = usize::try_from(OCTETS_MAX / (octets + 1)).unwrap_or(1).clamp(2, COMMANDS_MAX);
    let wanted = session.listing(&format!("RETR {number}"))?;
    session.send(format!("RETR {number}\r\n").repeat(often).as_bytes())?;
    for turn in 1..=often {
        let reply = session.reply()?;
        ensure!(reply.is_ok(), "RETR {turn} of {often} is answered {reply}");
        let lines = session.lines()?;
        ensure!(lines == wanted, "RETR {turn} of {often} gives another message");
    }
    bench.keep(session);
    Ok(())
}

const OCTETS_MAX: u64 = 8 * 1024 * 1024;
const COMMANDS_MAX: usize = 500;
