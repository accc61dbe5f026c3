//! Guessed passwords, over the network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use restante_server::DefenceLimits;

mod support;
use support::{Running, Setup, read_lines, read_to_end, send};

/// A server behind a proxy, so that clients have addresses.
async fn server(defence: DefenceLimits) -> Running {
    let proxies = vec!["127.0.0.1/32".parse().unwrap()];
    Running::start(Setup { proxies, defence, allow_cleartext: true, ..Setup::default() }).await
}

/// What the server says to one login from `address`, behind the greeting and the reply to `USER`.
async fn log_in(server: &Running, address: &str, password: &str) -> String {
    let mut stream = server.connect().await;
    let header = format!("PROXY TCP4 {address} 198.51.100.2 4660 110\r\n");
    send(&mut *stream, format!("{header}USER fred\r\nPASS {password}\r\nQUIT\r\n").as_bytes())
        .await;
    read_lines(&mut *stream, 2).await;
    String::from_utf8(read_to_end(&mut *stream).await).unwrap()
}

const WRONG: &str = "-ERR [AUTH] Wrong user name or password\r\n+OK Goodbye\r\n";
const GOOD: &str = "+OK 0 messages (0 octets)\r\n+OK Goodbye, 0 messages deleted\r\n";

/// Goal: who has used up the free tries is turned away without a check, even with the right
/// password, and the owner elsewhere notices nothing. Method: nobody may wait, so
/// that the time for the next try need not come.
#[tokio::test]
async fn r24_who_guesses_is_turned_away_and_the_owner_elsewhere_is_let_in() {
    let limits = DefenceLimits { tries_per_user: 2, waiting: 0, ..DefenceLimits::default() };
    let server = server(limits).await;
    assert_eq!(log_in(&server, "192.0.2.1", "a").await, WRONG);
    assert_eq!(log_in(&server, "192.0.2.1", "b").await, WRONG);
    assert_eq!(log_in(&server, "192.0.2.1", "c").await, "");
    assert_eq!(log_in(&server, "192.0.2.1", "secret").await, "");
    assert_eq!(log_in(&server, "198.51.100.1", "secret").await, GOOD);
    server.stop().await;
}

#[tokio::test]
async fn r24_a_banned_address_is_not_even_greeted() {
    let limits = DefenceLimits { ban_tries: 3, ..DefenceLimits::default() };
    let server = server(limits).await;
    for password in ["a", "b", "c"] {
        assert_eq!(log_in(&server, "192.0.2.1", password).await, WRONG);
    }
    let mut stream = server.connect().await;
    send(&mut *stream, b"PROXY TCP4 192.0.2.1 198.51.100.2 4660 110\r\n").await;
    assert_eq!(read_to_end(&mut *stream).await, b"");
    assert_eq!(log_in(&server, "192.0.2.2", "secret").await, GOOD);
    server.stop().await;
}
