//! One POP3 connection: connect, log in, list, fetch, mark, commit.

mod sign_in;

use restante_proto::pop3::Capability;
use restante_proto::pop3::client::{Client, Command, Event, IdLine, Refusal, ScanLine};
use restante_proto::{MessageNumber, Octets, Secret};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::retrieval::{Retrieval, Retrieved};
use crate::stream::{Dial, TcpDial};
use crate::wire::Wire;
use crate::{Capabilities, Encryption, Endpoint, Error, Step, Stream, TlsError, tls};

/// A connection to a POP3 server.
///
/// Dropping it closes the socket without `QUIT`: no mark takes effect. All methods are
/// cancel-safe in this sense: a dropped future leaves a connection on which the next call first
/// reads what the dropped one left unread.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    capabilities: Capabilities,
    security: Security,
    /// The greeting's stamp, for `APOP`; one that came before `STLS` is forgotten.
    stamp: Option<String>,
}

/// What protects the connection.
#[derive(Debug)]
enum Security {
    /// Nothing, and `STLS` is still to come: no credential may be sent.
    Awaited,
    /// Nothing, and the account does without.
    Waived,
    /// TLS, with what binds a login to it.
    Tls(Option<Secret<Vec<u8>>>),
}

/// How much a maildrop holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Messages.
    pub messages: u32,
    /// Their size, where the server's figure makes sense.
    pub octets: Option<Octets>,
}

/// What became of a mark: whether the server took it.
pub type Marked = (MessageNumber, Result<(), Refusal>);

