//! The line that a session leaves in the log.

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD};

#[test]
fn the_log_counts_all_octets_that_a_client_got() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let mut serving = office.serve();
    let mut line = Line::connect(serving.pop3);
    line.send(format!("USER alice\r\nPASS {PASSWORD}\r\nRETR 1\r\nQUIT\r\n").as_bytes()).unwrap();
    let got = GREETING.len() + line.rest().len();
    serving.process.terminate();
    let log = serving.process.complaints();
    assert!(log.contains(&format!(" octets={got} ")), "{got} octets came: {log}");
}

const GREETING: &str = "+OK Restante ready\r\n";
