//! Deletions: how many at once are believed, what a person's confirmation covers, and what a refused one comes to.

use jiff::SignedDuration;
use serde_json::json;
use syncline_core::merge::{Side, WhenDeleted};
use syncline_engine::records::{RecordFlow, RoundEnd};
use syncline_store::{ActivityFilter, FlowStanding, HoldView};

use super::{
    company::Company,
    deals::seed,
    desk::{Desk, add, edit, pair, people},
};

const STOPPED: RoundEnd = RoundEnd::NotActive(FlowStanding::Stopped);

impl Company {
    fn flow(&self) -> &RecordFlow {
        &self.engine.setup().records[0]
    }

    async fn end(&self) -> RoundEnd {
        self.engine.records_round(self.flow(), false).await.expect("the database answers")
    }

    async fn holds(&self) -> Vec<HoldView> {
        let (store, flow) = (&self.engine.world().store, self.flow());
        store.holds(&flow.workspace, &flow.id, None, 200).await.expect("the database answers")
    }

    /// Contacts of the CRM that are not deleted.
    fn there_now(&self) -> usize {
        self.org.records("Contact").iter().filter(|contact| contact["IsDeleted"] != json!(true)).count()
    }

    /// How often the activity log says so.
    async fn told(&self, words: &str) -> usize {
        let filter = ActivityFilter { limit: 200, ..ActivityFilter::default() };
        let rows = self.engine.world().store.activity(&self.flow().workspace, filter).await;
        rows.expect("the database answers").iter().filter(|row| row.entry.text.contains(words)).count()
    }

    /// So many people in the CRM, by their ids.
    fn people(&self, count: usize) -> Vec<String> {
        let person = |n| json!({ "LastName": format!("Last{n}"), "Email": format!("p{n:04}@example.org") });
        (0..count).map(|n| seed(self, "Contact", person(n))).collect()
    }
}

/// One integration, of contacts alone; whoever is deleted in the CRM is deleted in the tool.
fn follows_the_crm(flows: &mut Vec<RecordFlow>) {
    flows.truncate(1);
    flows[0].pairs.truncate(1);
    flows[0].pairs[0].right.deleted = WhenDeleted::Delete;
}

/// The round that stops an integration writes nothing either: where a tool was restored from a backup, who is missing there
/// stops it, and the old values of those who are left do not reach the CRM.
///
/// proves: R16
#[tokio::test]
async fn the_round_that_stops_writes_nothing() {
    let desk = Desk::new(vec![pair()]).await;
    for n in 0..120 {
        add(&desk.left, &format!("p{n}@example.org"), json!({ "CITY": "Paris" }));
    }
    desk.activate().await;
    desk.calm().await;
    let before = desk.left.effects();
    for n in 0..120 {
        let id = desk.right.contact_with_email(&format!("p{n}@example.org")).expect("it was made");
        match n {
            0..100 => desk.right.delete(id).expect("it is there"),
            _ => edit(&desk.right, id, &json!({ "CITY": "London" })),
        }
    }
    desk.hands.pass(SignedDuration::from_hours(25));
    let end = desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
    assert_eq!(end, STOPPED);
    assert_eq!(desk.left.effects(), before, "{:?}", desk.told().await);
}

/// Deletions that arrive wave by wave are added up over a day: the wave that makes them too many stops the integration, and
/// a person's word lets it go on. What was confirmed does not count against the next deletion.
///
/// proves: R16
#[tokio::test]
async fn deletions_in_waves_add_up() {
    let company = Company::changed(follows_the_crm).await;
    let ids = company.people(200);
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 200);
    for (wave, left) in [(&ids[..40], 160), (&ids[40..50], 150)] {
        wave.iter().for_each(|id| company.org.delete(id).expect("it is there"));
        company.calm().await;
        assert_eq!(people(&company.brevo).len(), left, "few are believed");
    }
    company.org.delete(&ids[50]).expect("it is there");
    assert_eq!(company.end().await, STOPPED, "fifty-one within a day");
    assert_eq!(people(&company.brevo).len(), 150);
    let end = company.engine.run_now(company.flow(), true).await.expect("the database answers");
    assert!(matches!(end, RoundEnd::Done(_)), "{end:?}");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 149);
    company.org.delete(&ids[51]).expect("it is there");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 148, "it begins to count anew");
}

