//! `restante config`, and how every command reads its configuration.

use crate::Scene;

#[test]
fn what_is_shown_can_be_read_again() {
    let scene = Scene::new();
    let shown = scene.run("config show --data d --passwd users", "").good().stdout;
    assert!(shown.contains("data = \"d\"\n") && shown.contains("pop3 = \"127.0.0.1:1110\"\n"));
    // Where a value is not the default, the default stands beside it.
    assert!(shown.contains("# Default: \""));
    scene.file("restante.toml", &shown);
    let check = scene.run("config check --config restante.toml", "").good();
    assert!(check.stdout.starts_with("restante.toml: no problems\n"), "{check:?}");
    let again = scene.run("config show --config restante.toml", "").good().stdout;
    assert_eq!(again, shown);
}

#[test]
fn users_whose_password_cannot_be_checked_are_named_by_check() {
    let scene = Scene::new();
    scene.file("d/passwd", "fred:{PLAIN}x\nmute:{MD6}secret\nold:{DES-CRYPT}abhYZRPaQ/HNg\n");
    let said = scene.run("config check --data d --log-level off", "").good().stdout;
    let lines: Vec<_> = said.lines().collect();
    let path = scene.path().join("d/passwd");
    let path = path.canonicalize().unwrap();
    let at = |line: u32| format!("{}:{line}: ", path.display());
    assert!(
        lines[0].starts_with(&(at(2) + "`mute`: unknown password scheme; known are")),
        "{said}"
    );
    assert!(lines[1].starts_with(&(at(3) + "`old`: DES-CRYPT passwords cannot be")), "{said}");
    assert!(lines[2].starts_with("no configuration file is named"), "{said}");
    assert!(!said.contains("secret") && !said.contains("abhY"), "{said}");
}

