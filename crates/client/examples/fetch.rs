//! Fetches every message of a maildrop into a folder and deletes nothing.
//!
//! `fetch HOST USER FOLDER [CA.pem]`, the password on standard input.

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;

use restante_client::{Connection, Credentials, Encryption, Endpoint, Secret};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example for the terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let mut endpoint = Endpoint::new(argument("HOST")?, Encryption::Tls);
    let user = argument("USER")?;
    let folder = PathBuf::from(argument("FOLDER")?);
    endpoint.ca_file = argument("CA").ok().map(PathBuf::from);
    let mut password = Vec::new();
    std::io::stdin().read_to_end(&mut password)?;
    let password = Secret::new(password.trim_ascii_end().to_vec());

    let mut connection = Connection::connect(&endpoint).await?;
    connection.login(&Credentials::password(user, password)).await?;
    for line in connection.list().await? {
        // The name is our own: nothing a server says may become part of a path.
        let name = folder.join(format!("{}.eml", line.number));
        let mut message = Vec::new();
        let octets = connection.retr(line.number, &mut message).await?;
        std::fs::write(&name, message)?;
        println!("{} {octets} octets", name.display());
    }
    // Nothing was marked, so this only says goodbye.
    Ok(connection.commit().await?)
}
