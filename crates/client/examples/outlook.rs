//! Lists a mailbox at Outlook.com or Exchange Online, by OAuth.
//!
//! `ACCESS_TOKEN=... outlook you@outlook.com`, with a token for the scope
//! `https://outlook.office.com/POP.AccessAsUser.All`.
//!
//! These servers take XOAUTH2 in two steps only, the command and then the token, which is how
//! this client always sends it. They hang up after a minute of silence.

use std::error::Error;

use restante_client::{
    Connection, Credentials, Encryption, Endpoint, Mechanism, Method, Octets, Secret,
};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example for the terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let user = std::env::args().nth(1).ok_or("usage: ACCESS_TOKEN=... outlook USER")?;
    let token = Secret::new(std::env::var("ACCESS_TOKEN").map_err(|_| "ACCESS_TOKEN is not set")?);
    let credentials = Credentials::token(user, token).at_least(Method::Sasl(Mechanism::Xoauth2));
    let endpoint = Endpoint::new("outlook.office365.com", Encryption::Tls);
    let mut connection = Connection::connect(&endpoint).await?;
    if let Err(error) = connection.login(&credentials).await {
        return Err(format!("{error} ({})", error.advice()).into());
    }
    let sizes = connection.list().await?;
    let ids = connection.uidl().await?;
    for (line, id) in sizes.iter().zip(&ids) {
        let octets = line.octets.map_or(0, Octets::to_u64);
        println!("{} {octets} octets, {}", line.number, String::from_utf8_lossy(&id.id));
    }
    Ok(connection.commit().await?)
}
