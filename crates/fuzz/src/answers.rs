//! What a vendor's servers may answer: to a token request, to a look-up, to a write.

use bytes::Bytes;
use syncline_connect::{Cx, Error, Find, Grant, GraphOutcome, Secret, Settings, Wanted, oauth::App, oauth::TokenCx};
use syncline_core::{
    ids::ExternalKey,
    record::{Fields, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};
use url::Url;

use crate::world::{Always, CANARY, at_once, connector, now};

/// The CRMs whose answers are tried, and the one that is connected by OAuth with hosts of its own for each account.
const CRMS: [&str; 2] = [CRM, "hubspot"];
const CRM: &str = "salesforce";

/// The host at which the CRM lives here.
const BASE: &str = "https://acme.my.salesforce.com";

/// Statuses by the first byte of an input; a `0` (48) means the first.
const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 429, 500, 302];

/// An answer: its status by the first byte, a choice of four by the second, its body behind them.
fn answer(bytes: &[u8]) -> Option<(Always, usize)> {
    let (&[status, choice], body) = bytes.split_first_chunk()?;
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    Some((Always { status, body: Bytes::copy_from_slice(body) }, usize::from(choice) % 4))
}

/// An error is a sentence for a person and may be logged: nothing of the answer's values is in it.
fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.to_lowercase().contains(CANARY), "an error repeats what was answered: {text}");
    assert!(!text.contains(|c: char| c.is_control()), "an error breaks its line: {text:?}");
    let word = |code: &String| code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    assert!(error.code.as_ref().is_none_or(word), "a code that is no word");
}

/// Whatever a token endpoint answers, the token goes to the CRM's own hosts.
pub fn token(bytes: &[u8]) {
    let Some((http, choice)) = answer(bytes) else { return };
    let app = App {
        client_id: "client".to_owned(),
        client_secret: Some(Secret::new("client-secret-canary")),
        redirect_uri: Url::parse("https://sync.example/oauth/callback/crm").ok(),
    };
    let settings = Settings::from([("login_host".to_owned(), BASE.to_owned())]);
    let cx = TokenCx { http: &http, now: now(), app: &app, settings: &settings };
    let grant = match choice {
        0 => Grant::Code { code: Secret::new("code-canary"), verifier: Secret::new("verifier-canary") },
        1 => Grant::Refresh { token: Secret::new("refresh-canary") },
        2 => Grant::ClientCredentials,
        _ => Grant::JwtBearer { username: "canary@example.org".to_owned(), key: Secret::new("no key") },
    };
    let oauth = connector(CRM).oauth().expect("the CRM is connected by OAuth");
    match at_once(oauth.exchange(&cx, &grant)) {
        Ok(tokens) => {
            let host = tokens.base_url.host_str().unwrap_or_default();
            assert!(host.ends_with(".salesforce.com") || host.ends_with(".force.com"), "a token for {host}");
            assert_eq!((tokens.base_url.scheme(), tokens.base_url.path()), ("https", "/"));
            assert!(!tokens.access.expose().is_empty());
            assert!(!format!("{tokens:?}").contains("secret-of-the-answer"), "a token shows itself");
        }
        Err(error) => check_error(&error),
    }
    if let Err(error) = at_once(oauth.revoke(&cx, &Secret::new("refresh-canary"))) {
        check_error(&error);
    }
}

/// Carries a question to the CRM, whose answer is the input.
fn with_cx<T>(http: &Always, ask: impl FnOnce(&Cx<'_>) -> T) -> T {
    let base_url = Url::parse(BASE).expect("the base address is sound");
    let bearer = Secret::new("bearer-canary");
    let settings = Settings::new();
    ask(&Cx { http, now: now(), base_url: &base_url, bearer: &bearer, settings: &settings })
}

/// Whatever a look-up is answered: rows, or an error, and as many answers as questions.
pub fn find(bytes: &[u8]) {
    CRMS.iter().for_each(|crm| find_in(crm, bytes));
}

fn find_in(crm: &str, bytes: &[u8]) {
    let Some((http, choice)) = answer(bytes) else { return };
    let records = connector(crm).records().expect("the CRM has records");
    let find = |role, field, value: &str| {
        let any = vec![Wanted::Is(field, vec![value.to_owned()])];
        Find::new(role, any, vec![Std::Email.into(), Std::LastName.into()])
    };
    let finds = [find(Role::Contact, Std::Email, "a@x.example"), find(Role::Lead, Std::Email, "a@x.example")];
    let asked = &finds[..1 + choice % 2];
    with_cx(&http, |cx| match at_once(records.find(cx, asked)) {
        Ok(answered) => assert_eq!(answered.value.len(), asked.len(), "an answer without a question"),
        Err(error) => check_error(&error),
    });
    with_cx(&http, |cx| match at_once(records.check(cx)) {
        Ok(_) => {}
        Err(error) => check_error(&error),
    });
}

/// Whatever a write is answered, each plan has an outcome.
pub fn write(bytes: &[u8]) {
    CRMS.iter().for_each(|crm| write_in(crm, bytes));
}

fn write_in(crm: &str, bytes: &[u8]) {
    let Some((http, choice)) = answer(bytes) else { return };
    let records = connector(crm).records().expect("the CRM has records");
    let upsert = |slot, role, name: &str| {
        let fields = Fields::from([(Std::LastName.into(), Value::text(name))]);
        Step::new(slot, role, Write::Upsert { key: ExternalKey::derive(&[name]), fields })
    };
    let plan = Plan { steps: vec![upsert(Slot::Person, Role::Contact, "canary")] };
    let longer =
        Plan { steps: vec![upsert(Slot::Person, Role::Contact, "canary"), upsert(Slot::Case, Role::Contact, "b")] };
    let plans = [&plan, &longer];
    let sent = &plans[..1 + choice % 2];
    with_cx(&http, |cx| match at_once(records.write(cx, sent)) {
        Ok(answered) => {
            assert_eq!(answered.value.len(), sent.len(), "a plan without an outcome");
            for (outcome, plan) in answered.value.iter().zip(sent) {
                match outcome {
                    GraphOutcome::Done(ids) => assert_eq!(ids.len(), plan.steps.len(), "done, but not all of it"),
                    GraphOutcome::Refused(error) | GraphOutcome::Unknown(error) => check_error(error),
                }
            }
        }
        Err(error) => check_error(&error),
    });
}
