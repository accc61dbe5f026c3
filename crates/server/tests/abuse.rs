//! What clients do that mean no good, or mean nothing: the server stays bounded and others are
//! served.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use restante_maildrop::Owner;
use restante_server::Limits;

mod support;
use support::{Running, Setup, Stream, read_lines, read_to_end, send};

/// Goal: octets sent in the clear behind STLS must never be taken for commands inside TLS
/// (CVE-2011-0411). Method: every tail of one to some octets in the same segment, with and
/// without a line end; the server closes and says nothing more than the greeting, or +OK if the
/// tail came too late for it to see, and then the handshake cannot succeed.
#[tokio::test]
async fn s51_octets_behind_stls_close_the_connection() {
    let server = Running::start(Setup::default()).await;
    let injected = b"USER fred\r\nPASS secret\r\nSTAT\r\nQUIT\r\n";
    for len in 1..=injected.len() {
        let mut stream = server.connect().await;
        read_lines(&mut *stream, 1).await;
        send(&mut *stream, &[b"STLS\r\n", &injected[..len]].concat()).await;
        let said = read_to_end(&mut *stream).await;
        assert!(said.is_empty(), "{len}: {}", said.escape_ascii());
    }
    server.stop().await;
}

#[tokio::test]
async fn s12_a_second_login_is_in_use_and_the_first_unharmed() {
    let server = Running::start(Setup::default()).await;
    server.store.put(&Owner::new("fred").unwrap(), "a\n");
    let mut first = log_in(&server).await;
    let mut second = server.connect_tls().await;
    send(&mut *second, b"USER fred\r\nPASS secret\r\n").await;
    let said = read_lines(&mut *second, 3).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("-ERR [IN-USE] The maildrop is in use by a POP3 session from"), "{said}");
    send(&mut *first, b"RETR 1\r\n").await;
    assert_eq!(read_lines(&mut *first, 3).await, b"+OK 3 octets\r\na\r\n.\r\n");
    drop(first);
    // The lock goes with the connection; the server has to notice its end first.
    loop {
        send(&mut *second, b"USER fred\r\nPASS secret\r\n").await;
        if read_lines(&mut *second, 2).await.ends_with(b"octets)\r\n") {
            break;
        }
    }
    server.stop().await;
}

