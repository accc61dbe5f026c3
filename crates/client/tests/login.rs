//! Logins against scripted servers, kind and unkind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests")]

mod support;

use restante_client::{
    ClientCertificate, Connection, Credentials, Distrust, Encryption, Error, LoginError,
    MessageNumber, Method, Octets, Pin, Secret, TlsError,
};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const IN: &[u8] = b"+OK\r\n";
const SCRAM: &[u8] = b"+OK\r\nSASL SCRAM-SHA-256 PLAIN\r\n.\r\n";
const PLAIN: &[u8] = b"+OK\r\nSASL PLAIN\r\n.\r\n";
const PLAIN_FRED: &str = "AUTH PLAIN AGZyZWQAcHc=";

fn at_least(name: &str) -> Credentials {
    fred("pw").at_least(Method::parse(name).unwrap())
}

/// Logs fred in under implicit TLS to a server with these capabilities, which then goes on.
async fn under_tls(
    capabilities: &'static [u8],
    rest: Vec<Act>,
    credentials: &Credentials,
) -> Result<Method, Error> {
    let authority = Authority::new(HOST);
    let endpoint = endpoint(Encryption::Tls, Some(&authority));
    let mut script = vec![Tls, Send(b"+OK <1.2@three>\r\n"), Expect("CAPA"), Send(capabilities)];
    script.extend(rest);
    let (stream, server) = serve(script, Some(authority));
    let mut connection = Connection::over(stream, &endpoint).await.unwrap();
    let outcome = connection.login(credentials).await;
    drop(connection);
    server.await.unwrap();
    outcome
}

fn then_in() -> [Act; 3] {
    [Send(IN), Expect("CAPA"), Send(b"-ERR\r\n")]
}

#[tokio::test(start_paused = true)]
async fn r7_nothing_is_sent_below_the_floor() {
    for floor in ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "CRAM-MD5", "XOAUTH2"] {
        let refused = under_tls(PLAIN, vec![], &at_least(floor)).await.unwrap_err();
        assert!(matches!(refused, Error::Login(LoginError::NoMethod { .. })), "{refused:?}");
        assert!(!refused.is_temporary());
    }
}

#[tokio::test(start_paused = true)]
async fn r7_a_refused_scram_is_followed_by_plain_under_tls_alone() {
    let scram = [ExpectStart("AUTH SCRAM-SHA-256 "), Send(b"-ERR [AUTH] no\r\n")];
    let mut script = scram.to_vec();
    script.push(Expect(PLAIN_FRED));
    script.extend(then_in());
    let method = under_tls(SCRAM, script, &fred("pw")).await.unwrap();
    assert_eq!(method.to_string(), "PLAIN");
    let refused = under_tls(SCRAM, scram.to_vec(), &at_least("SCRAM-SHA-1")).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::WrongPassword(_)))), "{refused:?}");
    // A server that hangs up then has said all the same that the password is wrong.
    let refused = under_tls(SCRAM, scram.to_vec(), &fred("pw")).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::WrongPassword(_)))), "{refused:?}");
    let mut script = vec![Send(IN), Expect("CAPA"), Send(SCRAM)];
    script.extend(scram);
    let (stream, server) = serve(script, None);
    let mut connection = Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
    let refused = connection.login(&fred("pw")).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::WrongPassword(_)))), "{refused:?}");
    drop(connection);
    assert!(!String::from_utf8(server.await.unwrap()).unwrap().contains("PLAIN"));
}

#[tokio::test(start_paused = true)]
async fn c17_a_server_without_a_proof_gets_no_second_chance() {
    for (says, distrust) in [
        (IN, Distrust::Unproven),
        (b"+ !\r\n", Distrust::BadBase64),
        (b"+ eD15\r\n", Distrust::Malformed),
    ] {
        let mut script = vec![ExpectStart("AUTH SCRAM-SHA-256 "), Send(says)];
        if distrust != Distrust::Unproven {
            script.extend([Expect("*"), Send(b"-ERR\r\n")]);
        }
        let refused = under_tls(SCRAM, script, &fred("pw")).await.unwrap_err();
        let Error::Login(LoginError::Distrusted(why)) = &refused else { panic!("{refused:?}") };
        assert_eq!((*why, refused.is_temporary()), (distrust, false));
    }
}

