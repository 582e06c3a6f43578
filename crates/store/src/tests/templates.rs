//! Templates: versions that never change, one in force for each meeting type, and the way back.

use futures::future::join_all;

use super::world::*;
use crate::{ActivityFilter, Saved, Store};

async fn save(store: &Store, name: &str, source: &str, base: i64) -> Saved {
    store.save_template(&ws(), "event", name, source, base, "rosa", at(base)).await.unwrap()
}

async fn activate(store: &Store, meeting_type: &str, name: &str, version: i64) -> bool {
    store.activate_template(&ws(), "event", meeting_type, name, version, "rosa", at(10)).await.unwrap()
}

async fn in_force(store: &Store) -> Vec<String> {
    let active = store.active_templates(&ws()).await.unwrap();
    active.iter().map(|one| format!("{}: {} {} {:?}", one.meeting_type, one.name, one.version, one.source)).collect()
}

on_all! {
    /// proves: B20
    async fn versions_are_saved_activated_and_taken_back(world: &World) {
        let store = world.store().await;
        assert_eq!(store.template_revision(&ws()).await.unwrap(), 0);
        assert_eq!(save(&store, "sales", "one", 0).await, Saved::As { version: 1 });
        assert_eq!(save(&store, "sales", "two", 1).await, Saved::As { version: 2 });
        assert_eq!(save(&store, "sales", "lost", 1).await, Saved::Outdated { newest: 2 });
        let of = |version| { let store = store.clone(); async move { store.template(&ws(), "event", "sales", version).await.unwrap().map(|text| text.source) } };
        assert_eq!(of(None).await.as_deref(), Some("two"));
        assert_eq!(of(Some(1)).await.as_deref(), Some("one"), "a version never changes");
        assert_eq!(of(Some(3)).await, None);
        assert!(store.template(&ws(), "attendee", "sales", None).await.unwrap().is_none());

        assert!(!activate(&store, "", "sales", 3).await, "there is no such version");
        assert!(in_force(&store).await.is_empty());
        assert!(activate(&store, "", "sales", 1).await);
        let before = store.template_revision(&ws()).await.unwrap();
        assert!(activate(&store, "", "sales", 2).await);
        assert!(store.template_revision(&ws()).await.unwrap() > before, "what is cached elsewhere is seen to be old");
        assert!(activate(&store, "", "sales", 2).await, "again is no further step");
        assert!(activate(&store, "support", "built-in", 0).await);
        assert_eq!(in_force(&store).await, [": sales 2 Some(\"two\")", "support: built-in 0 None"]);

        let back = |meeting_type| { let store = store.clone(); async move { store.roll_back_template(&ws(), "event", meeting_type, "otto", at(20)).await.unwrap().map(|to| to.version) } };
        assert_eq!(back("").await, Some(1));
        assert_eq!(in_force(&store).await[0], ": sales 1 Some(\"one\")");
        assert_eq!(back("").await, Some(0), "before it was the built-in one");
        assert_eq!(back("").await, None, "there is nothing to go back to");
        assert_eq!(in_force(&store).await, ["support: built-in 0 None"]);

        let events = store.template_events(&ws()).await.unwrap();
        let told: Vec<_> = events.iter().map(|event| format!("{} {} {}", event.who, event.action, event.version)).collect();
        assert_eq!(told, ["otto rolled_back 0", "otto rolled_back 1", "rosa activated 0", "rosa activated 2", "rosa activated 1", "rosa saved 2", "rosa saved 1"]);
        let journal = store.activity(&ws(), ActivityFilter { limit: 10, ..ActivityFilter::default() }).await.unwrap();
        let lines: Vec<_> = journal.iter().map(|line| line.entry.text.as_str()).collect();
        assert_eq!(lines[0], "otto went back to the built-in event template for all meeting types that have none of their own");
        assert_eq!(lines[3], "rosa activated version 2 of the event template sales for all meeting types that have none of their own");
        assert_eq!(lines.len(), 5, "saving alone changes nothing that anybody would see");
    }

    /// proves: sec:S38
    async fn templates_of_another_workspace_are_not_seen(world: &World) {
        let store = world.store().await;
        save(&store, "sales", "one", 0).await;
        activate(&store, "", "sales", 1).await;
        let other = syncline_core::ids::WorkspaceId::new("other");
        assert!(store.templates(&other).await.unwrap().is_empty());
        assert!(store.template(&other, "event", "sales", None).await.unwrap().is_none());
        assert!(store.active_templates(&other).await.unwrap().is_empty());
        assert!(store.template_events(&other).await.unwrap().is_empty());
        assert!(!store.activate_template(&other, "event", "", "sales", 1, "eve", at(1)).await.unwrap());
        assert_eq!(store.roll_back_template(&other, "event", "", "eve", at(1)).await.unwrap(), None);
        assert_eq!(store.templates(&ws()).await.unwrap().len(), 1);
    }

    async fn of_two_editors_one_is_told(world: &World) {
        let store = world.store().await;
        let saved = join_all((0..8).map(|_| save(&store, "sales", "mine", 0))).await;
        let won = saved.iter().filter(|saved| **saved == Saved::As { version: 1 }).count();
        assert_eq!(won, 1, "{saved:?}");
        assert_eq!(saved.iter().filter(|saved| **saved == Saved::Outdated { newest: 1 }).count(), 7);
    }
}
