//! STLS and TLS itself (RFC 2595, RFC 8314, RFC 8997).

use crate::bench::{Bench, capabilities, find};
use crate::connection::Connection;
use crate::fault::{Fault, Outcome};
use crate::tls::old_hello;
use crate::{Encryption, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule::must(
        "S50",
        "RFC 2595 section 4",
        "STLS starts TLS, without a second greeting",
        stls_starts_tls,
    ),
    Rule::must(
        "S50a",
        "RFC 2595 section 4",
        "under TLS, STLS is not announced and is -ERR",
        stls_is_for_once,
    ),
    Rule::must(
        "S51",
        "CVE-2011-0411",
        "what is sent behind STLS in the clear has no effect under TLS",
        nothing_is_injected,
    ),
    Rule::should(
        "S51a",
        "CVE-2011-0411",
        "a name that was given before STLS is forgotten",
        the_name_is_forgotten,
    ),
    Rule::should(
        "S52",
        "RFC 2595 section 2.3",
        "no password is taken without TLS",
        no_password_in_the_clear,
    ),
    Rule::should(
        "S66",
        "RFC 5034 section 4",
        "PLAIN and LOGIN are not announced without TLS",
        no_plain_in_the_clear,
    ),
    Rule::must("S66a", "RFC 5034 section 4", "PLAIN is offered under TLS", plain_under_tls),
    Rule::must("S54", "RFC 8997 section 3", "TLS 1.1 is refused", old_tls_is_refused),
    Rule::should(
        "S56",
        "RFC 8314 section 3.4",
        "the end is announced within TLS",
        the_end_is_announced,
    ),
];

/// A clear connection on which STLS can be tried.
fn before_stls(bench: &mut Bench) -> Outcome<Connection> {
    let mut connection = bench.connect_clear()?;
    let reply = connection.ask("CAPA")?;
    need!(reply.is_ok(), "there is no CAPA");
    let announced = capabilities(&connection.lines()?);
    need!(find(&announced, "STLS").is_some(), "no STLS is announced");
    Ok(connection)
}

fn secure(bench: &Bench, connection: Connection) -> Outcome<Connection> {
    bench.handshake(connection).map_err(|error| {
        let why = format!("the TLS handshake fails: {}", error.why);
        if error.is_certificate { Fault::Untestable(why) } else { Fault::Broken(why) }
    })
}

fn stls_starts_tls(bench: &mut Bench) -> Outcome {
    let mut connection = before_stls(bench)?;
    connection.ok("STLS")?;
    let mut secured = secure(bench, connection)?;
    let reply = secured.ask("XYZZY")?;
    ensure!(reply.is_err(), "the first command under TLS, XYZZY, is answered {reply}");
    Ok(())
}

fn stls_is_for_once(bench: &mut Bench) -> Outcome {
    let mut connection = if bench.target().encryption == Encryption::Tls {
        bench.connect()?
    } else {
        let mut connection = before_stls(bench)?;
        connection.ok("STLS")?;
        secure(bench, connection)?
    };
    let announced = capabilities(&connection.listing("CAPA")?);
    ensure!(find(&announced, "STLS").is_none(), "STLS is announced under TLS");
    connection.refused("STLS")?;
    Ok(())
}

fn nothing_is_injected(bench: &mut Bench) -> Outcome {
    let mut connection = before_stls(bench)?;
    connection.send(b"STLS\r\nCAPA\r\n")?;
    // To refuse the whole, by a reply or by closing, is as good.
    let Ok(reply) = connection.reply() else { return Ok(()) };
    if !reply.is_ok() {
        return Ok(());
    }
    let mut secured = match bench.handshake(connection) {
        Ok(secured) => secured,
        Err(error) if error.is_certificate => return Err(Fault::Untestable(error.why)),
        Err(_) => return Ok(()),
    };
    // The injected CAPA would be answered first, and positively.
    if secured.send_line("XYZZY").is_err() {
        return Ok(());
    }
    let Ok(reply) = secured.reply() else { return Ok(()) };
    ensure!(reply.is_err(), "CAPA, sent behind STLS in the clear, is answered under TLS: {reply}");
    Ok(())
}

fn the_name_is_forgotten(bench: &mut Bench) -> Outcome {
    bench.free()?;
    let mut connection = before_stls(bench)?;
    let user = format!("USER {}", bench.target().user);
    let reply = connection.ask(&user)?;
    need!(reply.is_ok(), "USER before TLS is answered {reply}");
    connection.ok("STLS")?;
    let mut secured = secure(bench, connection)?;
    let reply = bench.pass(&mut secured)?;
    ensure!(reply.is_err(), "PASS, with USER before STLS only, is answered {reply}");
    Ok(())
}

fn no_password_in_the_clear(bench: &mut Bench) -> Outcome {
    let mut connection = before_stls(bench)?;
    let reply = connection.ask(&format!("USER {}", bench.target().user))?;
    ensure!(reply.is_err(), "USER without TLS is answered {reply}");
    Ok(())
}

fn no_plain_in_the_clear(bench: &mut Bench) -> Outcome {
    let mut connection = bench.connect_clear()?;
    let reply = connection.ask("CAPA")?;
    need!(reply.is_ok(), "there is no CAPA");
    let announced = capabilities(&connection.lines()?);
    let mechanisms = find(&announced, "SASL").unwrap_or_default();
    need!(!mechanisms.is_empty(), "no SASL is announced without TLS");
    let is_plain = |name: &str| ["PLAIN", "LOGIN"].iter().any(|p| p.eq_ignore_ascii_case(name));
    let has_plain = mechanisms.split(' ').any(is_plain);
    ensure!(!has_plain, "without TLS, SASL {mechanisms} is announced");
    Ok(())
}

fn plain_under_tls(bench: &mut Bench) -> Outcome {
    need!(bench.target().encryption != Encryption::None, "there is no TLS");
    let mechanisms = bench.announced("SASL")?;
    let has_plain = mechanisms.split(' ').any(|name| name.eq_ignore_ascii_case("PLAIN"));
    ensure!(has_plain, "under TLS, SASL {mechanisms} is announced");
    Ok(())
}

fn old_tls_is_refused(bench: &mut Bench) -> Outcome {
    let mut connection = match bench.target().encryption {
        Encryption::Tls => bench.open()?,
        _ => {
            let mut connection = before_stls(bench)?;
            connection.ok("STLS")?;
            connection
        }
    };
    connection.send(&old_hello())?;
    let answer = connection.octets(6)?;
    // A handshake record with a ServerHello in it (RFC 4346 sections 6.2.1 and 7.4).
    let accepts = answer.first() == Some(&0x16) && answer.get(5) == Some(&0x02);
    ensure!(!accepts, "the server goes on with a handshake of TLS 1.1");
    Ok(())
}

fn the_end_is_announced(bench: &mut Bench) -> Outcome {
    need!(bench.target().encryption != Encryption::None, "there is no TLS");
    let mut connection = bench.connect()?;
    connection.ok("QUIT")?;
    ensure!(connection.end()?.announced, "the connection ends without close_notify");
    Ok(())
}
