//! Thunderbird: `prefs.js` of a profile, and `popstate.dat` in the folder of each server.
//!
//! In: their text. Out: accounts and ids. Thunderbird keeps its passwords encrypted and its mail
//! in folders of its own, so neither is taken over.

use std::collections::BTreeMap;

use restante_client::Encryption;
use serde_json::Value;

use super::found::NEVER;
use super::{Found, Import, ImportError, Place, Seen, limited, lines};

/// The settings of a server, by name.
type Server = BTreeMap<String, Value>;

pub(super) fn accounts(text: &str, place: &Place) -> Result<Import, ImportError> {
    let mut servers: BTreeMap<String, Server> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some(call) = line.trim().strip_prefix("user_pref(") else { continue };
        let array = call.strip_suffix(");").map(|arguments| format!("[{arguments}]"));
        let values = array.and_then(|array| serde_json::from_str::<(String, Value)>(&array).ok());
        let Some((key, value)) = values else {
            // Escapes that JSON does not have are in no setting of a server.
            if call.starts_with("\"mail.server.") {
                let message = "it is no setting as Thunderbird writes them".to_owned();
                return Err(ImportError { line: index + 1, message });
            }
            continue;
        };
        let setting = key.strip_prefix("mail.server.").and_then(|rest| rest.split_once('.'));
        if let Some((server, setting)) = setting {
            limited(servers.len(), index + 1)?;
            servers.entry(server.to_owned()).or_default().insert(setting.to_owned(), value);
        }
    }
    let mut import = Import::default();
    for (id, server) in &servers {
        let text = |key| server.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "pop3" if text("hostname").is_empty() || text("userName").is_empty() => {
                import.left_out.push(format!("{id}: no hostname or no user is named"));
            }
            "pop3" => import.accounts.push(account(server, place)),
            // Local folders and feeds are no accounts.
            "none" | "rss" | "" => {}
            kind => import.left_out.push(format!("{} ({kind}, not POP3)", text("hostname"))),
        }
    }
    Ok(import)
}

fn account(server: &Server, place: &Place) -> Found {
    let text = |key| server.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = |key| server.get(key).and_then(Value::as_u64);
    let is_on = |key| server.get(key).and_then(Value::as_bool) == Some(true);
    // Those with which the account was made; changed ones stand beside them.
    let made = (text("hostname").unwrap_or_default(), text("userName").unwrap_or_default());
    let host = text("realhostname").unwrap_or(made.0);
    let user = text("realuserName").unwrap_or(made.1);
    let mut found = Found::new(text("name").unwrap_or(user), host, user);
    found.known_as = (made.0.to_owned(), made.1.to_owned());
    found.port = number("port").and_then(|port| u16::try_from(port).ok());
    found.encryption = match number("socketType") {
        Some(3) => Encryption::Tls,
        Some(1 | 2) => Encryption::StartTls,
        _ => Encryption::None,
    };
    if number("authMethod") == Some(10) {
        found.left_out.push("OAuth: name a token_command in place of password_file".to_owned());
    }
    match (is_on("leave_on_server"), is_on("delete_by_age_from_server")) {
        (false, _) => NEVER.clone_into(&mut found.leave),
        (true, true) => {
            let days = number("num_days_to_leave_on_server").unwrap_or(DAYS_DEFAULT);
            found.leave = format!("{days} days");
        }
        (true, false) => {}
    }
    if is_on("leave_on_server") && is_on("delete_mail_left_on_server") {
        found.left_out.push("mail deleted here stays on the server".to_owned());
    }
    for (key, what) in [
        ("headers_only", "headers only: messages are fetched whole"),
        ("limit_offline_message_size", "a limit for messages"),
        ("deferred_to_account", "a common inbox"),
    ] {
        if is_on(key) || text(key).is_some() {
            found.left_out.push(what.to_owned());
        }
    }
    let relative = text("directory-rel").and_then(|path| path.strip_prefix("[ProfD]"));
    let relative = relative.map(|path| place.folder.join(path));
    let absolute = text("directory").map(|path| place.folder.join(path));
    found.seen_files =
        relative.into_iter().chain(absolute).map(|folder| folder.join("popstate.dat")).collect();
    found
}

