//! Listeners behind a proxy: whose connection it is, and who is turned away.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use restante_server::Limits;

mod support;
use support::{Running, Setup, read_lines, read_to_end, send};

async fn behind(proxy: &str, limits: Limits) -> Running {
    let proxies = vec![proxy.parse().unwrap()];
    Running::start(Setup { proxies, limits, allow_cleartext: true, ..Setup::default() }).await
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 4660 110\r\n";

#[tokio::test]
async fn the_header_names_the_client_with_and_without_tls() {
    let server = behind("127.0.0.1/32", Limits::default()).await;
    let mut first = server.connect().await;
    send(&mut *first, &[HEADER, b"USER fred\r\nPASS secret\r\n"].concat()).await;
    assert!(read_lines(&mut *first, 3).await.ends_with(b"+OK 0 messages (0 octets)\r\n"));
    let mut second = server.connect_implicit().await;
    send(&mut *second, b"PROXY TCP6 2001:db8::1 2001:db8::2 7 995\r\n").await;
    let mut second = server.start_tls(second).await;
    send(&mut *second, b"USER fred\r\nPASS secret\r\n").await;
    let said = String::from_utf8(read_lines(&mut *second, 3).await).unwrap();
    assert!(said.contains("in use by a POP3 session from 192.0.2.1:4660"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_that_looks_after_the_server_is_served() {
    let server = behind("127.0.0.0/8", Limits::default()).await;
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stream = server.connect().await;
        send(&mut *stream, &[header, b"QUIT\r\n"].concat()).await;
        let said = read_lines(&mut *stream, 2).await;
        assert!(said.ends_with(b"+OK Goodbye\r\n"), "{}", header.escape_ascii());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_without_a_header_is_refused_without_a_word() {
    let server = behind("127.0.0.1/32", Limits::default()).await;
    for octets in [&b"QUIT\r\n        "[..], b"PROXY TCP4 x\r\n     ", &HEADER[1..]] {
        let mut stream = server.connect().await;
        send(&mut *stream, octets).await;
        assert_eq!(read_to_end(&mut *stream).await, b"", "{}", octets.escape_ascii());
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_not_the_proxy_is_refused_with_and_without_a_header() {
    let server = behind("192.0.2.0/24", Limits::default()).await;
    for octets in [HEADER, b"QUIT\r\n"] {
        let mut stream = server.connect().await;
        send(&mut *stream, octets).await;
        assert_eq!(read_to_end(&mut *stream).await, b"");
    }
    server.stop().await;
}

#[tokio::test]
async fn places_are_counted_by_the_address_in_the_header() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let server = behind("127.0.0.1/32", limits).await;
    let mut first = server.connect().await;
    send(&mut *first, HEADER).await;
    read_lines(&mut *first, 1).await;
    let mut second = server.connect().await;
    send(&mut *second, HEADER).await;
    let said = read_to_end(&mut *second).await;
    assert!(String::from_utf8_lossy(&said).contains("-ERR [SYS/TEMP] Too many"));
    let mut other = server.connect().await;
    send(&mut *other, b"PROXY TCP4 192.0.2.2 198.51.100.2 4660 110\r\nQUIT\r\n").await;
    assert!(read_to_end(&mut *other).await.ends_with(b"+OK Goodbye\r\n"));
    server.stop().await;
}
