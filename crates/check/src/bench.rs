//! What the rules stand on: connections in the states they need, one session that they share, and
//! what was learnt about the server.
//!
//! Logins are the scarce thing: servers count them, delay them and lock the maildrop. So rules
//! that leave a session in step hand it on, and a refusal that says "later" is waited for.

use std::cell::RefCell;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use restante_proto::{Secret, sasl};
use rustls::ClientConfig;

use crate::connection::{Connection, HandshakeError, Reply, trim};
use crate::fault::{Fault, Outcome};
use crate::transcript::{Log, Transcript};
use crate::{Encryption, Target};

/// The server, and what the rules need to speak to it.
pub(crate) struct Bench {
    target: Target,
    tls: Arc<ClientConfig>,
    addresses: Vec<SocketAddr>,
    log: Log,
    connections: u32,
    session: Option<Connection>,
    greeting: String,
    capabilities: Option<Vec<String>>,
    logged_in_once: bool,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Bench {
    /// Connects once and asks what the server can do.
    pub(crate) fn new(target: Target, tls: Arc<ClientConfig>) -> Outcome<Self> {
        let secrets = Transcript::new(secrets(&target));
        let addresses = (target.host.as_str(), target.port)
            .to_socket_addrs()
            .map_err(|error| Fault::Untestable(error.to_string()))?
            .collect();
        let mut bench = Self {
            target,
            tls,
            addresses,
            log: Rc::new(RefCell::new(secrets)),
            connections: 0,
            session: None,
            greeting: String::new(),
            capabilities: None,
            logged_in_once: false,
        };
        let (mut connection, greeting) = bench.greeted()?;
        bench.greeting = greeting.text();
        if connection.ask("CAPA")?.is_ok() {
            bench.capabilities = Some(capabilities(&connection.lines()?));
        }
        // A server that closes on what it does not know has nothing to say to QUIT.
        let _ = connection.ask("QUIT");
        Ok(bench)
    }

    /// A new rule begins.
    pub(crate) fn begin(&mut self) {
        self.log.borrow_mut().clear();
    }

    /// What was said since the rule began.
    pub(crate) fn transcript(&self) -> Vec<String> {
        self.log.borrow().lines()
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// The first greeting.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// What `CAPA` announces before the login, behind `STLS` where that is used.
    pub(crate) fn capabilities(&self) -> Option<&[String]> {
        self.capabilities.as_deref()
    }

    /// The arguments of a capability that is announced before the login.
    pub(crate) fn capability(&self, tag: &str) -> Option<String> {
        find(self.capabilities()?, tag)
    }

    /// The arguments of a capability without which there is nothing to look for.
    pub(crate) fn announced(&self, tag: &str) -> Outcome<String> {
        self.capability(tag).ok_or_else(|| Fault::Untestable(format!("no {tag} is announced")))
    }

    /// Whether the server announces response codes.
    pub(crate) fn has_codes(&self) -> bool {
        self.capability("RESP-CODES").is_some()
    }

    /// Whether a SASL mechanism is announced.
    pub(crate) fn mechanism(&self, name: &str) -> Outcome {
        let offered = self.capability("SASL").unwrap_or_default();
        let is_offered = offered.split_whitespace().any(|one| one.eq_ignore_ascii_case(name));
        need!(is_offered, "SASL {name} is not offered");
        Ok(())
    }

    /// A connection before the login, protected as the target says.
    pub(crate) fn connect(&mut self) -> Outcome<Connection> {
        Ok(self.greeted()?.0)
    }

    /// As [`Bench::connect`], with the greeting.
    pub(crate) fn greeted(&mut self) -> Outcome<(Connection, Reply)> {
        let encryption = self.target.encryption;
        let mut connection = self.open()?;
        if encryption == Encryption::Tls {
            connection = self.secure(connection)?;
        }
        let greeting = welcome(&mut connection)?;
        if encryption == Encryption::StartTls {
            let reply = connection.ask("STLS").map_err(unreachable)?;
            need!(reply.is_ok(), "STLS is answered {reply}");
            connection = self.secure(connection)?;
        }
        Ok((connection, greeting))
    }

    /// A greeted connection without TLS, where the server has such.
    pub(crate) fn connect_clear(&mut self) -> Outcome<Connection> {
        need!(self.target.encryption != Encryption::Tls, "TLS is up from the first octet");
        let mut connection = self.open()?;
        welcome(&mut connection)?;
        Ok(connection)
    }

    /// A TCP connection on which nothing was said.
    pub(crate) fn open(&mut self) -> Outcome<Connection> {
        self.connections = self.connections.saturating_add(1);
        let log = Rc::clone(&self.log);
        Connection::open(&self.addresses, log, self.connections, self.target.patience)
            .map_err(|error| Fault::Untestable(format!("no connection: {error}")))
    }

    /// Starts TLS; that it fails is no finding.
    pub(crate) fn secure(&self, connection: Connection) -> Outcome<Connection> {
        self.handshake(connection)
            .map_err(|error| Fault::Untestable(format!("the TLS handshake fails: {}", error.why)))
    }

    /// Starts TLS.
    pub(crate) fn handshake(&self, connection: Connection) -> Result<Connection, HandshakeError> {
        connection.handshake(Arc::clone(&self.tls), &self.target.host)
    }

    /// The session the rules share. Who leaves it in step gives it back to [`Bench::keep`].
    pub(crate) fn session(&mut self) -> Outcome<Connection> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => self.login_patiently(LOGIN_DELAY_S_MAX),
        }
    }

