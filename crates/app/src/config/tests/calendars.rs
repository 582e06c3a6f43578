//! What an integration of calendars comes to by itself, and what it is refused for.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use syncline_core::calendar::{
    eligible::{Policy, Since},
    event::EventType,
    meeting::{BackRules, MeetingSettings, OnRecordDeleted},
    privacy::{OnPrivate, PrivacyOptions},
    series::SeriesPolicy,
};

use super::{Config, refused};
use crate::config::CalendarsConfig;

const CONNECTIONS: &str = r#"
[[connections]]
name = "crm"
vendor = "hubspot"
client_id = "x"
[[connections]]
name = "anna"
vendor = "google"
client_id = "y"
[[connections]]
name = "ben"
vendor = "caldav"
grant = "key"
api_key = "env:BEN"
url = "https://dav.example"
"#;

const PEOPLE: &str = r#"
[[calendars.people]]
owner = "Anna@Acme.example"
connection = "anna"
[[calendars.people]]
owner = "ben@acme.example"
connection = "ben"
"#;

/// An integration with these further lines.
fn file(more: &str) -> String {
    format!("{CONNECTIONS}[[calendars]]\nname = \"meetings\"\ncrm = \"crm\"\n{more}\n{PEOPLE}")
}

fn read(more: &str) -> CalendarsConfig {
    Config::parse(&file(more)).expect("the file is sound").calendars.remove(0)
}

/// Says nothing that the core's own defaults do not say.
///
/// proves: C5, C6, C7, C8
#[test]
fn what_is_left_out_is_as_safe_as_it_can_be() {
    let config = read("");
    let policy = config.policy().expect("it is sound");
    assert_eq!(policy, Policy::default());
    assert_eq!(config.privacy(), PrivacyOptions::default());
    assert_eq!(config.meeting_settings(), MeetingSettings::default());
    assert_eq!(config.sweep_hours, 168);
    let [anna, ben] = config.people.as_slice() else { panic!("there are two") };
    assert_eq!((anna.name(), anna.calendar.as_ref(), anna.every()), ("anna", None, None));
    assert_eq!(ben.name(), "ben");
}

#[test]
fn what_is_said_is_done() {
    let config = read(
        "own_domains = [\"acme.example\"]\nblocked = [\"@law.example\"]\nfree_mail = [\"mail.example\"]\n\
         resources = [\"Room1@acme.example\"]\nsince = \"2026-03-01\"\ntypes = [\"meeting\", \"from_mail\"]\n\
         series = \"window\"\nwindow_future_days = 60\nprivate = \"redact\"\nthaw = false\n\
         tell_cancelled_private = true\ncancelled_prefix = \"\"\ncancelled_show_as_free = true\n\
         delete_cancelled = true\ninvite = true\ninvite_field = \"Invite__c\"\nedits = true\nuninvite = true\non_record_deleted = \"delete_silently\"\nuntitled = \"Termin\"\nreplies = { declined = \"abgelehnt\" }\n\
         status = { field = \"Status__c\", booked = \"On\", cancelled = \"Off\" }",
    );
    let policy = config.policy().expect("it is sound");
    assert_eq!(policy.since, Since::Backfill("2026-03-01T00:00:00Z".parse().expect("a time")));
    assert_eq!(policy.types, BTreeSet::from([EventType::Meeting, EventType::FromMail]));
    assert_eq!(policy.series, SeriesPolicy::Materialise { past_days: 7, future_days: 60 });
    assert_eq!(policy.resources, BTreeSet::from(["room1@acme.example".to_owned()]));
    assert!(policy.is_internal("eve@berlin.acme.example") && policy.blocked_by("x@law.example").is_some());
    let private = PrivacyOptions { on_private: OnPrivate::Redact, thaw: false, tell_cancelled: true };
    assert_eq!(config.privacy(), private);
    let settings = config.meeting_settings();
    assert_eq!(settings.status, Some(("Status__c".to_owned(), "On".to_owned(), "Off".to_owned())));
    assert!(settings.cancel.prefix.is_empty() && settings.cancel.show_as_free && settings.cancel.delete);
    let ask_field = Some("Invite__c".to_owned());
    assert_eq!(config.back(), BackRules { invite: true, ask_field, edits: true, uninvite: true });
    assert_eq!(config.deletes().on_record_deleted, OnRecordDeleted::DeleteQuietly);
    assert_eq!((settings.untitled.as_str(), settings.replies.declined.as_str()), ("Termin", "abgelehnt"));
    assert_eq!(settings.replies.accepted, "accepted", "a word that is left out is as it was");
    assert_eq!(read("since = \"touched\"").policy().expect("it is sound").since, Since::Touched);
    let every =
        Config::parse(&file("").replacen("connection = \"ben\"", "connection = \"ben\"\nevery_seconds = 90", 1));
    assert_eq!(every.expect("it is sound").calendars[0].people[1].every(), Some(SignedDuration::from_secs(90)));
}

