//! Messages on their way in, one after another, in chunks.

use std::collections::VecDeque;

use bytes::Bytes;
use restante_proto::pop3::client::{Command, Event, Refusal};
use restante_proto::{MessageNumber, Octets};

use crate::connection::wider;
use crate::wire::Wire;
use crate::{Error, Step};

/// Messages being fetched. For each message, in the order asked for: either
/// [`Retrieved::Begin`], its chunks and [`Retrieved::End`], or [`Retrieved::Refused`].
///
/// Dropping it in the middle is fine: the next command on the connection reads past the rest.
#[derive(Debug)]
pub struct Retrieval<'a> {
    wire: &'a mut Wire,
    /// Not asked for yet.
    unsent: VecDeque<MessageNumber>,
    /// Asked for and not answered to the end.
    sent: VecDeque<MessageNumber>,
    window: usize,
    verb: &'static str,
    /// Of the message that is arriving.
    received: Octets,
}

/// A step of a retrieval.
#[derive(Debug)]
#[non_exhaustive]
pub enum Retrieved {
    /// The server begins to send the message.
    Begin(MessageNumber),
    /// The next octets of it.
    Chunk(Bytes),
    /// It is whole: its terminator has arrived.
    End(MessageNumber),
    /// The server does not send it; others follow all the same.
    Refused(MessageNumber, Refusal),
}

impl<'a> Retrieval<'a> {
    pub(crate) fn new(wire: &'a mut Wire, numbers: VecDeque<MessageNumber>, window: usize) -> Self {
        let (sent, received) = (VecDeque::new(), Octets::default());
        Self { wire, unsent: numbers, sent, window, verb: "RETR", received }
    }

    pub(crate) fn top(
        wire: &'a mut Wire,
        number: MessageNumber,
        body_lines: u32,
    ) -> Result<Self, Error> {
        wire.send(Command::Top { number, body_lines })?;
        let retrieval = Self::new(wire, VecDeque::new(), 1);
        Ok(Self { sent: [number].into(), verb: "TOP", ..retrieval })
    }

    /// How much of the message that is arriving has arrived.
    #[must_use]
    pub const fn received(&self) -> Octets {
        self.received
    }

    /// How many messages were asked for and are not answered to their end.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.sent.len()
    }

    /// Asks for no further messages and tells how many those are. The ones that were asked for
    /// still come.
    pub fn ask_no_more(&mut self) -> usize {
        std::mem::take(&mut self.unsent).len()
    }

    /// What happens next; `None` when all messages are answered. Cancel-safe.
    ///
    /// # Errors
    /// [`Error`]; the message that has begun is not whole then and never will be.
    /// [`Error::TooLarge`] comes after at most 64 KiB more than are allowed.
    pub async fn next(&mut self) -> Result<Option<Retrieved>, Error> {
        while self.sent.len() < self.window
            && let Some(number) = self.unsent.pop_front()
        {
            self.wire.send(Command::Retr(number))?;
            self.sent.push_back(number);
        }
        let Some(&number) = self.sent.front() else { return Ok(None) };
        let step = if self.wire.in_body() { Step::Body } else { Step::Reply(self.verb) };
        Ok(Some(match self.wire.event(step).await? {
            Event::Begun => {
                self.received = Octets::default();
                Retrieved::Begin(number)
            }
            Event::Body(chunk) => {
                self.received += Octets::new(chunk.len() as u64);
                Retrieved::Chunk(chunk)
            }
            Event::Refused(refusal) => {
                self.answered();
                Retrieved::Refused(number, refusal)
            }
            _ => {
                self.answered();
                Retrieved::End(number)
            }
        }))
    }

    fn answered(&mut self) {
        self.sent.pop_front();
        self.window = wider(self.window);
    }
}
