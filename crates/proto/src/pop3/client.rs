//! The client side of a POP3 connection (RFC 1939, 2449, 2595, 5034), without a socket.
//!
//! In: commands through [`Client::send`], the server's bytes through [`Client::poll_event`]. Out:
//! command bytes from [`Client::poll_output`], [`Event`]s in the order of the commands. Replies
//! are matched to commands strictly first in, first out, so commands may be pipelined where the
//! server allows it; a body is handed on as it comes and never kept.
//!
//! The order of calls: drain `poll_output` into the socket, call `poll_event` until it yields
//! nothing, read more bytes, and so on; `poll_event` itself may make output (the responses of
//! `AUTH`).
//!
//! Servers are odd (extra text, odd spacing, ids of any length), so numbers are read leniently and text is ignored; but
//! every line is bounded, and what cannot be understood without guessing is a [`ProtocolError`],
//! after which the connection can only be dropped.

mod argument;
mod command;
mod event;
mod listing;

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

pub use argument::{BadArgument, CommandArg};
pub use command::Command;
pub use event::{Event, ProtocolError, Refusal, SendError};
pub use listing::{IdLine, ScanLine};

use crate::Secret;
use crate::dot::Unstuffer;
use crate::line::{Line, Splitter};
use crate::sasl::{self, Distrust};
use command::{Listing, Reply};

/// A POP3 session as its client sees it.
pub struct Client {
    phase: Phase,
    /// Commands whose replies have not been read to their end, oldest first.
    pending: VecDeque<Reply>,
    reading: Reading,
    splitter: Splitter,
    output: Secret<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The server speaks first.
    Greeting,
    Ready,
    /// `STLS` or `AUTH` waits for its reply: nothing may be sent meanwhile.
    Exclusive,
    /// `QUIT` was sent, `STLS` was accepted, or an error has ended the session.
    Over,
}

/// What of the reply in front is read next.
#[derive(Debug)]
enum Reading {
    Status,
    Lines { listing: Listing, octets: usize },
    Body(Unstuffer),
}

impl Client {
    /// A session on a fresh connection: the greeting comes first.
    #[must_use]
    pub fn new() -> Self {
        Self::in_phase(Phase::Greeting)
    }

    /// A session after the TLS handshake that `STLS` asked for. It knows nothing of the one
    /// before it, as RFC 2595 section 4 demands, and there is no second greeting.
    #[must_use]
    pub fn after_stls() -> Self {
        Self::in_phase(Phase::Ready)
    }

    fn in_phase(phase: Phase) -> Self {
        Self {
            phase,
            pending: VecDeque::new(),
            reading: Reading::Status,
            splitter: Splitter::default(),
            output: Secret::new(Vec::new()),
        }
    }

    /// Queues a command. Several may be queued when the server lists `PIPELINING`; how many is
    /// for the caller to bound.
    ///
    /// # Errors
    /// [`SendError`] when the protocol forbids it now; nothing is queued then.
    pub fn send(&mut self, command: Command) -> Result<(), SendError> {
        match self.phase {
            Phase::Greeting => return Err(SendError::NotGreeted),
            Phase::Exclusive => return Err(SendError::Busy),
            Phase::Over => return Err(SendError::Over),
            Phase::Ready => {}
        }
        if command.is_exclusive() && !self.pending.is_empty() {
            return Err(SendError::Busy);
        }
        self.phase = match command {
            Command::Quit => Phase::Over,
            _ if command.is_exclusive() => Phase::Exclusive,
            _ => Phase::Ready,
        };
        let (line, reply) = command.into_wire();
        self.write(line.expose());
        self.pending.push_back(reply);
        Ok(())
    }

