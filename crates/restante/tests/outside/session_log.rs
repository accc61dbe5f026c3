//! The line that a session leaves in the log.

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD};
use crate::support::strace::{self, Injection};

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

/// Goal: a QUIT that removes some of what was marked is logged with how many that were. Method:
/// the n-th unlink of the server fails, for every n until QUIT works.
#[test]
fn strace_s21_a_partly_failed_quit_is_logged_with_what_is_gone() {
    let mut partly = 0;
    for nth in 1.. {
        let office = Office::with_mail(["1\n", "2\n", "3\n", "4\n"]);
        // Makes the certificate, so that fewer calls come before the session.
        office.serve().process.terminate();
        let unlinks = "?unlink,?unlinkat";
        let failing = Injection::Error("EIO");
        let command = strace::inject(&office.serve_command(), unlinks, failing, nth);
        // A call of the start that fails is another test's.
        let Ok(mut serving) = office.try_serve_under(command) else { continue };
        let mut line = Line::connect(serving.pop3);
        line.send(format!("USER alice\r\nPASS {PASSWORD}\r\n").as_bytes()).unwrap();
        line.send(b"DELE 1\r\nDELE 2\r\nDELE 4\r\nQUIT\r\n").unwrap();
        let said = String::from_utf8(line.rest()).unwrap();
        serving.process.terminate();
        let log = serving.process.complaints();
        let gone = 4 - maildir::stored(&office.maildir("alice")).len();
        assert!(log.contains(&format!(" deleted={gone} ")), "{gone} are gone: {log}");
        let worked = said.ends_with("+OK Goodbye, 3 messages deleted\r\n");
        assert!(worked || said.contains("-ERR [SYS/TEMP] Some deleted messages were not removed"));
        partly += usize::from(!worked && gone > 0);
        if worked && !log.contains("Input/output error") {
            break;
        }
        assert!(nth < 50, "no QUIT ever works");
    }
    assert!(partly > 0, "no removal failed between others");
}
