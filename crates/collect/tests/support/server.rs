//! A POP3 server in memory with faults: it can be cut off at any octet, stall, refuse and lie.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use restante_client::{Dial, Dialling, Endpoint, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

/// What is odd about a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quirks {
    pub(crate) pipelining: bool,
    pub(crate) no_uidl: bool,
    pub(crate) no_top: bool,
    /// The connection ends after so many octets, both ways together.
    pub(crate) cut: Option<usize>,
    /// It goes silent after so many octets instead.
    pub(crate) stall: Option<usize>,
    /// Commands that are answered with these lines instead.
    pub(crate) answers: Vec<(&'static str, &'static str)>,
    /// It answers `QUIT` with `+OK` and deletes nothing.
    pub(crate) forgets: bool,
    pub(crate) capabilities: &'static str,
    /// It shows the oldest so many messages only, of those that no session has fetched.
    pub(crate) window: Option<usize>,
    /// How long it takes for the reply to each command but the login's.
    pub(crate) slowness: Duration,
    /// How long it takes for each line of a message.
    pub(crate) line_slowness: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    messages: Vec<(String, String)>,
    /// Ids of the messages that were fetched, where that matters.
    popped: BTreeSet<String>,
    quirks: Quirks,
    log: Vec<String>,
    octets: usize,
}

impl Server {
    pub(crate) fn new(messages: &[(&str, &str)]) -> Self {
        let server = Self(Arc::default());
        messages.iter().for_each(|(id, text)| server.add(id, text));
        server
    }

    pub(crate) fn add(&self, id: &str, text: &str) {
        self.0.lock().unwrap().messages.push((id.into(), text.into()));
    }

    pub(crate) fn quirks(&self, quirks: Quirks) {
        self.0.lock().unwrap().quirks = quirks;
    }

    /// The messages' texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<_> =
            self.0.lock().unwrap().messages.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    }

    /// Gives every message a new id.
    pub(crate) fn renumber(&self) {
        for (id, _) in &mut self.0.lock().unwrap().messages {
            id.insert(0, '~');
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().messages.clear();
    }

    /// How often a command came since the last call, and forgets them all.
    pub(crate) fn count(&self, verb: &str) -> usize {
        self.0.lock().unwrap().log.iter().filter(|line| line.starts_with(verb)).count()
    }

    pub(crate) fn forget_log(&self) {
        self.0.lock().unwrap().log.clear();
    }

    /// How many octets went over the wire in the last session.
    pub(crate) fn octets(&self) -> usize {
        self.0.lock().unwrap().octets
    }
}

impl Dial for Server {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> Dialling<'a> {
        let (client, server) = duplex(1 << 12);
        self.0.lock().unwrap().octets = 0;
        tokio::spawn(Session { server: self.clone(), stream: server }.run());
        Box::pin(async { Ok(Box::new(client) as Box<dyn Stream>) })
    }
}

/// Lets time pass on a paused clock.
async fn pass(time: Duration) {
    if !time.is_zero() {
        let _ = timeout(time, std::future::pending::<()>()).await;
    }
}

struct Session {
    server: Server,
    stream: DuplexStream,
}

impl Session {
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
            let index = words.next().and_then(|n| n.parse::<usize>().ok()).map_or(0, |n| n - 1);
            match verb {
                "CAPA" => {
                    let pipelining = if quirks.pipelining { "PIPELINING\r\n" } else { "" };
                    let capabilities = quirks.capabilities;
                    self.say(&format!("+OK\r\nUSER\r\n{pipelining}{capabilities}.\r\n")).await?;
                }
                "UIDL" if quirks.no_uidl => self.say("-ERR what?\r\n").await?,
                "UIDL" | "LIST" => {
                    let mut reply = String::from("+OK\r\n");
                    for (index, (id, text)) in messages.iter().enumerate() {
                        let number = index + 1;
                        if verb == "UIDL" {
                            write!(reply, "{number} {id}\r\n").unwrap();
                        } else {
                            write!(reply, "{number} {}\r\n", text.len()).unwrap();
                        }
                    }
                    self.say(&format!("{reply}.\r\n")).await?;
                }
                "RETR" => {
                    let stuffed = format!("\n{}", messages[index].1).replace("\n.", "\n..");
                    for line in format!("+OK\r{stuffed}.\r\n").split_inclusive('\n') {
                        pass(quirks.line_slowness).await;
                        self.say(line).await?;
                    }
                    fetched.insert(messages[index].0.clone());
                }
                "TOP" if !quirks.no_top => {
                    let header = messages[index].1.split_inclusive("\r\n\r\n").next().unwrap();
                    let stuffed = format!("\n{header}").replace("\n.", "\n..");
                    self.say(&format!("+OK\r{stuffed}.\r\n")).await?;
                }
                "TOP" => self.say("-ERR what?\r\n").await?,
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
                    self.say("+OK\r\n").await?;
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

    async fn count(&self, octets: usize) -> Option<()> {
        let (cut, stalls) = {
            let mut state = self.server.0.lock().unwrap();
            state.octets += octets;
            let over = |limit: Option<usize>| limit.is_some_and(|limit| state.octets > limit);
            (over(state.quirks.cut), over(state.quirks.stall))
        };
        if stalls {
            std::future::pending::<()>().await;
        }
        (!cut).then_some(())
    }
}
