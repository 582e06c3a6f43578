//! Writes to Radicale and Xandikos, and to answers that are made up.

use syncline_connect::{
    ErrorKind, Retry,
    calendar::{CalendarId, EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Attendee, Content, Event, EventId, Party, Reply},
    identity::Rid,
};

use super::{
    answers::{LOST, Script, parts, plain, row, scripted, work},
    world::{Account, Line, Server},
};
use crate::testing::contents::{at, guest};

const SEED: &[u8; 32] = &[0xa7; 32];
const REP: &str = "user@host.example";

fn meeting() -> Content {
    let zone = "America/New_York";
    let mut content = Content::new(at("2027-03-20T13:00:00Z", zone), at("2027-03-20T14:00:00Z", zone));
    content.summary =
        "Demo, with \"quotes\"; and ünïcödé that goes on for more than one folded line of seventy-five bytes".into();
    content.description = "One\nTwo \\ three".into();
    content.attendees = vec![guest("ada@acme.example"), guest("bo@acme.example")];
    content.organizer = Some(Party { email: REP.into(), name: Some("Rita".into()) });
    content
}

/// An event as somebody's own program writes it, with much that we do not know.
const STRANGE: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:strange\r\n\
    DTSTAMP:20260101T000000Z\r\nDTSTART:20270105T090000Z\r\nDTEND:20270105T100000Z\r\nRRULE:FREQ=WEEKLY;COUNT=20\r\n\
    SUMMARY:Weekly\r\nX-SOMEBODYS;X-P=1:some\\, thing\r\nCATEGORIES:A,B\r\nORGANIZER:mailto:boss@host.example\r\n\
    ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:user@host.example\r\n\
    ATTENDEE;PARTSTAT=ACCEPTED;X-NUM-GUESTS=2:mailto:ada@acme.example\r\n\
    BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Ring\r\nTRIGGER:-PT10M\r\nEND:VALARM\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:strange\r\nDTSTAMP:20260102T000000Z\r\nRECURRENCE-ID:20270112T090000Z\r\n\
    DTSTART:20270113T150000Z\r\nDTEND:20270113T160000Z\r\nSUMMARY:Moved\r\nX-OTHERS:2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

struct Story {
    account: Account<Line>,
    calendar: CalendarId,
}

impl Story {
    fn id(&self, name: &str) -> EventId {
        EventId(format!("{}{name}.ics", self.calendar.0))
    }

    fn read(&self, id: &EventId) -> Option<Event> {
        self.account.fetch(&self.calendar, std::slice::from_ref(id)).expect("the server answers").remove(0)
    }

    fn write(&self, write: EventWrite<'_>) -> WriteOutcome {
        self.account.write(&self.calendar, write).expect("the server answers").0
    }

    /// A write that must be carried out: what came back is what is read, so that it is known when it comes.
    fn written(&self, write: EventWrite<'_>) -> Event {
        let WriteOutcome::Written(event) = self.write(write) else { panic!("it is not written") };
        assert_eq!(self.read(&event.id).as_ref(), Some(&*event));
        *event
    }

    fn person(&self, method: &str, id: &EventId, body: &str) {
        let status = self.account.http.person(method, &id.0, body);
        assert!((200..300).contains(&status), "{status}");
    }

    fn shown(&self, id: &EventId) -> String {
        self.account.http.shown(&id.0).replace("\r\n ", "").replace("\n ", "")
    }

    fn told(&self) {
        self.one_seed_makes_one_event();
        self.what_is_not_known_stays();
        self.one_occurrence_goes_alone();
        self.one_that_does_not_differ_goes_alone();
        self.a_guest_answers();
    }

