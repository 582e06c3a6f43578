//! Subscriptions: their handshake, their lives, what they tell, and whatever may come in as if from one.

use bytes::Bytes;
use http::HeaderMap;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_connect::{
    Answered, Error, ErrorKind, Hook, RawRequest, Secret, Watches,
    watch::{NOTICES_MAX, Notice, Says, Watch},
};
use syncline_sandbox::{FaultKind, FaultRule, HookDelivery, microsoft::Lifecycle};

use super::{
    super::{Microsoft, manifest::WATCH_LASTS},
    Desk, MIA, meeting, primary,
    watch::run,
};

const SECRET: &str = "a-secret-of-256-bits";
const URL: &str = "https://sync.example/hooks/mia/key";

fn begin(desk: &Desk, url: &str) -> Result<Answered<Watch>, Error> {
    let hook = Hook { url: url.parse().expect("an address"), secret: Secret::new(SECRET) };
    let (cx, calendar) = (desk.asker.cx(), primary());
    run(Microsoft.begin(&cx, &calendar, "w1", &hook))
}

/// One whose handshakes were answered.
fn begun(desk: &Desk) -> Watch {
    let watch = begin(desk, URL).expect("a subscription").value;
    for handshake in desk.site.take_deliveries() {
        let (_, query) = handshake.url.split_once('?').expect("a query");
        let answer = Microsoft.challenge(query).expect("a token");
        desk.site.report(&handshake, Some(200), answer.as_bytes());
    }
    watch
}

fn heard(sent: &HookDelivery) -> Vec<Notice> {
    notices(&sent.body)
}

fn notices(body: &[u8]) -> Vec<Notice> {
    Microsoft.notices(&RawRequest { headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) })
}

fn said(notices: &[Notice]) -> Vec<(&str, &str, Says)> {
    notices.iter().map(|notice| (notice.watch.as_str(), notice.secret.expose(), notice.says)).collect()
}

/// proves: C10: the handshake is answered, changes are told under the secret, it lasts longer when renewed and is gone when
/// it has ended.
#[test]
fn a_subscription_tells_of_changes_until_it_is_ended() {
    let desk = Desk::new();
    let watch = begun(&desk);
    let life = watch.until.duration_since(desk.asker.cx().now);
    assert!((life - WATCH_LASTS).abs().as_secs() <= 1, "{life}");
    desk.create(&meeting("Demo"));
    let sent = desk.site.take_deliveries();
    assert_eq!(said(&heard(&sent[0])), [(watch.id.as_str(), SECRET, Says::Changed)]);
    desk.asker.hands.pass(3_600);
    let renew = || run(Microsoft.renew(&desk.asker.cx(), &watch)).expect("an answer").value;
    assert_eq!(renew().map(|until| until.duration_since(watch.until)), Some(SignedDuration::from_hours(1)));
    for _ in 0..2 {
        run(Microsoft.end(&desk.asker.cx(), &watch)).expect("it has ended");
    }
    assert_eq!(renew(), None, "only another one can follow");
    desk.create(&meeting("Demo"));
    assert!(desk.site.take_deliveries().is_empty());
}

/// proves: C10: what is told of its life: a demand to authorise it again, which a renewal meets; its end; and that something
/// was not told, which is a reason to look.
#[test]
fn its_life_is_told() {
    let desk = Desk::new();
    let watch = begun(&desk);
    for (event, says) in [
        (Lifecycle::Missed, Says::Changed),
        (Lifecycle::ReauthorizationRequired, Says::Renew),
        (Lifecycle::SubscriptionRemoved, Says::Ended),
    ] {
        desk.site.tell_lifecycle(MIA, event);
        let sent = desk.site.take_deliveries();
        assert_eq!(said(&heard(&sent[0])), [(watch.id.as_str(), SECRET, says)], "{event:?}");
        let until = run(Microsoft.renew(&desk.asker.cx(), &watch)).expect("an answer").value;
        assert_eq!(until.is_none(), event == Lifecycle::SubscriptionRemoved);
        desk.create(&meeting("Demo"));
        assert_eq!(desk.site.take_deliveries().len(), usize::from(until.is_some()), "{event:?}");
    }
}

