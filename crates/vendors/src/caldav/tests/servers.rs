//! Radicale and Xandikos: found, read, and followed while a person edits.

use syncline_connect::calendar::{CalendarId, Changes, From, Page, Reading};
use syncline_core::calendar::event::{Body, Event, EventId, Status};

use super::world::{Account, Line, Server};

/// An event at an hour of a day of 2027.
fn single(uid: &str, number: usize, more: &str) -> String {
    let (month, day, hour) = (number % 12 + 1, number / 12 % 28 + 1, number % 10 + 8);
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:2027{month:02}{day:02}T{hour:02}0000Z\r\n\
         DURATION:PT30M\r\nSUMMARY:Meeting {number}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:guest{number}@example.com\r\n{more}END:VEVENT\r\n"
    )
}

fn series(override_of: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20270105T090000Z\r\nDTEND:20270105T100000Z\r\n\
         RRULE:FREQ=WEEKLY;COUNT=20\r\nSUMMARY:Weekly\r\nEND:VEVENT\r\n{override_of}"
    )
}

const MOVED: &str = "BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20260102T000000Z\r\nRECURRENCE-ID:20270112T090000Z\r\n\
    DTSTART:20270113T150000Z\r\nDTEND:20270113T160000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n";

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n{events}END:VCALENDAR\r\n")
}

struct Story {
    account: Account<Line>,
    calendar: CalendarId,
    /// Events beside the series.
    singles: usize,
}

impl Story {
    fn put(&self, name: &str, events: &str) {
        let path = format!("{}{name}.ics", self.calendar.0);
        let status = self.account.http.person("PUT", &path, &calendar(events));
        assert!((200..300).contains(&status), "{status} for {path}");
    }

    fn delete(&self, name: &str) {
        let status = self.account.http.person("DELETE", &format!("{}{name}.ics", self.calendar.0), "");
        assert!((200..300).contains(&status), "{status} for {name}");
    }

    fn id(&self, name: &str) -> EventId {
        EventId(format!("{}{name}.ics", self.calendar.0))
    }

    fn next(&self, cursor: &mut String, calls: u32) -> Page {
        let (page, made) = self.account.page(&self.calendar, From::Cursor(cursor));
        assert!(made <= calls, "{made} calls");
        assert_eq!(page.reading, Reading::Changes);
        cursor.clone_from(&page.cursor);
        page
    }

    /// The account is found and its calendar named.
    fn found(&self, name: &str) {
        let entries = self.account.list().expect("a list").value;
        let ours: Vec<_> = entries.iter().filter(|entry| entry.id == self.calendar).collect();
        let [ours] = ours[..] else { panic!("{entries:?}") };
        assert_eq!((ours.name.as_str(), ours.writable, ours.primary), (name, true, true));
    }

    fn first(&self, calls: u32) -> String {
        let (page, made) = self.account.page(&self.calendar, From::Beginning);
        assert!(made <= calls, "{made} calls");
        assert_eq!((page.reading, page.events.len()), (Reading::EVERYTHING, self.singles + 1));
        assert!(page.events.iter().all(|event| event.content().is_some() && event.etag.is_some()));
        page.cursor
    }

    /// Reads everything and follows what a person does; `check` calls: to see that nothing changed, that something did.
    fn followed(&self, first: u32, idle: u32, changed: u32) {
        let mut cursor = self.first(first);
        let page = self.next(&mut cursor, idle);
        assert_eq!(page.events, []);
        let bytes = *self.account.http.bytes.lock().expect("no panic");
        assert!(bytes < 1_500, "{bytes} bytes to see that nothing changed");

        self.put("series", &series(MOVED));
        let page = self.next(&mut cursor, changed);
        let told: Vec<(&EventId, &str)> = page
            .events
            .iter()
            .map(|event| (&event.id, event.content().map_or("", |content| content.summary.as_str())))
            .collect();
        let moved = EventId(format!("{}#20270112T090000Z", self.id("series").0));
        assert_eq!(told, [(&self.id("series"), "Weekly"), (&moved, "Moved")]);

        self.delete("one1");
        self.put("new", &single("new", 3, "CLASS:CONFIDENTIAL\r\nLOCATION:Clinic\r\n"));
        let page = self.next(&mut cursor, changed);
        let of = |name: &str| page.events.iter().find(|event| event.id == self.id(name)).expect("the event").clone();
        assert_eq!(page.events.len(), 2);
        assert_eq!((of("one1").status, of("one1").body), (Status::Cancelled, Body::Bare));
        assert_eq!(of("new").body, Body::Private);
        assert!(!format!("{page:?}").contains("Clinic"));
        assert_eq!(self.next(&mut cursor, idle).events, []);

        let ids = [self.id("one2"), moved.clone(), self.id("one1"), self.id("series"), self.id("never")];
        let events = self.account.fetch(&self.calendar, &ids).expect("the server answers");
        let there: Vec<bool> = events.iter().map(Option::is_some).collect();
        assert_eq!(there, [true, true, false, true, false]);
        assert_eq!(events[1].as_ref().map(|event: &Event| &event.id), Some(&moved));

        // Back to how it was.
        self.put("series", &series(""));
        self.put("one1", &single("one1", 1, ""));
        self.delete("new");
    }

    fn followed_both_ways(&self) {
        self.followed(3, 1, 2);
        let (page, _) = self.account.page(&self.calendar, From::Beginning);
        let strange = page.cursor.replacen("\"token\":\"", "\"token\":\"http://radicale.org/ns/sync/", 1);
        assert_ne!(strange, page.cursor, "{strange}");
        let (changes, calls) =
            self.account.changes(&self.calendar, From::Cursor(&strange)).expect("the server answers");
        assert_eq!((changes, calls), (Changes::Expired, 1));

        // The same where the server cannot tell changes.
        *self.account.http.without_sync.lock().expect("no panic") = true;
        self.followed(4, 1, 3);
    }
}

/// A first reading of a thousand events takes three calls, a round in which nothing changed takes one.
///
/// proves: C10
#[test]
fn radicale_is_read_and_followed() {
    let server = Server::radicale();
    let line = Line::to(&server);
    let singles = 1_000;
    let events: String = (0..singles).map(|number| single(&format!("one{number}"), number, "")).collect();
    let status = line.person("PUT", "/user/meetings/", &calendar(&format!("{}{events}", series(""))));
    assert_eq!(status, 201);
    let account = Account::new(&line.base(), line);
    let story = Story { account, calendar: CalendarId("/user/meetings/".to_owned()), singles };
    story.found("user/meetings");
    story.followed_both_ways();
}

/// proves: C10
#[test]
fn xandikos_is_read_and_followed() {
    let server = Server::xandikos();
    let line = Line::to(&server);
    let account = Account::new(&line.base(), line);
    let story = Story { account, calendar: CalendarId("/user/calendars/calendar/".to_owned()), singles: 12 };
    story.put("series", &series(""));
    for number in 0..story.singles {
        story.put(&format!("one{number}"), &single(&format!("one{number}"), number, ""));
    }
    story.found("calendar");
    story.followed_both_ways();
}
