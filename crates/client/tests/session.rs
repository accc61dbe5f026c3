//! Whole sessions against a scripted server in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests")]

mod support;

use std::time::Duration;

use restante_client::{
    Capability, Connection, Encryption, Endpoint, Error, LoginError, MessageNumber, Octets,
    Retrieved, Stat, Step, TlsError,
};
use support::*;

const CAPA: &[u8] = b"+OK\r\nSASL PLAIN\r\nPIPELINING\r\nLOGIN-DELAY 5\r\n.\r\n";
const AUTH: &str = "AUTH PLAIN AGZyZWQAcHcgMQ==";

fn number(number: u32) -> MessageNumber {
    MessageNumber::new(number).unwrap()
}

fn logged_in(rest: Vec<Act>) -> Vec<Act> {
    let mut script = vec![Send(b"+OK\r\n"), Expect("CAPA"), Send(CAPA), Expect(AUTH)];
    script.extend([Send(b"+OK\r\n"), Expect("CAPA"), Send(CAPA)]);
    script.extend(rest);
    script
}

async fn log_in(rest: Vec<Act>) -> (Connection, tokio::task::JoinHandle<Cleartext>) {
    let (stream, server) = serve(logged_in(rest), None);
    let mut connection = Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
    connection.login(&fred("pw 1")).await.unwrap();
    (connection, server)
}

