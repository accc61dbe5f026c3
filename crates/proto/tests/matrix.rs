//! Every command in every state with no, one, two, three and nonsensical arguments: the kind of
//! reply, from tables that know nothing of the code; that there is one reply and not two; and
//! whether the client is logged in afterwards (RFC 1939 section 3: what is unknown, malformed or
//! out of place is -ERR).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test stops where it fails"
)]

use restante_dialogue::{Dialogue, Tls};

mod support;
use support::Office;

/// The arguments of the columns.
const COLUMNS: [(&str, &[u8]); 5] = [
    ("none", b""),
    ("one", b" 1"),
    ("two", b" 1 1"),
    ("three", b" 1 1 1"),
    ("junk", b" \xe9;'--%00"),
];

/// Before the login, under TLS. Left what a tolerant listener says, right a strict one.
///
/// `+` one positive line, `m` a positive reply of several lines, `-` one negative line, `>` a
/// challenge, `c` a positive line and the end of the connection, `t` a positive line and TLS,
/// `i` a positive line, and the client is logged in.
const AUTHORIZATION: &str = "
USER            - + + + -   - + + + -
PASS            - - - - -   - - - - -
PASS secret     - - - - -   - - - - -
APOP            - - - - -   - - - - -
AUTH            m - - - -   - - - - -
AUTH PLAIN      > - - - -   > - - - -
AUTH LOGIN      > - - - -   > - - - -
AUTH XYZZY      - - - - -   - - - - -
STLS            - - - - -   - - - - -
CAPA            m m m m m   m - - - -
LANG            m - - - -   m - - - -
LANG en         + - - - -   + - - - -
LANG *          + - - - -   + - - - -
UTF8            + - - - -   + - - - -
QUIT            c - - - -   c - - - -
STAT            - - - - -   - - - - -
LIST            - - - - -   - - - - -
UIDL            - - - - -   - - - - -
RETR            - - - - -   - - - - -
TOP             - - - - -   - - - - -
DELE            - - - - -   - - - - -
NOOP            - - - - -   - - - - -
RSET            - - - - -   - - - - -
LAST            - - - - -   - - - - -
RPOP            - - - - -   - - - - -
XTND            - - - - -   - - - - -
HELO            - - - - -   - - - - -
XYZZY           - - - - -   - - - - -
";

/// What differs behind USER fred: the password is taken.
const NAMED: &str = "
PASS secret     i - - - -   i - - - -
";

/// What differs without TLS, where passwords want it: only STLS works.
const CLEAR: &str = "
USER            - - - - -   - - - - -
AUTH PLAIN      - - - - -   - - - - -
AUTH LOGIN      - - - - -   - - - - -
STLS            t - - - -   t - - - -
";

/// What differs without TLS, where passwords do not want it.
const CLEAR_ALLOWED: &str = "
STLS            t - - - -   t - - - -
";

/// After the login.
const TRANSACTION: &str = "
USER            - - - - -   - - - - -
PASS            - - - - -   - - - - -
PASS secret     - - - - -   - - - - -
APOP            - - - - -   - - - - -
AUTH            - - - - -   - - - - -
AUTH PLAIN      - - - - -   - - - - -
AUTH LOGIN      - - - - -   - - - - -
AUTH XYZZY      - - - - -   - - - - -
STLS            - - - - -   - - - - -
CAPA            m m m m m   m - - - -
LANG            m - - - -   m - - - -
LANG en         + - - - -   + - - - -
LANG *          + - - - -   + - - - -
UTF8            - - - - -   - - - - -
QUIT            c - - - -   c - - - -
STAT            + + + + +   + - - - -
LIST            m + - - -   m + - - -
UIDL            m + - - -   m + - - -
RETR            - m - - -   - m - - -
TOP             - m m - -   - - m - -
DELE            - + - - -   - + - - -
NOOP            + + + + +   + - - - -
RSET            + - - - -   + - - - -
LAST            - - - - -   - - - - -
RPOP            - - - - -   - - - - -
XTND            - - - - -   - - - - -
HELO            - - - - -   - - - - -
XYZZY           - - - - -   - - - - -
";

/// What differs where message 1 is marked.
const MARKED: &str = "
LIST            m - - - -   m - - - -
UIDL            m - - - -   m - - - -
RETR            - - - - -   - - - - -
TOP             - - - - -   - - - - -
DELE            - - - - -   - - - - -
";

