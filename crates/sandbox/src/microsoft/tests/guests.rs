//! Invitations between the people, and the mails that go with them.

use serde_json::{Value, json};

use super::{EVENTS, Kit, MIA, NOAH, guests, kit, meeting, weekly, with};
use crate::MailMethod;

fn invited(kit: &Kit) -> String {
    kit.make(with(
        with(meeting("Demo", "2026-03-20"), guests(&[NOAH, "lea@lead.example"])),
        json!({"sensitivity": "private"}),
    ))
}

fn noahs(kit: &Kit, call: &str, body: Value) -> u16 {
    let id = kit.only(NOAH)["id"].as_str().unwrap().to_owned();
    kit.by(NOAH, "POST", &format!("{EVENTS}/{id}/{call}"), body).0
}

fn answer_of(kit: &Kit, guest: usize) -> Value {
    kit.only(MIA)["attendees"][guest]["status"]["response"].clone()
}

#[test]
fn an_invitation_appears_in_the_guests_mailbox_and_the_answer_in_the_organisers() {
    let kit = kit();
    invited(&kit);
    let copy = kit.only(NOAH);
    let known = (&copy["isOrganizer"], &copy["responseStatus"]["response"], &copy["showAs"], &copy["sensitivity"]);
    assert_eq!(known, (&json!(false), &json!("notResponded"), &json!("tentative"), &json!("private")));
    assert_eq!(copy["organizer"]["emailAddress"], json!({"name": "Mia Manager", "address": MIA}));
    assert_eq!((&copy["uid"], copy["id"] == kit.only(MIA)["id"]), (&kit.only(MIA)["uid"], false));
    assert_eq!(noahs(&kit, "tentativelyAccept", json!({"SendResponse": false})), 202);
    assert_eq!(answer_of(&kit, 0), "none", "the organiser was not told");
    assert_eq!(noahs(&kit, "accept", json!({"Comment": "Gladly"})), 202);
    assert_eq!(
        (answer_of(&kit, 0), kit.only(NOAH)["responseStatus"]["response"].clone()),
        (json!("accepted"), json!("accepted"))
    );
    let id = kit.only(MIA)["id"].as_str().unwrap().to_owned();
    assert_eq!(kit.refused("POST", &format!("{EVENTS}/{id}/accept"), json!({})).0, 400, "nobody answers himself");
}

#[test]
fn what_is_declined_leaves_the_calendar_and_new_times_ask_again() {
    let kit = kit();
    let id = invited(&kit);
    noahs(&kit, "accept", json!({}));
    kit.good("PATCH", &format!("{EVENTS}/{id}"), meeting("Demo", "2026-03-21"));
    assert_eq!(
        (answer_of(&kit, 0), kit.only(NOAH)["responseStatus"]["response"].clone()),
        (json!("none"), json!("notResponded"))
    );
    noahs(&kit, "decline", json!({}));
    assert!(kit.site.snapshot()[NOAH].is_empty());
    assert_eq!(answer_of(&kit, 0), "declined");
}

#[test]
fn who_asked_for_no_answer_is_sent_none() {
    let kit = kit();
    kit.make(with(with(meeting("Demo", "2026-03-20"), guests(&[NOAH])), json!({"responseRequested": false})));
    let mails = kit.site.mails_since(0).len();
    assert_eq!(noahs(&kit, "decline", json!({})), 400);
    assert_eq!(noahs(&kit, "decline", json!({"SendResponse": false})), 202);
    assert!(kit.site.snapshot()[NOAH].is_empty());
    assert_eq!((answer_of(&kit, 0), kit.site.mails_since(0).len()), (json!("none"), mails));
}

#[test]
fn the_organiser_cancels_for_all_and_a_guest_for_himself() {
    let kit = kit();
    let id = invited(&kit);
    kit.site.delete(NOAH, kit.only(NOAH)["id"].as_str().unwrap()).unwrap();
    assert_eq!((kit.only(MIA)["isCancelled"].clone(), answer_of(&kit, 0)), (json!(false), json!("none")));
    kit.good("DELETE", &format!("{EVENTS}/{id}"), Value::Null);
    let other = invited(&kit);
    assert_eq!(noahs(&kit, "cancel", json!({})), 400, "only the organiser cancels");
    assert_eq!(kit.by(MIA, "POST", &format!("{EVENTS}/{other}/cancel"), json!({"Comment": "Sorry"})).0, 202);
    assert!(kit.site.snapshot()[MIA].is_empty());
    let copy = kit.only(NOAH);
    assert_eq!(
        (&copy["isCancelled"], &copy["subject"], &copy["showAs"]),
        (&json!(true), &json!("Canceled: Demo"), &json!("free"))
    );
    assert_eq!(kit.refused("POST", &format!("{EVENTS}/{other}/cancel"), json!({})).0, 404);
}

