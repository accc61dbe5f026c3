//! Real programs log in with users that are kept in real databases.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::logins::{mpop, text};
use crate::support::line::Line;
use crate::support::mariadb::Mariadb;
use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::postgres::Postgres;
use crate::support::saslauthd::Saslauthd;
use crate::support::slapd::Slapd;
use crate::support::{corpus, maildir, process};

/// Names that would be something else than names if they were ever taken for text of a query, a
/// filter, a distinguished name or a template.
const HOSTILE: [&str; 8] = [
    "' OR '1'='1",
    "alice' --",
    "alice'; DROP TABLE users; --",
    "*",
    "alice)(uid=*",
    "alice,ou=people,dc=example,dc=org",
    "{user}%u",
    ":user",
];

/// An office whose only users are in a database, with a message each for alice and bob.
fn office() -> Office {
    let office = Office::with_mail(corpus::messages(1));
    fs::remove_file(office.data().join("passwd")).unwrap();
    for user in ["bob", "shut"] {
        maildir::fill(&office.maildir(user), corpus::messages(1));
    }
    office
}

fn serve(office: &Office, tables: &str) -> Serving {
    let file = office.folder().join("restante.toml");
    fs::write(&file, tables).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(file);
    office.serve_under(command)
}

/// What a login is answered.
fn say(serving: &Serving, user: &str, password: &str) -> String {
    let mut line = Line::connect(serving.pop3);
    line.ok(&format!("USER {user}"));
    line.ask(&format!("PASS {password}")).unwrap()
}

/// Alice gets her mail by two programs; nobody else gets anything, nor learns who there is.
fn only_users_get_in(office: &Office, serving: &Serving) {
    let said = mpop(office, serving, PASSWORD, "plain").success("mpop");
    assert!(text(&said).contains("AUTH PLAIN") && !text(&said).contains("SCRAM"), "{said:?}");
    let message = &corpus::messages(1)[0];
    let inbox = maildir::contents(&office.folder().join("inbox"));
    assert!(inbox.iter().any(|got| *got == maildir::with_lf(message)));
    assert!(!mpop(office, serving, "wrong", "plain").status.success());
    let mut curl = std::process::Command::new("curl");
    process::need("curl");
    curl.args(["--disable", "--silent", "--show-error", "--cacert"]).arg(&serving.certificate);
    curl.args(["--user", &format!("bob:{PASSWORD}")]);
    curl.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
    let said = process::run("curl", office.folder(), &mut curl).success("curl");
    assert_eq!(said.stdout, maildir::canonical(message));
    let refused = say(serving, "alice", "wrong");
    assert!(refused.starts_with("-ERR [AUTH]"), "{refused}");
    for (user, password) in [("nobody", PASSWORD), ("shut", PASSWORD), ("bob", "x"), ("bob", " ")] {
        assert_eq!(say(serving, user, password), refused, "{user}");
    }
    for user in HOSTILE {
        assert_eq!(say(serving, user, PASSWORD), refused, "{user}");
    }
}

/// Where nobody can be asked, everybody is told to come later.
fn all_come_later(serving: &Serving) {
    for (user, password) in [("carl", PASSWORD), ("carl", "wrong"), ("nobody", "x")] {
        let said = say(serving, user, password);
        assert!(said.starts_with("-ERR [SYS/TEMP]"), "{user}: {said}");
    }
}

fn deliver(office: &Office, user: &str) -> Option<i32> {
    let mut command = crate::support::office::restante();
    command.args(["deliver", user, "--config"]).arg(office.folder().join("restante.toml"));
    command.arg("--data").arg(office.data());
    let message = office.folder().join("message");
    fs::write(&message, "Subject: a\n\nb\n").unwrap();
    let message = fs::File::open(message).unwrap();
    process::run_on("deliver", office.folder(), &mut command, message).status.code()
}

/// Table and users, a command a line.
fn users_as_sql(office: &Office) -> String {
    let bob = office.maildir("bob");
    format!(
        "CREATE TABLE users (name varchar(100), secret text, place text, open boolean);\n\
         INSERT INTO users VALUES ('alice', '$5$Jvf/h78/gtLivDxV$c9N2xKGFo/EK2AvfXFW.MyuKazOC/sVk10oxao/BjM4', NULL, true);\n\
         INSERT INTO users VALUES ('bob', '{{PLAIN}}{PASSWORD}', '{}', true);\n\
         INSERT INTO users VALUES ('carl', '{{PLAIN}}{PASSWORD}', NULL, true);\n\
         INSERT INTO users VALUES ('shut', '{{PLAIN}}{PASSWORD}', NULL, false);\n",
        bob.display()
    )
}

const QUERY: &str = "SELECT name AS user, secret AS password, place AS maildir, open AS enabled FROM users WHERE name = :user";

