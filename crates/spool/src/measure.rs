//! What a file is measured for: its exact size (RFC 1939 section 11) and what is in it.
//!
//! In: a path. Out: octets or an id. Fails as the system calls do.

use std::io;
use std::path::Path;

use restante_host::Fs;
use restante_maildrop::UniqueId;
use restante_proto::Extent;
use restante_proto::dot::Counter;
use restante_proto::top::Cutter;
use sha2::{Digest, Sha256};

use crate::name;

/// The message's size as RFC 1939 counts it: told by the name when that is true of the file, else
/// counted. `file_octets` is the size on the disk.
pub(crate) fn octets(fs: &dyn Fs, path: &Path, base: &[u8], file_octets: u64) -> io::Result<u64> {
    if let Some((_, wire)) = name::sizes(base).filter(|(file, _)| *file == file_octets) {
        // Others do not count the line end that the last line may lack; one look tells.
        if name::is_ours(base) || file_octets == 0 || ends_in_lf(fs, path, file_octets)? {
            return Ok(wire);
        }
    }
    let mut counter = Counter::default();
    read_through(fs, path, &mut |chunk| counter.push(chunk))?;
    Ok(counter.finish().to_u64())
}

/// An id that stands for the base name and the contents.
pub(crate) fn digest(fs: &dyn Fs, path: &Path, base: &[u8]) -> io::Result<UniqueId> {
    let mut hash = Sha256::new();
    read_through(fs, path, &mut |chunk| hash.update(chunk))?;
    Ok(name::hashed_id(&[base, &hash.finalize()]))
}

/// Whether a blank line ends the header: where `TOP n 0` would end.
pub(crate) fn has_blank_line(fs: &dyn Fs, path: &Path) -> io::Result<bool> {
    let file = fs.open(path)?;
    let mut cutter = Cutter::new(Extent::Top { body_lines: 0 });
    let (mut offset, mut buffer) = (0, vec![0; HEADER_CHUNK_OCTETS]);
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        cutter.take(buffer.get(..read).unwrap_or_default());
        if read == 0 || cutter.is_done() {
            return Ok(cutter.is_done());
        }
        offset += read as u64;
        // Most headers are short; what is not one is read in large pieces.
        buffer.resize(CHUNK_OCTETS, 0);
    }
}

fn ends_in_lf(fs: &dyn Fs, path: &Path, file_octets: u64) -> io::Result<bool> {
    let mut last = [0];
    let read = fs.open(path)?.read_at(&mut last, file_octets.saturating_sub(1))?;
    Ok((read, last) == (1, *b"\n"))
}

pub(crate) fn read_through(
    fs: &dyn Fs,
    path: &Path,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let file = fs.open(path)?;
    let mut buffer = vec![0; CHUNK_OCTETS];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok(());
        }
        each(buffer.get(..read).unwrap_or_default());
        offset += read as u64;
    }
}

const HEADER_CHUNK_OCTETS: usize = 8 * 1024;
const CHUNK_OCTETS: usize = 64 * 1024;
