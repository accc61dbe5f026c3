//! The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a proxy says before
//! anything else whose connection it passes on.
//!
//! In: the first octets of a connection. Out: the client's address, or nothing when the proxy
//! speaks for itself (`LOCAL`, `UNKNOWN`) or for a client without an address. Not one octet behind
//! the header is read; what follows is the client's, TLS or not. A header that is none, too long
//! or too slow is an error, and the connection is of no use.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Why there is no header to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("there is no PROXY header")]
    Missing,
    #[error("the PROXY header is malformed")]
    Malformed,
    #[error("the PROXY header is too long")]
    TooLong,
    #[error("the PROXY header did not come in time")]
    TooSlow,
    #[error(transparent)]
    Lost(#[from] io::Error),
}

/// Reads the header and says whose connection it is.
pub(crate) async fn client<S>(stream: &mut S) -> Result<Option<SocketAddr>, ProxyError>
where
    S: AsyncRead + Unpin,
{
    let header = timeout(HEADER_TIME, read(stream)).await.map_err(|_| ProxyError::TooSlow)??;
    if header.starts_with(v2::PROTOCOL_PREFIX) { binary(&header) } else { text(&header) }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, ProxyError> {
    let mut header = Vec::new();
    loop {
        let missing = missing(&header)?;
        if missing == 0 {
            return Ok(header);
        }
        // Room for no more than that, so that nothing of the client's is read.
        let limit = missing as u64;
        if (&mut *stream).take(limit).read_buf(&mut header).await? == 0 {
            return Err(ProxyError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// How many octets are missing at least: that many can be read without reading too many.
fn missing(header: &[u8]) -> Result<usize, ProxyError> {
    let begins = |prefix: &[u8]| {
        let len = header.len().min(prefix.len());
        header.get(..len) == prefix.get(..len)
    };
    if begins(v2::PROTOCOL_PREFIX) {
        let Some(&[high, low]) = header.get(14..16) else {
            // What has not begun may become a header of version 1.
            let fixed = if header.is_empty() { TEXT_OCTETS_MIN } else { 16 };
            return Ok(fixed - header.len());
        };
        let len = 16 + usize::from(u16::from_be_bytes([high, low]));
        return if len <= OCTETS_MAX { Ok(len - header.len()) } else { Err(ProxyError::TooLong) };
    }
    if !begins(TEXT_PREFIX) {
        return Err(ProxyError::Missing);
    }
    match header {
        [.., b'\r', b'\n'] => Ok(0),
        _ if header.len() >= TEXT_OCTETS_MAX => Err(ProxyError::TooLong),
        _ if header.contains(&b'\n') => Err(ProxyError::Malformed),
        [.., b'\r'] => Ok(1),
        _ => Ok(TEXT_OCTETS_MIN.saturating_sub(header.len()).max(2)),
    }
}

/// proxy = "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port CRLF
///       / "PROXY UNKNOWN" ... CRLF
fn text(header: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let header = v1::Header::try_from(header).map_err(|_| ProxyError::Malformed)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

fn binary(header: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let header = v2::Header::try_from(header).map_err(|_| ProxyError::Malformed)?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    })
}

const TEXT_PREFIX: &[u8] = b"PROXY ";
/// `PROXY UNKNOWN` has 15 with its line end; as many as the signature of version 2 will do.
const TEXT_OCTETS_MIN: usize = 12;
/// The longest line of version 1, by its document.
const TEXT_OCTETS_MAX: usize = 107;
/// What every receiver has to take, by the same document; no proxy sends more.
const OCTETS_MAX: usize = 536;
/// A proxy sends the header with the connection.
const HEADER_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &len, payload].concat()
    }

    /// What comes of a header that arrives in these pieces, or in smaller ones of this size, and what is left behind it.
    async fn receive(
        pieces: &[&[u8]],
        at_once: usize,
    ) -> (Result<Option<SocketAddr>, String>, Vec<u8>) {
        let (mut proxy, mut server) = tokio::io::duplex(at_once);
        let send = async {
            for piece in pieces {
                // The server may be gone: it has read enough.
                let _ = proxy.write_all(piece).await;
            }
            drop(proxy);
        };
        let take = async {
            let result = client(&mut server).await;
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).await.unwrap();
            (result.map_err(|error| error.to_string()), rest)
        };
        tokio::join!(send, take).1
    }

    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0, 110];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 1;
        v6[32..34].copy_from_slice(&[0, 7]);
        let tlv = [&v4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let full = [&v4[..], &[0x04, 0x01, 0xf9], &[0; 505]].concat();
        vec![
            (b"PROXY TCP4 192.0.2.1 198.51.100.2 4660 110\r\n".into(), Some("192.0.2.1:4660")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 7 110\r\n".into(), Some("[2001:db8::1]:7")),
            (b"PROXY UNKNOWN\r\n".into(), None),
            (b"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n".into(), None),
            (v2(1, 0x11, &v4), Some("192.0.2.1:4660")),
            (v2(1, 0x21, &v6), Some("[2001:db8::1]:7")),
            (v2(1, 0x11, &tlv), Some("192.0.2.1:4660")),
            (v2(1, 0x11, &full), Some("192.0.2.1:4660")),
            (v2(0, 0x00, &[]), None),
            (v2(0, 0x11, &v4), None),
            (v2(1, 0x00, &[]), None),
            (v2(1, 0x31, &[0; 216]), None),
        ]
    }

    #[tokio::test]
    async fn a_header_is_read_in_every_chunking_and_nothing_behind_it() {
        let behind = b"\r\nQUIT\r\n\x16\x03";
        for (header, address) in good() {
            let expected = address.map(|address| address.parse().unwrap());
            let all = [&header[..], behind].concat();
            for cut in 0..=header.len() {
                for at_once in [1, 2, 7, 4096] {
                    let (said, rest) = receive(&[&all[..cut], &all[cut..]], at_once).await;
                    assert_eq!(said, Ok(expected), "{}", header.escape_ascii());
                    assert_eq!(rest, behind, "{} at {cut}", header.escape_ascii());
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for (octets, error) in [
            (&b"USER fred\r\n"[..], "there is no PROXY header"),
            (b"PROXYTCP4 \r\n", "there is no PROXY header"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "there is no PROXY header"),
            (b"\r\n\r\n\0\r\nQUIX\n", "there is no PROXY header"),
            (b"PROXY x\r\nUSER fred\r\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 x\r\nUSER fred\r\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 1.2.3.4\r\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 2001:db8::1 2001:db8::2 7 110\r\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "the PROXY header is malformed"),
            (b"PROXY TCP4 1.2.3.4\r\xc3\xa9\r\n", "the PROXY header is malformed"),
            (&[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "the PROXY header is too long"),
            (&v2(1, 0x11, &[0; 521]), "the PROXY header is too long"),
            (&v2(1, 0x11, &[0; 11]), "the PROXY header is malformed"),
            (&v2(2, 0x11, &[0; 12]), "the PROXY header is malformed"),
            (b"PROXY TCP4 1.2", "unexpected end of file"),
            (b"", "unexpected end of file"),
        ] {
            let (said, _) = receive(&[octets], 4096).await;
            assert_eq!(said, Err(error.to_owned()), "{}", octets.escape_ascii());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_trickles_in_is_refused_in_time() {
        let (mut proxy, mut server) = tokio::io::duplex(64);
        proxy.write_all(b"PROXY TCP4 1.2.3.4").await.unwrap();
        let error = client(&mut server).await.unwrap_err();
        assert_eq!(error.to_string(), "the PROXY header did not come in time");
    }

    proptest! {
        #[test]
        fn any_octets_are_a_header_or_an_error_and_never_more_than_the_cap(
            head in prop_oneof![
                Just(v2::PROTOCOL_PREFIX.to_vec()),
                Just(b"PROXY TCP4 ".to_vec()),
                Just(b"PROXY UNKNOWN".to_vec()),
                Just(Vec::new()),
            ],
            tail in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let octets = [head, tail].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let mut rest = octets.as_slice();
            let _ = runtime.unwrap().block_on(client(&mut rest));
            prop_assert!(octets.len() - rest.len() <= OCTETS_MAX);
        }
    }
}
