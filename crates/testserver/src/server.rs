//! A server with mail, and with faults.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::script::pass;
use crate::{Quirks, Stream};

#[derive(Debug, Clone)]
/// A server that keeps mail in memory, for every user and password. Clones are one server.
pub struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    messages: Vec<(String, String)>,
    /// Ids of the messages that were fetched, where that matters.
    popped: BTreeSet<String>,
    quirks: Quirks,
    log: Vec<String>,
    octets: usize,
    silent: bool,
}

impl Server {
    /// One with these messages: unique-id and text, with CRLF.
    #[must_use]
    pub fn new(messages: &[(&str, &str)]) -> Self {
        let server = Self(Arc::default());
        messages.iter().for_each(|(id, text)| server.add(id, text));
        server
    }

    /// Adds a message behind the others.
    pub fn add(&self, id: &str, text: &str) {
        self.0.lock().unwrap().messages.push((id.into(), text.into()));
    }

    /// What is wrong with it from the next session on.
    pub fn quirks(&self, quirks: Quirks) {
        self.0.lock().unwrap().quirks = quirks;
    }

    /// The messages' texts, sorted.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<_> =
            self.0.lock().unwrap().messages.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    }

    /// Gives every message a new id.
    pub fn renumber(&self) {
        for (id, _) in &mut self.0.lock().unwrap().messages {
            id.insert(0, '~');
        }
    }

    /// Removes all messages.
    pub fn clear(&self) {
        self.0.lock().unwrap().messages.clear();
    }

    /// How many command lines that begin like this have come.
    #[must_use]
    pub fn count(&self, verb: &str) -> usize {
        self.0.lock().unwrap().log.iter().filter(|line| line.starts_with(verb)).count()
    }

    /// Counts from now on.
    pub fn forget_log(&self) {
        self.0.lock().unwrap().log.clear();
    }

    /// How many octets went over the wire in the last session.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.0.lock().unwrap().octets
    }

    /// Whether it has gone silent in the last session, and what it sent before is all there is.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.0.lock().unwrap().silent
    }

    /// Begins a session over a pipe in memory, on the runtime of the caller.
    #[must_use]
    pub fn open(&self) -> DuplexStream {
        let (client, server) = duplex(1 << 12);
        tokio::spawn(self.clone().serve(server));
        client
    }

    /// Serves one session.
    pub async fn serve(self, stream: impl Stream) {
        {
            let mut state = self.0.lock().unwrap();
            (state.octets, state.silent) = (0, false);
        }
        // Whatever ends it is the client's to see.
        let _ = Session { server: self, stream }.run().await;
    }

    /// Listens on a free port of the loopback, on a thread of its own, so that blocking clients
    /// can be tested, too. Sessions come one after the other.
    #[must_use]
    pub fn listen(&self) -> Listening {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = self.clone();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serving = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        server.clone().serve(stream).await;
                    }
                };
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Listening { address, _stop: stop }
    }
}

/// A [`Server`] on a free port of the loopback. It listens as long as this lives.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    /// Gone with this, which ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Listening {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Session<S> {
    server: Server,
    stream: S,
}

impl<S: Stream> Session<S> {
    /// `None`: the connection is over.
    async fn run(mut self) -> Option<()> {
        let quirks = self.server.0.lock().unwrap().quirks.clone();
        let messages = self.shown(quirks.window);
        let mut fetched = BTreeSet::new();
        let mut marks = BTreeSet::new();
        self.say("+OK ready\r\n").await?;
        loop {
            let line = self.hear().await?;
            self.server.0.lock().unwrap().log.push(line.clone());
            if !line.starts_with(['C', 'U', 'P']) {
                pass(quirks.slowness).await;
            }
            if let Some((_, answer)) = quirks.answers.iter().find(|(start, _)| line == *start) {
                self.say(&format!("{answer}\r\n")).await?;
                continue;
            }
            let mut words = line.split(' ');
            let verb = words.next().unwrap();
            let number = words.next().and_then(|n| n.parse::<usize>().ok());
            let index = number.map_or(0, |n| n - 1);
            let body_lines = words.next().and_then(|n| n.parse::<usize>().ok());
            match verb {
                "CAPA" => {
                    let pipelining = if quirks.pipelining { "PIPELINING\r\n" } else { "" };
                    let capabilities = quirks.capabilities;
                    self.say(&format!("+OK\r\nUSER\r\n{pipelining}{capabilities}.\r\n")).await?;
                }
                "UIDL" if quirks.no_uidl => self.say("-ERR what?\r\n").await?,
                "STAT" | "UIDL" | "LIST" => {
                    let listed = if quirks.lists_nothing { &[][..] } else { &messages };
                    self.say(&listing(verb, number, listed)).await?;
                }
                "TOP" if quirks.no_top => self.say("-ERR what?\r\n").await?,
                "RETR" | "TOP" if index >= messages.len() => {
                    self.say("-ERR there is none\r\n").await?;
                }
                "TOP" if body_lines.is_none_or(|lines| lines == 0) => {
                    self.text(&top(&messages[index].1, 0), &quirks).await?;
                }
                "RETR" | "TOP" if quirks.refuses.contains(&(index + 1)) => {
                    self.say("-ERR this one is broken\r\n").await?;
                }
                "RETR" | "TOP" if quirks.breaks_at == Some(index + 1) => return None,
                "RETR" | "TOP" if quirks.endless_line == Some(index + 1) => {
                    self.say("+OK\r\n").await?;
                    loop {
                        self.say(ENDLESS).await?;
                    }
                }
                "RETR" | "TOP" if quirks.breaks_in == Some(index + 1) => {
                    self.half(&messages[index].1).await?;
                    // Said first: who closes with commands unread resets the connection.
                    self.stream.shutdown().await.ok()?;
                    self.wait_for_the_end().await;
                    return None;
                }
                "RETR" | "TOP" if quirks.stalls_in == Some(index + 1) => {
                    self.half(&messages[index].1).await?;
                    self.fall_silent().await;
                    return None;
                }
                "TOP" => {
                    let top = top(&messages[index].1, body_lines.unwrap_or_default());
                    self.text(&top, &quirks).await?;
                }
                "RETR" => {
                    self.text(&messages[index].1, &quirks).await?;
                    fetched.insert(messages[index].0.clone());
                }
                "RSET" => {
                    marks.clear();
                    self.say("+OK\r\n").await?;
                }
                "LAST" => self.say("-ERR what?\r\n").await?,
                "DELE" => {
                    marks.insert(index);
                    self.say("+OK\r\n").await?;
                }
                "QUIT" => {
                    if !quirks.forgets {
                        // By position and id: a message that arrived meanwhile stays.
                        let gone: Vec<_> = marks.iter().map(|&index| &messages[index]).collect();
                        let mut state = self.server.0.lock().unwrap();
                        for message in gone {
                            let place = state.messages.iter().position(|m| m == message).unwrap();
                            state.messages.remove(place);
                        }
                    }
                    if quirks.window.is_some() {
                        self.server.0.lock().unwrap().popped.append(&mut fetched);
                    }
                    if !quirks.quits_silently {
                        self.say("+OK\r\n").await?;
                    }
                    return None;
                }
                _ => self.say("+OK\r\n").await?,
            }
        }
    }

