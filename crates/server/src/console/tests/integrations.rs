//! The pages of records in step: how an integration stands, what is held back, and what a person decides there.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::{
    Clock,
    ids::{IntegrationId, RecordId},
    merge::{Base, Fate, HoldKind, Images, Row, RuleKey, Side},
    record::Value,
};
use syncline_store::{
    EntryChange, FlowStanding, FlowState, Held, JournalKind, LinkRef, NewLink, PullPhase, PullState, SaveRows, SeenRow,
    StoredEntry, StoredHold, TakeRows, WorkerId,
};

use super::stable;
use crate::tests::world::{World, ws};

const PHONE: RuleKey = RuleKey(7);

fn people() -> IntegrationId {
    IntegrationId::new("people")
}

fn hold(kind: HoldKind, rule: Option<RuleKey>, reason: &str, fix: &str) -> StoredHold {
    StoredHold {
        rule,
        kind,
        to: Some(Side::Right),
        reason: reason.to_owned(),
        fix: fix.to_owned(),
        refused: Vec::new(),
    }
}

fn row(side: Side, record: &str) -> SeenRow {
    SeenRow {
        side,
        kind: "contact".to_owned(),
        record: RecordId::new(record),
        match_key: None,
        row: Row::from([(PHONE, Value::text(record))]),
        changed_at: None,
        fate: Fate::Live,
    }
}

async fn lease(world: &World) -> Held {
    let (name, holder) = ("records:people".to_owned(), WorkerId("w".to_owned()));
    let now = world.clock.now();
    let until = now.saturating_add(SignedDuration::from_mins(5)).unwrap();
    let fence = world.store.acquire_lease(&ws(), &name, &holder, now, until).await.unwrap().unwrap();
    Held { name, holder, fence }
}

async fn entry(world: &World, side: Side, record: &str) -> StoredEntry {
    let found = world.store.rows_by_record(&ws(), &people(), side, "contact", &[RecordId::new(record)]).await;
    found.unwrap().remove(0)
}

fn pull(side: Side, at: Timestamp, problem: Option<&str>) -> PullState {
    PullState {
        side,
        kind: "contact".to_owned(),
        phase: PullPhase::Changes,
        cursor: None,
        next_at: at.saturating_add(SignedDuration::from_mins(2)).unwrap(),
        failures: u32::from(problem.is_some()),
        problem: problem.map(str::to_owned),
        read_at: Some(at),
        sweep: 1,
        changes_cursor: None,
        swept_at: None,
        fields: None,
    }
}

/// An active integration: a tied pair whose phone a person has to decide about, a record that was refused, and a line
/// about a field that was carried over.
async fn with_holds() -> (World, Held, i64) {
    let world = World::new();
    let (now, held) = (world.clock.now(), lease(&world).await);
    let state = FlowState {
        standing: FlowStanding::Active,
        reason: None,
        changed_at: now,
        agreed: Some(("Ada <b>Lovelace</b>".to_owned(), now)),
        agreed_text: None,
        since: Some(now),
    };
    world.store.set_flow(&ws(), &people(), state, None).await.unwrap();
    let rows = vec![row(Side::Left, "c1"), row(Side::Right, "r1"), row(Side::Left, "c2<script>")];
    let pulls = vec![pull(Side::Left, now, None), pull(Side::Right, now, Some("the key was refused"))];
    let take = TakeRows { workspace: ws(), integration: people(), held: held.clone(), now, rows, pulls };
    world.store.take_rows(take).await.unwrap().unwrap();
    let (left, right) = (entry(&world, Side::Left, "c1").await, entry(&world, Side::Right, "r1").await);
    let refused = entry(&world, Side::Left, "c2<script>").await;
    let rest = |entry: &StoredEntry, link: Option<LinkRef>| EntryChange {
        id: entry.id,
        revision: entry.revision,
        link,
        seen: entry.seen.clone(),
        due_at: None,
        note: None,
        tries: 0,
        fate: entry.fate.clone(),
        let_go: false,
        written: false,
    };
    let images = Images::from([(PHONE, Base::new(Value::text("1"), Value::text("1")))]);
    let link = NewLink { pair: "people".to_owned(), left: Some(left.id), right: Some(right.id), images };
    let conflict = hold(HoldKind::Conflict, Some(PHONE), "both sides changed it", "say which side is right");
    let too_long = hold(HoldKind::Refused, None, "the address is none", "correct the address");
    let changed = json!({ "action": "updated", "side": "right",
        "fields": [{ "field": "SMS", "to": "+49 30 1", "from": "+49 30 2" }] });
    let differed = json!({ "action": "conflict", "winner": "left",
        "left": { "field": "Title", "value": "Countess" }, "right": { "field": "JOB", "value": null } });
    let save = SaveRows {
        entries: vec![rest(&left, Some(LinkRef::New(0))), rest(&right, Some(LinkRef::New(0))), rest(&refused, None)],
        new_links: vec![link],
        holds: vec![(left.id, vec![conflict]), (refused.id, vec![too_long])],
        journal: vec![
            world.entry(JournalKind::Written, "contact r1: SMS taken over from contact c1", changed),
            world.entry(JournalKind::Written, "contact c1: Title and JOB differed; the left side won", differed),
        ],
        tasks: 12,
        month: now.strftime("%Y-%m").to_string(),
        ..SaveRows::default()
    };
    world.store.save_rows(&ws(), &people(), &held, now, save).await.unwrap().unwrap();
    (world, held, left.id)
}

