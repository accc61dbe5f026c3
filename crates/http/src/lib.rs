//! A small HTTP client: one request at a time, bounded, over verified TLS.
//!
//! In: a request with its whole body. Out: the answer with its whole body, whatever its status, or
//! an [`HttpError`]. Redirections are answers, not followed; proxies of the environment are not
//! used; an address in clear text is taken on this machine alone. Time, the size of an answer and
//! the number of requests under way have their limits.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

pub use http::{Method, Request, Response, StatusCode, Uri, header};

/// A client; cheap to clone, and its clones share its limits.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    places: Arc<Semaphore>,
    time: Duration,
}

impl Client {
    /// Trusts the authorities in `ca` (PEM) alone, or, without it, those of this system. `time` is
    /// for a whole request.
    ///
    /// # Errors
    /// [`HttpError::Authorities`] when there are none.
    pub fn new(ca: Option<&[u8]>, time: Duration) -> Result<Self, HttpError> {
        let roots = match ca {
            Some(pem) => CertificateDer::pem_slice_iter(pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| HttpError::Authorities(error.to_string()))?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        if roots.is_empty() {
            return Err(HttpError::Authorities("there are none".to_owned()));
        }
        let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(time))
            .user_agent(USER_AGENT)
            .build()
            .new_agent();
        Ok(Self { agent, places: Arc::new(Semaphore::new(REQUESTS_MAX)), time })
    }

    /// Sends a request and waits for the whole answer. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`HttpError`]; a status that says so is none.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        check_address(&request.uri().to_string())?;
        let answer = timeout(self.time, async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let agent = self.agent.clone();
            spawn_blocking(move || {
                let _place = place;
                exchange(&agent, request)
            })
            .await
        });
        match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panicked)) => Err(HttpError::Failed(Box::new(panicked))),
            Err(_) => Err(HttpError::Timeout),
        }
    }
}

fn exchange(agent: &Agent, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    let answer = if has_body { agent.run(request) } else { agent.run(request.map(|_| ())) };
    let (parts, mut body) = answer.map_err(HttpError::of)?.into_parts();
    let body = body.with_config().limit(ANSWER_OCTETS_MAX).read_to_vec();
    Ok(Response::from_parts(parts, body.map_err(HttpError::of)?))
}

/// Whether requests may go to `address`.
///
/// # Errors
/// [`HttpError::Address`] unless it is `https:`, or `http:` on this machine.
pub fn check_address(address: &str) -> Result<(), HttpError> {
    let wrong = || HttpError::Address(address.to_owned());
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    let bare = host.trim_matches(['[', ']']);
    let is_here = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    // A name or a password in an address would end up in logs.
    let has_secret = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        _ if has_secret => Err(wrong()),
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        _ => Err(wrong()),
    }
}

/// A request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be used.
    #[error("`{0}` is not an address that begins with https:// (http:// only on this machine)")]
    Address(String),
    /// There is nothing to check a server's certificate against.
    #[error("no certificate authorities to trust: {0}")]
    Authorities(String),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// There was no connection, no trust, or no whole answer.
    #[error("{0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl HttpError {
    fn of(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout,
            other => Self::Failed(Box::new(other)),
        }
    }
}

/// Requests under way at once; one more waits.
const REQUESTS_MAX: usize = 16;
/// Sets of keys and certificates have some kilobytes.
const ANSWER_OCTETS_MAX: u64 = 1024 * 1024;
const USER_AGENT: &str = concat!("restante/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(300);

    fn client(time: Duration) -> Client {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Client::new(Some(made.cert.pem().as_bytes()), time).unwrap()
    }

    /// A server that hears one request and says `answer`; nothing at all if that is empty.
    fn server(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut heard, mut octets) = (Vec::new(), [0; 1024]);
            loop {
                let read = stream.read(&mut octets).unwrap_or_default();
                heard.extend_from_slice(&octets[..read]);
                if read == 0 {
                    break;
                }
                if !answer.is_empty() && heard.ends_with(b"\r\n\r\n") {
                    // The client may have heard enough.
                    let _ = stream.write_all(&answer);
                    break;
                }
            }
            String::from_utf8(heard).unwrap()
        });
        (address, thread)
    }

    async fn fetch(address: SocketAddr, time: Duration) -> Result<Response<Vec<u8>>, HttpError> {
        let request = Request::get(format!("http://{address}/keys")).body(Vec::new()).unwrap();
        client(time).send(request).await
    }

    #[tokio::test]
    async fn an_answer_is_an_answer_whatever_its_status_and_nothing_is_followed() {
        let answer = "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 2\r\n\r\nhi";
        let (address, heard) = server(answer.into());
        let answer = fetch(address, PATIENCE).await.unwrap();
        assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::FOUND, &b"hi"[..]));
        assert!(heard.join().unwrap().starts_with("GET /keys HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_an_error() {
        let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        answer.resize(answer.len() + 2 * 1024 * 1024, b'x');
        let (address, _) = server(answer);
        assert!(matches!(fetch(address, PATIENCE).await, Err(HttpError::Failed(_))));
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi";
        let (address, _) = server(cut.into());
        assert!(matches!(fetch(address, PATIENCE).await, Err(HttpError::Failed(_))));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_and_one_that_is_not_there_are_errors() {
        let (address, heard) = server(Vec::new());
        let answer = fetch(address, Duration::from_millis(50)).await;
        assert!(matches!(answer, Err(HttpError::Timeout)));
        heard.join().unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(fetch(nobody, PATIENCE).await, Err(HttpError::Failed(_))));
    }

    /// A server with a certificate of its own, in PEM; it says nothing before the handshake.
    fn tls_server() -> (SocketAddr, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let (stream, _) = listener.accept().unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut octets = [0; 4096];
            if stream.read(&mut octets).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            }
        });
        (address, made.cert.pem())
    }

    #[tokio::test]
    async fn a_server_that_is_not_trusted_or_not_the_one_is_not_spoken_to() {
        for (host, trusted, good) in
            [("localhost", true, true), ("localhost", false, false), ("127.0.0.1", true, false)]
        {
            let (address, pem) = tls_server();
            let client = match trusted {
                true => Client::new(Some(pem.as_bytes()), PATIENCE).unwrap(),
                false => client(PATIENCE),
            };
            let url = format!("https://{host}:{}/", address.port());
            let answer = client.send(Request::get(url).body(Vec::new()).unwrap()).await;
            assert_eq!(answer.is_ok(), good, "{host} {trusted}: {answer:?}");
        }
    }

    #[test]
    fn what_is_in_clear_text_stays_on_this_machine() {
        for good in
            ["https://a.example/x", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost"]
        {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "http://localhost.a.example/",
            "http://10.0.0.1/",
            "https://u:p@a.example/",
            "ftp://a.example/",
            "a.example",
            "/x",
            "",
        ] {
            assert!(matches!(check_address(bad), Err(HttpError::Address(_))), "{bad}");
        }
        assert!(matches!(Client::new(Some(b"x"), PATIENCE), Err(HttpError::Authorities(_))));
    }
}
