//! Each standing and policy by example, and what must hold for every listing and ledger.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use restante_host::Host;

use super::*;
use crate::account::DAY_S;
use crate::entry::Entry;
use crate::key::Content;

fn listed(number: u32, id: &'static str, octets: Option<u64>) -> Listed {
    let number = MessageNumber::new(number).unwrap();
    Listed { number, unique_id: id.into(), octets }
}

async fn ledger(folder: &tempfile::TempDir) -> Ledger {
    let mut ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    let mut entry = |id: &str, state, octets| {
        let entry = Entry::new(state, Some(octets), 0);
        ledger.stage(MessageId::unique(id.as_bytes()), entry).unwrap();
    };
    entry("stored", State::Stored, 10);
    entry("resized", State::Stored, 10);
    entry("sent", State::DeleteSent, 10);
    entry("gone", State::Gone, 10);
    entry("twice", State::Stored, 10);
    let content = Some(Content { sha256: [1; 32], occurrence: 0 });
    let id = MessageId { unique_id: b"once twice"[..].into(), content };
    ledger.stage(id, Entry::new(State::Stored, None, 0)).unwrap();
    let late = Entry { next_try: 100, ..Entry::new(State::Failed, None, 0) };
    ledger.stage(MessageId::unique(b"failed"), late).unwrap();
    ledger
}

fn rules(leave: Leave) -> Rules {
    Rules { leave, largest_octets: None, deleted_here: HashSet::new(), held: None }
}

fn plan(listing: &[Listed], ledger: &Ledger, leave: Leave, now: u64) -> Plan {
    Plan::new(&Judgement::new(listing, ledger, &rules(leave), now))
}

fn listing() -> Vec<Listed> {
    vec![
        listed(1, "new", Some(7)),
        listed(2, "stored", Some(10)),
        listed(3, "resized", Some(11)),
        listed(4, "sent", None),
        listed(5, "gone", Some(10)),
        listed(6, "twice", Some(10)),
        listed(7, "twice", Some(10)),
        listed(8, "", Some(10)),
        listed(9, "failed", Some(10)),
        listed(10, "once twice", Some(10)),
    ]
}

/// `number` and, for messages to be read for their content, `c`.
fn summary(plan: &Plan) -> (Vec<String>, Vec<u32>, usize, usize, usize) {
    let fetch = plan.fetch.iter().map(|fetch| match fetch.known_by {
        KnownBy::UniqueId => fetch.number.to_string(),
        KnownBy::Content => format!("{}c", fetch.number),
    });
    let delete = plan.delete.iter().map(|(number, _)| number.to_u32()).collect();
    (fetch.collect(), delete, plan.left, plan.waiting, plan.unidentified)
}

#[tokio::test]
async fn each_message_gets_what_its_state_and_policy_say() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder).await;
    let fetch = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (leave, now, expected) in [
        (Leave::Never, 50, (fetch("1 3c 5c 6c 7c 8c 10c"), vec![2, 4], 0, 1, 4)),
        (Leave::Never, 100, (fetch("1 3c 5c 6c 7c 8c 10c 9"), vec![2, 4], 0, 0, 4)),
        (Leave::Always, 50, (fetch("1 5c 6c 7c 8c 10c"), vec![], 3, 1, 4)),
        (Leave::Days(1), DAY_S - 1, (fetch("1 5c 6c 7c 8c 10c 9"), vec![], 3, 0, 4)),
        (Leave::Days(1), DAY_S, (fetch("1 3c 5c 6c 7c 8c 10c 9"), vec![2, 4], 0, 0, 4)),
    ] {
        let plan = plan(&listing(), &ledger, leave, now);
        assert_eq!(summary(&plan), expected, "{leave:?} at {now}");
    }
}

#[tokio::test]
async fn what_another_collector_fetched_is_deleted_only_where_both_wanted_that() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    for (id, imported) in [("stored", Imported::Left), ("gone", Imported::Deleted)] {
        let entry = Entry::new(State::Stored, None, 0);
        let entry = Entry { imported: Some(imported), ..entry };
        ledger.stage(MessageId::unique(id.as_bytes()), entry).unwrap();
    }
    let listing = [listed(1, "stored", Some(1)), listed(2, "gone", Some(2))];
    for (leave, now, delete) in [
        (Leave::Always, DAY_S, vec![]),
        (Leave::Days(1), DAY_S - 1, vec![]),
        (Leave::Days(1), DAY_S, vec![2]),
        (Leave::Never, 0, vec![2]),
        (Leave::Newest(1), 0, vec![]),
    ] {
        let left = 2 - delete.len();
        let plan = plan(&listing, &ledger, leave, now);
        assert_eq!(summary(&plan), (vec![], delete, left, 0, 0), "{leave:?} at {now}");
    }
}

#[tokio::test]
async fn sizes_that_no_message_has_do_not_upset_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    let huge = [listed(1, "a", Some(u64::MAX)), listed(2, "b", Some(u64::MAX))];
    let mut plan = plan(&huge, &ledger, Leave::Never, 0);
    assert_eq!(plan.octets(), u64::MAX);
    plan.limit();
    assert!(!plan.fetch.is_empty());
}

