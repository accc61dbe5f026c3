//! Prints the headers of the newest message, without async.
//!
//! `blocking HOST USER [CA.pem]`, the password on standard input.

use std::error::Error;
use std::io::Read as _;

use restante_client::blocking::Connection;
use restante_client::{Credentials, Encryption, Endpoint, Secret};

#[expect(clippy::print_stdout, reason = "an example for the terminal")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut endpoint = Endpoint::new(arguments.next().ok_or("HOST is missing")?, Encryption::Tls);
    let user = arguments.next().ok_or("USER is missing")?;
    endpoint.ca_file = arguments.next().map(Into::into);
    let mut password = Vec::new();
    std::io::stdin().read_to_end(&mut password)?;
    let password = Secret::new(password.trim_ascii_end().to_vec());

    let mut connection = Connection::connect(&endpoint)?;
    connection.login(&Credentials::password(user, password))?;
    if let Some(newest) = connection.list()?.last() {
        let mut header = Vec::new();
        connection.top(newest.number, 0, &mut header)?;
        println!("{}", String::from_utf8_lossy(&header));
    }
    Ok(connection.commit()?)
}
