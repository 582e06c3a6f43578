//! The pages of calendars: whose take part, what landed where, what was left out and why; and that nothing of a private
//! event, and no text of a calendar, becomes part of them.

use axum::http::StatusCode;
use syncline_core::calendar::{
    eligible::{Reason, Verdict},
    privacy::Privacy,
};
use syncline_engine::calendars::{CalendarPreview, PreviewedEvent};
use syncline_store::{FlowStanding, StoredTokens};

use super::{PreviewPage, Start};
use crate::{
    console::tests::{hostile_strings, markup::safe, stable},
    page::{Frame, html},
    tests::world::{World, meeting, ws},
};

const PAGE: &str = "/integrations/meetings";

fn left_out(reason: Reason) -> Verdict {
    Verdict::LeftOut(reason)
}

/// An active integration with an event of each sort; of two of them nothing may be told.
async fn with_events() -> (World, String) {
    let world = World::new();
    let cookie = world.sign_in().await;
    let mut refused = meeting("e5", Some("Refused"), Verdict::Log, Privacy::Synced);
    refused.state.problem = Some("the CRM wants a <b>company</b>".to_owned());
    world
        .meetings(vec![
            meeting("e1", Some("Demo <i>now</i>"), Verdict::Log, Privacy::Synced),
            meeting("e2", Some("Team"), left_out(Reason::InternalOnly), Privacy::Eligible),
            meeting("e3", Some("Canary"), left_out(Reason::Private), Privacy::Ignored),
            meeting("e4", Some("Canary"), Verdict::Log, Privacy::Frozen),
            refused,
            meeting("e6", None, left_out(Reason::NoContact), Privacy::Eligible),
        ])
        .await;
    let tokens = StoredTokens {
        access: "canary-access".to_owned(),
        refresh: None,
        base_url: "https://eu1.acme.example".to_owned(),
        expires_at: None,
        account: None,
    };
    world.store.ensure_connection(&ws(), &"crm".into(), "acme").await.unwrap();
    world.store.store_tokens(&ws(), &"crm".into(), &tokens, None).await.unwrap();
    (world, cookie)
}

