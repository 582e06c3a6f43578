//! What people are told of records in step: once each, whoever sees it first, however often the way to them fails.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use serde_json::json;
use syncline_connect::{BoxFuture, Secret};
use syncline_core::merge::{Policy, WhenDeleted};
use syncline_engine::{
    Engine, Options, Setup,
    alerts::{AlertHook, AlertWays},
    mail::{Mail, Mailer, NotSent},
};
use url::Url;

use super::desk::{Desk, add, edit, pair};

/// A mail server that keeps what it takes; it refuses the first mails of each process, as many as it was told.
#[derive(Default)]
struct Post {
    taken: Mutex<Vec<Mail>>,
    refuses: Mutex<usize>,
}

impl Post {
    fn subjects(&self) -> Vec<String> {
        self.taken.lock().expect("nobody panics").iter().map(|mail| mail.subject.clone()).collect()
    }
}

impl Mailer for Post {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), NotSent>> {
        let mut refuses = self.refuses.lock().expect("nobody panics");
        if *refuses > 0 {
            *refuses -= 1;
            return Box::pin(std::future::ready(Err(NotSent::Later("come back later".to_owned()))));
        }
        self.taken.lock().expect("nobody panics").push(mail.clone());
        Box::pin(std::future::ready(Ok(())))
    }
}

fn ways(post: &Arc<Post>) -> AlertWays {
    AlertWays { mail: Some(post.clone()), webhook: None, pages: None }
}

/// Another process over the same database.
fn another(desk: &Desk) -> Arc<Engine> {
    Engine::new(desk.engine.world().clone(), Setup::default(), Options::default())
}

/// One mail at 80 %, one at the limit, whichever of two processes gets to it and although the mail server refuses at first;
/// in the next month it goes on, and tells anew.
///
/// proves: R18, O7
#[tokio::test]
async fn a_quota_is_told_twice_a_month_and_no_more() {
    let desk = Desk::with(|flow| flow.tasks_per_month = Some(10)).await;
    for n in 0..15 {
        add(&desk.left, &format!("p{n:02}@example.org"), json!({}));
    }
    desk.activate().await;
    let (post, other) = (Arc::new(Post::default()), another(&desk));
    *post.refuses.lock().expect("nobody panics") = 2;
    let workspace = "acme".into();
    for _ in 0..12 {
        desk.round().await;
        let ways = ways(&post);
        let (one, two) =
            tokio::join!(desk.engine.alerts_round(&workspace, &ways), other.alerts_round(&workspace, &ways));
        one.expect("the database answers");
        two.expect("the database answers");
        desk.hands.pass(SignedDuration::from_mins(20));
    }
    let mut told = post.subjects();
    told.sort();
    assert_eq!(
        told,
        [
            "[Syncline] people has used all of this month's transfers and rests",
            "[Syncline] people has used most of this month's transfers",
        ]
    );
    desk.hands.pass(SignedDuration::from_hours(24 * 31));
    desk.calm().await;
    assert_eq!(super::desk::people(&desk.right).len(), 15, "it goes on when the month turns");
    desk.engine.alerts_round(&workspace, &ways(&post)).await.expect("the database answers");
    assert_eq!(post.subjects().len(), 2, "five of ten are no news");
}

