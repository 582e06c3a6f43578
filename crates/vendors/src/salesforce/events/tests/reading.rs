//! What an event, a status and a setting mean.

use std::collections::BTreeSet;

use syncline_connect::{Error, ErrorKind, Hint, Mirror, Retry, Settings};

use crate::salesforce::{
    Salesforce,
    events::{
        avro::{Header, Schema},
        channel::Channel,
        grpc::refused,
        header::{Listener, RECORDS_MAX},
    },
    manifest::{CHANGE_EVENTS, EVENT_ENDPOINT},
};

/// A schema as the platform writes them, and an event by it, both from Apache Avro's own Python library (see the
/// fixtures' README).
pub fn contact_schema() -> &'static str {
    include_str!("../../fixtures/contact_change_event.avsc")
}

pub fn contact_event() -> Vec<u8> {
    let digits = include_str!("../../fixtures/contact_change_event.hex").trim();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_head_of_an_event_is_read() {
    let schema = Schema::parse(contact_schema()).expect("the schema is sound");
    let header = schema.header(&contact_event()).expect("the event is sound");
    assert_eq!(
        header,
        Header {
            entity: "Contact".into(),
            ids: vec!["003dM0000000001QAA".into(), "003dM0000000002QAA".into()],
            change: "UPDATE".into(),
            origin: "com/salesforce/api/rest/64.0;client=Astro".into(),
            user: "005dM0000000001QAA".into(),
        }
    );
}

fn listener() -> Listener {
    let kinds = BTreeSet::from(["Contact".to_owned(), "Lead".to_owned()]);
    Listener { kinds, specs: Salesforce.kinds(), user: Some("005dM0000000009QAA".into()) }
}

fn header(entity: &str, change: &str, ids: &[&str]) -> Header {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    Header { entity: entity.into(), change: change.into(), ids, ..Header::default() }
}

fn record(id: &str, ours: bool) -> Hint {
    Hint::Record { kind: "Contact".into(), id: id.into(), ours }
}

fn kind() -> Hint {
    Hint::Kind { kind: "Contact".into() }
}

/// Records that are named are read, what is not named is looked for, and what takes no part is passed over.
#[test]
fn an_event_says_where_to_look() {
    let one = "003dM0000000001QAA";
    let table: &[(Header, Vec<Hint>)] = &[
        (header("Contact", "UPDATE", &[one]), vec![record(one, false)]),
        (header("Contact", "DELETE", &["003dM0000000001"]), vec![record(one, false)]),
        (header("Contact", "GAP_UPDATE", &[one]), vec![record(one, false), kind()]),
        (header("Contact", "GAP_OVERFLOW", &[]), vec![kind()]),
        (header("Contact", "UPDATE", &["003*"]), vec![kind()]),
        (header("Contact", "UPDATE", &["' or true"]), vec![kind()]),
        (header("Account", "UPDATE", &["001dM0000000001QAA"]), vec![]),
        (header("Nobody__c", "UPDATE", &[one]), vec![]),
    ];
    for (header, hints) in table {
        assert_eq!(listener().hints(header), *hints, "{header:?}");
    }
    let many = Header { ids: vec![one.to_owned(); RECORDS_MAX + 1], ..header("Contact", "UPDATE", &[]) };
    assert_eq!(listener().hints(&many), vec![kind()]);
}

/// Our own writes bear our client's name, or are those of a user as whom nobody else works. A gap may hide others'.
#[test]
fn our_own_writes_are_known() {
    let one = "003dM0000000001QAA";
    let by = |origin: &str, user: &str, change: &str| {
        let header = Header { origin: origin.into(), user: user.into(), ..header("Contact", change, &[one]) };
        listener().hints(&header).remove(0)
    };
    assert_eq!(by("com/salesforce/api/rest/64.0;client=Syncline", "", "UPDATE"), record(one, true));
    assert_eq!(by("com/salesforce/api/rest/64.0;client=Syncline/", "", "CREATE"), record(one, true));
    assert_eq!(by("com/salesforce/api/rest/64.0;client=SynclineTwo", "", "UPDATE"), record(one, false));
    assert_eq!(by("", "005dM0000000009QAA", "UPDATE"), record(one, true));
    assert_eq!(by("", "005dM0000000009", "UPDATE"), record(one, true));
    assert_eq!(by("", "005dM0000000001QAA", "UPDATE"), record(one, false));
    assert_eq!(by("x;client=Syncline", "", "GAP_UPDATE"), record(one, false));
}

#[test]
fn statuses_say_what_to_do() {
    let class = |status, code| {
        let Error { kind, retry, .. } = refused(status, code);
        (kind, retry)
    };
    let prefix = "sfdc.platform.eventbus.grpc.";
    let corrupted = format!("{prefix}subscription.fetch.replayid.corrupted");
    let failed = format!("{prefix}subscription.fetch.replayid.validation.failed");
    assert_eq!(class(3, &corrupted), (ErrorKind::Gone, Retry::Replan));
    assert_eq!(class(3, &failed), (ErrorKind::Gone, Retry::Replan));
    assert_eq!(class(16, "").1, Retry::Reauthorise);
    assert_eq!(class(5, ""), (ErrorKind::Configuration, Retry::Never));
    assert_eq!(class(7, ""), (ErrorKind::Forbidden, Retry::Never));
    assert!(matches!(class(8, "").1, Retry::After(_)));
    assert_eq!(class(14, "").1, Retry::Backoff);
    assert_eq!(class(3, "").1, Retry::Never);
    assert_eq!(class(4_000_000_000, "").1, Retry::Never);
    assert_eq!(refused(3, &corrupted).code.as_deref(), Some(corrupted.as_str()));
    assert_eq!(refused(3, "a<script>").code, None);
}

/// The access token goes nowhere else.
///
/// proves: sec:S32
#[test]
fn only_salesforce_and_this_machine_are_listened_to() {
    let read = |topic: &str, endpoint: &str| {
        Channel::read(&Settings::from([
            (CHANGE_EVENTS.to_owned(), topic.to_owned()),
            (EVENT_ENDPOINT.to_owned(), endpoint.to_owned()),
        ]))
    };
    for endpoint in [
        "",
        "https://api.pubsub.salesforce.com:7443",
        "https://api.deu.pubsub.salesforce.com:7443/",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost:9000",
    ] {
        assert!(read("on", endpoint).is_ok(), "{endpoint}");
    }
    for endpoint in [
        "http://api.pubsub.salesforce.com:7443",
        "https://api.pubsub.salesforce.com.evil.example",
        "https://evil.example",
        "https://salesforce.com.evil.example:7443",
        "http://10.0.0.1:9000",
        "http://127.0.0.1.evil.example",
        "https://user:secret@api.pubsub.salesforce.com",
        "https://api.pubsub.salesforce.com/path",
        "ftp://127.0.0.1",
        "nonsense",
    ] {
        assert!(read("on", endpoint).is_err(), "{endpoint}");
    }
    assert_eq!(read("on", "").unwrap().topic, "/data/ChangeEvents");
    assert_eq!(read("/data/Syncline__chn", "").unwrap().topic, "/data/Syncline__chn");
    for topic in
        ["yes", "/data/", "/event/Other__e", "/data/a/b", "data/ChangeEvents", &format!("/data/{}", "x".repeat(200))]
    {
        assert!(read(topic, "").is_err(), "{topic}");
    }
}
