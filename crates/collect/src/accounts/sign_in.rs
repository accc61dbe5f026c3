//! What an account logs in with, and whom it trusts.
//!
//! In: an account's keys. Out: a [`SignIn`] and what the endpoint needs of it, or problems. A key
//! that could not do what its owner expects of it is a problem, not passed over.

use restante_client::{ClientCertificate, Encryption, Mechanism, Method, Pin, Proxy};
use toml::{Spanned, Value};

use super::{Problem, RawAccount, Reader};
use crate::{SecretSource, SignIn};

impl Reader<'_> {
    pub(super) fn sign_in(&mut self, raw: &RawAccount) -> Option<SignIn> {
        let file = raw.password_file.as_ref().map(|path| {
            let source = SecretSource::File(self.path(path));
            (path.span(), Some(SignIn::Password(source)))
        });
        let command = raw.password_command.as_ref().map(|value| {
            let source = self.command("password_command", value);
            (value.span(), source.map(SignIn::Password))
        });
        let keyring = raw.keyring.as_ref().map(|service| {
            let source = SecretSource::Keyring(service.as_ref().clone());
            (service.span(), Some(SignIn::Password(source)))
        });
        let token = raw
            .token_command
            .as_ref()
            .map(|value| (value.span(), self.command("token_command", value).map(SignIn::Token)));
        let mut sources = [file, command, keyring, token].into_iter().flatten();
        let Some((_, sign_in)) = sources.next() else {
            if raw.client_certificate.is_some() {
                return Some(SignIn::Certificate);
            }
            let message = "there is nothing to log in with: password_file, password_command, \
                           keyring, token_command or client_certificate";
            self.problem(&raw.name, message);
            return None;
        };
        if let Some((span, _)) = sources.next() {
            let message = "only one of password_file, password_command, keyring and \
                           token_command can be used";
            self.problems.push(Problem { span, message: message.into() });
        }
        sign_in
    }

    fn command(&mut self, key: &str, value: &Spanned<Value>) -> Option<SecretSource> {
        let words = match value.as_ref() {
            Value::String(command) if !command.trim().is_empty() => {
                return Some(SecretSource::Shell(command.clone()));
            }
            Value::Array(words) => strings(words),
            _ => None,
        };
        match words {
            Some(words) if words.first().is_some_and(|program| !program.is_empty()) => {
                Some(SecretSource::Program(words))
            }
            _ => {
                let message = "is a shell command, \
                               or a program and its arguments as an array of strings";
                self.problem(value, format!("{key} {message}"));
                None
            }
        }
    }

    /// The least that will do, if it is one for what the account logs in with.
    pub(super) fn mechanism(
        &mut self,
        raw: &RawAccount,
        sign_in: Option<&SignIn>,
    ) -> Option<Method> {
        let name = raw.mechanism.as_ref()?;
        let Some(method) = Method::parse(name.as_ref()) else {
            let message = "mechanism is a SASL mechanism this program knows \
                           (\"SCRAM-SHA-256\", \"PLAIN\", ...), \"APOP\" or \"USER\"";
            self.problem(name, message);
            return None;
        };
        let fits = match (method, sign_in) {
            (Method::Sasl(Mechanism::OauthBearer | Mechanism::Xoauth2), Some(sign_in)) => {
                matches!(sign_in, SignIn::Token(_))
            }
            (Method::Sasl(Mechanism::External), Some(sign_in)) => *sign_in == SignIn::Certificate,
            (_, Some(sign_in)) => matches!(sign_in, SignIn::Password(_)),
            (_, None) => true,
        };
        if !fits {
            let message = match sign_in {
                Some(SignIn::Token(_)) => "takes no token; OAUTHBEARER and XOAUTH2 do",
                Some(SignIn::Certificate) => "takes no certificate; EXTERNAL does",
                _ => "takes no password",
            };
            self.problem(name, format!("{method} {message}"));
        }
        Some(method)
    }

    pub(super) fn pins(&mut self, value: Option<&Spanned<Value>>) -> Vec<Pin> {
        let Some(value) = value else { return Vec::new() };
        let texts = match value.as_ref() {
            Value::String(text) => vec![text.clone()],
            Value::Array(texts) => strings(texts).unwrap_or_default(),
            _ => Vec::new(),
        };
        let pins: Option<Vec<Pin>> = texts.iter().map(|text| text.parse().ok()).collect();
        match pins {
            Some(pins) if !pins.is_empty() => pins,
            _ => {
                let message = "pin is \"sha256//...\" with the SHA-256 of the server's public key \
                               in base64, or an array with the next key's as well";
                self.problem(value, message);
                Vec::new()
            }
        }
    }

    pub(super) fn client_certificate(&mut self, raw: &RawAccount) -> Option<ClientCertificate> {
        let Some(certificate) = &raw.client_certificate else {
            if let Some(key) = &raw.client_key {
                self.problem(key, "client_key is of no use without client_certificate");
            }
            return None;
        };
        let certificate = self.path(certificate);
        let key = raw.client_key.as_ref().map_or_else(|| certificate.clone(), |key| self.path(key));
        Some(ClientCertificate { certificate, key })
    }

    pub(super) fn proxy(&mut self, text: Option<&Spanned<String>>) -> Option<Proxy> {
        let text = text?;
        match text.as_ref().parse() {
            Ok(proxy) => Some(proxy),
            Err(error) => {
                self.problem(text, error.to_string());
                None
            }
        }
    }

    /// What would do nothing, or harm, on a connection without TLS.
    pub(super) fn refuse_without_tls(&mut self, raw: &RawAccount, encryption: Encryption) {
        if encryption != Encryption::None {
            return;
        }
        let spans = [
            ("token_command", raw.token_command.as_ref().map(Spanned::span)),
            ("client_certificate", raw.client_certificate.as_ref().map(Spanned::span)),
            ("pin", raw.pin.as_ref().map(Spanned::span)),
        ];
        for (key, span) in spans {
            if let Some(span) = span {
                let message = format!("{key} needs encryption \"tls\" or \"starttls\"");
                self.problems.push(Problem { span, message });
            }
        }
    }
}