#[test]
fn r21_r22_peer_curl_and_mpop_log_in_with_users_in_sqlite() {
    let office = office();
    let database = office.folder().join("users.db");
    let create = rusqlite::Connection::open(&database).unwrap();
    create.execute_batch(&users_as_sql(&office)).unwrap();
    let table = format!("[[users]]\ntype = \"sqlite\"\npath = {database:?}\nquery = {QUERY:?}\n");
    let serving = serve(&office, &table);
    only_users_get_in(&office, &serving);
    assert_eq!((deliver(&office, "carl"), deliver(&office, "nobody")), (Some(0), Some(67)));
    create.execute("UPDATE users SET secret = '{PLAIN}new' WHERE name = 'alice'", []).unwrap();
    assert!(say(&serving, "alice", PASSWORD).starts_with("-ERR [AUTH]"));
    assert!(say(&serving, "alice", "new").starts_with("+OK"));
    fs::remove_file(&database).unwrap();
    all_come_later(&serving);
    assert_eq!(deliver(&office, "carl"), Some(75));
}

fn postgresql(server: &str, more: &str, database: &Postgres) -> String {
    // A parameter of PostgreSQL's own type is cast as its users do.
    let query = QUERY.replace("AS user,", "AS \"user\",");
    format!(
        "[[users]]\ntype = \"postgresql\"\nserver = {server:?}\nport = {}\n\
         database = \"postgres\"\nuser = \"restante\"\npassword_file = {:?}\nquery = {query:?}\n{more}",
        database.port(),
        database.password_file(),
    )
}

#[test]
fn r21_r22_peer_postgres_curl_and_mpop_log_in_with_users_in_postgresql_over_tls() {
    let office = office();
    let mut database = Postgres::start(&users_as_sql(&office));
    let ca = format!("ca_file = {:?}\n", database.certificate());
    let serving = serve(&office, &postgresql("localhost", &ca, &database));
    only_users_get_in(&office, &serving);
    assert_eq!((deliver(&office, "carl"), deliver(&office, "nobody")), (Some(0), Some(67)));
    database.stop();
    all_come_later(&serving);
    assert_eq!(deliver(&office, "carl"), Some(75));
    database.start_again();
    assert!(say(&serving, "carl", PASSWORD).starts_with("+OK"));
}

#[test]
fn peer_postgres_is_reached_by_its_socket_and_only_with_a_certificate_to_trust() {
    let office = office();
    let database = Postgres::start(&users_as_sql(&office));
    let socket = database.socket();
    let serving = serve(&office, &postgresql(socket.to_str().unwrap(), "", &database));
    assert!(say(&serving, "alice", PASSWORD).starts_with("+OK"));
    drop(serving);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = office.folder().join("other.pem");
    fs::write(&ca, other.cert.pem()).unwrap();
    let more = format!("ca_file = {ca:?}\n");
    all_come_later(&serve(&office, &postgresql("localhost", &more, &database)));
    // One that stops answering is waited for no longer than its time.
    let serving = serve(&office, &postgresql(socket.to_str().unwrap(), "", &database));
    database.signal(Signal::STOP);
    let said = say(&serving, "carl", PASSWORD);
    database.signal(Signal::CONT);
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{said}");
}

fn mysql(server: &str, more: &str, database: &Mariadb) -> String {
    format!(
        "[[users]]\ntype = \"mysql\"\nserver = {server:?}\nport = {}\n\
         database = \"mail\"\nuser = \"restante\"\npassword_file = {:?}\nquery = {QUERY:?}\n{more}",
        database.port(),
        database.password_file(),
    )
}

#[test]
fn r21_r22_peer_mariadb_curl_and_mpop_log_in_with_users_in_mariadb_over_tls() {
    let office = office();
    let mut database = Mariadb::start(&users_as_sql(&office));
    let ca = format!("ca_file = {:?}\n", database.certificate());
    let serving = serve(&office, &mysql("localhost", &ca, &database));
    only_users_get_in(&office, &serving);
    // To the database it is the same name, and so it is the same maildrop.
    assert!(say(&serving, "ALICE", PASSWORD).starts_with("+OK"));
    assert!(!office.maildir("ALICE").exists());
    assert_eq!((deliver(&office, "carl"), deliver(&office, "nobody")), (Some(0), Some(67)));
    database.stop();
    all_come_later(&serving);
    assert_eq!(deliver(&office, "carl"), Some(75));
    database.start_again();
    assert!(say(&serving, "carl", PASSWORD).starts_with("+OK"));
}

#[test]
fn peer_mariadb_is_reached_by_its_socket_and_only_with_a_certificate_to_trust() {
    let office = office();
    let database = Mariadb::start(&users_as_sql(&office));
    let socket = database.socket();
    let serving = serve(&office, &mysql(socket.to_str().unwrap(), "", &database));
    assert!(say(&serving, "alice", PASSWORD).starts_with("+OK"));
    drop(serving);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = office.folder().join("other.pem");
    fs::write(&ca, other.cert.pem()).unwrap();
    for more in [format!("ca_file = {ca:?}\n"), String::from("tls = false\n")] {
        all_come_later(&serve(&office, &mysql("localhost", &more, &database)));
    }
    // One that stops answering is waited for no longer than its time.
    let serving = serve(&office, &mysql(socket.to_str().unwrap(), "", &database));
    database.signal(Signal::STOP);
    let said = say(&serving, "carl", PASSWORD);
    database.signal(Signal::CONT);
    assert!(said.starts_with("-ERR [SYS/TEMP]"), "{said}");
}

