//! The user databases that the configuration names, made ready to be asked.
//!
//! In: an office. Out: [`Users`] for the server and for deliveries, and the passwd-file that
//! `restante user` edits. Nothing is read or connected to before somebody is looked up.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use restante_auth::{Anybody, PasswdFile, PasswdUsers, Places, UserDatabase, Users};
use restante_maildrop::Owner;
use restante_spool::Layout;

use crate::config::{UserKind, UserTable};
use crate::office::{Office, resolved};

/// A database's template of places.
#[derive(Debug)]
struct Template(Layout);

impl Places for Template {
    fn place(&self, owner: &Owner) -> io::Result<PathBuf> {
        let place = self.0.maildrop(owner);
        place.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

/// All user databases, in order, for a server, which reports what is wrong with them.
pub(crate) fn for_server(office: &Office) -> anyhow::Result<Users> {
    users(office, |users| users)
}

/// The same for a delivery, which looks for one user.
pub(crate) fn for_delivery(office: &Office) -> anyhow::Result<Users> {
    users(office, PasswdUsers::in_silence)
}

fn users(office: &Office, of_file: impl Fn(PasswdUsers) -> PasswdUsers) -> anyhow::Result<Users> {
    let mut users = Users::default();
    for table in office.config.users() {
        let database: Arc<dyn UserDatabase> = match &table.kind {
            UserKind::PasswdFile { path } => {
                let file = PasswdFile::new(office.host.clone(), resolved(path));
                Arc::new(of_file(PasswdUsers::new(file)))
            }
            UserKind::Static => Arc::new(Anybody),
        };
        let places = match table.layout(&office.config.data) {
            Some(layout) => Some(Arc::new(Template(layout?)) as Arc<dyn Places>),
            None => None,
        };
        users = users.with(database, places);
    }
    Ok(users)
}

/// The passwd-file that is edited by hand: the first that is named.
pub(crate) fn passwd_file(office: &Office) -> anyhow::Result<PasswdFile> {
    let first = passwd_files(office).into_iter().next();
    first.context("none of the `users` is a passwd-file that could be edited")
}

/// All passwd-files, in order.
pub(crate) fn passwd_files(office: &Office) -> Vec<PasswdFile> {
    let tables = office.config.users();
    let file = |table: &UserTable| match &table.kind {
        UserKind::PasswdFile { path } => Some(PasswdFile::new(office.host.clone(), resolved(path))),
        UserKind::Static => None,
    };
    tables.iter().filter_map(file).collect()
}
