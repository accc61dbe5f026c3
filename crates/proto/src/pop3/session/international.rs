//! UTF8 and LANG (RFC 6856): what a client that is not for English alone may ask for.
//!
//! A part of the session: commands in, replies out; and which form of its messages a client gets.
//! Texts change with the language, response codes never do. Neither command is an offence where it
//! is refused, but `UTF8` after the login.

use super::super::{Language, Refusal, ResponseCode, WithoutUtf8};
use super::{Phase, Session, Text};
use crate::{MessageNumber, Snapshot};

impl<B> Session<B> {
    /// `UTF8`: from here on messages may be sent as they are (section 2.1).
    pub(super) fn begin_utf8(&mut self) {
        if self.is_logged_in() {
            self.bad_line("UTF8 comes before the login");
        } else {
            self.utf8 = true;
            self.ok("UTF-8 it is");
        }
    }

    /// The maildrop as this client may see it.
    pub(super) fn shown(&self, snapshot: Snapshot) -> Snapshot {
        if !self.utf8 && self.settings.without_utf8 == WithoutUtf8::Downgrade {
            snapshot.in_surrogates()
        } else {
            snapshot
        }
    }

    /// Refuses a message that this client could not read (section 5).
    pub(super) fn readable(&self, number: MessageNumber) -> Result<MessageNumber, Refusal> {
        let Phase::Transaction(opened) = &self.phase else { return Ok(number) };
        let refuses = !self.utf8 && self.settings.without_utf8 == WithoutUtf8::Refuse;
        if refuses && opened.snapshot.has_surrogate(number) {
            let text = "This message needs UTF-8 mode: UTF8 before the login";
            return Err(Refusal::new(ResponseCode::Utf8, text));
        }
        Ok(number)
    }

    /// `LANG`: lists the languages, or changes to another (section 3). The reply is in the new
    /// language already.
    pub(super) fn lang(&mut self, range: Option<&[u8]>) {
        let language = match range {
            None => return self.list_languages(),
            Some(b"*") => Some(self.settings.language),
            Some(range) => str::from_utf8(range).ok().and_then(Language::matching),
        };
        let Some(language) = language else {
            self.err(&Refusal::plain("No such language, LANG lists those there are"));
            return;
        };
        self.language = language;
        let text = Text::from("Language changed").said_in(language);
        self.put(format_args!("+OK {} {text}\r\n", language.tag()));
    }

    fn list_languages(&mut self) {
        self.ok("Languages follow");
        for language in Language::ALL {
            self.put(format_args!("{} {}\r\n", language.tag(), language.name()));
        }
        self.put(format_args!(".\r\n"));
    }
}