    /// Takes the shared session back.
    pub(crate) fn keep(&mut self, session: Connection) {
        self.session = Some(session);
    }

    /// A login of the rule's own. The shared session is closed: it holds the maildrop.
    pub(crate) fn login(&mut self) -> Outcome<Connection> {
        let delay = self.login_delay_s();
        need!(delay <= FRESH_LOGIN_S_MAX, "logins are {delay} seconds apart");
        self.session = None;
        self.login_patiently(FRESH_LOGIN_S_MAX)
    }

    /// Sees to it that a login is refused for what it is and not for a session that still holds
    /// the maildrop: the shared one is closed, and another, in which nothing was read, ends by
    /// QUIT, which is answered when the maildrop is free.
    pub(crate) fn free(&mut self) -> Outcome {
        let delay = self.login_delay_s();
        need!(delay <= FRESH_LOGIN_S_MAX, "logins are {delay} seconds apart");
        self.log_in_and_quit(FRESH_LOGIN_S_MAX)?;
        std::thread::sleep(Duration::from_secs(delay));
        // That is no part of what the rule is about.
        self.begin();
        Ok(())
    }

    /// Logs in, however long that has to be waited for, and out again.
    pub(crate) fn log_in_and_quit(&mut self, delay_s_max: u64) -> Outcome {
        self.session = None;
        let mut session = self.login_patiently(delay_s_max)?;
        session.ok("QUIT")?;
        session.end().map(|_| ())
    }

