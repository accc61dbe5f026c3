//! HTTP-01 (RFC 8555 section 8.3): says to whom it may concern what only we can know.
//!
//! In: connections, each with one request. Out: the answer to `GET
//! /.well-known/acme-challenge/TOKEN` while an order waits for it, 404 to everything else. A client
//! that is slow or says too much is closed; where there are too many, so is the oldest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// The answers there are at the moment. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Challenges {
    answers: Arc<Mutex<HashMap<String, String>>>,
}

impl Challenges {
    pub(crate) fn put(&self, token: String, answer: String) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(token, answer);
    }

    pub(crate) fn remove(&self, token: &str) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    /// Answers on `listener`. Never ends.
    pub async fn serve(self, listener: TcpListener) {
        let mut clients: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    clients.retain(|client| !client.is_finished());
                    // An authority says at once what it wants. Who says nothing must not keep it
                    // out, or the certificate would run out.
                    if clients.len() >= CONNECTIONS_MAX
                        && let Some(oldest) = clients.pop_front()
                    {
                        oldest.abort();
                    }
                    let challenges = self.clone();
                    let client = tokio::spawn(async move {
                        // Whoever is too slow has had enough time.
                        let _ = timeout(TIME, challenges.answer(stream)).await;
                    });
                    clients.push_back(client.abort_handle());
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection for HTTP-01");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut heard, mut octets) = (Vec::new(), [0; 1024]);
        while !heard.windows(4).any(|end| end == b"\r\n\r\n") && heard.len() < REQUEST_OCTETS_MAX {
            match stream.read(&mut octets).await? {
                0 => break,
                read => heard.extend_from_slice(octets.get(..read).unwrap_or_default()),
            }
        }
        let answer = self.find(&heard);
        let status = if answer.is_some() { "200 OK" } else { "404 Not Found" };
        let body = answer.unwrap_or_default();
        let head = "Content-Type: text/plain\r\nConnection: close\r\nContent-Length";
        let answer = format!("HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    fn find(&self, request: &[u8]) -> Option<String> {
        let line = request.split(|&octet| octet == b'\r').next()?;
        let path = std::str::from_utf8(line).ok()?.strip_prefix("GET ")?;
        let (path, _) = path.split_once(" HTTP/1.")?;
        let token = path.strip_prefix("/.well-known/acme-challenge/")?;
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

/// An authority looks from a handful of places.
const CONNECTIONS_MAX: usize = 32;
const REQUEST_OCTETS_MAX: usize = 8 * 1024;
const TIME: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_answer_is_there_while_an_order_waits_and_nothing_else_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let challenges = Challenges::default();
        challenges.put("token".to_owned(), "token.print".to_owned());
        let serving = tokio::spawn(challenges.clone().serve(listener));
        let good = b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let answer = ask(address, good).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("Content-Length: 11\r\n\r\ntoken.print"), "{answer}");
        for bad in [
            &b"GET /.well-known/acme-challenge/ HTTP/1.1\r\n\r\n"[..],
            b"GET /.well-known/acme-challenge/other HTTP/1.1\r\n\r\n",
            b"GET /.well-known/acme-challenge/token/../x HTTP/1.1\r\n\r\n",
            b"POST /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"",
        ] {
            let answer = ask(address, bad).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{}: {answer}", bad.escape_ascii());
        }
        challenges.remove("token");
        assert!(ask(address, good).await.starts_with("HTTP/1.1 404 "));
        serving.abort();
    }

    /// Goal: connections that say nothing do not keep the authority out. Method: twice as many as
    /// there are places, all of them open while it asks.
    #[tokio::test]
    async fn silent_clients_do_not_keep_the_authority_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let challenges = Challenges::default();
        challenges.put("token".to_owned(), "token.print".to_owned());
        let serving = tokio::spawn(challenges.serve(listener));
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX * 2 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let good = b"GET /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n";
        assert!(ask(address, good).await.starts_with("HTTP/1.1 200 OK\r\n"));
        drop(silent);
        serving.abort();
    }
}
