//! getmail: a `getmailrc` for each account, and beside it `oldmail-SERVER-PORT-USER` with
//! unique-ids and the times they were fetched at.
//!
//! In: their text. Out: an account and its ids. The configuration is an INI file as Python's
//! `configparser` reads it: later lines of a value are indented. In the list, slashes of an id
//! have become dashes, so an id with a slash is not known again.

use std::collections::BTreeMap;

use restante_client::{Encryption, Secret};

use super::found::NEVER;
use super::{Found, FoundSecret, Import, ImportError, Place, Seen, lines};

/// Values by section and key.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn accounts(text: &str, place: &Place) -> Result<Import, ImportError> {
    let sections = sections(text)?;
    let mut import = Import::default();
    let Some(retriever) = sections.get("retriever") else {
        return Err(ImportError { line: 1, message: "there is no [retriever]".to_owned() });
    };
    let text = |key: &str| retriever.get(key).map_or("", String::as_str);
    let (server, user) = (text("server"), text("username"));
    let encryption = match text("type") {
        "SimplePOP3Retriever" | "BrokenUIDLPOP3Retriever" => Encryption::None,
        "SimplePOP3SSLRetriever" | "BrokenUIDLPOP3SSLRetriever" => Encryption::Tls,
        other => {
            import.left_out.push(format!("a retriever {other:?}: only POP3 for one user is"));
            return Ok(import);
        }
    };
    if server.is_empty() || user.is_empty() {
        import.left_out.push("the retriever: no server or no username is named".to_owned());
        return Ok(import);
    }
    let mut found = Found::new(&format!("{user}@{server}"), server, user);
    found.encryption = encryption;
    found.port = text("port").parse().ok();
    let words = strings(text("password_command"));
    let token = is_on(text("use_xoauth2"));
    found.secret = match (text("password"), words.is_empty()) {
        ("", false) if token => FoundSecret::TokenProgram(words),
        ("", false) => FoundSecret::Program(words),
        ("", true) => FoundSecret::Missing,
        (password, _) => FoundSecret::Password(Secret::new(password.to_owned())),
    };
    found.mechanism = is_on(text("use_apop")).then_some("APOP");
    let path = |key| Some(text(key)).filter(|file| !file.is_empty()).map(|file| place.path(file));
    found.ca_file = path("ca_certs");
    found.client_certificate = path("certfile").zip(path("keyfile"));
    found.timeout_s = text("timeout").parse().ok();
    if text("type").starts_with("Broken") {
        found.left_out.push("its list of messages: it has no unique-ids".to_owned());
    } else {
        let port = found.port.unwrap_or_else(|| encryption.default_port());
        let list = oldmail(server, port, user);
        // The configuration may lie elsewhere, and the list where it lies otherwise.
        let folders = [place.at_home(".config/getmail"), place.at_home(".getmail")];
        let folders = std::iter::once(place.folder.clone()).chain(folders);
        found.seen_files = folders.map(|folder| folder.join(&list)).collect();
    }
    for key in ["ssl_fingerprints", "ssl_version", "ssl_ciphers", "ssl_cert_hostname"] {
        if !matches!(text(key), "" | "()") {
            found.left_out.push(key.to_owned());
        }
    }
    destination(&sections, place, &mut found);
    options(&sections, &mut found);
    let filters = sections.keys().filter(|section| section.starts_with("filter"));
    found.left_out.extend(filters.map(|section| format!("[{section}]")));
    import.accounts.push(found);
    Ok(import)
}

fn destination(sections: &Sections, place: &Place, found: &mut Found) {
    let destination = sections.get("destination");
    let text = |key| destination.and_then(|keys| keys.get(key)).map_or("", String::as_str);
    match (text("type"), text("path")) {
        ("Maildir", folder) if !folder.is_empty() => found.maildir = Some(place.path(folder)),
        (kind, _) => found.left_out.push(format!("destination {kind:?}: mail goes to a Maildir")),
    }
    if !text("user").is_empty() {
        found.left_out.push("user: mail belongs to who runs the collector".to_owned());
    }
}

fn options(sections: &Sections, found: &mut Found) {
    let options = sections.get("options");
    let text = |key| options.and_then(|keys| keys.get(key)).map_or("", String::as_str);
    if is_on(text("delete")) {
        NEVER.clone_into(&mut found.leave);
    } else if let Ok(days @ 1..) = text("delete_after").parse::<u32>() {
        found.leave = format!("{days} days");
    }
    if !matches!(text("delete_bigger_than"), "" | "0") {
        found.left_out.push("delete_bigger_than".to_owned());
    }
    if !matches!(text("max_message_size"), "" | "0") {
        found.left_out.push("max_message_size".to_owned());
    }
    if text("read_all").is_empty() || is_on(text("read_all")) {
        found.left_out.push("read_all: no message is fetched twice".to_owned());
    }
}

/// What getmail calls the list of an account.
fn oldmail(server: &str, port: u16, user: &str) -> String {
    let name = format!("oldmail-{server}-{port}-{user}");
    let mut safe = String::with_capacity(name.len());
    let mut in_run = false;
    for character in name.chars() {
        let is_odd = "/\\:;<>|".contains(character);
        match (is_odd, in_run) {
            (false, _) => safe.push(character),
            (true, false) => safe.push('-'),
            (true, true) => {}
        }
        in_run = is_odd;
    }
    safe
}

