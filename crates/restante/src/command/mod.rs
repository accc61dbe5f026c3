//! The commands, a module each: its flags (`Args`) and what it does (`run`).

pub(crate) mod collect;
pub(crate) mod config;
pub(crate) mod deliver;
pub(crate) mod demo;
pub(crate) mod serve;
pub(crate) mod user;