    /// The bytes to send now, whole commands all of them, in one piece so that they leave in one
    /// segment where they fit.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Secret<Vec<u8>>> {
        let empty = self.output.expose().is_empty();
        (!empty).then(|| std::mem::replace(&mut self.output, Secret::new(Vec::new())))
    }

    /// How many commands wait for (the rest of) their reply.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Whether the body of a message has begun and not ended.
    #[must_use]
    pub fn in_body(&self) -> bool {
        matches!(self.reading, Reading::Body(_))
    }

    /// Reads on in the server's bytes and takes from `input` what it used. `None`: more bytes are
    /// needed, and `input` holds less than a line.
    ///
    /// # Errors
    /// [`ProtocolError`]: the connection can only be dropped.
    pub fn poll_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        let event = self.read_event(input);
        if event.is_err() {
            self.phase = Phase::Over;
            self.pending.clear();
        }
        event
    }

    fn read_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        loop {
            if let Reading::Body(unstuffer) = &mut self.reading {
                if unstuffer.is_done() {
                    return Ok(Some(self.finish_reply()));
                }
                let mut body = Vec::with_capacity(input.len());
                let used = unstuffer.push(input, &mut body);
                input.advance(used);
                if !body.is_empty() {
                    return Ok(Some(Event::Body(Bytes::from(body))));
                }
                if !unstuffer.is_done() {
                    return Ok(None);
                }
                continue;
            }
            if self.pending.is_empty() && self.phase != Phase::Greeting {
                return if input.is_empty() { Ok(None) } else { Err(ProtocolError::Unsolicited) };
            }
            let Some(line) = self.splitter.next_line(input, LINE_OCTETS_MAX) else {
                let endless = self.splitter.discarded() > ENDLESS_LINE_OCTETS;
                return if endless { Err(ProtocolError::LineTooLong) } else { Ok(None) };
            };
            let event = match self.reading {
                Reading::Lines { listing, .. } => self.read_listing_line(listing, line)?,
                _ => match line {
                    Line::Whole(line) => self.read_status(&line, input)?,
                    Line::TooLong { .. } => return Err(ProtocolError::LineTooLong),
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// One line inside a listing. A line that is too long or not understood is passed over: the
    /// message it stands for is then one without a size or a unique-id.
    fn read_listing_line(
        &mut self,
        listing: Listing,
        line: Line,
    ) -> Result<Option<Event>, ProtocolError> {
        let length = match &line {
            Line::Whole(line) => line.len(),
            Line::TooLong { octets } => *octets,
        };
        if let Reading::Lines { octets, .. } = &mut self.reading {
            *octets = octets.saturating_add(length).saturating_add(LINE_COST_OCTETS);
            let octets_max = match listing {
                Listing::Capa => CAPABILITIES_OCTETS_MAX,
                Listing::List | Listing::Uidl => LISTING_OCTETS_MAX,
            };
            if *octets > octets_max {
                return Err(ProtocolError::ListingTooLong);
            }
        }
        let Line::Whole(line) = line else { return Ok(None) };
        if line.as_ref() == b"." {
            return Ok(Some(self.finish_reply()));
        }
        let text = line.strip_prefix(b".").unwrap_or(&line);
        Ok(match listing {
            Listing::Capa => listing::capability(text).map(Event::Capability),
            Listing::List => listing::scan(text).map(Event::Scan),
            Listing::Uidl => listing::id(text).map(Event::Id),
        })
    }

    fn read_status(
        &mut self,
        line: &[u8],
        input: &BytesMut,
    ) -> Result<Option<Event>, ProtocolError> {
        let status =
            listing::status(line).ok_or_else(|| ProtocolError::NotAReply(event::shown(line)))?;
        if self.phase == Phase::Greeting {
            return match status {
                listing::Status::Ok(text) => {
                    self.phase = Phase::Ready;
                    Ok(Some(Event::Greeting { stamp: listing::stamp(text) }))
                }
                listing::Status::Err(text) => {
                    self.phase = Phase::Over;
                    Ok(Some(Event::Refused(Refusal::new(text))))
                }
                listing::Status::Continue(_) => Err(ProtocolError::NotAReply(event::shown(line))),
            };
        }
        if let Some(Reply::Auth(_) | Reply::BrokenOff(_)) = self.pending.front() {
            return self.read_auth(status, line);
        }
        match (status, self.pending.front()) {
            (listing::Status::Err(text), _) => {
                self.finish_reply();
                Ok(Some(Event::Refused(Refusal::new(text))))
            }
            (listing::Status::Ok(text), Some(Reply::Stat)) => {
                let (messages, octets) = listing::stat(text)
                    .ok_or_else(|| ProtocolError::NotAReply(event::shown(line)))?;
                self.finish_reply();
                Ok(Some(Event::Stat { messages, octets }))
            }
            (listing::Status::Ok(_), Some(Reply::Listing(listing))) => {
                self.reading = Reading::Lines { listing: *listing, octets: 0 };
                Ok(Some(Event::Begun))
            }
            (listing::Status::Ok(_), Some(Reply::Body)) => {
                self.reading = Reading::Body(Unstuffer::default());
                Ok(Some(Event::Begun))
            }
            (listing::Status::Ok(_), Some(Reply::Stls)) => {
                // Whatever follows in the clear was put there by somebody else.
                if !input.is_empty() {
                    return Err(ProtocolError::StlsInjection);
                }
                self.finish_reply();
                self.phase = Phase::Over;
                Ok(Some(Event::Done))
            }
            (listing::Status::Ok(_), Some(Reply::Single)) => Ok(Some(self.finish_reply())),
            _ => Err(ProtocolError::NotAReply(event::shown(line))),
        }
    }

    /// A line in the middle of a login, or at its end.
    fn read_auth(
        &mut self,
        status: listing::Status<'_>,
        line: &[u8],
    ) -> Result<Option<Event>, ProtocolError> {
        let reply = self.pending.front_mut();
        let supplicant = match reply {
            Some(Reply::Auth(supplicant)) => supplicant,
            Some(Reply::BrokenOff(distrust)) if !matches!(status, listing::Status::Continue(_)) => {
                let distrust = *distrust;
                return Ok(Some(self.distrust(distrust)));
            }
            _ => return Err(ProtocolError::NotAReply(event::shown(line))),
        };
        let text = match status {
            listing::Status::Err(text) => {
                let report = supplicant.report().map(event::report);
                self.finish_reply();
                let refusal = Refusal::new(text);
                return Ok(Some(match report {
                    Some(report) => Event::TokenRefused { report, refusal },
                    None => Event::Refused(refusal),
                }));
            }
            listing::Status::Ok(_) if !supplicant.is_silent() => {
                return Ok(Some(match supplicant.succeed() {
                    Ok(()) => self.finish_reply(),
                    Err(distrust) => self.distrust(distrust),
                }));
            }
            // Some servers say "+OK" where "+" is due. Nothing was said that it could praise.
            listing::Status::Ok(text) | listing::Status::Continue(text) => text,
        };
        let response = if supplicant.is_silent() {
            supplicant.respond(b"")
        } else {
            let challenge = sasl::decode(text).map_err(|_| Distrust::BadBase64);
            challenge.and_then(|challenge| supplicant.respond(challenge.expose()))
        };
        match response {
            Ok(response) => {
                let encoded = sasl::encode(response.expose());
                let line = Secret::new([encoded.expose().as_bytes(), b"\r\n"].concat());
                self.write(line.expose());
            }
            Err(distrust) => {
                self.write(b"*\r\n");
                // Who goes on asking would be answered for ever.
                if let Some(reply) = self.pending.front_mut() {
                    *reply = Reply::BrokenOff(distrust);
                }
            }
        }
        Ok(None)
    }

    /// Ends the session: nothing this server says is believed.
    fn distrust(&mut self, distrust: Distrust) -> Event {
        self.finish_reply();
        self.phase = Phase::Over;
        Event::Distrusted(distrust)
    }

    fn finish_reply(&mut self) -> Event {
        self.pending.pop_front();
        self.reading = Reading::Status;
        if self.phase == Phase::Exclusive {
            self.phase = Phase::Ready;
        }
        Event::Done
    }

    /// Appends to the output without leaving copies of it behind in freed memory.
    fn write(&mut self, bytes: &[u8]) {
        let joined = [self.output.expose(), bytes].concat();
        self.output = Secret::new(joined);
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("phase", &self.phase)
            .field("outstanding", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// RFC 2449 allows 512 octets for a reply and RFC 1939 some 80 for a listing line; the rest is
/// for servers with unique-ids of up to a kilobyte.
const LINE_OCTETS_MAX: usize = 2048;
/// A line that has not ended by then never will.
const ENDLESS_LINE_OCTETS: usize = 64 * 1024;
/// A million messages with unique-ids of 70 octets take 80 MB, and 64 MB more for the lines.
const LISTING_OCTETS_MAX: usize = 256 * 1024 * 1024;
/// No server has more than some twenty capabilities, and anybody on the way can make them up.
const CAPABILITIES_OCTETS_MAX: usize = 64 * 1024;
/// What a line counts beyond its octets: what it says is kept, and even of an empty one something
/// may be, so that short lines must not take many times the memory of long ones.
const LINE_COST_OCTETS: usize = 64;

#[cfg(test)]
mod tests;