/// Another day is counted by itself.
///
/// proves: R16
#[tokio::test]
async fn few_deletions_a_day_go_on_for_ever() {
    let company = Company::changed(follows_the_crm).await;
    let ids = company.people(200);
    company.calm().await;
    for day in ids.chunks(40) {
        day.iter().for_each(|id| company.org.delete(id).expect("it is there"));
        company.calm().await;
        company.hands.pass(SignedDuration::from_hours(25));
    }
    assert_eq!(people(&company.brevo).len(), 0);
}

/// All deletions that wait are counted, not only those that are decided about together: here the month's quota leaves room
/// for ten, and a hundred and twenty wait.
///
/// proves: R16
#[tokio::test]
async fn all_deletions_that_wait_are_counted() {
    let company = Company::changed(|flows| {
        follows_the_crm(flows);
        flows[0].tasks_per_month = Some(130);
    })
    .await;
    let ids = company.people(120);
    company.calm().await;
    ids.iter().for_each(|id| company.org.delete(id).expect("it is there"));
    assert_eq!(company.end().await, STOPPED);
    assert_eq!(people(&company.brevo).len(), 120);
}

/// A preview of an integration that the brake has stopped shows what would be deleted, and where, and leaves it stopped:
/// whether its vendor told of the deletions (the CRM) or a whole reading showed nobody any more (Brevo).
///
/// proves: R16
#[tokio::test]
async fn a_stopped_integration_is_previewed() {
    for side in Side::BOTH {
        let company = Company::changed(|flows| {
            follows_the_crm(flows);
            flows[0].pairs[0].left.deleted = WhenDeleted::Delete;
        })
        .await;
        let ids = company.people(120);
        company.calm().await;
        for (n, id) in ids.iter().enumerate().take(100) {
            let there = company.brevo.contact_with_email(&format!("p{n:04}@example.org")).expect("it was made");
            match side {
                Side::Left => company.brevo.delete(there).expect("it is there"),
                Side::Right => company.org.delete(id).expect("it is there"),
            }
        }
        company.hands.pass(SignedDuration::from_hours(25));
        assert_eq!(company.end().await, STOPPED);
        let before = (company.there_now(), people(&company.brevo).len());
        for _ in 0..2 {
            let preview = company.engine.records_preview(company.flow()).await.expect("the database answers");
            let preview = preview.expect("both answer");
            let wanted = if side == Side::Left { (100, 0) } else { (0, 100) };
            assert_eq!((preview.deleted_left, preview.deleted_right), wanted, "{preview:?}");
            assert_eq!((preview.deleted, preview.looked_at), (100, 100));
            let (goes, gone) = if side == Side::Left { ("Contact ", "contact ") } else { ("contact ", "Contact ") };
            assert_eq!(preview.samples.len(), 5);
            for sample in &preview.samples {
                let why = sample.why.as_deref().unwrap_or_default();
                assert!(sample.what == "deleted" && sample.record.starts_with(goes), "{sample:?}");
                assert!(why.starts_with(gone) && why.ends_with(" is gone"), "{sample:?}");
            }
            assert_eq!(company.end().await, STOPPED, "it stays stopped");
        }
        assert_eq!((company.there_now(), people(&company.brevo).len()), before, "nothing was deleted");
        assert_eq!(
            company.told(&format!("`syncline records preview {}` shows", company.flow().id)).await,
            1,
            "the stop says so"
        );
        let end = company.engine.run_now(company.flow(), true).await.expect("the database answers");
        assert!(matches!(end, RoundEnd::Done(_)), "{end:?}");
        company.calm().await;
        assert_eq!((company.there_now(), people(&company.brevo).len()), (20, 20), "what was shown is what is done");
    }
}

