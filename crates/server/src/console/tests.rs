//! The pages: what they show, who sees them, and that nothing from outside becomes part of them.

use axum::http::StatusCode;
use proptest::prelude::*;
use serde_json::json;
use syncline_core::ids::ChainId;
use syncline_store::StoredTokens;

use super::sign_in::return_target;
use crate::{
    problem::Code,
    tests::world::{ADMIN, BLNS, CRLF, HOOK, UNICODE, World, XSS, strings, ws},
};

mod integrations;
pub(super) mod markup;

use markup::{elements, safe};

/// A world with a connected account, a written and a parked booking, and a message that nobody could read.
async fn small_world() -> (World, ChainId) {
    let world = World::new();
    let tokens = StoredTokens {
        access: "canary-access".to_owned(),
        refresh: None,
        base_url: "https://eu1.acme.example".to_owned(),
        expires_at: None,
        account: Some("Acme main".to_owned()),
    };
    world.store.ensure_connection(&ws(), &"crm".into(), "acme").await.unwrap();
    world.store.store_tokens(&ws(), &"crm".into(), &tokens, None).await.unwrap();
    world.store.record_usage(&ws(), &"crm".into(), 250, 1000).await.unwrap();
    let details = json!({
        "records": [{"slot": "meeting", "role": "meeting", "id": "00U1", "action": "created",
                     "fields": {"subject": "Demo with Ada", "@Link__c": "https://example.org/x", "owner": null}}],
        "notes": [{"code": "matched", "text": "found the contact by e-mail"}],
        "calls": 0.5,
    });
    let chain = world.written("b1", "Ada Lovelace", "Demo", details).await;
    world.parked("b2", "Grace Hopper", "the case was refused").await;
    world.hook(HOOK, "nonsense").await;
    (world, chain)
}

/// A page without what differs from run to run.
pub(super) async fn stable(world: &World, path: &str, cookie: &str) -> String {
    let answer = world.page(path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}");
    let mut text = answer.text().to_owned();
    let marker = r#"name="form_token" value=""#;
    while let Some(start) = text.find(marker).map(|at| at + marker.len()).filter(|at| !text[*at..].starts_with('(')) {
        let end = start + text[start..].find('"').unwrap();
        text = text.replace(&text[start..end].to_owned(), "(token)");
    }
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_overview_shows_what_waits_what_works_and_what_needs_a_person() {
    let (world, _) = small_world().await;
    let cookie = world.sign_in().await;
    insta::assert_snapshot!("overview", stable(&world, "/", &cookie).await);
}

#[tokio::test]
async fn a_bookings_page_tells_its_history_record_by_record() {
    let (world, chain) = small_world().await;
    let cookie = world.sign_in().await;
    insta::assert_snapshot!("booking", stable(&world, &format!("/bookings/{chain}"), &cookie).await);
}

#[tokio::test]
async fn lists_and_forms_are_plain() {
    let (world, _) = small_world().await;
    let cookie = world.sign_in().await;
    insta::assert_snapshot!("bookings", stable(&world, "/bookings?text=hopper&parked=yes", &cookie).await);
    insta::assert_snapshot!("activity", stable(&world, "/activity?kind=parked", &cookie).await);
    insta::assert_snapshot!("sign_in", stable(&world, "/sign-in?next=/activity", "").await);
}

#[tokio::test]
async fn pages_are_whole_and_readable_without_script() {
    let (world, chain) = small_world().await;
    let cookie = world.sign_in().await;
    for path in ["/", "/activity", "/bookings", &format!("/bookings/{chain}"), "/sign-in", "/connected/crm"] {
        let answer = world.page(path, &cookie).await;
        let text = answer.text();
        assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}");
        assert!(text.contains("name=\"viewport\"") && text.ends_with("</html>"), "{path}");
        let found = elements(text);
        for forbidden in ["script", "img", "iframe", "style", "object", "base"] {
            assert!(!found.iter().any(|element| element.name == forbidden), "{path}: {forbidden}");
        }
        assert_eq!(found.iter().filter(|element| element.name == "h1").count(), 1, "{path}");
        assert!(!text.contains("canary"), "{path}: a token");
    }
}