    fn shown(&self, window: Option<usize>) -> Vec<(String, String)> {
        let state = self.server.0.lock().unwrap();
        let shown = state.messages.iter().filter(|(id, _)| !state.popped.contains(id));
        shown.take(window.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// Sends a text as RFC 1939 section 3 has it, line by line.
    async fn text(&mut self, text: &str, quirks: &Quirks) -> Option<()> {
        let stuffed = format!("\n{text}").replace("\n.", "\n..");
        for line in format!("+OK\r{stuffed}.\r\n").split_inclusive('\n') {
            pass(quirks.line_slowness).await;
            self.say(line).await?;
        }
        Some(())
    }

    /// Sends the first half of a text.
    async fn half(&mut self, text: &str) -> Option<()> {
        let half: String = text.chars().take(text.len() / 2).collect();
        self.say(&format!("+OK\r\n{half}")).await
    }

    /// Says nothing more, until the client has gone.
    async fn fall_silent(&mut self) {
        self.server.0.lock().unwrap().silent = true;
        self.wait_for_the_end().await;
    }

    async fn wait_for_the_end(&mut self) {
        let mut unheard = [0; 1024];
        while self.stream.read(&mut unheard).await.is_ok_and(|octets| octets > 0) {}
    }

    async fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            self.count(1).await?;
            line.push(self.stream.read_u8().await.ok()?);
        }
        line.truncate(line.len() - 2);
        Some(String::from_utf8(line).unwrap())
    }

    async fn say(&mut self, text: &str) -> Option<()> {
        let mut fits = 0;
        for _ in 0..text.len() {
            match self.count(1).await {
                Some(()) => fits += 1,
                None => break,
            }
        }
        self.stream.write_all(&text.as_bytes()[..fits]).await.ok()?;
        (fits == text.len()).then_some(())
    }

    async fn count(&mut self, octets: usize) -> Option<()> {
        let (cut, stalls) = {
            let mut state = self.server.0.lock().unwrap();
            state.octets += octets;
            let over = |limit: Option<usize>| limit.is_some_and(|limit| state.octets > limit);
            (over(state.quirks.cut), over(state.quirks.stall))
        };
        if stalls {
            self.fall_silent().await;
        }
        (!cut && !stalls).then_some(())
    }
}

/// What is said to `STAT`, and to `LIST` and `UIDL` with a number and without.
fn listing(verb: &str, number: Option<usize>, listed: &[(String, String)]) -> String {
    let entry = |(index, (id, text)): (usize, &(String, String))| match verb {
        "UIDL" => format!("{} {id}\r\n", index + 1),
        _ => format!("{} {}\r\n", index + 1, text.len()),
    };
    let mut entries = listed.iter().enumerate();
    match number {
        _ if verb == "STAT" => {
            let octets: usize = listed.iter().map(|(_, text)| text.len()).sum();
            format!("+OK {} {octets}\r\n", listed.len())
        }
        Some(number) => entries
            .nth(number - 1)
            .map_or_else(|| "-ERR there is none\r\n".into(), |e| format!("+OK {}", entry(e))),
        None => format!("+OK\r\n{}.\r\n", entries.map(entry).collect::<String>()),
    }
}

/// The header of a text, the blank line and so many lines behind it.
fn top(text: &str, body_lines: usize) -> String {
    let header = text.split_inclusive("\r\n\r\n").next().unwrap();
    let body = text.strip_prefix(header).unwrap().split_inclusive('\n').take(body_lines);
    header.to_owned() + &body.collect::<String>()
}

/// A stretch of a line without an end.
const ENDLESS: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
