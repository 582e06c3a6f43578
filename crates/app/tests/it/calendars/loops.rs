//! Two Synclines, each with a database of its own, on one calendar: with one CRM between them, and with a CRM each. Whatever
//! people do, they come to rest, and each meeting is once in each calendar and CRM.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;
use syncline_sandbox::HubSpotAccount;
use syncline_store::FlowStanding;

use super::{
    back::BACK,
    desk::{ADA, Desk, ROSA, hub},
    house::{HOUSES, House},
    kill::Dice,
    suite::Suite,
};
use crate::crms::value;

/// Rounds after which they have to be at rest, and rounds without news that show that they are.
const ROUNDS_MAX: usize = 60;
const IDLE_ROUNDS: usize = 6;

/// Stories, and what happens in each.
const SEEDS: u64 = 12;
const ACTS: usize = 36;

/// Between two acts: several of them lie between two looks into a CRM.
const BETWEEN: SignedDuration = SignedDuration::from_secs(20);

/// What somebody does.
#[derive(Debug, Clone)]
enum Act {
    /// In the calendar.
    Meet,
    Rename(usize),
    Move(usize),
    CallOff(usize),
    /// In one of the CRMs.
    Log(usize),
    Edit(usize, usize),
    /// One of the two has a round.
    Round(usize),
}

impl Act {
    fn cast(dice: &mut Dice) -> Self {
        let (act, one, other) = (dice.below(14), dice.pick(2), dice.pick(1_000));
        match act {
            0..2 => Self::Meet,
            2 => Self::Rename(other),
            3 => Self::Move(other),
            4 => Self::CallOff(other),
            5..7 => Self::Log(one),
            7..9 => Self::Edit(one, other),
            _ => Self::Round(one),
        }
    }
}

/// Two Synclines on Rosa's calendar.
struct Pair {
    desks: [Desk; 2],
    /// Their CRMs: one, or one each.
    hubs: Vec<Arc<HubSpotAccount>>,
    suite: Suite,
    /// How many meetings there were.
    made: usize,
    words: usize,
}

impl Pair {
    async fn new(house: House, crms: usize) -> Self {
        Self::with_name(house, crms, "hub").await
    }

    /// The other calls its CRM so.
    async fn with_name(house: House, crms: usize, name: &str) -> Self {
        let change = |flow: &mut syncline_engine::calendars::CalendarFlow| {
            flow.rules.back = BACK;
            flow.calendars.truncate(1);
            // More often than the CRM is asked, as where changes are told.
            flow.calendars[0].every = SignedDuration::from_secs(30);
        };
        let one = Desk::at(house, change).await;
        let other = if crms == 1 { one.hub.clone() } else { hub(&one.hands) };
        let other = one.another((&other, name), change).await;
        if crms == 2 {
            other.contact(ADA);
        }
        let suite = match house {
            House::Google => Suite::Google(one.google.clone()),
            House::Microsoft => Suite::Microsoft(one.microsoft.clone()),
        };
        let mut hubs = vec![one.hub.clone(), other.hub.clone()];
        hubs.truncate(crms);
        let pair = Self { desks: [one, other], hubs, suite, made: 0, words: 0 };
        for desk in &pair.desks {
            desk.engine.set_standing(desk.flow(), FlowStanding::Active, None, Some("Ada")).await.expect("it is kept");
        }
        pair.rest().await;
        pair
    }

    fn now(&self) -> Timestamp {
        self.desks[0].hands.now()
    }

    fn start(&self) -> Timestamp {
        self.now() + SignedDuration::from_hours(24 * 30 + i64::try_from(self.words).expect("small"))
    }

    /// A name that nothing had before, with the meeting's number in it.
    fn name(&mut self, number: usize) -> String {
        self.words += 1;
        format!("Talk {number} about {}", self.words)
    }

    /// The events of the calendar that stand: their ids and names.
    fn events(&self) -> Vec<(String, String)> {
        self.desks[0].in_calendar(ROSA).into_iter().map(|seen| (seen.id, seen.title)).collect()
    }

    fn act(&mut self, act: &Act) {
        let events = self.events();
        let chosen = |which: &usize| (!events.is_empty()).then(|| events[which % events.len()].clone());
        match act {
            Act::Meet => {
                let name = self.name(self.made);
                self.made += 1;
                self.suite.meet(ROSA, &name, self.start(), &[ADA]);
            }
            Act::Rename(which) => {
                let Some((id, name)) = chosen(which) else { return };
                let name = self.name(number(&name));
                self.suite.rename(ROSA, &id, &name);
            }
            Act::Move(which) => {
                let Some((id, _)) = chosen(which) else { return };
                self.words += 1;
                self.suite.shift(ROSA, &id, self.start());
            }
            Act::CallOff(which) => {
                let Some((id, _)) = chosen(which) else { return };
                self.suite.call_off(ROSA, &id);
            }
            Act::Log(crm) => {
                let name = self.name(self.made);
                self.made += 1;
                let at = self.start().duration_since(self.now()).as_hours();
                self.desks[crm % 2].log(&name, at, ROSA, &[ADA]);
            }
            Act::Edit(crm, which) => {
                let desk = &self.desks[crm % 2];
                let open = desk.records().into_iter().filter(|one| !value(one, "hs_meeting_title").starts_with('['));
                let open: Vec<_> = open.collect();
                let Some(record) = (!open.is_empty()).then(|| &open[which % open.len()]) else { return };
                let (id, number) = (record.id.clone(), number(value(record, "hs_meeting_title")));
                let name = self.name(number);
                self.desks[crm % 2].hub.edit("meetings", &id, &[("hs_meeting_title", &name)]).expect("a person may");
            }
            Act::Round(_) => {}
        }
    }