    fn one_seed_makes_one_event(&self) {
        let content = meeting();
        let make = EventWrite::Create { seed: SEED, content: &content, tell: true };
        let first = self.written(make);
        assert_eq!(first.content(), Some(&content));
        assert_eq!(self.written(make), first);
        assert!(self.shown(&first.id).contains("TZID:America/New_York"), "the zone is described");
        // Somebody's program brought it to another address.
        let text = self.account.http.shown(&first.id.0);
        self.person("DELETE", &first.id, "");
        let elsewhere = self.id("elsewhere");
        self.person("PUT", &elsewhere, &text);
        assert_eq!(self.written(make).id, elsewhere);
        assert_eq!(self.read(&first.id), None);

        let first = self.read(&elsewhere).expect("it is there");
        let mut wanted = content.clone();
        wanted.start = at("2027-03-20T13:30:00Z", "Europe/Berlin");
        let update = EventWrite::Update { event: &first, content: &wanted, tell: true };
        let second = self.written(update);
        assert_eq!((second.content(), second.sequence), (Some(&wanted), first.sequence + 1));
        // The answer was lost, and it is sent again.
        assert_eq!(self.write(update), WriteOutcome::Changed);
        assert_eq!(
            self.account.write(&self.calendar, EventWrite::Update { event: &second, content: &wanted, tell: true }),
            Ok((WriteOutcome::Written(Box::new(second.clone())), 0))
        );
        let etag = first.etag.as_ref();
        assert_eq!(self.write(EventWrite::Delete { id: &first.id, etag, tell: true }), WriteOutcome::Changed);
        assert_eq!(self.read(&elsewhere), Some(second.clone()));
        let delete = EventWrite::Delete { id: &second.id, etag: second.etag.as_ref(), tell: true };
        assert_eq!(self.write(delete), WriteOutcome::Deleted);
        assert_eq!(self.write(delete), WriteOutcome::Gone);
        assert_eq!(
            self.write(EventWrite::Update { event: &second, content: &content, tell: true }),
            WriteOutcome::Gone
        );
        assert_eq!(
            self.write(EventWrite::Decline { id: &second.id, etag: None, rep: REP, tell: true }),
            WriteOutcome::Gone
        );
    }

    fn what_is_not_known_stays(&self) {
        let id = self.id("strange");
        self.person("PUT", &id, STRANGE);
        let event = self.read(&id).expect("it is there");
        let mut wanted = event.content().expect("it is open").clone();
        wanted.summary = "Every week".into();
        wanted.attendees.push(guest("cy@acme.example"));
        let (outcome, calls) = self
            .account
            .write(&self.calendar, EventWrite::Update { event: &event, content: &wanted, tell: true })
            .expect("the server answers");
        let WriteOutcome::Written(after) = outcome else { panic!("it is not written") };
        assert_eq!(calls, 2, "one read, one write");
        assert_eq!(self.read(&id).as_ref(), Some(&*after));
        let shown = self.shown(&id);
        for line in [
            "X-SOMEBODYS;X-P=1:some\\, thing",
            "TRIGGER:-PT10M",
            "X-NUM-GUESTS=2",
            "X-OTHERS:2",
            "SUMMARY:Moved",
            "SUMMARY:Every week",
            "RECURRENCE-ID:20270112T090000Z",
            "mailto:cy@acme.example",
        ] {
            assert!(shown.contains(line), "{line} in {shown}");
        }
        // Somebody changed it since.
        let theirs = STRANGE.replace("Weekly", "Theirs");
        self.person("PUT", &id, &theirs);
        let mut ours = wanted.clone();
        ours.summary = "Ours".into();
        assert_eq!(self.write(EventWrite::Update { event: &after, content: &ours, tell: true }), WriteOutcome::Changed);
        assert!(self.shown(&id).contains("SUMMARY:Theirs"));
    }

    fn one_occurrence_goes_alone(&self) {
        let id = EventId(format!("{}#20270112T090000Z", self.id("strange").0));
        let event = self.read(&id).expect("it is there");
        let mut wanted = event.content().expect("it is open").clone();
        wanted.location = "Elsewhere".into();
        let event = self.written(EventWrite::Update { event: &event, content: &wanted, tell: true });
        assert_eq!(event.content(), Some(&wanted));
        let delete = EventWrite::Delete { id: &id, etag: event.etag.as_ref(), tell: true };
        assert_eq!(self.write(delete), WriteOutcome::Deleted);
        assert_eq!(self.read(&id), None);
        assert_eq!(self.write(EventWrite::Delete { id: &id, etag: None, tell: true }), WriteOutcome::Gone);
        let series = self.read(&self.id("strange")).expect("the others take place");
        assert_eq!(
            series.content().map(|content| content.recurrence.clone()),
            Some(vec!["EXDATE:20270112T090000Z".to_owned(), "RRULE:FREQ=WEEKLY;COUNT=20".to_owned()])
        );
    }

