//! Alerts: written with what they tell of, each event once, and worked off by one holder.

use futures::future::join_all;

use super::world::*;
use crate::{
    Alert, AlertKind, AlertProgress, AlertWay, ConnectionStatus, FlowStanding, FlowState, Held, JournalEntry,
    JournalKind, NewAlert, Store,
};

fn alert(kind: AlertKind) -> Alert {
    let (integration, connection) = (Some("people".into()), None);
    Alert { kind, integration, connection, reason: "it is so".to_owned(), fix: "do this".to_owned() }
}

fn new(event: &str, seconds: i64) -> NewAlert {
    NewAlert { event: event.to_owned(), at: at(seconds), alert: alert(AlertKind::QuotaNear) }
}

fn line() -> JournalEntry {
    JournalEntry { at: at(1), kind: JournalKind::Operator, text: "told".to_owned(), details: serde_json::json!({}) }
}

async fn events(store: &Store, now: i64) -> Vec<String> {
    store.due_alerts(&ws(), at(now), 100).await.unwrap().into_iter().map(|row| row.event).collect()
}

async fn hold(store: &Store, who: &str, from: i64, until: i64) -> Held {
    let fence = store.acquire_lease(&ws(), "alerts", &worker(who), at(from), at(until)).await.unwrap().unwrap();
    Held { name: "alerts".to_owned(), holder: worker(who), fence }
}

on_all! {
    /// proves: O7
    async fn an_event_is_told_once_and_worked_off_by_one_holder(world: &World) {
        let store = world.store().await;
        store.add_alert(&ws(), new("a", 1)).await.unwrap();
        store.add_alert(&ws(), new("b", 2)).await.unwrap();
        store.add_alert(&ws(), new("a", 3)).await.unwrap();
        assert_eq!(events(&store, 5).await, ["a", "b"]);
        assert!(events(&store, 0).await.is_empty(), "not before its time");
        let rows = store.due_alerts(&ws(), at(5), 100).await.unwrap();
        assert_eq!((rows[0].at, rows[0].tries, &rows[0].alert), (at(1), 0, &alert(AlertKind::QuotaNear)));
        let late = hold(&store, "late", 0, 10).await;
        let held = hold(&store, "now", 10, 100).await;
        let told = vec![AlertWay::Mail];
        let failed = |held: Held, due_at| {
            let progress = AlertProgress { id: rows[0].id, told: told.clone(), tries: 1, problem: Some("no answer".to_owned()), due_at };
            let store = store.clone();
            async move { store.set_alert(&ws(), &held, at(20), progress).await.unwrap() }
        };
        assert!(!failed(late, None).await, "who lost the lease notes nothing");
        assert!(failed(held.clone(), Some(at(60))).await);
        assert_eq!(events(&store, 30).await, ["b"]);
        let again = store.due_alerts(&ws(), at(60), 100).await.unwrap();
        assert_eq!((&again[1].told, again[1].tries), (&told, 1), "what was told stays told: {again:?}");
        assert!(failed(held, None).await);
        assert_eq!(events(&store, 1_000).await, ["b"]);
    }

    /// proves: R18, O7
    async fn of_many_that_see_the_quota_reached_one_has_people_told(world: &World) {
        let store = world.store().await;
        let others = world.store().await;
        let people = "people".into();
        let told = join_all((0..16).map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { others.clone() };
            let people = &people;
            async move { store.tell_quota(&ws(), people, "2026-05", 80, line(), new("quota:people:2026-05:80", 1)).await.unwrap() }
        })).await;
        assert_eq!(told.into_iter().filter(|told| *told).count(), 1);
        assert_eq!(events(&store, 5).await, ["quota:people:2026-05:80"]);
        assert!(store.tell_quota(&ws(), &people, "2026-06", 80, line(), new("quota:people:2026-06:80", 1)).await.unwrap());
        assert_eq!(events(&store, 5).await.len(), 2, "another month");
    }

    /// proves: O7
    async fn a_stop_and_a_lost_connection_are_told_with_what_they_tell_of(world: &World) {
        let store = world.store().await;
        let state = FlowState { standing: FlowStanding::Stopped, reason: Some("why".to_owned()), changed_at: at(1), agreed: None, agreed_text: None, since: None };
        store.stop_flow(&ws(), &"people".into(), state, line(), new("stopped", 1)).await.unwrap();
        assert_eq!(store.flow_state(&ws(), &"people".into()).await.unwrap().unwrap().standing, FlowStanding::Stopped);
        store.ensure_connection(&ws(), &crm(), "acme").await.unwrap();
        assert!(store.lose_connection(&ws(), &crm(), "withdrawn", new("lost", 2)).await.unwrap());
        assert!(!store.lose_connection(&ws(), &crm(), "withdrawn", new("lost again", 3)).await.unwrap(), "it was lost before");
        let row = store.connection(&ws(), &crm()).await.unwrap().unwrap();
        assert_eq!((row.status, row.reason.as_deref()), (ConnectionStatus::NeedsReconnect, Some("withdrawn")));
        assert_eq!(events(&store, 5).await, ["stopped", "lost"]);
    }
}