#[tokio::test(start_paused = true)]
async fn c6_a_whole_session_ends_with_quit() {
    let (mut connection, server) = log_in(vec![
        Expect("STAT"),
        Send(b"+OK 3 30\r\n"),
        Expect("LIST"),
        Send(b"+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n"),
        Expect("UIDL"),
        Send(b"+OK\r\n1 a\r\n2 b\r\n3\r\n.\r\n"),
        Expect("RETR 1"),
        Send(b"+OK\r\n..a\r\n.\r\n"),
        Expect("TOP 2 0"),
        Send(b"+OK\r\nh: v\r\n\r\n.\r\n"),
        Expect("RETR 1"),
        Expect("RETR 2"),
        Expect("RETR 3"),
        Send(b"+OK\r\none\r\n.\r\n-ERR gone\r\n+OK\r\n.\r\n"),
        Expect("NOOP"),
        Send(b"+OK\r\n"),
        Expect("DELE 2"),
        Send(b"-ERR gone\r\n"),
        Expect("DELE 1"),
        Expect("DELE 3"),
        Send(b"+OK\r\n-ERR no\r\n"),
        Expect("QUIT"),
        Send(b"+OK\r\n"),
    ])
    .await;
    assert_eq!(connection.capabilities().login_delay().map(|delay| delay.as_secs()), Some(5));
    assert!(connection.capabilities().has(&Capability::Pipelining));
    let stat = Stat { messages: 3, octets: Some(Octets::new(30)) };
    assert_eq!(connection.stat().await.unwrap(), stat);
    assert_eq!(connection.list().await.unwrap().len(), 3);
    let ids: Vec<_> = connection.uidl().await.unwrap().into_iter().map(|line| line.id).collect();
    assert_eq!(ids, ["a", "b", ""]);
    let mut message = Vec::new();
    assert_eq!(connection.retr(number(1), &mut message).await.unwrap(), Octets::new(4));
    assert_eq!(message, b".a\r\n");
    message.clear();
    connection.top(number(2), 0, &mut message).await.unwrap();
    assert_eq!(message, b"h: v\r\n\r\n");
    let mut retrieval = connection.retrieve([1, 2, 3].map(number)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(retrieved) = retrieval.next().await.unwrap() {
        seen.push(match retrieved {
            Retrieved::Begin(number) => format!("begin {number}"),
            Retrieved::Chunk(chunk) => String::from_utf8(chunk.to_vec()).unwrap(),
            Retrieved::End(number) => format!("end {number}"),
            Retrieved::Refused(number, refusal) => format!("{number} {refusal}"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(seen, ["begin 1", "one\r\n", "end 1", "2 gone", "begin 3", "end 3"]);
    connection.noop().await.unwrap();
    let refused = connection.dele(number(2)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { command: "DELE", .. }), "{refused:?}");
    let marked = connection.dele_many(&[1, 3].map(number)).await.unwrap();
    assert_eq!(marked.iter().map(|(_, mark)| mark.is_ok()).collect::<Vec<_>>(), [true, false]);
    connection.commit().await.unwrap();
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c20_messages_are_asked_for_as_they_are_where_the_server_offers_that() {
    for (capabilities, reply) in [
        (&b"+OK\r\nUSER\r\nUTF8 USER\r\n.\r\n"[..], &b"+OK\r\n"[..]),
        (b"+OK\r\nUSER\r\nSASL\r\nutf8\r\n.\r\n", b"-ERR [UTF8] not now\r\n"),
    ] {
        let script = vec![
            Send(b"+OK\r\n"),
            Expect("CAPA"),
            Send(capabilities),
            Expect("UTF8"),
            Send(reply),
            Expect("USER fred"),
            Send(b"+OK\r\n"),
            Expect("PASS pw 1"),
            Send(b"+OK\r\n"),
            Expect("CAPA"),
            Send(capabilities),
        ];
        let (stream, server) = serve(script, None);
        let endpoint = endpoint(Encryption::None, None);
        let mut connection = Connection::over(stream, &endpoint).await.unwrap();
        connection.login(&fred("pw 1")).await.unwrap();
        drop(connection);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn c6_dropping_never_sends_quit() {
    let (mut connection, server) = log_in(vec![Expect("DELE 1"), Send(b"+OK\r\n")]).await;
    connection.dele(number(1)).await.unwrap();
    drop(connection);
    let sent = server.await.unwrap();
    assert!(sent.ends_with(b"DELE 1\r\n"), "{}", String::from_utf8_lossy(&sent));
}

#[tokio::test(start_paused = true)]
async fn c6_the_status_of_quit_is_told_apart_from_silence() {
    let (connection, _) = log_in(vec![Expect("QUIT"), Send(b"-ERR some remain\r\n")]).await;
    assert!(matches!(connection.commit().await, Err(Error::Refused { command: "QUIT", .. })));
    let (connection, _) = log_in(vec![Expect("QUIT")]).await;
    assert!(matches!(connection.commit().await, Err(Error::Closed(Step::Reply("QUIT")))));
}

#[tokio::test(start_paused = true)]
async fn a_retrieval_given_up_leaves_the_connection_in_step() {
    let (mut connection, server) = log_in(vec![
        Expect("RETR 1"),
        Expect("RETR 2"),
        Send(b"+OK\r\n+OK\r\n.\r\n+OK\r\nx\r\n.\r\n"),
        Expect("NOOP"),
        Send(b"+OK\r\n"),
    ])
    .await;
    let mut retrieval = connection.retrieve([1, 2].map(number)).await.unwrap();
    assert!(matches!(retrieval.next().await, Ok(Some(Retrieved::Begin(_)))));
    connection.noop().await.unwrap();
    drop(connection);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_end_inside_a_body_is_an_error() {
    for body in
        [&b"+OK\r\nhalf"[..], b"+OK\r\nhalf\r\n", b"+OK\r\nhalf\r\n.", b"+OK\r\nhalf\r\n.\r"]
    {
        let (mut connection, _) = log_in(vec![Expect("RETR 1"), Send(body)]).await;
        let error = connection.retr(number(1), &mut Vec::new()).await.unwrap_err();
        assert!(matches!(error, Error::Closed(Step::Body)), "{error:?}");
    }
}

/// Goal: no state of a session waits for ever. Method: the server stops after each of its acts,
/// and before the half of each of its replies; virtual time runs when nothing else does.
#[tokio::test(start_paused = true)]
async fn r4_every_wait_has_a_deadline() {
    let script = logged_in(vec![
        Expect("UIDL"),
        Send(b"+OK\r\n1 a\r\n.\r\n"),
        Expect("RETR 1"),
        Send(b"+OK\r\nbody\r\n.\r\n"),
        Expect("QUIT"),
        Send(b"+OK\r\n"),
    ]);
    let mut stalls = 0;
    for (end, act) in script.iter().enumerate() {
        let Send(reply) = act else { continue };
        for half in [0, reply.len() / 2, reply.len() - 1] {
            let mut script = script[..end].to_vec();
            script.extend([Send(&reply[..half]), Stall]);
            let (stream, server) = serve(script, None);
            let begun = tokio::time::Instant::now();
            let session = async {
                let endpoint = endpoint(Encryption::None, None);
                let mut connection = Connection::over(stream, &endpoint).await?;
                connection.login(&fred("pw 1")).await?;
                connection.uidl().await?;
                connection.retr(number(1), &mut Vec::new()).await?;
                connection.commit().await
            };
            let error = session.await.unwrap_err();
            assert!(matches!(error, Error::Timeout(_)), "{end} {half}: {error:?}");
            assert!(error.is_temporary());
            assert!(begun.elapsed().as_secs() <= 121, "{end} {half}: {:?}", begun.elapsed());
            server.abort();
            stalls += 1;
        }
    }
    assert_eq!(stalls, 21);
}

#[tokio::test(start_paused = true)]
async fn r4_the_handshake_has_a_deadline() {
    for encryption in [Encryption::Tls, Encryption::StartTls] {
        let script = match encryption {
            Encryption::Tls => vec![Stall],
            _ => vec![
                Send(b"+OK\r\n"),
                Expect("CAPA"),
                Send(b"+OK\r\nSTLS\r\n.\r\n"),
                Expect("STLS"),
                Send(b"+OK\r\n"),
                Stall,
            ],
        };
        let (stream, server) = serve(script, None);
        let authority = Authority::new(HOST);
        let error =
            Connection::over(stream, &endpoint(encryption, Some(&authority))).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(Step::Handshake)), "{error:?}");
        server.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn c11_logins_fail_for_reasons() {
    let capa = b"+OK\r\nUSER\r\nAUTH-RESP-CODE\r\n.\r\n";
    for (reply, wrong, temporary) in [
        (&b"-ERR [AUTH] no\r\n"[..], true, false),
        (b"-ERR [IN-USE] busy\r\n", false, true),
        (b"-ERR [SYS/TEMP] sick\r\n", false, true),
        (b"-ERR eh\r\n", false, true),
    ] {
        let script = vec![
            Send(b"+OK\r\n"),
            Expect("CAPA"),
            Send(capa),
            Expect("USER fred"),
            Send(b"+OK\r\n"),
            Expect("PASS  pw "),
            Send(reply),
        ];
        let (stream, _) = serve(script, None);
        let mut connection =
            Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
        let error = connection.login(&fred(" pw ")).await.unwrap_err();
        let Error::Login(login) = &error else { panic!("{error:?}") };
        assert_eq!(matches!(login, LoginError::WrongPassword(_)), wrong, "{error}");
        assert_eq!(error.is_temporary(), temporary, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn r8_a_line_end_in_a_credential_never_reaches_the_wire() {
    for (user, password) in [("fred\r\nDELE 1", "pw"), ("fred", "pw\nDELE 1"), ("fr\0ed", "pw")] {
        let (stream, server) = serve(vec![Send(b"+OK\r\n"), Expect("CAPA"), Send(CAPA)], None);
        let mut connection =
            Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
        let error = connection.login(&support::user(user, password)).await.unwrap_err();
        assert!(matches!(error, Error::BadArgument { .. }), "{error:?}");
        drop(connection);
        assert_eq!(server.await.unwrap(), b"CAPA\r\n");
    }
}

#[tokio::test(start_paused = true)]
async fn c7_a_server_without_capa_is_served_by_user_and_pass() {
    let (stream, server) = serve(
        vec![
            Send(b"+OK <a@b>\r\n"),
            Expect("CAPA"),
            Send(b"-ERR\r\n"),
            Expect("USER fred"),
            Send(b"+OK\r\n"),
            Expect("PASS pw"),
            Send(b"+OK\r\n"),
            Expect("UIDL"),
            Send(b"-ERR\r\n"),
        ],
        None,
    );
    let mut connection = Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
    assert!(!connection.capabilities().is_known());
    connection.login(&fred("pw")).await.unwrap();
    assert!(matches!(connection.uidl().await, Err(Error::Refused { .. })));
    drop(connection);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c12_after_stls_everything_is_asked_again() {
    let authority = Authority::new(HOST);
    let endpoint = endpoint(Encryption::StartTls, Some(&authority));
    let (stream, server) = serve(
        vec![
            Send(b"+OK\r\n"),
            Expect("CAPA"),
            Send(b"+OK\r\nSTLS\r\nSASL PLAIN\r\n.\r\n"),
            Expect("STLS"),
            Send(b"+OK\r\n"),
            Tls,
            Expect("CAPA"),
            Send(b"+OK\r\nUSER\r\n.\r\n"),
            Expect("USER fred"),
            Send(b"+OK\r\n"),
            Expect("PASS pw"),
            Send(b"+OK\r\n"),
            Expect("CAPA"),
            Send(b"-ERR\r\n"),
        ],
        Some(authority),
    );
    let mut connection = Connection::over(stream, &endpoint).await.unwrap();
    assert!(!connection.capabilities().has(&Capability::Stls));
    connection.login(&fred("pw")).await.unwrap();
    assert!(connection.capabilities().has(&Capability::User), "what was said under TLS holds");
    drop(connection);
    assert_eq!(server.await.unwrap(), b"CAPA\r\nSTLS\r\n");
}

#[tokio::test(start_paused = true)]
async fn c13_c15_injection_and_stripping_end_before_any_credential() {
    for (reply, tail) in [
        (&b"+OK\r\nSTLS\r\n.\r\n"[..], &b"+OK\r\n+OK in\r\n"[..]),
        (b"+OK\r\nSTLS\r\n.\r\n", b"+OK\r\nx"),
        (b"+OK\r\nSTLS\r\n.\r\n", b"-ERR no\r\n"),
        (b"-ERR no\r\n", b"-ERR no\r\n"),
    ] {
        let authority = Authority::new(HOST);
        let script =
            vec![Send(b"+OK\r\n"), Expect("CAPA"), Send(reply), Expect("STLS"), Send(tail)];
        let (stream, server) = serve(script, None);
        let endpoint = endpoint(Encryption::StartTls, Some(&authority));
        let error = Connection::over(stream, &endpoint).await.unwrap_err();
        assert!(
            matches!(error, Error::Protocol(_) | Error::Tls(TlsError::NotOffered(_))),
            "{error:?}"
        );
        assert_eq!(server.await.unwrap(), b"CAPA\r\nSTLS\r\n");
    }
    let authority = Authority::new(HOST);
    let (stream, server) = serve(vec![Send(b"+OK\r\n"), Expect("CAPA"), Send(CAPA)], None);
    let endpoint = endpoint(Encryption::StartTls, Some(&authority));
    let error = Connection::over(stream, &endpoint).await.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::NotOffered(_))), "{error:?}");
    assert_eq!(server.await.unwrap(), b"CAPA\r\n");
}

#[tokio::test(start_paused = true)]
async fn c14_c15_r5_a_wrong_certificate_gets_not_one_octet_of_pop3() {
    // Goal: neither a foreign authority nor a foreign name is accepted, before or after STLS.
    let trusted = Authority::new(HOST);
    let stranger = Authority::new("evil.example.net");
    for encryption in [Encryption::Tls, Encryption::StartTls] {
        for (authority, ca) in [
            (Authority::new(HOST), trusted.ca_file()),
            (Authority::new("other.example.org"), stranger.ca_file()),
        ] {
            let mut endpoint = endpoint(encryption, None);
            endpoint.ca_file = Some(ca);
            let error = handshake(&endpoint, authority).await;
            assert!(matches!(error, Error::Tls(TlsError::Untrusted)), "{error:?}");
        }
        let authority = Authority::new("other.example.org");
        let endpoint = endpoint(encryption, Some(&authority));
        let error = handshake(&endpoint, authority).await;
        assert!(matches!(error, Error::Tls(TlsError::WrongName { .. })), "{error:?}");
    }
}

async fn handshake(endpoint: &Endpoint, authority: Authority) -> Error {
    let mut script = vec![];
    if endpoint.encryption == Encryption::StartTls {
        script.extend([Send(b"+OK\r\n"), Expect("CAPA"), Send(b"-ERR\r\n")]);
        script.extend([Expect("STLS"), Send(b"+OK\r\n")]);
    }
    script.extend([Tls, Send(b"+OK\r\n"), Expect("CAPA")]);
    let (stream, server) = serve(script, Some(authority));
    let error = Connection::over(stream, endpoint).await.unwrap_err();
    let cleartext = server.await.unwrap();
    assert!(cleartext.is_empty() || cleartext == b"CAPA\r\nSTLS\r\n");
    error
}

#[tokio::test(start_paused = true)]
async fn tls_problems_are_told_apart() {
    let authority = Authority::new(HOST);
    let (stream, _) = serve(vec![Send(b"+OK ready\r\n")], None);
    let error =
        Connection::over(stream, &endpoint(Encryption::Tls, Some(&authority))).await.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::NotTls)), "{error:?}");
    let (stream, _) = serve(vec![], None);
    let error =
        Connection::over(stream, &endpoint(Encryption::Tls, Some(&authority))).await.unwrap_err();
    assert!(matches!(error, Error::Closed(Step::Handshake)), "{error:?}");
    let mut missing = endpoint(Encryption::Tls, None);
    missing.ca_file = Some("/nonexistent.pem".into());
    let (stream, _) = serve(vec![], None);
    let error = Connection::over(stream, &missing).await.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::CaFile { .. })), "{error:?}");
    std::fs::write(authority.ca_file(), "not PEM").unwrap();
    let (stream, _) = serve(vec![], None);
    let error =
        Connection::over(stream, &endpoint(Encryption::Tls, Some(&authority))).await.unwrap_err();
    assert!(error.to_string().contains("no certificate in it"), "{error}");
}

/// Goal: a message of any size flows through in constant memory, and a server that does not read
/// commands before its replies are taken is no dead end. Method: 64 MiB over a pipe of 64 KiB.
#[tokio::test(start_paused = true)]
async fn a_large_message_flows_through() {
    const LINE: &[u8] = &[b'x'; 1022];
    let (client, mut server) = tokio::io::duplex(1 << 16);
    let lines = 1 << 16;
    let serving = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        server.write_all(b"+OK\r\n-ERR\r\n+OK\r\n+OK\r\n+OK\r\n").await.unwrap();
        for _ in 0..lines {
            server.write_all(LINE).await.unwrap();
            server.write_all(b"\r\n").await.unwrap();
        }
        server.write_all(b".\r\n").await.unwrap();
        server
    });
    // The replies are all on their way before the commands, which is as far as a server can be
    // out of step; the client takes them only as answers.
    let mut connection = Connection::over(client, &endpoint(Encryption::None, None)).await.unwrap();
    connection.login(&fred("pw")).await.unwrap();
    let octets = connection.retr(number(1), &mut tokio::io::sink()).await.unwrap();
    assert_eq!(octets, Octets::new(lines * 1024));
    serving.await.unwrap();
}

/// Goal: a server that says something just before each timeout, for ever, is given up as a whole,
/// whatever it says; one that is slow but gets somewhere is not.
#[tokio::test(start_paused = true)]
async fn r42_a_server_that_is_always_just_in_time_is_given_up_as_a_whole() {
    let began = tokio::time::Instant::now();
    let dribble = |command, first: &'static [u8], line: &'static [u8]| {
        let lines = std::iter::repeat_n([Wait(59), Send(line)], 1000).flatten();
        [Expect(command), Send(first)].into_iter().chain(lines).collect::<Vec<_>>()
    };
    let (mut listing, _) = log_in(dribble("UIDL", b"+OK\r\n", b"1 a\r\n")).await;
    let given_up = listing.uidl().await.unwrap_err();
    assert!(matches!(given_up, Error::TooSlow(Step::Reply("UIDL"))), "{given_up:?}");
    let (mut body, _) = log_in(dribble("RETR 1", b"+OK\r\n", b"x")).await;
    let given_up = body.retr(number(1), &mut Vec::new()).await.unwrap_err();
    assert!(matches!(given_up, Error::TooSlow(_)) && given_up.is_temporary(), "{given_up:?}");
    let noop = |pause| [Expect("NOOP"), Wait(pause), Send(b"+OK\r\n")];
    let (mut replies, _) = log_in([noop(59); 100].concat()).await;
    let mut answered = 0;
    while replies.noop().await.is_ok() {
        answered += 1;
    }
    assert!(answered < 20, "{answered}");
    assert!(began.elapsed() < Duration::from_secs(3000), "{:?}", began.elapsed());

    let (mut slow, _) = log_in([noop(14); 100].concat()).await;
    for _ in 0..100 {
        slow.noop().await.unwrap();
    }
    let line = b"a line of a message on a line of three hundred baud\r\n";
    let lines = std::iter::repeat_n([Wait(1), Send(line), Send(line)], 1000).flatten();
    let whole = [Expect("RETR 1"), Send(b"+OK\r\n")].into_iter().chain(lines);
    let (mut slow, _) = log_in(whole.chain([Send(b".\r\n")]).collect()).await;
    let octets = slow.retr(number(1), &mut Vec::new()).await.unwrap();
    assert_eq!(octets, Octets::new(2000 * line.len() as u64));
}
