//! Collections that are too large for one answer, at a server that is only a list.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex};

use bytes::Bytes;
use syncline_connect::{
    BoxFuture, Http, HttpError,
    calendar::{CalendarId, Changes, From, Reading},
};

use super::world::Account;
use crate::caldav::{
    changes::{PAGE_MEMBERS, WHOLE_MAX},
    cursor::CARRIED_MAX,
};

/// Members with their versions, and how the server answers.
#[derive(Default)]
struct List {
    members: Mutex<BTreeMap<String, u32>>,
    has_tokens: bool,
}

impl List {
    fn of(count: usize, has_tokens: bool) -> Account<Self> {
        let members = (0..count).map(|number| (format!("/c/{number:06}.ics"), 1)).collect();
        Account::new("https://dav.example/", List { members: Mutex::new(members), has_tokens })
    }

    fn answer(&self, method: &str, body: &str) -> String {
        let members = self.members.lock().expect("no panic");
        let is_sync = body.contains("sync-collection");
        let mut rows = String::new();
        // Whatever is asked for by its name has a row (RFC 4791, 7.9).
        let named = body.split(['<', '>']).filter(|part| part.starts_with("/c/") && body.contains("multiget"));
        for path in named.filter(|path| !members.contains_key(*path)) {
            let _ = write!(rows, "<response><href>{path}</href><status>HTTP/1.1 404 Not Found</status></response>");
        }
        // A token is the sum of all versions: what is newer than it changed, one member at a time.
        let sum: u32 = members.values().sum();
        let with_data = body.contains("calendar-data");
        for (path, version) in members.iter() {
            let is_asked = if body.contains("multiget") {
                body.contains(path.as_str())
            } else {
                !body.contains("<d:sync-token>") || *version > 1
            };
            if is_asked && !(method == "PROPFIND" && body.contains("supported-report-set")) {
                let data = if with_data {
                    "<c:calendar-data>BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20270101T000000Z\nEND:VEVENT\nEND:VCALENDAR</c:calendar-data>"
                } else {
                    ""
                };
                let _ = write!(
                    rows,
                    "<response><href>{path}</href><propstat><prop><getetag>\"{version}\"</getetag>{data}</prop></propstat></response>"
                );
            }
        }
        let reports = if self.has_tokens {
            "<supported-report><report><sync-collection/></report></supported-report>"
        } else {
            ""
        };
        let own = format!(
            "<response><href>/c/</href><propstat><prop><supported-report-set>{reports}</supported-report-set></prop></propstat></response>"
        );
        let token = if is_sync { format!("<sync-token>{sum}</sync-token>") } else { String::new() };
        format!(
            "<multistatus xmlns=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">{own}{rows}{token}</multistatus>"
        )
    }
}

impl Http for List {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let body = std::str::from_utf8(request.body()).expect("text");
        let answer = self.answer(request.method().as_str(), body);
        let answer = http::Response::builder().status(207).body(Bytes::from(answer)).expect("an answer");
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn id() -> CalendarId {
    CalendarId("/c/".to_owned())
}

/// All pages from a place on: how many events, how many pages, and the last cursor.
fn read(account: &Account<List>, from: From<'_>, last: Reading) -> (usize, usize, String) {
    let (mut page, _) = account.page(&id(), from);
    let (mut events, mut pages) = (page.events.len(), 1);
    while page.reading == Reading::More {
        page = account.page(&id(), From::Cursor(&page.cursor)).0;
        events += page.events.len();
        pages += 1;
    }
    assert_eq!(page.reading, last);
    (events, pages, page.cursor)
}

#[test]
fn a_collection_is_read_at_once_or_in_pages() {
    let account = List::of(WHOLE_MAX, true);
    let (page, calls) = account.page(&id(), From::Beginning);
    assert_eq!((page.events.len(), calls, page.reading), (WHOLE_MAX, 3, Reading::EVERYTHING));
    let account = List::of(WHOLE_MAX + 1, true);
    let (events, pages, _) = read(&account, From::Beginning, Reading::EVERYTHING);
    assert_eq!((events, pages), (WHOLE_MAX + 1, WHOLE_MAX / PAGE_MEMBERS + 1));
}

#[test]
fn many_changes_are_read_in_pages() {
    let account = List::of(PAGE_MEMBERS * 2 + 1, true);
    let (_, _, cursor) = read(&account, From::Beginning, Reading::EVERYTHING);
    account.http.members.lock().expect("no panic").values_mut().for_each(|version| *version += 1);
    let (events, pages, cursor) = read(&account, From::Cursor(&cursor), Reading::Changes);
    assert_eq!((events, pages), (PAGE_MEMBERS * 2 + 1, 3));
    assert!(cursor.len() < 100, "{cursor}");
}

#[test]
fn without_tokens_a_small_collection_is_compared_and_a_large_one_read_again() {
    for (count, is_told) in [(CARRIED_MAX, true), (CARRIED_MAX + 1, false)] {
        let account = List::of(count, false);
        let (events, _, cursor) = read(&account, From::Beginning, Reading::EVERYTHING);
        assert_eq!(events, count);
        assert_eq!(read(&account, From::Cursor(&cursor), Reading::Changes), (0, 1, cursor.clone()));
        account.http.members.lock().expect("no panic").remove("/c/000007.ics");
        account.http.members.lock().expect("no panic").insert("/c/000008.ics".to_owned(), 2);
        let changes = account.changes(&id(), From::Cursor(&cursor)).expect("an answer").0;
        match changes {
            Changes::Page(page) if is_told => assert_eq!(page.events.len(), 2),
            Changes::Expired if !is_told => {}
            other => panic!("{other:?}"),
        }
    }
}
