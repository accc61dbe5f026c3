//! A connection that sends what it is told, octet for octet, and takes what comes.
//!
//! In: octets to send. Out: lines with their line ends, as they came. A reply that does not come
//! within the patience, or an end of the connection in its place, breaks the rule that waits for
//! it. Everything goes into the transcript.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::fault::{Fault, Outcome};
use crate::transcript::{Log, shorten};

/// One connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// What came and was not asked for yet.
    unread: Vec<u8>,
    log: Log,
    number: u32,
    patience: Duration,
}

#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The first line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    line: Vec<u8>,
}

/// How the server ended the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// What it said before.
    pub(crate) said: Vec<u8>,
    /// Whether it announced the end within TLS (close_notify); always so without TLS.
    pub(crate) announced: bool,
}

/// A handshake that failed.
#[derive(Debug)]
pub(crate) struct HandshakeError {
    /// Whether only the certificate is at fault.
    pub(crate) is_certificate: bool,
    pub(crate) why: String,
}

impl Connection {
    /// Connects, without TLS and without reading anything.
    pub(crate) fn open(
        addresses: &[SocketAddr],
        log: Log,
        number: u32,
        patience: Duration,
    ) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(address, patience) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(Some(patience))?;
                    stream.set_read_timeout(Some(patience))?;
                    let stream = Stream::Clear(stream);
                    return Ok(Self { stream, unread: Vec::new(), log, number, patience });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Starts TLS.
    pub(crate) fn handshake(
        self,
        config: Arc<ClientConfig>,
        host: &str,
    ) -> Result<Self, HandshakeError> {
        let failed = |why: String| HandshakeError { is_certificate: false, why };
        let Stream::Clear(mut socket) = self.stream else {
            return Err(failed("TLS is up already".into()));
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed(format!("{host:?} cannot be a server's name")))?;
        let mut tls =
            ClientConnection::new(config, name).map_err(|error| failed(error.to_string()))?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut socket) {
                let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
                let is_certificate = matches!(cause, Some(rustls::Error::InvalidCertificate(_)));
                self.log.borrow_mut().remark(self.number, "the TLS handshake fails");
                return Err(HandshakeError { is_certificate, why: explain(&error) });
            }
        }
        let version = match tls.protocol_version() {
            Some(version) => format!("TLS is up ({version:?})"),
            None => "TLS is up".to_owned(),
        };
        self.log.borrow_mut().remark(self.number, &version);
        let stream = Stream::Tls(Box::new(StreamOwned::new(tls, socket)));
        // What came before TLS and was not read is nobody's any more.
        Ok(Self { stream, unread: Vec::new(), ..self })
    }

    /// Sends octets.
    pub(crate) fn send(&mut self, octets: &[u8]) -> Outcome {
        self.log.borrow_mut().note(self.number, 'C', octets);
        self.write(octets)
    }

    /// Sends a line of which the transcript shows something else.
    pub(crate) fn send_secret(&mut self, line: &[u8], shown: &str) -> Outcome {
        self.log.borrow_mut().note(self.number, 'C', format!("{shown}\r\n").as_bytes());
        self.write(&[line, b"\r\n"].concat())
    }

    fn write(&mut self, octets: &[u8]) -> Outcome {
        let sent = match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(octets),
            Stream::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        };
        sent.map_err(|error| self.lost(&error, "the server takes nothing more"))
    }

    /// Sends a line.
    pub(crate) fn send_line(&mut self, line: &str) -> Outcome {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends a command and reads the first line of its reply.
    pub(crate) fn ask(&mut self, command: &str) -> Outcome<Reply> {
        self.send_line(command)?;
        self.reply()
    }

    /// Sends a command that must be answered `+OK`.
    pub(crate) fn ok(&mut self, command: &str) -> Outcome<Reply> {
        let reply = self.ask(command)?;
        ensure!(reply.is_ok(), "{command} is answered {reply}");
        Ok(reply)
    }

    /// Sends a command that must be refused.
    pub(crate) fn refused(&mut self, command: &str) -> Outcome<Reply> {
        let reply = self.ask(command)?;
        ensure!(reply.is_err(), "{command} is answered {reply}");
        Ok(reply)
    }

    /// Sends a command that must be answered by several lines; returns those between the first
    /// and the last, with their line ends and still stuffed.
    pub(crate) fn listing(&mut self, command: &str) -> Outcome<Vec<Vec<u8>>> {
        self.ok(command)?;
        self.lines()
    }

    /// The first line of the next reply.
    pub(crate) fn reply(&mut self) -> Outcome<Reply> {
        Ok(Reply { line: self.line()? })
    }

    /// The lines that follow a first line, up to the terminator.
    pub(crate) fn lines(&mut self) -> Outcome<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        let mut octets = 0_usize;
        loop {
            let line = self.line()?;
            match line.as_slice() {
                b".\r\n" => return Ok(lines),
                b".\n" => return Err(Fault::Broken("the last line ends with LF alone".into())),
                _ => {}
            }
            octets = octets.saturating_add(line.len());
            need!(octets <= REPLY_OCTETS_MAX, "a reply has more than {REPLY_OCTETS_MAX} octets");
            lines.push(line);
        }
    }

    /// The next line, with its line end.
    pub(crate) fn line(&mut self) -> Outcome<Vec<u8>> {
        let mut searched = 0;
        loop {
            let fresh = self.unread.get(searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|octet| *octet == b'\n') {
                let rest = self.unread.split_off(searched.saturating_add(end).saturating_add(1));
                let line = std::mem::replace(&mut self.unread, rest);
                self.log.borrow_mut().note(self.number, 'S', &line);
                return Ok(line);
            }
            searched = self.unread.len();
            ensure!(searched <= LINE_OCTETS_MAX, "a line has more than {LINE_OCTETS_MAX} octets");
            match self.read() {
                Ok(0) => return Err(self.ended("the server ended the connection")),
                Ok(_) => {}
                Err(error) => {
                    return Err(self.lost(&error, "the server ended the connection"));
                }
            }
        }
    }

    /// The first octets of what comes, fewer if the server ends the connection before.
    pub(crate) fn octets(&mut self, count: usize) -> Outcome<Vec<u8>> {
        while self.unread.len() < count {
            match self.read() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(self.lost(&error, "the connection breaks")),
            }
        }
        let octets = std::mem::take(&mut self.unread);
        self.log.borrow_mut().remark(self.number, &format!("{} octets come", octets.len()));
        Ok(octets)
    }

    /// What comes within a short time though nobody asked.
    pub(crate) fn unasked(&mut self) -> Outcome<Vec<u8>> {
        self.set_patience(UNASKED);
        let read = if self.unread.is_empty() { self.read() } else { Ok(0) };
        self.set_patience(self.patience);
        match read {
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(self.lost(&error, "the server ended the connection")),
        }
        let unread = std::mem::take(&mut self.unread);
        self.log.borrow_mut().note(self.number, 'S', &unread);
        Ok(unread)
    }

    /// Reads to the end of the connection, which the server makes.
    pub(crate) fn end(&mut self) -> Outcome<End> {
        let announced = loop {
            ensure!(self.unread.len() <= REPLY_OCTETS_MAX, "the server does not stop to speak");
            match self.read() {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break false,
                // What was sent and not read makes an end a reset.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break false,
                Err(error) => return Err(self.lost(&error, "the connection breaks")),
            }
        };
        let said = std::mem::take(&mut self.unread);
        let mut log = self.log.borrow_mut();
        log.note(self.number, 'S', &said);
        log.remark(self.number, "the server ends the connection");
        Ok(End { said, announced })
    }

    /// Reads what there is: 0 at the end of the connection.
    fn read(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream.read(&mut piece)?,
            Stream::Tls(stream) => stream.read(&mut piece)?,
        };
        self.unread.extend_from_slice(piece.get(..read).unwrap_or_default());
        Ok(read)
    }

    fn set_patience(&self, patience: Duration) {
        let socket = match &self.stream {
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
        };
        // It was set once already and cannot fail for another length.
        let _ = socket.set_read_timeout(Some(patience));
    }

    fn ended(&mut self, what: &str) -> Fault {
        let unread = std::mem::take(&mut self.unread);
        let mut log = self.log.borrow_mut();
        log.note(self.number, 'S', &unread);
        log.remark(self.number, "the server ends the connection");
        Fault::Broken(what.to_owned())
    }

    fn lost(&mut self, error: &io::Error, what: &str) -> Fault {
        if is_timeout(error) {
            let seconds = self.patience.as_secs();
            self.log.borrow_mut().remark(self.number, "nothing comes");
            return Fault::Broken(format!("no reply within {seconds} seconds"));
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => self.ended(what),
            _ => Fault::Broken(format!("{what}: {}", explain(error))),
        }
    }
}

