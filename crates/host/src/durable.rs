//! The one door to a visible file: sync the file, rename it, sync the directory.
//!
//! In: a finished temporary file on the same file system. Out: the file under its name, which
//! survives a power cut once the call returns. On any error the temporary file is removed and
//! what stood under the name before is untouched, with one exception that cannot be avoided:
//! when the last step (syncing the directory) fails, the new name is already visible but may not
//! survive. [`publish`] takes it back; [`replace`] cannot.

use std::io;
use std::path::{Path, PathBuf};

use crate::{File, Fs};

/// Makes a new file visible under a name that must be free.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the name is taken; otherwise as the failing step.
/// Nothing is visible after an error.
pub fn publish(fs: &dyn Fs, file: Box<dyn File>, temp: &Path, name: &Path) -> io::Result<()> {
    publish_as(fs, file, temp, &mut std::iter::once(Ok(name.to_owned()))).map(drop)
}

/// Makes a new file visible under the first of `names` that is free, and says which that was.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when all names are taken; otherwise as the failing step.
/// Nothing is visible after an error.
pub fn publish_as(
    fs: &dyn Fs,
    mut file: Box<dyn File>,
    temp: &Path,
    names: &mut dyn Iterator<Item = io::Result<PathBuf>>,
) -> io::Result<PathBuf> {
    let renamed = file.sync().and_then(|()| rename_to_free(fs, temp, names));
    drop(file);
    let name = renamed.inspect_err(|_| discard(fs, temp))?;
    fs.sync_dir(parent(&name)).inspect_err(|_| discard(fs, &name))?;
    Ok(name)
}