#[tokio::test(start_paused = true)]
async fn c18_a_token_goes_in_two_steps_and_leaves_a_report() {
    let token = Credentials::token("fred", Secret::new("t".to_owned()));
    let capabilities = b"+OK\r\nSASL PLAIN XOAUTH2\r\n.\r\n";
    let asked =
        [Expect("AUTH XOAUTH2"), Send(b"+ \r\n"), Expect("dXNlcj1mcmVkAWF1dGg9QmVhcmVyIHQBAQ==")];
    let mut script = asked.to_vec();
    script.extend(then_in());
    let method = under_tls(capabilities, script, &token).await.unwrap();
    assert_eq!(method.to_string(), "XOAUTH2");
    let mut script = asked.to_vec();
    script.extend([Send(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), Expect(""), Send(b"-ERR no\r\n")]);
    let refused = under_tls(capabilities, script, &token).await.unwrap_err();
    assert!(refused.to_string().contains(r#"get a new one: no ({"status":"401"})"#), "{refused}");
    let mut script = asked.to_vec();
    script.push(Send(b"-ERR [SYS/TEMP] later\r\n"));
    assert!(under_tls(capabilities, script, &token).await.unwrap_err().is_temporary());
    // Without TLS it stays here.
    let (stream, server) = serve(vec![Send(IN), Expect("CAPA"), Send(capabilities)], None);
    let mut connection = Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
    let refused = connection.login(&token).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::NotEncrypted))), "{refused:?}");
    drop(connection);
    assert_eq!(server.await.unwrap(), b"CAPA\r\n");
}

#[tokio::test(start_paused = true)]
async fn c19_apop_is_used_if_it_is_named_and_the_stamp_came_under_tls() {
    // MD5 of "<1.2@three>pw".
    let mut script = vec![ExpectStart("APOP fred ")];
    script.extend(then_in());
    let method = under_tls(PLAIN, script, &at_least("APOP")).await.unwrap();
    assert_eq!(method, Method::Apop);
    let authority = Authority::new(HOST);
    let endpoint = endpoint(Encryption::StartTls, Some(&authority));
    let script = vec![
        Send(b"+OK <1.2@three>\r\n"),
        Expect("CAPA"),
        Send(b"-ERR\r\n"),
        Expect("STLS"),
        Send(IN),
        Tls,
        Expect("CAPA"),
        Send(PLAIN),
    ];
    let (stream, server) = serve(script, Some(authority));
    let mut connection = Connection::over(stream, &endpoint).await.unwrap();
    let refused = connection.login(&at_least("APOP")).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::NoMethod { .. }))), "{refused:?}");
    drop(connection);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c20_what_is_not_ascii_needs_sasl_or_utf8_user() {
    let wide = user("fr\u{e9}d", "pw");
    let mut script = vec![ExpectStart("AUTH PLAIN ")];
    script.extend(then_in());
    under_tls(PLAIN, script, &wide).await.unwrap();
    let refused = under_tls(b"+OK\r\nUSER\r\n.\r\n", vec![], &wide).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::NotAscii))), "{refused:?}");
    let mut script = vec![Expect("UTF8"), Send(IN)];
    script.extend([Expect("USER fr\u{e9}d"), Send(IN), Expect("PASS pw")]);
    script.extend(then_in());
    under_tls(b"+OK\r\nUSER\r\nUTF8 USER\r\n.\r\n", script, &wide).await.unwrap();
}

