//! What can be wrong with a server.

use std::time::Duration;

/// What is odd about a [`Server`](crate::Server). Messages are counted from 1.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// It lists `PIPELINING`.
    pub pipelining: bool,
    /// It has no unique-ids.
    pub no_uidl: bool,
    /// It has no `TOP`.
    pub no_top: bool,
    /// The connection ends after so many octets, both ways together.
    pub cut: Option<usize>,
    /// It goes silent after so many octets instead, until the client has gone.
    pub stall: Option<usize>,
    /// Command lines that are answered with these lines instead.
    pub answers: Vec<(&'static str, &'static str)>,
    /// It answers `QUIT` with `+OK` and deletes nothing.
    pub forgets: bool,
    /// It deletes at `QUIT`, and its answer is lost.
    pub quits_silently: bool,
    /// `LIST` and `UIDL` are empty, though there is mail.
    pub lists_nothing: bool,
    /// It refuses to send these messages. This and what follows is about `RETR`, and about `TOP`
    /// with lines of the body.
    pub refuses: Vec<usize>,
    /// The connection ends when this message is asked for.
    pub breaks_at: Option<usize>,
    /// The connection ends in the middle of this message.
    pub breaks_in: Option<usize>,
    /// It goes silent in the middle of this message, until the client has gone.
    pub stalls_in: Option<usize>,
    /// This message begins with a line that does not end.
    pub endless_line: Option<usize>,
    /// It shows the oldest so many messages only, of those that no session has fetched.
    pub window: Option<usize>,
    /// How long it takes for the reply to each command but the login's.
    pub slowness: Duration,
    /// How long it takes for each line of a message.
    pub line_slowness: Duration,
    /// More lines for `CAPA`, each with its line end.
    pub capabilities: &'static str,
}
