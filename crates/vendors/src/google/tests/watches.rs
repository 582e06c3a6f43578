//! Channels: begun, followed by others, ended; and whatever may come in as if through one.

use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use syncline_connect::{
    Answered, Error, ErrorKind, Hook, RawRequest, Retry, Secret, Watches,
    watch::{NOTICES_MAX, Notice, Says, Watch},
};
use syncline_sandbox::{FaultKind, FaultRule, HookDelivery};

use super::{
    super::Google,
    site::{Desk, ROSA, meeting, primary},
};

const SECRET: &str = "a-secret-of-256-bits";

fn begin(desk: &Desk, name: &str, url: &str) -> Result<Answered<Watch>, Error> {
    let hook = Hook { url: url.parse().expect("an address"), secret: Secret::new(SECRET) };
    let (cx, calendar) = (desk.asker.cx(), primary());
    Google.begin(&cx, &calendar, name, &hook).now_or_never().expect("a sandbox answers at once")
}

fn end(desk: &Desk, watch: &Watch) -> Result<Answered<()>, Error> {
    Google.end(&desk.asker.cx(), watch).now_or_never().expect("a sandbox answers at once")
}

fn heard(sent: &HookDelivery) -> Vec<Notice> {
    let header = |(name, value): &(String, String)| {
        (HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"))
    };
    let headers: HeaderMap = sent.headers.iter().map(header).collect();
    Google.notices(&RawRequest { headers, body: sent.body.clone().into() })
}

fn said(notices: &[Notice]) -> Vec<(&str, &str, Says)> {
    notices.iter().map(|notice| (notice.watch.as_str(), notice.secret.expose(), notice.says)).collect()
}

/// proves: C10: it tells that it has begun and what changes, under its secret, until it is ended; ending it twice is ending it.
#[test]
fn a_channel_tells_of_changes_until_it_is_ended() {
    let desk = Desk::new();
    let watch = begin(&desk, "w1", "https://sync.example/hooks/rosa/key").expect("a channel").value;
    assert_eq!(watch.id, "w1");
    let life = watch.until.duration_since(desk.asker.cx().now);
    assert!((life - super::super::manifest::WATCH_LIVES).abs().as_secs() <= 1, "{life}");
    desk.site.create(ROSA, &meeting("Demo")).expect("a meeting");
    let sent = desk.site.take_deliveries();
    assert_eq!(said(&heard(&sent[0])), [("w1", SECRET, Says::Begun)]);
    assert_eq!(said(&heard(&sent[1])), [("w1", SECRET, Says::Changed)]);
    let renewed = Google.renew(&desk.asker.cx(), &watch).now_or_never().expect("at once").expect("an answer");
    assert_eq!((renewed.value, renewed.calls), (None, 0), "only another one can follow");
    end(&desk, &watch).expect("it ends");
    end(&desk, &watch).expect("it has ended");
    desk.site.create(ROSA, &meeting("Demo")).expect("a meeting");
    assert!(desk.site.take_deliveries().is_empty());
}

/// What Google says of our address is told to people with what to do; a lost answer leaves nobody knowing.
#[test]
fn refusals_of_a_channel() {
    let desk = Desk::new();
    let error = begin(&desk, "w1", "http://sync.example/hooks/rosa/key").expect_err("it is not https");
    assert_eq!((error.kind, error.retry), (ErrorKind::Invalid, Retry::Never));
    assert!(error.message.contains("https"), "{error}");
    for (kind, expected) in [
        (FaultKind::LostAnswer, ErrorKind::UnknownOutcome),
        (FaultKind::Truncated, ErrorKind::UnknownOutcome),
        (FaultKind::Limited, ErrorKind::RateLimited),
    ] {
        desk.site.faults().add(FaultRule::next(kind).on("POST", "/calendar/v3/calendars/"));
        let error = begin(&desk, &format!("{kind:?}"), "https://sync.example/h").expect_err("it failed");
        assert_eq!(error.kind, expected, "{kind:?} {error}");
    }
}

fn header(name: &'static str) -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let value = prop_oneof![
        Just(b"w1".to_vec()),
        Just(b"sync".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..400),
        ".{0,300}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(value.prop_map(move |value| (name, value)), 0..3)
}

proptest! {
    /// proves: sec:S22: whatever comes is at most one notice, of a channel and with a secret that could be; headers that are
    /// missing or come twice say nothing.
    #[test]
    fn no_headers_are_too_odd(
        id in header("x-goog-channel-id"),
        token in header("x-goog-channel-token"),
        state in header("x-goog-resource-state"),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in id.iter().chain(&token).chain(&state) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let single = |name: &str| headers.get_all(name).iter().count() == 1;
        let may_say = single("x-goog-channel-id") && single("x-goog-channel-token") && headers.contains_key("x-goog-resource-state");
        let notices = Google.notices(&RawRequest { headers: headers.clone(), body: body.into() });
        prop_assert!(notices.len() <= NOTICES_MAX.min(usize::from(may_say)));
        for notice in notices {
            prop_assert!((1..=64).contains(&notice.watch.len()) && (1..=256).contains(&notice.secret.expose().len()));
            prop_assert!(notice.says == Says::Begun || notice.says == Says::Changed);
        }
        prop_assert_eq!(Google.challenge("validationToken=abc"), None);
    }
}
