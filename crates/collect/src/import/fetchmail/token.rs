//! The tokens of a `.fetchmailrc`.
//!
//! In: its text. Out: words and quoted strings with their lines. Commas, colons, semicolons and
//! equals signs part words and mean nothing. A string that does not end is an error.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::str::Chars;

use super::super::ImportError;

/// A word or a quoted string.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) line: usize,
    text: String,
    quoted: bool,
    /// In lower case, for keywords.
    lower: String,
}

/// Those that are left.
#[derive(Debug)]
pub(super) struct Tokens {
    left: VecDeque<Token>,
    line: usize,
}

impl Token {
    /// The keyword it may be; a quoted string is none.
    pub(super) fn keyword(&self) -> &str {
        if self.quoted { "" } else { &self.lower }
    }
}

impl Tokens {
    pub(super) fn new(text: &str) -> Result<Self, ImportError> {
        let mut left = VecDeque::new();
        let mut characters = text.chars().peekable();
        let mut line = 1;
        while let Some(&first) = characters.peek() {
            let begins = line;
            let (text, quoted) = match first {
                '#' => {
                    while characters.next_if(|c| *c != '\n').is_some() {}
                    continue;
                }
                '"' | '\'' => {
                    characters.next();
                    (string(&mut characters, first, &mut line)?, true)
                }
                _ if is_between(first) => {
                    line += usize::from(first == '\n');
                    characters.next();
                    continue;
                }
                _ => {
                    let mut word = String::new();
                    while let Some(c) = characters.next_if(|c| !is_between(*c) && *c != '#') {
                        word.extend(if c == '\\' { escaped(&mut characters) } else { Some(c) });
                    }
                    (word, false)
                }
            };
            left.push_back(Token { line: begins, lower: text.to_lowercase(), text, quoted });
        }
        Ok(Self { left, line: 1 })
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.left.pop_front()?;
        self.line = token.line;
        Some(token)
    }

    /// The value that has to be next.
    pub(super) fn text(&mut self) -> Result<String, ImportError> {
        let token = self.next();
        token.map(|token| token.text).ok_or_else(|| self.wrong("something is missing".to_owned()))
    }

    /// The next one, if it is one of these words.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let found = self.left.front().is_some_and(|token| words.contains(&token.keyword()));
        found && self.next().is_some()
    }

    pub(super) fn text_that_is_no_keyword(
        &mut self,
        is_keyword: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let token = self.left.front()?;
        if !token.quoted && is_keyword(&token.lower) {
            return None;
        }
        self.next().map(|token| token.text)
    }

    /// An error where the reader is.
    pub(super) fn wrong(&self, message: String) -> ImportError {
        ImportError { line: self.line, message }
    }
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || ",:;=".contains(c)
}

fn string(
    characters: &mut Peekable<Chars<'_>>,
    quote: char,
    line: &mut usize,
) -> Result<String, ImportError> {
    let begins = *line;
    let mut text = String::new();
    while let Some(c) = characters.next() {
        *line += usize::from(c == '\n');
        match c {
            _ if c == quote => return Ok(text),
            '\\' => {
                *line += usize::from(characters.peek() == Some(&'\n'));
                text.extend(escaped(characters));
            }
            _ => text.push(c),
        }
    }
    Err(ImportError { line: begins, message: "a string does not end".to_owned() })
}

/// What a backslash and what is behind it stand for.
///
/// ```text
/// escape = "\" ( "n" / "t" / "b" / "r" / 1*3DIGIT / "0" 1*3OCTAL / "x" 1*2HEX / LF / other )
/// ```
fn escaped(characters: &mut Peekable<Chars<'_>>) -> Option<char> {
    let first = characters.next()?;
    let (radix, digits) = match first {
        '\n' => return None,
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'b' => return Some('\u{8}'),
        'r' => return Some('\r'),
        'x' => (16, 2),
        '0' => (8, 3),
        '1'..='9' => (10, 2),
        other => return Some(other),
    };
    let mut value = if radix == 10 { first.to_digit(10)? } else { 0 };
    for _ in 0..digits {
        let Some(digit) = characters.peek().and_then(|c| c.to_digit(radix)) else { break };
        characters.next();
        value = value * radix + digit;
    }
    char::from_u32(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_unescaped_as_fetchmail_does_it() {
        for (text, expected) in [
            (r#""a b""#, "a b"),
            (r"'a\'b'", "a'b"),
            (r#""\x41\065\66\n\\""#, "A5B\n\\"),
            ("\"a\\\nb\"", "ab"),
            (r"a\ b", "a b"),
            (r"\233", "\u{e9}"),
        ] {
            let mut tokens = Tokens::new(text).unwrap();
            assert_eq!(tokens.text().unwrap(), expected, "{text}");
            assert!(tokens.next().is_none(), "{text}");
        }
        assert!(Tokens::new("'a").is_err());
    }
}
