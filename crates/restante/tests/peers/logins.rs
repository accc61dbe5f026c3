//! Real programs log in by each mechanism they know, with users of every kind of stored password.
//! What a program says it used is checked, too: it must not have fallen back to another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::office::{Office, PASSWORD, Serving, restante};
use crate::support::process::{self, Ended};
use crate::support::{corpus, maildir};

/// The configuration that turns them on.
const DIGESTS: &str = "[login]\ncram_md5 = true\napop = true\n";
/// What `doveadm pw` makes of [`PASSWORD`].
const SCRAM_SHA_256: &str = "{SCRAM-SHA-256}4096,CboBGyEUZEFbvMNRw1veWw==,4J82vq5pXTKhlVYBw3JPMQSU/ZqryeOIMw8Cg8KEUVQ=,iREmGYTiqDBVF8+x3xe/W4M1RT5O96kaMqX7DnYDKSA=";
pub(crate) const SCRAM_SHA_1: &str = "{SCRAM-SHA-1}4096,146+kuWK+T3FWtsCtPxcWA==,F0TS053J6XE4gA+wTsxnd3/QJ9I=,D215sadBrKf66xC36gs3EXMWJlQ=";

#[test]
fn s70_peer_mpop_logs_in_by_scram_with_plain_and_stored_keys() {
    for (stored, mechanism) in [
        (None, "scram-sha-256"),
        (None, "scram-sha-1"),
        (Some(SCRAM_SHA_256), "scram-sha-256"),
        (Some(SCRAM_SHA_1), "scram-sha-1"),
    ] {
        mpop_logs_in(stored, mechanism, "");
    }
}

#[test]
fn s70_peer_mpop_logs_in_by_scram_with_the_keys_restante_stores() {
    let office = Office::with_mail(corpus::messages(1));
    let password = office.folder().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let mut command = restante();
    command.args(["user", "passwd", "alice", "--scheme", "scram-sha-256", "--password-stdin"]);
    command.arg("--data").arg(office.data());
    let password = fs::File::open(password).unwrap();
    process::run_on("user", office.folder(), &mut command, password).success("user");
    let said = mpop(&office, &office.serve(), PASSWORD, "scram-sha-256").success("mpop");
    assert!(text(&said).contains("SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"));
}

#[test]
fn s66_peer_mpop_logs_in_by_plain_and_login() {
    for stored in [None, Some(SCRAM_SHA_256)] {
        for mechanism in ["plain", "login", "user"] {
            mpop_logs_in(stored, mechanism, "");
        }
    }
}

#[test]
fn s40_peer_mpop_sees_scram_only_where_all_users_can_use_it() {
    let office = Office::with_mail(corpus::messages(1));
    let said = mpop(&office, &office.serve(), PASSWORD, "on").success("mpop");
    let offered = "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN";
    assert!(text(&said).contains(offered), "{}", text(&said));
    // Programs that take the best on offer could not log in then.
    store(&office, "$5$Jvf/h78/gtLivDxV$c9N2xKGFo/EK2AvfXFW.MyuKazOC/sVk10oxao/BjM4");
    let said = mpop(&office, &office.serve(), PASSWORD, "on").success("mpop");
    assert!(!text(&said).contains("SCRAM"), "{}", text(&said));
}

#[test]
fn s75_peer_mpop_is_told_of_a_wrong_password_by_scram() {
    let office = Office::with_mail(corpus::messages(1));
    let serving = office.serve();
    for mechanism in ["scram-sha-256", "scram-sha-1"] {
        let said = mpop(&office, &serving, "wrong", mechanism);
        assert!(!said.status.success() && text(&said).contains("[AUTH]"), "{}", text(&said));
    }
}

#[test]
fn s66_peer_curl_logs_in_by_plain_and_login() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    for mechanism in ["PLAIN", "LOGIN"] {
        for initial in [&["--sasl-ir"][..], &[]] {
            let said = curl(&office, &serving, &format!("AUTH={mechanism}"), initial);
            assert_eq!(said.stdout, maildir::canonical(&messages[0]));
            assert!(said.stderr.contains(&format!("> AUTH {mechanism}")), "{}", said.stderr);
        }
    }
}

#[test]
fn s33_s74_peer_mpop_logs_in_by_digests_where_they_are_on() {
    mpop_logs_in(None, "cram-md5", DIGESTS);
    mpop_logs_in(None, "apop", DIGESTS);
    // Off, mpop finds neither the mechanism nor a stamp in the greeting.
    let office = Office::with_mail(corpus::messages(1));
    let serving = office.serve();
    for mechanism in ["cram-md5", "apop"] {
        let said = mpop(&office, &serving, PASSWORD, mechanism);
        assert!(!said.status.success(), "{mechanism}: {}", text(&said));
    }
}

#[test]
fn s33_s74_peer_curl_logs_in_by_digests() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let serving = serve(&office, DIGESTS);
    for (options, says) in [("AUTH=+APOP", "> APOP alice "), ("AUTH=CRAM-MD5", "> AUTH CRAM-MD5")] {
        let said = curl(&office, &serving, options, &[]);
        assert_eq!(said.stdout, maildir::canonical(&messages[0]));
        assert!(said.stderr.contains(says), "{}", said.stderr);
    }
}

