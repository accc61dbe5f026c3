//! CAPA and what it announces (RFC 2449).

use crate::Rule;
use crate::bench::{Bench, capabilities, find};
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must("S40", "RFC 2449 section 5", "CAPA works after the login too", capa_works_in_both),
    Rule::must(
        "S40a",
        "RFC 2449 section 5",
        "what is announced before the login is announced after it, but for STLS",
        nothing_is_lost_by_the_login,
    ),
    Rule::must(
        "S40b",
        "RFC 5034 section 3",
        "SASL is announced after the login too",
        sasl_is_announced_after_the_login,
    ),
    Rule::must(
        "S40c",
        "RFC 2449 section 6",
        "TOP and UIDL work if they are announced",
        what_is_announced_works,
    ),
    Rule::must(
        "S40d",
        "RFC 2449 section 3",
        "capability lines are a tag and its arguments, 512 octets at most",
        capability_lines_are_well_formed,
    ),
    Rule::should(
        "S40e",
        "RFC 2449 section 9",
        "a capability is a registered one, or begins with X",
        tags_are_registered,
    ),
    Rule::must(
        "S41",
        "RFC 2449 section 6.5",
        "LOGIN-DELAY has a number of seconds",
        login_delay_is_well_formed,
    ),
    Rule::must(
        "S42",
        "RFC 2449 section 6.7",
        "EXPIRE has a number of days, or NEVER",
        expire_is_well_formed,
    ),
    Rule::must(
        "S44",
        "RFC 2449 section 8",
        "with RESP-CODES, a reply begins with a bracket only for a code",
        brackets_are_codes,
    ),
];

/// What is announced before and after the login.
fn both(bench: &mut Bench) -> Outcome<(Vec<String>, Vec<String>)> {
    let Some(before) = bench.capabilities().map(<[String]>::to_vec) else {
        return Err(Fault::Untestable("there is no CAPA".into()));
    };
    let mut session = bench.session()?;
    let after = capabilities(&session.listing("CAPA")?);
    bench.keep(session);
    Ok((before, after))
}

fn capa_works_in_both(bench: &mut Bench) -> Outcome {
    both(bench).map(|_| ())
}

fn nothing_is_lost_by_the_login(bench: &mut Bench) -> Outcome {
    let (before, after) = both(bench)?;
    let lost: Vec<_> = before
        .iter()
        .filter_map(|line| line.split(' ').next())
        .filter(|tag| !["STLS", "SASL"].iter().any(|left| tag.eq_ignore_ascii_case(left)))
        .filter(|tag| find(&after, tag).is_none())
        .collect();
    ensure!(lost.is_empty(), "not announced after the login: {}", lost.join(", "));
    Ok(())
}

fn sasl_is_announced_after_the_login(bench: &mut Bench) -> Outcome {
    bench.announced("SASL")?;
    let (_, after) = both(bench)?;
    ensure!(find(&after, "SASL").is_some(), "SASL is not announced after the login");
    Ok(())
}

fn what_is_announced_works(bench: &mut Bench) -> Outcome {
    let (_, after) = both(bench)?;
    let mut session = bench.session()?;
    if find(&after, "UIDL").is_some() {
        session.listing("UIDL")?;
    }
    if find(&after, "TOP").is_some() {
        let (number, _) = bench.message(&mut session)?;
        session.listing(&format!("TOP {number} 0"))?;
    }
    bench.keep(session);
    Ok(())
}

fn capability_lines_are_well_formed(bench: &mut Bench) -> Outcome {
    let (before, after) = both(bench)?;
    for line in before.iter().chain(&after) {
        ensure!(line.len() <= 510, "a capability line has {} octets", line.len() + 2);
        let is_printable = line.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
        let is_spaced = !line.is_empty() && line.split(' ').all(|word| !word.is_empty());
        ensure!(is_printable && is_spaced, "a capability line is \"{line}\"");
    }
    Ok(())
}

fn tags_are_registered(bench: &mut Bench) -> Outcome {
    let (before, after) = both(bench)?;
    let tags = before.iter().chain(&after).filter_map(|line| line.split(' ').next());
    let strange = tags.map(str::to_ascii_uppercase).find(|tag| {
        !tag.starts_with('X') && !REGISTERED.iter().any(|registered| registered == tag)
    });
    ensure!(strange.is_none(), "it announces {}", strange.unwrap_or_default());
    Ok(())
}

/// The arguments of a capability, asked for anew so that it shows in the transcript.
fn asked(bench: &mut Bench, tag: &str) -> Outcome<String> {
    bench.announced(tag)?;
    let mut connection = bench.connect()?;
    let announced = capabilities(&connection.listing("CAPA")?);
    find(&announced, tag).ok_or_else(|| Fault::Broken(format!("{tag} is not announced again")))
}

fn login_delay_is_well_formed(bench: &mut Bench) -> Outcome {
    let arguments = asked(bench, "LOGIN-DELAY")?;
    let words: Vec<_> = arguments.split(' ').collect();
    let is_number = words.first().is_some_and(|word| word.parse::<u64>().is_ok());
    ensure!(is_number && ends_with_user(&words), "it is LOGIN-DELAY {arguments}");
    Ok(())
}

fn expire_is_well_formed(bench: &mut Bench) -> Outcome {
    let arguments = asked(bench, "EXPIRE")?;
    let words: Vec<_> = arguments.split(' ').collect();
    let is_time = words
        .first()
        .is_some_and(|word| word.parse::<u64>().is_ok() || word.eq_ignore_ascii_case("NEVER"));
    ensure!(is_time && ends_with_user(&words), "it is EXPIRE {arguments}");
    Ok(())
}

/// `word ["USER"]`
fn ends_with_user(words: &[&str]) -> bool {
    match words {
        [_] => true,
        [_, user] => user.eq_ignore_ascii_case("USER"),
        _ => false,
    }
}

fn brackets_are_codes(bench: &mut Bench) -> Outcome {
    need!(bench.has_codes(), "no RESP-CODES is announced");
    let mut connection = bench.connect()?;
    for command in ["USER [IN-USE]", "[IN-USE] XYZZY"] {
        let reply = connection.ask(command)?;
        ensure!(reply.code().as_deref() != Some("IN-USE"), "{command} is answered {reply}");
    }
    Ok(())
}

/// IANA's registry of POP3 capabilities.
const REGISTERED: [&str; 13] = [
    "TOP",
    "USER",
    "SASL",
    "RESP-CODES",
    "LOGIN-DELAY",
    "PIPELINING",
    "EXPIRE",
    "UIDL",
    "IMPLEMENTATION",
    "STLS",
    "AUTH-RESP-CODE",
    "UTF8",
    "LANG",
];
