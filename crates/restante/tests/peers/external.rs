//! Real programs show certificates of their own, and log in by EXTERNAL.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};

use crate::logins::{mpop_with, serve, text};
use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::process::{self, Ended};
use crate::support::{corpus, maildir};

/// Signs clients' certificates; its files lie in the folder of an office.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

/// The files of a certificate and its key.
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new(office: &Office) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let signed = params.self_signed(&key).unwrap();
        let authority =
            Self { issuer: Issuer::new(params, key), folder: office.folder().to_owned() };
        fs::write(authority.folder.join("ca.pem"), signed.pem()).unwrap();
        authority
    }

    /// A certificate for these mail addresses and these common names.
    fn sign(&self, mails: &[&str], names: &[&str], serial: u64) -> Shown {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let mail = |mail: &&str| SanType::Rfc822Name((*mail).try_into().unwrap());
        params.subject_alt_names = mails.iter().map(mail).collect();
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let shown = Shown {
            certificate: self.folder.join(format!("{serial}.pem")),
            key: self.folder.join(format!("{serial}.key")),
        };
        fs::write(&shown.certificate, leaf.pem()).unwrap();
        fs::write(&shown.key, key.serialize_pem()).unwrap();
        shown
    }

    /// Writes what is revoked.
    fn revoke(&self, serials: &[u64]) {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2999, 1, 1),
            crl_number: SerialNumber::from(serials.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).unwrap();
        fs::write(self.folder.join("crl.pem"), list.pem().unwrap()).unwrap();
    }
}

/// What mpop says when it fetches with this certificate, or with none.
fn mpop(office: &Office, serving: &Serving, shown: Option<&Shown>, mechanism: &str) -> Ended {
    let more = shown.map(|Shown { certificate, key }| {
        format!("tls_cert_file {}\ntls_key_file {}\n", certificate.display(), key.display())
    });
    mpop_with("alice", office, serving, PASSWORD, mechanism, &more.unwrap_or_default())
}

/// What openssl hears when it says `lines` behind STLS.
fn openssl(office: &Office, serving: &Serving, shown: Option<&Shown>, lines: &str) -> String {
    process::need("openssl");
    let input = office.folder().join("input");
    fs::write(&input, lines).unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-crlf", "-starttls", "pop3", "-servername", "localhost"]);
    command.args(["-verify_return_error", "-CAfile"]).arg(&serving.certificate);
    command.arg("-connect").arg(format!("127.0.0.1:{}", serving.pop3.port()));
    if let Some(Shown { certificate, key }) = shown {
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
    }
    let input = File::open(input).unwrap();
    text(&process::run_on("openssl", office.folder(), &mut command, input))
}

#[test]
fn s55_peer_mpop_logs_in_by_external_with_a_certificate() {
    let messages = corpus::messages(2);
    let office = Office::with_mail(&messages);
    let authority = Authority::new(&office);
    let serving =
        serve(&office, "[tls]\nclient_certificates = \"optional\"\nclient_ca = \"ca.pem\"\n");
    let said = mpop(&office, &serving, Some(&authority.sign(&["alice"], &["x"], 1)), "external");
    let said = text(&said.success("mpop"));
    assert!(said.contains("SASL EXTERNAL SCRAM-SHA-256-PLUS"), "{said}");
    assert!(said.contains("AUTH EXTERNAL"), "{said}");
    let sent: Vec<_> =
        messages.iter().map(|message| maildir::raw_print(&maildir::with_lf(message))).collect();
    let stored: Vec<_> = maildir::contents(&office.folder().join("inbox"))
        .iter()
        .map(|message| maildir::raw_print(message))
        .collect();
    maildir::assert_same_heap(&stored, &sent, "external");
    // The common name counts where there is no address.
    let by_name = authority.sign(&[], &["alice"], 2);
    mpop(&office, &serving, Some(&by_name), "external").success("mpop");
    for shown in [authority.sign(&["bob"], &["alice"], 3), authority.sign(&[], &[], 4)] {
        let said = mpop(&office, &serving, Some(&shown), "external");
        assert!(!said.status.success() && text(&said).contains("[AUTH]"), "{}", text(&said));
        mpop(&office, &serving, Some(&shown), "plain").success("a password still does");
    }
    let said = text(&mpop(&office, &serving, None, "external"));
    assert!(!said.contains("EXTERNAL SCRAM") && !said.contains("AUTH EXTERNAL"), "{said}");
    // One that a stranger signed does not get as far as that.
    let stranger = Office::new(&[]);
    let shown = Authority::new(&stranger).sign(&["alice"], &[], 5);
    let said = mpop(&office, &serving, Some(&shown), "external");
    assert!(!text(&said).contains("AUTH EXTERNAL"), "{}", text(&said));
}

#[test]
fn s50_s55_peer_openssl_is_asked_for_a_certificate_only_where_that_is_set() {
    let office = Office::with_mail(corpus::messages(1));
    let authority = Authority::new(&office);
    let shown = authority.sign(&["alice"], &[], 1);
    let lines = "STAT\nAUTH EXTERNAL =\nSTAT\nQUIT\n";
    let off = office.serve();
    let heard = openssl(&office, &off, Some(&shown), lines);
    assert!(heard.contains("-ERR No such mechanism"), "{heard}");
    let required =
        serve(&office, "[tls]\nclient_certificates = \"required\"\nclient_ca = \"ca.pem\"\n");
    let heard = openssl(&office, &required, Some(&shown), lines);
    // Shown in the handshake, and still to log in.
    assert!(heard.contains("-ERR Log in first\r\n+OK 1 messages"), "{heard}");
    let heard = openssl(&office, &required, None, lines);
    assert!(!heard.contains("-ERR Log in first"), "{heard}");
    required.process.wait_for("TLS handshake failed", 1);
}

#[test]
fn s55_peer_openssl_is_refused_once_its_certificate_is_revoked() {
    let office = Office::with_mail(corpus::messages(1));
    let authority = Authority::new(&office);
    let (shown, other) = (authority.sign(&["alice"], &[], 7), authority.sign(&["alice"], &[], 8));
    authority.revoke(&[]);
    let serving = serve(
        &office,
        "[tls]\nclient_certificates = \"optional\"\nclient_ca = \"ca.pem\"\n\
         client_crl = \"crl.pem\"\n",
    );
    let lines = "AUTH EXTERNAL =\nQUIT\n";
    let logs_in = |shown| openssl(&office, &serving, Some(shown), lines).contains("+OK 1 messages");
    assert!(logs_in(&shown) && logs_in(&other));
    authority.revoke(&[7]);
    serving.process.wait_for("new clients' certificates are taken", 1);
    assert!(!logs_in(&shown) && logs_in(&other));
    fs::write(office.folder().join("crl.pem"), "rubbish\n-----BEGIN X509 CRL-----\n").unwrap();
    serving.process.wait_for("whose clients' certificates are taken stays as it was", 1);
    assert!(!logs_in(&shown) && logs_in(&other));
}