fn strings(values: &[Value]) -> Option<Vec<String>> {
    values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Accounts, Defaults};
    use super::*;

    fn parse(keys: &str) -> Result<crate::Account, Vec<String>> {
        let text = format!(
            "[[account]]\nname = \"n\"\nserver = \"s\"\nuser = \"u\"\nmaildir = \"m\"\n{keys}\n"
        );
        let defaults = Defaults { folder: "/etc".into(), home: None };
        let parsed = Accounts::parse(&text, &defaults);
        let problems = |found: Vec<Problem>| found.into_iter().map(|one| one.message).collect();
        parsed.map(|mut accounts| accounts.accounts.remove(0)).map_err(problems)
    }

    #[test]
    fn every_way_to_sign_in_is_read() {
        let account = parse("token_command = \"token\"\nmechanism = \"xoauth2\"").unwrap();
        assert_eq!(account.sign_in, SignIn::Token(SecretSource::Shell("token".into())));
        assert_eq!(account.mechanism, Some(Method::Sasl(Mechanism::Xoauth2)));
        let account = parse("client_certificate = \"me.pem\"").unwrap();
        assert_eq!(account.sign_in, SignIn::Certificate);
        let files = account.endpoint.client_certificate.unwrap();
        assert_eq!((files.certificate, files.key), ("/etc/me.pem".into(), "/etc/me.pem".into()));
        let pin = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let keys = format!(
            "keyring = \"k\"\nclient_certificate = \"c\"\nclient_key = \"k\"\n\
             pin = [\"{pin}\", \"{pin}\"]\nproxy = \"socks5://localhost:9050\""
        );
        let account = parse(&keys).unwrap();
        assert_eq!(account.sign_in, SignIn::Password(SecretSource::Keyring("k".into())));
        assert_eq!(account.endpoint.pins.len(), 2);
        assert_eq!(account.endpoint.proxy.unwrap().port, 9050);
    }

    #[test]
    fn what_could_not_work_is_a_problem() {
        for (keys, message) in [
            ("keyring = \"k\"\nmechanism = \"ntlm\"", "mechanism is a SASL"),
            ("keyring = \"k\"\nmechanism = \"xoauth2\"", "XOAUTH2 takes no password"),
            ("token_command = \"t\"\nmechanism = \"plain\"", "PLAIN takes no token"),
            ("client_certificate = \"c\"\nmechanism = \"user\"", "USER takes no certificate"),
            ("token_command = 1", "token_command is a shell command"),
            ("keyring = \"k\"\ntoken_command = \"t\"", "only one of"),
            ("keyring = \"k\"\npin = \"abc\"", "pin is"),
            ("keyring = \"k\"\npin = []", "pin is"),
            ("keyring = \"k\"\nproxy = \"localhost\"", "a proxy is"),
            ("keyring = \"k\"\nclient_key = \"c\"", "without client_certificate"),
            ("token_command = \"t\"\nencryption = \"none\"", "token_command needs encryption"),
        ] {
            let problems = parse(keys).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(message), "{problems:?}");
        }
    }
}
