//! Logging in: which way, and what comes of it.
//!
//! In: [`Credentials`] and what the server offers. Out: a connection that is logged in, or why
//! not. No credential leaves before encryption is settled; none ever leaves by a way below the
//! floor (RFC 5034 sections 3 and 4).

use restante_proto::pop3::Capability;
use restante_proto::pop3::client::{Command, CommandArg, Event};
use restante_proto::sasl::{self, Link, Mechanism, Supplicant};

use super::{Connection, Security};
use crate::credentials::Kind;
use crate::method::{self, Situation};
use crate::{Credentials, Error, LoginError, Method, Step, TlsError, tls};

impl Connection {
    /// Logs in by the best way the server offers and the credentials allow, and asks for the
    /// capabilities again, which may differ now. Returns which way it was. Before that it asks for
    /// messages as they are, where the server has others for clients that do not (RFC 6856).
    ///
    /// A server that refuses a SCRAM login is asked by the next other way above the floor, under
    /// TLS alone: some offer SCRAM to users whose stored passwords cannot do it. SCRAM takes as
    /// much computing as the server asks for, up to 600,000 rounds.
    ///
    /// # Errors
    /// [`Error::Login`] says whether it was the password; [`Error::BadArgument`] and
    /// [`Error::Unfit`] that the credentials cannot be sent; the others as everywhere.
    pub async fn login(&mut self, credentials: &Credentials) -> Result<Method, Error> {
        let encrypted = match &self.security {
            Security::Awaited => return Err(TlsError::NotOffered(String::new()).into()),
            Security::Waived => false,
            Security::Tls(_) => true,
        };
        argument("user name", credentials.user().as_bytes())?;
        if let Kind::Password(password) = credentials.kind() {
            argument("password", password.expose())?;
        }
        if self.capabilities.has_utf8() {
            match self.single("UTF8", Command::Utf8).await {
                // It may refuse (RFC 6856 section 2.1); then there is what everybody gets.
                Ok(()) | Err(Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let situation = Situation {
            capabilities: &self.capabilities,
            encrypted,
            bound: matches!(self.security, Security::Tls(Some(_))),
            stamped: self.stamp.is_some(),
        };
        let mut candidates = method::candidates(credentials, situation).into_iter();
        let Some(first) = candidates.next() else { return Err(self.no_method(credentials)) };
        let mut method = first;
        let mut outcome = self.login_by(method, credentials).await;
        if let Err(Error::Login(LoginError::WrongPassword(_))) = &outcome
            && encrypted
            && method.is_scram()
            && let Some(other) = candidates.find(|other| !other.is_scram())
        {
            // Some servers hang up after a refusal; that tells less than the refusal did.
            let again = self.login_by(other, credentials).await;
            if matches!(again, Ok(()) | Err(Error::Login(_))) {
                (method, outcome) = (other, again);
            }
        }
        outcome?;
        if self.capabilities.is_known() {
            self.ask_capabilities().await?;
        }
        Ok(method)
    }

    async fn login_by(&mut self, method: Method, credentials: &Credentials) -> Result<(), Error> {
        self.settle().await?;
        let outcome = match (method, credentials.kind()) {
            (Method::Sasl(mechanism), _) => self.authenticate(mechanism, credentials).await,
            (Method::Apop, Kind::Password(password)) => {
                let stamp = self.stamp.as_deref().unwrap_or_default();
                let answer = sasl::apop_answer(stamp, password.expose());
                let user = argument("user name", credentials.user().as_bytes())?;
                let answer = argument("password", answer)?;
                self.single("APOP", Command::Apop { user, answer }).await
            }
            (Method::UserPass, Kind::Password(password)) => {
                let user = argument("user name", credentials.user().as_bytes())?;
                let password = argument("password", password.expose())?;
                match self.single("USER", Command::User(user)).await {
                    Ok(()) => self.single("PASS", Command::Pass(password)).await,
                    failed => failed,
                }
            }
            _ => Err(self.no_method(credentials)),
        };
        match outcome {
            Err(Error::Refused { refusal, .. }) => {
                Err(match LoginError::new(refusal, &self.capabilities) {
                    LoginError::WrongPassword(refusal)
                        if matches!(credentials.kind(), Kind::Token(_)) =>
                    {
                        LoginError::WrongToken { report: String::new(), refusal }
                    }
                    error => error,
                }
                .into())
            }
            other => other,
        }
    }

    async fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let plus = [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus];
        let link = Link {
            nonce: tls::nonce()?,
            binding: match &self.security {
                Security::Tls(binding) => binding.clone(),
                Security::Awaited | Security::Waived => None,
            },
            plus_offered: plus.iter().any(|known| self.capabilities.has_sasl(known.name())),
        };
        let supplicant = Supplicant::new(mechanism, credentials.identity(), link)?;
        let supplicant = Box::new(supplicant);
        // Exchange Online takes it in two steps only, and nobody minds.
        let with_command = mechanism != Mechanism::Xoauth2;
        self.wire.send(Command::Auth { supplicant, with_command })?;
        match self.wire.event(Step::Reply("AUTH")).await? {
            Event::Refused(refusal) => Err(super::refused("AUTH", refusal)),
            Event::Distrusted(distrust) => Err(LoginError::Distrusted(distrust).into()),
            Event::TokenRefused { report, refusal } => {
                Err(match LoginError::new(refusal, &self.capabilities) {
                    LoginError::WrongPassword(refusal) => {
                        LoginError::WrongToken { report, refusal }
                    }
                    error => error,
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    fn no_method(&self, credentials: &Credentials) -> Error {
        let is_password = matches!(credentials.kind(), Kind::Password(_));
        if !is_password && !matches!(self.security, Security::Tls(_)) {
            return LoginError::NotEncrypted.into();
        }
        if !credentials.is_sendable(&self.capabilities)
            && !self.capabilities.has_any_sasl()
            && credentials.floor().is_none_or(|floor| floor == Method::UserPass)
        {
            return LoginError::NotAscii.into();
        }
        let lists =
            |capability: &Capability| matches!(capability, Capability::Sasl(_) | Capability::User);
        let offered = self.capabilities.iter().filter(|capability| lists(capability));
        let mut offered = offered.map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if offered.is_empty() {
            offered.push_str("USER");
        }
        LoginError::NoMethod { floor: credentials.floor(), offered }.into()
    }
}

/// Text of the caller's that is safe in a command.
fn argument(what: &'static str, bytes: impl AsRef<[u8]>) -> Result<CommandArg, Error> {
    CommandArg::new(bytes).map_err(|source| Error::BadArgument { what, source })
}
