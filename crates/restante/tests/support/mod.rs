//! What the tests from outside share: child processes, an office, a Dovecot, the corpus and the
//! means to compare mail.

#![allow(dead_code, reason = "every test target uses its own part of this")]

pub(crate) mod corpus;
pub(crate) mod dovecot;
pub(crate) mod line;
pub(crate) mod maildir;
pub(crate) mod mariadb;
pub(crate) mod office;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod saslauthd;
pub(crate) mod slapd;
pub(crate) mod strace;
pub(crate) mod tls;