/// Each with the place, the reason and what to do.
///
/// proves: sec:S56, C5
#[test]
fn what_cannot_be_is_told() {
    let cases = [
        ("since = \"yesterday\"", "a day such as 2026-01-01"),
        ("window_past_days = 3", "choose that or leave `window_past_days` out"),
        ("series = \"window\"\nwindow_future_days = 401", "a number from 0 to 400"),
        ("uninvite = true", "counts with `edits = true` alone"),
        ("on_record_deleted = \"yes\"", "unknown variant `yes`"),
        ("types = []", "nothing would ever be logged"),
        ("types = [\"lunch\"]", "unknown variant `lunch`"),
        ("sweep_hours = 0", "`sweep_hours` is 0; it is a number from 1 to 744"),
        ("own_domains = [\"gmail.com\"]", "take it out of `own_domains`"),
        ("own_domains = [\"mail.example\"]\nfree_mail = [\"mail.example\"]", "take it out of `own_domains`"),
        ("own_domains = [\"a b\"]", "`own_domains`: `a b` is no domain; write it as in acme.example"),
        ("blocked = [\"firm.example\"]", "@firm.example for everybody there"),
        ("free_mail = [\"a@b\"]", "`free_mail` has `a@b`, which is no domain"),
        ("resources = [\"Room 1\"]", "`resources` has `Room 1`, which is no e-mail address"),
        ("untitled = \" \"", "`untitled` is a text of 1 to 255 characters"),
        ("replies = { declined = \"\" }", "`replies.declined` is a text"),
        ("status = { field = \"Status__c\", booked = \"On\" }", "missing field `cancelled`"),
        ("nonsense = 1", "unknown field `nonsense`"),
        ("status = { field = \"Status__c\", booked = \"On\", cancelled = \"Off\", nonsense = 1 }", "unknown field"),
        ("replies = { nonsense = 1 }", "unknown field `nonsense`"),
    ];
    for (more, says) in cases {
        let told = refused(&file(more));
        assert!(told.contains(says), "{more}: {told}");
    }
    let prefix = format!("cancelled_prefix = \"{}\"", "x".repeat(41));
    assert!(refused(&file(&prefix)).contains("longer than 40 characters"));
}

/// proves: sec:S56, C1
#[test]
fn people_and_their_calendars_are_told_apart() {
    let with = |from: &str, to: &str| {
        let text = file("");
        assert!(text.contains(from), "{from}");
        refused(&text.replacen(from, to, 1))
    };
    let cases = [
        ("connection = \"ben\"", "connection = \"bern\"", "the calendar of `ben@acme.example` at `bern`"),
        ("connection = \"ben\"", "connection = \"anna\"\nname = \"ben\"", "one calendar belongs to one person"),
        ("connection = \"ben\"", "connection = \"ben\"\nname = \"anna\"", "two calendars are called `anna`"),
        ("connection = \"ben\"", "connection = \"ben\"\nname = \"Ben's\"", "`Ben's` cannot be its name"),
        ("connection = \"ben\"", "connection = \"ben\"\nevery_seconds = 3601", "a number from 1 to 3600"),
        ("connection = \"ben\"", "connection = \"ben\"\ncalendar = \" \"", "leave it out for the primary one"),
        ("connection = \"ben\"", "connection = \"ben\"\nblocked = [\"x\"]", "in the calendar of `ben@acme.example`"),
        ("connection = \"ben\"", "connection = \"ben\"\nnonsense = 1", "unknown field `nonsense`"),
        ("owner = \"ben@acme.example\"", "owner = \"Ben\"", "`owner` has `Ben`, which is no e-mail address"),
        ("crm = \"crm\"", "crm = \"crn\"", "writes to `crn`"),
        ("name = \"meetings\"", "name = \"Meetings\"", "cannot be the name of an integration"),
        (PEOPLE, "people = []", "it needs 1 to 1000 [[calendars.people]]"),
    ];
    for (from, to, says) in cases {
        let told = with(from, to);
        assert!(told.contains(says), "{to}: {told}");
    }
    let twice = format!("{}[[integrations]]\nname = \"meetings\"\ncrm = \"crm\"\n", file(""));
    assert!(refused(&twice).contains("two integrations are called `meetings`"));
}
