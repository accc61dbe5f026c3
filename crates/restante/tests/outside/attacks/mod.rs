//! The attacks of docs/attacks.md that need a whole server: names that want to be paths, templates
//! or log lines, secrets that must not be seen, floods. Their numbers are scaled down to what a
//! test may take.

mod floods;
mod names;
mod odd_mail;
mod secrets;