async fn token(world: &World, cookie: &str) -> String {
    let page = world.page("/", cookie).await;
    page.text().split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn standing(world: &World) -> Option<FlowStanding> {
    world.store.flow_state(&ws(), &"meetings".into()).await.unwrap().map(|state| state.standing)
}

/// proves: C1, C6, C8
#[tokio::test]
async fn a_page_tells_whose_calendars_take_part_and_what_became_of_their_events() {
    let (world, cookie) = with_events().await;
    insta::assert_snapshot!("calendars", stable(&world, PAGE, &cookie).await);
    insta::assert_snapshot!("events", stable(&world, &format!("{PAGE}/events"), &cookie).await);
    for (show, says, lacks) in [
        ("logged", "00U_e1", "Team"),
        ("left_out", "Team", "00U_e1"),
        ("held", "&#60;b&#62;company", "Team"),
        ("no_contact", "(no title)", "Team"),
    ] {
        let page = world.page(&format!("{PAGE}/events?show={show}"), &cookie).await;
        assert!(page.text().contains(says) && !page.text().contains(lacks), "{show}: {}", page.text());
    }
    for path in ["/", "/integrations", PAGE, &format!("{PAGE}/events"), &format!("{PAGE}/events?show=private")] {
        let page = world.page(path, &cookie).await;
        assert!(!page.text().to_lowercase().contains("canary"), "{path}: {}", page.text());
    }
    for path in ["/", "/integrations"] {
        let page = world.page(path, &cookie).await;
        assert!(page.text().contains("3 events logged · 3 left out · 1 held back"), "{path}: {}", page.text());
    }
}

/// A page has fifty events, and leads to the older ones in the same choice.
#[tokio::test]
async fn events_go_on_behind_the_first_page() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let all = (0..60).map(|number| meeting(&format!("u{number}"), Some("Demo"), Verdict::Log, Privacy::Synced));
    world.meetings(all.collect()).await;
    let first = world.page(&format!("{PAGE}/events?show=logged"), &cookie).await;
    let older = first.text().split("<a href=\"").find(|link| link.contains("before=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    assert!(older.contains("show=logged"), "{older}");
    let second = world.page(&older, &cookie).await;
    assert_eq!((first.text().matches("<b>Demo</b>").count(), second.text().matches("<b>Demo</b>").count()), (50, 10));
    assert!(!second.text().contains("rel=\"next\""));
}

/// proves: C1, R1 (agreement), sec:S43
#[tokio::test]
async fn a_person_starts_pauses_and_retries_on_the_page() {
    let (world, cookie) = with_events().await;
    let token = token(&world, &cookie).await;
    let send = async |fields: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        world.form(&format!("{PAGE}?workspace=main"), &[("cookie", &cookie)], &all).await
    };
    for nobody in [vec![("act", "activate")], vec![("act", "activate"), ("agreed_by", "  ")]] {
        assert_eq!(send(&nobody).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(standing(&world).await, None);
    }
    let begun = send(&[("act", "activate"), ("agreed_by", "Ada <b>Lovelace</b>")]).await;
    assert_eq!(
        (begun.status, begun.header("location")),
        (StatusCode::SEE_OTHER, "/integrations/meetings?workspace=main")
    );
    assert_eq!(standing(&world).await, Some(FlowStanding::Active));
    assert!(world.page(PAGE, &cookie).await.text().contains("Ada &#60;b&#62;Lovelace"));
    assert_eq!(send(&[("act", "retry")]).await.status, StatusCode::SEE_OTHER);
    let due = world.store.due_series(&ws(), &"meetings".into(), jiff::Timestamp::MAX, 10).await.unwrap();
    assert_eq!(due.len(), 1, "what the CRM refused");
    assert_eq!(send(&[("act", "pause")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(standing(&world).await, Some(FlowStanding::Paused));
    assert_eq!(send(&[("act", "run")]).await.status, StatusCode::CONFLICT, "it is not active");
    assert_eq!(send(&[("act", "explode")]).await.status, StatusCode::BAD_REQUEST);
    let preview = world.form(&format!("{PAGE}/preview"), &[("cookie", &cookie)], &[("form_token", &token)]).await;
    assert_eq!(preview.status, StatusCode::BAD_GATEWAY);
    assert!(preview.text().contains("rosa could not be asked"), "{}", preview.text());
    for path in [PAGE.to_owned(), format!("{PAGE}/preview")] {
        let forged = world.form(&path, &[("cookie", &cookie)], &[("act", "activate")]).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(standing(&world).await, Some(FlowStanding::Paused));
}

/// proves: sec:S38
#[tokio::test]
async fn nobody_sees_anothers_calendars() {
    let (world, cookie) = with_events().await;
    for path in [PAGE.to_owned(), format!("{PAGE}/events")] {
        let stranger = world.get(&path, &[]).await;
        assert!(stranger.header("location").starts_with("/sign-in?next=%2Fintegrations%2Fmeetings"), "{path}");
        let other = world.page(&format!("{path}?workspace=other"), &cookie).await;
        assert!(other.status == StatusCode::OK && !other.text().contains("Demo"), "{path}");
    }
    for path in ["/integrations/visits", "/integrations/visits/events", "/integrations/nobody/events"] {
        assert_eq!(world.page(path, &cookie).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.page(&format!("{PAGE}/events?show=weather"), &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.page(&format!("{PAGE}/preview"), &cookie).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

async fn previewed(preview: &CalendarPreview) -> String {
    let start = Start { action: PAGE.to_owned(), may_start: true, agreed: None };
    let page = html(StatusCode::OK, &PreviewPage::new(Frame::bare("Preview of meetings"), start, preview));
    let body = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn upcoming(title: &str, verdict: Verdict, if_new: Verdict) -> PreviewedEvent {
    PreviewedEvent {
        calendars: vec!["rosa".to_owned(), "sam".to_owned()],
        title: Some(title.to_owned()),
        start: Some("2027-02-01T09:00:00Z".parse().unwrap()),
        verdict,
        if_new,
    }
}

/// proves: C6, C8
#[tokio::test]
async fn a_preview_counts_by_reason_and_shows_a_few() {
    let mut events = vec![
        upcoming("Canary", left_out(Reason::Private), left_out(Reason::Private)),
        upcoming("Demo", Verdict::Log, Verdict::Log),
    ];
    let calls = (0..30).map(|n| upcoming(&format!("Call {n}"), left_out(Reason::BeforeConnection), Verdict::Log));
    events.extend(calls);
    let page = previewed(&CalendarPreview { events, capped: true }).await;
    insta::assert_snapshot!(
        "preview",
        page.lines().filter(|line| !line.contains("Call 1")).collect::<Vec<_>>().join("\n")
    );
    assert!(!page.contains("Canary") && page.matches("<li>Call ").count() == 19, "{page}");
}

/// proves: sec:S45
#[tokio::test]
async fn no_text_of_a_calendar_becomes_part_of_a_page() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let shows = async |world: &World, text: &str| {
        let mut refused = meeting("u2", Some(text), Verdict::Log, Privacy::Synced);
        refused.state.problem = Some(format!(" {text}"));
        let blocked = left_out(Reason::Blocked(text.to_owned()));
        let all = vec![
            meeting("u1", Some(text), Verdict::Log, Privacy::Synced),
            refused,
            meeting("u3", Some(text), blocked.clone(), Privacy::Eligible),
        ];
        world.meetings(all).await;
        let events = safe(world.page(&format!("{PAGE}/events"), &cookie).await.text());
        let events_of_preview =
            vec![upcoming(text, Verdict::Log, Verdict::Log), upcoming(text, blocked.clone(), blocked)];
        let preview = safe(&previewed(&CalendarPreview { events: events_of_preview, capped: false }).await);
        (events, preview)
    };
    let expected = shows(&world, "text").await;
    for text in hostile_strings() {
        assert_eq!(shows(&world, &text).await, expected, "{text:?}");
    }
}