/// A stop by the brake on deletions is told once; a way that fails stops no other, and is given up after three days.
///
/// proves: O7, R16
#[tokio::test]
async fn a_stop_is_told_and_a_way_that_fails_stops_no_other() {
    let mut pair = pair();
    pair.right.deleted = WhenDeleted::Delete;
    let desk = Desk::new(vec![pair]).await;
    let ids: Vec<u64> = (0..80).map(|n| add(&desk.left, &format!("p{n}@example.org"), json!({}))).collect();
    desk.activate().await;
    desk.calm().await;
    for id in &ids[..60] {
        desk.left.delete(*id).expect("it is there");
    }
    let before = desk.right.effects();
    for _ in 0..3 {
        desk.hands.pass(SignedDuration::from_hours(25));
        drop(desk.engine.records_round(desk.flow(), false).await.expect("the database answers"));
    }
    assert_eq!(desk.right.effects(), before, "nothing is deleted");
    let post = Arc::new(Post::default());
    // Nobody is at home there.
    let url = Url::parse("https://nowhere.sandbox/alerts").expect("a URL");
    let webhook = Some(AlertHook { url, secret: Secret::new("a secret of sixteen characters") });
    let ways = AlertWays { webhook, ..ways(&post) };
    let workspace = "acme".into();
    let mut rounds = 0;
    loop {
        desk.engine.alerts_round(&workspace, &ways).await.expect("the database answers");
        desk.hands.pass(SignedDuration::from_hours(1));
        rounds += 1;
        let later = desk.now().saturating_add(SignedDuration::from_hours(24)).expect("a time");
        let waiting = desk.store.due_alerts(&workspace, later, 10).await.expect("the database answers");
        if waiting.is_empty() {
            break;
        }
        assert_eq!(waiting[0].told.len(), 1, "the mail is out, the webhook is not");
    }
    assert!((2..=80).contains(&rounds), "{rounds}");
    let told = post.subjects();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("[Syncline] people has stopped: "), "{told:?}");
}

/// What is held back for a person is told once a day, however many records it concerns; nobody's name is in it.
///
/// proves: O7, R21
#[tokio::test]
async fn what_is_held_back_is_told_once_a_day() {
    let mut pair = pair();
    for row in pair.rows.iter_mut().filter(|row| row.left.field == "LASTNAME") {
        row.policy = Policy::Manual;
    }
    let desk = Desk::new(vec![pair]).await;
    let conflict = |n: usize| {
        let address = format!("p{n}@example.org");
        (add(&desk.left, &address, json!({ "LASTNAME": "A" })), add(&desk.right, &address, json!({ "LASTNAME": "A" })))
    };
    let ids: Vec<(u64, u64)> = (0..3).map(conflict).collect();
    desk.activate().await;
    desk.calm().await;
    let (post, workspace) = (Arc::new(Post::default()), "acme".into());
    let told = || async {
        desk.engine.alerts_round(&workspace, &ways(&post)).await.expect("the database answers");
        post.subjects()
    };
    assert_eq!(told().await, [""; 0]);
    for (left, right) in &ids[..2] {
        edit(&desk.left, *left, &json!({ "LASTNAME": "B" }));
        edit(&desk.right, *right, &json!({ "LASTNAME": "C" }));
    }
    desk.calm().await;
    assert_eq!(desk.holds().await.len(), 2);
    assert_eq!(told().await, ["[Syncline] people holds something back for you"]);
    desk.hands.pass(SignedDuration::from_hours(25));
    desk.calm().await;
    assert_eq!(told().await.len(), 1, "what is held back already is no news");
    edit(&desk.left, ids[2].0, &json!({ "LASTNAME": "B" }));
    edit(&desk.right, ids[2].1, &json!({ "LASTNAME": "C" }));
    desk.calm().await;
    assert_eq!(told().await.len(), 2);
    let mails = post.taken.lock().expect("nobody panics");
    assert!(mails.iter().all(|mail| !mail.text.contains("@example.org")), "{mails:?}");
}

/// A key that the vendor no longer takes is a lost connection, told once.
///
/// proves: O7, R23
#[tokio::test]
async fn a_lost_connection_is_told_once() {
    let desk = Desk::new(vec![pair()]).await;
    let (post, workspace) = (Arc::new(Post::default()), "acme".into());
    desk.activate().await;
    desk.calm().await;
    desk.left.set_keys(Vec::new());
    for _ in 0..3 {
        drop(desk.engine.records_round(desk.flow(), false).await.expect("the database answers"));
        desk.engine.alerts_round(&workspace, &ways(&post)).await.expect("the database answers");
        desk.hands.pass(SignedDuration::from_mins(20));
    }
    assert_eq!(post.subjects(), ["[Syncline] left needs to be connected again"]);
    assert!(
        post.taken.lock().expect("nobody panics")[0]
            .text
            .contains("The connection left to Brevo does not work any more")
    );
}
