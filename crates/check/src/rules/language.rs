//! UTF8 and LANG (RFC 6856).

use crate::Rule;
use crate::bench::Bench;
use crate::connection::{Connection, trim};
use crate::fault::Outcome;

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S80",
        "RFC 6856 section 2.1",
        "UTF8 is for before the login, and takes no argument",
        utf8_is_for_before_the_login,
    ),
    Rule::must("S83", "RFC 6856 section 3", "LANG lists languages", lang_lists),
    Rule::must(
        "S83a",
        "RFC 6856 section 3",
        "LANG refuses a language it does not have",
        lang_refuses,
    ),
    Rule::must("S83b", "RFC 6856 section 3", "LANG with a range names the language", lang_names),
];

fn utf8_is_for_before_the_login(bench: &mut Bench) -> Outcome {
    bench.announced("UTF8")?;
    let mut connection = bench.connect()?;
    connection.refused("UTF8 x")?;
    let reply = connection.ask("UTF8")?;
    ensure!(reply.is_ok() || reply.is_err(), "UTF8 is answered {reply}");
    let mut session = bench.session()?;
    session.refused("UTF8")?;
    bench.keep(session);
    Ok(())
}

/// The tags of all languages there are.
fn languages(connection: &mut Connection) -> Outcome<Vec<String>> {
    let lines = connection.listing("LANG")?;
    let first = |line: &Vec<u8>| {
        let text = String::from_utf8_lossy(trim(line)).into_owned();
        text.split(' ').next().unwrap_or_default().to_owned()
    };
    Ok(lines.iter().map(first).collect())
}

fn lang_lists(bench: &mut Bench) -> Outcome {
    bench.announced("LANG")?;
    let mut connection = bench.connect()?;
    for tag in languages(&mut connection)? {
        let is_tag = !tag.is_empty()
            && tag.bytes().all(|octet| octet == b'-' || octet.is_ascii_alphanumeric());
        ensure!(is_tag, "LANG lists {tag:?}");
    }
    Ok(())
}

fn lang_refuses(bench: &mut Bench) -> Outcome {
    bench.announced("LANG")?;
    let mut session = bench.session()?;
    session.refused("LANG qaa-Zzzz")?;
    bench.keep(session);
    Ok(())
}

fn lang_names(bench: &mut Bench) -> Outcome {
    bench.announced("LANG")?;
    let mut connection = bench.connect()?;
    let tags = languages(&mut connection)?;
    for range in tags.iter().map(String::as_str).take(3).chain(["*"]) {
        let reply = connection.ok(&format!("LANG {range}"))?;
        let rest = reply.rest();
        let named = rest.split(' ').next().unwrap_or_default();
        let is_known = tags.iter().any(|tag| tag.eq_ignore_ascii_case(named));
        ensure!(is_known, "LANG {range} is answered {reply}");
    }
    Ok(())
}