/// What a person confirmed holds until what it was said of is done, also where that takes several rounds: here the reading
/// that tells who is missing has more pages than a round reads.
///
/// proves: R16
#[tokio::test]
async fn a_confirmation_holds_until_it_is_carried_out() {
    let company = Company::changed(|flows| {
        flows.drain(..2);
        flows[0].pairs.truncate(1);
        flows[0].pairs[0].left.deleted = WhenDeleted::Delete;
    })
    .await;
    company.people(115);
    company.calm().await;
    assert_eq!(company.hub_emails().len(), 115);
    let ours: Vec<String> = company.hub.snapshot()["contacts"].iter().map(|contact| contact.id.clone()).collect();
    for n in 0..2_100 {
        company.hub.create("contacts", &[("email", &format!("guest{n:04}@example.org"))]).expect("it is sound");
    }
    company.calm().await;
    ours.iter().for_each(|id| company.hub.archive("contacts", id).expect("it is there"));
    company.hands.pass(SignedDuration::from_hours(25));
    let mut end = company.end().await;
    while matches!(&end, RoundEnd::Done(round) if round.more) {
        end = company.end().await;
    }
    assert_eq!(end, STOPPED);
    assert_eq!(company.there_now(), 115);
    let end = company.engine.run_now(company.flow(), true).await.expect("the database answers");
    assert!(matches!(&end, RoundEnd::Done(round) if round.more), "it takes more than a round: {end:?}");
    company.calm().await;
    assert_eq!(company.there_now(), 0);
    // It has done its work: the next time a person is asked again.
    company.people(115);
    company.calm().await;
    assert_eq!(company.there_now(), 115);
    let there = company.hub.snapshot();
    let again = there["contacts"].iter().filter(|contact| contact.properties["email"].starts_with('p'));
    again.for_each(|contact| company.hub.archive("contacts", &contact.id).expect("it is there"));
    company.hands.pass(SignedDuration::from_hours(25));
    let mut end = company.end().await;
    while matches!(&end, RoundEnd::Done(round) if round.more) {
        end = company.end().await;
    }
    assert_eq!(end, STOPPED);
}

/// A deletion that the CRM refuses, because a case hangs on the contact, is held back and says what to do; once the case is
/// gone and somebody says so, it is carried out.
///
/// proves: R16, R21
#[tokio::test]
async fn a_refused_deletion_is_held_back() {
    let company = Company::changed(|flows| {
        flows.truncate(1);
        flows[0].pairs.truncate(1);
        flows[0].pairs[0].left.deleted = WhenDeleted::Delete;
    })
    .await;
    let ids = company.people(3);
    let case = seed(&company, "Case", json!({ "ContactId": ids[0], "Subject": "A loom" }));
    company.calm().await;
    for n in 0..2 {
        let gone = company.brevo.contact_with_email(&format!("p{n:04}@example.org")).expect("it was made");
        company.brevo.delete(gone).expect("it is there");
    }
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    assert_eq!(company.there_now(), 2, "one of two is deleted");
    let holds = company.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    let hold = &holds[0].hold;
    assert!(hold.reason.contains("cannot be deleted while others depend on it"), "{hold:?}");
    assert!(hold.fix.contains("delete the record by hand") && hold.fix.contains("retry"), "{hold:?}");
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    assert_eq!(company.told("refused by the other side").await, 1, "it is not tried again by itself");
    company.org.delete(&case).expect("it is there");
    let (store, flow) = (&company.engine.world().store, company.flow());
    let released = store.release_holds(&flow.workspace, &flow.id, None, company.engine.world().clock.now()).await;
    assert_eq!(released.expect("the database answers"), 1);
    company.calm().await;
    assert_eq!(company.there_now(), 1);
    assert!(company.holds().await.is_empty());
}