    /// What does not differ yet is found, and changed, declined and deleted alone.
    fn one_that_does_not_differ_goes_alone(&self) {
        let series = self.id("strange");
        let at_that = |time: &str| Rid::At(time.parse().expect("a time"));
        let others = || {
            let at_that = ["2027-01-05T09:00:00Z", "2027-01-26T09:00:00Z", "2027-02-02T09:00:00Z"].map(at_that);
            at_that.map(|rid| self.occurrence(&series, rid).and_then(|event| event.content().cloned()))
        };
        let before = others();
        assert!(before.iter().all(Option::is_some));
        let rid = at_that("2027-01-19T09:00:00Z");
        let one = self.occurrence(&series, rid).expect("it is there");
        let mut wanted = one.content().expect("it is open").clone();
        wanted.start = at("2027-01-19T10:00:00Z", "UTC");
        wanted.end = at("2027-01-19T11:00:00Z", "UTC");
        wanted.attendees.push(guest("dora@acme.example"));
        wanted.attendees.sort();
        let update = EventWrite::Update { event: &one, content: &wanted, tell: true };
        let now = self.written(update);
        assert_eq!((now.content(), now.sequence, now.rid), (Some(&wanted), one.sequence + 1, rid));
        assert_eq!(self.write(update), WriteOutcome::Changed, "sent again it is done once");
        assert_eq!(self.occurrence(&series, rid), Some(now));
        let shown = self.shown(&series);
        for (line, times) in [("X-SOMEBODYS;X-P=1:some", 2), ("TRIGGER:-PT10M", 2), ("RRULE:", 1), ("mailto:dora", 1)] {
            assert_eq!(shown.matches(line).count(), times, "{line} in {shown}");
        }
        assert!(shown.contains("RECURRENCE-ID:20270119T090000Z"), "{shown}");
        assert_eq!(others(), before);
        let rid = at_that("2027-02-09T09:00:00Z");
        let one = self.occurrence(&series, rid).expect("it is there");
        let declined = self.written(EventWrite::Decline { id: &one.id, etag: one.etag.as_ref(), rep: REP, tell: true });
        let own = declined.content().expect("it is open").attendees.iter().find(|one| one.who.email == REP);
        assert_eq!(own.map(|own| own.reply), Some(Reply::Declined));
        let rid = at_that("2027-02-16T09:00:00Z");
        let one = self.occurrence(&series, rid).expect("it is there");
        let delete = EventWrite::Delete { id: &one.id, etag: one.etag.as_ref(), tell: true };
        assert_eq!(self.write(delete), WriteOutcome::Deleted);
        let again = EventWrite::Delete { etag: None, id: &one.id, tell: true };
        assert_eq!((self.write(again), self.occurrence(&series, rid)), (WriteOutcome::Gone, None));
        assert_eq!(others(), before);
        // Neither a day on which it does not take place, nor one after it has ended, nor a series that is not there.
        for nothing in ["2027-01-20T09:00:00Z", "2027-07-06T09:00:00Z"] {
            assert_eq!(self.occurrence(&series, at_that(nothing)), None);
        }
        assert_eq!(self.occurrence(&self.id("nothing"), rid), None);
    }

    fn occurrence(&self, series: &EventId, rid: Rid) -> Option<Event> {
        self.account.occurrence(&self.calendar, series, rid).expect("the server answers")
    }

    fn a_guest_answers(&self) {
        let id = self.id("strange");
        let event = self.read(&id).expect("it is there");
        let decline = EventWrite::Decline { id: &id, etag: event.etag.as_ref(), rep: REP, tell: true };
        let declined = self.written(decline);
        let replies = |one: &Attendee| (one.who.email.clone(), one.reply);
        assert_eq!(
            declined.content().expect("it is open").attendees.iter().map(replies).collect::<Vec<_>>(),
            [("ada@acme.example".to_owned(), Reply::Accepted), (REP.to_owned(), Reply::Declined)]
        );
        assert_eq!(self.write(decline), WriteOutcome::Changed);
        assert_eq!(self.written(EventWrite::Decline { id: &id, etag: None, rep: REP, tell: true }), declined);
        let stranger = EventWrite::Decline { id: &id, etag: None, rep: "cy@acme.example", tell: true };
        let error = self.account.write(&self.calendar, stranger).expect_err("he is no guest");
        assert_eq!((error.kind, error.retry), (ErrorKind::Invalid, Retry::Never));
    }
}

