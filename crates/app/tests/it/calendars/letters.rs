//! Guests of events in calendars that tell nobody: they are mailed, once of each revision, whatever crashes.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use jiff::SignedDuration;
use serde_json::json;
use syncline_core::{
    Clock,
    calendar::meeting::{BackRules, DeleteSettings, OnRecordDeleted},
    ids::WorkspaceId,
};

use super::{
    back::BACK,
    dav::{Mood, Post, Radicale, python, unfolded},
    desk::{ADA, Desk, ROSA},
};
use crate::{
    alerts::{MailServer, Speaks, mail_section},
    lab::{Installation, PATIENCE, Sandbox, WallClock, secret},
};

const BOB: &str = "bob@client.example";

impl Desk {
    /// Somebody moves a meeting in the CRM, to so many hours from now.
    fn moved(&self, meeting: &str, in_hours: i64) {
        let at = |hours: i64| (self.hands_now() + SignedDuration::from_hours(hours)).to_string();
        let fields = [
            ("hs_timestamp", at(in_hours)),
            ("hs_meeting_start_time", at(in_hours)),
            ("hs_meeting_end_time", at(in_hours + 1)),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.hub.edit("meetings", meeting, &fields).expect("a person may");
    }
}

fn told(email: &str, subject: &str) -> (String, String) {
    (email.to_owned(), subject.to_owned())
}

/// A meeting of the CRM becomes an event on a server that tells nobody; its guests are mailed: invited, told of a move and of
/// nothing else, and that it is off.
///
/// proves: C2, C3, C9
#[tokio::test]
async fn guests_are_mailed_where_no_server_tells_them() {
    let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
    let delete = DeleteSettings { on_record_deleted: OnRecordDeleted::DeleteAndTell, ..DeleteSettings::default() };
    let desk = Desk::on_caldav(&server, Some(&post), |flow| {
        (flow.rules.back, flow.rules.deletes) = (BACK, delete);
    });
    let desk = desk.await.active().await;
    let check = desk.engine.calendars_check(desk.flow()).await;
    assert!(check.iter().any(|remark| remark.good && remark.text.contains("mailed from here")), "{check:?}");
    let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
    desk.calm().await;
    assert_eq!(post.told(), [told(ADA, "Invitation: Kick-off")], "{:?}", desk.told().await);
    let mail = post.mails().remove(0);
    let guest = mail.guest.clone().expect("a guest");
    assert_eq!((guest.organizer.email.as_str(), guest.calendar.content_type.contains("method=REQUEST")), (ROSA, true));
    let part = unfolded(&guest.calendar.body);
    for line in ["METHOD:REQUEST", "SEQUENCE:0", "SUMMARY:Kick-off", "ORGANIZER", "mailto:ada@client.example"] {
        assert!(part.contains(line), "`{line}` is missing in {part}");
    }
    assert!(mail.text.contains("“Kick-off”") && mail.text.contains("When: Tuesday, 5 May 2026"), "{}", mail.text);
    assert_eq!(desk.records().len(), 1, "its own event is no second meeting");

    desk.contact(BOB);
    desk.hub.edit("meetings", &logged, &[("hs_meeting_title", "Kick-off in Berlin")]).expect("a person may");
    desk.calm().await;
    assert_eq!(post.told().len(), 1, "a text is no reason for a mail");
    desk.moved(&logged, 48);
    let bob = desk.contact_of(BOB);
    desk.hub.associate(("meetings", &logged), ("contacts", &bob), None).expect("a person may");
    desk.calm().await;
    let mut news = post.told().split_off(1);
    news.sort();
    assert_eq!(news, [told(ADA, "Changed: Kick-off in Berlin"), told(BOB, "Invitation: Kick-off in Berlin")]);
    assert!(post.mails().iter().skip(1).all(|mail| {
        let part = unfolded(&mail.guest.as_ref().expect("a guest").calendar.body);
        part.contains("SEQUENCE:1") && part.contains("METHOD:REQUEST")
    }));
    // Rosa moves it herself: her own program tells her guests.
    server.change(|text| {
        text.replace("SEQUENCE:1", "SEQUENCE:2").replace("SUMMARY:Kick-off in Berlin", "SUMMARY:Kick-off at last")
    });
    desk.calm().await;
    assert_eq!((desk.titles(), post.told().len()), (vec!["Kick-off at last".to_owned()], 3), "{:?}", desk.told().await);

    desk.hub.archive("meetings", &logged).expect("a person may");
    desk.hands.pass(SignedDuration::from_mins(16));
    desk.calm().await;
    assert_eq!(server.events(), [""; 0], "{:?}", desk.told().await);
    let mut news = post.told().split_off(3);
    news.sort();
    assert_eq!(news, [told(ADA, "Cancelled: Kick-off at last"), told(BOB, "Cancelled: Kick-off at last")]);
    let part = unfolded(&post.mails()[3].guest.as_ref().expect("a guest").calendar.body);
    assert!(part.contains("METHOD:CANCEL") && part.contains("SEQUENCE:3"), "{part}");
    desk.calm().await;
    assert_eq!(post.told().len(), 5, "nobody is told twice");
}

/// A guest who is taken off and comes back is invited once more, by a mail that a guest's program takes for newer than that the
/// meeting is off; whoever stays hears of none of it.
///
/// proves: C9
#[tokio::test]
async fn a_guest_who_comes_back_is_invited_once_more() {
    let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
    let desk = Desk::on_caldav(&server, Some(&post), |flow| {
        flow.rules.back = BackRules { uninvite: true, ..BACK };
    });
    let desk = desk.await.active().await;
    desk.contact(BOB);
    let logged = desk.log("Kick-off", 24, ROSA, &[ADA, BOB]);
    desk.calm().await;
    assert_eq!(post.told().len(), 2, "{:?}", desk.told().await);
    let bob = desk.contact_of(BOB);
    let sequence = |number: usize| {
        let part = unfolded(&post.mails()[number].guest.as_ref().expect("a guest").calendar.body);
        part.lines().find(|line| line.starts_with("SEQUENCE:")).map(str::to_owned)
    };
    // HubSpot tells with a change of the record alone who is on it.
    let rename =
        |title: &str| desk.hub.edit("meetings", &logged, &[("hs_meeting_title", title)]).expect("a person may");
    for (time, (off, invited)) in (1..).zip([(1, 1), (2, 2)]) {
        desk.hub.disassociate(("meetings", &logged), ("contacts", &bob)).expect("a person may");
        rename(&format!("Kick-off without {time}"));
        desk.calm().await;
        let told_off = told(BOB, &format!("Cancelled: Kick-off without {time}"));
        let count = post.told().len();
        assert_eq!(post.told().last().map(|(email, _)| email), Some(&told_off.0), "{:?}", desk.told().await);
        assert_eq!((count, sequence(count - 1)), (2 * time + 1, Some(format!("SEQUENCE:{off}"))), "{:?}", post.told());
        desk.hub.associate(("meetings", &logged), ("contacts", &bob), None).expect("a person may");
        rename(&format!("Kick-off with {time}"));
        desk.calm().await;
        assert_eq!(
            post.told().split_off(count),
            [told(BOB, &format!("Invitation: Kick-off with {time}"))],
            "{:?}",
            desk.told().await
        );
        assert_eq!(sequence(count), Some(format!("SEQUENCE:{invited}")));
    }
    assert_eq!(post.told().len(), 6, "{:?}", post.told());
}

/// Whatever becomes of a mail and of the process that sends it, nobody gets it twice; what nobody knows is told to a person, who
/// may have it sent again.
///
/// proves: C9, V1, V2
#[tokio::test]
async fn nobody_is_mailed_twice_whatever_crashes() {
    for (mood, taken, says) in [
        (Mood::Down, 1, None),
        (Mood::Refuses, 0, Some("was not sent")),
        (Mood::Lost, 1, Some("may not have arrived")),
        (Mood::DiesBefore, 0, Some("may not have arrived")),
        (Mood::DiesAfter, 1, Some("may not have arrived")),
    ] {
        let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
        let desk = Desk::on_caldav(&server, Some(&post), |flow| flow.rules.back = BACK);
        let mut desk = desk.await.active().await;
        desk.log(&format!("{mood:?}"), 24, ROSA, &[ADA]);
        post.is(mood);
        match mood {
            Mood::DiesBefore | Mood::DiesAfter => desk.die(&post).await,
            _ => drop(desk.calm().await),
        }
        post.is(Mood::Takes);
        desk.reborn();
        desk.calm().await;
        let log = desk.told().await;
        assert_eq!(post.told().len(), taken, "{mood:?}: {log:?}");
        let is_told = |says: &str| log.iter().any(|text| text.contains(says));
        assert!(says.is_none_or(is_told), "{mood:?}: {log:?}");
        assert!(!log.iter().any(|text| text.contains(ADA)), "{log:?}");
        let again = desk.engine.retry_meetings(desk.flow()).await.expect("the database answers");
        desk.calm().await;
        assert_eq!((again, post.told().len()), (usize::from(says.is_some()), taken + again), "{mood:?}");
        let found = desk.store.dossier(&WorkspaceId::new("acme"), ADA).await.expect("the database answers");
        assert_eq!(found.mails.iter().map(|mail| mail.state.as_str()).collect::<Vec<_>>(), ["sent"], "{mood:?}");
    }
}

/// An answer of the calendar that gets lost, and a process that dies before it could settle the write: there is one event, and
/// each guest hears of it once.
///
/// proves: C2, C3, C9, V1, V2
#[tokio::test]
async fn guests_hear_of_a_write_whose_answer_was_lost() {
    for dies in [false, true] {
        let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
        let delete = DeleteSettings { on_record_deleted: OnRecordDeleted::DeleteAndTell, ..DeleteSettings::default() };
        let desk = Desk::on_caldav(&server, Some(&post), |flow| {
            (flow.rules.back, flow.rules.deletes) = (BACK, delete);
        });
        let mut desk = desk.await.active().await;
        let goes_on = async |desk: &mut Desk| {
            desk.hands.pass(SignedDuration::from_mins(16));
            desk.round().await;
            if dies {
                desk.reborn();
            }
            desk.hands.pass(SignedDuration::from_mins(16));
            desk.through().await;
            desk.hands.pass(SignedDuration::from_mins(16));
            desk.through().await;
        };
        server.lose("PUT");
        let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
        goes_on(&mut desk).await;
        assert_eq!((server.events().len(), desk.records().len()), (1, 1), "{:?}", desk.told().await);
        assert_eq!(post.told(), [told(ADA, "Invitation: Kick-off")], "{:?}", desk.told().await);
        server.lose("PUT");
        desk.moved(&logged, 48);
        goes_on(&mut desk).await;
        assert_eq!(post.told()[1..], [told(ADA, "Changed: Kick-off")], "{:?}", desk.told().await);
        server.lose("DELETE");
        desk.hub.archive("meetings", &logged).expect("a person may");
        goes_on(&mut desk).await;
        assert_eq!(server.events(), [""; 0], "{:?}", desk.told().await);
        assert_eq!(post.told()[2..], [told(ADA, "Cancelled: Kick-off")], "{:?}", desk.told().await);
        assert_eq!(desk.verdicts().await["Kick-off"], "removed_in_crm");
    }
}

const INVITED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:offer\r\nDTSTAMP:20260504T080000Z\r\n\
    SEQUENCE:3\r\nDTSTART:20260506T110000Z\r\nDTEND:20260506T120000Z\r\nSUMMARY:Offer\r\nORGANIZER;CN=Sam:mailto:sam@host.example\r\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@client.example\r\n\
    ATTENDEE;CN=Rosa;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:rosa@host.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// A meeting that somebody else organises is declined, on a server that tells nobody: its organiser is mailed that she does not
/// come, once, whatever becomes of the answer, of the mail and of the process; nobody else is. Without a mail server people are
/// told that the organiser does not hear of it.
///
/// proves: C3, C9, V1, V2
#[tokio::test]
async fn an_organiser_is_mailed_that_a_guest_does_not_come() {
    let delete = DeleteSettings { on_record_deleted: OnRecordDeleted::DeleteAndTell, ..DeleteSettings::default() };
    for (lost, mood, with_post, taken) in [
        (false, Mood::Takes, true, 1),
        (true, Mood::Takes, true, 1),
        (false, Mood::Down, true, 1),
        (false, Mood::Lost, true, 1),
        (false, Mood::DiesBefore, true, 0),
        (false, Mood::Takes, false, 0),
    ] {
        let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
        let desk = Desk::on_caldav(&server, Some(&post).filter(|_| with_post), |flow| flow.rules.deletes = delete);
        let mut desk = desk.await.active().await;
        server.put("offer", INVITED);
        desk.calm().await;
        assert_eq!(desk.titles(), ["Offer"], "{:?}", desk.told().await);
        desk.hub.archive("meetings", &desk.records()[0].id).expect("a person may");
        post.is(mood);
        if lost {
            server.lose("PUT");
        }
        desk.hands.pass(SignedDuration::from_mins(16));
        if mood == Mood::DiesBefore {
            desk.die(&post).await;
        } else {
            desk.through().await;
        }
        post.is(Mood::Takes);
        desk.reborn();
        desk.through().await;
        desk.hands.pass(SignedDuration::from_mins(16));
        desk.through().await;
        let log = desk.told().await;
        let case = format!("{lost} {mood:?} {with_post}: {log:?}");
        assert_eq!(post.told(), vec![told("sam@host.example", "Declined: Offer"); taken], "{case}");
        assert!(server.events()[0].contains("PARTSTAT=DECLINED"), "{case}");
        let is_told = |says: &str| log.iter().any(|text| text.contains(says));
        assert_eq!(is_told("may not have arrived"), matches!(mood, Mood::Lost | Mood::DiesBefore), "{case}");
        assert_eq!(is_told("its organiser does not hear of it"), !with_post, "{case}");
        if taken == 0 {
            continue;
        }
        let mail = post.mails().remove(0);
        let guest = mail.guest.expect("somebody");
        assert!(mail.text.contains("Rosa does not come to “Offer”."), "{}", mail.text);
        assert_eq!(
            (guest.organizer.email.as_str(), guest.calendar.content_type.contains("method=REPLY")),
            (ROSA, true)
        );
        let part = unfolded(&guest.calendar.body);
        for line in [
            "METHOD:REPLY",
            "UID:offer",
            "SEQUENCE:3",
            "ORGANIZER;CN=\"Sam\":mailto:sam@host.example",
            "PARTSTAT=DECLINED",
        ] {
            assert!(part.contains(line), "{line} in {part}");
        }
        assert!(!part.contains(ADA), "who answers says nothing of others: {part}");
    }
}

/// Without a mail server nobody is mailed, now or later, and people are told so with what to do.
///
/// proves: C2, C3
#[tokio::test]
async fn without_a_mail_server_people_are_told_so() {
    let server = Radicale::start();
    let desk = Desk::on_caldav(&server, None, |flow| flow.rules.back = BACK).await.active().await;
    let check = desk.engine.calendars_check(desk.flow()).await;
    assert!(check.iter().any(|remark| !remark.good && remark.text.contains("add [alerts.mail]")), "{check:?}");
    desk.log("Kick-off", 24, ROSA, &[ADA]);
    desk.calm().await;
    assert_eq!(server.events().len(), 1);
    let log = desk.told().await;
    assert!(log.iter().any(|text| text.contains("no guest hears of it") && text.contains("[alerts.mail]")), "{log:?}");
    let mails = desk.store.calendar_mails(&desk.flow().workspace, &desk.flow().id, desk.hands_now(), 10).await;
    assert_eq!(mails.expect("the database answers"), []);
    desk.hub.archive("meetings", &desk.records()[0].id).expect("a person may");
    desk.hands.pass(SignedDuration::from_mins(16));
    desk.calm().await;
    assert_eq!((server.events().len(), server.count("DELETE")), (1, 0), "nobody chose that it goes");
}

/// What another program reads in a mail: its parts, and of the calendar's who invites whom to what.
const READER: &str = "\
import email, email.policy, sys, icalendar
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(mail['To'], '|', mail['From'].addresses[0].addr_spec, '|', mail['Reply-To'].addresses[0].addr_spec, '|', mail['Subject'])
print(mail.get_content_type(), [part.get_content_type() for part in mail.iter_parts()])
part = [part for part in mail.walk() if part.get_content_type() == 'text/calendar'][0]
event = icalendar.Calendar.from_ical(part.get_content())
print(part.get_param('method'), event['METHOD'], event.walk('VEVENT')[0]['ORGANIZER'], event.walk('VEVENT')[0]['ATTENDEE'])
";

fn read_by_another(mail: &str) -> String {
    let mut reader = Command::new(python())
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    reader.stdin.take().expect("it is piped").write_all(mail.as_bytes()).expect("it is read");
    let out = reader.wait_with_output().expect("it ends");
    assert!(out.status.success(), "{mail}");
    String::from_utf8(out.stdout).expect("text")
}

/// The real executable between a CRM, a CalDAV server and a mail server: what arrives is an
/// invitation to another program, and once the record is deleted that it is off.
///
/// proves: C2, C3, C9
#[test]
fn an_invitation_goes_through_a_real_mail_server() {
    let (sandbox, server, mails) = (Sandbox::start(), Radicale::start(), MailServer::start(Speaks::Plain, None));
    let url = server.url();
    let more = format!(
        r#"
        [[connections]]
        name = "rosa"
        vendor = "caldav"
        grant = "key"
        api_key = "file:rosa.key"
        url = "{url}/"
        [[calendars]]
        name = "meetings"
        crm = "salesforce"
        own_domains = ["host.example"]
        invite = true
        on_record_deleted = "delete"
        [[calendars.people]]
        owner = "{ROSA}"
        connection = "rosa"
        every_seconds = 1
        {}
        "#,
        mail_section(mails.port, "none", "")
    );
    let installation = Installation::new("calendars-mailed", &sandbox, "sqlite:syncline.db", &more);
    installation.open_network(&url);
    secret(&installation.folder, "rosa.key", "rosa:secret");
    let run = |arguments: &[&str]| installation.command(Path::new(env!("CARGO_BIN_EXE_syncline")), arguments);
    let checked = run(&["calendars", "check", "meetings"]);
    assert!(checked.contains("so they are mailed from here"), "{checked}");
    run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    run(&["calendars", "run", "meetings"]);
    let person = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": ADA });
    let ada = sandbox.org.seed("Contact", person.as_object().expect("a record")).expect("a contact");
    let rosa = sandbox.records("User").into_iter().find(|user| user["Email"] == ROSA).expect("a user");
    let at =
        |hours: i64| (WallClock.now() + SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let logged = json!({ "Subject": "Kick-off", "WhoId": ada, "OwnerId": rosa["Id"],
        "StartDateTime": at(30), "EndDateTime": at(31) });
    let logged = sandbox.org.seed("Event", logged.as_object().expect("a record")).expect("an event");
    let started = Instant::now();
    while mails.mails().is_empty() {
        assert!(started.elapsed() < PATIENCE, "no mail came: {}", run(&["activity"]));
        run(&["calendars", "run", "meetings"]);
    }
    run(&["calendars", "run", "meetings"]);
    let taken = mails.mails();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let read = read_by_another(&taken[0]);
    let expected = [
        "ada@client.example | syncline@example.org | rosa@host.example | Invitation: Kick-off",
        "multipart/alternative ['text/plain', 'text/calendar']",
        "REQUEST REQUEST mailto:rosa@host.example mailto:ada@client.example",
    ];
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);

    sandbox.org.delete(&logged).expect("a person may");
    run(&["calendars", "run", "meetings"]);
    assert_eq!(server.events(), [""; 0], "{}", run(&["activity"]));
    let taken = mails.mails();
    assert_eq!(taken.len(), 2, "{}", run(&["activity"]));
    let read = read_by_another(&taken[1]);
    assert!(read.contains("Cancelled: Kick-off") && read.contains("CANCEL CANCEL"), "{read}");
}
