//! What an office may ask of its users: a delay between logins.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::time::Duration;

use restante_server::Policy;

mod support;
use support::{Running, Setup, read_lines, read_to_end, send};

const USER_PASS: &[u8] = b"USER fred\r\nPASS secret\r\n";
const PLAIN: &[u8] = b"NOOP\r\nAUTH PLAIN AGZyZWQAc2VjcmV0\r\n";

/// What the server answers to two commands on a new connection, and then to QUIT.
async fn two(server: &Running, commands: &[u8]) -> [String; 2] {
    let mut stream = server.connect().await;
    send(&mut *stream, commands).await;
    let said = String::from_utf8(read_lines(&mut *stream, 3).await).unwrap();
    send(&mut *stream, b"QUIT\r\n").await;
    read_to_end(&mut *stream).await;
    let mut lines = said.lines().skip(1).map(str::to_owned);
    [lines.next().unwrap(), lines.next().unwrap()]
}

#[tokio::test]
async fn s41_s46_a_login_too_soon_is_refused_at_pass_and_auth_never_at_user() {
    let policy = Policy { login_delay: Duration::from_secs(300) };
    let setup = Setup { policy, allow_cleartext: true, ..Setup::default() };
    let server = Running::start(setup).await;
    // Wrong passwords begin no delay, and are told apart from it.
    assert!(two(&server, b"USER fred\r\nPASS wrong\r\n").await[1].starts_with("-ERR [AUTH]"));
    assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    server.clock.advance(Duration::from_secs(200));
    for login in [USER_PASS, PLAIN] {
        let [first, second] = two(&server, login).await;
        assert!(!first.contains("LOGIN-DELAY"), "{first}");
        let refused = "-ERR [LOGIN-DELAY] Too soon after the last login, wait ";
        assert!(second.starts_with(refused), "{second}");
    }
    assert!(two(&server, b"USER fred\r\nPASS wrong\r\n").await[1].starts_with("-ERR [AUTH]"));
    // Being refused does not make it longer.
    server.clock.advance(Duration::from_secs(100));
    assert!(two(&server, PLAIN).await[1].starts_with("+OK"));
    assert!(two(&server, PLAIN).await[1].starts_with("-ERR [LOGIN-DELAY]"));
    server.stop().await;
}

#[tokio::test]
async fn s41_there_is_no_delay_unless_one_is_set() {
    let server = Running::start(Setup { allow_cleartext: true, ..Setup::default() }).await;
    for _ in 0..3 {
        assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    }
    server.stop().await;
}
