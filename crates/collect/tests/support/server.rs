//! The test server, dialled without a network.

use std::ops::Deref;

use restante_client::{Dial, Dialling, Endpoint, Stream};
use restante_testserver::Server as Mail;

pub(crate) use restante_testserver::Quirks;

#[derive(Debug, Clone)]
pub(crate) struct Server(Mail);

impl Server {
    pub(crate) fn new(messages: &[(&str, &str)]) -> Self {
        Self(Mail::new(messages))
    }
}

impl Deref for Server {
    type Target = Mail;

    fn deref(&self) -> &Mail {
        &self.0
    }
}

impl Dial for Server {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> Dialling<'a> {
        let stream = self.open();
        Box::pin(async { Ok(Box::new(stream) as Box<dyn Stream>) })
    }
}
