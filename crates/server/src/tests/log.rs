//! What is logged names no person and holds no secret.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::http::Method;
use tracing_subscriber::fmt::MakeWriter;

use super::{vendor::signature, world::*};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// proves: sec:S53 (the server's part)
/// proves: sec:S52 (log lines)
#[tokio::test]
async fn no_body_token_or_address_is_logged_and_every_line_is_one_line() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let world = World::new();
    let body = r#"{"id":"1","name":"Canary Person","title":"canary\r\ntitle"}"#;
    world.hook(HOOK, body).await;
    world.hook(HOOK, "canary-unreadable").await;
    let wrong = signature("canary-secret", jiff::Timestamp::UNIX_EPOCH, body.as_bytes());
    world.request(Method::POST, HOOK, &[("x-acme-signature", &wrong)], body).await;
    world.form("/sign-in", &[], &[("token", "canary-guess\r\nforged line")]).await;
    let cookie = world.sign_in().await;
    let begun = world.page("/connect/crm", &cookie).await.header("location").to_owned();
    let url = url::Url::parse(&begun).unwrap();
    let state = url.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    world.http.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    world.page(&format!("/oauth/callback/crm?code=canary-code&state={state}"), &cookie).await;
    world.store.clone().close().await;
    world.hook(HOOK, body).await;
    world.api(Method::GET, "/api/v1/bookings?text=canary-search", "").await;
    drop(guard);

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("Refused a webhook") && logged.contains("Could not connect crm"), "{logged}");
    let session = cookie.split_once('=').unwrap().1;
    let id = session.split('.').next().unwrap();
    for secret in ["canary", "Canary", "forged", SECRET, PATH_KEY, ADMIN, LINK_KEY, &state, id, "ada@example.org"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
    for line in logged.lines() {
        let _: serde_json::Value = serde_json::from_str(line).expect("every line is one record");
    }
}
