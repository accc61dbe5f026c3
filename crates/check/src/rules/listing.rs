//! STAT, LIST and UIDL (RFC 1939 sections 5 and 7).

use std::collections::BTreeMap;

use crate::Rule;
use crate::bench::Bench;
use crate::connection::{Connection, Reply, trim};
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must("S22", "RFC 1939 section 5", "STAT gives number and octets", stat_gives_two_numbers),
    Rule::should(
        "S22a",
        "RFC 1939 section 5",
        "nothing follows the octets of STAT",
        nothing_follows_stat,
    ),
    Rule::must("S14", "RFC 1939 section 4", "messages are numbered from 1", numbers_begin_at_one),
    Rule::must("S23", "RFC 1939 section 5", "LIST adds up to STAT", list_adds_up),
    Rule::must(
        "S23a",
        "RFC 1939 section 5",
        "a line of LIST is a number, one space, and the octets",
        scan_listings_are_well_formed,
    ),
    Rule::must("S23b", "RFC 1939 section 5", "LIST n is the line of LIST", one_is_as_all),
    Rule::must(
        "S23c",
        "RFC 1939 section 5",
        "LIST of a message that is not there is -ERR",
        list_of_none_is_refused,
    ),
    Rule::must(
        "S29",
        "RFC 1939 section 7",
        "a unique-id has 1 to 70 octets from 0x21 to 0x7E",
        ids_are_well_formed,
    ),
    Rule::must("S29a", "RFC 1939 section 7", "UIDL lists every message", uidl_lists_all),
    Rule::must("S29b", "RFC 1939 section 7", "UIDL n is the line of UIDL", one_id_is_as_all),
    Rule::must(
        "S29c",
        "RFC 1939 section 7",
        "different messages have different unique-ids",
        ids_differ,
    ),
    Rule::must(
        "S29d",
        "RFC 1939 section 7",
        "UIDL of a message that is not there is -ERR",
        uidl_of_none_is_refused,
    ),
    Rule::must(
        "S30",
        "RFC 1939 section 7",
        "unique-ids are the same in another session",
        ids_persist,
    ),
];

fn stat(session: &mut Connection) -> Outcome<(u64, u64, Reply)> {
    let reply = session.ok("STAT")?;
    let rest = reply.rest();
    let mut words = rest.split(' ');
    let mut number = || words.next().and_then(|word| word.parse().ok());
    match (number(), number()) {
        (Some(messages), Some(octets)) => Ok((messages, octets, reply)),
        _ => Err(Fault::Broken(format!("STAT is answered {reply}"))),
    }
}

fn stat_gives_two_numbers(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    stat(&mut session)?;
    bench.keep(session);
    Ok(())
}

fn nothing_follows_stat(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let (messages, octets, reply) = stat(&mut session)?;
    ensure!(reply.text() == format!("+OK {messages} {octets}"), "STAT is answered {reply}");
    bench.keep(session);
    Ok(())
}

fn numbers_begin_at_one(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let numbers: Vec<_> = bench.scan(&mut session)?.into_iter().map(|(number, _)| number).collect();
    let is_counted = numbers.iter().zip(1_u64..).all(|(number, wanted)| *number == wanted);
    ensure!(is_counted, "the numbers of LIST are {:?}", numbers.get(..8).unwrap_or(&numbers));
    bench.keep(session);
    Ok(())
}

fn list_adds_up(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let (messages, octets, _) = stat(&mut session)?;
    let scan = bench.scan(&mut session)?;
    let sum: u64 = scan.iter().map(|(_, octets)| *octets).sum();
    ensure!(
        (scan.len() as u64, sum) == (messages, octets),
        "STAT says {messages} {octets}, LIST adds up to {} {sum}",
        scan.len()
    );
    bench.keep(session);
    Ok(())
}

fn scan_listings_are_well_formed(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    for line in session.listing("LIST")? {
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<_> = text.trim_end_matches("\r\n").split(' ').collect();
        let is_number = |word: &&str| word.bytes().all(|octet| octet.is_ascii_digit());
        let is_good = matches!(words.as_slice(), [number, octets, ..]
            if is_number(number) && is_number(octets) && !number.is_empty() && !octets.is_empty());
        ensure!(is_good && line.ends_with(b"\r\n"), "a line of LIST is {text:?}");
    }
    bench.keep(session);
    Ok(())
}

fn one_is_as_all(bench: &mut Bench) -> Outcome {
    let mut session = bench.session()?;
    let scan = bench.scan(&mut session)?;
    need!(!scan.is_empty(), "the maildrop is empty");
    for (number, octets) in scan.into_iter().take(SAMPLES) {
        let reply = session.ok(&format!("LIST {number}"))?;
        let wanted = format!("{number} {octets}");
        let rest = reply.rest();
        let is_same = rest == wanted || rest.starts_with(&format!("{wanted} "));
        ensure!(is_same, "LIST {number} is answered {reply}, and LIST says {wanted}");
    }
    bench.keep(session);
    Ok(())
}