impl Connection {
    /// Connects, settles encryption, reads the greeting and asks for capabilities.
    ///
    /// # Errors
    /// [`Error`]; nothing secret was sent.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        Self::over(TcpDial.dial(endpoint).await?, endpoint).await
    }

    /// As [`Connection::connect`], over a stream that leads to the endpoint already.
    ///
    /// # Errors
    /// [`Error`]; nothing secret was sent.
    pub async fn over(stream: impl Stream + 'static, endpoint: &Endpoint) -> Result<Self, Error> {
        let stream: Box<dyn Stream> = Box::new(stream);
        match endpoint.encryption {
            Encryption::None => Self::greet(stream, endpoint, Security::Waived).await,
            Encryption::Tls => {
                let config = tls::config(endpoint)?;
                let secured = tls::wrap(stream, endpoint, config).await?;
                Self::greet(secured.stream, endpoint, Security::Tls(secured.binding)).await
            }
            Encryption::StartTls => {
                let config = tls::config(endpoint)?;
                let mut plain = Self::greet(stream, endpoint, Security::Awaited).await?;
                plain.start_tls().await?;
                let secured = tls::wrap(plain.wire.into_stream(), endpoint, config).await?;
                // A new session, which knows nothing of the one before.
                let wire = Wire::new(secured.stream, Client::after_stls(), endpoint);
                let mut secure = Self::new(wire, Security::Tls(secured.binding));
                secure.ask_capabilities().await?;
                Ok(secure)
            }
        }
    }

    fn new(wire: Wire, security: Security) -> Self {
        let capabilities = Capabilities::default();
        Self { wire, capabilities, security, stamp: None }
    }

    async fn greet(
        stream: Box<dyn Stream>,
        endpoint: &Endpoint,
        security: Security,
    ) -> Result<Self, Error> {
        let mut connection = Self::new(Wire::new(stream, Client::new(), endpoint), security);
        match connection.wire.event(Step::Greeting).await? {
            Event::Refused(refusal) => return Err(refused("the connection", refusal)),
            Event::Greeting { stamp } => connection.stamp = stamp,
            _ => {}
        }
        connection.ask_capabilities().await?;
        Ok(connection)
    }

    async fn ask_capabilities(&mut self) -> Result<(), Error> {
        let mut list = Vec::new();
        let listed = self
            .listing("CAPA", Command::Capa, |event| {
                if let Event::Capability(capability) = event {
                    list.push(capability);
                }
            })
            .await;
        match listed {
            Ok(()) => self.capabilities = Capabilities::known(list),
            // A server from before 1998, or one that answers only before the login: what it said
            // then still holds.
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn start_tls(&mut self) -> Result<(), Error> {
        if self.capabilities.is_known() && !self.capabilities.has(&Capability::Stls) {
            return Err(TlsError::NotOffered(String::new()).into());
        }
        match self.single("STLS", Command::Stls).await {
            Err(Error::Refused { refusal, .. }) => {
                Err(TlsError::NotOffered(format!(": {refusal}")).into())
            }
            other => other,
        }
    }

    /// What the server said it can do, last asked after the login if there was one.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Takes no message of more than so many octets from now on (4 GiB otherwise):
    /// [`Error::TooLarge`] then, after which the connection can only be dropped. `LIST` tells
    /// sizes beforehand, but servers count differently, and some lie.
    pub fn limit_messages(&mut self, octets_max: Octets) {
        self.wire.limit_messages(octets_max.to_u64());
    }

    /// How much there is.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn stat(&mut self) -> Result<Stat, Error> {
        self.settle().await?;
        self.wire.send(Command::Stat)?;
        match self.wire.event(Step::Reply("STAT")).await? {
            Event::Stat { messages, octets } => Ok(Stat { messages, octets }),
            Event::Refused(refusal) => Err(refused("STAT", refusal)),
            _ => Ok(Stat { messages: 0, octets: None }),
        }
    }

    /// Every message's size, as the server sees it.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn list(&mut self) -> Result<Vec<ScanLine>, Error> {
        let mut lines = Vec::new();
        self.listing("LIST", Command::List, |event| {
            if let Event::Scan(line) = event {
                lines.push(line);
            }
        })
        .await?;
        Ok(lines)
    }

    /// Every message's unique-id, verbatim: ids may be missing, empty or repeated.
    ///
    /// # Errors
    /// [`Error::Refused`] also when the server has no unique-ids.
    pub async fn uidl(&mut self) -> Result<Vec<IdLine>, Error> {
        let mut lines = Vec::new();
        self.listing("UIDL", Command::Uidl, |event| {
            if let Event::Id(line) = event {
                lines.push(line);
            }
        })
        .await?;
        Ok(lines)
    }

    /// Writes a message to `output` as it comes, whatever its size, and returns its octets.
    /// `output` is flushed; on an error what it holds is no whole message.
    ///
    /// # Errors
    /// [`Error::Output`] when `output` fails; the others as everywhere.
    pub async fn retr(
        &mut self,
        number: MessageNumber,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Octets, Error> {
        self.settle().await?;
        copy(Retrieval::new(&mut self.wire, [number].into(), 1), "RETR", output).await
    }

    /// As [`Connection::retr`], but the header and the first lines of the body only.
    ///
    /// # Errors
    /// As [`Connection::retr`].
    pub async fn top(
        &mut self,
        number: MessageNumber,
        body_lines: u32,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Octets, Error> {
        self.settle().await?;
        copy(Retrieval::top(&mut self.wire, number, body_lines)?, "TOP", output).await
    }

    /// Fetches messages one after another, each as a stream of chunks. Where the server offers
    /// pipelining, the next few are asked for while one arrives.
    ///
    /// # Errors
    /// As everywhere, when an earlier retrieval was given up and what is left of it cannot be
    /// read to its end.
    pub async fn retrieve(
        &mut self,
        numbers: impl IntoIterator<Item = MessageNumber>,
    ) -> Result<Retrieval<'_>, Error> {
        self.settle().await?;
        let window = self.window();
        Ok(Retrieval::new(&mut self.wire, numbers.into_iter().collect(), window))
    }

    /// Marks a message as deleted. It is, once [`Connection::commit`] has returned.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn dele(&mut self, number: MessageNumber) -> Result<(), Error> {
        self.settle().await?;
        self.single("DELE", Command::Dele(number)).await
    }

    /// Marks messages as deleted, pipelined where the server offers it, and says of each whether
    /// the server took the mark.
    ///
    /// # Errors
    /// As everywhere; which marks the server has is unknown then, and does not matter unless
    /// the connection is committed.
    pub async fn dele_many(&mut self, numbers: &[MessageNumber]) -> Result<Vec<Marked>, Error> {
        self.settle().await?;
        let mut window = self.window();
        let mut marked = Vec::with_capacity(numbers.len());
        let mut unsent = numbers.iter();
        for number in numbers {
            while self.wire.outstanding() < window
                && let Some(number) = unsent.next()
            {
                self.wire.send(Command::Dele(*number))?;
            }
            marked.push((
                *number,
                match self.wire.event(Step::Reply("DELE")).await? {
                    Event::Refused(refusal) => Err(refusal),
                    _ => Ok(()),
                },
            ));
            window = wider(window);
        }
        Ok(marked)
    }

    /// Does nothing, and keeps the connection alive.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.settle().await?;
        self.single("NOOP", Command::Noop).await
    }

    /// Takes all marks back.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn rset(&mut self) -> Result<(), Error> {
        self.settle().await?;
        self.single("RSET", Command::Rset).await
    }

    /// Ends the session with `QUIT`: the server deletes what was marked. `Ok` means it said so.
    ///
    /// # Errors
    /// [`Error::Refused`]: the server says that not everything was deleted. Any other error:
    /// nobody knows whether it was; the next session will see.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.settle().await?;
        self.single("QUIT", Command::Quit).await?;
        self.wire.close().await;
        Ok(())
    }

    /// How many commands may be under way at once. Some hundred octets at most, so that no server
    /// is ever stuck between its replies and our commands (RFC 2449 section 6.6).
    fn window(&self) -> usize {
        if self.capabilities.has(&Capability::Pipelining) { PIPELINE_COMMANDS } else { 1 }
    }

    /// Reads to their end the replies that a dropped future or retrieval has left behind.
    async fn settle(&mut self) -> Result<(), Error> {
        while self.wire.outstanding() > 0 {
            self.wire.event(Step::Body).await?;
        }
        Ok(())
    }

    async fn single(&mut self, verb: &'static str, command: Command) -> Result<(), Error> {
        self.wire.send(command)?;
        match self.wire.event(Step::Reply(verb)).await? {
            Event::Refused(refusal) => Err(refused(verb, refusal)),
            _ => Ok(()),
        }
    }

    async fn listing(
        &mut self,
        verb: &'static str,
        command: Command,
        mut each: impl FnMut(Event),
    ) -> Result<(), Error> {
        self.settle().await?;
        self.wire.send(command)?;
        loop {
            match self.wire.event(Step::Reply(verb)).await? {
                Event::Done => return Ok(()),
                Event::Refused(refusal) => return Err(refused(verb, refusal)),
                event => each(event),
            }
        }
    }
}

/// Copies the one message of a retrieval.
async fn copy(
    mut retrieval: Retrieval<'_>,
    verb: &'static str,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<Octets, Error> {
    let mut octets = Octets::default();
    while let Some(retrieved) = retrieval.next().await? {
        match retrieved {
            Retrieved::Begin(_) => {}
            Retrieved::Chunk(chunk) => {
                output.write_all(&chunk).await.map_err(Error::Output)?;
                octets += Octets::new(chunk.len() as u64);
            }
            Retrieved::End(_) => output.flush().await.map_err(Error::Output)?,
            Retrieved::Refused(_, refusal) => return Err(refused(verb, refusal)),
        }
    }
    Ok(octets)
}

/// The window behind a reply: one that pipelines gets wider.
pub(crate) fn wider(window: usize) -> usize {
    if window > 1 { (window + 1).min(PIPELINE_COMMANDS_MAX) } else { window }
}

fn refused(command: &'static str, refusal: Refusal) -> Error {
    Error::Refused { command, refusal }
}

/// At first: how quick the server is shows only then.
const PIPELINE_COMMANDS: usize = 16;
/// As many as a line of 100 ms needs, and less than two KiB.
pub(crate) const PIPELINE_COMMANDS_MAX: usize = 128;
