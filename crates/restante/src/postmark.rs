//! The `From ` line that pipe transports put before a message, as in an mbox; it is no part of it.
//!
//! In: the message in any chunking. Out: the same without a first line that begins with `From `.
//! Nothing fails, and no more than five octets are kept back.

/// Takes the line away from the beginning of one message.
#[derive(Debug)]
pub(crate) enum Postmark {
    /// So many octets of the mark were seen, and nothing else.
    Matched(usize),
    /// In the line, whose end was not seen yet.
    Inside,
    /// Past it, or there is none.
    Done,
}

impl Default for Postmark {
    fn default() -> Self {
        Self::Matched(0)
    }
}

impl Postmark {
    /// What `chunk` adds to the message, in up to two pieces.
    pub(crate) fn strip<'a>(&mut self, mut chunk: &'a [u8]) -> [&'a [u8]; 2] {
        let mut held: &[u8] = b"";
        if let Self::Matched(seen) = *self {
            let expected = MARK.get(seen..).unwrap_or_default();
            let compared = expected.len().min(chunk.len());
            if chunk.get(..compared) != expected.get(..compared) {
                held = MARK.get(..seen).unwrap_or_default();
                *self = Self::Done;
            } else if compared < expected.len() {
                *self = Self::Matched(seen + compared);
                return [held, b""];
            } else {
                *self = Self::Inside;
            }
        }
        if let Self::Inside = *self {
            chunk = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => {
                    *self = Self::Done;
                    chunk.get(end + 1..).unwrap_or_default()
                }
                None => b"",
            };
        }
        [held, chunk]
    }

    /// What was kept back when the message ends here.
    pub(crate) fn finish(self) -> &'static [u8] {
        match self {
            Self::Matched(seen) => MARK.get(..seen).unwrap_or_default(),
            Self::Inside | Self::Done => b"",
        }
    }
}

const MARK: &[u8] = b"From ";

#[cfg(test)]
mod tests {
    use super::*;

    fn strip<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut postmark = Postmark::default();
        let mut message = Vec::new();
        for chunk in chunks {
            for piece in postmark.strip(chunk) {
                message.extend_from_slice(piece);
            }
        }
        message.extend_from_slice(postmark.finish());
        message
    }

    #[test]
    fn a_first_from_line_goes_and_nothing_else_in_any_chunking() {
        for (message, expected) in [
            ("From a@b Tue\nSubject: x\n\nFrom here\n", "Subject: x\n\nFrom here\n"),
            ("From a@b\r\nFrom b\r\n", "From b\r\n"),
            ("From: a@b\nFrom c\n", "From: a@b\nFrom c\n"),
            ("From a@b without an end", ""),
            ("From \n", ""),
            ("From", "From"),
            ("Fr", "Fr"),
            ("from a\n", "from a\n"),
            (" From a\n", " From a\n"),
            ("Fro\nm", "Fro\nm"),
            ("", ""),
        ] {
            let message = message.as_bytes();
            assert_eq!(strip(message.chunks(1)), expected.as_bytes());
            for i in 0..=message.len() {
                for j in i..=message.len() {
                    let chunks = [&message[..i], &message[i..j], &message[j..]];
                    assert_eq!(strip(chunks), expected.as_bytes(), "{chunks:?}");
                }
            }
        }
    }
}
