//! What is said to Google of an event, without anybody who hears it.

use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::calendar::event::{Attendee, Content, Moment, Part, Party, Reply};

use super::{
    super::draft::{Unsayable, changed, declined, id, made, seated},
    writes::content,
};
use crate::{
    guests::Guests,
    testing::contents::{any_content, at},
};

fn guest(email: &str, part: Part) -> Attendee {
    Attendee { who: Party { email: email.into(), name: None }, part, reply: Reply::Awaited }
}

#[test]
fn an_id_is_the_seed_in_letters_that_google_takes() {
    assert_eq!(id(&[0; 32]), "0".repeat(52));
    assert_eq!(id(&[255; 32]), format!("{}g", "v".repeat(51)));
    // RFC 4648, section 10: "foobar" is CPNMUOJ1E8.
    let mut seed = [0; 32];
    seed[..6].copy_from_slice(b"foobar");
    assert!(id(&seed).starts_with("cpnmuoj1e8"));
}

#[test]
fn only_what_differs_is_said() {
    let from = content("Demo");
    let said = |change: fn(&mut Content)| {
        let mut to = from.clone();
        change(&mut to);
        Value::from(changed(&from, &to).expect("it can be said"))
    };
    assert_eq!(said(|_| {}), json!({}));
    assert_eq!(said(|to| to.summary = "Other".into()), json!({"summary": "Other"}));
    assert_eq!(said(|to| to.location.clear()), json!({"location": null}));
    assert_eq!(said(|to| to.description = "1 < 2".into()), json!({"description": "1 < 2"}));
    assert_eq!(
        said(|to| to.description = "<b> & co".into()),
        json!({"description": "<span>&lt;b&gt; &amp; co</span>"})
    );
    assert_eq!(
        said(|to| to.end = at("2026-03-20T15:00:00Z", "Asia/Tokyo")),
        json!({"end": {"dateTime": "2026-03-20T15:00:00Z", "timeZone": "Asia/Tokyo"}})
    );
    let day = |to: &mut Content| to.start = Moment::Day("2026-03-20".parse().expect("a day"));
    assert_eq!(said(day), json!({"start": {"date": "2026-03-20", "dateTime": null, "timeZone": null}}));
    assert_eq!(said(|to| to.recurrence = vec!["RRULE:FREQ=DAILY".into()])["recurrence"], json!(["RRULE:FREQ=DAILY"]));
}

#[test]
fn zones_are_said_by_names_that_google_knows() {
    let zone_of = |zone: &str, rules: &[&str]| {
        let mut content = Content::new(at("2026-03-20T13:00:00Z", zone), at("2026-03-20T14:00:00Z", zone));
        content.recurrence = rules.iter().map(|&rule| rule.to_owned()).collect();
        made("e1", &content).map(|body| body["start"]["timeZone"].clone())
    };
    assert_eq!(zone_of("Europe/Berlin", &[]), Ok(json!("Europe/Berlin")));
    assert_eq!(zone_of("UTC", &[]), Ok(json!("UTC")));
    assert_eq!(zone_of("UTC+03", &["RRULE:FREQ=DAILY"]), Ok(json!("Etc/GMT-3")));
    assert_eq!(zone_of("UTC+05:30", &[]), Ok(Value::Null));
    assert_eq!(zone_of("UTC+05:30", &["RRULE:FREQ=DAILY"]), Err(Unsayable::NamelessZone));
    let floating = Moment::Floating("2026-03-20T13:00".parse().expect("a time"));
    assert_eq!(made("e1", &Content::new(floating.clone(), floating)), Err(Unsayable::Floating));
}

/// What others answered and everything else in their rows is sent as it came.
#[test]
fn guests_come_and_go_and_the_others_keep_their_rows() {
    let rows = [
        json!({"email": "Ada@acme.example", "responseStatus": "accepted", "comment": "Yes!", "additionalGuests": 2}),
        json!({"email": "bo@acme.example", "responseStatus": "declined"}),
        json!({"email": "room@host.example", "resource": true, "responseStatus": "accepted"}),
        json!({"id": "42"}),
    ];
    let mut from = content("Demo");
    from.attendees = vec![
        guest("ada@acme.example", Part::Required),
        guest("bo@acme.example", Part::Required),
        guest("room@host.example", Part::Resource),
    ];
    let mut to = from.clone();
    assert!(Guests::between(&from, &to).is_empty());
    to.attendees[0].reply = Reply::Declined;
    assert!(Guests::between(&from, &to).is_empty(), "answers are not ours");
    to.attendees.remove(1);
    to.attendees[0].part = Part::Optional;
    to.attendees.push(guest("cy@acme.example", Part::Optional));
    let list = seated(&Guests::between(&from, &to), &rows);
    let mut ada = rows[0].clone();
    ada["optional"] = true.into();
    assert_eq!(list, [ada, rows[2].clone(), rows[3].clone(), json!({"email": "cy@acme.example", "optional": true})]);
    // Whom a list that lacks some does not name may still be there.
    to.attendees_whole = false;
    assert_eq!(seated(&Guests::between(&from, &to), &rows).len(), 5);
}

#[test]
fn only_the_row_of_whose_calendar_it_is_declines() {
    let rows =
        [json!({"email": "ada@acme.example"}), json!({"email": "rosa@host.example", "self": true, "comment": "x"})];
    let no = json!({"email": "rosa@host.example", "self": true, "comment": "x", "responseStatus": "declined"});
    // She may be invited under another address than the one we know.
    for rep in ["rosa@host.example", "r@other.example", "ada@acme.example"] {
        assert_eq!(declined(&rows, rep), Some(no.clone()));
    }
    assert_eq!(declined(&rows[..1], "rosa@host.example"), None);
}

proptest! {
    /// What is there already is not sent.
    #[test]
    fn what_is_there_is_not_said_again(content in any_content()) {
        prop_assert_eq!(changed(&content, &content), Ok(serde_json::Map::new()));
        prop_assert!(Guests::between(&content, &content).is_empty());
    }
}