#[test]
fn s33_s74_peer_fetchmail_logs_in_by_digests() {
    process::need("fetchmail");
    for (protocol, says) in
        [("apop", "POP3> APOP alice "), ("pop3 auth cram-md5", "POP3> AUTH CRAM-MD5")]
    {
        let messages = corpus::messages(1);
        let office = Office::with_mail(&messages);
        let serving = serve(&office, DIGESTS);
        let folder = office.folder();
        let config = folder.join("fetchmailrc");
        fs::write(
            &config,
            format!(
                "set no syslog\nset invisible\npoll localhost protocol {protocol} port {}\n\
                 user 'alice' password '{PASSWORD}' ssl sslcertck sslcertfile '{}'\n\
                 fetchall no keep mda 'cat >/dev/null'\n",
                serving.pop3s.port(),
                serving.certificate.display(),
            ),
        )
        .unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new("fetchmail");
        command.env("HOME", folder).env("FETCHMAILHOME", folder).env("LC_ALL", "C");
        command.args(["-v", "-v", "--nodetach", "--fetchmailrc"]).arg(&config);
        command.arg("--pidfile").arg(folder.join("fetchmail.pid"));
        let said = process::run("fetchmail", folder, &mut command).success("fetchmail");
        assert!(text(&said).contains(says), "{protocol}: {}", text(&said));
        assert_eq!(maildir::files(&office.maildir("alice")).len(), 0, "{protocol}: fetched");
    }
}

/// Fetches two messages.
fn mpop_logs_in(stored: Option<&str>, mechanism: &str, config: &str) {
    let messages = corpus::messages(2);
    let office = Office::with_mail(&messages);
    if let Some(stored) = stored {
        store(&office, stored);
    }
    let serving = serve(&office, config);
    let said = mpop(&office, &serving, PASSWORD, mechanism).success("mpop");
    let used = match mechanism {
        "user" => "USER alice".to_owned(),
        "apop" => "APOP alice".to_owned(),
        sasl => format!("AUTH {}", sasl.to_ascii_uppercase()),
    };
    assert!(text(&said).contains(&used), "{mechanism}: {}", text(&said));
    let sent: Vec<_> =
        messages.iter().map(|message| maildir::raw_print(&maildir::with_lf(message))).collect();
    let stored: Vec<_> = maildir::contents(&office.folder().join("inbox"))
        .iter()
        .map(|message| maildir::raw_print(message))
        .collect();
    maildir::assert_same_heap(&stored, &sent, mechanism);
}

/// Serves with a configuration.
pub(crate) fn serve(office: &Office, config: &str) -> Serving {
    let file = office.folder().join("restante.toml");
    fs::write(&file, config).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(file);
    office.serve_under(command)
}

/// Gives alice this stored password.
pub(crate) fn store(office: &Office, stored: &str) {
    fs::write(office.data().join("passwd"), format!("alice:{stored}\n")).unwrap();
}

/// mpop fetches by this mechanism; the password may be a token.
pub(crate) fn mpop(office: &Office, serving: &Serving, password: &str, mechanism: &str) -> Ended {
    mpop_as("alice", office, serving, password, mechanism)
}

/// The same for another user.
pub(crate) fn mpop_as(
    user: &str,
    office: &Office,
    serving: &Serving,
    password: &str,
    mechanism: &str,
) -> Ended {
    mpop_with(user, office, serving, password, mechanism, "")
}

/// The same, with more lines in its configuration.
pub(crate) fn mpop_with(
    user: &str,
    office: &Office,
    serving: &Serving,
    password: &str,
    mechanism: &str,
    more: &str,
) -> Ended {
    process::need("mpop");
    let folder = office.folder();
    let inbox = folder.join("inbox");
    if !inbox.exists() {
        maildir::create(&inbox);
    }
    let config = folder.join("mpoprc");
    fs::write(
        &config,
        format!(
            "account test\nhost localhost\nport {}\ntls on\ntls_starttls off\n\
             tls_trust_file {}\nuser {user}\npassword \"{password}\"\nauth {mechanism}\n\
             delivery maildir {}\nuidls_file {}\nreceived_header off\n{more}",
            serving.pop3s.port(),
            serving.certificate.display(),
            inbox.display(),
            folder.join("uidls").display(),
        ),
    )
    .unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("mpop");
    command.env("HOME", folder).arg("--debug").arg("--file").arg(&config).arg("test");
    process::run("mpop", folder, &mut command)
}

fn curl(office: &Office, serving: &Serving, options: &str, more: &[&str]) -> Ended {
    process::need("curl");
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--verbose", "--login-options", options, "--cacert"]);
    command.arg(&serving.certificate).args(more);
    command.args(["--user", &format!("alice:{PASSWORD}")]);
    command.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
    process::run("curl", office.folder(), &mut command).success("curl")
}

/// All that a program said.
pub(crate) fn text(ended: &Ended) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), ended.stderr)
}
