//! What a seed decides about an office before anything runs: whose calendars are connected, which meetings of a series are
//! logged, what people will do and what goes wrong. Nothing here runs anything.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use syncline_core::calendar::series::SeriesPolicy;

use super::{
    office::{MIA, PEOPLE, Place, ROSA, SAM},
    zones::{self, Zone},
};
use crate::{
    clock::beginning,
    dice::Dice,
    faults::{Fault, FaultSet},
    story::Story,
    troubles::troubles,
};

/// Meetings that are there before, and things that people do in one run, at most.
const BEFORE_MAX: u64 = 4;
const ACTS_MAX: u64 = 22;
/// How long people go on, in seconds.
const CHAOS_MIN: u64 = 600;
const CHAOS_MAX: u64 = 1_500;
/// Of a thousand offices, in how many people log meetings in the CRM.
const LOG_PER_MILLE: u64 = 300;
/// Days of a window in which all meetings of a series are logged.
const WINDOW_DAYS: u16 = 20;

/// Of a thousand offices, how many have Salesforce as their CRM.
const SALESFORCE_PER_MILLE: u64 = 300;
/// Of a thousand offices, how many have a public address, so that calendars' vendors tell of changes.
const TOLD_PER_MILLE: u64 = 600;
/// Of a thousand such offices, in how many channels end soon, and vendors speak of their watches' lives.
const WATCHES_PER_MILLE: u64 = 400;
/// Of a thousand offices, in how many people meet in zones whose clocks change.
const CLOCKS_PER_MILLE: u64 = 500;
/// How long before a change such a run may begin, in minutes: it passes while people act, in the calm, or lies ahead.
const BEFORE_A_CHANGE: [(u64, u64); 3] = [(1, 25), (25, 600), (600, 60 * 24 * 15)];
/// How long channels last where they end soon, in minutes.
const CHANNELS_LIVE: (u64, u64) = (4, 25);

/// The faults of what vendors tell.
pub const NOTICE_FAULTS: [Fault; 4] = [Fault::W1, Fault::W2, Fault::W3, Fault::W4];

/// The faults of calls, processes and databases that make sense here.
pub const FAULTS: [Fault; 22] = [
    Fault::C1,
    Fault::C2,
    Fault::C3,
    Fault::N1,
    Fault::N2,
    Fault::N3,
    Fault::N4,
    Fault::N5,
    Fault::N6,
    Fault::N9,
    Fault::N10,
    Fault::H1,
    Fault::H2,
    Fault::H3,
    Fault::H6,
    Fault::T1,
    Fault::K1,
    Fault::K2,
    Fault::D1,
    Fault::D3,
    Fault::D6,
    Fault::L2,
];

troubles! {
    /// What people and vendors do beside meeting and renaming.
    Move = "move" "a meeting is moved",
    Cancel = "cancel" "a meeting is called off",
    Leave = "leave" "a guest takes a meeting off the guest's own calendar",
    Reply = "reply" "a guest answers",
    Guests = "guests" "a contact is invited, or no longer",
    Private = "private" "a meeting is private, or becomes so, or open again",
    Series = "series" "a meeting recurs",
    Occurrence = "occurrence" "one meeting of a series is moved, renamed or called off",
    Follow = "follow" "a series is changed from one of its meetings on",
    Contact = "contact" "a contact is made or deleted in the CRM",
    Edit = "edit" "a record is edited in the CRM",
    Delete = "delete" "a record is deleted in the CRM",
    Forget = "forget" "a calendar forgets where readings stopped, also in mid-page",
    Pages = "pages" "a calendar shows few rows a page, some of them twice",
    Lag = "lag" "a calendar shows its changes late",
    Log = "log" "a meeting is logged in the CRM, and written to on either side",
    Ends = "ends" "a channel ends within minutes, and another one follows",
    Clocks = "clocks" "a meeting or a series is moved or recurs across a change of the clocks",
    Night = "night" "the clocks change while people act, or in the calm",
    Lives = "lives" "a vendor says of a watch that something was missed, that it is to be renewed, or that it is gone",
}

/// Those that most offices have.
const PLAIN: [Trouble; 15] = [
    Trouble::Move,
    Trouble::Cancel,
    Trouble::Leave,
    Trouble::Reply,
    Trouble::Guests,
    Trouble::Private,
    Trouble::Series,
    Trouble::Occurrence,
    Trouble::Follow,
    Trouble::Contact,
    Trouble::Edit,
    Trouble::Delete,
    Trouble::Forget,
    Trouble::Pages,
    Trouble::Lag,
];

