//! AUTH (RFC 5034, RFC 4616, RFC 5802).

use restante_proto::sasl;

use crate::Rule;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::fault::{Fault, Outcome};

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S60",
        "RFC 5034 section 4",
        "AUTH with a mechanism that is none is -ERR",
        unknown_mechanism,
    ),
    Rule::must("S60a", "RFC 5034 section 4", "AUTH after the login is -ERR", auth_after_the_login),
    Rule::must(
        "S60b",
        "RFC 5034 section 4",
        "after a failed AUTH it is as if it never was",
        a_failed_auth_leaves_nothing,
    ),
    Rule::must(
        "S61",
        "RFC 5034 section 4",
        "the empty challenge is a plus and a space",
        the_empty_challenge_has_a_space,
    ),
    Rule::must(
        "S62",
        "RFC 5034 section 4",
        "an initial response is taken",
        an_initial_response_is_taken,
    ),
    Rule::must("S63", "RFC 5034 section 4", "* cancels: -ERR", a_star_cancels),
    Rule::must(
        "S64",
        "RFC 5034 section 4",
        "a response that is no base64 is refused",
        bad_base64_is_refused,
    ),
    Rule::must(
        "S3",
        "RFC 5034 section 4",
        "a response of 1024 octets is taken as one line",
        a_long_response_is_one_line,
    ),
    Rule::must(
        "S68",
        "RFC 4616 section 2",
        "nobody acts as somebody else by PLAIN",
        another_identity_is_refused,
    ),
    Rule::must(
        "S74",
        "RFC 2195 section 2",
        "the challenge of CRAM-MD5 is a stamp",
        cram_md5_has_a_stamp,
    ),
    Rule::should(
        "S75",
        "RFC 5802 section 9",
        "SCRAM gives a name that does not exist the same salt each time",
        scram_tells_nothing,
    ),
];

fn unknown_mechanism(bench: &mut Bench) -> Outcome {
    bench.announced("SASL")?;
    bench.connect()?.refused("AUTH XYZZY").map(|_| ())
}

fn auth_after_the_login(bench: &mut Bench) -> Outcome {
    bench.announced("SASL")?;
    let mut session = bench.session()?;
    session.refused("AUTH PLAIN")?;
    bench.keep(session);
    Ok(())
}

/// An exchange by PLAIN that waits for its response.
fn challenged(bench: &mut Bench) -> Outcome<Connection> {
    bench.mechanism("PLAIN")?;
    let mut connection = bench.connect()?;
    let challenge = connection.ask("AUTH PLAIN")?;
    ensure!(challenge.octets().starts_with(b"+"), "AUTH PLAIN is answered {challenge}");
    ensure!(!challenge.is_ok(), "AUTH PLAIN is answered {challenge}");
    Ok(connection)
}

fn a_failed_auth_leaves_nothing(bench: &mut Bench) -> Outcome {
    bench.mechanism("PLAIN")?;
    bench.free()?;
    let mut connection = challenged(bench)?;
    let user = bench.target().user.clone();
    connection.refused(&encode(&format!("\0{user}\0not-the-password")))?;
    let reply = connection.ask("AUTH PLAIN");
    need!(reply.is_ok(), "the connection ends after a wrong password");
    connection.send_line(bench.plain().expose())?;
    let reply = connection.reply()?;
    ensure!(reply.is_ok(), "after a wrong password the right one is answered {reply}");
    Ok(())
}

fn the_empty_challenge_has_a_space(bench: &mut Bench) -> Outcome {
    bench.mechanism("PLAIN")?;
    let mut connection = bench.connect()?;
    let challenge = connection.ask("AUTH PLAIN")?;
    ensure!(challenge.octets() == b"+ \r\n", "AUTH PLAIN is answered {challenge}");
    // Left by the way there is, as some servers count an end here as a failure.
    connection.ask("*").map(|_| ())
}

fn an_initial_response_is_taken(bench: &mut Bench) -> Outcome {
    bench.mechanism("PLAIN")?;
    let plain = bench.plain();
    need!(plain.expose().len() <= 242, "name and password are too long for one line");
    bench.free()?;
    let mut connection = bench.connect()?;
    let reply = connection.ask(&format!("AUTH PLAIN {}", plain.expose()))?;
    ensure!(reply.is_ok(), "AUTH PLAIN with its response is answered {reply}");
    bench.keep(connection);
    Ok(())
}

fn a_star_cancels(bench: &mut Bench) -> Outcome {
    let mut connection = challenged(bench)?;
    connection.refused("*")?;
    Ok(())
}