/// ```text
/// section = "[" name "]"
/// option  = key ( "=" / ":" ) value *( LF WSP value )
/// ```
fn sections(text: &str) -> Result<Sections, ImportError> {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut last: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let wrong = |message: &str| ImportError { line: index + 1, message: message.to_owned() };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let keys = section.as_ref().and_then(|section| sections.get_mut(section));
            let value = keys.zip(last.as_ref()).and_then(|(keys, key)| keys.get_mut(key));
            let value = value.ok_or_else(|| wrong("it continues nothing"))?;
            value.push('\n');
            value.push_str(trimmed);
        } else if let Some(name) = trimmed.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default();
            sections.entry(name.to_owned()).or_default();
            section = Some(name.to_owned());
            last = None;
        } else {
            let (key, value) =
                trimmed.split_once(['=', ':']).ok_or_else(|| wrong("it is no `key = value`"))?;
            let keys = section.as_ref().and_then(|section| sections.get_mut(section));
            let keys = keys.ok_or_else(|| wrong("it is in no section"))?;
            let key = key.trim().to_lowercase();
            keys.insert(key.clone(), value.trim().to_owned());
            last = Some(key);
        }
    }
    Ok(sections)
}

fn is_on(value: &str) -> bool {
    ["true", "yes", "on", "1"].contains(&value.to_lowercase().as_str())
}

/// The strings of a Python tuple; none if it is not one.
fn strings(tuple: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = tuple.chars();
    while let Some(quote) = characters.find(|c| matches!(c, '"' | '\'')) {
        let mut text = String::new();
        loop {
            match characters.next() {
                Some(c) if c == quote => break,
                Some('\\') => match characters.next() {
                    Some(escaped @ ('\\' | '"' | '\'')) => text.push(escaped),
                    Some(other) => text.extend(['\\', other]),
                    None => return Vec::new(),
                },
                Some(c) => text.push(c),
                None => return Vec::new(),
            }
        }
        found.push(text);
    }
    found
}

/// `id NUL seconds`
pub(super) fn seen(state: &[u8], account: &Found) -> Vec<Seen> {
    let known = lines(state).filter_map(|line| {
        let (id, time) = line.split_at_checked(line.iter().position(|&octet| octet == 0)?)?;
        let time = str::from_utf8(time.get(1..)?).ok()?.trim().parse().ok();
        Some(Seen { unique_id: id.trim_ascii().into(), time, delete: account.deletes() })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{place, shown};
    use super::*;

    const RC: &str = "
[retriever]
type = SimplePOP3SSLRetriever
server: pop.example.org
port = 1995
username = fred@example.org
password_command = ('/usr/bin/pass', \"sh\\\"ow\",
    'mail',)
ca_certs = ~/ca.pem
# [destination]
[destination]
type = Maildir
path = ~/Mail/
[options]
read_all = false
delete_after = 14
delete_bigger_than = 2000000
[filter-1]
type = Filter_external
";

    #[test]
    fn an_account_is_read() {
        let import = accounts(RC, &place()).unwrap();
        let found = &import.accounts[0];
        assert_eq!(
            shown(found),
            "[[account]]\nname = \"NAME\"\nserver = \"pop.example.org\"\nport = 1995\n\
             encryption = \"tls\"\nuser = \"fred@example.org\"\n\
             password_command = [\"/usr/bin/pass\", 'sh\"ow', \"mail\"]\n\
             ca_file = \"/mail/fred/ca.pem\"\nleave = \"14 days\"\n\
             maildir = \"/mail/fred/Mail/\"\n"
        );
        let list = "/rc/oldmail-pop.example.org-1995-fred@example.org";
        assert_eq!(found.seen_files[0], std::path::Path::new(list));
        assert_eq!(found.left_out, ["delete_bigger_than", "[filter-1]"]);
    }

    #[test]
    fn what_cannot_be_taken_over_is_named() {
        for kind in ["SimpleIMAPRetriever", "MultidropPOP3SSLRetriever"] {
            let text = RC.replace("SimplePOP3SSLRetriever", kind);
            let import = accounts(&text, &place()).unwrap();
            assert!(import.accounts.is_empty() && import.left_out[0].contains(kind));
        }
        let text = "[retriever]\ntype=SimplePOP3Retriever\nserver=s\nusername=a/:b\n\
                    password= p \nuse_apop = yes\n[destination]\ntype=Mboxrd\npath=/m\n\
                    [options]\ndelete=True\n";
        let found = &accounts(text, &place()).unwrap().accounts[0];
        assert_eq!((found.encryption, &*found.leave), (Encryption::None, "never"));
        assert_eq!((found.mechanism, &found.maildir), (Some("APOP"), &None));
        assert_eq!(found.seen_files[0], std::path::Path::new("/rc/oldmail-s-110-a-b"));
        assert_eq!(found.seen_files[2], place().at_home(".getmail/oldmail-s-110-a-b"));
        assert_eq!(found.left_out.len(), 2, "{found:?}");
    }

    #[test]
    fn what_is_no_configuration_is_refused_at_its_line() {
        for (text, line) in
            [("", 1), ("a = b", 1), ("[a]\nb", 2), ("[a]\n b", 2), ("[retriever]\nx=y\n\n= \nz", 5)]
        {
            assert_eq!(accounts(text, &place()).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn ids_come_with_their_times() {
        let found = Found { leave: NEVER.to_owned(), ..Found::new("n", "s", "u") };
        let seen = seen(b"a b\x001700000000\nodd\n\x007\nc\0x\n", &found);
        let plain: Vec<_> = seen.iter().map(|s| (&s.unique_id[..], s.time, s.delete)).collect();
        assert_eq!(
            plain,
            [(&b"a b"[..], Some(1_700_000_000), true), (b"", Some(7), true), (b"c", None, true)]
        );
    }
}
