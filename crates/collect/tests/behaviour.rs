//! What the collector does when servers and destinations are odd, sick or lying.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};

use restante_collect::{Event, Leave, Mode, Observer};
use support::*;

const TWO: [(&str, &str); 2] = [("a", "one\r\n"), ("b", "two\r\n")];

#[tokio::test(start_paused = true)]
async fn c6_an_unconfirmed_deletion_is_repeated_without_fetching() {
    let world = World::new(Leave::Never, &TWO);
    world.server.quirks(Quirks {
        answers: vec![("QUIT", "-ERR [SYS/TEMP] some deleted messages not removed")],
        ..Quirks::default()
    });
    let report = world.collect().await;
    assert_eq!((report.fetched, report.deleted, report.temporary), (2, 0, true));
    assert!(report.error.unwrap().contains("did not confirm the deletion of 2"));
    world.server.quirks(Quirks::default());
    world.server.forget_log();
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted), (0, 2));
    assert_eq!((world.server.count("RETR"), world.server.count("DELE")), (0, 2));
    assert!(world.server.texts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_space_stops_before_any_deletion() {
    let mut world =
        World::new(Leave::Never, &[("a", "one\r\n"), ("b", "too much\r\n"), ("c", "3\r\n")]);
    world.store.space = Some(10);
    let report = world.collect().await;
    assert_eq!((report.fetched, report.deleted, report.temporary), (1, 0, false));
    assert!(report.error.unwrap().starts_with("no space is left"), "{:?}", report.advice);
    assert_eq!((world.server.count("DELE"), world.server.count("QUIT")), (0, 0));
    world.store.space = None;
    world.server.forget_log();
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, world.server.count("RETR")), (2, 2));
    assert_eq!((world.store.texts().len(), world.server.texts().len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_is_set_aside_and_the_others_go_on() {
    for refused_by_server in [true, false] {
        let mut world =
            World::new(Leave::Never, &[("a", "one\r\n"), ("b", "bad\r\n"), ("c", "three\r\n")]);
        let sick = Quirks { answers: vec![("RETR 2", "-ERR broken")], ..Quirks::default() };
        if refused_by_server {
            world.server.quirks(sick);
        } else {
            world.store.poison = Some("bad");
        }
        let report = world.collect().await;
        assert_eq!(report.error, None);
        assert_eq!((report.fetched, report.deleted, report.failed), (2, 2, 1));
        assert!(!report.is_success());
        assert_eq!(world.server.texts(), ["bad\r\n"]);
        // It waits its time, whether or not the fault is gone.
        world.server.quirks(Quirks::default());
        world.store.poison = None;
        world.server.forget_log();
        let report = world.collect_to_the_end().await;
        assert_eq!((report.fetched, report.failed, world.server.count("RETR")), (0, 1, 0));
        world.machine.pass_days(1);
        let report = world.collect_to_the_end().await;
        assert_eq!((report.fetched, report.failed), (1, 0));
        assert!(world.server.texts().is_empty());
        assert_eq!(world.store.texts().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_at_which_the_server_dies_does_not_block_the_others() {
    let world = World::new(Leave::Never, &[("a", "poison\r\n"), ("b", "two\r\n")]);
    // The connection ends in the middle of the first message, whichever is fetched first.
    let mut runs = 0;
    while world.server.texts().len() > 1 {
        world.server.quirks(Quirks { answers: vec![("RETR 1", "HTTP?")], ..Quirks::default() });
        let report = world.collect().await;
        assert!(report.error.is_some() || report.failed == 1, "{report:?}");
        runs += 1;
        assert!(runs < 10, "the second message never arrived");
    }
    assert_eq!(world.store.texts(), ["two\r\n"]);
    assert_eq!(world.server.texts(), ["poison\r\n"]);
}

#[tokio::test(start_paused = true)]
async fn an_id_given_to_another_message_never_deletes_it_unread() {
    // Gone, and the id comes back with something else behind it: same size, other octets.
    let world = World::new(Leave::Never, &[("1", "one\r\n")]);
    world.collect_to_the_end().await;
    world.server.add("1", "two\r\n");
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted), (1, 1));
    assert_eq!(world.store.texts(), ["one\r\n", "two\r\n"]);
    // Stored, deletion not confirmed, and the id stands for a message of another size.
    let world = World::new(Leave::Never, &[("1", "one\r\n")]);
    world.server.quirks(Quirks { answers: vec![("QUIT", "-ERR no")], ..Quirks::default() });
    assert!(world.collect().await.error.is_some());
    world.server.clear();
    world.server.add("1", "something else\r\n");
    world.server.quirks(Quirks::default());
    world.collect_to_the_end().await;
    assert_eq!(world.store.texts(), ["one\r\n", "something else\r\n"]);
    assert!(world.server.texts().is_empty());
}

/// Goal: a server that gives all its messages new ids costs no second download and no copy, and
/// what is only known by its header is compared as a whole before it is deleted.
#[tokio::test(start_paused = true)]
async fn a_server_that_renumbers_is_known_again() {
    let messages = [
        ("a", "Subject: a\r\n\r\nsame\r\n"),
        ("b", "Subject: b\r\n\r\nsame\r\n"),
        ("c", "Subject: c\r\n\r\nother\r\n"),
    ];
    let mut world = World::new(Leave::Always, &messages);
    world.collect_to_the_end().await;
    for round in 0..3 {
        world.server.renumber();
        if round == 1 {
            world.server.add("d", "Subject: d\r\n\r\nnew\r\n");
        }
        world.server.forget_log();
        let report = world.collect_to_the_end().await;
        let new = u64::from(round == 1);
        assert_eq!((report.fetched, world.server.count("RETR") as u64), (new, new));
        assert!(report.warnings[0].contains("new ids"), "{:?}", report.warnings);
    }
    // Known by its id now, nothing is asked for again.
    world.server.forget_log();
    world.collect_to_the_end().await;
    assert_eq!((world.server.count("TOP"), world.server.count("RETR")), (0, 0));
    // Its owner wants them deleted: each is read and compared first, and none is stored again.
    world.account.leave = Leave::Never;
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, world.server.count("RETR")), (0, 4, 4));
    assert_eq!((world.store.texts().len(), world.server.texts().len()), (4, 0));
}

/// Goal: a header and a size that are the same are not enough to delete by. Method: the body
/// changes together with the ids.
#[tokio::test(start_paused = true)]
async fn a_message_adopted_by_mistake_is_collected_and_not_lost() {
    let mut world = World::new(Leave::Always, &[("a", "Subject: a\r\n\r\none\r\n")]);
    world.collect_to_the_end().await;
    world.server.clear();
    world.server.add("z", "Subject: a\r\n\r\ntwo\r\n");
    world.collect_to_the_end().await;
    world.account.leave = Leave::Never;
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted), (1, 1));
    assert_eq!(world.store.texts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_top_renumbered_messages_are_collected_again() {
    let world = World::new(Leave::Always, &[("a", "Subject: a\r\n\r\none\r\n")]);
    world.server.quirks(Quirks { no_top: true, ..Quirks::default() });
    world.collect_to_the_end().await;
    world.server.renumber();
    assert_eq!(world.collect_to_the_end().await.fetched, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_forgot_to_delete_is_not_stored_again() {
    let world = World::new(Leave::Never, &TWO);
    world.server.quirks(Quirks { forgets: true, ..Quirks::default() });
    for _ in 0..3 {
        world.collect_to_the_end().await;
        assert_eq!(world.store.texts().len(), 2);
    }
    world.server.quirks(Quirks::default());
    world.collect_to_the_end().await;
    assert!(world.server.texts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn c3_a_failing_uidl_fetches_nothing_again() {
    let world = World::new(Leave::Always, &TWO);
    world.collect_to_the_end().await;
    for answer in ["-ERR [SYS/TEMP] later", "-ERR what?"] {
        world.server.quirks(Quirks { answers: vec![("UIDL", answer)], ..Quirks::default() });
        world.server.forget_log();
        let report = world.collect().await;
        assert!(report.error.is_some() && report.temporary, "{report:?}");
        assert_eq!(world.server.count("RETR"), 0);
    }
    // Also where there is nothing yet to compare with, but the server lists the capability.
    let world = World::new(Leave::Never, &TWO);
    world.server.quirks(Quirks {
        answers: vec![("UIDL", "-ERR what?")],
        capabilities: "UIDL\r\n",
        ..Quirks::default()
    });
    assert!(world.collect().await.error.is_some());
    assert_eq!(world.server.texts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_empty_listing_forgets_nothing() {
    let world = World::new(Leave::Always, &TWO);
    world.collect_to_the_end().await;
    world.server.quirks(Quirks {
        answers: vec![("UIDL", "+OK\r\n."), ("LIST", "+OK\r\n.")],
        ..Quirks::default()
    });
    for _ in 0..10 {
        world.machine.pass_days(30);
        world.collect_to_the_end().await;
    }
    world.server.quirks(Quirks::default());
    world.server.forget_log();
    assert_eq!(world.collect_to_the_end().await.left, 2);
    assert_eq!(world.server.count("RETR"), 0);
}

#[tokio::test(start_paused = true)]
async fn c5_mail_stays_as_long_as_the_account_says() {
    let world = World::new(Leave::Days(14), &TWO);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (2, 0, 2));
    world.machine.pass_days(13);
    world.server.add("c", "three\r\n");
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (1, 0, 3));
    world.machine.pass_days(1);
    world.server.forget_log();
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (0, 2, 1));
    assert_eq!(world.server.count("RETR"), 0);
    assert_eq!(world.server.texts(), ["three\r\n"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let world = World::new(Leave::Never, &TWO);
    let collector = world.collector().mode(Mode::Count);
    let report = collector.collect(&world.account, &world.store).await;
    let planned = report.planned.unwrap();
    assert_eq!((planned.fetch, planned.octets, planned.delete, planned.left), (2, 10, 2, 0));
    assert_eq!((world.server.count("RETR"), world.server.count("DELE")), (0, 0));
    assert!(world.store.texts().is_empty());
    assert_eq!(world.collect_to_the_end().await.fetched, 2);
}

#[tokio::test(start_paused = true)]
async fn c10_a_server_that_deletes_by_itself_is_warned_of() {
    for (leave, expire, warned) in [
        (Leave::Always, "EXPIRE 30\r\n", true),
        (Leave::Days(30), "EXPIRE 30 USER\r\n", true),
        (Leave::Days(29), "EXPIRE 30\r\n", false),
        (Leave::Never, "EXPIRE 0\r\n", false),
        (Leave::Always, "EXPIRE NEVER\r\n", false),
    ] {
        let world = World::new(leave, &TWO);
        world.server.quirks(Quirks { capabilities: expire, ..Quirks::default() });
        let report = world.collect_to_the_end().await;
        assert_eq!(!report.warnings.is_empty(), warned, "{leave:?} {expire}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_mail_is_a_success() {
    let world = World::new(Leave::Never, &[]);
    let report = world.collect().await;
    assert!(report.is_success(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_committed_in_batches() {
    let world = World::new(Leave::Never, &[]);
    for number in 0..2040 {
        world.server.add(&format!("id-{number}"), &format!("message {number}\r\n"));
    }
    world.server.quirks(Quirks {
        pipelining: true,
        capabilities: "LOGIN-DELAY 5\r\n",
        ..Quirks::default()
    });
    let watch = Arc::new(Watch::default());
    let begun = tokio::time::Instant::now();
    let collector = world.collector().observer(watch.clone());
    let report = collector.collect(&world.account, &world.store).await;
    assert!(report.is_success(), "{report:?}");
    assert_eq!((report.fetched, report.deleted), (2040, 2040));
    assert_eq!(world.server.count("QUIT"), 3);
    assert_eq!(begun.elapsed().as_secs(), 10);
    let deleted: Vec<_> = watch
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Deleted { messages } => Some(messages),
            _ => None,
        })
        .collect();
    assert_eq!(deleted, [1000, 1000, 40]);
    assert_eq!(world.store.texts().len(), 2040);
}

#[tokio::test(start_paused = true)]
async fn large_messages_without_an_id_are_stored_once_and_whole() {
    let line = format!("{}\r\n", "x".repeat(1000));
    let large = line.repeat(1500);
    let world = World::new(Leave::Never, &[("", &large), ("", &large), ("", "small\r\n")]);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted), (3, 3));
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(world.server.count("RETR"), 5);
    assert_eq!(world.store.texts(), ["small\r\n".to_owned(), large.clone(), large]);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_was_unique_once_is_recognised_among_two() {
    let world = World::new(Leave::Always, &[("a", "one\r\n")]);
    world.collect_to_the_end().await;
    world.server.add("a", "two\r\n");
    assert_eq!(world.collect_to_the_end().await.fetched, 1);
    assert_eq!(world.store.texts(), ["one\r\n", "two\r\n"]);
    // And the other way round: of two, one is left.
    world.server.clear();
    world.server.add("a", "two\r\n");
    assert_eq!(world.collect_to_the_end().await.fetched, 0);
    assert_eq!(world.store.texts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_account_does_not_stop_another() {
    let world = World::new(Leave::Never, &TWO);
    let mut accounts = Vec::new();
    for (user, works) in [("a", true), ("b", false), ("c", true), ("d", false), ("e", true)] {
        let mut account = account(&world.folder, user, Leave::Always);
        if !works {
            let missing = restante_collect::SecretSource::File("/nonexistent".into());
            account.sign_in = restante_collect::SignIn::Password(missing);
        }
        let store = Memory::new(Fuse::long());
        accounts.push((account, Arc::new(store) as Arc<dyn restante_maildrop::Destination>));
    }
    let reports = world.collector().collect_all(accounts).await;
    let outcome: Vec<_> =
        reports.iter().map(|r| (r.account.as_str(), r.fetched, r.is_success())).collect();
    assert_eq!(
        outcome,
        [("a", 2, true), ("b", 0, false), ("c", 2, true), ("d", 0, false), ("e", 2, true)]
    );
    assert!(reports[1].error.as_ref().unwrap().contains("/nonexistent"));
}

#[tokio::test(start_paused = true)]
async fn c11_a_busy_maildrop_is_not_a_wrong_password() {
    for (answer, temporary) in [
        ("-ERR [IN-USE] busy", true),
        ("-ERR [LOGIN-DELAY] slow down", true),
        ("-ERR [SYS/TEMP] sick", true),
        ("-ERR [AUTH] no", false),
        ("-ERR no", false),
    ] {
        let world = World::new(Leave::Never, &TWO);
        world.server.quirks(Quirks { answers: vec![("PASS pw", answer)], ..Quirks::default() });
        let report = world.collect().await;
        assert_eq!(report.temporary, temporary, "{report:?}");
        let wrong = report.error.unwrap().contains("wrong user name or password");
        assert_eq!(wrong, !temporary, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn r4_a_server_that_falls_silent_anywhere_is_given_up() {
    let world = World::new(Leave::Never, &TWO);
    world.collect_to_the_end().await;
    let whole = world.server.octets();
    for stall in (0..whole).step_by(3) {
        let world = World::new(Leave::Never, &TWO);
        world.server.quirks(Quirks { stall: Some(stall), ..Quirks::default() });
        let begun = tokio::time::Instant::now();
        let report = world.collect().await;
        assert!(report.temporary && report.error.is_some(), "{stall}: {report:?}");
        assert!(begun.elapsed().as_secs() <= 61, "{stall}: {:?}", begun.elapsed());
        world.server.quirks(Quirks::default());
        world.collect_to_the_end().await;
        assert_eq!((world.store.texts().len(), world.server.texts().len()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_adds_up() {
    let world = World::new(Leave::Never, &TWO);
    let watch = Arc::new(Watch::default());
    world.collector().observer(watch.clone()).collect(&world.account, &world.store).await;
    let (mut received, mut stored) = (0, 0);
    for event in watch.events() {
        match event {
            Event::Received { octets } => received += octets,
            Event::Stored { octets } => stored += octets,
            Event::Planned(planned) => assert_eq!((planned.fetch, planned.octets), (2, 10)),
            _ => {}
        }
    }
    assert_eq!((received, stored), (10, 10));
}

#[derive(Debug, Default)]
struct Watch(Mutex<Vec<Event>>);

impl Watch {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Watch {
    fn event(&self, _: &str, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn numbered(messages: usize) -> World {
    let world = World::new(Leave::Never, &[]);
    for at in 0..messages {
        world.server.add(&format!("id{at}"), &format!("Subject: {at}\r\n\r\nbody\r\n"));
    }
    world
}

/// Goal: a server that is slow at everything is served in sessions of some ten minutes, each of
/// which commits what it fetched. Method: 14 s for each reply.
#[tokio::test(start_paused = true)]
async fn a_slow_server_is_collected_in_sessions_that_end() {
    for pipelining in [false, true] {
        let world = numbered(120);
        let slowness = std::time::Duration::from_secs(14);
        world.server.quirks(Quirks { slowness, pipelining, ..Quirks::default() });
        let report = world.collect_to_the_end().await;
        assert_eq!((report.fetched, report.deleted), (120, 120));
        assert!(world.server.texts().is_empty());
        assert_eq!(world.server.count("RETR"), 120, "nothing is fetched twice");
        let sessions = world.server.count("QUIT");
        assert!((3..=6).contains(&sessions), "{sessions} sessions");
    }
}

/// Goal: a server that sends a line now and then holds nobody up for ever. Method: a line of a
/// message every 50 s, each within the timeout.
#[tokio::test(start_paused = true)]
async fn a_server_that_drips_is_given_up_as_a_whole() {
    let world = World::new(Leave::Never, &[]);
    world.server.add("drip", &"a line\r\n".repeat(1000));
    let line_slowness = std::time::Duration::from_secs(50);
    world.server.quirks(Quirks { line_slowness, ..Quirks::default() });
    let began = tokio::time::Instant::now();
    let report = world.collect().await;
    let took = began.elapsed().as_secs();
    assert!((61..=600).contains(&took), "{took} s");
    assert!(report.temporary, "{report:?}");
    assert!(report.error.unwrap().contains("too slow in the middle of a message"));
    assert_eq!((world.store.texts().len(), world.server.texts().len()), (0, 1));
}

/// Goal: a server that shows only the oldest messages, and the next ones in the next session, is
/// collected in one run. Method: as Gmail does it, with and without deleting.
#[tokio::test(start_paused = true)]
async fn a_server_that_shows_a_part_is_collected_to_its_end() {
    for leave in [Leave::Never, Leave::Always] {
        let mut world = numbered(620);
        world.account.leave = leave;
        world.server.quirks(Quirks { window: Some(250), pipelining: true, ..Quirks::default() });
        let report = world.collect_to_the_end().await;
        assert_eq!((report.fetched, world.store.texts().len()), (620, 620), "{leave:?}");
        assert_eq!(world.server.count("RETR"), 620, "nothing is fetched twice");
        let left = if leave == Leave::Never { 0 } else { 620 };
        assert_eq!(world.server.texts().len(), left);
    }
}

/// Goal: looking for more costs little where there is none.
#[tokio::test(start_paused = true)]
async fn a_server_that_shows_all_is_asked_once_more_at_most() {
    for (messages, sessions) in [(1, 1), (49, 1), (50, 2), (150, 2)] {
        let mut world = numbered(messages);
        world.account.leave = Leave::Always;
        world.collect_to_the_end().await;
        assert_eq!(world.server.count("QUIT"), sessions, "{messages}");
        world.server.forget_log();
        world.collect_to_the_end().await;
        assert_eq!((world.server.count("QUIT"), world.server.count("RETR")), (1, 0));
    }
    // Without unique-ids, once more would be all of it.
    let world = numbered(100);
    world.server.quirks(Quirks { no_uidl: true, ..Quirks::default() });
    let mut world = world;
    world.account.leave = Leave::Always;
    world.collect_to_the_end().await;
    assert_eq!(world.server.count("RETR"), 100);
}

/// Goal: what a server calls a message names no file. Method: ids that are paths, options, commands
/// and longer than a file's name; the files kept are the same as with ids that mean nothing.
#[tokio::test(start_paused = true)]
async fn r36_no_id_of_a_server_names_a_file() {
    let long = "x".repeat(300);
    let ids = [
        "../../../outside",
        "/etc/passwd",
        "..",
        ".",
        "-rf",
        "|id",
        ";id",
        "`id`",
        "$(id)",
        "%s%n",
        "a/b",
        "a\\b",
        "~",
        "ledger",
        "lock",
        "\u{1b}[2J",
        long.as_str(),
    ];
    let plain: Vec<_> = (0..ids.len()).map(|number| number.to_string()).collect();
    let plain = files_kept(plain.iter().map(String::as_str).collect()).await;
    assert_eq!(files_kept(ids.to_vec()).await, plain);
    assert_eq!(plain.1, ["password", "state"]);
}

/// The collector's files, and what lies beside them, once messages of these ids are collected.
async fn files_kept(ids: Vec<&str>) -> (Vec<String>, Vec<String>) {
    let messages: Vec<_> =
        ids.iter().map(|id| (*id, format!("Subject: {}\r\n\r\nx\r\n", id.len()))).collect();
    let messages: Vec<_> = messages.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let world = World::new(Leave::Days(3), &messages);
    let report = world.collect_to_the_end().await;
    assert_eq!(report.fetched, ids.len() as u64, "{report:?}");
    let again = world.collect_to_the_end().await;
    assert_eq!(again.fetched, 0, "and each is known again");
    let mut beside: Vec<_> = std::fs::read_dir(world.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    beside.sort();
    (world.state_files(), beside)
}

/// Who knows that the fault is gone need not wait; what fails again waits as before.
#[tokio::test(start_paused = true)]
async fn what_was_set_aside_is_tried_at_once_if_somebody_asks() {
    let world = World::new(Leave::Never, &[("a", "one\r\n"), ("b", "two\r\n")]);
    let sick = Quirks { refuses: vec![2], ..Quirks::default() };
    world.server.quirks(sick.clone());
    assert_eq!(world.collect().await.failed, 1);
    let retry = async || world.collector().retry(true).collect(&world.account, &world.store).await;
    world.server.quirks(Quirks { refuses: vec![1], ..sick });
    assert_eq!((retry().await.failed, world.collect().await.failed), (1, 1));
    world.server.quirks(Quirks::default());
    assert_eq!((retry().await.fetched, world.server.texts().len()), (1, 0));
}

/// Goal: a body without an end costs a session and no more. Method: the second of three messages
/// never ends.
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_end_is_set_aside_and_the_others_are_collected() {
    let messages = [("a", "one\r\n"), ("b", "two\r\n"), ("c", "three\r\n")];
    let world = World::new(Leave::Never, &messages);
    world.server.quirks(Quirks { endless_line: Some(2), ..Quirks::default() });
    let report = world.collect().await;
    assert!(report.error.unwrap().contains("message 2 does not end"));
    assert_eq!((report.fetched, report.failed, report.temporary), (1, 1, true));
    world.server.quirks(Quirks { endless_line: Some(1), ..Quirks::default() });
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.failed, world.store.texts().len()), (1, 1, 2));
    assert_eq!(world.server.texts(), ["two\r\n"]);
}