#[tokio::test]
async fn the_activity_is_searched_by_kind_and_text() {
    let (world, _) = small_world().await;
    let cookie = world.sign_in().await;
    let lines = async |path: &str| {
        elements(world.page(path, &cookie).await.text()).iter().filter(|element| element.name == "article").count()
    };
    assert_eq!(lines("/activity").await, 3);
    assert_eq!(lines("/activity?kind=written").await, 1);
    assert_eq!(lines("/activity?text=DEMO%20with%20ada").await, 1, "what is behind a line counts");
    assert_eq!(lines("/activity?text=nobody").await, 0);
    assert_eq!(world.page("/activity?kind=nonsense", &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.page("/bookings?before=x", &cookie).await.status, StatusCode::BAD_REQUEST);
    for number in 0..60 {
        world.written(&format!("c{number}"), "Somebody", "Other", json!({})).await;
    }
    assert_eq!(lines("/activity").await, 50);
    assert!(world.page("/activity", &cookie).await.text().contains("rel=\"next\""));
    assert_eq!(lines("/activity?text=demo%20with%20ada").await, 1, "a search goes on behind the first page");
}

/// Somebody at a browser reads a page whatever goes wrong, and a program reads JSON; what a code means is a page, too.
#[tokio::test]
async fn a_problem_is_a_page_for_people_and_json_for_programs() {
    let world = World::new();
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for (path, status) in [("/nowhere", StatusCode::NOT_FOUND), ("/sign-out", StatusCode::METHOD_NOT_ALLOWED)] {
        let read = world.get(path, &browser).await;
        assert_eq!(read.status, status, "{path}");
        assert_eq!(elements(read.text()).iter().filter(|element| element.name == "h1").count(), 1, "{path}");
        let answered = world.get(path, &[("accept", "application/json")]).await;
        assert_eq!((answered.status, answered.header("content-type")), (status, "application/problem+json"), "{path}");
    }
    for code in Code::ALL {
        let path = format!("/docs/errors/{}", code.as_str());
        let page = world.get(&path, &browser).await;
        let found = elements(page.text());
        assert!(found.iter().any(|element| element.name == "h2"), "{path}: what to do");
        assert!(!page.text().contains('`') && !page.text().contains("## "), "{path}: {}", page.text());
        assert!(world.get(&path, &[]).await.header("content-type").starts_with("text/plain"), "{path}");
    }
}

/// Where nothing is there yet, a page says how something comes; where a search found nothing, it leads back.
#[tokio::test]
async fn an_empty_page_says_what_to_do_next() {
    let world = World::new();
    let cookie = world.sign_in().await;
    for (path, next) in [
        ("/bookings", "Enter the address that <code>syncline sources</code> prints"),
        ("/bookings?parked=yes", ">Show all bookings</a>"),
        ("/activity", "Whatever Syncline does is written down here."),
        ("/activity?text=nobody", ">Show everything</a>"),
    ] {
        let answer = world.page(path, &cookie).await;
        assert!(answer.text().contains(next), "{path}: {}", answer.text());
    }
}

/// proves: sec:S43
#[tokio::test]
async fn only_a_form_of_ours_changes_anything() {
    let (world, _) = small_world().await;
    let cookie = world.sign_in().await;
    let chain = world
        .store
        .bookings(&ws(), syncline_store::BookingFilter { parked_only: true, limit: 1, ..Default::default() })
        .await
        .unwrap()[0]
        .chain
        .clone();
    let replay = format!("/bookings/{chain}/replay");
    let parked = async || world.store.counts(&ws()).await.unwrap().parked;
    let other_session = world.sign_in().await;
    let token_of = async |cookie: &str| {
        let page = world.page("/", cookie).await;
        page.text().split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (token, other_token) = (token_of(&cookie).await, token_of(&other_session).await);
    assert_ne!(token, other_token);
    let from = |site: &'static str, origin: &'static str| {
        vec![("cookie", cookie.as_str()), ("sec-fetch-site", site), ("origin", origin)]
    };
    for (headers, fields) in [
        (vec![("cookie", cookie.as_str())], vec![]),
        (vec![("cookie", cookie.as_str())], vec![("form_token", "")]),
        (vec![("cookie", cookie.as_str())], vec![("form_token", other_token.as_str())]),
        (from("cross-site", "https://evil.example"), vec![]),
        (from("same-site", "https://sync.example"), vec![]),
        (from("same-origin", "https://evil.example"), vec![]),
        (from("none", "null"), vec![]),
    ] {
        for path in [replay.as_str(), "/connections/crm/disconnect", "/sign-out"] {
            assert_eq!(world.form(path, &headers, &fields).await.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
        assert_eq!(parked().await, 1);
    }
    // Reading never changes anything.
    assert_eq!(world.page(&replay, &cookie).await.status, StatusCode::METHOD_NOT_ALLOWED);
    // Nobody who is not signed in, whatever they send.
    let nobody = world.form(&replay, &[], &[("form_token", &token)]).await;
    assert_eq!(nobody.status, StatusCode::SEE_OTHER);
    assert!(nobody.header("location").starts_with("/sign-in"));
    assert_eq!(parked().await, 1);

    let done = world.form(&replay, &[("cookie", &cookie)], &[("form_token", &token)]).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, format!("/bookings/{chain}?workspace=main").as_str())
    );
    assert_eq!(parked().await, 0);
    let by_browser = from("same-origin", "https://sync.example");
    assert_eq!(world.form("/connections/crm/disconnect", &by_browser, &[]).await.status, StatusCode::SEE_OTHER);
    assert!(world.store.connection(&ws(), &"crm".into()).await.unwrap().unwrap().tokens.is_none());
    let foreign = world.form("/sign-in", &[("sec-fetch-site", "cross-site")], &[("token", ADMIN)]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_is_not_signed_in_sees_the_door() {
    let (world, chain) = small_world().await;
    for path in ["/", "/activity", "/bookings", &format!("/bookings/{chain}"), "/connect/crm", "/connected/crm"] {
        let answer = world.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header("location").starts_with("/sign-in?next=%2F"), "{path}");
    }
    let cookie = world.sign_in().await;
    assert_eq!(world.page("/bookings/none", &cookie).await.status, StatusCode::NOT_FOUND);
    let next = world.form("/sign-in", &[], &[("token", ADMIN), ("next", "/activity")]).await;
    assert_eq!(next.header("location"), "/activity");
}

/// proves: sec:S4
#[tokio::test]
async fn a_sign_in_leads_to_a_page_of_ours() {
    let world = World::new();
    for next in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2fevil.example",
        "/%09/evil.example",
        "https://evil.example",
        "HTTPS:evil.example",
        "https:/evil.example",
        "http:\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\u{0}//evil.example",
        " //evil.example",
        "@evil.example",
        "/@evil.example",
        "/.evil.example",
        "//user:pass@evil.example",
        "/bookings/../../evil",
        "/bookings//evil.example",
        "/bookings?x=//evil",
        "/connect/",
        "/connect/a/b",
        "/connect/a/events",
        "/integrations//events",
        "/sign-out",
        "/oauth/callback/crm",
        "///",
        "/%5cevil.example",
        "／／evil.example",
        "",
    ] {
        assert_eq!(return_target(next), "/", "{next:?}");
        let answer = world.form("/sign-in", &[], &[("token", ADMIN), ("next", next)]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"), "{next:?}");
    }
    for next in [
        "/",
        "/activity",
        "/bookings",
        "/bookings/bk_0123abc",
        "/connect/crm-eu",
        "/integrations/meetings",
        "/integrations/meetings/events",
    ] {
        assert_eq!(return_target(next), next);
    }
}

/// A few of each kind, in our own words; others' sets have many more.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "</textarea><iframe src=javascript:alert(1)>",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "{{7*7}}",
    "\u{202e}gnp.exe",
    "\u{0}<b>",
    "<a href=\"javascript:alert(1)\">x</a>",
];

pub(super) fn hostile_strings() -> Vec<String> {
    let mut all: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    [XSS, BLNS, UNICODE].into_iter().for_each(|set| all.extend(strings(set)));
    all
}

/// proves: sec:S45
#[tokio::test]
async fn no_text_from_outside_becomes_part_of_a_page() {
    let strings = hostile_strings();
    let world = World::new();
    let cookie = world.sign_in().await;
    let plain = world.written("plain", "Ada", "Demo", details("text")).await;
    let expected = safe(world.page(&format!("/bookings/{plain}"), &cookie).await.text());
    for (number, text) in strings.iter().enumerate() {
        let chain = world.written(&format!("x{number}"), text, text, details(text)).await;
        let page = world.page(&format!("/bookings/{chain}"), &cookie).await;
        assert_eq!(safe(page.text()), expected, "{text:?}");
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let search = world.page(&format!("/activity?kind=operator&text={query}"), &cookie).await;
        if search.status == StatusCode::OK {
            let found = elements(search.text());
            assert!(!found.iter().any(|element| element.name == "script" || element.name == "img"), "{text:?}");
        } else {
            assert_eq!(search.status, StatusCode::BAD_REQUEST, "{text:?}");
        }
    }
    let reasons = world.parked("reason", "<i>", "<script>alert(1)</script>").await;
    for path in ["/", &format!("/bookings/{reasons}"), "/bookings"] {
        assert!(
            !elements(world.page(path, &cookie).await.text())
                .iter()
                .any(|element| ["script", "i"].contains(&element.name.as_str()))
        );
    }
}

/// The text at every place that a CRM or an invitee can fill.
fn details(text: &str) -> serde_json::Value {
    // A text that is a link becomes one, which is right; a leading blank keeps the pages comparable.
    let text = format!(" {text}");
    json!({
        "records": [{"slot": text, "role": text, "id": text, "action": text, "fields": {"f": text, "@g": {"x": text}}}],
        "notes": [{"code": text, "text": text}],
        "error": text, "code": text, "record": text,
        "calls": 1.0,
    })
}

/// proves: sec:S52 (answers; what is logged stays one line because it is structured)
#[tokio::test]
async fn line_breaks_never_reach_a_header() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let mut payloads =
        vec!["/%0d%0aSet-Cookie:crlf=injection".to_owned(), "/%E5%98%8D%E5%98%8ASet-Cookie:crlf=injection".to_owned()];
    payloads.extend(strings(CRLF));
    for payload in payloads {
        let value: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        for path in [
            format!("/sign-in?next={payload}"),
            format!("/sign-in?next={value}"),
            format!("/bookings{payload}"),
            format!("/connect{payload}"),
            format!("/oauth/callback/crm?error=x&state={payload}"),
            format!("/activity?text={payload}&workspace=main"),
        ] {
            if path.parse::<axum::http::Uri>().is_err() {
                continue;
            }
            let answer = world.page(&path, &cookie).await;
            assert_eq!(answer.headers.get("set-cookie"), None, "{path}");
            assert!(!answer.headers.keys().any(|name| name.as_str().contains("crlf")), "{path}");
        }
        let answer = world.form("/sign-in", &[], &[("token", ADMIN), ("next", &payload)]).await;
        assert_eq!(answer.header("location"), "/");
        assert!(!answer.header("set-cookie").contains("crlf"));
    }
}

proptest! {
    /// Whatever is asked for, a sign-in leads to one of our pages.
    #[test]
    fn a_return_target_is_ours(next in any::<String>()) {
        let target = return_target(&next);
        let base = url::Url::parse("https://sync.example/").unwrap();
        prop_assert_eq!(base.join(&target).unwrap().origin(), base.origin());
    }

    #[test]
    fn a_path_that_looks_like_ours_stays_ours(next in "[/\\\\a-z.%:@?#\\t]{1,20}") {
        let base = url::Url::parse("https://sync.example/").unwrap();
        prop_assert_eq!(base.join(&return_target(&next)).unwrap().origin(), base.origin());
    }
}