    async fn play(&mut self, acts: &[Act]) {
        for act in acts {
            self.act(act);
            self.desks[0].hands.pass(BETWEEN);
            if let Act::Round(which) = act {
                self.desks[which % 2].round().await;
            }
        }
    }

    /// Whatever moves when anything is written or mailed.
    fn marks(&self) -> (Vec<usize>, Vec<String>, usize) {
        let crms = self.hubs.iter().map(|hub| hub.effects_since(0).len()).collect();
        (crms, self.suite.marks(), self.desks[0].mails())
    }

    /// Rounds of both in turn, until nothing more is written.
    async fn rest(&self) {
        let (mut idle, mut marks) = (0, self.marks());
        for _ in 0..ROUNDS_MAX {
            for desk in &self.desks {
                desk.hands.pass(SignedDuration::from_secs(100));
                assert_eq!(desk.round().await.failed, []);
            }
            let now = self.marks();
            idle = if now == marks { idle + 1 } else { 0 };
            marks = now;
            if idle == IDLE_ROUNDS {
                return;
            }
        }
        panic!("they do not come to rest: {:?} {:?}", self.desks[0].told().await, self.desks[1].told().await);
    }

    /// Each meeting is once in the calendar, and in each CRM as the calendar says.
    fn agree(&self) -> Result<(), String> {
        let events: Vec<String> = self.events().into_iter().map(|(_, name)| name).collect();
        let once = |all: &[String]| all.iter().map(|name| number(name)).collect::<BTreeSet<_>>().len() == all.len();
        if !once(&events) {
            return Err(format!("twice in the calendar: {events:?}"));
        }
        for hub in &self.hubs {
            let records = hub.snapshot().remove("meetings").unwrap_or_default();
            let titles: Vec<String> = records.iter().map(|one| value(one, "hs_meeting_title").to_owned()).collect();
            let names: Vec<String> =
                titles.iter().map(|title| title.trim_start_matches("[CANCELLED] ").to_owned()).collect();
            if !once(&names) {
                return Err(format!("twice in a CRM: {titles:?}; {events:?}"));
            }
            let open: BTreeSet<&String> = titles.iter().filter(|title| !title.starts_with('[')).collect();
            if open != events.iter().collect() {
                return Err(format!("a CRM says {titles:?}, the calendar {events:?}"));
            }
        }
        Ok(())
    }
}

/// The number of a meeting, which stands in all its names.
fn number(name: &str) -> usize {
    let name = name.trim_start_matches("[CANCELLED] ").trim_start_matches("Talk ");
    name.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
}

/// A meeting of a CRM, and one of the calendar, whichever of the two looks first.
///
/// proves: V6, C2, C4
#[tokio::test]
async fn two_with_one_calendar_come_to_rest() {
    for (house, crms) in HOUSES.into_iter().flat_map(|house| [(house, 1), (house, 2)]) {
        for first in [0, 1] {
            let mut pair = Pair::new(house, crms).await;
            pair.desks[0].hands.pass(SignedDuration::from_mins(3));
            // The other reads the calendar before it asks the CRM again.
            let other = 1 - first;
            pair.play(&[Act::Round(other), Act::Log(0), Act::Round(first), Act::Round(other), Act::Meet]).await;
            pair.rest().await;
            assert_eq!(pair.agree(), Ok(()), "{house:?}, {crms} CRMs, {first} first");
            assert_eq!((pair.events().len(), pair.desks[0].mails()), (2, 2), "one invitation each, {house:?}");
        }
    }
}

/// With one CRM that each calls by another name they know nothing of each other's records, and come to rest all the same.
///
/// proves: V6
#[tokio::test]
async fn two_with_other_names_for_one_crm_come_to_rest() {
    for first in [0, 1] {
        let mut pair = Pair::with_name(House::Google, 1, "crm").await;
        pair.play(&[Act::Log(0), Act::Round(first), Act::Round(1 - first), Act::Meet, Act::Round(1 - first)]).await;
        pair.rest().await;
        pair.play(&[Act::Rename(0), Act::Edit(0, 1), Act::Edit(0, 2), Act::CallOff(1)]).await;
        pair.rest().await;
    }
}

/// Whatever people do in the calendar and in either's CRM, or in the one that both have.
///
/// proves: V6, C2, C4
#[tokio::test]
async fn two_with_one_calendar_come_to_rest_whatever_people_do() {
    for (seed, crms) in (0..SEEDS).flat_map(|seed| [(seed, 1), (seed, 2)]) {
        let mut dice = Dice(seed);
        let acts: Vec<Act> = (0..ACTS).map(|_| Act::cast(&mut dice)).collect();
        let mut pair = Pair::new(House::Google, crms).await;
        pair.play(&acts).await;
        pair.rest().await;
        assert_eq!(pair.agree(), Ok(()), "seed {seed}, {crms} CRMs: {acts:?}");
    }
}
