//! How an account stands, after runs of all kinds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests")]

mod support;

use restante_collect::{Leave, Mode, Status};
use support::*;

const TWO: [(&str, &str); 2] = [("a", "one\r\n"), ("b", "two\r\n")];
const START_S: u64 = 1_000_000_000;
const DAY_S: u64 = 24 * 60 * 60;

async fn status(world: &World) -> Status {
    world.collector().status(&world.account).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_account_tells_its_runs_and_what_is_set_aside() {
    let world = World::new(Leave::Never, &TWO);
    let never = status(&world).await;
    assert_eq!((never.last_run, never.last_good, never.messages), (None, None, None));
    assert!(!world.folder.path().join("state").exists(), "asking leaves nothing behind");
    // A run that is only thought of is none.
    world.collector().mode(Mode::Count).collect(&world.account, &world.store).await;
    assert_eq!(status(&world).await.last_run, None);
    world.collect_to_the_end().await;
    let good = status(&world).await;
    let run = good.last_run.unwrap();
    assert_eq!((run.ended, run.fetched, run.deleted, run.error), (START_S, 2, 2, None));
    assert_eq!((good.last_good, good.set_aside), (Some(START_S), vec![]));
    assert_eq!(good.messages.map(|m| (m.stored, m.gone, m.waiting)), Some((0, 2, 0)));
    // One is refused a day later.
    world.machine.pass_days(1);
    world.server.add("c", "three\r\n");
    let refuses = vec![("RETR 1", "-ERR broken")];
    world.server.quirks(Quirks { answers: refuses, ..Quirks::default() });
    world.collect().await;
    let bad = status(&world).await;
    let run = bad.last_run.unwrap();
    assert_eq!((run.ended, run.failed, bad.last_good), (START_S + DAY_S, 1, Some(START_S)));
    assert_eq!(bad.messages.map(|m| (m.stored, m.gone, m.waiting)), Some((0, 2, 1)));
    let message = &bad.set_aside[0];
    assert_eq!((&*message.unique_id, message.attempts), ("c", 1));
    assert!(message.reason.as_ref().unwrap().contains("broken"), "{message:?}");
    assert!(message.next_try > START_S + DAY_S);
    // The password is gone: that is a run, too.
    std::fs::remove_file(world.folder.path().join("password")).unwrap();
    let error = world.collect().await.error;
    let broken = status(&world).await;
    assert_eq!((broken.last_run.unwrap().error, broken.last_good), (error, Some(START_S)));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_runs_that_is_damaged_stops_no_run() {
    let world = World::new(Leave::Never, &TWO);
    world.collect_to_the_end().await;
    let runs = world.ledger().with_file_name("runs");
    std::fs::write(&runs, "{").unwrap();
    assert!(world.collector().status(&world.account).await.is_err());
    world.server.add("c", "three\r\n");
    assert_eq!(world.collect_to_the_end().await.fetched, 1);
    assert_eq!(status(&world).await.last_run.unwrap().fetched, 1);
}
