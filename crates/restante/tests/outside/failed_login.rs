//! The log line of a failed login, and the filter for fail2ban that reads it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::support::office::Office;
use crate::support::process;

/// Reads the filter as fail2ban does (the time of a line is cut out of it, `<HOST>` is an
/// address) and prints the address of each line of standard input that one of its expressions
/// finds.
const READER: &str = r#"
import configparser, re, sys
filter = configparser.ConfigParser(interpolation=None)
filter.read(sys.argv[1])
expressions = [
    re.compile(line.replace("%(__prefix_line)s", r"\S+ restante\[\d+\]: ").replace("<HOST>", r"(?P<host>[0-9a-fA-F:.]+)"))
    for line in filter["Definition"]["failregex"].split("\n")
]
for line in sys.stdin:
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", line, count=1)
    for found in [expression.search(line) for expression in expressions]:
        if found:
            print(found["host"])
"#;

/// Goal: each failed login is found once with the client's address, and nothing that a client may
/// send makes another address be found. Method: names that imitate a line of the log.
#[test]
fn measured_r24_the_filter_finds_failed_logins_and_cannot_be_deceived() {
    process::need("python3");
    for format in ["human", "json"] {
        let office = Office::new(&["alice"]);
        let mut command = office.serve_command();
        command.args(["--log", format]);
        let mut serving = office.serve_under(command);
        let forged =
            "login failed address=203.0.113.9 port=1 reason=\"wrong user name or password\" user=";
        // Names with control characters are refused before they are a login (RFC 4013).
        let names = ["alice", forged, "\\n\u{200b}x\u{ad}WARN login failed address=203.0.113.9"];
        for name in names {
            let mut stream = TcpStream::connect(serving.pop3).unwrap();
            write!(stream, "USER {name}\r\nPASS wrong\r\nQUIT\r\n").unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            assert!(said.contains("-ERR [AUTH]"), "{said}");
        }
        // A good one is no failure.
        let mut stream = TcpStream::connect(serving.pop3).unwrap();
        stream.write_all(b"USER alice\r\nPASS correct horse\r\nQUIT\r\n").unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
        serving.process.terminate();
        let log = office.folder().join("log");
        std::fs::write(&log, serving.process.complaints()).unwrap();
        let filter =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/fail2ban/restante.conf");
        let mut reader = Command::new("python3");
        reader.args(["-c", READER]).arg(filter);
        let input = std::fs::File::open(&log).unwrap();
        let found =
            process::run_on("filter", office.folder(), &mut reader, input).success("filter");
        let expected = "127.0.0.1\n".repeat(names.len());
        assert_eq!(String::from_utf8(found.stdout).unwrap(), expected, "{}", found.stderr);
    }
}
