//! The client's machine against vectors, against the server's machine, and against servers that
//! lie.

use std::num::NonZero;

use proptest::prelude::*;

use super::super::scram::ScramKeys;
use super::super::{Context, Exchange, Step, decode};
use super::*;
use crate::Login;

fn link(nonce: &str) -> Link {
    Link { nonce: nonce.into(), binding: None, plus_offered: false }
}

fn password(user: &str, password: &str) -> Identity {
    Identity::Password { user: user.into(), password: Secret::new(password.as_bytes().to_vec()) }
}

fn token(user: &str, token: &str) -> Identity {
    Identity::Token { user: user.into(), token: Secret::new(token.into()) }
}

fn begin(mechanism: Mechanism, identity: Identity, nonce: &str) -> Supplicant {
    Supplicant::new(mechanism, identity, link(nonce)).unwrap()
}

fn say(supplicant: &mut Supplicant, challenge: &str) -> Result<String, Distrust> {
    let response = supplicant.respond(challenge.as_bytes())?;
    Ok(String::from_utf8(response.expose().clone()).unwrap())
}

struct Vector {
    mechanism: Mechanism,
    nonce: &'static str,
    server_first: &'static str,
    last: &'static str,
    verdict: &'static str,
}

/// RFC 7677 section 3 and RFC 5802 section 5.
const VECTORS: [Vector; 2] = [
    Vector {
        mechanism: Mechanism::ScramSha256,
        nonce: "rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
               p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        verdict: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
    Vector {
        mechanism: Mechanism::ScramSha1,
        nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        last: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
               p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        verdict: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
];

#[test]
fn c17_the_vectors_of_the_rfcs_log_in() {
    for Vector { mechanism, nonce, server_first, last, verdict } in VECTORS {
        let mut client = begin(mechanism, password("user", "pencil"), nonce);
        let first = client.initial_response().unwrap();
        assert_eq!(first.expose(), format!("n,,n=user,r={nonce}").as_bytes());
        assert_eq!(client.succeed(), Err(Distrust::Unproven));
        assert_eq!(say(&mut client, server_first).unwrap(), last);
        assert_eq!(client.succeed(), Err(Distrust::Unproven), "a success without its proof");
        assert_eq!(say(&mut client, verdict).unwrap(), "");
        assert_eq!(client.succeed(), Ok(()));
        assert_eq!(say(&mut client, ""), Err(Distrust::Unexpected));
    }
}

#[test]
fn c17_a_server_that_cheats_is_left() {
    let Vector { mechanism, nonce, server_first, verdict, .. } = VECTORS[0];
    let salt = "s=W22ZaJ0SNY7soEsUEjb6gQ==";
    for (first, fault) in [
        (format!("r=someone else's,{salt},i=4096"), Distrust::Malformed),
        (format!("r=elses,{salt},i=4096"), Distrust::Nonce),
        (format!("r={nonce},{salt},i=4096"), Distrust::Nonce),
        (format!("r=rOprN,{salt},i=4096"), Distrust::Nonce),
        (format!("r={nonce}x,{salt},i=600001"), Distrust::Iterations(600_001)),
        (format!("r={nonce}x,{salt},i=99999999999"), Distrust::Iterations(u32::MAX)),
        (format!("r={nonce}x,{salt},i=0"), Distrust::Malformed),
        (format!("m=x,r={nonce}x,{salt},i=4096"), Distrust::Malformed),
        (format!("r={nonce}x,{salt}"), Distrust::Malformed),
    ] {
        let mut client = begin(mechanism, password("user", "pencil"), nonce);
        let _ = client.initial_response();
        assert_eq!(say(&mut client, &first), Err(fault), "{first}");
        assert_eq!(client.succeed(), Err(Distrust::Unproven));
    }
    let wrong = VECTORS[1].verdict;
    for (last, fault) in [
        (wrong, Distrust::Signature),
        ("v=", Distrust::Signature),
        ("", Distrust::Malformed),
        ("x=y", Distrust::Malformed),
    ] {
        let mut client = begin(mechanism, password("user", "pencil"), nonce);
        let _ = client.initial_response();
        say(&mut client, server_first).unwrap();
        assert_eq!(say(&mut client, last), Err(fault), "{last}");
        assert_eq!(client.succeed(), Err(Distrust::Unproven));
    }
    let mut client = begin(mechanism, password("user", "pencil"), nonce);
    let _ = client.initial_response();
    say(&mut client, server_first).unwrap();
    assert_eq!(say(&mut client, "e=invalid-proof").unwrap(), "");
    assert_eq!(client.succeed(), Err(Distrust::Unproven), "who refuses cannot accept");
    assert_eq!(say(&mut client, verdict), Err(Distrust::Unexpected));
}

#[test]
fn c17_the_flag_says_what_both_sides_have() {
    let binding = || Some(Secret::new(vec![7; 32]));
    for (mechanism, binding, plus_offered, flag) in [
        (Mechanism::ScramSha256, None, false, Some("n,,")),
        (Mechanism::ScramSha256, None, true, Some("n,,")),
        (Mechanism::ScramSha256, binding(), true, Some("n,,")),
        (Mechanism::ScramSha256, binding(), false, Some("y,,")),
        (Mechanism::ScramSha256Plus, binding(), true, Some("p=tls-exporter,,")),
        (Mechanism::ScramSha256Plus, None, true, None),
    ] {
        let link = Link { nonce: "x".into(), binding, plus_offered };
        let client = Supplicant::new(mechanism, password("u", "p"), link);
        let Some(flag) = flag else {
            assert_eq!(client.unwrap_err(), Unfit::NoBinding(mechanism));
            continue;
        };
        let first = client.unwrap().initial_response().unwrap();
        assert_eq!(first.expose(), format!("{flag}n=u,r=x").as_bytes());
    }
}

/// RFC 2195 section 2, and the order of LOGIN.
#[test]
fn c16_digests_and_logins_answer_what_is_asked() {
    let identity = password("tim", "tanstaaftanstaaf");
    let mut client = begin(Mechanism::CramMd5, identity, "");
    assert!(client.clone().initial_response().is_none() && !client.is_silent());
    let challenge = "<1896.697170952@postoffice.reston.mci.net>";
    assert_eq!(say(&mut client, challenge).unwrap(), "tim b913a602c7eda7a495b4e6e7334d3890");
    assert_eq!(client.succeed(), Ok(()));
    let mut client = begin(Mechanism::Login, password("fred", "p w "), "");
    assert_eq!(client.succeed(), Err(Distrust::Unproven));
    assert_eq!(say(&mut client, "Username:").unwrap(), "fred");
    assert_eq!(client.succeed(), Err(Distrust::Unproven));
    assert_eq!(say(&mut client, "Password:").unwrap(), "p w ");
    assert_eq!(client.succeed(), Ok(()));
    assert_eq!(say(&mut client, "Password:"), Err(Distrust::Unexpected));
}

#[test]
fn c16_what_was_ignored_with_the_command_is_said_once_more() {
    let mut client = begin(Mechanism::Plain, password("fred", "pw"), "");
    assert!(client.is_silent());
    assert_eq!(client.initial_response().unwrap().expose(), b"\0fred\0pw");
    assert!(!client.is_silent());
    assert_eq!(say(&mut client, "").unwrap(), "\0fred\0pw");
    assert_eq!(say(&mut client, ""), Err(Distrust::Unexpected));
    let mut client = begin(Mechanism::Plain, password("fred", "pw"), "");
    assert_eq!(client.succeed(), Err(Distrust::Unproven), "nothing was said");
    assert_eq!(say(&mut client, "anything").unwrap(), "\0fred\0pw");
    assert_eq!(client.succeed(), Ok(()));
    let nobody = Identity::Certificate { user: String::new() };
    assert_eq!(begin(Mechanism::External, nobody, "").initial_response().unwrap().expose(), b"");
}

/// The vectors of RFC 7628 section 4 (without host and port) and of Google's documentation.
#[test]
fn c18_a_token_that_is_refused_leaves_a_report() {
    for (mechanism, user, secret, wire, dummy) in [
        (
            Mechanism::OauthBearer,
            "user@example.com",
            "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJo\
             ZG1semRHRXVZMjl0Q2c9PQEB",
            "\x01",
        ),
        (
            Mechanism::Xoauth2,
            "someuser@example.com",
            "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNS\
             bGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
            "",
        ),
    ] {
        let mut client = begin(mechanism, token(user, secret), "");
        let first = client.initial_response().unwrap();
        assert_eq!(first, decode(wire.as_bytes()).unwrap());
        assert_eq!((client.succeed(), client.report()), (Ok(()), None));
        assert_eq!(say(&mut client, r#"{"status":"401"}"#).unwrap(), dummy);
        assert_eq!(client.report(), Some(r#"{"status":"401"}"#));
        assert_eq!(say(&mut client, "{}"), Err(Distrust::Unexpected));
    }
    let mut client = begin(Mechanism::OauthBearer, token("", "t"), "");
    assert_eq!(client.initial_response().unwrap().expose(), b"n,,\x01auth=Bearer t\x01\x01");
}

#[test]
fn r8_what_would_end_its_field_is_not_sent() {
    use Mechanism::{External, Login, OauthBearer, Plain, ScramSha256, Xoauth2};
    for (mechanism, identity, unfit) in [
        (Plain, password("", "p"), Unfit::Name),
        (Plain, password("a\0b", "p"), Unfit::Name),
        (Login, password("a", "p\r"), Unfit::Password),
        (Plain, password("a", "p\0q"), Unfit::Password),
        (ScramSha256, password("\u{627}1", "p"), Unfit::Name),
        (Xoauth2, token("a\x01auth=Bearer x", "t"), Unfit::Name),
        (Xoauth2, token("", "t"), Unfit::Name),
        (Xoauth2, token("a", "t\x01"), Unfit::Token),
        (OauthBearer, token("a", ""), Unfit::Token),
        (Plain, token("a", "t"), Unfit::Kind(Plain)),
        (Xoauth2, password("a", "p"), Unfit::Kind(Xoauth2)),
        (External, password("a", "p"), Unfit::Kind(External)),
        (Plain, Identity::Certificate { user: "a".into() }, Unfit::Kind(Plain)),
    ] {
        assert_eq!(Supplicant::new(mechanism, identity, link("x")).unwrap_err(), unfit);
    }
    let shown = format!("{:?}", begin(Plain, password("fred", "s3cret"), ""));
    assert_eq!(shown, "Supplicant(PLAIN)");
}

/// Lets the two machines talk. What the server makes of it, and whether the client is content.
fn talk(
    mut client: Supplicant,
    with_command: bool,
    context: Context,
    secret: &str,
) -> (bool, bool) {
    let server = Exchange::new(client.mechanism(), context);
    let initial = with_command.then(|| client.initial_response()).flatten();
    let mut step = match initial {
        Some(initial) => server.respond(initial.expose()),
        None => server.challenge(),
    };
    loop {
        step = match step {
            Step::Challenge(challenge, server) => match client.respond(challenge.expose()) {
                Ok(response) => server.respond(response.expose()),
                Err(_) => return (false, false),
            },
            Step::Keys(wanted) => {
                let (salt, rounds) = (b"salty".to_vec(), NonZero::new(5).unwrap());
                let keys = ScramKeys::derive(wanted.hash(), secret.as_bytes(), salt, rounds);
                wanted.go_on(keys)
            }
            Step::Login(login) => {
                let good = match &login {
                    Login::Password { password, .. } => password.expose() == secret.as_bytes(),
                    Login::Proof { proven, .. } => *proven,
                    Login::Digest { digest, .. } => digest.fits(secret.as_bytes()),
                    Login::Token { token, .. } => token.expose() == secret,
                    Login::Certificate { .. } => login.certified_user() == Some(secret),
                };
                return (good, client.succeed().is_ok());
            }
            Step::Refused(_) => return (false, false),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_two_machines_understand_each_other(
        user in "[a-zA-Z,=@. ]{0,20}[a-z]",
        secret in "[ -~]{0,20}[a-z]",
        wrong in "[ -~]{0,20}[A-Z]",
        with_command in any::<bool>(),
        bound in any::<bool>(),
    ) {
        for mechanism in Mechanism::ALL {
            let tokens = matches!(mechanism, Mechanism::OauthBearer | Mechanism::Xoauth2);
            let plus = mechanism.scram().is_some_and(|(_, plus)| plus);
            if plus && !bound {
                continue;
            }
            let binding = || bound.then(|| Secret::new(vec![7; 32]));
            let context = || Context {
                nonce: "theirs".into(),
                binding: binding(),
                certified: vec![secret.clone()],
            };
            let link = || Link { nonce: "ours".into(), binding: binding(), plus_offered: bound };
            let clean = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            let (good, bad) = match tokens {
                true => (clean(&secret), clean(&wrong)),
                false => (secret.clone(), wrong.clone()),
            };
            let attempt = |told: &str, kept: &str| {
                let identity = match mechanism {
                    _ if tokens => token(&user, told),
                    // What proves it is the certificate, which names the owner of the secret.
                    Mechanism::External => Identity::Certificate { user: told.to_owned() },
                    _ => password(&user, told),
                };
                let client = Supplicant::new(mechanism, identity, link()).unwrap();
                talk(client, with_command, context(), kept)
            };
            prop_assert_eq!(attempt(&good, &good), (true, true), "{}", mechanism);
            let (taken, _) = attempt(&good, &bad);
            prop_assert!(!taken, "{} with a wrong secret", mechanism);
        }
    }

    #[test]
    fn c17_no_challenge_makes_a_success_of_a_scram_login(
        challenges in prop::collection::vec("[rsivem=,a-zA-Z0-9/+]{0,40}", 0..4),
    ) {
        let mut client = begin(Mechanism::ScramSha256, password("user", "pencil"), "nonce");
        let _ = client.initial_response();
        for challenge in challenges {
            if client.respond(challenge.as_bytes()).is_err() {
                break;
            }
        }
        prop_assert_ne!(client.succeed(), Ok(()));
    }
}
