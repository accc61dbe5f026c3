//! What the usual scanners of TLS have to say about both ports: nothing. The certificate is of an
//! authority of the test's own, which they are told to trust.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::support::office::{Office, Serving};
use crate::support::process;

/// A server with a certificate as authorities make them, and the authority's file.
fn serve(office: &Office) -> (Serving, PathBuf) {
    let now = fs::metadata(office.folder()).unwrap().modified().unwrap();
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = (now - days(1)).into();
        params.not_after = (now + days(89)).into();
        params
    };
    let mut authority = named("An authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut params = named("localhost");
    params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let uris = vec!["http://ca.example/crl".to_owned()];
    params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let files = ["root.pem", "leaf.pem", "leaf.key"].map(|file| office.folder().join(file));
    for (file, text) in files.iter().zip([root, leaf.pem(), key.serialize_pem()]) {
        fs::write(file, text).unwrap();
    }
    let [root, leaf, key] = files;
    let mut command = office.serve_command();
    command.arg("--certificate").arg(leaf).arg("--key").arg(key);
    (office.serve_under(command), root)
}

#[test]
fn s54_peer_sslscan_finds_tls_1_2_and_1_3_with_strong_ciphers_and_nothing_else() {
    process::need("sslscan");
    let office = Office::new(&["alice"]);
    let (serving, _) = serve(&office);
    for (starttls, address) in [(None, serving.pop3s), (Some("--starttls-pop3"), serving.pop3)] {
        let mut command = Command::new("sslscan");
        command.arg("--no-colour").args(starttls).arg(format!("localhost:{}", address.port()));
        let said = process::run("sslscan", office.folder(), &mut command).success("sslscan");
        let said = String::from_utf8(said.stdout).unwrap();
        for (version, state) in [
            ("SSLv2", "disabled"),
            ("SSLv3", "disabled"),
            ("TLSv1.0", "disabled"),
            ("TLSv1.1", "disabled"),
            ("TLSv1.2", "enabled"),
            ("TLSv1.3", "enabled"),
        ] {
            let line = said.lines().find(|line| line.starts_with(&format!("{version} ")));
            assert!(line.is_some_and(|line| line.ends_with(state)), "{version}: {said}");
        }
        let ciphers: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with("Preferred ") || line.starts_with("Accepted "))
            .collect();
        assert_eq!(ciphers.len(), 6, "{said}");
        for cipher in ciphers {
            let strong = cipher.contains("GCM") || cipher.contains("CHACHA20");
            assert!(strong && (cipher.contains("ECDHE") || cipher.contains("TLSv1.3")), "{cipher}");
        }
        for bad in ["vulnerable to heartbleed", "Compression enabled", "Insecure"] {
            let said = said.replace("not vulnerable to heartbleed", "");
            assert!(!said.contains(bad), "{said}");
        }
    }
}

#[test]
fn s54_peer_testssl_has_nothing_to_complain_about_in_pop3s() {
    let office = Office::new(&["alice"]);
    let (serving, root) = serve(&office);
    testssl(&office, &root, &[], serving.pop3s);
}

#[test]
fn s50_peer_testssl_has_nothing_to_complain_about_behind_stls() {
    let office = Office::new(&["alice"]);
    let (serving, root) = serve(&office);
    testssl(&office, &root, &["--starttls", "pop3"], serving.pop3);
}

/// Versions, ciphers, forward secrecy, preferences, certificate, and the attacks that are no
/// matter of versions and ciphers.
fn testssl(office: &Office, root: &PathBuf, starttls: &[&str], address: SocketAddr) {
    process::need("testssl");
    let file = office.folder().join("testssl.json");
    let mut command = Command::new("testssl");
    command.args(["--color", "0", "--quiet", "--warnings", "batch", "--ip", "127.0.0.1"]);
    command.args(["-p", "-s", "-f", "-P", "-S", "-I", "-R", "--jsonfile"]).arg(&file);
    command.arg("--add-ca").arg(root).args(starttls);
    command.arg(format!("localhost:{}", address.port()));
    // Its status counts more than complaints.
    let said = process::run("testssl", office.folder(), &mut command);
    let found = fs::read(&file).unwrap_or_else(|error| panic!("{error}: {}", said.stderr));
    let found: Vec<serde_json::Value> = serde_json::from_slice(&found).unwrap();
    assert!(found.len() > 40, "{found:?}");
    let complaints: Vec<_> = found
        .iter()
        .filter(|finding| {
            let (id, severity) = (&finding["id"], finding["severity"].as_str().unwrap());
            // Of the name localhost, and of the scanner's own connection.
            let elsewhere = id == "DNS_CAArecord" || severity == "WARN" || severity == "DEBUG";
            !elsewhere && severity != "OK" && severity != "INFO"
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let verdict = |id: &str| found.iter().find(|finding| finding["id"] == id).unwrap();
    assert_eq!(verdict("TLS1_3")["severity"], "OK");
    assert_eq!(verdict("cert_chain_of_trust")["finding"], "passed.");
}
