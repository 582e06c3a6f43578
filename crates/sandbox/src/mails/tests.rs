//! Two sandboxes that invite each other: what mails carry from one to the other.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::Clock;

use crate::{GoogleConfig, GoogleWorkspace, MicrosoftConfig, MicrosoftTenant};

const ROSA: &str = "rosa@host.example";
const MIA: &str = "mia@firm.example";
/// Rounds after which two sandboxes have nothing more to say to each other.
const ROUNDS_MAX: usize = 6;

struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct Post {
    one: Arc<GoogleWorkspace>,
    two: Arc<MicrosoftTenant>,
    hands: Arc<Hands>,
    carried: Mutex<(u64, u64)>,
}

impl Post {
    fn new() -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-03-12T07:32:42.188Z".parse().unwrap())));
        let one = GoogleWorkspace::new(GoogleConfig::default(), hands.clone());
        let two = MicrosoftTenant::new(MicrosoftConfig::default(), hands.clone());
        Self { one, two, hands, carried: Mutex::default() }
    }

    /// Carries mails until there are none; answers in how many rounds.
    fn carry(&self) -> usize {
        for round in 0.. {
            *self.hands.0.lock().unwrap() += SignedDuration::from_secs(1);
            let mut carried = self.carried.lock().unwrap();
            let (out, back) = (self.one.mails_since(carried.0), self.two.mails_since(carried.1));
            if out.is_empty() && back.is_empty() {
                return round;
            }
            out.iter().for_each(|mail| {
                self.two.receive(mail);
                carried.0 = mail.number;
            });
            back.iter().for_each(|mail| {
                self.one.receive(mail);
                carried.1 = mail.number;
            });
            assert!(round < ROUNDS_MAX, "they do not stop");
        }
        unreachable!("rounds are counted")
    }

    fn rosas(&self) -> Vec<Value> {
        self.one.snapshot()[ROSA].clone()
    }

    fn mias(&self) -> Vec<Value> {
        self.two.snapshot()[MIA].clone()
    }
}

