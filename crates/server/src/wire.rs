//! The one place where a socket and a message body meet: gathers replies into large writes and
//! pumps bodies through the stuffing codec.
//!
//! In: replies and bodies. Out: octets on the stream. Every wait for the client is bounded: a
//! client that does not take the next octets in time, or is too slow on the whole ([`Pace`]),
//! loses the connection. A body that cannot be
//! read to its end, or has another one than it was listed with, does so too, as there is no way to
//! say so inside a multi-line reply.

use std::io;
use std::time::Duration;

use restante_maildrop::{Body, Source};
use restante_proto::dot::Stuffer;
use restante_proto::surrogate::Surrogate;
use restante_proto::top::Cutter;
use restante_proto::{Extent, Form};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::pace::Pace;
use crate::report::End;

/// A stream with an output buffer.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    output: Vec<u8>,
    write_time: Duration,
    pace: Pace,
    /// Send each NUL of a message as [`NUL_STAND_IN`].
    replace_nul: bool,
    sent: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) const fn new(
        stream: S,
        write_time: Duration,
        octets_per_s_min: usize,
        replace_nul: bool,
    ) -> Self {
        let pace = Pace::new(octets_per_s_min, write_time);
        Self { stream, output: Vec::new(), write_time, pace, replace_nul, sent: 0 }
    }

    /// The stream, when nothing waits to be sent.
    pub(crate) fn into_stream(self) -> S {
        debug_assert!(self.output.is_empty(), "flush first");
        self.stream
    }

    /// Octets sent so far.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Reads what the client sent; empty is the end of its stream. Cancel-safe.
    pub(crate) async fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], End> {
        match self.stream.read(&mut *buffer).await {
            Ok(read) => Ok(buffer.get(..read).unwrap_or_default()),
            // A client that hangs up without closing TLS properly has hung up all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(&[]),
            Err(error) => Err(End::Lost(error)),
        }
    }

    /// Queues a reply, and sends when enough is gathered.
    pub(crate) async fn send(&mut self, octets: &[u8]) -> Result<(), End> {
        self.output.extend_from_slice(octets);
        if self.output.len() >= GATHER_OCTETS { self.flush().await } else { Ok(()) }
    }

    /// Sends a message's bytes in the form that is wanted, up to `extent`, stuffed and with the
    /// terminator.
    pub(crate) async fn send_body(
        &mut self,
        body: Body,
        extent: Extent,
        form: Form,
    ) -> Result<(), End> {
        let (mut cutter, mut stuffer) = (Cutter::new(extent), Stuffer::default());
        let mut surrogate = (form == Form::Surrogate).then(Surrogate::default);
        let (mut offset, mut buffer, mut converted) = (0, Vec::new(), Vec::new());
        let mut ended = false;
        while !ended && !cutter.is_done() {
            let read;
            (read, buffer) = read_chunk(&body, offset, buffer).await?;
            offset += read as u64;
            ended = read == 0;
            let mut chunk = buffer.get_mut(..read).unwrap_or_default();
            if let Some(mut machine) = surrogate.take() {
                converted.clear();
                machine.push(chunk, &mut converted);
                if ended {
                    machine.finish(&mut converted);
                } else {
                    surrogate = Some(machine);
                }
                chunk = &mut converted;
            }
            if self.replace_nul {
                // One octet for one: the size that was listed stays true.
                chunk
                    .iter_mut()
                    .filter(|octet| **octet == 0)
                    .for_each(|octet| *octet = NUL_STAND_IN);
            }
            let taken = cutter.take(chunk);
            stuffer.push(chunk.get(..taken).unwrap_or_default(), &mut self.output);
            if self.output.len() >= GATHER_OCTETS {
                self.flush().await?;
            }
        }
        // Without a blank line all of it is header, and TOP has come to its end like RETR.
        if body.needs_blank_line() {
            stuffer.push_empty_line(&mut self.output);
        }
        stuffer.finish(&mut self.output);
        Ok(())
    }

    /// Sends what is queued and gives the buffer back: an idle connection keeps none.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        let output = std::mem::take(&mut self.output);
        let began = Instant::now();
        let written = timeout(self.pace.allowed(output.len()), self.write_out(&output)).await;
        self.pace.note(output.len(), began.elapsed());
        written.unwrap_or(Err(End::TooSlow))
    }

    async fn write_out(&mut self, mut rest: &[u8]) -> Result<(), End> {
        while !rest.is_empty() {
            let written = match timeout(self.write_time, self.stream.write(rest)).await {
                Ok(Ok(0)) => return Err(End::Lost(io::ErrorKind::WriteZero.into())),
                Ok(Ok(written)) => written,
                Ok(Err(error)) => return Err(End::Lost(error)),
                Err(_) => return Err(End::WriteTimeout),
            };
            self.sent += written as u64;
            rest = rest.get(written..).unwrap_or_default();
        }
        match timeout(self.write_time, self.stream.flush()).await {
            Ok(flushed) => flushed.map_err(End::Lost),
            Err(_) => Err(End::WriteTimeout),
        }
    }

    /// Sends what is queued and ends the stream in order (RFC 8314 section 3.4: close_notify).
    /// Tells how many octets were sent in all.
    pub(crate) async fn close(mut self) -> u64 {
        if self.flush().await.is_ok() {
            // The client may be gone already; there is nobody to tell.
            let _ = timeout(CLOSE_TIME, self.stream.shutdown()).await;
        }
        self.sent
    }

    /// Ends the stream at once: says so if the client's socket has room for it, waits for nothing.
    pub(crate) async fn hang_up(mut self) {
        let _ = timeout(Duration::ZERO, self.stream.shutdown()).await;
    }
}

