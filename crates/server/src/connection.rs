//! One connection, from the accepted socket to the log line.
//!
//! The loop joins three parts that know nothing of each other: the [`Session`] decides, the
//! [`Wire`] carries octets, the [`Office`] answers. Stopping the server interrupts it anywhere
//! but in a commit: what the client was told to be deleted is, and nothing else. A new login of
//! the same owner ends it only while it waits for its client ([`Sessions`]).

use std::net::SocketAddr;
use std::sync::Arc;

use restante_maildrop::Body;
use restante_proto::pop3::{Action, Answer, Ask, Closing, Session, Settings, TlsState};
use restante_proto::{Extent, Marks, Secret};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::listener::Encryption;
use crate::office::{Denied, Held, Office, Visitor};
use crate::report::{End, Report};
use crate::sessions::Sessions;
use crate::tls::Tls;
use crate::wire::Wire;

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) office: Office,
    pub(crate) sessions: Sessions,
    pub(crate) encryption: Encryption,
    pub(crate) strict: bool,
    pub(crate) listener: String,
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Receiver<bool>,
}

/// What a session may rely on because of TLS.
#[derive(Default)]
struct Secured {
    binding: Option<Secret<Vec<u8>>>,
    /// Whom the client's certificate names, if it showed one.
    certified: Option<Vec<String>>,
}

/// Where a conversation stands when it cannot go on by itself.
enum Pause {
    StartTls,
    Commit(Marks),
    End(End),
}

impl Connection {
    /// Serves the client to the end and writes the log line.
    pub(crate) async fn serve(mut self, stream: TcpStream) {
        let began = self.office.clock.monotonic();
        let mut report = Report::new(self.listener.clone(), self.address, began);
        let end = self.talk_on(stream, &mut report).await;
        report.log(&end, self.office.clock.monotonic());
    }

    async fn talk_on(&mut self, stream: TcpStream, report: &mut Report) -> End {
        let now = self.office.clock.monotonic();
        let tls = match (self.encryption, self.office.tls.clone()) {
            (Encryption::Implicit, Some(tls)) => match self.handshake(stream, tls).await {
                Ok(stream) => {
                    report.tls = protocol_version(&stream);
                    let secured = self.secured(&stream);
                    let settings = match self.settings(TlsState::Active, secured).await {
                        Ok(settings) => settings,
                        Err(end) => return end,
                    };
                    let session = Session::new(settings, now);
                    return Box::pin(self.talk(stream, session, report)).await;
                }
                Err(end) => return end,
            },
            (Encryption::Implicit, None) => {
                return End::Handshake(std::io::Error::other("there is no certificate"));
            }
            (Encryption::StartTls, Some(_)) => TlsState::Available,
            (Encryption::StartTls, None) => TlsState::Unavailable,
        };
        let mut session = match self.settings(tls, Secured::default()).await {
            Ok(settings) => Session::new(settings, now),
            Err(end) => return end,
        };
        let mut wire = self.wire(stream);
        let end = match self.converse(&mut wire, &mut session, report).await {
            Ok(end) => end,
            Err(tls) => {
                report.octets += wire.sent();
                // Nothing learnt before TLS survives it: the session is a new one.
                let stream = match self.handshake(wire.into_stream(), tls).await {
                    Ok(stream) => stream,
                    Err(end) => return end,
                };
                report.tls = protocol_version(&stream);
                let settings = self.settings(TlsState::Active, self.secured(&stream)).await;
                let session = match settings {
                    // The time to log in counts from the beginning, whatever came before.
                    Ok(settings) => Session::after_tls(settings, now),
                    Err(end) => return end,
                };
                return Box::pin(self.talk(stream, session, report)).await;
            }
        };
        finish(wire, &end, report).await;
        end
    }

