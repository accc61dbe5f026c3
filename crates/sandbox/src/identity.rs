//! The user a server becomes once its ports are open.
//!
//! In: a user's name and perhaps a group's. Out: a process that is that user in every respect
//! (real, effective and saved ids, supplementary groups), for good.

use std::ffi::CString;
use std::fmt;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getresgid, getresuid, setgroups, setresgid, setresuid,
};

/// A user of the system, with the groups it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    user: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// A process cannot become that user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The system knows no such user.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// The system knows no such group.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// Root is what is to be given up.
    #[error("`{0}` is root, who can do too much; name another user")]
    Root(String),
    /// Only root can become somebody else.
    #[error("only root can become `{0}`; start as root or as `{0}`")]
    NotRoot(String),
    /// The system refused.
    #[error("cannot become `{user}`")]
    System {
        /// Who.
        user: String,
        /// Why.
        #[source]
        source: Errno,
    },
}

impl Identity {
    /// Looks a user up, with another group than its own if one is named.
    ///
    /// # Errors
    /// [`IdentityError`]: there is no such user or group, it is root, or the system cannot tell.
    pub fn find(user: &str, group: Option<&str>) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::System { user: user.to_owned(), source };
        let found = User::from_name(user).map_err(failed)?;
        let found = found.ok_or_else(|| IdentityError::NoUser(user.to_owned()))?;
        if found.uid.is_root() {
            return Err(IdentityError::Root(user.to_owned()));
        }
        let gid = match group {
            None => found.gid,
            Some(group) => match Group::from_name(group).map_err(failed)? {
                Some(group) => group.gid,
                None => return Err(IdentityError::NoGroup(group.to_owned())),
            },
        };
        // A name the system has found holds no NUL.
        let name = CString::new(user).map_err(|_| IdentityError::NoUser(user.to_owned()))?;
        let groups = getgrouplist(&name, gid).map_err(failed)?;
        Ok(Self { user: user.to_owned(), uid: found.uid, gid, groups })
    }

    /// Becomes this user, all threads at once and for good. Who is it already stays it.
    ///
    /// # Errors
    /// [`IdentityError::NotRoot`] or [`IdentityError::System`]; the process must not go on then.
    pub fn assume(&self) -> Result<(), IdentityError> {
        let failed = |source| IdentityError::System { user: self.user.clone(), source };
        if !Uid::effective().is_root() {
            return if self.is_assumed().map_err(failed)? {
                Ok(())
            } else {
                Err(IdentityError::NotRoot(self.user.clone()))
            };
        }
        setgroups(&self.groups)
            .and_then(|()| setresgid(self.gid, self.gid, self.gid))
            .and_then(|()| setresuid(self.uid, self.uid, self.uid))
            .map_err(failed)?;
        // No kernel gives an unprivileged process its root back; one that did must not serve.
        match self.is_assumed() {
            Ok(true)
                if setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_err() =>
            {
                Ok(())
            }
            Ok(_) => Err(failed(Errno::EPERM)),
            Err(error) => Err(failed(error)),
        }
    }

    fn is_assumed(&self) -> nix::Result<bool> {
        let (users, groups) = (getresuid()?, getresgid()?);
        Ok([users.real, users.effective, users.saved] == [self.uid; 3]
            && [groups.real, groups.effective, groups.saved] == [self.gid; 3])
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (uid {}, gid {})", self.user, self.uid, self.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_who_does_not_exist_cannot_be_named() {
        let refused = |user, group| Identity::find(user, group).unwrap_err().to_string();
        assert!(refused("root", None).contains("is root"));
        assert!(refused("no such user", None).contains("no user"));
        assert!(refused("nobody", Some("no such group")).contains("no group"));
        assert!(refused("nobody\0", None).contains("no user"));
        assert!(Identity::find("nobody", None).is_ok());
    }
}
