//! What stays on the server and what does not, run after run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests")]

mod support;

use restante_collect::{Action, Leave, Mode};
use support::*;

const THREE: [(&str, &str); 3] = [("a", "one\r\n"), ("b", "two\r\n"), ("c", "three\r\n")];

#[tokio::test(start_paused = true)]
async fn mail_stays_until_it_is_deleted_here() {
    let mut world = World::new(Leave::UntilDeletedHere, &THREE);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (3, 0, 3));
    world.store.discard("one\r\n");
    world.store.delete("two\r\n");
    // What cannot be read is not deleted.
    world.store.unreadable = true;
    let report = world.collect_to_the_end().await;
    assert_eq!((report.deleted, world.server.texts().len()), (0, 3));
    assert!(report.warnings[0].contains("cannot be read"), "{:?}", report.warnings);
    world.store.unreadable = false;
    world.server.forget_log();
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (0, 2, 1));
    assert_eq!((world.server.texts(), world.server.count("RETR")), (vec!["three\r\n".into()], 0));
    // It stays gone here, too: nothing is fetched again.
    assert_eq!(world.collect_to_the_end().await.fetched, 0);
}

#[tokio::test(start_paused = true)]
async fn a_maildir_that_lost_everything_deletes_nothing() {
    let world = World::new(Leave::UntilDeletedHere, &THREE);
    world.collect_to_the_end().await;
    for (_, text) in THREE {
        world.store.delete(text);
    }
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, world.server.texts().len()), (0, 0, 3));
    assert!(report.warnings[0].contains("none of the stored"), "{:?}", report.warnings);
}

/// A new id does not make a message one that was deleted.
#[tokio::test(start_paused = true)]
async fn what_is_deleted_here_is_known_under_a_new_id() {
    let messages = [
        ("a", "Subject: a\r\n\r\none\r\n"),
        ("b", "Subject: b\r\n\r\ntwo\r\n"),
        ("c", "Subject: c\r\n\r\nthree\r\n"),
    ];
    let world = World::new(Leave::UntilDeletedHere, &messages);
    world.collect_to_the_end().await;
    world.store.delete(messages[1].1);
    world.server.renumber();
    let report = world.collect_to_the_end().await;
    // It is read and compared first.
    assert_eq!((report.fetched, report.deleted), (0, 1));
    assert_eq!((world.server.texts().len(), world.store.texts().len()), (2, 2));
    assert!(!world.server.texts().contains(&messages[1].1.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_newest_stay_and_older_ones_are_deleted_once_they_are_stored() {
    let world = World::new(Leave::Newest(2), &THREE);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (3, 1, 2));
    assert_eq!(world.server.texts(), ["three\r\n", "two\r\n"]);
    world.server.add("d", "four\r\n");
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.left), (1, 1, 2));
    assert_eq!(world.server.texts(), ["four\r\n", "three\r\n"]);
    // A message that cannot be had is not deleted, however old it is.
    let world = World::new(Leave::Newest(1), &THREE);
    let refuses = vec![("RETR 1", "-ERR broken")];
    world.server.quirks(Quirks { answers: refuses, ..Quirks::default() });
    let report = world.collect().await;
    assert_eq!((report.fetched, report.deleted, report.failed), (2, 1, 1));
    assert_eq!(world.server.texts(), ["one\r\n", "three\r\n"]);
}

/// New ids may come in another order: nothing is counted in that session.
#[tokio::test(start_paused = true)]
async fn a_server_that_renumbers_is_not_counted() {
    let messages = [("a", "Subject: a\r\n\r\nx\r\n"), ("b", "Subject: b\r\n\r\ny\r\n")];
    let mut world = World::new(Leave::Always, &messages);
    world.collect_to_the_end().await;
    world.server.renumber();
    world.account.leave = Leave::Newest(1);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, world.server.texts().len()), (0, 0, 2));
    assert!(report.warnings.iter().any(|warning| warning.contains("nothing is deleted")));
    // Known by these ids now; what goes is read and compared first.
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted), (0, 1));
    assert_eq!(world.server.texts(), [messages[1].1]);
}

#[tokio::test(start_paused = true)]
async fn mail_stays_while_the_maildrop_is_under_its_quota() {
    // 17 octets in all.
    let under = |quota_octets| Leave::UnderQuota { percent: 50, quota_octets };
    let mut world = World::new(under(36), &THREE);
    assert_eq!(world.collect_to_the_end().await.deleted, 0);
    world.account.leave = under(34);
    assert_eq!(world.collect_to_the_end().await.deleted, 1);
    assert_eq!(world.server.texts(), ["three\r\n", "two\r\n"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_stays_unread_and_is_named() {
    let mut world = World::new(Leave::Never, &THREE);
    world.account.largest_octets = Some(5);
    let report = world.collect_to_the_end().await;
    assert_eq!((report.fetched, report.deleted, report.too_large), (2, 2, 1));
    assert!(report.is_success());
    assert!(report.warnings[0].starts_with("message c of 7 octets"), "{:?}", report.warnings);
    assert_eq!(world.server.texts(), ["three\r\n"]);
    world.account.largest_octets = None;
    assert_eq!(world.collect_to_the_end().await.fetched, 1);
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_becomes_of_each_message_and_why() {
    let mut world = World::new(Leave::Newest(2), &THREE);
    world.account.largest_octets = Some(20);
    world.collect_to_the_end().await;
    world.server.add("d", "four\r\n");
    world.server.add("e", "a message of many octets\r\n");
    let before = world.server.texts();
    let collector = world.collector().mode(Mode::Explain);
    let report = collector.collect(&world.account, &world.store).await;
    let told: Vec<_> =
        report.messages.iter().map(|m| (&*m.unique_id, m.action, &*m.reason)).collect();
    assert_eq!(
        told,
        [
            ("b", Action::Delete, "stored, and older than the newest 2"),
            ("c", Action::Delete, "stored, and older than the newest 2"),
            ("d", Action::Fetch, "new"),
            ("e", Action::Skip, "larger than `largest`"),
        ]
    );
    assert_eq!((world.server.texts(), report.fetched), (before, 0));
}
