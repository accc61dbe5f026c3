//! Hashes that other programs make here and now: each scheme that Dovecot has, and crypt(3).
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests")]

use std::process::Command;

use restante_auth::{BadHash, Hash};

const PASSWORD: &str = "pa55 wörd";

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

fn assert_fits(field: &str) {
    let hash = Hash::parse(field).unwrap_or_else(|error| panic!("{field}: {error}"));
    assert!(hash.verify(PASSWORD.as_bytes()), "{field}");
    assert!(!hash.verify(b"pa55 w\xc3\xb6re"), "{field}");
}

#[test]
fn peer_dovecot_hashes_of_every_scheme_are_checked_or_left_out_with_a_reason() {
    let (mut checked, mut left_out) = (Vec::new(), Vec::new());
    let schemes = output("doveadm", &["pw", "-l"]);
    for scheme in schemes.split_whitespace() {
        for encoding in ["", ".HEX", ".B64"] {
            let named = format!("{scheme}{encoding}");
            let field = output("doveadm", &["pw", "-s", &named, "-u", "fred", "-p", PASSWORD]);
            match Hash::parse(&field) {
                Err(BadHash::LeftOut(name, _)) => left_out.push(name),
                _ => {
                    assert_fits(&field);
                    checked.push(named);
                }
            }
        }
    }
    left_out.sort_unstable();
    left_out.dedup();
    assert_eq!(left_out, ["DES-CRYPT", "DIGEST-MD5", "OTP", "PLAIN-TRUNC"], "{schemes}");
    assert!(checked.len() >= 3 * 26, "{checked:?}");
}

#[test]
fn peer_crypt_hashes_of_the_system_are_checked() {
    let salts = [
        "$1$abcdefgh",
        "$5$saltsaltsaltsalt",
        "$5$rounds=1000$s",
        "$6$saltsaltsaltsalt",
        "$2b$04$abcdefghijklmnopqrstuu",
        "$2a$04$abcdefghijklmnopqrstuu",
        "$y$j75$F5Jx5fExrKuPp53xLKQ..1",
        "$y$j9T$4n8nIoZ8vCMPvpCI71Y3y/",
        "$y$j8T$saltsaltsaltsalt....saltsaltsaltsalt....",
        "$7$4U..../....2Q9obwLhin8qvQl6sisAO/",
        "$7$6/..../....salt",
    ];
    for salt in salts {
        let made = output("perl", &["-e", "print crypt($ARGV[0], $ARGV[1])", PASSWORD, salt]);
        assert!(made.starts_with(salt.get(..3).unwrap()), "{salt}: {made}");
        assert_fits(&made);
        assert_fits(&format!("{{CRYPT}}{made}"));
    }
}