#[tokio::test]
async fn a_session_is_small_where_it_deletes_and_always_moves_on() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    let many = |messages: u32, octets| -> Vec<_> {
        let ids = (1..=messages).map(|n| (n, Bytes::from(n.to_string())));
        ids.map(|(n, id)| Listed { unique_id: id, ..listed(n, "", octets) }).collect()
    };
    for (messages, octets, leave, fits, more) in [
        (1500, Some(1000), Leave::Never, 1000, true),
        (1500, None, Leave::Never, 1000, true),
        (1000, None, Leave::Never, 1000, false),
        (300, Some(10 << 20), Leave::Never, 5, true),
        (10, Some(1 << 30), Leave::Never, 1, true),
        (300, Some(1 << 40), Leave::Always, 300, false),
        (1500, None, Leave::Days(0), 1000, true),
        (300, None, Leave::Days(1), 300, false),
        (150_000, Some(100), Leave::Never, 1500, true),
        (1000, Some(50 << 20), Leave::Never, 10, true),
    ] {
        let mut plan = plan(&many(messages, octets), &ledger, leave, 0);
        assert_eq!(plan.limit(), more, "{messages} {octets:?} {leave:?}");
        assert_eq!(plan.fetch.len(), fits, "{messages} {octets:?} {leave:?}");
    }
}

/// A listed message, and what the ledger has of its id.
#[derive(Debug, Clone)]
struct Known {
    /// Of a few, so that some are repeated; 0 is none.
    id: u32,
    octets: Option<u64>,
    entry: Option<Entry>,
    deleted_here: bool,
}

fn entries() -> impl Strategy<Value = Entry> {
    let states = proptest::sample::select(vec![
        State::Failed,
        State::Stored,
        State::DeleteSent,
        State::Gone,
    ]);
    (states, proptest::option::of(1..4_u64), 0..5 * DAY_S, any::<bool>(), 0..10 * DAY_S).prop_map(
        |(state, octets, first_seen, adopted, next_try)| Entry {
            adopted,
            next_try,
            ..Entry::new(state, octets, first_seen)
        },
    )
}

fn maildrops() -> impl Strategy<Value = Vec<Known>> {
    let entry = proptest::option::weighted(0.8, entries());
    let known = (0..30_u32, proptest::option::weighted(0.9, 1..4_u64), entry, any::<bool>())
        .prop_map(|(id, octets, entry, deleted_here)| Known { id, octets, entry, deleted_here });
    proptest::collection::vec(known, 0..20)
}

fn leaves() -> impl Strategy<Value = Leave> {
    prop_oneof![
        Just(Leave::Never),
        Just(Leave::Always),
        (0..6_u32).prop_map(Leave::Days),
        Just(Leave::UntilDeletedHere),
        (1..12_u32).prop_map(Leave::Newest),
        (1..=100_u8, 1..60_u64)
            .prop_map(|(percent, quota_octets)| Leave::UnderQuota { percent, quota_octets }),
    ]
}

/// Goal: whatever the server lists and the ledger knows, nothing is deleted that is not stored or
/// about to be, nothing is forgotten, and a policy takes no more than it says.
#[tokio::test]
async fn no_listing_and_no_ledger_deletes_what_is_not_stored_or_more_than_the_policy_says() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    let now = 5 * DAY_S;
    let cases = (maildrops(), leaves(), proptest::option::of(1..4_u64), any::<bool>());
    let ledger = std::cell::RefCell::new(ledger);
    let outcome = TestRunner::default().run(&cases, |(maildrop, leave, largest, held)| {
        check(&mut ledger.borrow_mut(), &maildrop, leave, largest, held, now)
    });
    outcome.unwrap();
}