/// What is refused says what to do; a lost answer leaves nobody knowing.
#[test]
fn refusals_of_a_subscription() {
    let desk = Desk::new();
    let error = begin(&desk, "http://sync.example/h").expect_err("it is not https");
    assert!(error.kind == ErrorKind::Invalid && error.message.contains("can be reached"), "{error}");
    for (kind, expected) in [
        (FaultKind::LostAnswer, ErrorKind::UnknownOutcome),
        (FaultKind::Truncated, ErrorKind::UnknownOutcome),
        (FaultKind::Limited, ErrorKind::RateLimited),
    ] {
        desk.site.faults().add(FaultRule::next(kind).on("POST", "/v1.0/subscriptions"));
        let error = begin(&desk, URL).expect_err("it failed");
        assert_eq!(error.kind, expected, "{kind:?} {error}");
    }
}

/// Many at once, of several subscriptions, lives and tenants, each by itself; rows that say nothing are passed over.
#[test]
fn a_batch_is_read_row_by_row() {
    let row = |id: &str, tenant: &str, event: Option<&str>| {
        json!({"subscriptionId": id, "clientState": format!("secret of {id}"), "tenantId": tenant, "lifecycleEvent": event,
               "changeType": "updated", "resourceData": {"id": "AAMk"}})
    };
    let rows = json!({"value": [
        row("s1", "t1", None), {"subscriptionId": 7}, row("s2", "t2", Some("subscriptionRemoved")), null, [],
        {"subscriptionId": "s3"}, {"subscriptionId": "s3", "clientState": null}, row("", "t1", None),
        row("s1", "t1", Some("reauthorizationRequired")), row("s4", "t1", Some("somethingNew")),
        {"subscriptionId": "s5", "clientState": "x".repeat(129)},
    ], "validationTokens": ["eyJ"]});
    let read = notices(rows.to_string().as_bytes());
    assert_eq!(
        said(&read),
        [
            ("s1", "secret of s1", Says::Changed),
            ("s2", "secret of s2", Says::Ended),
            ("s1", "secret of s1", Says::Renew),
            ("s4", "secret of s4", Says::Changed),
        ]
    );
    let many: Vec<Value> = (0..5_000).map(|number| row(&format!("s{number}"), "t", None)).collect();
    assert_eq!(notices(json!({"value": many}).to_string().as_bytes()).len(), NOTICES_MAX);
    for body in ["", "null", "[]", "{}", "{\"value\":7}", "{\"value\":[", "\u{0}", &"[".repeat(100_000)] {
        assert!(notices(body.as_bytes()).is_empty());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("subscriptionId".to_owned()),
        Just("clientState".to_owned()),
        Just("lifecycleEvent".to_owned()),
        Just("value".to_owned()),
        ".{0,8}",
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,200}".prop_map(Value::from)];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// proves: sec:S28: what is echoed has no markup in it, whatever is asked; a token of theirs comes back as it is.
    #[test]
    fn a_token_with_markup_is_harmless(token in prop_oneof![".{0,60}", "[ -~]{1,60}", "(<script>|\"|'|&|>|x){1,20}"]) {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("own", "1")
            .append_pair("validationToken", &token)
            .finish();
        let answer = Microsoft.challenge(&query);
        let is_token = !token.is_empty() && !token.contains(char::is_control);
        prop_assert_eq!(answer.is_some(), is_token);
        if let Some(answer) = answer {
            prop_assert!(!answer.contains(['<', '>', '"', '\'']), "{}", answer);
            let is_plain = !token.contains(['<', '>', '"', '\'', '&']);
            prop_assert_eq!(answer == token, is_plain);
        }
        let long = format!("validationToken={}", "x".repeat(4_097));
        prop_assert_eq!(Microsoft.challenge(&long), None);
        prop_assert_eq!(Microsoft.challenge("validation=x&token=y"), None);
    }

    /// Any bytes and any JSON are read, and say only what can be.
    #[test]
    fn no_body_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..300), rows in any_json()) {
        prop_assert!(notices(&bytes).len() <= NOTICES_MAX);
        for body in [rows.clone(), json!({"value": [rows.clone()]}), json!({"value": rows})] {
            for notice in notices(body.to_string().as_bytes()) {
                prop_assert!((1..=128).contains(&notice.watch.len()) && (1..=128).contains(&notice.secret.expose().len()));
            }
        }
    }
}