#[test]
fn every_problem_is_shown_with_line_and_column() {
    let scene = Scene::new();
    let text = "\
limts = 3
[limits]
idle_s = \"ten\"
conections = 5
[listen]
pop3 = \"localhost:110\"
imap = \"127.0.0.1:143\"
";
    scene.file("restante.toml", text);
    let run = scene.run("config check --config restante.toml", "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    let expected = "\
restante: restante.toml:1:1: unknown key `limts`; did you mean `limits`? (and 4 more problems)
error: unknown key `limts`; did you mean `limits`?
 --> restante.toml:1:1
  |
1 | limts = 3
  | ^^^^^
error: `limits.idle_s`: expected a whole number from 1 to 31536000, found a string
 --> restante.toml:3:10
  |
3 | idle_s = \"ten\"
  |          ^^^^^
error: unknown key `conections` in [limits]; did you mean `connections`?
 --> restante.toml:4:1
  |
4 | conections = 5
  | ^^^^^^^^^^
error: `listen.pop3`: `localhost:110` is not an address and port such as 127.0.0.1:1110 or [::]:1110
 --> restante.toml:6:8
  |
6 | pop3 = \"localhost:110\"
  |        ^^^^^^^^^^^^^^^
error: unknown key `imap` in [listen]; known are pop3, pop3s
 --> restante.toml:7:1
  |
7 | imap = \"127.0.0.1:143\"
  | ^^^^
";
    assert_eq!(run.stderr, expected);
}

#[test]
fn one_problem_of_each_kind_is_one_clear_first_line() {
    let scene = Scene::new();
    for (text, first) in [
        ("data = [\n", "restante: c.toml:"),
        ("data = 1\ndata = 2\n", "restante: c.toml:2:1: duplicate key"),
        ("data = 5\n", "restante: c.toml:1:8: `data`: expected a path in quotes, found 5\n"),
        ("listen = 5\n", "restante: c.toml:1:10: `listen` is a table: write [listen]"),
        (
            "[login]\nallow_cleartext = \"no\"\n",
            "restante: c.toml:2:19: `login.allow_cleartext`: expected true or false, found a string\n",
        ),
        (
            "[login]\nscram = \"yes\"\n",
            "restante: c.toml:2:9: `login.scram`: `yes` is none of when-all-can, always, never\n",
        ),
        (
            "[limits]\nconnections = 0\n",
            "restante: c.toml:2:15: `limits.connections`: expected a whole number from 1 to 1000000, found 0\n",
        ),
        (
            "[tls]\ncertificate = \"a.pem\"\n",
            "restante: c.toml:2:1: `tls.certificate` needs `tls.key` beside it\n",
        ),
        (
            "[tls]\ncertificates = [{ certificate = \"a.pem\" }]\n",
            "restante: c.toml:2:16: `tls.certificates`: expected a list of { certificate = \"FILE\", key = \"FILE\" }, and one",
        ),
        (
            "[[tls.certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n",
            "restante: c.toml:1:7: `tls.certificates` needs `tls.certificate` beside it\n",
        ),
        (
            "[tls]\nclient_certificates = \"optional\"\n",
            "restante: c.toml:2:1: `tls.client_certificates` needs `tls.client_ca` beside it\n",
        ),
        (
            "[tls]\nclient_names = [\"dns\"]\n",
            "restante: c.toml:2:16: `tls.client_names`: `dns` is none of email, cn, uid\n",
        ),
        (
            "[proxy]\npop3 = [\"10.0.0.1/8\"]\n",
            "restante: c.toml:2:8: `proxy.pop3`: `10.0.0.1/8` is not a network such as 192.0.2.0/24,",
        ),
        (
            "[oauth]\nissuer = \"https://id.example\"\n",
            "restante: c.toml:2:1: `oauth.issuer` needs `oauth.jwks` beside it\n",
        ),
        (
            "[acme]\nnames = [\"pop.example\"]\n",
            "restante: c.toml:2:1: `acme.names` needs `acme.accept_terms = true` beside it\n",
        ),
        (
            "[oauth]\njwks_url = \"http://id.example/keys\"\n",
            "restante: c.toml:2:12: `oauth.jwks_url`: `http://id.example/keys` is not an address that begins with https://",
        ),
        (
            "[oauth]\njwks_url = \"https://id.example/keys\"\nissuer = \"i\"\n",
            "restante: c.toml:2:1: `oauth.jwks_url` needs `oauth.audience` beside it\n",
        ),
        (
            "[oauth]\nclient_id = \"me\"\n",
            "restante: c.toml:2:1: `oauth.client_id` needs `oauth.introspection_url` beside it\n",
        ),
        (
            "[oauth]\nintrospection_url = \"https://id.example/\"\nclient_id = \"me\"\n",
            "restante: c.toml:2:1: `oauth.introspection_url` needs `oauth.client_secret_file` beside it\n",
        ),
        (
            "[oauth]\njwks = \"keys\"\njwks_url = \"https://id.example/keys\"\n",
            "restante: c.toml:3:1: `oauth.jwks_url` and `oauth.jwks` exclude each other\n",
        ),
        (
            "maildrop = \"{data}/mail\"\n",
            "restante: c.toml:1:1: `maildrop`: neither {user} nor {local}",
        ),
        (
            "[data]\nx = 1\n",
            "restante: c.toml:1:1: `data`: expected a path in quotes, found a table\n",
        ),
        (
            "quite_another_thing = 1\n",
            "restante: c.toml:1:1: unknown key `quite_another_thing`; known are data, passwd, users, audit, maildrop, user, group, listen, strict, proxy, tls, acme, login, oauth, sandbox, policy, limits, account\n",
        ),
    ] {
        scene.file("c.toml", text);
        let run = scene.run("config check --config c.toml", "");
        assert_eq!(run.code, Some(1), "{text}: {run:?}");
        assert!(run.stderr.starts_with(first), "{text}:\n{}\nnot\n{first}", run.stderr);
        assert!(run.stderr.contains(" --> c.toml:") && run.stderr.contains('^'), "{run:?}");
    }
    std::os::unix::fs::symlink("c.toml", scene.path().join("link.toml")).unwrap();
    scene.file("c.toml", "");
    scene.run("config check --config link.toml", "").good();
    scene.run("config check --config none.toml", "").bad(1, &["none.toml"]);
    std::fs::write(scene.path().join("c.toml"), b"# caf\xe9\n").unwrap();
    scene.run("config check --config c.toml", "").bad(1, &["c.toml"]);
}

#[test]
fn flags_go_before_the_file_and_the_file_before_the_environment() {
    let scene = Scene::new();
    let text = "data = \"../d\"\nmaildrop = \"/m/{user}\"\n[listen]\npop3s = \"[::1]:995\"\n";
    scene.file("conf/restante.toml", text);
    let show = |line: &str, data: Option<&str>| {
        let mut command = scene.command(line);
        if let Some(data) = data {
            command.env("RESTANTE_DATA", data);
        }
        let shown = scene.finish(&mut command, "").good().stdout;
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()
    };
    let shown = show("config show --json", Some("/env"));
    assert_eq!((&shown["data"], &shown["passwd"]), (&"/env".into(), &"/env/passwd".into()));
    assert_eq!(shown["limits"]["idle_s"], 600);
    assert_eq!(shown["tls"]["certificate"], serde_json::Value::Null);

    let shown = show("config show --json --config conf/restante.toml", Some("/env"));
    assert_eq!((&shown["data"], &shown["maildrop"]), (&"conf/../d".into(), &"/m/{user}".into()));
    // Who names listeners names all of them.
    assert_eq!(shown["listen"], serde_json::json!({"pop3": null, "pop3s": "[::1]:995"}));

    let mut command = scene.command("config check --log-level off");
    command.env("RESTANTE_CONFIG", "conf/restante.toml").env("RESTANTE_LOG", "");
    let checked = scene.finish(&mut command, "").good().stdout;
    assert!(checked.starts_with("conf/restante.toml: no problems\n"), "{checked}");
    command.env("RESTANTE_CONFIG", "");
    assert!(scene.finish(&mut command, "").good().stdout.contains("the defaults are in force"));

    let line = "config show --json --config conf/restante.toml --data x --maildrop {data}/{user}";
    let shown = show(line, Some("/env"));
    assert_eq!((&shown["data"], &shown["maildrop"]), (&"x".into(), &"{data}/{user}".into()));
}

#[test]
fn help_and_version_are_there_for_every_command() {
    let scene = Scene::new();
    for command in ["", "serve", "deliver", "collect", "user", "config", "demo"] {
        let help = scene.run(&format!("{command} --help"), "").good().stdout;
        assert!(help.contains(&format!("  restante {command}").trim_end().to_owned()), "{help}");
    }
    let version = scene.run("--version", "").good().stdout;
    assert_eq!(version, concat!("restante ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(scene.run("", "").code, Some(2));
    assert_eq!(scene.run("sevre", "").code, Some(2));
}