/// Arguments that name no message; the last but one wraps to 1 in 32 bits, the last in 64.
fn absent(messages: u64) -> [String; 6] {
    [
        "0".to_owned(),
        (messages + 1).to_string(),
        "-1".to_owned(),
        "x".to_owned(),
        "4294967297".to_owned(),
        "18446744073709551617".to_owned(),
    ]
}

fn list_of_none_is_refused(bench: &mut Bench) -> Outcome {
    refuses_absent(bench, "LIST")
}

fn uidl_of_none_is_refused(bench: &mut Bench) -> Outcome {
    refuses_absent(bench, "UIDL")
}

fn refuses_absent(bench: &mut Bench, verb: &str) -> Outcome {
    let mut session = bench.session()?;
    let (messages, _, _) = stat(&mut session)?;
    for number in absent(messages) {
        let reply = session.ask(&format!("{verb} {number}"))?;
        ensure!(reply.is_err(), "{verb} {number} is answered {reply}");
    }
    bench.keep(session);
    Ok(())
}

/// Numbers and unique-ids, if there is a UIDL.
fn ids(session: &mut Connection) -> Outcome<Vec<(String, String)>> {
    let reply = session.ask("UIDL")?;
    need!(reply.is_ok(), "UIDL is answered {reply}");
    let lines = session.lines()?;
    lines
        .iter()
        .map(|line| {
            let text = String::from_utf8_lossy(trim(line)).into_owned();
            match text.split_once(' ') {
                Some((number, id)) => Ok((number.to_owned(), id.to_owned())),
                None => Err(Fault::Broken(format!("a line of UIDL is {text:?}"))),
            }
        })
        .collect()
}

fn some_ids(bench: &mut Bench) -> Outcome<(Connection, Vec<(String, String)>)> {
    let mut session = bench.session()?;
    let ids = ids(&mut session)?;
    if ids.is_empty() {
        bench.keep(session);
        return Err(Fault::Untestable("the maildrop is empty".into()));
    }
    Ok((session, ids))
}

fn ids_are_well_formed(bench: &mut Bench) -> Outcome {
    let (session, ids) = some_ids(bench)?;
    for (number, id) in ids {
        let is_good = (1..=70).contains(&id.len()) && id.bytes().all(|o| o.is_ascii_graphic());
        ensure!(is_good, "the unique-id of message {number} is {id:?}");
    }
    bench.keep(session);
    Ok(())
}

fn uidl_lists_all(bench: &mut Bench) -> Outcome {
    let (mut session, ids) = some_ids(bench)?;
    let numbers: Vec<_> = bench.scan(&mut session)?.iter().map(|(n, _)| n.to_string()).collect();
    ensure!(
        numbers.iter().eq(ids.iter().map(|(number, _)| number)),
        "LIST has {} messages and UIDL {}, or others",
        numbers.len(),
        ids.len()
    );
    bench.keep(session);
    Ok(())
}

fn one_id_is_as_all(bench: &mut Bench) -> Outcome {
    let (mut session, ids) = some_ids(bench)?;
    for (number, id) in ids.into_iter().take(SAMPLES) {
        let reply = session.ok(&format!("UIDL {number}"))?;
        let is_same = reply.rest() == format!("{number} {id}");
        ensure!(is_same, "UIDL {number} is answered {reply}, and UIDL says {id}");
    }
    bench.keep(session);
    Ok(())
}

fn ids_differ(bench: &mut Bench) -> Outcome {
    let (mut session, ids) = some_ids(bench)?;
    let mut seen = BTreeMap::new();
    let pairs: Vec<_> = ids
        .iter()
        .filter_map(|(number, id)| Some((seen.insert(id, number)?, number, id)))
        .collect();
    // Copies of one message may share an id.
    for (one, other, id) in pairs.into_iter().take(SAMPLES) {
        let first = session.listing(&format!("RETR {one}"))?;
        let second = session.listing(&format!("RETR {other}"))?;
        ensure!(first == second, "messages {one} and {other} have the unique-id {id} and differ");
    }
    bench.keep(session);
    Ok(())
}

fn ids_persist(bench: &mut Bench) -> Outcome {
    let (session, before) = some_ids(bench)?;
    drop(session);
    let mut session = bench.login()?;
    let after = ids(&mut session)?;
    let differs = before.iter().zip(&after).find(|(before, after)| before != after);
    if let Some(((number, before), (_, after))) = differs {
        return Err(Fault::Broken(format!(
            "the unique-id of message {number} was {before:?} and is {after:?}"
        )));
    }
    bench.keep(session);
    Ok(())
}

/// Messages that are asked for one by one.
const SAMPLES: usize = 20;