#[test]
fn mails_go_to_all_or_to_those_alone_who_come_and_go() {
    let kit = kit();
    let sent = |kit: &Kit, after: u64| {
        kit.site.mails_since(after).iter().map(|mail| (mail.method, mail.to.clone())).collect::<Vec<_>>()
    };
    let id = invited(&kit);
    let patch = |body: Value| drop(kit.good("PATCH", &format!("{EVENTS}/{id}"), body));
    assert_eq!(sent(&kit, 0).len(), 2);
    patch(json!({"subject": "Demo"}));
    assert_eq!(sent(&kit, 0).len(), 2, "nothing has changed");
    patch(guests(&[NOAH, "max@lead.example"]));
    assert_eq!(
        sent(&kit, 2),
        [(MailMethod::Request, "max@lead.example".into()), (MailMethod::Cancel, "lea@lead.example".into())]
    );
    patch(json!({"subject": "Demo, renamed"}));
    assert_eq!(sent(&kit, 4).len(), 2);
    noahs(&kit, "accept", json!({}));
    assert_eq!(sent(&kit, 6), [(MailMethod::Reply, MIA.into())]);
    patch(json!({"attendees": []}));
    assert_eq!(kit.only(NOAH)["isCancelled"], true);
}

#[test]
fn guests_of_a_series_have_its_changes_and_answer_single_occurrences() {
    let kit = kit();
    let id = kit.make(with(with(meeting("Weekly", "2026-03-16"), weekly(4)), guests(&[NOAH])));
    let window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-06-01T00:00:00Z";
    let parts = |kit: &Kit, user: &str, id: &str| {
        let (_, all) = kit.by(user, "GET", &format!("{EVENTS}/{id}/instances?{window}"), Value::Null);
        super::words(&all, "id")
    };
    let mias = parts(&kit, MIA, &id);
    kit.good("PATCH", &format!("{EVENTS}/{}", mias[1]), json!({"subject": "Special"}));
    kit.good("DELETE", &format!("{EVENTS}/{}", mias[2]), Value::Null);
    let copy = kit.only(NOAH);
    assert_eq!(
        (&copy["exceptionOccurrences"][0]["subject"], &copy["cancelledOccurrences"]),
        (&json!("Special"), &json!(["2026-03-30"]))
    );
    let own = parts(&kit, NOAH, copy["id"].as_str().unwrap());
    assert_eq!(own.len(), 3);
    assert_eq!(kit.by(NOAH, "POST", &format!("{EVENTS}/{}/decline", own[2]), json!({})).0, 202);
    assert_eq!(parts(&kit, NOAH, copy["id"].as_str().unwrap()).len(), 2);
    let last = kit.good("GET", &format!("{EVENTS}/{}", mias[3]), Value::Null);
    assert_eq!(last["attendees"][0]["status"]["response"], "declined");
    assert_eq!(answer_of(&kit, 0), "none", "of the series he has said nothing");
}

#[test]
fn somebody_can_be_invited_to_one_occurrence_alone() {
    let kit = kit();
    let id = kit.make(with(meeting("Weekly", "2026-03-16"), weekly(4)));
    let window = "startDateTime=2026-03-20T00:00:00Z&endDateTime=2026-03-26T00:00:00Z";
    let second =
        super::words(&kit.good("GET", &format!("{EVENTS}/{id}/instances?{window}"), Value::Null), "id").remove(0);
    kit.good("PATCH", &format!("{EVENTS}/{second}"), guests(&[NOAH]));
    let copy = kit.only(NOAH);
    assert_eq!(
        (&copy["type"], &copy["start"]["dateTime"]),
        (&json!("singleInstance"), &json!("2026-03-23T09:00:00.0000000"))
    );
    noahs(&kit, "accept", json!({}));
    let seen = kit.good("GET", &format!("{EVENTS}/{second}"), Value::Null);
    assert_eq!(seen["attendees"][0]["status"]["response"], "accepted");
}
