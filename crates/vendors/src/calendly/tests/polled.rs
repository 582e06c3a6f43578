//! Polled rows and webhooks say the same: whichever of them arrive, a booking looks the same, and nothing is missed.

use std::sync::Arc;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::Index};
use syncline_connect::{Bookings, Connector, Ensured, ErrorKind, Hook, Retry, Secret, Settings, Start, Subscriptions};
use syncline_core::{Clock, booking::message::BookingMessage};
use syncline_sandbox::{
    CalendlyConfig, CalendlyOrg,
    calendly::{NewInvitee, Sent},
};
use url::Url;

use super::Calendly;
use crate::testing::site::{Asker, Calls, Hands, chains, raw, shown};

const TOKEN: &str = "sandbox-personal-token-0123456789";
const SECRET: &str = "a secret of sixteen characters";

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Act {
    Book { kind: usize, day: i64 },
    Move { which: Index, day: i64 },
    Cancel { which: Index },
    NoShow { which: Index },
    NewLink { which: Index },
    Poll,
}

fn act() -> impl Strategy<Value = Act> {
    let which = any::<Index>;
    prop_oneof![
        4 => (0..2usize, 1..6i64).prop_map(|(kind, day)| Act::Book { kind, day }),
        3 => (which(), 6..60i64).prop_map(|(which, day)| Act::Move { which, day }),
        2 => which().prop_map(|which| Act::Cancel { which }),
        2 => which().prop_map(|which| Act::NoShow { which }),
        1 => which().prop_map(|which| Act::NewLink { which }),
        2 => Just(Act::Poll),
    ]
}

struct Lab {
    org: Arc<CalendlyOrg>,
    asker: Asker,
    began: Timestamp,
}

impl Lab {
    fn with(config: CalendlyConfig) -> Self {
        let hands = Hands::at("2026-05-04T09:00:00Z");
        let org = CalendlyOrg::new(config, hands.clone());
        let asker = Asker {
            http: Box::new(Calls(org.clone())),
            hands,
            base_url: Url::parse("http://sandbox").expect("an address"),
            bearer: Secret::new(TOKEN),
            settings: Settings::new(),
        };
        let began = asker.hands.now();
        Self { org, asker, began }
    }

    fn new() -> Self {
        let lab = Self::with(CalendlyConfig::default());
        assert_eq!(lab.ensure(), Ok(Ensured::Created));
        lab
    }

    fn ensure(&self) -> Result<Ensured, syncline_connect::Error> {
        let url = Url::parse("https://s.example/hooks/calendly/x").expect("an address");
        let (cx, hook) = (self.asker.cx(), Hook { url, secret: Secret::new(SECRET) });
        let answered = Calendly.ensure(&cx, &hook).now_or_never().expect("a sandbox answers at once");
        answered.map(|answered| answered.value)
    }

    fn book(&self, kind: usize, day: i64, email: &str) -> Option<String> {
        self.org.book(&NewInvitee {
            event_type: ["TYPE1", "TYPE2"][kind].into(),
            start: self.began + SignedDuration::from_hours(24 * day),
            name: "Ada Lovelace".into(),
            email: email.into(),
            guests: vec!["bob@example.net".into()],
            answers: vec![("How large is your team?".into(), "25".into())],
        })
    }

    fn act(&self, act: &Act, invitees: &mut Vec<String>) {
        let known = |which: &Index| invitees.get(which.index(invitees.len().max(1))).cloned();
        match act {
            Act::Book { kind, day } => {
                let email = format!("ada{}@example.org", invitees.len());
                invitees.extend(self.book(*kind, *day, &email));
            }
            Act::Move { which, day } => {
                let start = self.began + SignedDuration::from_hours(24 * day + 1);
                invitees.extend(known(which).and_then(|one| self.org.reschedule(&one, start, "Ada Lovelace", "later")));
            }
            Act::Cancel { which } => {
                known(which).map(|one| self.org.cancel(&one, "Ada Lovelace", "ill"));
            }
            Act::NoShow { which } => {
                known(which).map(|one| self.org.mark_no_show(&one, true));
            }
            Act::NewLink { which } => {
                if let Some(one) = known(which) {
                    self.org.change_link(&one, "https://video.example.com/other");
                }
            }
            Act::Poll => {}
        }
    }

    /// Takes the webhooks, all of which arrive.
    fn webhooks(&self) -> Vec<Sent> {
        let sent = self.org.take_webhooks();
        sent.iter().for_each(|one| self.org.report(one, true));
        sent
    }

    fn read(&self, sent: &[Sent]) -> Vec<BookingMessage> {
        let secrets = [Secret::new(SECRET)];
        let now = self.asker.hands.now();
        sent.iter()
            .flat_map(|one| {
                let raw = raw(&one.webhook);
                Calendly.verify(&raw, &secrets, now).expect("it is signed");
                Calendly.read(&raw, now).expect("it can be read").messages
            })
            .collect()
    }
}