/// proves: C9, fault:N3: one event however often it is made; nothing of others is lost or written over.
#[test]
fn radicale_is_written_to() {
    let server = Server::radicale();
    let line = Line::to(&server);
    let body = "<mkcalendar xmlns=\"urn:ietf:params:xml:ns:caldav\"/>";
    assert_eq!(line.person("MKCALENDAR", "/user/meetings/", body), 201);
    let story = Story { account: Account::new(&line.base(), line), calendar: CalendarId("/user/meetings/".to_owned()) };
    assert_eq!(story.account.tells(&story.calendar), Ok(false));
    story.told();
}

/// proves: C9, fault:N3
#[test]
fn xandikos_is_written_to() {
    let server = Server::xandikos();
    let line = Line::to(&server);
    let calendar = CalendarId("/user/calendars/calendar/".to_owned());
    let story = Story { account: Account::new(&line.base(), line), calendar };
    assert_eq!(story.account.tells(&story.calendar), Ok(true));
    story.told();
}

const TEXT: &str =
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20270101T000000Z\nSUMMARY:Old\nEND:VEVENT\nEND:VCALENDAR";

fn stored(etag: &str, text: &str) -> http::Response<bytes::Bytes> {
    let data = format!("<c:calendar-data>{text}</c:calendar-data>");
    parts(&row("/office/a.ics", &format!("<getetag>{etag}</getetag>{data}")))
}

fn answered(status: u16, etag: Option<&str>) -> http::Response<bytes::Bytes> {
    let mut answer = plain(status, "");
    if let Some(etag) = etag {
        answer.headers_mut().insert("etag", etag.parse().expect("a header"));
    }
    answer
}

/// The event as it was read with this version, and with another summary.
fn renamed(etag: Option<&str>) -> (Event, Content) {
    let ids = [EventId("/office/a.ics".into())];
    let row = parts(&row("/office/", ""));
    let mut event = scripted(vec![row, stored("\"1\"", TEXT)]).fetch(&work(), &ids).expect("an answer").remove(0);
    let event = event.as_mut().expect("it is there");
    event.etag = etag.map(|etag| syncline_core::calendar::event::Etag(etag.into()));
    let mut content = event.content().expect("it is open").clone();
    content.summary = "New".into();
    (event.clone(), content)
}

fn update(account: &Account<Script>, etag: Option<&str>) -> Result<WriteOutcome, syncline_connect::Error> {
    let (event, content) = renamed(etag);
    Ok(account.write(&work(), EventWrite::Update { event: &event, content: &content, tell: true })?.0)
}

fn asked(account: &Account<Script>) -> Vec<String> {
    super::answers::asked(account).iter().map(|line| line.replace("https://dav.example", "")).collect()
}

fn summary(outcome: &WriteOutcome) -> (&str, Option<&str>) {
    let WriteOutcome::Written(event) = outcome else { panic!("{outcome:?}") };
    (&event.content().expect("it is open").summary, event.etag.as_ref().map(|etag| etag.0.as_str()))
}

/// A server that tells no version of what it took may have made something else of it: that is read back.
#[test]
fn what_a_server_makes_of_a_text_is_read_back() {
    let theirs = TEXT.replace("Old", "Theirs");
    let account = scripted(vec![stored("\"1\"", TEXT), answered(204, None), stored("\"2\"", &theirs)]);
    let outcome = update(&account, Some("\"1\"")).expect("an answer");
    assert_eq!(summary(&outcome), ("Theirs", Some("\"2\"")));
    assert_eq!(asked(&account), ["REPORT /office/ 1", "PUT /office/a.ics \"1\"", "REPORT /office/ 1"]);
    let account = scripted(vec![stored("\"1\"", TEXT), answered(204, Some("\"2\""))]);
    assert_eq!(summary(&update(&account, Some("\"1\"")).expect("an answer")), ("New", Some("\"2\"")));
}

