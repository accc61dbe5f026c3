//! The socket and the session machine together: moves bytes, keeps deadlines.
//!
//! Reading and writing go on at the same time, so that a server which does not read on before
//! its replies are taken cannot lock up a pipeline. Cancel-safe: what was read or written so far
//! is kept here and not in a future.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use restante_proto::Secret;
use restante_proto::pop3::client::{Client, Command, Event};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::pace::Pace;
use crate::{Endpoint, Error, Step, Stream};

pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    client: Client,
    input: BytesMut,
    output: Secret<Vec<u8>>,
    /// How much of `output` is written.
    written: usize,
    unflushed: bool,
    limit: Duration,
    pace: Pace,
    /// Of the message that is coming in, however it was asked for and whoever reads it.
    message_octets: u64,
    message_octets_max: u64,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>, client: Client, endpoint: &Endpoint) -> Self {
        Self {
            stream,
            client,
            input: BytesMut::new(),
            output: Secret::new(Vec::new()),
            written: 0,
            unflushed: false,
            limit: endpoint.timeout,
            pace: Pace::new(endpoint.octets_per_s_min, endpoint.timeout),
            message_octets: 0,
            message_octets_max: MESSAGE_OCTETS_MAX,
        }
    }

    /// Ends messages that are longer.
    pub(crate) fn limit_messages(&mut self, octets_max: u64) {
        self.message_octets_max = octets_max;
    }

    pub(crate) fn send(&mut self, command: Command) -> Result<(), Error> {
        Ok(self.client.send(command)?)
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.client.outstanding()
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn in_body(&self) -> bool {
        self.client.in_body()
    }

    /// The next thing the server says, within the time limit and the limit of a message.
    pub(crate) async fn event(&mut self, step: Step) -> Result<Event, Error> {
        let event = self.next_event(step).await?;
        match &event {
            Event::Begun => self.message_octets = 0,
            Event::Body(chunk) => {
                self.message_octets = self.message_octets.saturating_add(chunk.len() as u64);
                if self.message_octets > self.message_octets_max {
                    return Err(Error::TooLarge { octets_max: self.message_octets_max });
                }
            }
            _ => {}
        }
        Ok(event)
    }

    async fn next_event(&mut self, step: Step) -> Result<Event, Error> {
        // Most events are in the buffer already and need no timer.
        if let Some(event) = self.poll_event()? {
            return Ok(event);
        }
        let limit = self.limit.min(self.pace.left());
        let began = Instant::now();
        let next = async {
            loop {
                self.progress(step).await?;
                if let Some(event) = self.poll_event()? {
                    return Ok(event);
                }
            }
        };
        let event = timeout(limit, next).await;
        self.pace.waited(began.elapsed());
        match event {
            Ok(event) => event,
            Err(_) if limit < self.limit => Err(Error::TooSlow(step)),
            Err(_) => Err(Error::Timeout(step)),
        }
    }

    fn poll_event(&mut self) -> Result<Option<Event>, Error> {
        let outstanding = self.outstanding();
        let event = self.client.poll_event(&mut self.input)?;
        if self.outstanding() < outstanding {
            self.pace.replied();
        }
        Ok(event)
    }

    /// Closes the stream in an orderly way; the session is over and it no longer matters how.
    pub(crate) async fn close(mut self) {
        let _ = timeout(self.limit.min(CLOSE_LIMIT), self.stream.shutdown()).await;
    }

    /// The stream, for TLS to take over. What the server said in the clear is forgotten.
    pub(crate) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// Returns when something was read or all was written.
    async fn progress(&mut self, step: Step) -> Result<(), Error> {
        if self.written == self.output.expose().len()
            && let Some(output) = self.client.poll_output()
        {
            self.output = output;
            self.written = 0;
        }
        self.input.reserve(READ_OCTETS);
        let read = poll_fn(|context| self.poll_both(context)).await;
        match read {
            Ok(Some(0)) => Err(Error::Closed(step)),
            Ok(read) => {
                self.pace.received(read.unwrap_or_default());
                Ok(())
            }
            // What TLS calls an end without a goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Error::Closed(step)),
            Err(source) => Err(Error::Io { step, source }),
        }
    }

    /// How much was read, 0 at the end of the stream; `None` when the output is gone.
    fn poll_both(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let had_output = self.unflushed || self.written < self.output.expose().len();
        let sent = self.poll_send(context)?;
        // A future that is dropped while pending has read nothing.
        let read = pin!(self.stream.read_buf(&mut self.input));
        if let Poll::Ready(read) = read.poll(context) {
            return Poll::Ready(read.map(Some));
        }
        if had_output && sent.is_ready() { Poll::Ready(Ok(None)) } else { Poll::Pending }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.expose().get(self.written..).filter(|r| !r.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Larger than any mail system passes on, small enough that no server can fill a disk with one.
const MESSAGE_OCTETS_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// As much as a message in flight costs in memory, however large it is.
const READ_OCTETS: usize = 64 * 1024;
/// Nobody waits long for a goodbye.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use restante_proto::MessageNumber;
    use restante_proto::pop3::client::CommandArg;
    use tokio::io::duplex;

    use super::*;

    /// Goal: a message without an end is an error however it was asked for, also when nobody wants
    /// it any more and it is only read past. Method: a limit of a few octets.
    #[tokio::test]
    async fn c7_every_way_to_read_a_message_is_bounded() {
        let endpoint = Endpoint::new("pop.example.org", crate::Encryption::Tls);
        for (octets_max, fits) in [(20, true), (19, false)] {
            for verb in ["RETR", "TOP"] {
                let (stream, mut server) = duplex(1 << 12);
                server.write_all(b"+OK\r\n+OK\r\n+OK\r\n").await.unwrap();
                let mut wire = Wire::new(Box::new(stream), Client::new(), &endpoint);
                wire.limit_messages(octets_max);
                assert!(matches!(wire.event(Step::Greeting).await, Ok(Event::Greeting { .. })));
                for secret in ["user", "password"] {
                    let argument = CommandArg::new(secret.as_bytes()).unwrap();
                    wire.send(match secret {
                        "user" => Command::User(argument),
                        _ => Command::Pass(argument),
                    })
                    .unwrap();
                    wire.event(Step::Reply("login")).await.unwrap();
                }
                let number = MessageNumber::new(1).unwrap();
                for _ in 0..2 {
                    wire.send(match verb {
                        "RETR" => Command::Retr(number),
                        _ => Command::Top { number, body_lines: 0 },
                    })
                    .unwrap();
                }
                server.write_all(&b"+OK\r\n12345678\r\n12345678\r\n.\r\n".repeat(2)).await.unwrap();
                let read = loop {
                    if wire.outstanding() == 0 {
                        break Ok(());
                    }
                    if let Err(error) = wire.event(Step::Body).await {
                        break Err(error);
                    }
                };
                match read {
                    Ok(()) => assert!(fits, "{verb}"),
                    Err(Error::TooLarge { octets_max: 19 }) => assert!(!fits, "{verb}"),
                    Err(error) => panic!("{verb}: {error}"),
                }
            }
        }
    }
}
