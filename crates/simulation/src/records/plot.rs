//! What a seed decides about a company before anything runs: its accounts, its settings, its people, what they will do
//! and what goes wrong. Nothing here runs anything.

use std::{collections::BTreeSet, time::Duration};

use syncline_core::merge::WhenDeleted;

use crate::{
    dice::Dice,
    faults::{Fault, FaultSet},
    story::Story,
    troubles::troubles,
};

/// People of a small company in the beginning, at most, and acts of one run.
const PEOPLE_MAX: u64 = 6;
const ACTS_MAX: u64 = 24;
/// People of a company large enough for the brake to matter.
const CROWD: u64 = 64;
/// Of a thousand companies, how many have their opportunities in step as well.
const DEALS_PERMILLE: u64 = 350;
/// How long people go on, in seconds.
const CHAOS_MIN: u64 = 600;
const CHAOS_MAX: u64 = 1_500;

/// The faults of calls, processes and databases that make sense here.
pub const FAULTS: [Fault; 25] = [
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
    Fault::H4,
    Fault::H6,
    Fault::T1,
    Fault::K1,
    Fault::K2,
    Fault::B2,
    Fault::D1,
    Fault::D3,
    Fault::D6,
    Fault::L2,
    Fault::S4,
];

troubles! {
    /// What people and administrators do that makes keeping in step hard.
    Readdress = "address" "an e-mail address changes",
    Swap = "swap" "two people's addresses are swapped",
    OptOut = "out" "a person opts out, or in again",
    Birth = "birth" "a person is added, also one who is elsewhere already",
    Death = "death" "a record is deleted",
    Merge = "merge" "two records of the CRM are merged",
    Convert = "convert" "a lead becomes a contact",
    Purge = "purge" "all of an account's records are deleted at once",
    Quota = "quota" "the month's quota is reached, and raised later",
    Schema = "schema" "a mapped field goes away for a while",
    Rule = "rule" "a validation rule refuses some records for a while",
    Lag = "lag" "an account shows its changes late",
    Deal = "deal" "opportunities are in step as well: opened, edited, handed to somebody else, deleted on either side",
}

/// A tool beside the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Post,
    Campaign,
    Hub,
}

/// Everything that a seed decides.
#[derive(Debug, Clone)]
pub struct Plot {
    pub seed: u64,
    pub tools: Vec<Tool>,
    pub people: u64,
    pub acts: u64,
    pub chaos: Duration,
    pub processes: usize,
    pub faults: FaultSet,
    pub often: FaultSet,
    pub troubles: BTreeSet<Trouble>,
    /// What becomes of a counterpart in the CRM, and in the tools.
    pub deleted_in_crm: WhenDeleted,
    pub deleted_in_tools: WhenDeleted,
    /// Whether people who are only in a tool are made in the CRM.
    pub made_in_crm: bool,
    /// Transfers a month, as long as people go on.
    pub quota: Option<u64>,
}

impl Plot {
    /// The plot of a seed. Only the allowed faults and troubles may strike; the `often` ones are in every plot.
    pub fn of(seed: u64, allowed: FaultSet, often: FaultSet, troubles: &BTreeSet<Trouble>) -> Self {
        let mut dice = Dice::of(seed, "plot", 0);
        let share = *dice.pick(&[120, 300, 500]);
        let faults: FaultSet = FAULTS.into_iter().filter(|_| dice.chance(share)).collect();
        let share = *dice.pick(&[200, 500, 800]);
        let of_people = Trouble::ALL.iter().copied().filter(|trouble| *trouble != Trouble::Deal);
        let mut drawn: BTreeSet<Trouble> = of_people.filter(|_| dice.chance(share)).collect();
        if Dice::of(seed, "deals", 0).chance(DEALS_PERMILLE) {
            drawn.insert(Trouble::Deal);
        }
        if !dice.chance(150) {
            drawn.remove(&Trouble::Purge);
        }
        let tools = match dice.below(20) {
            0..3 => vec![Tool::Post],
            3..5 => vec![Tool::Campaign],
            5..7 => vec![Tool::Hub],
            7..9 => vec![Tool::Hub, Tool::Campaign],
            9..10 => vec![Tool::Post, Tool::Campaign, Tool::Hub],
            _ => vec![Tool::Post, Tool::Campaign],
        };
        let crowd = drawn.contains(&Trouble::Purge) && dice.chance(300);
        let people = if crowd { CROWD } else { 1 + dice.below(PEOPLE_MAX) };
        let acts = 4 + dice.below(ACTS_MAX);
        let chaos = Duration::from_secs(dice.between(CHAOS_MIN, CHAOS_MAX));
        let processes = *dice.pick(&[1, 1, 2]);
        let mut when = || if dice.chance(500) { WhenDeleted::Delete } else { WhenDeleted::Detach };
        let (deleted_in_crm, deleted_in_tools) = (when(), when());
        let made_in_crm = dice.chance(400);
        let quota = Some(2 + dice.below(12));
        let troubles: BTreeSet<Trouble> = drawn.intersection(troubles).copied().collect();
        Self {
            seed,
            tools,
            people,
            acts,
            chaos,
            processes,
            faults: faults.or(often).and(allowed),
            often,
            deleted_in_crm,
            deleted_in_tools,
            made_in_crm,
            quota: quota.filter(|_| troubles.contains(&Trouble::Quota)),
            troubles,
        }
    }

    pub fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// The frame that all simulations share, in which nobody books.
    pub fn story(&self) -> Story {
        Story { processes: self.processes, ..Story::without_bookings(self.seed, self.faults, self.often) }
    }
}