/// A weak version, or none, binds nothing: what is there is compared with what was read.
#[test]
fn without_a_version_that_binds_the_event_is_compared() {
    let weak = scripted(vec![stored("W/\"1\"", TEXT), answered(204, Some("W/\"2\""))]);
    assert_eq!(summary(&update(&weak, Some("W/\"1\"")).expect("an answer")), ("New", Some("W/\"2\"")));
    assert_eq!(asked(&weak), ["REPORT /office/ 1", "PUT /office/a.ics -"]);
    let other = scripted(vec![stored("W/\"2\"", TEXT)]);
    assert_eq!(update(&other, Some("W/\"1\"")), Ok(WriteOutcome::Changed));
    let none = scripted(vec![stored("\"7\"", TEXT), answered(204, Some("\"8\""))]);
    assert_eq!(summary(&update(&none, None).expect("an answer")), ("New", Some("\"8\"")));
    assert_eq!(asked(&none)[1], "PUT /office/a.ics \"7\"");
    let theirs = scripted(vec![stored("\"7\"", &TEXT.replace("Old", "Theirs"))]);
    assert_eq!(update(&theirs, None), Ok(WriteOutcome::Changed));
    let deleted = scripted(vec![stored("W/\"1\"", TEXT), answered(204, None)]);
    let etag = syncline_core::calendar::event::Etag("W/\"1\"".into());
    let id = EventId("/office/a.ics".into());
    let outcome = deleted.write(&work(), EventWrite::Delete { id: &id, etag: Some(&etag), tell: true });
    assert_eq!(outcome, Ok((WriteOutcome::Deleted, 2)));
}

#[test]
fn refusals_of_writes_are_told_apart() {
    let denied = |status: u16, condition: &str| {
        let space = "xmlns=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"";
        let body = if condition.is_empty() { String::new() } else { format!("<error {space}><{condition}/></error>") };
        update(&scripted(vec![stored("\"1\"", TEXT), plain(status, &body)]), Some("\"1\""))
    };
    assert_eq!(denied(412, ""), Ok(WriteOutcome::Changed));
    assert_eq!(denied(404, ""), Ok(WriteOutcome::Gone));
    assert_eq!(denied(403, "c:allowed-attendee-scheduling-object-change"), Ok(WriteOutcome::NotOrganizer));
    let kind = |status: u16, condition: &str| {
        let error = denied(status, condition).expect_err("an error");
        (error.kind, error.retry == Retry::Never)
    };
    assert_eq!(kind(412, "c:valid-calendar-data"), (ErrorKind::Invalid, true));
    assert_eq!(kind(403, "c:max-resource-size"), (ErrorKind::Invalid, true));
    assert_eq!(kind(403, "need-privileges"), (ErrorKind::Forbidden, true));
    assert_eq!(kind(507, "quota-not-exceeded"), (ErrorKind::Forbidden, true));
    assert_eq!(kind(401, ""), (ErrorKind::Unauthorised, true));
    assert_eq!(kind(423, ""), (ErrorKind::Locked, false));
    assert_eq!(kind(429, ""), (ErrorKind::RateLimited, false));
    assert_eq!(kind(500, ""), (ErrorKind::UnknownOutcome, false));
    assert_eq!(kind(503, ""), (ErrorKind::Unavailable, false));
    assert_eq!(kind(302, ""), (ErrorKind::Configuration, true));
    // Whose answer is lost may be done; who was never heard is not, and what only reads changes nothing.
    assert_eq!(kind(LOST, ""), (ErrorKind::UnknownOutcome, false));
    let unheard = |answers| update(&scripted(answers), Some("\"1\"")).expect_err("an error").kind;
    assert_eq!(unheard(vec![stored("\"1\"", TEXT)]), ErrorKind::Unreachable);
    assert_eq!(unheard(vec![plain(LOST, "")]), ErrorKind::Unavailable);
    // What nobody here can put together again is not taken apart.
    let broken = scripted(vec![stored("\"1\"", &format!("{TEXT}\nX-BEHIND:1"))]);
    assert_eq!(update(&broken, Some("\"1\"")).expect_err("an error").kind, ErrorKind::Invalid);
    // Nobody is asked to come by nobody.
    let mut alone = meeting();
    alone.organizer = None;
    let error = scripted(Vec::new()).write(&work(), EventWrite::Create { seed: SEED, content: &alone, tell: true });
    assert_eq!(error.expect_err("an error").kind, ErrorKind::Invalid);
    assert_eq!(scripted(vec![plain(405, "")]).tells(&work()), Ok(false));
    assert_eq!(scripted(vec![plain(401, "")]).tells(&work()).expect_err("an error").kind, ErrorKind::Unauthorised);
}