/// Goal: a certificate is shown to who asks for it, if the endpoint names one, and never else.
#[tokio::test]
async fn c25_a_certificate_is_shown_only_if_it_is_named() {
    let (authority, client) = (Authority::new(HOST), Authority::new("fred"));
    for named in [false, true] {
        let mut endpoint = endpoint(Encryption::Tls, Some(&authority));
        let file = client.key_file();
        endpoint.client_certificate =
            named.then(|| ClientCertificate { certificate: file.clone(), key: file });
        let acceptor = authority.acceptor_for(Some(&client));
        let (stream, server) = duplex(1 << 16);
        let serving = tokio::spawn(async move {
            let tls = acceptor.accept(server).await.unwrap();
            let shown = tls.get_ref().1.peer_certificates().is_some();
            let capabilities = Send(b"+OK\r\nSASL EXTERNAL\r\n.\r\n");
            let mut script = vec![Send(IN), Expect("CAPA"), capabilities];
            script.push(Expect("AUTH EXTERNAL ="));
            script.extend(then_in());
            restante_testserver::follow(tls, script, None).await;
            shown
        });
        let mut connection = Connection::over(stream, &endpoint).await.unwrap();
        connection.login(&Credentials::certificate("")).await.unwrap();
        drop(connection);
        assert_eq!(serving.await.unwrap(), named);
    }
    let mut endpoint = endpoint(Encryption::Tls, Some(&authority));
    let (certificate, key) = (client.ca_file(), client.ca_file());
    endpoint.client_certificate = Some(ClientCertificate { certificate, key });
    let (stream, _) = serve(vec![], None);
    let error = Connection::over(stream, &endpoint).await.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::ClientCertificate { .. })), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn c14_a_wrong_pin_gets_not_one_octet_of_pop3() {
    let authority = Authority::new(HOST);
    let mut endpoint = endpoint(Encryption::Tls, Some(&authority));
    let other: Pin = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap();
    endpoint.pins = vec![other];
    let (client, server) = duplex(1 << 16);
    let acceptor = authority.acceptor();
    let serving = tokio::spawn(async move {
        let mut heard = Vec::new();
        // The client may be gone before the handshake has come to its end.
        if let Ok(mut tls) = acceptor.accept(server).await {
            let _ = tls.read_to_end(&mut heard).await;
        }
        heard
    });
    let refused = Connection::over(client, &endpoint).await.unwrap_err();
    let Error::Tls(TlsError::WrongPin { found }) = &refused else { panic!("{refused:?}") };
    assert!(serving.await.unwrap().is_empty());
    // The pin it has, named as the next one.
    endpoint.pins.push(found.parse().unwrap());
    let script = vec![Tls, Send(IN), Expect("CAPA"), Send(PLAIN)];
    let (stream, server) = serve(script, Some(authority));
    drop(Connection::over(stream, &endpoint).await.unwrap());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c23_a_message_above_the_limit_is_not_read_on() {
    let script = vec![
        Send(IN),
        Expect("CAPA"),
        Send(b"-ERR\r\n"),
        Expect("RETR 1"),
        Send(b"+OK\r\n12345678\r\n.\r\n"),
        Expect("RETR 2"),
        Send(b"+OK\r\n123456789\r\n.\r\n"),
    ];
    let (stream, server) = serve(script, None);
    let mut connection = Connection::over(stream, &endpoint(Encryption::None, None)).await.unwrap();
    connection.limit_messages(Octets::new(10));
    let number = |number| MessageNumber::new(number).unwrap();
    let octets = connection.retr(number(1), &mut tokio::io::sink()).await.unwrap();
    assert_eq!(octets, Octets::new(10));
    let refused = connection.retr(number(2), &mut tokio::io::sink()).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused:?}");
    drop(connection);
    server.await.unwrap();
}

/// Goal: the server's name is the proxy's to look up.
#[tokio::test]
async fn a_proxy_is_told_the_servers_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxying = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let script = vec![Send(IN), Expect("CAPA"), Send(b"-ERR\r\n"), Expect("QUIT"), Send(IN)];
        restante_testserver::follow(socket, script, None).await;
        String::from_utf8(head).unwrap()
    });
    let mut endpoint = endpoint(Encryption::None, None);
    endpoint.host = "pop.invalid".into();
    endpoint.proxy = Some(format!("http://127.0.0.1:{port}").parse().unwrap());
    Connection::connect(&endpoint).await.unwrap().commit().await.unwrap();
    assert!(proxying.await.unwrap().starts_with("CONNECT pop.invalid:110 HTTP/1.1\r\n"));
}
