//! `restante demo`: the whole way in one command, on mail of every kind it takes.

use crate::Scene;

#[test]
fn the_demo_goes_the_whole_way_on_its_own_mail() {
    let scene = Scene::new();
    let shown = shown(&scene, "demo --data office");
    for row in ["delivered           7", "collected           7"] {
        assert!(shown.contains(row), "{shown}");
    }
    assert!(shown.contains("Every message arrived octet for octet"), "{shown}");
    assert!(shown.contains("user me, password "), "{shown}");
    let collected = scene.folder.path().join("office/collected/new");
    assert_eq!(std::fs::read_dir(collected).unwrap().count(), 7);
    let left = scene.folder.path().join("office/mail/me/Maildir/new");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 0);
    // What is there belongs to somebody now.
    let again = scene.run("demo --data office", "");
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[test]
fn the_demo_takes_an_mbox_and_says_what_it_cannot_read() {
    let scene = Scene::new();
    scene.file("mbox", "From a Mon\nSubject: 1\n\n.\n\nFrom b Tue\nSubject: 2\n\nno end");
    let shown = shown(&scene, "demo --data office --mail mbox");
    assert!(shown.contains("collected           2"), "{shown}");
    let missing = scene.run("demo --data other --mail nothing", "");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("cannot read mail from nothing"), "{missing:?}");
}

/// What a demo that succeeded shows; its progress is on standard error.
fn shown(scene: &Scene, line: &str) -> String {
    let run = scene.run(line, "");
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stdout
}