/// A record that the CRM refuses to make is not sent again while it is the same; it is when a value changes that may have
/// been the reason, or when somebody says so.
///
/// proves: R14
#[tokio::test]
async fn a_refused_creation_is_not_sent_again() {
    for named in [false, true] {
        let company = Company::changed(|flows| {
            flows.truncate(1);
            flows[0].pairs.truncate(1);
            flows[0].pairs[0].left.create = true;
        })
        .await;
        let mut rule = json!({ "name": "No spam", "object": "Contact", "message": "No spam here",
            "refuse_when": [{ "field": "Title", "value": "Spam" }] });
        if named {
            rule["error_field"] = json!("Title");
        }
        let rules = serde_json::from_value(
            json!({ "duplicate_rules": [], "validation_rules": [rule], "assignment_rules": [] }),
        );
        company.org.set_rules(rules.expect("rules")).expect("rules");
        let ada = add(&company.brevo, "ada@example.org", json!({ "LASTNAME": "Lovelace", "JOB_TITLE": "Spam" }));
        company.calm().await;
        let refused = "refused by the other side";
        assert_eq!((company.told(refused).await, company.holds().await.len()), (1, 1));
        edit(&company.brevo, ada, &json!({ "CITY": "London" }));
        company.calm().await;
        assert_eq!(company.told(refused).await, 1, "nothing of it is mapped");
        let holds = company.holds().await;
        assert!(holds.len() == 1 && holds[0].hold.reason.contains("validation rule"), "{holds:?}");
        edit(&company.brevo, ada, &json!({ "LASTNAME": "King" }));
        company.calm().await;
        assert_eq!(company.told(refused).await, if named { 1 } else { 2 }, "the vendor named the title, or nothing");
        let (store, flow) = (&company.engine.world().store, company.flow());
        let now = company.engine.world().clock.now();
        store.release_holds(&flow.workspace, &flow.id, None, now).await.expect("the database answers");
        company.calm().await;
        assert_eq!(company.told(refused).await, if named { 2 } else { 3 }, "somebody said so");
        edit(&company.brevo, ada, &json!({ "JOB_TITLE": "Countess" }));
        company.calm().await;
        let made = company.org.records("Contact");
        assert_eq!((made.len(), &made[0]["LastName"]), (1, &json!("King")));
        assert!(company.holds().await.is_empty());
    }
}

/// The daily reading of a large kind goes by a job, for which the integration waits without asking on and on; whom it does
/// not show is missing.
///
/// proves: R16, R22
#[tokio::test]
async fn who_is_missing_among_many_is_told_by_a_job() {
    let company = Company::changed(|flows| {
        follows_the_crm(flows);
        flows[0].pairs[0].right.create = false;
    })
    .await;
    let ids = company.people(20_100);
    let gone = [(7, "p0007@example.org"), (20_050, "p20050@example.org")];
    for (_, email) in gone {
        add(&company.brevo, email, json!({ "LASTNAME": "Lovelace" }));
    }
    add(&company.brevo, "p20051@example.org", json!({ "LASTNAME": "King" }));
    let jobs = || {
        let calls = company.org.calls().by_endpoint;
        calls.iter().filter(|(name, _)| name.contains("jobs/query")).map(|(_, count)| *count).sum::<u64>()
    };
    for _ in 0..5 {
        company.end().await;
        company.hands.pass(SignedDuration::from_mins(1));
    }
    company.calm().await;
    let first = jobs();
    assert!((3..=5).contains(&first), "{first} calls about the job: {:?}", company.org.calls().by_endpoint);
    for (number, _) in gone {
        company.org.delete(&ids[number]).expect("it is there");
        company.org.purge(&ids[number]).expect("it is in the bin");
    }
    company.hands.pass(SignedDuration::from_hours(25));
    let mut waited = 0;
    while !matches!(company.end().await, RoundEnd::Done(round) if round.deleted > 0) {
        waited += 1;
        assert!(waited < 40, "the reading does not end");
        company.hands.pass(SignedDuration::from_secs(5));
    }
    assert!(waited > 1, "the job takes its time");
    assert!(jobs() <= 2 * first, "{} calls about both jobs", jobs());
    company.calm().await;
    assert_eq!(people(&company.brevo).into_keys().collect::<Vec<_>>(), ["p20051@example.org"]);
}
