//! A server that follows a script.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Authority;

/// What a scripted server does next.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Sends these octets.
    Send(&'static [u8]),
    /// Reads a line and compares it.
    Expect(&'static str),
    /// Reads a line and compares its beginning.
    ExpectStart(&'static str),
    /// Lets so many seconds of a paused clock pass.
    Wait(u64),
    /// Begins TLS.
    Tls,
    /// Says nothing more, and keeps the connection open.
    Stall,
}

/// Everything a client sent before TLS, or without it.
pub type Cleartext = Vec<u8>;

/// A connection to a client.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Starts a server at the other end of a pipe in memory; see [`follow`].
#[must_use]
pub fn serve(
    script: Vec<Act>,
    authority: Option<Authority>,
) -> (DuplexStream, JoinHandle<Cleartext>) {
    let (client, server) = duplex(1 << 16);
    (client, tokio::spawn(async move { follow(server, script, authority.as_ref()).await }))
}

/// Follows `script` and, at its end, closes and returns what the client sent in the clear.
/// Where the script has TLS, the certificate is the authority's.
pub async fn follow(
    stream: impl Stream + 'static,
    script: Vec<Act>,
    authority: Option<&Authority>,
) -> Cleartext {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let (mut cleartext, mut encrypted) = (Vec::new(), false);
    for act in script {
        match act {
            Act::Send(octets) => {
                if stream.write_all(octets).await.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
            Act::Expect(line) => {
                let read = line_of(&mut stream).await;
                if !encrypted {
                    cleartext.extend_from_slice(&read);
                }
                assert_eq!(String::from_utf8(read).unwrap(), format!("{line}\r\n"));
            }
            Act::ExpectStart(start) => {
                let read = line_of(&mut stream).await;
                if !encrypted {
                    cleartext.extend_from_slice(&read);
                }
                let read = String::from_utf8(read).unwrap();
                assert!(read.starts_with(start), "{read:?} does not begin with {start:?}");
            }
            Act::Tls => {
                let acceptor = authority.unwrap().acceptor();
                match acceptor.accept(stream).await {
                    Ok(tls) => stream = Box::new(tls),
                    Err(_) => return cleartext,
                }
                encrypted = true;
            }
            Act::Wait(seconds) => pass(Duration::from_secs(seconds)).await,
            Act::Stall => std::future::pending().await,
        }
    }
    let mut rest = Vec::new();
    // TLS 1.3 clients say goodbye; whatever comes in the clear counts.
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut rest).await;
    if !encrypted {
        cleartext.extend_from_slice(&rest);
    }
    cleartext
}

/// Lets time pass, at once where the clock is paused.
pub(crate) async fn pass(time: Duration) {
    if !time.is_zero() {
        let _ = timeout(time, std::future::pending::<()>()).await;
    }
}

/// A line, or what there is of it when the client has gone.
async fn line_of(stream: &mut (impl Stream + ?Sized)) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n") {
        match stream.read_u8().await {
            Ok(octet) => read.push(octet),
            Err(_) => break,
        }
    }
    read
}