/// What a run of acts brings: all webhooks, and all rows of the polls between them and at the end, after a day in which
/// the deep scan has come round.
fn run(acts: &[Act]) -> (Vec<BookingMessage>, Vec<BookingMessage>) {
    let lab = Lab::new();
    let (mut invitees, mut cursor) = (Vec::new(), None);
    let (mut told, mut found) = (Vec::new(), Vec::new());
    for act in acts {
        lab.asker.hands.pass(90);
        lab.act(act, &mut invitees);
        told.extend(lab.read(&lab.webhooks()));
        if matches!(act, Act::Poll) {
            found.extend(lab.asker.poll(&Calendly, &mut cursor, lab.began));
        }
    }
    // Marks on meetings that are to come are found once they have begun.
    for _ in 0..10 {
        lab.asker.hands.pass(7 * 24 * 3600);
        found.extend(lab.asker.poll(&Calendly, &mut cursor, lab.began));
    }
    (told, found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Where every webhook arrives, the poll changes nothing that anybody sees, in any order.
    /// proves: B2, B5
    #[test]
    fn rows_change_nothing_where_every_webhook_arrived(
        acts in proptest::collection::vec(act().prop_filter("told", |act| !matches!(act, Act::NewLink { .. })), 1..12),
        order in any::<u64>(),
    ) {
        let (told, found) = run(&acts);
        let mut both: Vec<BookingMessage> = told.iter().chain(&found).cloned().collect();
        let turn = usize::try_from(order % 97).expect("small") % both.len().max(1);
        both.rotate_left(turn);
        let (alone, together) = (chains(&told), chains(&both));
        prop_assert_eq!(alone.len(), together.len());
        for ((key, alone), (_, together)) in alone.iter().zip(&together) {
            prop_assert_eq!(shown(alone), shown(together), "chain {}", key);
        }
    }

    /// Whatever webhooks are lost, the rows bring every booking and how it stands.
    /// proves: B5, fault:W4
    #[test]
    fn rows_fill_what_lost_webhooks_left(
        acts in proptest::collection::vec(act(), 1..12),
        lost in proptest::collection::vec(any::<bool>(), 24),
    ) {
        let (told, found) = run(&acts);
        let kept = told.iter().zip(lost.iter().cycle()).filter(|(_, lost)| !**lost).map(|(message, _)| message);
        let mixed: Vec<BookingMessage> = kept.chain(&found).cloned().collect();
        let whole: Vec<BookingMessage> = told.iter().chain(&found).cloned().collect();
        let (whole, mixed, found) = (chains(&whole), chains(&mixed), chains(&found));
        prop_assert_eq!(whole.len(), mixed.len());
        for (((key, whole), (_, mixed)), (_, found)) in whole.iter().zip(&mixed).zip(&found) {
            prop_assert_eq!(shown(whole), shown(mixed), "chain {}", key);
            prop_assert_eq!(shown(whole), shown(found), "chain {} without any webhook", key);
        }
    }
}

/// proves: B5
#[test]
fn a_poll_is_a_few_calls() {
    let lab = Lab::new();
    for day in 1..=30 {
        lab.book(0, day, "ada@example.org");
    }
    lab.asker.hands.pass(3600);
    let mut cursor = None;
    assert!(!lab.asker.poll(&Calendly, &mut cursor, lab.began).is_empty());
    lab.asker.hands.pass(600);
    let before = lab.org.calls();
    assert!(lab.asker.poll(&Calendly, &mut cursor, lab.began).is_empty());
    assert_eq!(lab.org.calls() - before, 1, "one page of events, none of them changed");
}

/// The first scan of a large organization takes many pages, and what changes meanwhile is not missed.
/// proves: B5, fault:B4
#[test]
fn no_event_is_missed_between_pages() {
    let lab = Lab::new();
    let mut all: Vec<String> = (0..230).filter_map(|n| lab.book(0, 1 + n % 80, "ada@example.org")).collect();
    let (mut cursor, mut seen) = (None::<String>, std::collections::BTreeSet::new());
    for round in 0..60 {
        let start = cursor.as_deref().map_or(Start::Since(lab.began), Start::Cursor);
        let (page, _) = lab.asker.page(&Calendly, start).expect("an answer");
        for message in page.rows.into_iter().flat_map(|row| row.content.expect("readable")) {
            seen.insert(message.booking.as_str().rsplit('/').next().unwrap_or_default().to_owned());
        }
        cursor = Some(page.cursor);
        lab.asker.hands.pass(6);
        if round < 8 {
            all.extend(lab.book(0, 2, "late@example.org"));
        } else if round > 30 && !page.more {
            break;
        }
    }
    assert_eq!(seen, all.into_iter().collect());
}

#[test]
fn nothing_older_than_the_beginning_is_read() {
    let lab = Lab::new();
    let old = lab.book(0, 3, "ada@example.org").expect("booked");
    lab.asker.hands.pass(3600);
    let late = lab.asker.hands.now();
    let mut cursor = None;
    assert!(lab.asker.poll(&Calendly, &mut cursor, late).is_empty());
    lab.asker.hands.pass(3600);
    lab.org.cancel(&old, "Ada", "ill");
    assert!(!lab.asker.poll(&Calendly, &mut cursor, late).is_empty(), "what changes later is of interest, however old");
}

/// A form that was submitted without a booking is found although its webhook was lost, and is the same as that.
///
/// proves: B5, B3
#[test]
fn lost_submissions_of_routing_forms_are_found() {
    let lab = Lab::new();
    let mut cursor = None;
    lab.org.submit_form(&[("Email", "early@example.org"), ("Name", "Early Bird")]);
    let told = lab.read(&lab.webhooks());
    lab.asker.hands.pass(1200);
    let first = lab.asker.poll(&Calendly, &mut cursor, lab.began);
    assert_eq!((first.len(), told.len()), (1, 1));
    let (found, told) = (chains(&first), chains(&told));
    assert_eq!((&found[0].0, shown(&found[0].1)), (&told[0].0, shown(&told[0].1)), "whichever of them arrives");
    lab.asker.hands.pass(600);
    lab.org.submit_form(&[("Email", "ada@example.org")]);
    lab.org.submit_form(&[("Team", "no address")]);
    assert!(lab.asker.poll(&Calendly, &mut cursor, lab.began).is_empty(), "forms are looked at once an hour");
    lab.asker.hands.pass(3600);
    let calls = lab.org.calls();
    let later = lab.asker.poll(&Calendly, &mut cursor, lab.began);
    assert_eq!(lab.org.calls() - calls, 3, "events, forms, submissions");
    let emails: Vec<&str> = later
        .iter()
        .filter_map(|message| message.booked.as_ref())
        .map(|booked| booked.invitee.email.as_str())
        .collect();
    assert_eq!(emails, ["ada@example.org"], "what was read before is not read again, and nobody is found by a team");
    // More submissions than a page holds.
    for number in 0..130 {
        lab.org.submit_form(&[("Email", &format!("p{number}@example.org"))]);
    }
    lab.asker.hands.pass(3600);
    assert_eq!(lab.asker.poll(&Calendly, &mut cursor, lab.began).len(), 130);
}

/// proves: fault:W4
#[test]
fn a_disabled_subscription_is_made_anew() {
    let lab = Lab::new();
    assert_eq!(lab.ensure(), Ok(Ensured::Active));
    lab.book(0, 1, "ada@example.org");
    let fail = || lab.org.take_webhooks().iter().for_each(|one| lab.org.report(one, false));
    fail();
    assert!(matches!(lab.ensure(), Ok(Ensured::Failing { since }) if since == lab.began));
    lab.asker.hands.pass(25 * 3600);
    fail();
    assert!(matches!(lab.ensure(), Ok(Ensured::Mended { why }) if why.contains("failed for a day")));
    assert_eq!(lab.ensure(), Ok(Ensured::Active));
    lab.book(0, 2, "ada@example.org");
    assert_eq!(lab.read(&lab.webhooks()).len(), 1, "signed with the same key");
}

#[test]
fn whoever_is_no_admin_asks_for_their_own() {
    let mut lab = Lab::with(CalendlyConfig { is_admin: false, ..CalendlyConfig::default() });
    lab.book(0, 1, "ada@example.org");
    let error = lab.asker.page(&Calendly, Start::Since(lab.began)).expect_err("refused");
    assert_eq!((error.kind, error.retry), (ErrorKind::Forbidden, Retry::Never));
    assert_eq!(lab.ensure().expect_err("refused").kind, ErrorKind::Forbidden);
    lab.asker.settings.insert("scope".into(), "user".into());
    assert!(!lab.asker.poll(&Calendly, &mut None, lab.began).is_empty());
    assert_eq!(lab.ensure(), Ok(Ensured::Created));
    lab.asker.settings.insert("scope".into(), "galaxy".into());
    assert_eq!(lab.ensure().expect_err("refused").kind, ErrorKind::Configuration);
    assert!(Calendly.subscriptions().is_some());
}

/// What hosts note for themselves is not even kept as a raw body.
#[test]
fn internal_notes_are_not_kept() {
    let lab = Lab::new();
    lab.book(0, 1, "ada@example.org");
    let (page, _) = lab.asker.page(&Calendly, Start::Since(lab.began)).expect("an answer");
    let body = String::from_utf8(page.rows[0].body.clone()).expect("text");
    assert!(body.contains("ada@example.org") && !body.contains("internal remark"));
}
