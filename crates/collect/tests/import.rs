//! The files of other collectors hold whatever they hold: nothing in them breaks the reader, and
//! a list of ids comes back as it was written.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use restante_collect::import::{Found, Import, Place, Tool};

const TOOLS: [Tool; 4] = [Tool::Fetchmail, Tool::Getmail, Tool::Mpop, Tool::Thunderbird];

fn place() -> Place {
    Place { folder: "/rc".into(), home: None }
}

/// The account of fred at pop.example.org, as each tool has it.
fn fred(tool: Tool) -> Found {
    let text = match tool {
        Tool::Fetchmail => "poll pop.example.org proto pop3 user fred password p",
        Tool::Getmail => {
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = pop.example.org\nusername = fred\n"
        }
        Tool::Mpop => "account a\nhost pop.example.org\nuser fred\n",
        _ => {
            "user_pref(\"mail.server.server1.type\", \"pop3\");\n\
             user_pref(\"mail.server.server1.hostname\", \"pop.example.org\");\n\
             user_pref(\"mail.server.server1.userName\", \"fred\");\n"
        }
    };
    let Import { mut accounts, .. } = tool.accounts(text, &place()).unwrap();
    accounts.pop().unwrap()
}

/// A list of ids, as each tool writes it.
fn written(tool: Tool, ids: &[String]) -> String {
    let lines = |line: &dyn Fn(&String) -> String| ids.iter().map(line).collect::<String>();
    match tool {
        Tool::Fetchmail => lines(&|id| format!("fred@pop.example.org {id}\n")),
        Tool::Getmail => lines(&|id| format!("{id}\0{}\n", 1_700_000_000)),
        Tool::Mpop => {
            let head = format!("# by mpop\n {} pop.example.org fred\n", ids.len());
            head + &lines(&|id| format!("{id}\n"))
        }
        _ => "*pop.example.org fred\n".to_owned() + &lines(&|id| format!("k {id} 1700000000\n")),
    }
}

/// Text that gets further than letters thrown together.
fn junk() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "poll",
        "skip",
        "defaults",
        "user",
        "there",
        "here",
        "is",
        "to",
        "no",
        "keep",
        "ssl",
        "password",
        "set",
        "idfile",
        "via",
        "envelope",
        "account",
        "host",
        ":",
        "tls",
        "off",
        "delivery",
        "maildir",
        "[retriever]",
        "[options]",
        "type",
        "=",
        "SimplePOP3Retriever",
        "server",
        "username",
        "('a',",
        "user_pref(\"mail.server.s.type\",",
        "\"pop3\");",
        "\n",
        "\n ",
        " ",
        "\"",
        "'",
        "\\",
        "\\x",
        "\\9",
        "#",
        "*",
        "k",
        "\0",
        "\u{e9}",
        "fred",
        "10",
    ]);
    prop::collection::vec(prop_oneof![4 => words.prop_map(str::to_owned), 1 => ".{0,8}"], 0..60)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_breaks_a_reader(text in junk()) {
        for tool in TOOLS {
            let Ok(import) = tool.accounts(&text, &place()) else { continue };
            for found in import.accounts {
                prop_assert!(!found.server.is_empty() && !found.user.is_empty());
                prop_assert!(tool.seen(text.as_bytes(), &found).len() <= text.len());
            }
        }
    }

    #[test]
    fn no_octets_break_a_list(state in prop::collection::vec(any::<u8>(), 0..300)) {
        for tool in TOOLS {
            let seen = tool.seen(&state, &fred(tool));
            prop_assert!(seen.iter().all(|seen| !seen.unique_id.is_empty()));
        }
    }

    /// RFC 1939 section 7: ids are printable and without spaces.
    #[test]
    fn ids_come_back_as_they_were(ids in prop::collection::vec("[!\"$-)+-~][!-~]{0,69}", 0..20)) {
        for tool in TOOLS {
            let seen = tool.seen(written(tool, &ids).as_bytes(), &fred(tool));
            let back: Vec<_> = seen.iter().map(|seen| seen.unique_id.clone()).collect();
            let ids: Vec<_> = ids.iter().map(|id| id.clone().into_bytes()).collect();
            prop_assert_eq!(back, ids, "{:?}", tool);
        }
    }
}

#[test]
fn a_file_with_too_many_accounts_is_refused() {
    for (tool, text) in [
        (Tool::Fetchmail, "poll a proto pop3 user b password c\n"),
        (Tool::Mpop, "account a\nhost b\nuser c\n"),
    ] {
        assert_eq!(tool.accounts(&text.repeat(199), &place()).unwrap().accounts.len(), 199);
        assert!(tool.accounts(&text.repeat(300), &place()).is_err());
    }
}
