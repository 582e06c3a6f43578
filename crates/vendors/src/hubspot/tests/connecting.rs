//! Connecting an account, and keeping it connected.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::Method;
use syncline_connect::{
    BoxFuture, ErrorKind, Grant, Http, HttpError, OAuth, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
    pkce,
};
use syncline_core::Clock;
use syncline_sandbox::{HubSpotAccount, HubSpotConfig, Site};
use url::Url;

use crate::{
    hubspot::{HubSpot, MANIFEST, manifest::ALLOW_HOST},
    testing::site::{Calls, Hands},
};

struct Lab {
    account: Arc<HubSpotAccount>,
    hands: Arc<Hands>,
    app: App,
    settings: Settings,
}

fn lab(config: HubSpotConfig) -> Lab {
    let hands = Hands::at("2026-05-06T12:00:00Z");
    let app = App {
        client_id: config.app.client_id.clone(),
        client_secret: Some(Secret::new(config.app.client_secret.clone())),
        redirect_uri: Some(Url::parse("https://sync.example/oauth/callback/crm").unwrap()),
    };
    let settings = Settings::from([(ALLOW_HOST.to_owned(), "http://sandbox".to_owned())]);
    Lab { account: HubSpotAccount::new(config, hands.clone()).unwrap(), hands, app, settings }
}

impl Lab {
    fn exchange(&self, grant: &Grant) -> Result<TokenSet, syncline_connect::Error> {
        let http = Calls(self.account.clone());
        self.exchange_by(&http, grant)
    }

    fn exchange_by(&self, http: &dyn Http, grant: &Grant) -> Result<TokenSet, syncline_connect::Error> {
        let cx = TokenCx { http, now: self.hands.now(), app: &self.app, settings: &self.settings };
        HubSpot.exchange(&cx, grant).now_or_never().expect("the account answers at once")
    }

    fn code(&self, challenge: &str) -> Secret {
        let url = HubSpot.authorize_url(&self.app, &self.settings, "the-state", challenge).unwrap();
        let request = http::Request::builder().method(Method::GET).uri(url.as_str()).body(Bytes::new()).unwrap();
        let reply = self.account.handle("http://sandbox", request);
        let back = Url::parse(reply.response.headers()["location"].to_str().unwrap()).unwrap();
        let pairs: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        assert!(pairs.contains(&("state".to_owned(), "the-state".to_owned())));
        Secret::new(pairs.into_iter().find(|(name, _)| name == "code").unwrap().1)
    }
}

#[test]
fn the_person_is_sent_to_hubspot_with_what_is_asked_for() {
    let lab = lab(HubSpotConfig::default());
    let url = HubSpot.authorize_url(&lab.app, &Settings::new(), "st", "ch").unwrap();
    assert!(url.as_str().starts_with("https://app.hubspot.com/oauth/authorize?client_id="), "{url}");
    let scope = url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(scope.split(' ').collect::<Vec<_>>(), MANIFEST.scopes);
    let known = HubSpotConfig::default().app.scopes;
    assert!(MANIFEST.scopes.iter().all(|scope| known.iter().any(|known| known == scope)));
}

#[test]
fn a_code_becomes_tokens_and_a_refresh_token_new_ones() {
    let lab = lab(HubSpotConfig::default());
    let verifier = Secret::new("v".repeat(50));
    let code = lab.code(&pkce::challenge(&verifier));
    let first = lab.exchange(&Grant::Code { code: code.clone(), verifier: verifier.clone() }).unwrap();
    assert_eq!(first.base_url.as_str(), "http://sandbox/");
    assert_eq!(first.expires_at, Some(lab.hands.now() + jiff::SignedDuration::from_secs(1_800)));
    assert_eq!(first.account.as_deref(), Some("147893286"));
    assert!(first.access.expose().len() >= 300, "tokens are long");
    let again = lab.exchange(&Grant::Code { code, verifier }).unwrap_err();
    assert_eq!(again.kind, ErrorKind::Revoked);
    lab.hands.pass(1_500);
    let second = lab.exchange(&Grant::Refresh { token: first.refresh.clone().unwrap() }).unwrap();
    assert!(second.access.expose() != first.access.expose());
    lab.account.uninstall();
    let gone = lab.exchange(&Grant::Refresh { token: first.refresh.unwrap() }).unwrap_err();
    assert_eq!(
        (gone.kind, gone.retry, gone.code.as_deref()),
        (ErrorKind::Revoked, Retry::Never, Some("BAD_REFRESH_TOKEN"))
    );
}

#[test]
fn a_refresh_token_that_is_exchanged_for_another_is_given_back() {
    let mut config = HubSpotConfig::default();
    config.app.rotates_refresh_tokens = true;
    let lab = lab(config);
    let first = lab.account.install()["refresh_token"].as_str().unwrap().to_owned();
    let second = lab.exchange(&Grant::Refresh { token: Secret::new(first.clone()) }).unwrap();
    assert_ne!(second.refresh.unwrap().expose(), first);
    assert_eq!(lab.exchange(&Grant::Refresh { token: Secret::new(first) }).unwrap_err().kind, ErrorKind::Revoked);
}

#[test]
fn what_cannot_work_is_said_in_words() {
    let mut lab = lab(HubSpotConfig::default());
    let refresh = Grant::Refresh { token: Secret::new("nonsense") };
    assert_eq!(lab.exchange(&Grant::ClientCredentials).unwrap_err().kind, ErrorKind::Configuration);
    lab.app.client_secret = Some(Secret::new("wrong"));
    assert_eq!(lab.exchange(&refresh).unwrap_err().kind, ErrorKind::Configuration);
    lab.app.client_secret = None;
    assert_eq!(lab.exchange(&refresh).unwrap_err().kind, ErrorKind::Configuration);
    for host in ["ftp://x", "https://user@x", "https://x/path", "x"] {
        let settings = Settings::from([(ALLOW_HOST.to_owned(), host.to_owned())]);
        assert_eq!(HubSpot.authorize_url(&lab.app, &settings, "s", "c").unwrap_err().kind, ErrorKind::Configuration);
    }
}

/// Loses every answer.
struct Silence;

impl Http for Silence {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        Box::pin(std::future::ready(Err(HttpError::Unanswered { host: "x".into(), reason: "reset".into() })))
    }
}

#[test]
fn a_lost_answer_is_not_a_refusal() {
    let lab = lab(HubSpotConfig::default());
    let lost = lab.exchange_by(&Silence, &Grant::Refresh { token: Secret::new("t") }).unwrap_err();
    assert_eq!((lost.kind, lost.retry), (ErrorKind::UnknownOutcome, Retry::Backoff));
    let spent = Grant::Code { code: Secret::new("c"), verifier: Secret::new("v") };
    assert_eq!(lab.exchange_by(&Silence, &spent).unwrap_err().retry, Retry::Never);
}

#[test]
fn a_token_is_revoked_once_and_for_all() {
    let lab = lab(HubSpotConfig::default());
    let token = Secret::new(lab.account.install()["refresh_token"].as_str().unwrap());
    let http = Calls(lab.account.clone());
    let cx = TokenCx { http: &http, now: lab.hands.now(), app: &lab.app, settings: &lab.settings };
    for _ in 0..2 {
        HubSpot.revoke(&cx, &token).now_or_never().unwrap().unwrap();
    }
    assert_eq!(lab.exchange(&Grant::Refresh { token }).unwrap_err().kind, ErrorKind::Revoked);
}