/// A state: how a client comes to it, and what the tables say of it.
struct State {
    name: &'static str,
    tls: Tls,
    cleartext: bool,
    way: &'static [u8],
    logged_in: bool,
    tables: [&'static str; 2],
}

const STATES: [State; 9] = [
    State {
        name: "before the login",
        tls: Tls::Active,
        cleartext: false,
        way: b"",
        logged_in: false,
        tables: [AUTHORIZATION, ""],
    },
    State {
        name: "behind USER",
        tls: Tls::Active,
        cleartext: false,
        way: b"USER fred\r\n",
        logged_in: false,
        tables: [AUTHORIZATION, NAMED],
    },
    State {
        name: "before the login, behind a wrong password",
        tls: Tls::Active,
        cleartext: false,
        way: b"USER fred\r\nPASS wrong\r\n",
        logged_in: false,
        tables: [AUTHORIZATION, ""],
    },
    State {
        name: "before the login, without TLS",
        tls: Tls::Available,
        cleartext: false,
        way: b"",
        logged_in: false,
        tables: [AUTHORIZATION, CLEAR],
    },
    State {
        name: "before the login, without TLS and with passwords",
        tls: Tls::Available,
        cleartext: true,
        way: b"",
        logged_in: false,
        tables: [AUTHORIZATION, CLEAR_ALLOWED],
    },
    State {
        name: "behind UTF8, without TLS and with passwords",
        tls: Tls::Available,
        cleartext: true,
        way: b"UTF8\r\n",
        logged_in: false,
        tables: [AUTHORIZATION, ""],
    },
    State {
        name: "after the login",
        tls: Tls::Active,
        cleartext: false,
        way: b"USER fred\r\nPASS secret\r\n",
        logged_in: true,
        tables: [TRANSACTION, ""],
    },
    State {
        name: "after the login, without TLS",
        tls: Tls::Available,
        cleartext: true,
        way: b"USER fred\r\nPASS secret\r\n",
        logged_in: true,
        tables: [TRANSACTION, ""],
    },
    State {
        name: "with a mark",
        tls: Tls::Active,
        cleartext: false,
        way: b"USER fred\r\nPASS secret\r\nDELE 1\r\n",
        logged_in: true,
        tables: [TRANSACTION, MARKED],
    },
];

fn dialogue(state: &State, strict: bool) -> Dialogue {
    Dialogue {
        tls: state.tls,
        cleartext: state.cleartext,
        strict,
        messages: vec![b"A: b\n\n.c\n".to_vec(), b"\n".to_vec(), b"A: b\n".to_vec()],
        ..Dialogue::default()
    }
}

/// The commands of a state, and the marks of their columns: tolerant, then strict.
fn rows(tables: [&'static str; 2]) -> Vec<(&'static str, Vec<char>)> {
    let read = |line: &'static str| {
        let (command, marks) = line.split_at(16);
        let marks: Vec<_> = marks.chars().filter(|mark| *mark != ' ').collect();
        assert_eq!(marks.len(), 2 * COLUMNS.len(), "{line}");
        (command.trim_end(), marks)
    };
    let lines = |table: &'static str| table.lines().filter(|line| !line.is_empty()).map(read);
    let mut rows: Vec<_> = lines(tables[0]).collect();
    for (command, marks) in lines(tables[1]) {
        rows.iter_mut().find(|row| row.0 == command).unwrap().1 = marks;
    }
    rows
}

/// Which mark a reply deserves, had it been the only one.
fn mark(said: &[u8], closed: bool) -> char {
    let lines = said.split_inclusive(|octet| *octet == b'\n').count();
    let is_ended = said.ends_with(b"\r\n.\r\n");
    match said {
        _ if !said.ends_with(b"\r\n") => '?',
        [b'+', b'O', b'K', b' ', ..] if lines == 1 && closed => 'c',
        _ if closed => '?',
        [b'+', b'O', b'K', b' ', ..] if lines == 1 => '+',
        [b'+', b'O', b'K', b' ', ..] if is_ended => 'm',
        [b'-', b'E', b'R', b'R', b' ', ..] if lines == 1 => '-',
        [b'+', b' ', ..] if lines == 1 => '>',
        _ => '?',
    }
}

/// Says one command in one state and compares.
fn check(state: &State, strict: bool, command: &[u8], wanted: char) {
    let dialogue = dialogue(state, strict);
    let mut office = Office::new(&dialogue);
    office.hear(state.way);
    office.said.clear();
    office.hear(&[command, b"\r\n"].concat());
    let said = std::mem::take(&mut office.said);
    let what = format!(
        "{}, {}: {}: {}",
        state.name,
        if strict { "strict" } else { "tolerant" },
        command.escape_ascii(),
        said.escape_ascii()
    );
    let plain = match wanted {
        'i' | 't' => '+',
        other => other,
    };
    assert_eq!(mark(&said, office.closed), plain, "{what}");
    if office.closed {
        return;
    }
    if wanted == '>' {
        // The client leaves the exchange as it should.
        office.hear(b"*\r\n");
        assert_eq!(mark(&office.said, office.closed), '-', "{what}: * behind it");
        office.said.clear();
    }
    // One reply and not two, and in the state it should be: STAT shows both.
    office.hear(b"STAT\r\n");
    let stat = if state.logged_in || wanted == 'i' { '+' } else { '-' };
    assert_eq!(mark(&office.said, office.closed), stat, "{what}: STAT behind it");
}

#[test]
fn s09_every_command_in_every_state_with_every_number_of_arguments() {
    let mut cells = 0;
    for state in &STATES {
        for (command, marks) in rows(state.tables) {
            for (column, wanted) in marks.iter().enumerate() {
                let strict = column >= COLUMNS.len();
                let (_, arguments) = COLUMNS[column % COLUMNS.len()];
                check(state, strict, &[command.as_bytes(), arguments].concat(), *wanted);
                cells += 1;
            }
        }
    }
    assert_eq!(cells, STATES.len() * 28 * 10, "every table has every command");
}

#[test]
fn s09_s60_within_a_login_every_line_is_a_response_and_ends_it() {
    let state = State {
        name: "within AUTH PLAIN",
        tls: Tls::Active,
        cleartext: false,
        way: b"AUTH PLAIN\r\n",
        logged_in: false,
        tables: [AUTHORIZATION, ""],
    };
    for strict in [false, true] {
        for (command, _) in rows(state.tables) {
            for (_, arguments) in COLUMNS {
                check(&state, strict, &[command.as_bytes(), arguments].concat(), '-');
            }
        }
        check(&state, strict, b"*", '-');
        check(&state, strict, b"", '-');
        check(&state, strict, b"AGZyZWQAc2VjcmV0", 'i');
    }
}
