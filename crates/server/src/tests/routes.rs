//! Health, metrics, common headers, error pages.

use axum::http::{Method, StatusCode};
use syncline_store::Error as StoreError;

use super::world::*;
use crate::problem::{Code, Problem, page};

/// proves: O6 (health and readiness)
#[tokio::test]
async fn health_says_whether_the_process_lives_and_can_work() {
    let world = World::new();
    assert_eq!(world.get("/healthz", &[]).await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz", &[]).await.status, StatusCode::OK);
    let metrics = world.get("/metrics", &[]).await;
    assert_eq!(
        (metrics.text(), metrics.header("content-type")),
        ("syncline_up 1\n", "text/plain; version=0.0.4; charset=utf-8")
    );

    let idle = World::with(|options| options.workers_alive = std::sync::Arc::new(|| false));
    assert_eq!(idle.get("/readyz", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.store.clone().close().await;
    assert_eq!(world.get("/readyz", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        world.get("/healthz", &[]).await.status,
        StatusCode::OK,
        "a dead database is no reason to kill the process"
    );
}

/// proves: sec:S55
#[tokio::test]
async fn health_and_metrics_name_nobody_and_can_have_a_port_of_their_own() {
    let world = World::with(|options| options.separate_admin = true);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(world.get(path, &[]).await.status, StatusCode::NOT_FOUND);
    }
    let admin = World { router: world.server.admin_router(), ..world };
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = admin.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        for name in ["main", "other", "crm", "web"] {
            assert!(!answer.text().contains(name), "{path} tells {name}");
        }
    }
    assert_eq!(admin.get("/", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.hook(HOOK, br#"{"id":"1"}"#).await.status, StatusCode::NOT_FOUND);
}

/// proves: sec:S44
#[tokio::test]
async fn every_answer_says_how_it_may_be_used() {
    let world = World::new();
    for path in ["/", "/sign-in", "/nowhere", "/api/v1/status", "/healthz", "/assets/console.css", "/hooks/a/b"] {
        let answer = world.get(path, &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
    }
    let page = world.get("/sign-in", &[]).await;
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!(page.header("cache-control"), "no-store");
    let plain = World::with(|options| options.secure_cookies = false);
    assert_eq!(plain.get("/sign-in", &[]).await.header("strict-transport-security"), "");
}

#[tokio::test]
async fn every_code_has_a_page_that_says_what_to_do() {
    let world = World::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut pages: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let mut codes: Vec<String> = Code::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    codes.sort();
    assert_eq!(pages, codes);
    for code in Code::ALL {
        let text = page(code.as_str()).unwrap();
        assert!(
            text.starts_with(&format!("# `{}`: ", code.as_str())) && text.contains("\n## What to do\n"),
            "{}",
            code.as_str()
        );
        let served = world.get(&format!("/docs/errors/{}", code.as_str()), &[]).await;
        assert_eq!((served.status, served.text()), (StatusCode::OK, text));
    }
    assert_eq!(world.get("/docs/errors/none", &[]).await.code(), "not-found");
}

/// proves: sec:S54
#[tokio::test]
async fn what_failed_inside_stays_in_the_log() {
    let world = World::new();
    let cookie = world.sign_in().await;
    world.store.clone().close().await;
    let answer = world.api(Method::GET, "/api/v1/status", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    let body = answer.json();
    assert_eq!(body["trace"].as_str().unwrap().len(), 16);
    assert_eq!(body.get("detail"), None);
    assert!(!answer.text().contains("closed"), "the store's own words");
    let page = world.page("/", &cookie).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text().contains("trace ") && !page.text().contains("closed"));
}

#[tokio::test]
async fn a_failing_store_is_told_by_what_the_caller_can_do() {
    let world = World::new();
    let told = |error: &StoreError| {
        let problem = Problem::store(world.server.shared(), error);
        (problem.status.as_u16(), problem.code, problem.retry_after.is_some())
    };
    assert_eq!(told(&StoreError::Busy), (503, Code::Overloaded, true));
    assert_eq!(told(&StoreError::Locked), (503, Code::Overloaded, true));
    assert_eq!(told(&StoreError::Unavailable("x".to_owned())), (503, Code::Unavailable, true));
    assert_eq!(told(&StoreError::Corrupt("x".to_owned())), (500, Code::Internal, false));
}
