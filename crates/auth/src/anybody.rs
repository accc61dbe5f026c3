//! A user database that knows every name and no password.
//!
//! In: any name. Out: a user whose password, if there is one, another database has. So mail can
//! be delivered to users that only others can check, and their maildrops have a place.

use std::io;

use restante_maildrop::Owner;

use crate::database::{Credential, Overview, Record, UserDatabase};

/// Everybody is a user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anybody;

impl UserDatabase for Anybody {
    fn name(&self) -> String {
        "static".to_owned()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let (account, credential) = (user.clone().into(), Credential::Elsewhere);
        Ok(Some(Record { account, credential }))
    }

    fn knows_everybody(&self) -> bool {
        true
    }

    fn overview(&self) -> io::Result<Overview> {
        Ok(Overview::default())
    }
}
