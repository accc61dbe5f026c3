//! Several user databases, as `restante deliver` and `restante user` see them.

use crate::Scene;
use crate::support::maildir;

const TABLES: &str = "data = \"d\"
[[users]]
type = \"passwd-file\"
path = \"staff\"

[[users]]
type = \"passwd-file\"
path = \"guests\"
maildrop = \"{data}/guests/{local}\"

[[users]]
type = \"static\"
maildrop = \"/nowhere/{domain}/{local}\"
";

fn scene() -> Scene {
    let scene = Scene::new();
    scene.file("d/x", "");
    let place = scene.path().join("vmail/anna");
    let place = format!("anna:{{PLAIN}}x::::::userdb_mail=maildir:{}\n", place.display());
    scene.file(
        "staff",
        &format!("fred:{{PLAIN}}x\n{place}lost:{{PLAIN}}x::::::userdb_mail=mbox:/m\n"),
    );
    scene.file("guests", "fred:{PLAIN}x\nbob@example.org:{PLAIN}x\n");
    let root = scene.path().join("rest");
    scene.file("c.toml", &TABLES.replace("/nowhere", root.to_str().unwrap()));
    scene
}

#[test]
fn mail_goes_where_the_first_database_that_knows_the_user_has_the_maildrop() {
    let scene = scene();
    for (user, place) in [
        ("fred", "d/mail/fred/Maildir"),
        ("anna", "vmail/anna"),
        ("bob@example.org", "d/guests/bob"),
        ("carl@example.org", "rest/example.org/carl"),
        ("%s{user}@%d", "rest/%d/%s{user}"),
    ] {
        let mut command = scene.command("deliver --config c.toml");
        command.arg(user);
        scene.finish(&mut command, "Subject: a\n\nb\n").good();
        assert_eq!(maildir::files(&scene.path().join(place)).len(), 1, "{user}");
    }
    scene.run("deliver carl --config c.toml", "").bad(67, &["no user carl"]);
    scene.run("deliver lost --config c.toml", "").bad(75, &["lost", "only maildir:"]);
    std::fs::remove_file(scene.path().join("guests")).unwrap();
    scene.run("deliver carl@example.org --config c.toml", "").bad(75, &["guests"]);
    scene.run("deliver fred --config c.toml", "Subject: a\n\nb\n").good();
}

#[test]
fn the_first_passwd_file_is_the_one_that_is_edited() {
    let scene = scene();
    scene.run("user add carl --config c.toml --password-stdin", "secret\n").good();
    assert!(std::fs::read_to_string(scene.path().join("staff")).unwrap().contains("carl:"));
    let listed = scene.run("user list --json --config c.toml", "");
    let place = scene.path().join("vmail/anna");
    assert!(listed.stdout.contains(place.to_str().unwrap()), "{listed:?}");
    scene.file("s.toml", "data = \"d\"\n[[users]]\ntype = \"static\"\n");
    scene.run("user add carl --config s.toml --password-stdin", "x\n").bad(1, &["passwd-file"]);
    // A flag names the one database there is.
    scene.file("flag", "eve:{PLAIN}x\n");
    let listed = scene.run("user list --config c.toml --passwd flag", "").good();
    assert_eq!(listed.stdout, "eve\tPLAIN\n");
}

#[test]
fn tables_that_cannot_be_used_are_told_apart() {
    let scene = Scene::new();
    for (tables, says) in [
        ("users = 3", "[[users]]"),
        ("users = []", "one at least"),
        ("[[users]]\npath = \"x\"", "table 1: `type` is missing"),
        ("[[users]]\ntype = \"nis\"", "`nis` is none of passwd-file"),
        ("[[users]]\ntype = \"passwd-file\"", "`path` is missing"),
        ("[[users]]\ntype = \"static\"\npath = \"x\"", "`path` is no key"),
        ("[[users]]\ntype = \"static\"\nmaildrop = \"/x\"", "share one maildrop"),
        (
            "[[users]]\ntype = \"static\"\n[[users]]\ntype = \"passwd-file\"\npath = \"x\"",
            "must be the last",
        ),
        ("passwd = \"p\"\n[[users]]\ntype = \"static\"", "only user database"),
    ] {
        scene.file("c.toml", tables);
        let run = scene.run("config check --config c.toml", "");
        assert!(run.code != Some(0) && run.stderr.contains(says), "{tables}: {run:?}");
    }
    scene.file("c.toml", TABLES);
    let shown = scene.run("config show --config c.toml", "").good().stdout;
    scene.file("again.toml", &shown);
    let again = scene.run("config show --config again.toml", "").good().stdout;
    assert_eq!(shown, again);
}

#[test]
fn a_password_file_without_a_password_is_told_before_anybody_searches_as_a_guest() {
    let scene = Scene::new();
    scene.file("d/x", "");
    scene.file("secret", "\n");
    let table = "type = \"ldap\"\nserver = \"ldap://127.0.0.1:1\"\nbase = \"dc=x\"\n\
         filter = \"(uid={user})\"\nname_attribute = \"uid\"\nbind_dn = \"cn=reader\"\n\
         password_file = \"secret\"\n";
    scene.file("c.toml", &format!("data = \"d\"\n[[users]]\n{table}"));
    scene.run("deliver fred --config c.toml", "").bad(75, &["secret", "its first line is empty"]);
}