/// `* host user` before the ids of each account: `flag id seconds`.
pub(super) fn seen(state: &[u8], account: &Found) -> Vec<Seen> {
    let (server, user) = &account.known_as;
    let is_host = |host: &[u8]| {
        [server, &account.server].iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
    };
    let is_user = |name: &[u8]| [user, &account.user].iter().any(|user| name == user.as_bytes());
    let mut seen = Vec::new();
    let mut ours = false;
    for line in lines(state) {
        if let Some(who) = line.strip_prefix(b"*") {
            let mut words = who.trim_ascii().splitn(2, |&octet| octet == b' ');
            ours = words.next().is_some_and(is_host) && words.next().is_some_and(is_user);
            continue;
        }
        let mut words = line.split(|octet| b" \t".contains(octet)).filter(|word| !word.is_empty());
        let (Some(flag), Some(id)) = (words.next(), words.next()) else { continue };
        // Of others only a part was fetched, or they were to be fetched.
        let delete = match flag {
            b"k" | b"u" => account.deletes(),
            b"d" => true,
            _ => continue,
        };
        if ours {
            let time = words.next().and_then(|word| str::from_utf8(word).ok()?.parse().ok());
            seen.push(Seen { unique_id: id.into(), time: time.filter(|time| *time > 0), delete });
        }
    }
    seen
}

/// Of `num_days_to_leave_on_server`.
const DAYS_DEFAULT: u64 = 7;

#[cfg(test)]
mod tests {
    use super::super::tests::{place, shown};
    use super::*;

    const PREFS: &str = r#"// Mozilla User Preferences
user_pref("app.odd", "\x41");
user_pref("mail.server.server1.type", "none");
user_pref("mail.server.server2.delete_by_age_from_server", true);
user_pref("mail.server.server2.directory", "/old/place");
user_pref("mail.server.server2.directory-rel", "[ProfD]Mail/pop.example.org");
user_pref("mail.server.server2.hostname", "pop.example.org");
user_pref("mail.server.server2.leave_on_server", true);
user_pref("mail.server.server2.name", "fred \"work\"");
user_pref("mail.server.server2.num_days_to_leave_on_server", 30);
user_pref("mail.server.server2.port", 995);
user_pref("mail.server.server2.realuserName", "fred@example.org");
user_pref("mail.server.server2.socketType", 3);
user_pref("mail.server.server2.type", "pop3");
user_pref("mail.server.server2.userName", "fred");
user_pref("mail.server.server3.type", "imap");
user_pref("mail.server.server3.hostname", "imap.example.org");
"#;

    #[test]
    fn accounts_are_read() {
        let import = accounts(PREFS, &place()).unwrap();
        let [found] = &import.accounts[..] else { panic!("{import:?}") };
        assert_eq!(
            shown(found),
            "[[account]]\nname = \"NAME\"\nserver = \"pop.example.org\"\nport = 995\n\
             encryption = \"tls\"\nuser = \"fred@example.org\"\npassword_file = \"PW\"\n\
             leave = \"30 days\"\nmaildir = \"?\"\n"
        );
        assert_eq!(found.name, "fred \"work\"");
        let list = "/rc/Mail/pop.example.org/popstate.dat";
        assert_eq!(found.seen_files[0], std::path::Path::new(list));
        assert_eq!(import.left_out, ["imap.example.org (imap, not POP3)"]);
        let wrong = format!("{PREFS}user_pref(\"mail.server.server2.port\", x);");
        assert_eq!(accounts(&wrong, &place()).unwrap_err().line, 18);
    }

    #[test]
    fn ids_are_those_that_were_fetched_whole() {
        let import = accounts(PREFS, &place()).unwrap();
        let state = b"# POP3 State File\n\n*other fred\nk x 1\n*Pop.Example.Org fred\r\n\
                      k a 1700000000\r\nd b 5\nb partly 6\nf later 7\nu c\nk\n";
        let seen = seen(state, &import.accounts[0]);
        let plain: Vec<_> = seen.iter().map(|seen| (&seen.unique_id[..], seen.time)).collect();
        assert_eq!(plain, [(&b"a"[..], Some(1_700_000_000)), (b"b", Some(5)), (b"c", None)]);
    }
}
