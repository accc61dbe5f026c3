//! What passes between a server session and its driver: settings in, actions and questions out,
//! answers back.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::{Language, Refusal};
use crate::sasl::Offers;
use crate::sasl::scram::{ScramHash, ScramKeys};
use crate::{Extent, Form, Login, Marks, MessageNumber, Secret, Snapshot};

/// What a listener decides for its sessions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether TLS is up, can be started, or neither.
    pub tls: TlsState,
    /// Whether names and passwords are taken without TLS.
    pub allow_cleartext: bool,
    /// Which mechanisms the users can use.
    pub offers: Offers,
    /// What a login can be bound to: the TLS exporter value of this connection (RFC 9266), where
    /// TLS is up and has one.
    pub channel_binding: Option<Secret<Vec<u8>>>,
    /// Whom the certificate names that the client showed and that was found valid, if it showed
    /// one: what EXTERNAL goes by.
    pub certified: Option<Vec<String>>,
    /// Random octets of this session alone, from which its nonces come.
    pub seed: Secret<[u8; 32]>,
    /// Whether only what the RFCs have is taken, instead of what clients are known to send, too.
    pub strict: bool,
    /// How long a client may take to log in, in all.
    pub login_time: Duration,
    /// How long a logged-in client may be silent; RFC 1939 section 3 wants ten minutes at least.
    pub idle_time: Duration,
    /// Whether `LAST`, dropped by RFC 1725, is answered as RFC 1460 has it.
    pub last: bool,
    /// What holds for all users together.
    pub terms: Terms,
    /// Whether what was retrieved whole is deleted at `QUIT` (RFC 1939 section 8).
    pub download_once: bool,
    /// What becomes of messages that are for clients that asked for UTF-8.
    pub without_utf8: WithoutUtf8,
    /// The language the administrator prefers: what `LANG *` asks for.
    pub language: Language,
}

/// What a client that did not ask for UTF-8 gets of a message whose headers are in UTF-8 (RFC 6856
/// section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WithoutUtf8 {
    /// The message as it is, as if nobody had thought of such clients.
    #[default]
    Raw,
    /// Its surrogate.
    Downgrade,
    /// A refusal with `[UTF8]`.
    Refuse,
}

/// What a user has to keep to, as `CAPA` announces it; those who check logins and those who commit
/// see to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Seconds from a user's login to the next; of all users together, the most (RFC 2449 section
    /// 6.5).
    pub login_delay_s: Option<u64>,
    /// Whether another user may have another delay.
    pub login_delay_varies: bool,
    /// Days a message is kept at least; of all users together, the fewest (RFC 2449 section 6.7).
    pub expire_days: Option<u64>,
    /// Whether another user may have other days.
    pub expire_varies: bool,
}

/// The connection's standing towards TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsState {
    /// There is no certificate to start TLS with.
    Unavailable,
    /// The client may start it by `STLS`.
    Available,
    /// Everything goes through TLS.
    Active,
}

/// What the session wants to know or to have done by others.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ask {
    /// Check the login and open the maildrop. Answers: `Opened`, `Refused`.
    Open(Login),
    /// Fetch what a SCRAM proof of this user is checked with; there must be keys for users that
    /// do not exist too. Answers: `ScramKeys`, `Refused`.
    ScramKeys {
        /// The name, as the mechanism prepares it.
        user: String,
        /// The hash function of the mechanism.
        hash: ScramHash,
    },
    /// Fetch a message's bytes. Answers: `Body`, `Refused`.
    Body(MessageNumber),
    /// Remove the marked messages and release the maildrop. Answers: `Committed`, `Refused`.
    Commit(Marks),
    /// Start TLS; what was sent before must have left. No answer: a new session takes over.
    StartTls,
}

/// What became of an [`Ask`].
#[derive(Debug)]
pub enum Answer<B> {
    /// The login was accepted and the maildrop is locked and open; these are the user's terms.
    Opened(Snapshot, Terms),
    /// Here are the keys; those of a user that does not exist fit no password.
    ScramKeys(ScramKeys),
    /// Here are the message's bytes.
    Body(B),
    /// The marked messages are gone for good.
    Committed,
    /// It was not done.
    Refused(Refusal),
}

/// What the driver has to do next.
#[derive(Debug)]
pub enum Action<B> {
    /// Send these bytes.
    Send(Bytes),
    /// Send a message's bytes up to `extent`, stuffed and with the terminator.
    SendBody {
        /// The bytes, as the answer brought them.
        body: B,
        /// How much of them.
        extent: Extent,
        /// Whether they have to be turned into the message's surrogate first.
        form: Form,
    },
    /// Answer this.
    Ask(Ask),
    /// Close the connection. Nothing follows.
    Close(Closing),
}

/// Why the session ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closing {
    /// The client said `QUIT`.
    Quit,
    /// `QUIT`, but marked messages could not be removed.
    CommitFailed,
    /// The client was silent for too long.
    Idle,
    /// The client did not log in in time.
    LoginTimeout,
    /// Too many wrong passwords.
    LoginsFailed,
    /// Too many commands that are none, or one that no client of this protocol sends.
    BadCommands,
    /// Bytes behind `STLS` in the clear: an attack (CVE-2011-0411), never a client.
    StlsInjection,
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "quit",
            Self::CommitFailed => "commit failed",
            Self::Idle => "idle timeout",
            Self::LoginTimeout => "login timeout",
            Self::LoginsFailed => "too many failed logins",
            Self::BadCommands => "bad commands",
            Self::StlsInjection => "bytes behind STLS",
        })
    }
}
