//! Which messages have a surrogate for clients without UTF-8, and how large it is.
//!
//! In: entries, of which some are not known yet. Out: the same, all known that can be read. Each
//! such file is read once in its life, whole: the header of a MIME part may stand anywhere.

use std::io;

use restante_host::Fs;
use restante_proto::surrogate::SurrogateCounter;

use crate::listing::Entry;
use crate::maildir::Maildir;
use crate::measure;

/// What is known of a message's surrogate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Surrogate {
    /// Nothing: nobody has asked yet.
    #[default]
    Unknown,
    /// The message is for everybody as it is.
    None,
    /// It has one of so many octets, as RFC 1939 counts them.
    Octets(u64),
}

/// Learns what is not known yet, and says whether it did. A file that cannot be read stays unknown
/// and is listed as it is.
pub(crate) fn learn(fs: &dyn Fs, maildir: &Maildir, entries: &mut [Entry]) -> bool {
    let mut learnt = false;
    for entry in entries.iter_mut().filter(|entry| entry.surrogate == Surrogate::Unknown) {
        let path = maildir.message(entry.place, &entry.name);
        let mut counter = SurrogateCounter::default();
        match measure::read_through(fs, &path, &mut |chunk| counter.push(chunk)) {
            Ok(()) => {
                let octets = counter.finish().map(|octets| Surrogate::Octets(octets.to_u64()));
                entry.surrogate = octets.unwrap_or(Surrogate::None);
                learnt = true;
            }
            // Another program moved or removed it since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read a message's headers");
            }
        }
    }
    learnt
}
