//! Users who have a delay between logins and days of their own, in each kind of database that can
//! tell of them.

use std::fs;

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD, Serving};

/// What CAPA says of the two.
fn terms(line: &mut Line) -> Vec<String> {
    let capabilities = String::from_utf8(line.body("CAPA")).unwrap();
    let mut terms: Vec<_> = capabilities
        .lines()
        .filter(|line| line.starts_with("EXPIRE") || line.starts_with("LOGIN-DELAY"))
        .map(str::to_owned)
        .collect();
    terms.sort();
    terms
}

/// What CAPA says before and after a login.
fn around_login(serving: &Serving, user: &str) -> [Vec<String>; 2] {
    let mut line = Line::connect(serving.pop3);
    let before = terms(&mut line);
    line.ok(&format!("USER {user}"));
    line.ok(&format!("PASS {PASSWORD}"));
    let after = terms(&mut line);
    line.ok("QUIT");
    [before, after]
}

/// Whether the user may log in at once after a login.
fn may_come_again(serving: &Serving, user: &str) -> bool {
    let mut line = Line::connect(serving.pop3);
    line.ok(&format!("USER {user}"));
    let said = line.ask(&format!("PASS {PASSWORD}")).unwrap();
    assert!(said.starts_with("+OK") || said.starts_with("-ERR [LOGIN-DELAY] "), "{said}");
    said.starts_with("+OK")
}

#[test]
fn s41_s42_users_have_terms_of_their_own_in_a_passwd_file_and_in_sqlite() {
    let office = Office::new(&["alice", "bob", "carl", "dora"]);
    let passwd = format!(
        "alice:{{PLAIN}}{PASSWORD}::::::restante_login_delay=300 restante_expire=7\n\
         bob:{{PLAIN}}{PASSWORD}::::::restante_login_delay=0 restante_expire=0\n"
    );
    fs::write(office.data().join("passwd"), passwd).unwrap();
    let database = office.folder().join("users.db");
    let sql = "CREATE TABLE users (name TEXT, login_delay INTEGER, days INTEGER);\n\
         INSERT INTO users VALUES ('carl', 900, 3), ('dora', NULL, NULL);\n";
    rusqlite::Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    let query = format!(
        "SELECT name AS user, '{{PLAIN}}{PASSWORD}' AS password, login_delay, days AS expire \
         FROM users WHERE name = :user"
    );
    let config = office.folder().join("restante.toml");
    let tables = format!(
        "[login]\nfolder_separator = \"+\"\ndelay_s = 60\n[policy]\nexpire_days = 30\n\
         [[users]]\ntype = \"passwd-file\"\npath = {:?}\n\
         [[users]]\ntype = \"sqlite\"\npath = {database:?}\nquery = {query:?}\n",
        office.data().join("passwd")
    );
    fs::write(&config, tables).unwrap();
    for user in ["alice", "bob"] {
        // Of 2005, by its name.
        fs::write(office.maildir(user).join("cur/1127836300.M5P9.host:2,S"), "old\n").unwrap();
    }
    let mut command = office.serve_command();
    command.arg("--config").arg(&config);
    let serving = office.serve_under(command);
    let worst = ["EXPIRE 7 USER", "LOGIN-DELAY 300 USER"];
    for (user, own, again, left) in [
        ("alice", &["EXPIRE 7", "LOGIN-DELAY 300"][..], false, 0),
        ("bob", &["EXPIRE NEVER"], true, 1),
        ("dora", &["EXPIRE 30", "LOGIN-DELAY 60"], false, 0),
        ("carl", &["EXPIRE 3", "LOGIN-DELAY 900"], false, 0),
    ] {
        let [before, after] = around_login(&serving, user);
        assert_eq!(before, worst, "{user}");
        assert_eq!(after, own, "{user}");
        assert_eq!(may_come_again(&serving, user), again, "{user}");
        assert_eq!(maildir::stored(&office.maildir(user)).len(), left, "{user}");
    }
    // Nobody knew of carl before he came.
    let mut line = Line::connect(serving.pop3);
    assert_eq!(terms(&mut line), ["EXPIRE 3 USER", "LOGIN-DELAY 900 USER"]);
}
