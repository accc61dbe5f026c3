//! Says what is in a Gmail account, by OAuth.
//!
//! `ACCESS_TOKEN=... gmail you@gmail.com`, with a token for the scope `https://mail.google.com/`.
//!
//! Gmail shows a session some 250 messages at most, and what a session has fetched may be hidden
//! from the next one, deleted or not, as the account's settings say. As `recent:you@gmail.com` it
//! shows the last 30 days to every program.

use std::error::Error;

use restante_client::{Connection, Credentials, Encryption, Endpoint, LoginError, Secret};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example for the terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let user = std::env::args().nth(1).ok_or("usage: ACCESS_TOKEN=... gmail USER")?;
    let token = Secret::new(std::env::var("ACCESS_TOKEN").map_err(|_| "ACCESS_TOKEN is not set")?);
    let endpoint = Endpoint::new("pop.gmail.com", Encryption::Tls);
    let mut connection = Connection::connect(&endpoint).await?;
    match connection.login(&Credentials::token(user, token)).await {
        Ok(method) => println!("logged in by {method}"),
        Err(restante_client::Error::Login(LoginError::WrongToken { report, refusal })) => {
            return Err(format!("Gmail wants another token: {refusal} {report}").into());
        }
        Err(error) => return Err(error.into()),
    }
    let stat = connection.stat().await?;
    println!("{} messages", stat.messages);
    if let Some(delay) = connection.capabilities().login_delay() {
        println!("asks for {} s between logins", delay.as_secs());
    }
    Ok(connection.commit().await?)
}
