//! The same client for programs without an async runtime.
//!
//! A [`Connection`] here has the methods of [`crate::Connection`], under the same names and with
//! the same errors, and waits in each of them for the server, as long as the endpoint's timeout
//! allows. Underneath it is that connection on a runtime of its own, which runs on the calling
//! thread while a method does and not in between.
//!
//! ```no_run
//! use restante_client::blocking::Connection;
//! use restante_client::{Credentials, Encryption, Endpoint, Error, Secret};
//!
//! # fn fetch() -> Result<(), Error> {
//! let endpoint = Endpoint::new("pop.example.org", Encryption::Tls);
//! let mut connection = Connection::connect(&endpoint)?;
//! connection.login(&Credentials::password("fred", Secret::new(b"correct horse".to_vec())))?;
//! for line in connection.list()? {
//!     let mut message = Vec::new();
//!     connection.retr(line.number, &mut message)?;
//! }
//! connection.commit()
//! # }
//! ```
//!
//! It cannot be used inside an async runtime: tokio panics on a runtime that is blocked inside
//! another.

use std::io::{self, Write};

use tokio::runtime::{Builder, Runtime};

use crate::{
    Capabilities, Connection as Inner, Credentials, Endpoint, Error, IdLine, Marked, MessageNumber,
    Method, Octets, Retrieved, ScanLine, Stat,
};

/// A connection to a POP3 server; see [`crate::Connection`].
#[derive(Debug)]
pub struct Connection {
    // Dropped before the runtime its socket belongs to.
    inner: Inner,
    runtime: Runtime,
}

impl Connection {
    /// As [`crate::Connection::connect`].
    ///
    /// # Errors
    /// As there; [`Error::Runtime`] when the system gives no runtime.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
        let inner = runtime.block_on(Inner::connect(endpoint))?;
        Ok(Self { inner, runtime })
    }

    /// As [`crate::Connection::capabilities`].
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    /// As [`crate::Connection::login`].
    ///
    /// # Errors
    /// As there.
    pub fn login(&mut self, credentials: &Credentials) -> Result<Method, Error> {
        self.runtime.block_on(self.inner.login(credentials))
    }

    /// As [`crate::Connection::limit_messages`].
    pub fn limit_messages(&mut self, octets_max: Octets) {
        self.inner.limit_messages(octets_max);
    }

    /// As [`crate::Connection::stat`].
    ///
    /// # Errors
    /// As there.
    pub fn stat(&mut self) -> Result<Stat, Error> {
        self.runtime.block_on(self.inner.stat())
    }

    /// As [`crate::Connection::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&mut self) -> Result<Vec<ScanLine>, Error> {
        self.runtime.block_on(self.inner.list())
    }

    /// As [`crate::Connection::uidl`].
    ///
    /// # Errors
    /// As there.
    pub fn uidl(&mut self) -> Result<Vec<IdLine>, Error> {
        self.runtime.block_on(self.inner.uidl())
    }

    /// As [`crate::Connection::retr`].
    ///
    /// # Errors
    /// As there.
    pub fn retr(
        &mut self,
        number: MessageNumber,
        output: &mut impl Write,
    ) -> Result<Octets, Error> {
        let (mut octets, mut refused) = (Octets::default(), None);
        self.retrieve([number], |retrieved| {
            match retrieved {
                Retrieved::Chunk(chunk) => {
                    output.write_all(&chunk)?;
                    octets += Octets::new(chunk.len() as u64);
                }
                Retrieved::Refused(_, refusal) => refused = Some(refusal),
                _ => {}
            }
            Ok(())
        })?;
        match refused {
            Some(refusal) => Err(Error::Refused { command: "RETR", refusal }),
            None => output.flush().map_err(Error::Output).map(|()| octets),
        }
    }

    /// As [`crate::Connection::top`].
    ///
    /// # Errors
    /// As there.
    pub fn top(
        &mut self,
        number: MessageNumber,
        body_lines: u32,
        output: &mut impl Write,
    ) -> Result<Octets, Error> {
        let mut head = Vec::new();
        let octets = self.runtime.block_on(self.inner.top(number, body_lines, &mut head))?;
        write_whole(output, &head).map_err(Error::Output)?;
        Ok(octets)
    }

    /// As [`crate::Connection::retrieve`]; each step goes to `each`, which ends it with an error.
    ///
    /// # Errors
    /// As there; [`Error::Output`] with what `each` returned.
    pub fn retrieve(
        &mut self,
        numbers: impl IntoIterator<Item = MessageNumber>,
        mut each: impl FnMut(Retrieved) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Self { inner, runtime } = self;
        runtime.block_on(async {
            let mut retrieval = inner.retrieve(numbers).await?;
            while let Some(retrieved) = retrieval.next().await? {
                each(retrieved).map_err(Error::Output)?;
            }
            Ok(())
        })
    }

    /// As [`crate::Connection::dele`].
    ///
    /// # Errors
    /// As there.
    pub fn dele(&mut self, number: MessageNumber) -> Result<(), Error> {
        self.runtime.block_on(self.inner.dele(number))
    }

    /// As [`crate::Connection::dele_many`].
    ///
    /// # Errors
    /// As there.
    pub fn dele_many(&mut self, numbers: &[MessageNumber]) -> Result<Vec<Marked>, Error> {
        self.runtime.block_on(self.inner.dele_many(numbers))
    }

    /// As [`crate::Connection::noop`].
    ///
    /// # Errors
    /// As there.
    pub fn noop(&mut self) -> Result<(), Error> {
        self.runtime.block_on(self.inner.noop())
    }

    /// As [`crate::Connection::rset`].
    ///
    /// # Errors
    /// As there.
    pub fn rset(&mut self) -> Result<(), Error> {
        self.runtime.block_on(self.inner.rset())
    }

    /// As [`crate::Connection::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(self) -> Result<(), Error> {
        let Self { inner, runtime } = self;
        runtime.block_on(inner.commit())
    }
}

fn write_whole(output: &mut impl Write, octets: &[u8]) -> io::Result<()> {
    output.write_all(octets)?;
    output.flush()
}
