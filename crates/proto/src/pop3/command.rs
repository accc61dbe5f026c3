//! Client commands (RFC 1939, 2449, 2595, 5034, 6856): one line in, one [`Command`] out.
//!
//! `command = keyword *(SP argument)`; keywords are case-blind. Tolerant where real clients need
//! it: TAB or several spaces between arguments, spaces at the end, arguments behind `CAPA`, `STAT`
//! and `NOOP`, `TOP` without a number of lines (RFC 1460's own example has none). A strict listener
//! takes none of that. What `PASS` is given is taken
//! to the letter, spaces and all, as RFC 1939 section 7 allows. Arguments that name messages are
//! passed on as text: only the session knows which messages there are.

use std::fmt;

use crate::Secret;

/// A command, with arguments still in the client's own octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    User(&'a [u8]),
    Pass(Secret<Vec<u8>>),
    Apop {
        user: &'a [u8],
        digest: &'a [u8],
    },
    Auth {
        mechanism: Option<&'a [u8]>,
        initial: Option<&'a [u8]>,
    },
    Stls,
    Capa,
    Quit,
    Stat,
    List(Option<Number<'a>>),
    Uidl(Option<Number<'a>>),
    Retr(Number<'a>),
    Top(Number<'a>, Number<'a>),
    Dele(Number<'a>),
    Noop,
    Rset,
    /// Of older editions (RFC 1460); not for everybody.
    Last,
    Utf8,
    Lang(Option<&'a [u8]>),
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCommand {
    /// No command of this name.
    Unknown,
    /// Too many, too few or malformed arguments; the text says what is wanted.
    Arguments(&'static str),
    /// Other blanks between arguments than a strict listener takes.
    Spacing,
    /// A NUL: no client of this protocol sends that.
    Nul,
    /// The first words of another protocol, sent here by a browser tricked into it.
    OtherProtocol,
}

/// A numeric argument, not yet looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<'a>(&'a [u8]);

impl Number<'_> {
    /// `number = 1*DIGIT`: no sign, no spaces. Too large to count is the largest there is, which
    /// no message has and no message reaches. `None` when it is not a number.
    pub(crate) fn parse(self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.iter().try_fold(0_u64, |number, &byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
        })
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", self.0.escape_ascii())
    }
}

impl<'a> Command<'a> {
    /// Reads a line as a strict or a tolerant listener does.
    pub(crate) fn parse(line: &'a [u8], strict: bool) -> Result<Self, BadCommand> {
        if line.contains(&0) {
            return Err(BadCommand::Nul);
        }
        let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
        let (keyword, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
        let mut upper = [0_u8; KEYWORD_OCTETS_MAX];
        let Some(upper) = upper.get_mut(..keyword.len()) else { return Err(BadCommand::Unknown) };
        upper.copy_from_slice(keyword);
        upper.make_ascii_uppercase();
        let arguments = Arguments::of(rest);
        if strict && &*upper != b"PASS" && !is_well_spaced(rest) {
            return Err(BadCommand::Spacing);
        }
        let none_wanted =
            |form, command| if strict { arguments.none(form, command) } else { Ok(command) };
        match &*upper {
            b"USER" => Ok(Self::User(text(rest).ok_or(BadCommand::Arguments("USER name"))?)),
            b"PASS" => Ok(Self::Pass(Secret::new(rest.get(1..).unwrap_or_default().to_vec()))),
            b"APOP" => {
                let fields = text(rest).and_then(|rest| {
                    let blank = rest.iter().rposition(|byte| is_blank(*byte))?;
                    let (user, digest) = rest.split_at_checked(blank)?;
                    Some(Self::Apop { user: text(user)?, digest: text(digest)? })
                });
                fields.ok_or(BadCommand::Arguments("APOP name digest"))
            }
            b"AUTH" => match arguments {
                // A lone AUTH is no command of RFC 5034 section 5; Outlook sends it all the same.
                Arguments([None, ..]) if strict => {
                    Err(BadCommand::Arguments("AUTH mechanism [initial-response]"))
                }
                Arguments([mechanism, initial, None]) => Ok(Self::Auth { mechanism, initial }),
                Arguments(_) => Err(BadCommand::Arguments("AUTH mechanism [initial-response]")),
            },
            b"STLS" => arguments.none("STLS", Self::Stls),
            b"CAPA" => none_wanted("CAPA", Self::Capa),
            b"QUIT" => arguments.none("QUIT", Self::Quit),
            b"STAT" => none_wanted("STAT", Self::Stat),
            b"NOOP" => none_wanted("NOOP", Self::Noop),
            b"RSET" => arguments.none("RSET", Self::Rset),
            b"LAST" => arguments.none("LAST", Self::Last),
            b"LIST" => Ok(Self::List(arguments.one_at_most("LIST [message]")?)),
            b"UIDL" => Ok(Self::Uidl(arguments.one_at_most("UIDL [message]")?)),
            b"RETR" => Ok(Self::Retr(arguments.one("RETR message")?)),
            b"DELE" => Ok(Self::Dele(arguments.one("DELE message")?)),
            b"UTF8" => arguments.none("UTF8", Self::Utf8),
            b"LANG" => match arguments {
                Arguments([range, None, _]) => Ok(Self::Lang(range)),
                Arguments(_) => Err(BadCommand::Arguments("LANG [language]")),
            },
            b"TOP" => match arguments {
                Arguments([Some(message), Some(lines), None]) => {
                    Ok(Self::Top(Number(message), Number(lines)))
                }
                Arguments([Some(message), None, None]) if !strict => {
                    Ok(Self::Top(Number(message), Number(b"0")))
                }
                Arguments(_) => Err(BadCommand::Arguments("TOP message lines")),
            },
            // HTTP, and a header of the PROXY protocol from somebody who is no proxy of ours.
            b"GET" | b"POST" | b"HEAD" | b"PUT" | b"OPTIONS" | b"CONNECT" | b"DELETE"
            | b"PROXY" => Err(BadCommand::OtherProtocol),
            _ => Err(BadCommand::Unknown),
        }
    }
}

/// The first three words behind the keyword; no command has more than two.
#[derive(Debug, Clone, Copy)]
struct Arguments<'a>([Option<&'a [u8]>; 3]);

impl<'a> Arguments<'a> {
    fn of(rest: &'a [u8]) -> Self {
        let mut words = rest.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
        Self([words.next(), words.next(), words.next()])
    }

    fn none<C>(self, form: &'static str, command: C) -> Result<C, BadCommand> {
        match self.0 {
            [None, ..] => Ok(command),
            _ => Err(BadCommand::Arguments(form)),
        }
    }

    fn one(self, form: &'static str) -> Result<Number<'a>, BadCommand> {
        match self.0 {
            [Some(word), None, _] => Ok(Number(word)),
            _ => Err(BadCommand::Arguments(form)),
        }
    }

    fn one_at_most(self, form: &'static str) -> Result<Option<Number<'a>>, BadCommand> {
        match self.0 {
            [word, None, _] => Ok(word.map(Number)),
            _ => Err(BadCommand::Arguments(form)),
        }
    }
}

/// The rest of a line without the blanks around it, inner ones kept; `None` when it is empty.
fn text(rest: &[u8]) -> Option<&[u8]> {
    let start = rest.iter().position(|byte| !is_blank(*byte))?;
    let end = rest.iter().rposition(|byte| !is_blank(*byte))?;
    rest.get(start..=end)
}

/// `*(SP argument)` and nothing else.
fn is_well_spaced(rest: &[u8]) -> bool {
    let mut words = rest.split(|byte| *byte == b' ');
    words.next() == Some(b"") && words.all(|word| !word.is_empty() && !word.contains(&b'\t'))
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

const KEYWORD_OCTETS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;

    fn parse(line: &str) -> Result<Command<'_>, BadCommand> {
        Command::parse(line.as_bytes(), false)
    }

    fn parse_strictly(line: &str) -> Result<Command<'_>, BadCommand> {
        Command::parse(line.as_bytes(), true)
    }

    #[test]
    fn s1_a_strict_listener_takes_what_the_rfc_has_and_no_more() {
        for line in
            ["LIST 1", "lIsT 1", "LIST", "TOP 1 0", "USER DOMAIN\\a b", "CAPA", "AUTH PLAIN ="]
        {
            assert!(parse_strictly(line).is_ok(), "{line:?}");
            assert_eq!(parse_strictly(line), parse(line));
        }
        for line in [
            "LIST  1",
            "LIST\t1",
            "LIST 1 ",
            "LIST ",
            "LIST 1\t",
            "STAT ",
            "USER a ",
            "USER  a",
            "USER a\tb",
            "CAPA x",
            "STAT x",
            "NOOP x",
            "TOP 1",
            "AUTH",
        ] {
            assert!(parse(line).is_ok(), "{line:?}");
            let refused = [BadCommand::Spacing, BadCommand::Arguments("")];
            let same =
                |bad: &BadCommand| refused.iter().any(|r| discriminant(r) == discriminant(bad));
            assert!(parse_strictly(line).is_err_and(|bad| same(&bad)), "{line:?}");
        }
        let password = Command::Pass(Secret::new(b" a  b ".to_vec()));
        assert_eq!(parse_strictly("PASS  a  b "), Ok(password), "spaces are a password's own");
    }

    #[test]
    fn s1_keywords_are_case_blind_and_blanks_tolerated() {
        let list_1 = Ok(Command::List(Some(Number(b"1"))));
        for line in ["LIST 1", "lIsT 1", "LIST  1", "LIST\t1", "LIST 1 ", "LIST \t 1\t"] {
            assert_eq!(parse(line), list_1, "{line:?}");
        }
        for line in ["LIST", "LIST ", "list  "] {
            assert_eq!(parse(line), Ok(Command::List(None)), "{line:?}");
        }
        assert!(matches!(parse("LIST 1 junk"), Err(BadCommand::Arguments(_))));
    }

    #[test]
    fn s32_pass_takes_the_rest_of_the_line() {
        for (line, password) in [
            ("PASS a  b ", "a  b "),
            ("pass  x", " x"),
            ("PASS", ""),
            ("PASS ", ""),
            ("PASS\tx", "x"),
        ] {
            let expected = Command::Pass(Secret::new(password.as_bytes().to_vec()));
            assert_eq!(parse(line), Ok(expected), "{line:?}");
        }
        assert_eq!(parse("USER DOMAIN\\a b "), Ok(Command::User(b"DOMAIN\\a b")));
        assert!(matches!(parse("USER  "), Err(BadCommand::Arguments(_))));
    }

    #[test]
    fn s33_apop_takes_a_name_and_a_digest() {
        for (line, user) in [("APOP a b c4c9", "a b"), ("apop  fred \tc4c9 ", "fred")] {
            let expected = Command::Apop { user: user.as_bytes(), digest: b"c4c9" };
            assert_eq!(parse(line), Ok(expected), "{line:?}");
        }
        for line in ["APOP", "APOP fred", "APOP  c4c9 "] {
            assert!(matches!(parse(line), Err(BadCommand::Arguments(_))), "{line:?}");
        }
    }

    #[test]
    fn s9_malformed_lines_are_no_commands() {
        for line in ["", " STAT", "STATS", "XYZ", "STAT\r", ":", "Ä", "AUTHENTICATE X"] {
            assert_eq!(parse(line), Err(BadCommand::Unknown), "{line:?}");
        }
        for line in [
            "RETR",
            "DELE",
            "TOP",
            "TOP 1 2 3",
            "QUIT now",
            "STLS x",
            "AUTH a b c",
            "UTF8 x",
            "LANG a b",
        ] {
            assert!(matches!(parse(line), Err(BadCommand::Arguments(_))), "{line:?}");
        }
        assert_eq!(parse("STAT\0"), Err(BadCommand::Nul));
        assert_eq!(parse("GET / HTTP/1.1"), Err(BadCommand::OtherProtocol));
    }

    #[test]
    fn s23_numbers_are_digits_only() {
        for (text, number) in [
            ("1", Some(1)),
            ("01", Some(1)),
            ("0", Some(0)),
            ("4294967297", Some(4_294_967_297)),
            ("99999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1a", None),
            ("\u{661}", None),
        ] {
            assert_eq!(Number(text.as_bytes()).parse(), number, "{text:?}");
        }
    }
}
