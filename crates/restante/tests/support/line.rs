//! A POP3 client of a few lines, in clear text: it sends what it is told and understands nothing
//! but line ends and dots, so that a test sees exactly what the server said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::process::PATIENCE_S;

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    reader: BufReader<TcpStream>,
}

impl Line {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|why| panic!("no greeting: {why}"))
    }

    /// Connects and reads the greeting; why not, if the server is gone.
    pub(crate) fn try_connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        let patience = Some(Duration::from_secs(PATIENCE_S.into()));
        stream.set_read_timeout(patience).unwrap();
        stream.set_write_timeout(patience).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut line = Self { reader: BufReader::new(stream) };
        let greeting = line.reply().ok_or("closed without a word")?;
        assert!(greeting.starts_with("+OK"), "{greeting}");
        Ok(line)
    }

    /// Connects and logs in.
    pub(crate) fn login(address: SocketAddr, user: &str, password: &str) -> Self {
        let mut line = Self::connect(address);
        line.ok(&format!("USER {user}"));
        line.ok(&format!("PASS {password}"));
        line
    }

    /// Sends a command and returns the first line of the reply, or none if the server closed.
    pub(crate) fn ask(&mut self, command: &str) -> Option<String> {
        self.send(format!("{command}\r\n").as_bytes()).ok()?;
        self.reply()
    }

    /// Sends a command that must be answered +OK.
    pub(crate) fn ok(&mut self, command: &str) -> String {
        let reply = self.ask(command).unwrap_or_else(|| panic!("closed instead of {command}"));
        assert!(reply.starts_with("+OK"), "{command}: {reply}");
        reply
    }

    /// Sends a command that must be answered -ERR.
    pub(crate) fn refused(&mut self, command: &str) -> String {
        let reply = self.ask(command).unwrap_or_else(|| panic!("closed instead of {command}"));
        assert!(reply.starts_with("-ERR "), "{command}: {reply}");
        reply
    }

    /// Sends a command whose +OK has lines behind it; returns them unstuffed, line ends included.
    pub(crate) fn body(&mut self, command: &str) -> Vec<u8> {
        self.ok(command);
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            self.reader.read_until(b'\n', &mut line).unwrap();
            assert!(line.ends_with(b"\r\n"), "a line of the body of {command} ends otherwise");
            if line == b".\r\n" {
                return body;
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }

    /// The next line, without its end; none if the server closed.
    pub(crate) fn reply(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                assert!(line.ends_with(b"\r\n"), "half a line: {:?}", line.escape_ascii());
                line.truncate(line.len() - 2);
                Some(String::from_utf8(line).unwrap())
            }
            // A server that closes with input unread resets the connection.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no reply: {error}"),
        }
    }

    /// Reads until the server closes and returns what came.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("the server does not close: {error}"),
        }
    }

    /// A second handle to the socket.
    pub(crate) fn socket(&self) -> TcpStream {
        self.reader.get_ref().try_clone().unwrap()
    }
}
