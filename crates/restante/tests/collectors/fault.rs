//! What goes wrong in one run of a collector, and the mail it goes wrong with.

use restante_testserver::{Quirks, Server};

/// How many messages the server has.
pub(crate) const MESSAGES: usize = 6;
/// The one at which it goes wrong.
const AT: usize = 4;
/// A line that is longer does not end.
const ENDLESS_OCTETS: usize = 16 << 20;
/// More than the disk that is full has.
const LARGE_LINES: usize = 4000;

/// What goes wrong. Messages are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Cut,
    Silence,
    EndOfFile,
    Refusal,
    Kill,
    EndlessLine,
    EmptyListing,
    Renumbering,
    LostQuit,
    FullDisk,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::Cut,
        Self::Silence,
        Self::EndOfFile,
        Self::Refusal,
        Self::Kill,
        Self::EndlessLine,
        Self::EmptyListing,
        Self::Renumbering,
        Self::LostQuit,
        Self::FullDisk,
    ];

    /// For the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cut => "link cut when message 4 is asked for",
            Self::Silence => "link silent in the middle of message 4",
            Self::EndOfFile => "end of file in the middle of message 4",
            Self::Refusal => "-ERR to message 4",
            Self::Kill => "SIGKILL in the middle of message 4",
            Self::EndlessLine => "message 4 is a line without an end",
            Self::EmptyListing => "the listing is empty, once (mail is kept)",
            Self::Renumbering => "all messages get new ids (mail is kept)",
            Self::LostQuit => "the reply to QUIT is lost",
            Self::FullDisk => "disk full from message 4 on",
        }
    }

    /// Whether mail stays on the server, and is collected once before it goes wrong.
    pub(crate) fn keeps_mail(self) -> bool {
        matches!(self, Self::EmptyListing | Self::Renumbering)
    }

    /// Whether the collector is killed once the server has gone silent. One that still reads an
    /// endless line would read on for ever.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::Kill | Self::EndlessLine)
    }

    /// Whether all goes well again within the run itself.
    pub(crate) fn is_harmless(self) -> bool {
        self.keeps_mail()
    }

    /// The server before it goes wrong.
    pub(crate) fn server(self) -> Server {
        let server = Server::new(&[]);
        (1..=MESSAGES).for_each(|n| server.add(&format!("id-{n}"), &self.message(n)));
        server.quirks(sound());
        server
    }

    /// Makes it go wrong.
    pub(crate) fn begin(self, server: &Server) {
        let quirks = match self {
            Self::Cut => Quirks { breaks_at: Some(AT), ..sound() },
            Self::Silence | Self::Kill => Quirks { stalls_in: Some(AT), ..sound() },
            Self::EndOfFile => Quirks { breaks_in: Some(AT), ..sound() },
            Self::Refusal => Quirks { refuses: vec![AT], ..sound() },
            Self::EndlessLine => {
                Quirks { endless_line: Some(AT), stall: Some(ENDLESS_OCTETS), ..sound() }
            }
            Self::EmptyListing => Quirks { lists_nothing: true, ..sound() },
            Self::LostQuit => Quirks { quits_silently: true, ..sound() },
            Self::Renumbering | Self::FullDisk => sound(),
        };
        if self == Self::Renumbering {
            server.renumber();
        }
        server.quirks(quirks);
    }

    /// Ends it.
    pub(crate) fn end(server: &Server) {
        server.quirks(sound());
    }

    fn message(self, number: usize) -> String {
        let large = self == Self::FullDisk && number >= AT;
        let lines = if large { LARGE_LINES } else { 20 };
        format!(
            "From: Fred <fred@example.org>\r\nTo: alice@example.org\r\n\
             Date: Mon, 2 Feb 2026 10:00:0{number} +0000\r\n\
             Message-ID: <{number}@example.org>\r\nSubject: message {number}\r\n\r\n{}{}\r\n",
            "This is one line of the message.\r\n".repeat(lines),
            last_line(number)
        )
    }
}

/// By which a whole message is known.
pub(crate) fn last_line(number: usize) -> String {
    format!("The end of message {number}.")
}

fn sound() -> Quirks {
    Quirks { pipelining: true, capabilities: "TOP\r\nUIDL\r\n", ..Quirks::default() }
}
