//! Polled rows and webhooks say the same: whichever of them arrive, a booking looks the same, and nothing is missed.

use std::sync::Arc;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, json};
use syncline_connect::{Bookings, Connector, Ensured, ErrorKind, Hook, Retry, Secret, Settings, Start, Subscriptions};
use syncline_core::{Clock, booking::message::BookingMessage};
use syncline_sandbox::{CalcomAccount, CalcomConfig, Webhook, calcom::NewBooking};
use url::Url;

use super::Calcom;
use crate::testing::site::{Asker, Calls, Hands, chains, raw, shown};

const KEY: &str = "cal_sandbox_0123456789abcdef";
const SECRET: &str = "a secret of sixteen characters";

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Act {
    Book { kind: u32, day: i64 },
    Move { which: Index, day: i64 },
    Cancel { which: Index },
    AskToMove { which: Index },
    Confirm { which: Index },
    Reject { which: Index },
    Absent { which: Index, absent: bool },
    Touch { which: Index },
    Poll,
}

fn act() -> impl Strategy<Value = Act> {
    let which = any::<Index>;
    prop_oneof![
        4 => (1..=2u32, 1..60i64).prop_map(|(kind, day)| Act::Book { kind, day }),
        3 => (which(), 1..60i64).prop_map(|(which, day)| Act::Move { which, day }),
        2 => which().prop_map(|which| Act::Cancel { which }),
        1 => which().prop_map(|which| Act::AskToMove { which }),
        2 => which().prop_map(|which| Act::Confirm { which }),
        1 => which().prop_map(|which| Act::Reject { which }),
        2 => (which(), any::<bool>()).prop_map(|(which, absent)| Act::Absent { which, absent }),
        1 => which().prop_map(|which| Act::Touch { which }),
        2 => Just(Act::Poll),
    ]
}

struct Lab {
    account: Arc<CalcomAccount>,
    asker: Asker,
    began: Timestamp,
}

impl Lab {
    fn new() -> Self {
        let hands = Hands::at("2026-05-04T09:00:00Z");
        let account = CalcomAccount::new(CalcomConfig::default(), hands.clone());
        let settings = Settings::from([("booker_url".to_owned(), "https://cal.example.com".to_owned())]);
        let asker = Asker {
            http: Box::new(Calls(account.clone())),
            hands,
            base_url: Url::parse("http://sandbox").expect("an address"),
            bearer: Secret::new(KEY),
            settings,
        };
        let began = asker.hands.now();
        let lab = Self { account, asker, began };
        assert_eq!(lab.ensure(), Ok(Ensured::Created));
        lab
    }

    fn hook() -> Hook {
        Hook { url: Url::parse("https://s.example/hooks/cal/x").expect("an address"), secret: Secret::new(SECRET) }
    }

    fn ensure(&self) -> Result<Ensured, syncline_connect::Error> {
        let (cx, hook) = (self.asker.cx(), Self::hook());
        let answered = Calcom.ensure(&cx, &hook).now_or_never().expect("a sandbox answers at once");
        answered.map(|answered| answered.value)
    }

    fn book(&self, kind: u32, day: i64) -> Option<String> {
        let start = self.began + SignedDuration::from_hours(24 * day);
        self.account.book(&NewBooking {
            event_type: kind,
            start,
            name: "Ada Lovelace".into(),
            email: format!("ada{day}@example.org"),
            guests: vec!["bob@example.net".into()],
            responses: Map::from_iter([("team_size".to_owned(), json!("25"))]),
        })
    }

    fn act(&self, act: &Act, uids: &mut Vec<String>) {
        let uid = |which: &Index| uids.get(which.index(uids.len().max(1))).cloned();
        let day = |day: i64| self.began + SignedDuration::from_hours(24 * day + 1);
        match act {
            Act::Book { kind, day } => uids.extend(self.book(*kind, *day)),
            Act::Move { which, day: to } => {
                let new =
                    uid(which).and_then(|uid| self.account.reschedule(&uid, day(*to), "ada@example.org", "later"));
                uids.extend(new);
            }
            Act::Cancel { which } => {
                uid(which).map(|uid| self.account.cancel(&uid, "ada@example.org", "ill"));
            }
            Act::AskToMove { which } => {
                uid(which).map(|uid| self.account.request_reschedule(&uid, "too soon"));
            }
            Act::Confirm { which } => {
                uid(which).map(|uid| self.account.confirm(&uid));
            }
            Act::Reject { which } => {
                uid(which).map(|uid| self.account.reject(&uid, "full"));
            }
            Act::Absent { which, absent } => {
                // Marks are set once the meeting has begun.
                self.asker.hands.pass(61 * 24 * 3600);
                uid(which).map(|uid| self.account.mark_absent(&uid, "bob@example.net", *absent));
            }
            Act::Touch { which } => {
                if let Some(uid) = uid(which) {
                    self.account.touch(&uid);
                }
            }
            Act::Poll => {}
        }
    }
}

