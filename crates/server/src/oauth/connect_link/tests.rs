//! Connect links: one account, once, for some days, and nothing else.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use syncline_store::ActivityFilter;
use url::Url;

use crate::tests::world::{Answer, World, ws};

/// What the owner of an account is sent, as a path.
async fn link(world: &World, connection: &str) -> String {
    let made = world.api(Method::POST, &format!("/api/v1/connections/{connection}/connect-link"), "").await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let url = made.json()["url"].as_str().unwrap().to_owned();
    url.strip_prefix("https://sync.example").unwrap().to_owned()
}

/// Goes to the vendor with a link: the state that comes back, and the browser's cookie.
async fn begin(world: &World, link: &str) -> (String, String) {
    let answer = world.get(&format!("{link}/begin"), &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let url = Url::parse(answer.header("location")).unwrap();
    assert_eq!(url.host_str(), Some("login.acme.example"));
    let state = url.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    (state, answer.cookie())
}

async fn back(world: &World, connection: &str, state: &str, cookie: &str) -> Answer {
    world.page(&format!("/oauth/callback/{connection}?code=c&state={state}"), cookie).await
}

async fn refresh(world: &World) -> Option<String> {
    world.store.connection(&ws(), &"crm".into()).await.unwrap()?.tokens?.refresh
}

/// proves: C1
/// proves: sec:S1
#[tokio::test]
async fn an_owner_connects_an_account_without_any_other_access() {
    let world = World::new();
    let link = link(&world, "crm").await;
    let page = world.get(&link, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(
        (page.status, page.header("set-cookie")),
        (StatusCode::OK, ""),
        "a mail leads here, and changes nothing"
    );
    assert!(page.text().contains("<b>crm</b>") && page.text().contains(&format!("href=\"{link}/begin\"")));
    assert!(!page.text().contains("/activity"), "whoever reads it sees nothing of the console");

    let (state, cookie) = begin(&world, &link).await;
    let done = back(&world, "crm", &state, &cookie).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/connect-link/used"));
    assert_eq!(world.page("/connect-link/used", &cookie).await.status, StatusCode::OK);
    assert_eq!(refresh(&world).await.as_deref(), Some("canary-refresh"));
    let log = world.store.activity(&ws(), ActivityFilter { limit: 1, ..ActivityFilter::default() }).await.unwrap();
    assert_eq!(log[0].entry.text, "crm was connected with a link");

    for page in ["/", "/activity", "/connected/crm", "/connect/crm", "/integrations"] {
        let answer = world.page(page, &cookie).await;
        assert!(answer.header("location").starts_with("/sign-in?"), "{page} is not for whoever had a link");
    }
    assert_eq!(world.get("/api/v1/connections", &[("cookie", &cookie)]).await.status, StatusCode::UNAUTHORIZED);
}

/// proves: sec:S1
#[tokio::test]
async fn a_link_is_for_one_account_once_and_some_days() {
    let world = World::new();
    let ours = link(&world, "crm").await;
    let parts: Vec<&str> = ours.split('/').skip(2).collect();
    let (end, signature) = parts[2].split_once('.').unwrap();
    let later = end.parse::<i64>().unwrap() + 1;
    let refused = async |path: &str| {
        for path in [path.to_owned(), format!("{path}/begin")] {
            let answer = world.get(&path, &[]).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(answer.text().contains("ask whoever sent it for a new one"), "{}", answer.text());
        }
    };
    for forged in [
        format!("/connect-link/main/spare/{end}.{signature}"),
        format!("/connect-link/other/crm/{end}.{signature}"),
        format!("/connect-link/main/nobody/{end}.{signature}"),
        format!("/connect-link/main/crm/{later}.{signature}"),
        format!("/connect-link/main/crm/{end}."),
        format!("/connect-link/main/crm/{end}"),
        format!("/connect-link/main/crm/+{end}.{signature}"),
        format!("/connect-link/main/crm/{end}.{signature}A"),
    ] {
        refused(&forged).await;
    }
    // Connected, by whichever link.
    let second = link(&world, "crm").await;
    let (state, cookie) = begin(&world, &ours).await;
    back(&world, "crm", &state, &cookie).await;
    assert!(refresh(&world).await.is_some());
    refused(&ours).await;
    refused(&second).await;
    let no = world.api(Method::POST, "/api/v1/connections/crm/connect-link", "").await;
    assert_eq!((no.status, no.code().as_str()), (StatusCode::BAD_REQUEST, "not-connectable"));
    // Nor does it work again once that grant is gone.
    world.api(Method::POST, "/api/v1/connections/crm/disconnect", "").await;
    refused(&ours).await;

    let old = link(&world, "crm").await;
    world.clock.advance(SignedDuration::from_hours(7 * 24) - SignedDuration::from_secs(1));
    assert_eq!(world.get(&old, &[]).await.status, StatusCode::OK);
    world.clock.advance(SignedDuration::from_secs(1));
    refused(&old).await;
}

/// proves: sec:S1
#[tokio::test]
async fn only_the_browser_that_went_to_the_vendor_comes_back() {
    let world = World::new();
    let link = link(&world, "crm").await;
    let (state, cookie) = begin(&world, &link).await;
    let (_, another) = begin(&world, &link).await;
    let signed_in = world.sign_in().await;
    for foreign in [another.as_str(), "", signed_in.as_str()] {
        assert_eq!(back(&world, "crm", &state, foreign).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(back(&world, "spare", &state, &cookie).await.status, StatusCode::BAD_REQUEST);
    let (state, cookie) = begin(&world, &link).await;
    let both = format!("{signed_in}; {cookie}");
    assert_eq!(back(&world, "crm", &state, &both).await.header("location"), "/connect-link/used");

    let cross = world.get(&format!("{link}/begin"), &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(cross.status, StatusCode::FORBIDDEN, "no other site sends anybody to a vendor");
}

#[tokio::test]
async fn links_are_made_for_accounts_that_are_connected_in_a_browser() {
    let world = World::new();
    let made = async |path: &str| world.api(Method::POST, path, "").await;
    assert_eq!(made("/api/v1/connections/machine/connect-link").await.code(), "not-connectable");
    assert_eq!(made("/api/v1/connections/nobody/connect-link").await.code(), "not-found");
    let elsewhere = made("/api/v1/connections/crm/connect-link?workspace=other").await;
    assert!(elsewhere.json()["url"].as_str().unwrap().starts_with("https://sync.example/connect-link/other/crm/"));
    assert_eq!(world.get("/api/v1/connections/crm/connect-link", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);

    let cookie = world.sign_in().await;
    let page = world.page("/integrations/meetings", &cookie).await;
    assert!(page.text().contains("/connections/spare/connect-link"), "{}", page.text());
    let by_browser =
        [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin"), ("origin", "https://sync.example")];
    let sent = world.form("/connections/spare/connect-link", &by_browser, &[]).await;
    assert_eq!(sent.status, StatusCode::OK);
    assert!(sent.text().contains("value=\"https://sync.example/connect-link/main/spare/"), "{}", sent.text());
    assert_eq!(
        world.form("/connections/spare/connect-link", &[("cookie", cookie.as_str())], &[]).await.status,
        StatusCode::FORBIDDEN
    );
}