/// Moves a file that is visible to the first of `names` that is free. The caller syncs both
/// directories, once for all that it moves.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when all names are taken; otherwise as the failing step. The
/// file still has its old name then.
pub fn move_to(
    fs: &dyn Fs,
    from: &Path,
    names: impl IntoIterator<Item = PathBuf>,
) -> io::Result<()> {
    for name in names {
        match fs.rename_no_replace(from, &name) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // An earlier move in two steps came no further than the first.
                if is_same(fs, from, &name) {
                    return fs.unlink(from);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Puts a file in place of what had its name, atomically: readers see the old or the new one.
///
/// # Errors
/// As the failing step; the old contents stand unless only the directory sync failed.
pub fn replace(fs: &dyn Fs, mut file: Box<dyn File>, temp: &Path, name: &Path) -> io::Result<()> {
    let renamed = file.sync().and_then(|()| fs.rename(temp, name));
    drop(file);
    if let Err(error) = renamed {
        discard(fs, temp);
        return Err(error);
    }
    fs.sync_dir(parent(name))
}

/// Writes `contents` and [`replace`]s the file `name` with it. The temporary file is `name` with
/// `.tmp` added; a leftover of a crash is overwritten, so callers hold a lock.
///
/// # Errors
/// As the failing step; the old contents stand unless only the directory sync failed.
pub fn write(fs: &dyn Fs, name: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    write_with(fs, name, contents, mode, |_| Ok(()))
}

/// The same; a file that was there keeps its owner, its group and its permissions. Others may
/// read it by these, so when they cannot be kept nothing is changed.
///
/// # Errors
/// As [`write()`].
pub fn rewrite(fs: &dyn Fs, name: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    write_with(fs, name, contents, mode, |temp| match fs.copy_access(name, temp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    })
}

/// The same; a file that was not there gets those of `model`, so that whoever reads that can read
/// this, too. Who may not give them away has it as [`write()`] makes it.
///
/// # Errors
/// As [`write()`].
pub fn rewrite_like(
    fs: &dyn Fs,
    name: &Path,
    model: &Path,
    contents: &[u8],
    mode: u32,
) -> io::Result<()> {
    write_with(fs, name, contents, mode, |temp| match fs.copy_access(name, temp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match fs.copy_access(model, temp).map_err(|error| (error.kind(), error)) {
                Err((io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied, _)) => Ok(()),
                other => other.map_err(|(_, error)| error),
            }
        }
        other => other,
    })
}

fn write_with(
    fs: &dyn Fs,
    name: &Path,
    contents: &[u8],
    mode: u32,
    prepare: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut temp = name.as_os_str().to_owned();
    temp.push(".tmp");
    let temp = Path::new(&temp);
    match fs.unlink(temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs.create_new(temp, mode)?;
    // Access first: what is written must never be open to more than the file was.
    if let Err(error) = prepare(temp).and_then(|()| file.write_all(contents)) {
        drop(file);
        discard(fs, temp);
        return Err(error);
    }
    replace(fs, file, temp, name)
}

/// Reads a whole file of at most `octets_max`.
///
/// # Errors
/// As the system calls; [`io::ErrorKind::FileTooLarge`] when it holds more.
pub fn read(fs: &dyn Fs, name: &Path, octets_max: u64) -> io::Result<Vec<u8>> {
    let file = fs.open(name)?;
    let mut contents = Vec::new();
    let mut chunk = vec![0; CHUNK_OCTETS];
    loop {
        let offset = contents.len() as u64;
        if offset > octets_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match file.read_at(&mut chunk, offset)? {
            0 => return Ok(contents),
            read => contents.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
}

fn rename_to_free(
    fs: &dyn Fs,
    temp: &Path,
    names: &mut dyn Iterator<Item = io::Result<PathBuf>>,
) -> io::Result<PathBuf> {
    for name in names {
        let name = name?;
        match fs.rename_no_replace(temp, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // In two steps, and only the first was done: the file is visible, and somebody may
            // have seen it, so calling that an error would bring it a second time.
            Err(_) if is_same(fs, temp, &name) => {
                discard(fs, temp);
                return Ok(name);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn is_same(fs: &dyn Fs, one: &Path, other: &Path) -> bool {
    let identity = |path| fs.stat(path).map(|stat| stat.identity);
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

fn discard(fs: &dyn Fs, path: &Path) {
    // Best effort: the caller reports the error that brought us here, and a leftover in a
    // temporary place is cleaned up by its owner.
    let _ = fs.unlink(path);
}

fn parent(name: &Path) -> &Path {
    match name.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

const CHUNK_OCTETS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostFs;

    #[test]
    fn publish_never_overwrites_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let (temp, name) = (dir.path().join("t"), dir.path().join("n"));
        for (contents, expected) in [(b"one", Ok(())), (b"two", Err(io::ErrorKind::AlreadyExists))]
        {
            let mut file = HostFs.create_new(&temp, 0o600).unwrap();
            file.write_all(contents).unwrap();
            let published = publish(&HostFs, file, &temp, &name);
            assert_eq!(published.map_err(|error| error.kind()), expected);
            assert!(!temp.exists());
        }
        assert_eq!(read(&HostFs, &name, 10).unwrap(), b"one");
    }

    #[test]
    fn publish_as_takes_the_first_free_name() {
        let dir = tempfile::tempdir().unwrap();
        let temp = dir.path().join("t");
        std::fs::write(dir.path().join("a"), "taken").unwrap();
        let file = HostFs.create_new(&temp, 0o600).unwrap();
        let mut names = ["a", "b", "c"].map(|name| Ok(dir.path().join(name))).into_iter();
        let name = publish_as(&HostFs, file, &temp, &mut names).unwrap();
        assert_eq!(name, dir.path().join("b"));
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"taken");
        assert!(!temp.exists() && !dir.path().join("c").exists());
    }

    #[test]
    fn move_to_overwrites_nothing_and_finishes_what_was_half_done() {
        let dir = tempfile::tempdir().unwrap();
        let [from, taken, free] = ["from", "taken", "free"].map(|name| dir.path().join(name));
        std::fs::write(&from, "moved").unwrap();
        std::fs::write(&taken, "taken").unwrap();
        let none = move_to(&HostFs, &from, [taken.clone()]).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::AlreadyExists);
        move_to(&HostFs, &from, [taken.clone(), free.clone()]).unwrap();
        std::fs::hard_link(&free, &from).unwrap();
        move_to(&HostFs, &from, [taken.clone(), free.clone()]).unwrap();
        assert!(!from.exists());
        assert_eq!(std::fs::read(&free).unwrap(), b"moved");
        assert_eq!(std::fs::read(&taken).unwrap(), b"taken");
    }

    #[test]
    fn write_replaces_and_overwrites_the_leftover_of_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join("n");
        std::fs::write(dir.path().join("n.tmp"), "torn").unwrap();
        write(&HostFs, &name, b"one", 0o600).unwrap();
        write(&HostFs, &name, b"two", 0o600).unwrap();
        assert_eq!(read(&HostFs, &name, 3).unwrap(), b"two");
        assert_eq!(read(&HostFs, &name, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(!dir.path().join("n.tmp").exists());
    }
}