    /// A conversation that cannot start TLS any more.
    async fn talk<S>(&mut self, stream: S, mut session: Session<Body>, report: &mut Report) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut wire = self.wire(stream);
        let end = match self.converse(&mut wire, &mut session, report).await {
            Ok(end) => end,
            Err(_) => End::Closed(Closing::BadCommands),
        };
        finish(wire, &end, report).await;
        end
    }

    /// Runs the session to its end, or to the start of TLS.
    async fn converse<S>(
        &mut self,
        wire: &mut Wire<S>,
        session: &mut Session<Body>,
        report: &mut Report,
    ) -> Result<End, Arc<Tls>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut held = None;
        let mut stop = self.stop.clone();
        let pause = tokio::select! {
            biased;
            // An error means that the server is gone: a stop as well.
            _ = stop.wait_for(|stop| *stop) => Pause::End(End::Stopped),
            pause = self.run(wire, session, &mut held, report) => pause,
        };
        match (pause, self.office.tls.clone()) {
            (Pause::End(end), _) => Ok(end),
            (Pause::StartTls, Some(tls)) => Err(tls),
            (Pause::StartTls, None) => Ok(End::Closed(Closing::BadCommands)),
            (Pause::Commit(marks), _) => Ok(self.commit(wire, session, held, marks, report).await),
        }
    }

    /// Carries out what the session wants until it pauses. Cancelled when the server stops.
    async fn run<S>(
        &self,
        wire: &mut Wire<S>,
        session: &mut Session<Body>,
        held: &mut Option<Held>,
        report: &mut Report,
    ) -> Pause
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = [0; READ_OCTETS];
        loop {
            while let Some(action) = session.poll_action(self.office.clock.monotonic()) {
                let done = match action {
                    Action::Send(octets) => wire.send(&octets).await,
                    Action::SendBody { body, extent, form } => {
                        let sent = wire.send_body(body, extent, form).await;
                        report.messages += u64::from(sent.is_ok() && extent == Extent::Whole);
                        sent
                    }
                    Action::Ask(Ask::StartTls) => match wire.flush().await {
                        Ok(()) => return Pause::StartTls,
                        Err(end) => Err(end),
                    },
                    Action::Ask(Ask::Commit(marks)) => return Pause::Commit(marks),
                    Action::Ask(ask) => self.answer(ask, wire, session, held, report).await,
                    Action::Close(closing) => Err(End::Closed(closing)),
                };
                if let Err(end) = done {
                    return Pause::End(end);
                }
            }
            if let Err(end) = wire.flush().await {
                return Pause::End(end);
            }
            let deadline = session.poll_timeout().map(Instant::from_std);
            let silence = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let seat = held.as_ref().map(|held| &held.seat);
            if let Some(seat) = seat {
                seat.rest(self.office.clock.monotonic());
            }
            let lost = async {
                match seat {
                    Some(seat) => seat.lost().await,
                    None => std::future::pending().await,
                }
            };
            let read = tokio::select! {
                read = wire.read(&mut buffer) => Some(read),
                () = silence => None,
                () = lost => return Pause::End(End::TakenOver),
            };
            // What a session that lost its seat has heard meanwhile is for nobody any more.
            if seat.is_some_and(|seat| !seat.work()) {
                return Pause::End(End::TakenOver);
            }
            match read {
                Some(Ok([])) => return Pause::End(End::HungUp),
                Some(Ok(octets)) => session.handle_bytes(octets, self.office.clock.monotonic()),
                Some(Err(end)) => return Pause::End(end),
                None => session.handle_timeout(self.office.clock.monotonic()),
            }
        }
    }

    async fn answer<S>(
        &self,
        ask: Ask,
        wire: &mut Wire<S>,
        session: &mut Session<Body>,
        held: &mut Option<Held>,
        report: &mut Report,
    ) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let answer = match (ask, held) {
            (Ask::Open(login), held) => {
                // A login may take its time; what was said before it need not wait.
                wire.flush().await?;
                report.user = Some(login.user().to_owned()).filter(|user| !user.is_empty());
                let visitor = Visitor { address: self.address, listener: &self.listener };
                match self.office.open(&login, &self.sessions, &visitor).await {
                    Ok((admitted, opened)) => {
                        // A client that sends a token need not say whose it is.
                        report
                            .user
                            .get_or_insert_with(|| admitted.account.owner.as_str().to_owned());
                        report.app_password = admitted.app_password;
                        let snapshot = opened.maildrop.snapshot().clone();
                        let terms = opened.policy.terms();
                        *held = Some(opened);
                        Answer::Opened(snapshot, terms)
                    }
                    Err(Denied::Told(refusal)) => Answer::Refused(refusal),
                    Err(Denied::TurnedAway) => return Err(End::TurnedAway),
                }
            }
            (Ask::ScramKeys { user, hash }, _) => {
                wire.flush().await?;
                report.user = Some(user.clone());
                let visitor = Visitor { address: self.address, listener: &self.listener };
                self.office.scram_keys(&user, hash, &visitor).await
            }
            (Ask::Body(number), Some(held)) => Office::body(held.maildrop.as_mut(), number).await,
            (ask, _) => {
                let problem = format!("the session asked for {ask:?} out of turn");
                return Err(End::Lost(std::io::Error::other(problem)));
            }
        };
        session.handle_answer(answer, self.office.clock.monotonic());
        Ok(())
    }

    /// Commits and says what came of it. Runs to its end even when the server stops.
    async fn commit<S>(
        &self,
        wire: &mut Wire<S>,
        session: &mut Session<Body>,
        held: Option<Held>,
        marks: Marks,
        report: &mut Report,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(held) = held else {
            return End::Lost(std::io::Error::other("a commit without a maildrop"));
        };
        let answer;
        (answer, report.deleted) = self.office.commit(held, marks).await;
        session.handle_answer(answer, self.office.clock.monotonic());
        while let Some(action) = session.poll_action(self.office.clock.monotonic()) {
            match action {
                Action::Send(octets) => {
                    if let Err(end) = wire.send(&octets).await {
                        return end;
                    }
                }
                Action::Close(closing) => return End::Closed(closing),
                Action::SendBody { .. } | Action::Ask(_) => break,
            }
        }
        End::Closed(Closing::Quit)
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        tls: Arc<Tls>,
    ) -> Result<Box<TlsStream<TcpStream>>, End> {
        let mut stop = self.stop.clone();
        // Boxed: a handshake is large, and gone before the session begins.
        let accept = Box::pin(timeout(
            self.office.limits.handshake_time,
            TlsAcceptor::from(tls.config()).accept(stream),
        ));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Err(End::Stopped),
            accepted = accept => match accepted {
                Ok(Ok(stream)) => Ok(Box::new(stream)),
                Ok(Err(error)) => Err(End::Handshake(error)),
                Err(_) => Err(End::Handshake(std::io::ErrorKind::TimedOut.into())),
            },
        }
    }

    fn wire<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Wire<S> {
        let Office { limits, policy, .. } = &self.office;
        Wire::new(stream, limits.write_time, limits.octets_per_s_min, policy.replace_nul)
    }

    /// What TLS gives the session that goes on behind it.
    fn secured(&self, stream: &TlsStream<TcpStream>) -> Secured {
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().and_then(|chain| chain.first());
        let tls = self.office.tls.as_ref();
        let certified = shown.zip(tls).and_then(|(leaf, tls)| {
            // A resumed session has what was shown when it began, maybe hours ago.
            tls.names(leaf, self.office.clock.wall())
        });
        Secured { binding: channel_binding(stream), certified }
    }

    async fn settings(&self, tls: TlsState, secured: Secured) -> Result<Settings, End> {
        Ok(Settings {
            tls,
            allow_cleartext: self.office.allow_cleartext,
            offers: self.office.authenticator.offers().await,
            channel_binding: secured.binding,
            certified: secured.certified,
            seed: self.office.seed().map_err(End::Lost)?,
            strict: self.strict,
            login_time: self.office.limits.login_time,
            idle_time: self.office.limits.idle_time,
            last: self.office.policy.last,
            terms: self.office.policy.announced(self.office.authenticator.own_terms().await),
            download_once: self.office.policy.download_once,
            without_utf8: self.office.policy.without_utf8,
            language: self.office.policy.language,
        })
    }
}

/// Ends the stream: in order when the session closed it, at once when nobody waits for more.
async fn finish<S>(wire: Wire<S>, end: &End, report: &mut Report)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let sent = wire.sent();
    report.octets += match end {
        End::Closed(_) => wire.close().await,
        End::Stopped | End::TakenOver | End::TurnedAway => {
            wire.hang_up().await;
            sent
        }
        _ => sent,
    };
}

fn protocol_version(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, connection) = stream.get_ref();
    connection.protocol_version().and_then(|version| version.as_str().map(str::to_owned))
}

/// What binds a login to this connection (RFC 9266). TLS 1.2 would need more than rustls tells to
/// make it unique; there, logins are not bound.
fn channel_binding(stream: &TlsStream<TcpStream>) -> Option<Secret<Vec<u8>>> {
    let (_, connection) = stream.get_ref();
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let exported = connection.export_keying_material(vec![0; 32], EXPORTER_LABEL, None);
    exported.ok().map(Secret::new)
}

const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// How much is read from a client at once; a client may pipeline, but not without bound.
const READ_OCTETS: usize = 1024;
