//! Our own client logs in by each mechanism it knows, to Dovecot and to `restante serve`. What it
//! says it used is checked, too: it must not have fallen back to another.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use restante_client::{
    ClientCertificate, Connection, Credentials, Encryption, Endpoint, Error, LoginError, Method,
    Pin, Secret, TlsError,
};

use crate::logins::{self, SCRAM_SHA_1};
use crate::oauth;
use crate::support::dovecot::Dovecot;
use crate::support::office::{Office, PASSWORD, restante};
use crate::support::{corpus, maildir, process};

const DOVECOT: &str = "plain login cram-md5 apop scram-sha-1 scram-sha-256";

fn alice(password: &str) -> Credentials {
    Credentials::password("alice", Secret::new(password.into()))
}

fn endpoint(address: SocketAddr, encryption: Encryption, certificate: &Path) -> Endpoint {
    let mut endpoint = Endpoint::new("localhost", encryption);
    endpoint.port = address.port();
    endpoint.ca_file = Some(certificate.to_owned());
    endpoint
}

/// Logs in, sees that the one message is there, and says how.
async fn log_in(endpoint: &Endpoint, credentials: &Credentials) -> Result<String, Error> {
    let mut connection = Connection::connect(endpoint).await?;
    let method = connection.login(credentials).await?;
    assert_eq!(connection.stat().await?.messages, 1);
    connection.commit().await?;
    Ok(method.to_string())
}

fn at_least(name: &str, credentials: Credentials) -> Credentials {
    credentials.at_least(Method::parse(name).unwrap())
}