fn bad_base64_is_refused(bench: &mut Bench) -> Outcome {
    bench.mechanism("PLAIN")?;
    bench.free()?;
    let good = bench.plain();
    let half = good.expose().len() / 2;
    let (front, back) = good.expose().split_at_checked(half).unwrap_or_default();
    // The right response, were it not for what is no base64 in it.
    for bad in [format!("{front}!{back}"), format!("{front} {back}"), format!("={front}{back}")] {
        let mut connection = challenged(bench)?;
        connection.send_secret(bad.as_bytes(), "<the right response, with a foreign octet>")?;
        let reply = connection.reply()?;
        ensure!(reply.is_err(), "a response that is no base64 is answered {reply}");
    }
    Ok(())
}

fn a_long_response_is_one_line(bench: &mut Bench) -> Outcome {
    let mut connection = challenged(bench)?;
    let (name, other) = ("n".repeat(255), "p".repeat(255));
    connection.send_line(&encode(&format!("{name}\0{name}\0{other}")))?;
    let reply = connection.reply()?;
    ensure!(reply.is_err(), "a login of nobody is answered {reply}");
    let more = connection.unasked().unwrap_or_default();
    ensure!(more.is_empty(), "one response is answered more than once");
    Ok(())
}

fn another_identity_is_refused(bench: &mut Bench) -> Outcome {
    bench.mechanism("PLAIN")?;
    bench.free()?;
    let mut connection = challenged(bench)?;
    let mut fields = b"zz-nobody-here\0".to_vec();
    fields.extend_from_slice(bench.target().user.as_bytes());
    fields.push(0);
    fields.extend_from_slice(bench.target().password.expose());
    let response = sasl::encode(&fields);
    let shown = "<zz-nobody-here, NUL, the right name, NUL, the right password>";
    connection.send_secret(response.expose().as_bytes(), shown)?;
    let reply = connection.reply()?;
    ensure!(reply.is_err(), "to act as zz-nobody-here is answered {reply}");
    Ok(())
}

fn cram_md5_has_a_stamp(bench: &mut Bench) -> Outcome {
    bench.mechanism("CRAM-MD5")?;
    let mut connection = bench.connect()?;
    let challenge = connection.ask("AUTH CRAM-MD5")?;
    let text = challenge.text();
    let decoded = text.strip_prefix("+ ").and_then(|text| sasl::decode(text.as_bytes()).ok());
    let is_stamp = decoded.is_some_and(|decoded| {
        let stamp = decoded.expose();
        stamp.starts_with(b"<") && stamp.ends_with(b">") && stamp.contains(&b'@')
    });
    ensure!(is_stamp, "AUTH CRAM-MD5 is answered {challenge}");
    connection.refused("*").map(|_| ())
}

/// The salt and the count that a name gets.
fn scram_first(bench: &mut Bench, mechanism: &str, user: &str) -> Outcome<String> {
    let mut connection = bench.connect()?;
    let challenge = connection.ask(&format!("AUTH {mechanism}"))?;
    ensure!(challenge.octets() == b"+ \r\n", "AUTH {mechanism} is answered {challenge}");
    let reply = connection.ask(&encode(&format!("n,,n={user},r=restantecheck")))?;
    let text = reply.text();
    let decoded = text.strip_prefix("+ ").and_then(|text| sasl::decode(text.as_bytes()).ok());
    let Some(decoded) = decoded else {
        return Err(Fault::Broken(format!("the first message of {user} is answered {reply}")));
    };
    let message = String::from_utf8_lossy(decoded.expose()).into_owned();
    connection.ask("*")?;
    message
        .split_once(",s=")
        .map(|(_, salt_and_count)| salt_and_count.to_owned())
        .ok_or_else(|| Fault::Broken(format!("{user} gets {message:?}")))
}

fn scram_tells_nothing(bench: &mut Bench) -> Outcome {
    let mechanisms = ["SCRAM-SHA-256", "SCRAM-SHA-1"];
    let offered = mechanisms.into_iter().find(|name| bench.mechanism(name).is_ok());
    let Some(mechanism) = offered else {
        return Err(Fault::Untestable("no SCRAM is offered".into()));
    };
    let one = scram_first(bench, mechanism, "zz-nobody-here")?;
    let other = scram_first(bench, mechanism, "zz-nobody-here")?;
    ensure!(one == other, "a name that does not exist gets {one}, and then {other}");
    Ok(())
}

fn encode(text: &str) -> String {
    sasl::encode(text.as_bytes()).expose().clone()
}