fn entries(office: &Office) -> String {
    let bob = office.maildir("bob");
    let mut entries = "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\n\
                       dc: example\no: Example\n\n\
                       dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\n\
                       ou: people\n\n\
                       dn: cn=reader,dc=example,dc=org\nobjectClass: organizationalRole\n\
                       objectClass: simpleSecurityObject\ncn: reader\nuserPassword: readers secret\n\n"
        .to_owned();
    for (user, place) in [("alice", None), ("bob", Some(&bob)), ("carl", None)] {
        let place = place.map(|place| format!("description: {}\n", place.display()));
        entries.push_str(&format!(
            "dn: uid={user},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\n\
             uid: {user}\ncn: {user}\nsn: {user}\nuserPassword: {PASSWORD}\n{}\n",
            place.unwrap_or_default()
        ));
    }
    entries
}

fn search(office: &Office, server: &str, ca: &Path) -> String {
    let password = office.folder().join("reader");
    fs::write(&password, "readers secret\n").unwrap();
    format!(
        "[[users]]\ntype = \"ldap\"\nserver = {server:?}\nca_file = {ca:?}\n\
         bind_dn = \"cn=reader,dc=example,dc=org\"\npassword_file = {password:?}\n\
         base = \"ou=people,dc=example,dc=org\"\nfilter = \"(&(objectClass=person)(uid={{user}}))\"\n\
         name_attribute = \"uid\"\nmaildir_attribute = \"description\"\n"
    )
}

#[test]
fn r21_r22_peer_slapd_curl_and_mpop_log_in_with_users_that_are_searched_for() {
    let office = office();
    let mut directory = Slapd::start(&entries(&office));
    let server = format!("ldaps://localhost:{}", directory.ldaps());
    let serving = serve(&office, &search(&office, &server, &directory.certificate()));
    only_users_get_in(&office, &serving);
    // To the directory it is the same name, and so it is the same maildrop.
    assert!(say(&serving, "ALICE", PASSWORD).starts_with("+OK"));
    assert!(!office.maildir("ALICE").exists());
    assert_eq!((deliver(&office, "carl"), deliver(&office, "nobody")), (Some(0), Some(67)));
    // Whoever is refused has cost the directory as many questions.
    let asked = |user: &str| {
        let count = |text| directory.process().complaints().matches(text).count();
        // The end of a connection is the last that is said of it.
        let settle = || directory.process().wait_for(" closed", count(" ACCEPT "));
        settle();
        let before = count(" RESULT ");
        assert!(say(&serving, user, "guess").starts_with("-ERR [AUTH]"));
        settle();
        count(" RESULT ") - before
    };
    assert_eq!(asked("alice"), asked("nobody"));
    directory.stop();
    all_come_later(&serving);
    directory.start_again();
    assert!(say(&serving, "carl", PASSWORD).starts_with("+OK"));
}

#[test]
fn peer_slapd_lets_users_in_by_name_after_start_tls_alone() {
    let office = office();
    let directory = Slapd::start(&entries(&office));
    let server = format!("ldap://localhost:{}", directory.ldap());
    let table = |ca: &Path| {
        format!(
            "[[users]]\ntype = \"ldap\"\nserver = {server:?}\nstart_tls = true\nca_file = {ca:?}\n\
             bind = \"uid={{user}},ou=people,dc=example,dc=org\"\n\
             [[users]]\ntype = \"static\"\n"
        )
    };
    let serving = serve(&office, &table(&directory.certificate()));
    only_users_get_in(&office, &serving);
    // The directory would take her for alice, and her maildrop would be another one.
    let said = say(&serving, "ALICE", PASSWORD);
    assert!(said.starts_with("-ERR [AUTH]"), "{said}");
    assert_eq!(deliver(&office, "carl"), Some(0));
    drop(serving);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = office.folder().join("other.pem");
    fs::write(&ca, other.cert.pem()).unwrap();
    all_come_later(&serve(&office, &table(&ca)));
}

#[test]
fn r21_r22_peer_saslauthd_curl_and_mpop_log_in_with_users_of_pam() {
    let office = office();
    let users = format!("alice:{PASSWORD}\nbob:{PASSWORD}\ncarl:{PASSWORD}\n");
    let mut pam = Saslauthd::start(&users);
    let table = |service: &str| {
        let socket = pam.socket();
        format!(
            "[[users]]\ntype = \"pam\"\nsocket = {socket:?}\nservice = {service:?}\n\
             [[users]]\ntype = \"static\"\nmaildrop = \"{{data}}/mail/{{user}}/Maildir\"\n"
        )
    };
    for service in ["shut", "nothing"] {
        let serving = serve(&office, &table(service));
        assert!(say(&serving, "carl", PASSWORD).starts_with("-ERR [AUTH]"), "{service}");
    }
    let serving = serve(&office, &table("mail"));
    only_users_get_in(&office, &serving);
    assert_eq!(deliver(&office, "carl"), Some(0));
    pam.stop();
    all_come_later(&serving);
}
