//! Invitations between the people, and the mails that go with them.

use serde_json::{Value, json};

use super::{EVENTS, Kit, ROSA, SAM, kit, meeting, with};
use crate::MailMethod;

fn invited(kit: &Kit, notify: &str) -> String {
    let guests = json!({"attendees": [{"email": SAM}, {"email": "lea@lead.example", "displayName": "Lea"}], "visibility": "private"});
    let event = with(meeting("Demo", "2026-03-20"), guests);
    kit.good("POST", &format!("{EVENTS}?sendUpdates={notify}"), event)["id"].as_str().unwrap().to_owned()
}

fn answer_of(kit: &Kit, calendar: &str, id: &str, guest: &str) -> Value {
    let event = kit.site.event(calendar, id).unwrap();
    event["attendees"].as_array().unwrap().iter().find(|row| row["email"] == guest).unwrap()["responseStatus"].clone()
}

#[test]
fn an_invitation_appears_on_the_guests_calendar_and_the_answer_on_the_organisers() {
    let kit = kit();
    let id = invited(&kit, "none");
    let copy = kit.site.event(SAM, &id).unwrap();
    assert_eq!((&copy["organizer"], &copy["visibility"]), (&json!({"email": ROSA}), &json!("private")));
    assert_eq!(copy["attendees"][0], json!({"email": SAM, "responseStatus": "needsAction", "self": true}));
    assert_eq!(copy["start"]["dateTime"], "2026-03-20T05:00:00-04:00", "in the guest's own zone");
    let rows = json!({"attendees": [{"email": SAM, "responseStatus": "accepted"}]});
    let response = kit.send(SAM, "PATCH", &format!("{EVENTS}/{id}"), &[], &rows).response;
    assert_eq!(response.status().as_u16(), 200);
    for calendar in [ROSA, SAM] {
        assert_eq!(answer_of(&kit, calendar, &id, SAM), "accepted");
        assert_eq!(kit.site.event(calendar, &id).unwrap()["attendees"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_guest_changes_what_is_his_own_and_nothing_else() {
    let kit = kit();
    let id = invited(&kit, "none");
    let sams = |body: Value| {
        let response = kit.send(SAM, "PATCH", &format!("{EVENTS}/{id}"), &[], &body).response;
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), body["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(sams(json!({"summary": "Mine now"})), (403, "forbiddenForNonOrganizer".into()));
    assert_eq!(sams(meeting("Demo", "2026-03-21")).0, 403);
    assert_eq!(
        sams(json!({"colorId": "5", "visibility": "public", "extendedProperties": {"private": {"x": "1"}}})).0,
        200
    );
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"summary": "Demo, renamed"}));
    let copy = kit.site.event(SAM, &id).unwrap();
    assert_eq!(
        (&copy["summary"], &copy["colorId"], &copy["visibility"]),
        (&json!("Demo, renamed"), &json!("5"), &json!("public"))
    );
    assert_eq!(copy["extendedProperties"]["private"]["x"], "1");
    assert!(kit.site.event(ROSA, &id).unwrap().get("colorId").is_none());
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"guestsCanModify": true}));
    assert_eq!(sams(json!({"summary": "Ours"})).0, 200);
    assert_eq!(kit.site.event(ROSA, &id).unwrap()["summary"], "Ours");
}

#[test]
fn the_organiser_cancels_for_all_and_a_guest_for_himself() {
    let kit = kit();
    let id = invited(&kit, "none");
    kit.site.delete(SAM, &id).unwrap();
    assert_eq!(kit.site.event(ROSA, &id).unwrap()["status"], "confirmed");
    assert_eq!(answer_of(&kit, ROSA, &id, SAM), "declined");
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"summary": "Still on"}));
    assert_eq!(kit.site.event(SAM, &id).unwrap()["status"], "cancelled", "he is not asked again");
    let other = invited(&kit, "none");
    kit.good("DELETE", &format!("{EVENTS}/{other}"), Value::Null);
    let copy = kit.site.event(SAM, &other).unwrap();
    assert_eq!((&copy["status"], &copy["summary"]), (&json!("cancelled"), &json!("Demo")));
}

#[test]
fn a_guest_who_is_left_out_loses_his_copy_and_the_organiser_does_not_answer_for_him() {
    let kit = kit();
    let id = invited(&kit, "none");
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"attendees": [{"email": SAM, "responseStatus": "accepted"}]}));
    assert_eq!(answer_of(&kit, ROSA, &id, SAM), "needsAction");
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"attendees": []}));
    assert_eq!(kit.site.event(SAM, &id).unwrap()["status"], "cancelled");
}

#[test]
fn mails_go_to_whom_the_caller_says() {
    let kit = kit();
    let mails =
        |kit: &Kit| kit.site.mails_since(0).iter().map(|mail| (mail.method, mail.to.clone())).collect::<Vec<_>>();
    invited(&kit, "none");
    assert!(mails(&kit).is_empty());
    invited(&kit, "externalOnly");
    assert_eq!(mails(&kit), [(MailMethod::Request, "lea@lead.example".into())]);
    let id = invited(&kit, "all");
    assert_eq!(mails(&kit).len(), 3);
    kit.good("PATCH", &format!("{EVENTS}/{id}?sendUpdates=all"), json!({"summary": "Demo"}));
    assert_eq!(mails(&kit).len(), 3, "nothing has changed");
    kit.good("PATCH", &format!("{EVENTS}/{id}?sendUpdates=all"), json!({"attendees": [{"email": SAM}]}));
    assert_eq!(mails(&kit)[3..], [(MailMethod::Request, SAM.into()), (MailMethod::Cancel, "lea@lead.example".into())]);
    kit.site.respond_to(SAM, &id, "tentative").unwrap();
    let last = kit.site.mails_since(5).remove(0);
    assert_eq!((last.method, last.to.as_str(), last.answer.as_deref()), (MailMethod::Reply, ROSA, Some("tentative")));
    assert_eq!(kit.refused("POST", &format!("{EVENTS}?sendUpdates=some"), meeting("x", "2026-03-20")).0, 400);
}

#[test]
fn long_lists_of_attendees_are_left_out() {
    let kit = kit();
    let id = invited(&kit, "none");
    let event = kit.good("GET", &format!("{EVENTS}/{id}?maxAttendees=1"), Value::Null);
    assert_eq!((&event["attendeesOmitted"], event["attendees"].as_array().unwrap().len()), (&json!(true), 0));
}

#[test]
fn one_answer_leaves_the_other_guests_alone() {
    let kit = kit();
    let id = invited(&kit, "none");
    let row =
        json!({"attendeesOmitted": true, "attendees": [{"email": "lea@lead.example", "responseStatus": "declined"}]});
    kit.good("PATCH", &format!("{EVENTS}/{id}"), row);
    assert_eq!(answer_of(&kit, ROSA, &id, "lea@lead.example"), "declined");
    assert_eq!(answer_of(&kit, ROSA, &id, SAM), "needsAction");
}