#[tokio::test]
async fn c16_c17_c19_peer_dovecot_takes_every_login_it_offers() {
    for (offered, floor, used) in [
        (DOVECOT, None, "SCRAM-SHA-256"),
        (DOVECOT, Some("SCRAM-SHA-1"), "SCRAM-SHA-256"),
        ("plain login scram-sha-1", None, "SCRAM-SHA-1"),
        ("plain login cram-md5", Some("CRAM-MD5"), "CRAM-MD5"),
        ("plain login cram-md5", None, "PLAIN"),
        ("plain apop", Some("APOP"), "APOP"),
        ("plain apop", None, "PLAIN"),
        ("login", None, "LOGIN"),
    ] {
        let dovecot = Dovecot::start_offering(offered, corpus::messages(1));
        for (address, encryption) in
            [(dovecot.pop3s, Encryption::Tls), (dovecot.pop3, Encryption::StartTls)]
        {
            // No stamp that came in clear text is used.
            if used == "APOP" && encryption == Encryption::StartTls {
                continue;
            }
            let endpoint = endpoint(address, encryption, &dovecot.certificate());
            let floored = |credentials| match floor {
                Some(floor) => at_least(floor, credentials),
                None => credentials,
            };
            let method = log_in(&endpoint, &floored(alice(PASSWORD))).await.unwrap();
            assert_eq!(method, used, "{offered}");
            let refused = log_in(&endpoint, &floored(alice("wrong"))).await.unwrap_err();
            let wrong = matches!(refused, Error::Login(LoginError::WrongPassword(_)));
            assert!(wrong, "{offered}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn r7_peer_dovecot_gets_nothing_below_the_floor() {
    let dovecot = Dovecot::start_offering("plain login", corpus::messages(1));
    let endpoint = endpoint(dovecot.pop3s, Encryption::Tls, &dovecot.certificate());
    let refused = log_in(&endpoint, &at_least("SCRAM-SHA-1", alice(PASSWORD))).await.unwrap_err();
    let says = "at least SCRAM-SHA-1; it offers USER, SASL PLAIN LOGIN";
    assert!(refused.to_string().contains(says), "{refused}");
}

#[tokio::test]
async fn c25_peer_dovecot_takes_a_certificate_for_a_login() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (authority, both) = (folder.path().join("alice.pem"), folder.path().join("both.pem"));
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "alice");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    fs::write(&authority, &certificate).unwrap();
    fs::write(&both, certificate + &key.serialize_pem()).unwrap();
    let more = format!(
        "ssl_ca = <{}\nssl_verify_client_cert = yes\nssl_require_crl = no\n\
         auth_ssl_username_from_cert = yes\n\
         passdb {{\n  driver = static\n  args = nopassword=y\n  mechanisms = external\n}}\n",
        authority.display()
    );
    let dovecot = Dovecot::start_with("plain external", &more, corpus::messages(1));
    let mut endpoint = endpoint(dovecot.pop3s, Encryption::Tls, &dovecot.certificate());
    let refused = log_in(&endpoint, &Credentials::certificate("")).await;
    assert!(matches!(refused, Err(Error::Login(_))), "{refused:?}");
    endpoint.client_certificate = Some(ClientCertificate { certificate: both.clone(), key: both });
    for user in ["", "alice"] {
        let method = log_in(&endpoint, &Credentials::certificate(user)).await.unwrap();
        assert_eq!(method, "EXTERNAL");
    }
}

#[tokio::test]
async fn s70_s72_peer_restante_takes_every_login_it_offers() {
    use Encryption::{None as Clear, StartTls, Tls};
    let office = Office::with_mail(corpus::messages(1));
    let config = office.folder().join("restante.toml");
    for (stored, scram, encryption, floor, used) in [
        (None, "when-all-can", Tls, None, "SCRAM-SHA-256-PLUS"),
        (None, "when-all-can", StartTls, None, "SCRAM-SHA-256-PLUS"),
        (None, "when-all-can", Clear, None, "SCRAM-SHA-256"),
        (Some(SCRAM_SHA_1), "when-all-can", Tls, None, "SCRAM-SHA-1-PLUS"),
        (Some(SCRAM_SHA_1), "when-all-can", Clear, None, "SCRAM-SHA-1"),
        (None, "never", Tls, None, "PLAIN"),
        (None, "never", Tls, Some("CRAM-MD5"), "CRAM-MD5"),
    ] {
        logins::store(&office, stored.unwrap_or(&format!("{{PLAIN}}{PASSWORD}")));
        fs::write(&config, format!("[login]\nscram = {scram:?}\ncram_md5 = true\napop = true\n"))
            .unwrap();
        let mut command = office.serve_command();
        command.arg("--config").arg(&config);
        let serving = office.serve_under(command);
        let address = if encryption == Tls { serving.pop3s } else { serving.pop3 };
        let endpoint = endpoint(address, encryption, &serving.certificate);
        let credentials = match floor {
            Some(floor) => at_least(floor, alice(PASSWORD)),
            None => alice(PASSWORD),
        };
        assert_eq!(log_in(&endpoint, &credentials).await.unwrap(), used);
    }
}

#[tokio::test]
async fn s73_c18_peer_restante_takes_a_token() {
    let (office, serving, issuer) = oauth::open(&corpus::messages(1));
    let token = |user: &str| Credentials::token("alice", Secret::new(issuer.token(user, 0)));
    for (address, encryption) in
        [(serving.pop3s, Encryption::Tls), (serving.pop3, Encryption::StartTls)]
    {
        let endpoint = endpoint(address, encryption, &serving.certificate);
        assert_eq!(log_in(&endpoint, &token("alice")).await.unwrap(), "OAUTHBEARER");
        let refused = log_in(&endpoint, &token("mallory")).await.unwrap_err();
        let Error::Login(LoginError::WrongToken { report, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(report, r#"{"status":"invalid_token"}"#);
    }
    drop(office);
    // Whoever listens could use it.
    let endpoint = endpoint(serving.pop3, Encryption::None, &serving.certificate);
    let refused = log_in(&endpoint, &token("alice")).await;
    assert!(matches!(refused, Err(Error::Login(LoginError::NotEncrypted))), "{refused:?}");
}

#[tokio::test]
async fn c14_peer_restante_has_a_pin_asked_for_besides_the_certificate() {
    let office = Office::with_mail(corpus::messages(1));
    let serving = office.serve();
    let mut endpoint = endpoint(serving.pop3s, Encryption::Tls, &serving.certificate);
    let other: Pin = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap();
    endpoint.pins = vec![other];
    let refused = log_in(&endpoint, &alice(PASSWORD)).await.unwrap_err();
    let Error::Tls(TlsError::WrongPin { found }) = &refused else { panic!("{refused:?}") };
    endpoint.pins = vec![other, found.parse().unwrap()];
    log_in(&endpoint, &alice(PASSWORD)).await.unwrap();
    endpoint.ca_file = None;
    let refused = log_in(&endpoint, &alice(PASSWORD)).await.unwrap_err();
    assert!(matches!(refused, Error::Tls(TlsError::Untrusted)), "{refused:?}");
}

/// Goal: the keys of an account reach the wire. Method: each is good in one run and bad in another.
#[test]
fn c18_peer_restante_is_collected_by_a_token_with_a_pin_and_by_the_least_mechanism() {
    let (office, serving, issuer) = oauth::open(&corpus::messages(1));
    let folder = office.folder();
    let password = folder.join("password");
    fs::write(&password, PASSWORD).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let password = format!("password_file = {password:?}");
    let token = |user: &str| format!("token_command = [\"echo\", {:?}]", issuer.token(user, 0));
    let pin = "pin = \"sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"";
    for (keys, says) in [
        (token("alice"), None),
        (token("mallory"), Some("does not take the token")),
        (format!("{}\nmechanism = \"OAUTHBEARER\"", token("alice")), None),
        (format!("{password}\nmechanism = \"SCRAM-SHA-256-PLUS\""), None),
        (format!("{password}\n{pin}"), Some("not the one pinned: it is sha256//")),
        (format!("{password}\nproxy = \"http://localhost:1\""), Some("cannot connect to")),
        (format!("{password}\nclient_certificate = \"none.pem\""), Some("none.pem")),
    ] {
        let config = folder.join("collect.toml");
        let (port, certificate) = (serving.pop3s.port(), &serving.certificate);
        let account = format!(
            "[[account]]\nname = \"test\"\nserver = \"localhost\"\nport = {port}\n\
             user = \"alice\"\nca_file = {certificate:?}\nmaildir = \"inbox\"\n{keys}\n"
        );
        fs::write(&config, account).unwrap();
        let mut command = restante();
        command.arg("collect").arg("--config").arg(config);
        command.env("HOME", folder).env("XDG_STATE_HOME", folder.join("state"));
        let ended = process::run("collect", folder, &mut command);
        match says {
            None => drop(ended.success("collect")),
            Some(says) => {
                assert!(!ended.status.success(), "{keys}");
                assert!(ended.stderr.contains(says), "{keys}: {}", ended.stderr);
            }
        }
    }
    assert_eq!(maildir::files(&folder.join("inbox")).len(), 1);
}
