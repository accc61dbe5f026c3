//! An issuer on loopback that answers as a test tells it to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use restante_http::Client;

/// What it says to everybody: a status and a body; without one it hangs up.
type Answer = Option<(u16, String)>;

/// The issuer. Its thread ends with the process.
pub(super) struct Double {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Double {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let double = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::default(),
            asked: Arc::default(),
        };
        let (answer, asked) = (Arc::clone(&double.answer), Arc::clone(&double.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &answer, &asked);
            }
        });
        double
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/issuer", self.address)
    }

    pub(super) fn say(&self, status: u16, body: impl Into<String>) {
        *self.answer.lock().unwrap() = Some((status, body.into()));
    }

    pub(super) fn hang_up(&self) {
        *self.answer.lock().unwrap() = None;
    }

    /// The requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A client that trusts nobody: it is to stay on loopback.
pub(super) fn client() -> Client {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Client::new(Some(made.cert.pem().as_bytes()), Duration::from_secs(300)).unwrap()
}

fn serve(mut stream: TcpStream, answer: &Mutex<Answer>, asked: &Mutex<Vec<String>>) {
    let (mut heard, mut octets) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut octets).unwrap_or_default();
        heard.push_str(str::from_utf8(&octets[..read]).unwrap());
        let lower = heard.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let body = heard.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if read == 0 || body.is_some_and(|body| body >= length) {
            break;
        }
    }
    asked.lock().unwrap().push(heard);
    if let Some((status, body)) = &*answer.lock().unwrap() {
        let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: ");
        // A client that has gone is no fault of the issuer's.
        let _ = write!(stream, "{head}{}\r\n\r\n{body}", body.len());
    }
}