/// proves: R21
#[tokio::test]
async fn an_integration_shows_how_it_stands_and_what_is_held_back_and_why() {
    let (world, _, _) = with_holds().await;
    let cookie = world.sign_in().await;
    insta::assert_snapshot!("integrations", stable(&world, "/integrations", &cookie).await);
    insta::assert_snapshot!("integration", stable(&world, "/integrations/people", &cookie).await);
    let other = stable(&world, "/integrations/people?workspace=other", &cookie).await;
    assert!(other.contains("a draft") && !other.contains("c1") && !other.contains("Lovelace"), "{other}");
    assert_eq!(world.page("/integrations/nobody", &cookie).await.status, StatusCode::NOT_FOUND);
    let stranger = world.get("/integrations/people", &[]).await;
    assert!(stranger.header("location").starts_with("/sign-in?next=%2Fintegrations%2Fpeople"));
    let next =
        world.form("/sign-in", &[], &[("token", crate::tests::world::ADMIN), ("next", "/integrations/people")]).await;
    assert_eq!(next.header("location"), "/integrations/people");
}

/// proves: R21
#[tokio::test]
async fn a_person_pauses_starts_retries_and_decides_on_the_page() {
    let (world, _, tied) = with_holds().await;
    let cookie = world.sign_in().await;
    let page = stable_token(&world, &cookie).await;
    let send = async |fields: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = fields.iter().copied().chain([("form_token", page.as_str())]).collect();
        world.form("/integrations/people?workspace=main", &[("cookie", &cookie)], &all).await
    };
    let standing = async || world.store.flow_state(&ws(), &people()).await.unwrap().unwrap();
    let due = async || world.store.flow_counts(&ws(), &people()).await.unwrap().due;
    assert_eq!(due().await, 0);

    assert_eq!(send(&[("act", "pause")]).await.header("location"), "/integrations/people?workspace=main");
    assert_eq!(standing().await.standing, FlowStanding::Paused);
    send(&[("act", "activate")]).await;
    let state = standing().await;
    assert_eq!((state.standing, state.agreed.unwrap().0.as_str()), (FlowStanding::Active, "Ada <b>Lovelace</b>"));

    let tied = tied.to_string();
    send(&[("act", "resolve"), ("entry", &tied), ("rule", "7"), ("winner", "left")]).await;
    let links = world.store.due_rows(&ws(), &people(), world.clock.now(), 10).await.unwrap();
    assert_eq!(links[0].link.as_ref().unwrap().decided, [(PHONE, Side::Left)]);
    send(&[("act", "retry")]).await;
    assert_eq!(due().await, 2, "both that have something held back");

    for bad in [
        vec![("act", "explode")],
        vec![("act", "retry"), ("entry", "x")],
        vec![("act", "resolve"), ("entry", "1"), ("rule", "7"), ("winner", "neither")],
    ] {
        assert_eq!(send(&bad).await.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    let forged = world.form("/integrations/people", &[("cookie", &cookie)], &[("act", "pause")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert_eq!(standing().await.standing, FlowStanding::Active);
}

/// proves: R1
#[tokio::test]
async fn nothing_starts_before_somebody_agreed() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let token = stable_token(&world, &cookie).await;
    let send = async |agreed_by: &str| {
        let fields = [("act", "activate"), ("agreed_by", agreed_by), ("form_token", token.as_str())];
        world.form("/integrations/people", &[("cookie", &cookie)], &fields).await.status
    };
    assert_eq!(send("  ").await, StatusCode::BAD_REQUEST);
    assert!(world.store.flow_state(&ws(), &people()).await.unwrap().is_none());
    assert_eq!(send("Grace Hopper").await, StatusCode::SEE_OTHER);
    let state = world.store.flow_state(&ws(), &people()).await.unwrap().unwrap();
    assert_eq!(state.agreed, Some(("Grace Hopper".to_owned(), world.clock.now())));
}

/// The token of a page's forms.
async fn stable_token(world: &World, cookie: &str) -> String {
    let page = world.page("/", cookie).await;
    page.text().split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}
