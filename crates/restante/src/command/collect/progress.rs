//! Progress of `restante collect` on standard error: a bar for each account on a terminal, plain
//! lines elsewhere.
//!
//! A run may take several sessions, each with a plan of its own: what a plan says is what is left
//! to do, on top of what was done.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressStyle};
use restante_collect::{Event, Observer, Planned};

/// Shows what goes on.
#[derive(Debug)]
pub(crate) struct Progress {
    how: How,
    accounts: Mutex<HashMap<String, Counts>>,
}

#[derive(Debug)]
enum How {
    Bars(MultiProgress),
    Lines,
    Quiet,
}

#[derive(Debug, Default)]
struct Counts {
    octets: u64,
    messages: u64,
    messages_planned: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing is shown with `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        let how = if quiet {
            How::Quiet
        } else if io::stderr().is_terminal() {
            How::Bars(MultiProgress::new())
        } else {
            How::Lines
        };
        Self { how, accounts: Mutex::default() }
    }

    /// Leaves the screen to others.
    pub(crate) fn finish(&self) {
        if let How::Bars(bars) = &self.how {
            // What is left of a bar is not worth an error.
            let _ = bars.clear();
        }
    }

    fn line(&self, account: &str, text: &str) {
        let line = format!("{account}: {text}");
        // Progress that nobody can read is no reason to stop.
        let _ = match &self.how {
            How::Bars(bars) => bars.println(line),
            How::Lines => writeln!(io::stderr().lock(), "{line}"),
            How::Quiet => Ok(()),
        };
    }

    fn plan(&self, account: &str, counts: &mut Counts, planned: &Planned) {
        let first = counts.messages_planned == 0;
        counts.messages_planned = counts.messages + planned.fetch;
        match &self.how {
            How::Bars(bars) if planned.fetch > 0 => {
                let shown = counts.messages_shown();
                let bar = counts.bar.get_or_insert_with(|| {
                    let bar = bars.add(ProgressBar::new(0).with_style(style()));
                    bar.with_prefix(account.to_owned())
                });
                bar.set_length(counts.octets.saturating_add(planned.octets));
                bar.set_message(shown);
            }
            How::Lines if first && planned.fetch > 0 => {
                let octets = DecimalBytes(planned.octets);
                self.line(account, &format!("fetching {} ({octets})", messages(planned.fetch)));
            }
            How::Bars(_) | How::Lines | How::Quiet => {}
        }
    }

    fn stored(&self, account: &str, counts: &mut Counts) {
        counts.messages += 1;
        match (&self.how, &counts.bar) {
            (_, Some(bar)) => bar.set_message(counts.messages_shown()),
            (How::Lines, None) if counts.messages.is_multiple_of(LINE_EVERY_MESSAGES) => {
                let octets = DecimalBytes(counts.octets);
                self.line(account, &format!("{} ({octets})", counts.messages_shown()));
            }
            _ => {}
        }
    }
}

impl Counts {
    fn messages_shown(&self) -> String {
        format!("{} of {}", self.messages, messages(self.messages_planned))
    }
}

impl Observer for Progress {
    fn event(&self, account: &str, event: &Event) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = accounts.entry(account.to_owned()).or_default();
        match event {
            Event::Planned(planned) => self.plan(account, counts, planned),
            Event::Received { octets } => {
                counts.octets += octets;
                if let Some(bar) = &counts.bar {
                    bar.inc(*octets);
                }
            }
            Event::Stored { .. } => self.stored(account, counts),
            Event::SetAside { number, reason } => {
                self.line(account, &format!("message {number} is set aside: {reason}"));
            }
            Event::Waiting { seconds } => {
                self.line(account, &format!("waiting {seconds} s, as the server asks"));
            }
            Event::Warning(warning) => self.line(account, &format!("warning: {warning}")),
            _ => {}
        }
    }
}

/// So many messages, in words.
pub(super) fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn style() -> ProgressStyle {
    let template = "{prefix} {bar:20} {msg}, {decimal_bytes}/{decimal_total_bytes}, \
                    {decimal_bytes_per_sec}, {eta} left";
    // A template that does not parse is shown in the library's own style.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

const LINE_EVERY_MESSAGES: u64 = 500;