/// Everything that a seed decides.
#[derive(Debug, Clone)]
pub struct Plot {
    pub seed: u64,
    /// Whose calendars are connected, by their places among the people.
    pub linked: Vec<usize>,
    pub series: SeriesPolicy,
    pub before: u64,
    pub acts: u64,
    pub chaos: Duration,
    pub processes: usize,
    pub faults: FaultSet,
    pub often: FaultSet,
    pub troubles: BTreeSet<Trouble>,
    /// Rows of a page, where they are few.
    pub page: Option<u64>,
    /// Whether the calendars are read for the first time before anything goes wrong.
    pub settled: bool,
    pub sweep_every: SignedDuration,
    /// Whether the CRM is Salesforce.
    pub salesforce: bool,
    /// When it begins.
    pub begins: Timestamp,
    /// Where and when clocks change soon.
    pub change: Option<(Zone, Timestamp)>,
    /// Whether there is a public address, to which vendors tell of changes.
    pub told: bool,
    /// How long channels last, where they end soon.
    pub channels_live: Option<SignedDuration>,
}

impl Plot {
    /// The plot of a seed. Only the allowed faults and troubles may strike; the `often` ones are in every plot.
    pub fn of(seed: u64, allowed: FaultSet, often: FaultSet, troubles: &BTreeSet<Trouble>) -> Self {
        let mut dice = Dice::of(seed, "calendars", 0);
        let share = *dice.pick(&[120, 300, 500]);
        let faults: FaultSet = FAULTS.into_iter().filter(|_| dice.chance(share)).collect();
        let share = *dice.pick(&[300, 600, 900]);
        let mut drawn: BTreeSet<Trouble> = PLAIN.iter().copied().filter(|_| dice.chance(share)).collect();
        let linked =
            dice.pick(&[&[ROSA][..], &[ROSA, SAM], &[ROSA, MIA], &[ROSA, SAM, MIA], &[MIA, ROSA], &[MIA]]).to_vec();
        let window = SeriesPolicy::Materialise { past_days: 1, future_days: WINDOW_DAYS };
        let series = *dice.pick(&[
            SeriesPolicy::FirstAndChanged,
            SeriesPolicy::FirstAndChanged,
            window,
            SeriesPolicy::WhenTakenPlace,
        ]);
        let before = dice.below(BEFORE_MAX);
        let acts = 4 + dice.below(ACTS_MAX);
        let chaos = Duration::from_secs(dice.between(CHAOS_MIN, CHAOS_MAX));
        let processes = *dice.pick(&[1, 1, 2]);
        let page = 1 + dice.below(4);
        let settled = dice.chance(600);
        let sweep_every = *dice.pick(&[SignedDuration::from_hours(168), SignedDuration::from_mins(10)]);
        // Throws of their own, so that the other seeds stay what they were.
        drawn.extend(Some(Trouble::Log).filter(|_| Dice::of(seed, "log", 0).chance(LOG_PER_MILLE)));
        let mut notices = Dice::of(seed, "told", 0);
        let told = notices.chance(TOLD_PER_MILLE);
        let share = *notices.pick(&[0, 400, 800]);
        let notice_faults: FaultSet = NOTICE_FAULTS.into_iter().filter(|_| told && notices.chance(share)).collect();
        let has = |place: Place| linked.iter().any(|person: &usize| PEOPLE[*person].place == place);
        for (trouble, place) in [(Trouble::Ends, Place::Google), (Trouble::Lives, Place::Microsoft)] {
            drawn.extend(Some(trouble).filter(|_| notices.chance(WATCHES_PER_MILLE) && told && has(place)));
        }
        let mut clocks = Dice::of(seed, "clocks", 0);
        let changes = clocks.chance(CLOCKS_PER_MILLE) && troubles.contains(&Trouble::Clocks);
        let (from, to) = *clocks.pick(&BEFORE_A_CHANGE);
        let minutes = i64::try_from(clocks.between(from, to)).unwrap_or(1);
        let (zone, change) = *clocks.pick(&zones::CHANGES);
        let change = Timestamp::from_second(change).ok().map(|at| (zone, at)).filter(|_| changes);
        let begins = change.map_or_else(beginning, |(_, at)| at - SignedDuration::from_mins(minutes));
        drawn.extend([Trouble::Clocks, Trouble::Night].into_iter().filter(|_| changes));
        let live = notices.between(CHANNELS_LIVE.0, CHANNELS_LIVE.1);
        let live = SignedDuration::from_mins(i64::try_from(live).unwrap_or(i64::MAX));
        let troubles: BTreeSet<Trouble> = drawn.intersection(troubles).copied().collect();
        Self {
            seed,
            linked,
            series,
            before,
            acts,
            chaos,
            processes,
            faults: faults.or(notice_faults).or(often).and(allowed),
            often,
            page: Some(page).filter(|_| troubles.contains(&Trouble::Pages)),
            settled,
            sweep_every,
            salesforce: Dice::of(seed, "crm of calendars", 0).chance(SALESFORCE_PER_MILLE),
            begins,
            change,
            told,
            channels_live: Some(live).filter(|_| troubles.contains(&Trouble::Ends)),
            troubles,
        }
    }

    pub fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// Whether what is gone from a Google calendar is told by its id alone.
    pub fn has_bare_tombstones(&self) -> bool {
        self.seed.is_multiple_of(3)
    }

    /// The frame that all simulations share, in which nobody books.
    pub fn story(&self) -> Story {
        Story { processes: self.processes, ..Story::without_bookings(self.seed, self.faults, self.often) }
    }
}