fn rosas_event(more: Value) -> Value {
    let zone = "Europe/Berlin";
    let mut event = json!({
        "summary": "Demo", "location": "Room 1", "description": "Bring a pen", "attendees": [{"email": MIA}],
        "start": {"dateTime": "2026-03-16T10:00:00", "timeZone": zone}, "end": {"dateTime": "2026-03-16T11:00:00", "timeZone": zone},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn mias_event(more: Value) -> Value {
    let zone = "W. Europe Standard Time";
    let mut event = json!({
        "subject": "Review", "attendees": [{"emailAddress": {"address": ROSA}}],
        "start": {"dateTime": "2026-03-16T10:00:00", "timeZone": zone}, "end": {"dateTime": "2026-03-16T11:00:00", "timeZone": zone},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[test]
fn an_invitation_goes_one_way_and_the_answer_the_other() {
    let post = Post::new();
    let id = post.one.create(ROSA, &rosas_event(json!({"visibility": "private"}))).unwrap();
    post.carry();
    let copy = post.mias().remove(0);
    let known = (&copy["subject"], &copy["bodyPreview"], &copy["sensitivity"], &copy["isOrganizer"]);
    assert_eq!(known, (&json!("Demo"), &json!("Bring a pen"), &json!("private"), &json!(false)));
    assert_eq!(
        (&copy["start"]["dateTime"], &copy["originalStartTimeZone"]),
        (&json!("2026-03-16T09:00:00.0000000"), &json!("Europe/Berlin"))
    );
    // The name of elsewhere is within the GlobalObjectId, in hexadecimal digits.
    let within: String = format!("{id}@google.com").bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(copy["iCalUId"].as_str().unwrap().contains(&within));
    post.two.respond_to(MIA, copy["id"].as_str().unwrap(), "accept").unwrap();
    post.carry();
    assert_eq!(post.one.event(ROSA, &id).unwrap()["attendees"][0]["responseStatus"], "accepted");
    post.one.edit(ROSA, &id, &json!({"summary": "Demo, renamed"})).unwrap();
    post.carry();
    let copy = post.mias().remove(0);
    assert_eq!((&copy["subject"], &copy["responseStatus"]["response"]), (&json!("Demo, renamed"), &json!("accepted")));
    post.one.delete(ROSA, &id).unwrap();
    post.carry();
    assert_eq!(post.mias()[0]["isCancelled"], true);
}

#[test]
fn the_same_the_other_way_round() {
    let post = Post::new();
    let id = post.two.create(MIA, &mias_event(json!({"location": {"displayName": "Room 2"}}))).unwrap();
    post.carry();
    let copy = post.rosas().remove(0);
    assert_eq!(
        (&copy["summary"], &copy["location"], &copy["organizer"]["email"]),
        (&json!("Review"), &json!("Room 2"), &json!(MIA))
    );
    assert_eq!(copy["iCalUID"], post.mias()[0]["uid"]);
    let own = copy["id"].as_str().unwrap().to_owned();
    assert!(post.one.edit(ROSA, &own, &json!({"summary": "Mine"})).is_err(), "it is not hers");
    post.one.respond_to(ROSA, &own, "tentative").unwrap();
    post.carry();
    assert_eq!(post.mias()[0]["attendees"][0]["status"]["response"], "tentativelyAccepted");
    post.two.edit(MIA, &id, &json!({"subject": "Review, renamed"})).unwrap();
    post.carry();
    let copy = post.rosas().remove(0);
    assert_eq!(
        (&copy["summary"], &copy["attendees"][0]["responseStatus"]),
        (&json!("Review, renamed"), &json!("tentative"))
    );
    post.one.delete(ROSA, &own).unwrap();
    post.carry();
    assert_eq!(post.mias()[0]["attendees"][0]["status"]["response"], "declined");
}

#[test]
fn series_and_their_single_occurrences_travel() {
    let post = Post::new();
    let id =
        post.one.create(ROSA, &rosas_event(json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO"]}))).unwrap();
    post.one.edit(ROSA, &format!("{id}_20260323T090000Z"), &json!({"summary": "Special"})).unwrap();
    post.one.delete(ROSA, &format!("{id}_20260330T080000Z")).unwrap();
    post.carry();
    let copy = post.mias().remove(0);
    assert_eq!(copy["recurrence"]["pattern"]["daysOfWeek"], json!(["monday"]));
    assert_eq!(
        (&copy["exceptionOccurrences"][0]["subject"], &copy["cancelledOccurrences"]),
        (&json!("Special"), &json!(["2026-03-30"]))
    );

    let weekly = json!({"recurrence": {"pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
                                       "range": {"type": "numbered", "startDate": "2026-03-16", "numberOfOccurrences": 4}}});
    let id = post.two.create(MIA, &mias_event(weekly)).unwrap();
    post.carry();
    let copy = post.rosas().into_iter().find(|event| event["summary"] == "Review").unwrap();
    assert_eq!(copy["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO;WKST=SU"]));
    let own = copy["id"].as_str().unwrap().to_owned();
    post.one.respond_to(ROSA, &format!("{own}_20260323T090000Z"), "declined").unwrap();
    post.carry();
    let series = post.mias().into_iter().find(|event| event["id"] == id).unwrap();
    assert_eq!(series["exceptionOccurrences"][0]["attendees"][0]["status"]["response"], "declined");
    assert_eq!(series["attendees"][0]["status"]["response"], "none");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Whatever both do, and however often mails come twice: they fall silent, and an event that nobody took off says
    /// the same on both sides.
    #[test]
    fn both_fall_silent_and_agree(acts in prop::collection::vec((0u8..6, any::<bool>()), 1..14)) {
        let post = Post::new();
        let hers = post.one.create(ROSA, &rosas_event(json!({}))).unwrap();
        let mias = post.two.create(MIA, &mias_event(json!({}))).unwrap();
        post.carry();
        let copy_of = |subject: &str| post.mias().into_iter().find(|event| event["subject"].as_str().unwrap().contains(subject));
        let at_mias = copy_of("Demo").unwrap()["id"].as_str().unwrap().to_owned();
        let at_rosas = post.rosas().into_iter().find(|event| event["id"] != hers).unwrap()["id"].as_str().unwrap().to_owned();
        let mut removed = false;
        for (n, (act, carry)) in acts.into_iter().enumerate() {
            let done = match act {
                0 => post.one.edit(ROSA, &hers, &json!({"summary": format!("Demo {n}")})),
                1 => post.two.edit(MIA, &mias, &json!({"subject": format!("Review {n}")})),
                2 => post.two.respond_to(MIA, &at_mias, "accept"),
                3 => post.one.respond_to(ROSA, &at_rosas, "accepted"),
                4 => post.one.edit(ROSA, &hers, &json!({"location": format!("Room {n}")})),
                _ => {
                    removed = true;
                    post.two.delete(MIA, &mias)
                }
            };
            prop_assert!(done.is_ok() || removed, "{:?}", done);
            if carry {
                post.carry();
            }
        }
        post.carry();
        // The last mails come again.
        for mail in post.one.mails_since(0).iter().rev().take(1) {
            post.two.receive(mail);
        }
        prop_assert_eq!(post.carry(), 0);
        let (own, copy) = (post.one.event(ROSA, &hers).unwrap(), copy_of("Demo").unwrap());
        prop_assert_eq!(&own["summary"], &copy["subject"]);
        prop_assert_eq!(&own["location"], &copy["location"]["displayName"]);
    }
}
