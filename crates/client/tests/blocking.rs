//! The blocking face against a server on the loopback, kind and unkind.
#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests")]

use restante_client::blocking::Connection;
use restante_client::{
    Credentials, Encryption, Endpoint, Error, ProtocolError, Retrieved, Secret, Step,
};
use restante_testserver::{Listening, Quirks, Server};

const TWO: [(&str, &str); 2] = [("a", "h: 1\r\n\r\none\r\n"), ("b", "h: 2\r\n\r\n.two\r\n")];

fn log_in(listening: &Listening) -> Connection {
    let mut endpoint = Endpoint::new("127.0.0.1", Encryption::None);
    endpoint.port = listening.address().port();
    let mut connection = Connection::connect(&endpoint).unwrap();
    connection.login(&Credentials::password("fred", Secret::new(b"pw".to_vec()))).unwrap();
    connection
}

#[test]
fn c6_a_blocking_session_fetches_and_deletes() {
    let server = Server::new(&TWO);
    let listening = server.listen();
    let mut connection = log_in(&listening);
    assert!(connection.capabilities().is_known());
    assert_eq!(connection.uidl().unwrap().len(), 2);
    let numbers: Vec<_> = connection.list().unwrap().iter().map(|line| line.number).collect();
    let mut message = Vec::new();
    connection.retr(numbers[1], &mut message).unwrap();
    assert_eq!(message, TWO[1].1.as_bytes());
    message.clear();
    connection.top(numbers[0], 0, &mut message).unwrap();
    assert_eq!(message, b"h: 1\r\n\r\n");
    let mut ends = 0;
    let counted = |retrieved| {
        ends += u32::from(matches!(retrieved, Retrieved::End(_)));
        Ok(())
    };
    connection.retrieve(numbers.iter().copied(), counted).unwrap();
    assert_eq!(ends, 2);
    connection.noop().unwrap();
    connection.dele(numbers[0]).unwrap();
    connection.commit().unwrap();
    assert_eq!(server.texts(), [TWO[1].1]);
    // Without a commit nothing is deleted.
    let mut connection = log_in(&listening);
    connection.dele_many(&numbers[..1]).unwrap();
    drop(connection);
    log_in(&listening).commit().unwrap();
    assert_eq!(server.texts().len(), 1);
}

#[test]
fn c23_what_is_wrong_with_a_message_is_told() {
    let server = Server::new(&TWO);
    let listening = server.listen();
    let fetch = |quirks| {
        server.quirks(quirks);
        let mut connection = log_in(&listening);
        let number = connection.list().unwrap()[0].number;
        connection.retr(number, &mut std::io::sink()).unwrap_err()
    };
    let refused = fetch(Quirks { refuses: vec![1], ..Quirks::default() });
    assert!(matches!(refused, Error::Refused { command: "RETR", .. }), "{refused:?}");
    let broken = fetch(Quirks { breaks_in: Some(1), ..Quirks::default() });
    assert!(matches!(broken, Error::Closed(Step::Body)), "{broken:?}");
    let lied = fetch(Quirks { answers: vec![("RETR 1", "HTTP?")], ..Quirks::default() });
    assert!(matches!(lied, Error::Protocol(ProtocolError::NotAReply(_))), "{lied:?}");
    server.quirks(Quirks { endless_line: Some(1), ..Quirks::default() });
    let mut connection = log_in(&listening);
    connection.limit_messages(restante_client::Octets::new(1 << 20));
    let number = connection.list().unwrap()[0].number;
    let endless = connection.retr(number, &mut std::io::sink()).unwrap_err();
    assert!(matches!(endless, Error::TooLarge { .. }), "{endless:?}");
    drop(connection);
    server.quirks(Quirks { quits_silently: true, ..Quirks::default() });
    let unsure = log_in(&listening).commit().unwrap_err();
    assert!(matches!(unsure, Error::Closed(Step::Reply("QUIT"))), "{unsure:?}");
    server.quirks(Quirks { lists_nothing: true, ..Quirks::default() });
    assert!(log_in(&listening).list().unwrap().is_empty());
}