fn read(webhooks: &[Webhook]) -> Vec<BookingMessage> {
    let secrets = [Secret::new(SECRET)];
    webhooks
        .iter()
        .flat_map(|webhook| {
            let raw = raw(webhook);
            Calcom.verify(&raw, &secrets, Timestamp::UNIX_EPOCH).expect("it is signed");
            Calcom.read(&raw, Timestamp::UNIX_EPOCH).expect("it can be read").messages
        })
        .collect()
}

/// What a run of acts brings: all webhooks, and all rows of the polls between them and at the end.
fn run(acts: &[Act]) -> (Vec<BookingMessage>, Vec<BookingMessage>) {
    let lab = Lab::new();
    let (mut uids, mut cursor) = (Vec::new(), None);
    let (mut told, mut found) = (Vec::new(), Vec::new());
    for act in acts {
        lab.asker.hands.pass(90);
        lab.act(act, &mut uids);
        told.extend(read(&lab.account.take_webhooks()));
        if matches!(act, Act::Poll) {
            found.extend(lab.asker.poll(&Calcom, &mut cursor, lab.began));
        }
    }
    lab.asker.hands.pass(90);
    found.extend(lab.asker.poll(&Calcom, &mut cursor, lab.began));
    (told, found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Where every webhook arrives, the poll changes nothing that anybody sees, in any order.
    /// proves: B2, B5
    #[test]
    fn rows_change_nothing_where_every_webhook_arrived(
        acts in proptest::collection::vec(act(), 1..12),
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

    /// Where webhooks are lost, the rows bring every booking and how it stands. What a row cannot say (that the host asked
    /// to move, why a request was declined) needs the webhook, so those acts are left out here.
    /// proves: B5, fault:W4
    #[test]
    fn rows_fill_what_lost_webhooks_left(
        acts in proptest::collection::vec(
            act().prop_filter("rows tell of it", |act| !matches!(act, Act::AskToMove { .. } | Act::Reject { .. })), 1..12),
        lost in proptest::collection::vec(any::<bool>(), 24),
    ) {
        let simple = |act: Act| match act {
            // Whether a booking stood before it ended is not told where hosts confirm.
            Act::Book { day, .. } => Act::Book { kind: 1, day },
            other => other,
        };
        let acts: Vec<Act> = acts.into_iter().map(simple).collect();
        let (told, found) = run(&acts);
        let kept = told.iter().zip(lost.iter().cycle()).filter(|(_, lost)| !**lost).map(|(message, _)| message);
        let mixed: Vec<BookingMessage> = kept.chain(&found).cloned().collect();
        let (whole, mixed) = (chains(&told), chains(&mixed));
        prop_assert_eq!(whole.len(), mixed.len());
        for ((key, whole), (_, mixed)) in whole.iter().zip(&mixed) {
            prop_assert_eq!(shown(whole), shown(mixed), "chain {}", key);
        }
    }
}

/// proves: B5
#[test]
fn a_poll_that_finds_nothing_new_is_one_call() {
    let lab = Lab::new();
    for day in 1..=5 {
        lab.book(1, day);
    }
    let mut cursor = None;
    assert!(!lab.asker.poll(&Calcom, &mut cursor, lab.began).is_empty());
    let before = lab.account.calls();
    assert!(lab.asker.poll(&Calcom, &mut cursor, lab.began).is_empty());
    assert_eq!(lab.account.calls() - before, 1);
}

/// Rows shift while pages are read, and many changed at the same moment.
/// proves: B5, fault:B4
#[test]
fn no_row_is_missed_between_pages() {
    let lab = Lab::new();
    let mut all: Vec<String> = (1..=250).filter_map(|day| lab.book(1, day)).collect();
    let (mut cursor, mut seen) = (None::<String>, std::collections::BTreeSet::new());
    for round in 0..40 {
        let start = cursor.as_deref().map_or(Start::Since(lab.began), Start::Cursor);
        let (page, _) = lab.asker.page(&Calcom, start).expect("an answer");
        seen.extend(
            page.rows.into_iter().flat_map(|row| row.content.expect("readable")).map(|m| m.booking.as_str().to_owned()),
        );
        cursor = Some(page.cursor);
        lab.asker.hands.pass(7);
        if round < 10 {
            // What was first on the list moves to its end, and something new comes.
            lab.account.touch(&all[round]);
            all.extend(lab.book(1, 300 + i64::try_from(round).expect("small")));
        } else if !page.more {
            break;
        }
    }
    let all: std::collections::BTreeSet<String> = all.into_iter().collect();
    assert_eq!(seen, all);
}

#[test]
fn nothing_older_than_the_beginning_is_read() {
    let lab = Lab::new();
    lab.book(1, 1);
    lab.asker.hands.pass(3600);
    let late = lab.asker.hands.now();
    let mut cursor = None;
    assert!(lab.asker.poll(&Calcom, &mut cursor, late).is_empty());
}

/// proves: B23
#[test]
fn seats_are_found_and_those_who_are_known_to_have_come_first_stay_first() {
    let lab = Lab::new();
    let seat = |email: &str| {
        lab.asker.hands.pass(60);
        let start = lab.began + SignedDuration::from_hours(48);
        let new = NewBooking {
            event_type: 3,
            start,
            name: email.into(),
            email: email.into(),
            guests: Vec::new(),
            responses: Map::new(),
        };
        lab.account.book(&new).expect("there is room")
    };
    let uid = seat("zoe@example.org");
    seat("ada@example.org");
    let told = read(&lab.account.take_webhooks());
    let found = lab.asker.poll(&Calcom, &mut None, lab.began);
    let mixed: Vec<BookingMessage> = told.iter().chain(&found).cloned().collect();
    let (alone, together) = (chains(&told), chains(&mixed));
    assert_eq!(alone[0].1.view(), together[0].1.view());
    let without = chains(&found);
    let view = without[0].1.view().expect("content");
    assert_eq!(view.other_seats.len(), 1, "nobody is missing where both webhooks were lost");
    lab.account.cancel(&uid, "rosa@host.example", "ill");
    let end = lab.asker.poll(&Calcom, &mut None, lab.began);
    let ended = chains(&end);
    assert!(matches!(
        ended[0].1.view().expect("content").standing,
        syncline_core::booking::chain::Standing::Cancelled { .. }
    ));
}

#[test]
fn what_goes_wrong_is_told_apart() {
    let lab = Lab::new();
    let failing = |bearer: &str| {
        let mut lab = Lab::new();
        lab.asker.bearer = Secret::new(bearer);
        lab.asker.page(&Calcom, Start::Since(lab.began)).expect_err("refused")
    };
    let error = failing("another");
    assert_eq!((error.kind, error.retry), (ErrorKind::Unauthorised, Retry::Never));
    for _ in 0..200 {
        let _ = lab.asker.page(&Calcom, Start::Since(lab.began));
    }
    let error = lab.asker.page(&Calcom, Start::Since(lab.began)).expect_err("too many");
    assert_eq!((error.kind, error.retry), (ErrorKind::RateLimited, Retry::After(std::time::Duration::from_secs(60))));
    let error = lab.asker.page(&Calcom, Start::Cursor("{}")).expect_err("no cursor");
    assert_eq!(error.kind, ErrorKind::Configuration);
}

#[test]
fn a_webhook_is_made_once_and_mended() {
    let lab = Lab::new();
    assert_eq!(lab.ensure(), Ok(Ensured::Active));
    lab.account.switch_webhooks(false);
    assert!(matches!(lab.ensure(), Ok(Ensured::Mended { why }) if why.contains("switched off")));
    assert_eq!(lab.ensure(), Ok(Ensured::Active));
    assert!(Calcom.subscriptions().is_some());
}