impl Reply {
    /// Whether the line begins as a positive reply does.
    pub(crate) fn is_ok(&self) -> bool {
        self.begins(b"+OK")
    }

    /// Whether the line begins as a negative reply does.
    pub(crate) fn is_err(&self) -> bool {
        self.begins(b"-ERR")
    }

    fn begins(&self, indicator: &[u8]) -> bool {
        let rest = self.line.strip_prefix(indicator);
        rest.is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\r' | b'\n')))
    }

    /// The line as it came.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.line
    }

    /// The line without its end, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(trim(&self.line)).into_owned()
    }

    /// What stands behind the indicator and one space.
    pub(crate) fn rest(&self) -> String {
        let text = self.text();
        text.split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
    }

    /// The response code, in upper case and without its brackets.
    pub(crate) fn code(&self) -> Option<String> {
        let rest = self.rest();
        let (code, _) = rest.strip_prefix('[')?.split_once(']')?;
        Some(code.to_ascii_uppercase())
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", shorten(trim(&self.line)))
    }
}

/// A line without its end.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn explain(error: &io::Error) -> String {
    if is_timeout(error) { "no answer in time".to_owned() } else { error.to_string() }
}

const LINE_OCTETS_MAX: usize = 64 * 1024;
const REPLY_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// How long silence is waited for.
const UNASKED: Duration = Duration::from_millis(500);
