//! Answers in the forms in which servers write them.

use super::*;

const SHAPES: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<ns0:multistatus xmlns:ns0="DAV:" xmlns="urn:ietf:params:xml:ns:caldav">
  <ns0:sync-token>urn:token&amp;1</ns0:sync-token>
  <ns0:response><ns0:href> /u/cal/a%20b.ics </ns0:href>
    <ns0:propstat><ns0:status>HTTP/1.1 200 OK</ns0:status><ns0:prop><ns0:getetag>"1"</ns0:getetag>
      <calendar-data>BEGIN:VCALENDAR&#13;
SUMMARY:A &lt; B <![CDATA[& C]]>&#x1F600;</calendar-data></ns0:prop></ns0:propstat>
    <ns0:propstat><ns0:prop><ns0:displayname>no</ns0:displayname></ns0:prop><ns0:status>HTTP/1.1 404 Not Found</ns0:status></ns0:propstat>
  </ns0:response>
  <ns0:response><ns0:href>/u/cal/gone.ics</ns0:href><ns0:status>HTTP/1.1 404 Not Found</ns0:status></ns0:response>
  <ns0:response><ns0:href>/u/cal/</ns0:href><ns0:propstat><ns0:prop><ns0:resourcetype><ns0:collection/><calendar/></ns0:resourcetype>
    <calendar-home-set><ns0:href>/u/</ns0:href></calendar-home-set></ns0:prop></ns0:propstat></ns0:response>
  <response xmlns="urn:else"><href>/not/ours</href></response>
</ns0:multistatus>"#;

#[test]
fn answers_are_read_whatever_the_prefixes_and_the_order() {
    let answer = Multistatus::read(SHAPES).expect("an answer");
    assert_eq!(answer.token.as_deref(), Some("urn:token&1"));
    let [one, gone, collection] = &answer.rows[..] else { panic!("{answer:#?}") };
    assert_eq!((one.href.as_str(), one.status), ("/u/cal/a%20b.ics", None));
    assert_eq!(one.word(Space::Dav, "getetag"), Some("\"1\""));
    assert_eq!(one.word(Space::Calendar, "calendar-data"), Some("BEGIN:VCALENDAR\r\nSUMMARY:A < B & C😀"));
    assert_eq!(one.word(Space::Dav, "displayname"), None);
    assert_eq!((gone.href.as_str(), gone.status), ("/u/cal/gone.ics", Some(404)));
    assert!(collection.is(Space::Calendar, "calendar") && collection.is(Space::Dav, "collection"));
    assert!(!collection.is(Space::Dav, "calendar"));
    assert_eq!(collection.hrefs(Space::Calendar, "calendar-home-set"), ["/u/"]);
}

/// proves: sec:S35
#[test]
fn document_types_entities_and_depth_are_refused() {
    let laughs =
        "<!DOCTYPE m [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><multistatus xmlns=\"DAV:\">&b;</multistatus>";
    assert_eq!(Multistatus::read(laughs), None);
    assert_eq!(Multistatus::read("<multistatus xmlns=\"DAV:\">&b;</multistatus>"), None);
    assert_eq!(Multistatus::read(&"<a>".repeat(100_000)), None);
    assert_eq!(Multistatus::read("<multistatus xmlns=\"DAV:\"><response>"), None);
    for other in ["", "<html/>", "<multistatus/>", "<multistatus xmlns=\"urn:else\"/>", "{}", "\0"] {
        assert_eq!(Multistatus::read(other), None, "{other}");
    }
    assert_eq!(Multistatus::read("<multistatus xmlns=\"DAV:\"/>"), Some(Multistatus::default()));
}

#[test]
fn preconditions_are_named() {
    assert_eq!(conditions("<error xmlns=\"DAV:\"><valid-sync-token/></error>"), ["valid-sync-token"]);
    assert!(conditions("<html><body>Forbidden</body></html>").is_empty());
}

#[test]
fn what_is_asked_is_escaped() {
    assert!(ask::sync(Some("a<b&c")).contains("<d:sync-token>a&lt;b&amp;c</d:sync-token>"));
    assert!(ask::multiget(["/a&b"].into_iter()).contains("<d:href>/a&amp;b</d:href>"));
}

proptest::proptest! {
    /// proves: sec:S35
    #[test]
    fn no_answer_makes_a_panic(at in 0usize..1_500, bytes in ".{0,8}", cut in 0usize..1_500) {
        let mut spoilt: Vec<char> = SHAPES.chars().collect();
        spoilt.truncate(cut.max(40));
        let at = at.min(spoilt.len());
        spoilt.splice(at..at, bytes.chars());
        let spoilt: String = spoilt.into_iter().collect();
        let first = Multistatus::read(&spoilt);
        proptest::prop_assert_eq!(first, Multistatus::read(&spoilt));
    }
}