fn check(
    ledger: &mut Ledger,
    maildrop: &[Known],
    leave: Leave,
    largest_octets: Option<u64>,
    held: bool,
    now: u64,
) -> Result<(), TestCaseError> {
    let old: Vec<_> = ledger.entries().map(|(id, _)| id.clone()).collect();
    old.iter().for_each(|id| ledger.forget(id).unwrap());
    let mut rules =
        Rules { largest_octets, held: held.then_some(Held::Renumbered), ..rules(leave) };
    let mut listing = Vec::new();
    for (known, number) in maildrop.iter().zip(1..) {
        let unique_id = if known.id == 0 { String::new() } else { known.id.to_string() };
        let id = MessageId::unique(unique_id.as_bytes());
        if let Some(entry) = known.entry.clone().filter(|_| known.id != 0) {
            ledger.stage(id.clone(), entry).unwrap();
        }
        if known.deleted_here && leave == Leave::UntilDeletedHere {
            rules.deleted_here.insert(id);
        }
        listing.push(Listed { unique_id: unique_id.into(), ..listed(number, "", known.octets) });
    }
    let judgement = Judgement::new(&listing, ledger, &rules, now);
    let plan = Plan::new(&judgement);
    let due: Vec<_> = plan.fetch.iter().filter(|fetch| fetch.due).map(|f| f.number).collect();
    let others = plan.left + plan.waiting + plan.too_large.len();
    prop_assert_eq!(plan.fetch.len() + plan.delete.len() + others, listing.len());
    for (number, id) in &plan.delete {
        let entry = ledger.entry(id).unwrap();
        let octets = listing.iter().find(|listed| listed.number == *number).unwrap().octets;
        prop_assert!(matches!(entry.state, State::Stored | State::DeleteSent));
        prop_assert!(!entry.adopted && !differ(entry.octets, octets));
        prop_assert_eq!(listing.iter().filter(|l| *l.unique_id == *id.unique_id).count(), 1);
        if leave == Leave::UntilDeletedHere {
            prop_assert!(rules.deleted_here.contains(id));
        }
    }
    let is_placed = matches!(leave, Leave::Newest(_) | Leave::UnderQuota { .. });
    let gone: HashSet<_> = plan.delete.iter().map(|(number, _)| *number).chain(due).collect();
    if leave == Leave::Always || (is_placed && judgement.held.is_some()) {
        prop_assert!(gone.is_empty());
    }
    if is_placed && ledger.is_shortened(listing.len()) {
        prop_assert!(judgement.held.is_some());
    }
    let stays = || listing.iter().filter(|listed| !gone.contains(&listed.number));
    // What is compared before it is deleted may turn out to be another message and stay.
    let all_can_go = others == plan.left;
    match leave {
        Leave::Newest(newest) if judgement.held.is_none() => {
            let newest = listing.len().min(newest as usize);
            prop_assert!(stays().count() >= newest);
            prop_assert!(!all_can_go || stays().count() == newest);
        }
        Leave::UnderQuota { percent, quota_octets } if judgement.held.is_none() => {
            let allowed = quota_octets * u64::from(percent) / 100;
            let total: u64 = stays().map(|listed| listed.octets.unwrap()).sum();
            prop_assert!(!all_can_go || total < allowed || stays().count() == 0);
            // No more than it takes: with any of them left there, it would not be enough.
            let least = listing.iter().filter(|listed| gone.contains(&listed.number));
            let most = least.filter_map(|listed| listed.octets).max();
            prop_assert!(most.is_none_or(|most| total + most >= allowed));
        }
        _ => {}
    }
    Ok(())
}

#[tokio::test]
async fn the_newest_are_those_seen_last_and_then_those_with_the_largest_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
    let mut stored = |id: &str, first_seen| {
        let entry = Entry::new(State::Stored, Some(10), first_seen);
        ledger.stage(MessageId::unique(id.as_bytes()), entry).unwrap();
    };
    // A server that lists the newest first: what came later has the smaller number.
    stored("later", 2);
    stored("first", 1);
    stored("second", 1);
    let listing = [
        listed(1, "new", Some(10)),
        listed(2, "later", Some(10)),
        listed(3, "first", Some(10)),
        listed(4, "second", Some(10)),
    ];
    for (leave, deleted) in [
        (Leave::Newest(4), vec![]),
        (Leave::Newest(3), vec![3]),
        (Leave::Newest(2), vec![3, 4]),
        (Leave::Newest(1), vec![3, 4, 2]),
        (Leave::UnderQuota { percent: 100, quota_octets: 41 }, vec![]),
        (Leave::UnderQuota { percent: 100, quota_octets: 40 }, vec![3]),
        (Leave::UnderQuota { percent: 50, quota_octets: 60 }, vec![3, 4]),
    ] {
        let plan = plan(&listing, &ledger, leave, 3);
        let (mut found, mut deleted) = (summary(&plan).1, deleted);
        found.sort_unstable();
        deleted.sort_unstable();
        assert_eq!(found, deleted, "{leave:?}");
        assert_eq!(plan.fetch.len(), 1);
    }
    // What is not here in sum is not known in parts.
    let sizes = [listed(1, "later", None), listed(2, "first", Some(10))];
    let under = rules(Leave::UnderQuota { percent: 1, quota_octets: 1 });
    assert_eq!(Judgement::new(&sizes, &ledger, &under, 3).held, Some(Held::SizesUnknown));
    for (listing, held) in [
        (vec![], Some(Held::Shortened)),
        (vec![listed(1, "x", Some(10)), listed(2, "y", Some(10))], Some(Held::Renumbered)),
        (vec![listed(1, "first", Some(10)), listed(2, "y", Some(10))], None),
    ] {
        let newest = rules(Leave::Newest(1));
        assert_eq!(Judgement::new(&listing, &ledger, &newest, 3).held, held);
    }
}

#[tokio::test]
async fn what_is_larger_than_the_account_takes_is_left_alone_unless_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder).await;
    let rules = Rules { largest_octets: Some(9), ..rules(Leave::Never) };
    let plan = Plan::new(&Judgement::new(&listing(), &ledger, &rules, 100));
    let skipped: Vec<_> = plan.too_large.iter().map(|listed| listed.number.to_u32()).collect();
    let fetch = vec!["1".to_owned()];
    assert_eq!(skipped, [3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(summary(&plan), (fetch, vec![2, 4], 0, 0, 0));
}
