//! Whose a new file or folder is: its creator's, or, when root creates it, the owner's of the
//! folder it lies in.
//!
//! In: what is to be created. Out: an open file, or folders. Fails as the system calls do; a root
//! without the right to give files away creates nothing in folders that are not its own. What
//! exists already keeps its owner: its name may be a link that somebody else has made.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Opens a file that must not exist yet.
pub(crate) fn create_new(path: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CREATE | OFlags::EXCL;
    let file = fs::openat(CWD, path, flags, Mode::from_raw_mode(mode))?;
    if let Err(error) = give_away(&file, path) {
        // The name was free, so what is there now is ours to remove.
        let _ = fs::unlinkat(CWD, path, AtFlags::empty());
        return Err(error);
    }
    Ok(file)
}

/// Opens a file that may exist.
pub(crate) fn open_or_create(path: &Path, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
    if !geteuid().is_root() {
        let flags = flags | OFlags::CREATE;
        return Ok(fs::openat(CWD, path, flags, Mode::from_raw_mode(mode))?);
    }
    match create_new(path, flags, mode) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(fs::openat(CWD, path, flags, Mode::empty())?)
        }
        other => other,
    }
}

/// Creates a folder and its missing parents.
pub(crate) fn create_dir_all(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if geteuid().is_root() {
        let mut missing = Vec::new();
        for ancestor in path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
            match fs::statat(CWD, ancestor, AtFlags::empty()) {
                Err(Errno::NOENT) => missing.push(ancestor),
                _ => break,
            }
        }
        for folder in missing.into_iter().rev() {
            match fs::mkdirat(CWD, folder, Mode::from_raw_mode(mode)) {
                // Somebody else has just made it, and owns it.
                Err(Errno::EXIST) => continue,
                other => other?,
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            give_away(fs::openat(CWD, folder, flags, Mode::empty())?, folder)?;
        }
    }
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Gives `to` the owner, the group and the permissions of `from`.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let wanted = fs::statat(CWD, from, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = fs::openat(CWD, to, flags, Mode::empty())?;
    let own = fs::fstat(&file)?;
    if (own.st_uid, own.st_gid) != (wanted.st_uid, wanted.st_gid) {
        let owner = (Uid::from_raw(wanted.st_uid), Gid::from_raw(wanted.st_gid));
        fs::fchown(&file, Some(owner.0), Some(owner.1))?;
    }
    // After the owner: a change of owner may take permissions away, and the group that may read
    // the file is the right one by now.
    Ok(fs::fchmod(&file, Mode::from_raw_mode(wanted.st_mode))?)
}

/// Gives what root has just created at `path` to the owner of the folder it lies in.
fn give_away(created: impl AsFd, path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::statat(CWD, parent.unwrap_or_else(|| Path::new(".")), AtFlags::empty())?;
    let own = fs::fstat(&created)?;
    // Not root's own: it was exchanged since, and is not ours to give.
    if parent.st_uid == 0 || own.st_uid != 0 {
        return Ok(());
    }
    let owner = (Uid::from_raw(parent.st_uid), Gid::from_raw(parent.st_gid));
    fs::fchown(created, Some(owner.0), Some(owner.1)).map_err(|error| {
        let path = path.display();
        let why = format!("cannot give {path} to the owner of its folder ({error}); run as them");
        io::Error::new(io::Error::from(error).kind(), why)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    use super::*;
    use crate::{Fs as _, HostFs};

    fn owner(path: &Path) -> (u32, u32) {
        let stat = std::fs::symlink_metadata(path).unwrap();
        (stat.uid(), stat.gid())
    }

    #[test]
    fn a_copy_of_the_access_is_owner_group_and_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        std::fs::write(&from, "").unwrap();
        std::fs::write(&to, "").unwrap();
        std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        if geteuid().is_root() {
            chown(&from, Some(4321), Some(4322)).unwrap();
        }
        HostFs.copy_access(&from, &to).unwrap();
        assert_eq!(owner(&to), owner(&from));
        assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640);
    }

    /// Goal: whoever else creates it, a file is its creator's; by root, its folder's owner's.
    #[test]
    fn what_root_creates_is_the_owners_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mail = dir.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        let mine = owner(&mail);
        let expected = if geteuid().is_root() {
            chown(&mail, Some(4321), Some(4322)).unwrap();
            (4321, 4322)
        } else {
            mine
        };
        let deep = mail.join("a/b/c");
        HostFs.create_dir_all(&deep, 0o700).unwrap();
        HostFs.create_dir_all(&deep, 0o700).unwrap();
        drop(HostFs.create_new(&deep.join("new"), 0o600).unwrap());
        drop(HostFs.append(&deep.join("appended"), 0o600).unwrap());
        drop(HostFs.try_lock(&deep.join("lock")).unwrap().unwrap());
        for path in ["a", "a/b", "a/b/c", "a/b/c/new", "a/b/c/appended", "a/b/c/lock"] {
            assert_eq!(owner(&mail.join(path)), expected, "{path}");
        }
        // In a folder of its own, and where the file was there before, nothing changes hands.
        drop(HostFs.create_new(&dir.path().join("own"), 0o600).unwrap());
        assert_eq!(owner(&dir.path().join("own")), mine);
        let precious = dir.path().join("own");
        std::fs::hard_link(&precious, deep.join("planted")).unwrap();
        drop(HostFs.append(&deep.join("planted"), 0o600).unwrap());
        drop(HostFs.try_lock(&deep.join("planted")).unwrap());
        symlink(&precious, deep.join("link")).unwrap();
        assert!(HostFs.append(&deep.join("link"), 0o600).is_err());
        assert_eq!(owner(&precious), mine);
    }
}
