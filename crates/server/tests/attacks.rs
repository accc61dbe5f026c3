//! Attacks on the line itself, of docs/attacks.md.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;
use support::{Running, Setup, read_lines, read_to_end, send};

/// Goal: nothing that was said in the clear is taken for something said inside TLS, whatever
/// stands behind STLS. Method: every tail of 1 to 64 octets in the same segment, each without a
/// line end, with one, and made of line ends alone; the server closes without a word.
#[tokio::test]
async fn r01_every_tail_behind_stls_closes_the_connection() {
    let server = Running::start(Setup::default()).await;
    for len in 1..=64 {
        let text =
            &b"USER fred\r\nPASS secret\r\nSTAT\r\nNOOP NOOP NOOP NOOP NOOP NOOP NOOP"[..len];
        let tails = [
            text.to_vec(),
            [&text[..len - 1], b"\n"].concat(),
            vec![b'x'; len],
            b"\r\n".repeat(len),
        ];
        for tail in tails {
            let mut stream = server.connect().await;
            read_lines(&mut *stream, 1).await;
            send(&mut *stream, &[b"STLS\r\n", &tail[..]].concat()).await;
            let said = read_to_end(&mut *stream).await;
            assert!(said.is_empty(), "{}: {}", tail.escape_ascii(), said.escape_ascii());
        }
    }
    server.stop().await;
}

/// Goal: octets that come in the clear behind the +OK of STLS, in a segment of their own, end the
/// handshake; and STLS with an argument is no STLS.
#[tokio::test]
async fn r01_octets_in_place_of_a_handshake_end_it() {
    let server = Running::start(Setup::default()).await;
    for octets in [&b"CAPA\r\n"[..], b"\r\n", b"x", b"USER fred\r\nPASS secret\r\nSTAT\r\n"] {
        let mut stream = server.connect().await;
        read_lines(&mut *stream, 1).await;
        send(&mut *stream, b"STLS\r\n").await;
        assert!(read_lines(&mut *stream, 1).await.starts_with(b"+OK"));
        send(&mut *stream, octets).await;
        drop(tokio::io::AsyncWriteExt::shutdown(&mut stream).await);
        let said = read_to_end(&mut *stream).await;
        // An alert at most, never a reply.
        assert!(said.first().is_none_or(|first| *first == 0x15), "{}", said.escape_ascii());
    }
    let mut stream = server.connect().await;
    read_lines(&mut *stream, 1).await;
    send(&mut *stream, b"STLS now\r\nQUIT\r\n").await;
    assert!(read_to_end(&mut *stream).await.starts_with(b"-ERR"));
    server.stop().await;
}

/// Goal: a name given before TLS is not known inside it.
#[tokio::test]
async fn r01_nothing_learnt_before_tls_survives_it() {
    let server = Running::start(Setup { allow_cleartext: true, ..Setup::default() }).await;
    let mut stream = server.connect().await;
    read_lines(&mut *stream, 1).await;
    send(&mut *stream, b"USER fred\r\n").await;
    read_lines(&mut *stream, 1).await;
    send(&mut *stream, b"STLS\r\n").await;
    read_lines(&mut *stream, 1).await;
    let mut stream = server.start_tls(stream).await;
    send(&mut *stream, b"PASS secret\r\nSTAT\r\nQUIT\r\n").await;
    let said = read_to_end(&mut *stream).await;
    assert_eq!(
        said.windows(4).filter(|window| window == b"-ERR").count(),
        2,
        "{}",
        said.escape_ascii()
    );
    server.stop().await;
}