/// Reads the next chunk of a body into `buffer`, files off the async threads.
async fn read_chunk(
    body: &Body,
    offset: u64,
    mut buffer: Vec<u8>,
) -> Result<(usize, Vec<u8>), End> {
    buffer.resize(CHUNK_OCTETS, 0);
    let read = match body.source() {
        Source::Bytes(_) => body.read_at(&mut buffer, offset).map(|read| (read, buffer)),
        Source::File(_) => {
            let body = body.clone();
            let job = spawn_blocking(move || {
                body.read_at(&mut buffer, offset).map(|read| (read, buffer))
            });
            job.await.map_err(|error| End::Lost(io::Error::other(error)))?
        }
    };
    read.map_err(End::BodyLost)
}

/// Replies are gathered up to here before they are written.
const GATHER_OCTETS: usize = 16 * 1024;
const CHUNK_OCTETS: usize = 64 * 1024;
/// What Dovecot sends in the place of NUL, too.
const NUL_STAND_IN: u8 = 0x80;
/// How long a client may take to hear the goodbye.
const CLOSE_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::time::sleep;

    use super::*;

    /// What comes of sending 100,000 octets to a client that takes so many, pauses, and so on;
    /// and how long it took.
    async fn sent_to(octets: usize, pause: Duration) -> (Result<(), End>, Duration) {
        let (mut client, stream) = duplex(1);
        let mut wire = Wire::new(stream, Duration::from_secs(60), 100, false);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; octets];
            while client.read_exact(&mut buffer).await.is_ok() {
                sleep(pause).await;
            }
        });
        let began = Instant::now();
        let mut sent = Ok(());
        for _ in 0..10 {
            if sent.is_ok() {
                sent = wire.send(&[b'x'; 10_000]).await;
            }
        }
        if sent.is_ok() {
            sent = wire.flush().await;
        }
        let took = began.elapsed();
        drop(wire);
        reader.await.unwrap();
        (sent, took)
    }

    #[tokio::test(start_paused = true)]
    async fn r42_a_client_that_takes_an_octet_a_minute_is_given_up_as_a_whole() {
        let (sent, took) = sent_to(1, Duration::from_secs(50)).await;
        assert!(matches!(sent, Err(End::TooSlow)), "{sent:?}");
        assert!(took < Duration::from_secs(600), "{took:?}");
        // One that takes nothing at all sooner.
        let (sent, took) = sent_to(1, Duration::from_secs(3600)).await;
        assert!(matches!(sent, Err(End::WriteTimeout)), "{sent:?}");
        assert!(took < Duration::from_secs(100), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn r42_a_slow_line_and_one_that_pauses_get_everything() {
        for (octets, pause) in [(20, 100), (5_000, 40_000)] {
            let (sent, took) = sent_to(octets, Duration::from_millis(pause)).await;
            assert!(sent.is_ok(), "{octets} {pause}: {sent:?} after {took:?}");
            assert!(took > Duration::from_secs(400), "{took:?}");
        }
    }
}
