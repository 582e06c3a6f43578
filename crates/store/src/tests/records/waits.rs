//! Waking records that name others, once those have counterparts.

use super::*;
use crate::{Wait, db::sqlite::SqliteDb, migrate, ops};

fn wait(record: &str, coming: bool) -> Wait {
    Wait {
        pair: "people".to_owned(),
        side: Side::Left,
        kind: "contact".to_owned(),
        record: RecordId::new(record),
        counterpart: None,
        coming,
    }
}

fn deal(record: &str) -> SeenRow {
    SeenRow { kind: "deal".to_owned(), match_key: None, ..seen(Side::Left, record, 0) }
}

/// Deals at rest that wait for these.
async fn waiting(store: &Store, held: &Held, deals: &[(&str, Wait)]) {
    let rows = deals.iter().map(|(name, _)| deal(name)).collect();
    store.take_rows(taking(held, 2, rows, Vec::new())).await.unwrap().unwrap();
    let mut save_rows = SaveRows::default();
    for work in due(store, 2).await.iter().filter(|work| work.entry.kind == "deal") {
        let (_, wait) = deals.iter().find(|(name, _)| work.entry.record.as_str() == *name).unwrap();
        save_rows.entries.push(rests(&work.entry, None));
        save_rows.waits.push((work.entry.id, vec![wait.clone()]));
    }
    save(store, held, 2, save_rows).await;
}

async fn woken(store: &Store, now: i64) -> Vec<String> {
    let deals = due(store, now).await.into_iter().filter(|work| work.entry.kind == "deal");
    deals.map(|work| work.entry.record.as_str().to_owned()).collect()
}

/// Touching one record does not look at those who wait for others.
///
/// proves: P4
#[test]
fn who_waits_for_a_record_is_found_by_an_index() {
    let db = SqliteDb::open(None).unwrap();
    migrate::sqlite(&db).unwrap();
    let plan = |wanted: &str| db.explain(ops::statements().find(|(name, _)| *name == wanted).unwrap().1).unwrap();
    let (waiters, wake) = (plan("WAITERS"), plan("WAITER_WAKE"));
    let by = "record_wait_named (workspace=? AND integration=? AND side=? AND kind=? AND record=?)";
    assert!(waiters.iter().any(|step| step.ends_with(by)), "{waiters:#?}");
    assert!(
        waiters.iter().chain(&wake).all(|step| step.contains("rowid=?") || step.ends_with(by)),
        "{waiters:#?} {wake:#?}"
    );
}

on_all! {
    /// proves: R7
    async fn a_record_is_woken_when_the_one_that_it_names_has_a_counterpart(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "ada", 0)], Vec::new())).await.unwrap();
        let other = Wait { pair: "leads".to_owned(), ..wait("ada", false) };
        waiting(&store, &held, &[("one", wait("ada", false)), ("two", wait("grace", false)), ("three", other)]).await;
        assert!(woken(&store, 3).await.is_empty(), "nobody has a counterpart yet");
        linked(&store, &held, "ada").await;
        assert_eq!(woken(&store, 4).await, ["one"], "another pair's counterpart and another record's are none of it");

        // Who is decided about anew waits for what that decision says, and for nothing more.
        let work = due(&store, 4).await.remove(0);
        let rows = SaveRows { entries: vec![rests(&work.entry, None)], waits: vec![(work.entry.id, Vec::new())], ..SaveRows::default() };
        save(&store, &held, 5, rows).await;
        let ada = by_record(&store, Side::Left, "ada").await.unwrap();
        let rows = SaveRows { entries: vec![rests(&ada, ada.link.map(LinkRef::Known))], ..SaveRows::default() };
        assert!(!save(&store, &held, 6, rows).await.woken);
        assert!(woken(&store, 6).await.is_empty());
    }

    /// proves: R7
    async fn that_there_will_be_no_counterpart_is_news_where_one_was_coming(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "ada", 0)], Vec::new())).await.unwrap();
        waiting(&store, &held, &[("one", wait("ada", true)), ("two", wait("ada", false))]).await;
        assert!(woken(&store, 3).await.is_empty(), "nobody has decided about it yet");
        let ada = by_record(&store, Side::Left, "ada").await.unwrap();
        assert!(save(&store, &held, 4, SaveRows { entries: vec![rests(&ada, None)], ..SaveRows::default() }).await.woken);
        assert_eq!(woken(&store, 5).await, ["one"]);
    }

    /// The counterpart came between the decision and its being written down: nobody touches the named record again.
    ///
    /// proves: R7
    async fn who_waits_for_what_has_come_meanwhile_is_due_at_once(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let people = ["ada", "grace"].map(|name| seen(Side::Left, name, 0)).to_vec();
        store.take_rows(taking(&held, 1, people, Vec::new())).await.unwrap();
        linked(&store, &held, "ada").await;
        let grace = by_record(&store, Side::Left, "grace").await.unwrap();
        save(&store, &held, 2, SaveRows { entries: vec![rests(&grace, None)], ..SaveRows::default() }).await;
        let waits = [("one", wait("ada", false)), ("two", wait("grace", true)), ("three", wait("grace", false))];
        waiting(&store, &held, &waits).await;
        assert_eq!(woken(&store, 2).await, ["one", "two"]);
    }

    /// Whoever names a record knows its counterpart; only another one is news.
    ///
    /// proves: R7
    async fn a_record_is_woken_when_the_one_that_it_names_has_another_counterpart(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "ada", 0)], Vec::new())).await.unwrap();
        let link = linked(&store, &held, "ada").await;
        let ada = by_record(&store, Side::Right, "ada").await.unwrap();
        let knows = |counterpart: &RecordId| Wait { counterpart: Some(counterpart.clone()), ..wait("ada", false) };
        waiting(&store, &held, &[("one", knows(&ada.record))]).await;
        assert!(woken(&store, 3).await.is_empty(), "it knows that one");

        let taken = by_record(&store, Side::Left, "ada").await.unwrap();
        let parted = SaveRows { drop_links: vec![link.id], ..SaveRows::default() };
        assert!(!save(&store, &held, 4, parted).await.woken, "a counterpart that goes is nothing to be told");
        store.take_rows(taking(&held, 5, vec![seen(Side::Right, "byron", 0)], Vec::new())).await.unwrap();
        let byron = by_record(&store, Side::Right, "byron").await.unwrap();
        let entries = [&taken, &byron].map(|entry| rests(entry, Some(LinkRef::New(0)))).to_vec();
        let tied = SaveRows { entries, new_links: vec![joined(Some(&taken), Some(&byron))], ..SaveRows::default() };
        assert!(save(&store, &held, 6, tied).await.woken);
        assert_eq!(woken(&store, 6).await, ["one"], "another one took that place");
    }
}
