//! USER, PASS and the greeting's stamp (RFC 1939 section 7, RFC 3206).

use crate::Rule;
use crate::bench::{Bench, LOGIN_DELAY_S_MAX};
use crate::connection::Reply;
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::should(
        "S31",
        "RFC 1939 section 13",
        "USER tells nothing about who exists",
        user_tells_nothing,
    ),
    Rule::should(
        "S31a",
        "RFC 1939 section 13",
        "a wrong password and a name that does not exist are answered alike",
        pass_tells_nothing,
    ),
    Rule::must(
        "S31b",
        "RFC 1939 section 4",
        "after a wrong password, USER and PASS work, unless the connection ends",
        a_wrong_password_is_no_end,
    ),
    Rule::must("S32", "RFC 1939 section 7", "PASS without USER is -ERR", pass_wants_user),
    Rule::must(
        "S32a",
        "RFC 1939 section 7",
        "PASS follows USER directly: with another command between them it is -ERR",
        pass_follows_user,
    ),
    Rule::must(
        "S45",
        "RFC 3206 section 6",
        "with AUTH-RESP-CODE, a wrong password is [AUTH]",
        a_wrong_password_is_auth,
    ),
    Rule::should(
        "S46",
        "RFC 3206 section 5",
        "USER is not refused with [AUTH] or [LOGIN-DELAY]",
        user_has_no_code,
    ),
    Rule::must(
        "S33",
        "RFC 1939 section 7",
        "the stamp of APOP is another in each greeting",
        stamps_differ,
    ),
    Rule::must(
        "S41a",
        "RFC 2449 section 6.5",
        "LOGIN-DELAY is kept: a login at once after a login is refused",
        login_delay_is_kept,
    ),
];

/// What a name that nobody has is told.
fn unknown_user(bench: &mut Bench) -> Outcome<Reply> {
    bench.connect()?.ask(&format!("USER {NOBODY}"))
}

fn user_tells_nothing(bench: &mut Bench) -> Outcome {
    let user = bench.target().user.clone();
    let known = bench.connect()?.ask(&format!("USER {user}"))?;
    let unknown = unknown_user(bench)?;
    let same = known.text().replace(&user, "") == unknown.text().replace(NOBODY, "");
    ensure!(same, "USER is answered {known} for a name that exists, and {unknown} for another");
    Ok(())
}

/// What a wrong password is told.
fn wrong_password(bench: &mut Bench, user: &str) -> Outcome<Reply> {
    let mut connection = bench.connect()?;
    let reply = connection.ask(&format!("USER {user}"))?;
    need!(reply.is_ok(), "USER is answered {reply}");
    connection.refused(WRONG)
}

fn pass_tells_nothing(bench: &mut Bench) -> Outcome {
    let user = bench.target().user.clone();
    let known = wrong_password(bench, &user)?;
    let unknown = wrong_password(bench, NOBODY)?;
    let same = known.text().replace(&user, "") == unknown.text().replace(NOBODY, "");
    ensure!(same, "PASS is answered {known} for a name that exists, and {unknown} for another");
    Ok(())
}

fn a_wrong_password_is_no_end(bench: &mut Bench) -> Outcome {
    bench.free()?;
    let mut connection = bench.connect()?;
    let user = format!("USER {}", bench.target().user);
    let reply = connection.ask(&user)?;
    need!(reply.is_ok(), "USER is answered {reply}");
    connection.refused(WRONG)?;
    // RFC 1939 section 4 lets the server close here.
    let reply = connection.ask(&user);
    need!(reply.is_ok(), "the connection ends after a wrong password");
    let reply = bench.pass(&mut connection)?;
    ensure!(reply.is_ok(), "after a wrong password the right one is answered {reply}");
    Ok(())
}

fn pass_wants_user(bench: &mut Bench) -> Outcome {
    bench.free()?;
    let mut connection = bench.connect()?;
    let reply = bench.pass(&mut connection)?;
    ensure!(reply.is_err(), "PASS without USER is answered {reply}");
    Ok(())
}

fn pass_follows_user(bench: &mut Bench) -> Outcome {
    bench.free()?;
    let mut connection = bench.connect()?;
    let reply = connection.ask(&format!("USER {}", bench.target().user))?;
    need!(reply.is_ok(), "USER is answered {reply}");
    let reply = connection.ask("CAPA")?;
    if reply.is_ok() {
        connection.lines()?;
    }
    let reply = bench.pass(&mut connection)?;
    ensure!(reply.is_err(), "PASS behind USER and CAPA is answered {reply}");
    Ok(())
}

fn a_wrong_password_is_auth(bench: &mut Bench) -> Outcome {
    bench.announced("AUTH-RESP-CODE")?;
    let user = bench.target().user.clone();
    let reply = wrong_password(bench, &user)?;
    ensure!(reply.code().as_deref() == Some("AUTH"), "a wrong password is answered {reply}");
    Ok(())
}

fn user_has_no_code(bench: &mut Bench) -> Outcome {
    need!(bench.has_codes(), "no RESP-CODES is announced");
    let reply = unknown_user(bench)?;
    let code = reply.code();
    let is_bad = matches!(code.as_deref(), Some("AUTH" | "LOGIN-DELAY"));
    ensure!(!(reply.is_err() && is_bad), "USER is answered {reply}");
    Ok(())
}

fn stamp(greeting: &Reply) -> Option<String> {
    let text = greeting.text();
    let start = text.find('<')?;
    let stamp = text.get(start..)?;
    let end = stamp.find('>')?;
    stamp.get(..=end).filter(|stamp| stamp.contains('@')).map(str::to_owned)
}

fn stamps_differ(bench: &mut Bench) -> Outcome {
    let (_, one) = bench.greeted()?;
    let (_, other) = bench.greeted()?;
    match (stamp(&one), stamp(&other)) {
        (Some(one), Some(other)) => {
            ensure!(one != other, "two greetings have the stamp {one}");
            Ok(())
        }
        _ => Err(Fault::Untestable("the greeting has no stamp: there is no APOP".into())),
    }
}

fn login_delay_is_kept(bench: &mut Bench) -> Outcome {
    let announced = bench.announced("LOGIN-DELAY")?;
    need!(bench.login_delay_s() > 0, "LOGIN-DELAY {announced} is none");
    need!(!announced.to_ascii_uppercase().ends_with("USER"), "the delay depends on the user");
    // The shared session may be older than the delay.
    bench.log_in_and_quit(LOGIN_DELAY_S_MAX)?;
    let mut connection = bench.connect()?;
    let reply = bench.log_in(&mut connection)?;
    ensure!(reply.is_err(), "a login at once after a login is answered {reply}");
    Ok(())
}

const NOBODY: &str = "zz-nobody-here";
const WRONG: &str = "PASS not-the-password";
