//! How an account is connected, and what refusals mean.

use serde_json::json;
use syncline_connect::{
    Connector, ErrorKind, Grant, Retry, Secret, Settings,
    oauth::{App, TokenCx},
};
use syncline_sandbox::MicrosoftConfig;

use super::{
    super::{
        MANIFEST, Microsoft,
        classify::{is_expired, is_gone, of_call},
        manifest::{ALLOW_HOST, TENANT, suffices},
        wire::Refusal,
    },
    Desk, MIA,
    watch::run,
};

fn app(desk: &Desk) -> App {
    let credentials = desk.site.credentials("http://sandbox");
    let text = |name: &str| credentials[name].as_str().unwrap_or_else(|| panic!("{name} in {credentials}")).to_owned();
    App {
        client_id: text("client_id"),
        client_secret: Some(Secret::new(text("client_secret"))),
        redirect_uri: Some("https://syncline.example/oauth/callback".parse().expect("an address")),
    }
}

/// An access token that ended is refreshed with the newest refresh token, which each refresh replaces; an approval that
/// was taken back asks for a person.
#[test]
fn tokens_rotate_and_approvals_end() {
    let desk = Desk::with(MicrosoftConfig { old_refresh_ends: true, ..MicrosoftConfig::default() }, MIA);
    desk.site.expire_tokens();
    let error = desk.try_page().expect_err("the token ended");
    assert_eq!((error.kind, error.retry), (ErrorKind::Unauthorised, Retry::Reauthorise));

    let app = app(&desk);
    let settings = Settings::from([(ALLOW_HOST.to_owned(), "http://sandbox".to_owned())]);
    let cx = TokenCx { http: &*desk.asker.http, now: desk.asker.cx().now, app: &app, settings: &settings };
    let oauth = Microsoft.oauth().expect("it has one");
    let refresh = |token: &Secret| {
        let grant = Grant::Refresh { token: Secret::new(token.expose().to_owned()) };
        run(oauth.exchange(&cx, &grant))
    };
    let first = desk.site.install(MIA).expect("tokens")["refresh_token"].as_str().expect("a token").to_owned();
    let first = Secret::new(first);
    let set = refresh(&first).expect("tokens");
    let second = set.refresh.expect("a new one");
    assert_ne!(second.expose(), first.expose());
    assert!(set.expires_at.is_some_and(|at| at > cx.now));
    assert_eq!(refresh(&first).expect_err("it was replaced").kind, ErrorKind::Revoked);
    let third = refresh(&second).expect("tokens").refresh.expect("a new one");
    desk.site.revoke(MIA);
    let error = refresh(&third).expect_err("it is gone");
    assert_eq!(
        (error.kind, error.retry, error.code.as_deref()),
        (ErrorKind::Revoked, Retry::Never, Some("AADSTS50173"))
    );
    assert!(run(oauth.revoke(&cx, &third)).is_ok());
}

/// Whoever connects is sent to the tenant that the operator named, and only to one that can be a tenant.
#[test]
fn people_are_sent_to_their_tenant() {
    let app = app(&Desk::new());
    let oauth = Microsoft.oauth().expect("it has one");
    let url = |tenant: &str| {
        let settings = Settings::from([(TENANT.to_owned(), tenant.to_owned())]);
        oauth.authorize_url(&app, &settings, "state", "challenge")
    };
    for (tenant, path) in [("", "common"), ("organizations", "organizations"), ("firm.example", "firm.example")] {
        let url = url(tenant).expect("an address");
        assert_eq!(url.host_str(), Some("login.microsoftonline.com"));
        assert_eq!(url.path(), format!("/{path}/oauth2/v2.0/authorize"));
        let scope = url.query_pairs().find(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
        assert_eq!(scope.as_deref(), Some("Calendars.ReadWrite offline_access"));
    }
    for wrong in ["../x", "a/b", "a?b", "-", "."] {
        assert_eq!(url(wrong).expect_err("it is none").kind, ErrorKind::Configuration, "{wrong}");
    }
}

/// An approval without the permission for calendars is none, however it is spelt.
#[test]
fn an_approval_must_have_what_is_needed() {
    for enough in [MANIFEST.scopes.join(" "), "openid https://graph.microsoft.com/calendars.readwrite".to_owned()] {
        assert!(suffices(&enough), "{enough}");
    }
    for lacking in ["", "Calendars.Read", "User.Read offline_access"] {
        assert!(!suffices(lacking), "{lacking}");
    }
}

/// proves: sec:S53: nothing that Microsoft says in a refusal is repeated but its code.
#[test]
fn refusals_are_told_apart_by_their_code() {
    let refusal = |code: &str| -> Refusal {
        serde_json::from_value(json!({"error": {"message": "ada@acme.example", "code": code}})).expect("a refusal")
    };
    for (status, code, kind) in [
        (429, "TooManyRequests", ErrorKind::RateLimited),
        (400, "MailboxConcurrency", ErrorKind::RateLimited),
        (503, "ErrorServerBusy", ErrorKind::Unavailable),
        (410, "SyncStateNotFound", ErrorKind::Unavailable),
        (401, "InvalidAuthenticationToken", ErrorKind::Unauthorised),
        (403, "ErrorAccessDenied", ErrorKind::Forbidden),
        (404, "MailboxNotEnabledForRESTAPI", ErrorKind::Forbidden),
        (404, "ErrorItemNotFound", ErrorKind::Gone),
        (400, "ErrorInvalidRequest", ErrorKind::Invalid),
    ] {
        let error = of_call("read", status, &refusal(code), None);
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
        assert!(!error.to_string().contains("ada"));
    }
    assert!(is_expired(400, &refusal("SYNCSTATENOTFOUND")) && is_expired(410, &Refusal::default()));
    assert!(!is_expired(500, &refusal("SyncStateNotFound")) && !is_expired(400, &refusal("ErrorInvalidRequest")));
    assert!(is_gone(404, &refusal("errorItemNotFound")) && !is_gone(404, &Refusal::default()));
}