    /// Seconds that `CAPA` wants between logins.
    pub(crate) fn login_delay_s(&self) -> u64 {
        let announced = self.capability("LOGIN-DELAY").unwrap_or_default();
        announced.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    fn login_patiently(&mut self, delay_s_max: u64) -> Outcome<Connection> {
        let mut waited = Duration::ZERO;
        loop {
            let mut connection = self.connect()?;
            let reply = self.log_in(&mut connection)?;
            if reply.is_ok() {
                self.logged_in_once = true;
                return Ok(connection);
            }
            let pause = match reply.code().as_deref() {
                Some("LOGIN-DELAY") => {
                    Duration::from_secs(self.login_delay_s().clamp(1, LOGIN_DELAY_S_MAX))
                }
                Some("IN-USE") => IN_USE_PAUSE,
                Some(code) if code.starts_with("SYS/TEMP") => Duration::from_secs(1),
                // Without codes, a login that has worked before is refused for a time only.
                None if self.logged_in_once => Duration::from_secs(1),
                _ => return Err(Fault::Untestable(format!("the login is refused: {reply}"))),
            };
            waited = waited.saturating_add(pause);
            let limit_s = delay_s_max.max(BUSY_S_MAX);
            need!(
                waited <= Duration::from_secs(limit_s),
                "the login is refused for {limit_s} seconds: {reply}"
            );
            drop(connection);
            std::thread::sleep(pause);
        }
    }

    /// Tries to log in, in the way the server offers.
    pub(crate) fn log_in(&self, connection: &mut Connection) -> Outcome<Reply> {
        let by_user = self.capabilities.is_none() || self.capability("USER").is_some();
        if !by_user && self.mechanism("PLAIN").is_ok() {
            connection.send_line("AUTH PLAIN")?;
            let reply = connection.reply()?;
            if !reply.octets().starts_with(b"+ ") {
                return Ok(reply);
            }
            connection.send(&[self.plain().expose().as_bytes(), b"\r\n"].concat())?;
            return connection.reply();
        }
        let user = connection.ask(&format!("USER {}", self.target.user))?;
        if !user.is_ok() {
            return Ok(user);
        }
        self.pass(connection)
    }

    /// Sends the password, whatever was said before.
    pub(crate) fn pass(&self, connection: &mut Connection) -> Outcome<Reply> {
        connection.send(&[b"PASS ", self.target.password.expose().as_slice(), b"\r\n"].concat())?;
        connection.reply()
    }

    /// The response of SASL PLAIN that logs in.
    pub(crate) fn plain(&self) -> Secret<String> {
        plain(&self.target)
    }

    /// The numbers and sizes of all messages.
    pub(crate) fn scan(&mut self, session: &mut Connection) -> Outcome<Vec<(u64, u64)>> {
        let lines = session.listing("LIST")?;
        lines.iter().map(|line| pair(line)).collect()
    }

    /// The smallest message, which most rules are content with.
    pub(crate) fn message(&mut self, session: &mut Connection) -> Outcome<(u64, u64)> {
        let messages = self.scan(session)?;
        let smallest = messages.into_iter().min_by_key(|(_, octets)| *octets);
        let smallest = smallest.ok_or_else(|| Fault::Untestable("the maildrop is empty".into()))?;
        need!(smallest.1 <= MESSAGE_OCTETS_MAX, "the smallest message is too large");
        Ok(smallest)
    }
}

/// `number SP octets`, what may follow ignored.
pub(crate) fn pair(line: &[u8]) -> Outcome<(u64, u64)> {
    let text = String::from_utf8_lossy(trim(line)).into_owned();
    let mut words = text.split(' ');
    let mut number = || words.next().and_then(|word| word.parse().ok());
    match (number(), number()) {
        (Some(number), Some(octets)) => Ok((number, octets)),
        _ => Err(Fault::Broken(format!("a line of LIST is \"{text}\""))),
    }
}

/// The lines of a `CAPA` reply as text.
pub(crate) fn capabilities(lines: &[Vec<u8>]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(trim(line)).into_owned()).collect()
}

/// The arguments of a capability.
pub(crate) fn find(capabilities: &[String], tag: &str) -> Option<String> {
    capabilities.iter().find_map(|line| {
        let (found, arguments) = line.split_once(' ').unwrap_or((line, ""));
        found.eq_ignore_ascii_case(tag).then(|| arguments.to_owned())
    })
}

fn welcome(connection: &mut Connection) -> Outcome<Reply> {
    let greeting = connection.reply().map_err(unreachable)?;
    need!(greeting.is_ok(), "the greeting is {greeting}");
    Ok(greeting)
}

/// What keeps a rule from being looked at is no breach of that rule.
fn unreachable(fault: Fault) -> Fault {
    match fault {
        Fault::Broken(why) | Fault::Untestable(why) => Fault::Untestable(why),
    }
}

fn plain(target: &Target) -> Secret<String> {
    let fields = [b"\0", target.user.as_bytes(), b"\0", target.password.expose()].concat();
    sasl::encode(Secret::new(fields).expose())
}

/// Every form in which the password may pass.
fn secrets(target: &Target) -> Vec<Secret<Vec<u8>>> {
    let encoded = sasl::encode(target.password.expose());
    [
        plain(target).expose().as_bytes().to_vec(),
        encoded.expose().as_bytes().to_vec(),
        target.password.expose().clone(),
    ]
    .map(Secret::new)
    .into()
}

/// A message that is larger is not fetched.
pub(crate) const MESSAGE_OCTETS_MAX: u64 = 1024 * 1024;
/// How long a refusal is waited out that should be over soon.
const BUSY_S_MAX: u64 = 15;
/// How long a server may take to notice that the session before has ended.
const IN_USE_PAUSE: Duration = Duration::from_millis(200);
/// The longest LOGIN-DELAY that is waited for each time a rule needs a login of its own.
const FRESH_LOGIN_S_MAX: u64 = 10;
/// The longest LOGIN-DELAY that is waited for at all.
pub(crate) const LOGIN_DELAY_S_MAX: u64 = 900;