/// Goal: a maildrop that cannot be opened is told without details, leaves no lock behind, and
/// the client may try again on the same connection.
#[tokio::test]
async fn s13_a_maildrop_that_cannot_be_opened_is_not_locked() {
    let unopenable = Arc::new(AtomicBool::new(true));
    let setup = Setup { unopenable: Arc::clone(&unopenable), ..Setup::default() };
    let server = Running::start(setup).await;
    let mut stream = server.connect_tls().await;
    read_lines(&mut *stream, 1).await;
    for (broken, reply) in [
        (true, &b"+OK Send PASS\r\n-ERR [SYS/PERM] The maildrop cannot be opened\r\n"[..]),
        (false, b"+OK Send PASS\r\n+OK 0 messages (0 octets)\r\n"),
    ] {
        unopenable.store(broken, Ordering::Relaxed);
        send(&mut *stream, b"USER fred\r\nPASS secret\r\n").await;
        assert_eq!(
            read_lines(&mut *stream, 2).await.escape_ascii().to_string(),
            reply.escape_ascii().to_string()
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn s14_mail_that_arrives_is_seen_at_the_next_login() {
    let server = Running::start(Setup::default()).await;
    let fred = Owner::new("fred").unwrap();
    server.store.put(&fred, "a\n");
    let mut stream = log_in(&server).await;
    server.store.put(&fred, "b\n");
    send(&mut *stream, b"STAT\r\nRETR 2\r\nQUIT\r\n").await;
    let said = read_to_end(&mut *stream).await;
    assert!(said.starts_with(b"+OK 1 3\r\n-ERR No such message\r\n"), "{}", said.escape_ascii());
    let mut stream = log_in(&server).await;
    send(&mut *stream, b"STAT\r\n").await;
    assert_eq!(read_lines(&mut *stream, 1).await, b"+OK 2 6\r\n");
    server.stop().await;
}

#[tokio::test]
async fn s15_a_lost_connection_and_a_stop_delete_nothing() {
    let server = Running::start(Setup::default()).await;
    let fred = Owner::new("fred").unwrap();
    server.store.put(&fred, "a\n");
    let mut stream = log_in(&server).await;
    send(&mut *stream, b"DELE 1\r\n").await;
    read_lines(&mut *stream, 1).await;
    let store = server.store.clone();
    server.stop().await;
    assert_eq!(read_to_end(&mut *stream).await, b"");
    assert_eq!(store.messages(&fred).len(), 1);
}

/// Goal: a client that sends command after command and reads no reply must not fill the memory,
/// and must not keep others waiting. Method: more octets than the socket buffers hold.
#[tokio::test]
async fn s43_a_client_that_does_not_read_is_not_read_from() {
    let server = Running::start(Setup::default()).await;
    server.store.put(&Owner::new("fred").unwrap(), vec![b'x'; 1_000_000]);
    let mut deaf = log_in(&server).await;
    let flood = tokio::spawn(async move {
        // Blocks as soon as the buffers between the two are full, until the server stops.
        send(&mut *deaf, &b"RETR 1\r\n".repeat(8_000_000)).await;
        deaf
    });
    let mut other = server.connect_tls().await;
    send(&mut *other, b"CAPA\r\nQUIT\r\n").await;
    assert!(read_to_end(&mut *other).await.ends_with(b"+OK Goodbye\r\n"));
    assert!(!flood.is_finished(), "the server took 64 MB of commands from a deaf client");
    server.stop().await;
    flood.await.unwrap();
}

#[tokio::test]
async fn s43_100_000_pipelined_commands_are_all_answered() {
    let server = Running::start(Setup::default()).await;
    let stream = log_in(&server).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let writer = tokio::spawn(async move {
        let commands = [&b"NOOP\r\n".repeat(100_000)[..], b"QUIT\r\n"].concat();
        tokio::io::AsyncWriteExt::write_all(&mut write, &commands).await.unwrap();
        write
    });
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut read, &mut said).await.unwrap();
    writer.await.unwrap();
    assert_eq!(said.iter().filter(|&&octet| octet == b'\n').count(), 100_001);
    server.stop().await;
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Running::start(Setup { limits, ..Setup::default() }).await;
    let mut first = server.connect().await;
    read_lines(&mut *first, 1).await;
    let mut second = server.connect().await;
    let said = read_to_end(&mut *second).await;
    assert!(String::from_utf8_lossy(&said).contains("-ERR [SYS/TEMP] Too many"));
    server.stop().await;
}

#[tokio::test]
async fn s10_silence_ends_the_session_without_a_word() {
    let short = Duration::from_millis(1);
    for (login_time, idle_time) in [(short, short), (Duration::from_secs(60), short)] {
        let limits = Limits { login_time, idle_time, ..Limits::default() };
        let server = Running::start(Setup { limits, allow_cleartext: true, ..Setup::default() });
        let server = server.await;
        let fred = Owner::new("fred").unwrap();
        server.store.put(&fred, "a\n");
        let mut stream = server.connect().await;
        if login_time > short {
            send(&mut *stream, b"USER fred\r\nPASS secret\r\nDELE 1\r\n").await;
        }
        let said = read_to_end(&mut *stream).await;
        assert!(!said.windows(4).any(|window| window == b"-ERR"), "{}", said.escape_ascii());
        assert_eq!(server.store.messages(&fred).len(), 1);
        server.stop().await;
    }
}

async fn log_in(server: &Running) -> Box<dyn Stream> {
    let mut stream = server.connect_tls().await;
    send(&mut *stream, b"USER fred\r\nPASS secret\r\n").await;
    read_lines(&mut *stream, 3).await;
    stream
}
