//! Conflicts decided record by record, against a model that is written from the words of the rule and not from the merge:
//! as long as the primary record has something to bring over, what the other record says is not heard (AC8).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::table::rule;
use crate::{
    description::FieldKind,
    merge::{Direction, Evidence, Images, Kind, Pair, Policy, Row, Rule, RuleKey, Side, merge_rows},
    record::Value,
};

/// How values of a field may go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Both,
    FromPrimary,
    ToPrimary,
}

struct Field {
    name: &'static str,
    way: Way,
    /// The other side takes no more than [`NARROW`] characters.
    narrow: bool,
    /// Goes together with the others of which this is said.
    together: bool,
}

const fn field(name: &'static str, way: Way, narrow: bool, together: bool) -> Field {
    Field { name, way, narrow, together }
}

const NARROW: usize = 2;
const FIELDS: [Field; 7] = [
    field("one", Way::Both, false, false),
    field("two", Way::Both, false, false),
    field("narrow", Way::Both, true, false),
    field("told", Way::FromPrimary, false, false),
    field("asked", Way::ToPrimary, false, false),
    field("street", Way::Both, false, true),
    field("city", Way::Both, true, true),
];
const TEXTS: [&str; 5] = ["", "a", "b", "long", "more"];

type Record = BTreeMap<&'static str, &'static str>;

/// A change that was taken back: the field, what the primary record said, and what the other one did.
type Lost = (&'static str, &'static str, &'static str);

/// What the two records hold by the words of the rule.
#[derive(Clone, Debug)]
struct Model {
    primary: Record,
    other: Record,
    /// What both held of a field when they last agreed on it.
    agreed: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// Who wins what is decided field by field.
    primary_wins: bool,
}

impl Model {
    fn told(&self, field: &Field) -> bool {
        self.agreed.get(field.name).is_none_or(|(primary, _)| *primary != self.primary[field.name])
    }

    fn answered(&self, field: &Field) -> bool {
        self.agreed.get(field.name).is_none_or(|(_, other)| *other != self.other[field.name])
    }

    fn differs(&self, field: &Field) -> bool {
        self.primary[field.name] != self.other[field.name]
    }

    /// Whose value fills the other's blank, the first time that both are seen.
    fn filled_by_primary(&self, field: &Field) -> Option<bool> {
        let (primary, other) = (self.primary[field.name], self.other[field.name]);
        let first = !self.agreed.contains_key(field.name) && (primary.is_empty() || other.is_empty());
        first.then_some(other.is_empty())
    }

    /// What is to be done, by the name of the field: whether the primary record's value goes over, or the other's.
    fn wanted(&self, record_level: bool) -> BTreeMap<&'static str, bool> {
        let to_other = |field: &Field| field.way != Way::ToPrimary;
        let to_primary = |field: &Field| field.way != Way::FromPrimary;
        let both_in_group = FIELDS.iter().any(|field| field.together && self.told(field))
            && FIELDS.iter().any(|field| field.together && self.answered(field));
        let mut wanted = BTreeMap::new();
        for field in FIELDS.iter().filter(|field| self.differs(field)) {
            let (told, answered) = (self.told(field) && to_other(field), self.answered(field) && to_primary(field));
            let from_primary = match self.filled_by_primary(field) {
                Some(from_primary) => Some(from_primary),
                None if record_level && to_other(field) => Some(true),
                None if !record_level && field.together && both_in_group => Some(self.primary_wins),
                None => match (told, answered) {
                    (true, true) => Some(self.primary_wins),
                    (true, false) => Some(true),
                    (false, true) => Some(false),
                    (false, false) => None,
                },
            };
            let goes = |from_primary: &bool| if *from_primary { to_other(field) } else { to_primary(field) };
            wanted.extend(from_primary.filter(goes).map(|from_primary| (field.name, from_primary)));
        }
        // What does not fit is held back, and with it what goes together with it.
        let misfit = |field: &Field| {
            wanted.get(field.name) == Some(&true) && field.narrow && self.primary[field.name].len() > NARROW
        };
        let torn = FIELDS.iter().any(|field| field.together && misfit(field));
        let held: Vec<&str> =
            FIELDS.iter().filter(|field| misfit(field) || (field.together && torn)).map(|field| field.name).collect();
        wanted.retain(|name, _| !held.contains(name));
        wanted
    }

    /// Brings both in step once; what was taken back on the way.
    fn sync(&mut self) -> Vec<Lost> {
        let at_once = self.wanted(true);
        let is_pending = FIELDS.iter().any(|field| self.told(field) && at_once.get(field.name) == Some(&true));
        let wanted = if is_pending { at_once } else { self.wanted(false) };
        let mut lost = Vec::new();
        for field in &FIELDS {
            let (primary, other) = (self.primary[field.name], self.other[field.name]);
            let first = self.filled_by_primary(field).is_some();
            match wanted.get(field.name) {
                Some(true) => {
                    lost.extend((self.answered(field) && !first).then_some((field.name, primary, other)));
                    self.other.insert(field.name, primary);
                }
                Some(false) => {
                    lost.extend((self.told(field) && !first).then_some((field.name, primary, other)));
                    self.primary.insert(field.name, other);
                }
                None => {}
            }
            if !self.differs(field) {
                self.agreed.insert(field.name, (self.primary[field.name], self.other[field.name]));
            }
        }
        lost
    }
}

fn key(name: &str) -> RuleKey {
    RuleKey::of(name, name)
}

fn rules(primary: Side, winner: Side) -> Vec<Rule> {
    let make = |field: &Field| {
        let mut rule = Rule { key: key(field.name), ..rule(Kind::Plain, FieldKind::Text, Policy::Prefer(winner)) };
        rule.direction = match (field.way, primary) {
            (Way::Both, _) => Direction::Both,
            (Way::FromPrimary, Side::Left) | (Way::ToPrimary, Side::Right) => Direction::ToRight,
            (Way::FromPrimary, Side::Right) | (Way::ToPrimary, Side::Left) => Direction::ToLeft,
        };
        let narrow = if primary == Side::Left { &mut rule.right } else { &mut rule.left };
        narrow.shape.length = field.narrow.then_some(NARROW as u32);
        rule.group = field.together.then_some(1);
        rule
    };
    let tags = Rule { key: key("tags"), ..rule(Kind::Set, FieldKind::MultiPicklist, Policy::Prefer(winner)) };
    let out = Rule { key: key("out"), ..rule(Kind::OptOut, FieldKind::Boolean, Policy::Prefer(winner)) };
    FIELDS.iter().map(make).chain([tags, out]).collect()
}

fn row(record: &Record) -> Row {
    let value = |text: &str| if text.is_empty() { Value::Null } else { Value::text(text) };
    record.iter().map(|(name, text)| (key(name), value(text))).collect()
}

fn text(value: &Value) -> &str {
    value.as_text().unwrap_or_default()
}

/// Who edits which field to what; or both are brought in step.
#[derive(Clone, Copy, Debug)]
enum Act {
    Edit(bool, usize, usize),
    Sync,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let edit =
        (any::<bool>(), 0..FIELDS.len(), 0..TEXTS.len()).prop_map(|(by, field, text)| Act::Edit(by, field, text));
    prop::collection::vec(prop_oneof![4 => edit, 1 => Just(Act::Sync)], 1..30)
}

/// The two records as they stand, and what is remembered of them.
struct World {
    rules: Vec<Rule>,
    primary: Side,
    rows: [Row; 2],
    images: Images,
}

impl World {
    fn row(&mut self, is_primary: bool) -> &mut Row {
        let side = if is_primary { self.primary } else { self.primary.other() };
        &mut self.rows[usize::from(side == Side::Right)]
    }

    /// Merges once and does what comes of it; what was taken back.
    fn sync(&mut self) -> Vec<(RuleKey, Value, Value)> {
        let now = Pair { left: &self.rows[0], right: &self.rows[1] };
        let merge = |primary| merge_rows(&self.rules, primary, &self.images, now, |_| Evidence::default());
        let (merged, by_field) = (merge(Some(self.primary)), merge(None));
        // Sets and consent go their own way.
        for own in [key("tags"), key("out")] {
            let of = |changes: &[crate::merge::row::Change]| changes.iter().find(|change| change.key == own).cloned();
            assert_eq!(of(&merged.to_left), of(&by_field.to_left));
            assert_eq!(of(&merged.to_right), of(&by_field.to_right));
        }
        for (side, changes) in [(0, &merged.to_left), (1, &merged.to_right)] {
            for change in changes {
                self.rows[side].insert(change.key, change.target.clone());
                self.images.insert(change.key, change.after.clone());
            }
        }
        self.images.extend(merged.adopted);
        let is_left = self.primary == Side::Left;
        let lost = merged.conflicts.into_iter().map(|(key, conflict)| {
            let both = if is_left { (conflict.left, conflict.right) } else { (conflict.right, conflict.left) };
            (key, both.0, both.1)
        });
        lost.collect()
    }
}

proptest! {
    #![proptest_config(crate::cases::cases(400))]

    /// Through any history, both records hold what the rule's words say, and what was taken back is told with both values.
    /// What is held back makes nobody's record pending; consent and sets are merged as ever. proves: R12, R14
    #[test]
    fn record_by_record_is_what_its_words_say(
        acts in acts(),
        (is_left, primary_wins, is_first) in any::<(bool, bool, bool)>(),
        begins in prop::collection::vec((0..3usize, 0..3usize), FIELDS.len()),
    ) {
        let primary = if is_left { Side::Left } else { Side::Right };
        let winner = if primary_wins { primary } else { primary.other() };
        let start = |of: fn(&(usize, usize)) -> usize| -> Record {
            FIELDS.iter().zip(&begins).map(|(field, begin)| (field.name, if is_first { TEXTS[of(begin)] } else { "a" })).collect()
        };
        let mut model = Model { primary: start(|both| both.0), other: start(|both| both.1), agreed: BTreeMap::new(), primary_wins };
        let mut world = World { rules: rules(primary, winner), primary, rows: [Row::new(), Row::new()], images: Images::new() };
        let (first, second) = (row(&model.primary), row(&model.other));
        world.row(true).extend(first);
        world.row(false).extend(second);
        for side in &mut world.rows {
            side.extend([(key("tags"), Value::text("x;y")), (key("out"), Value::Bool(false))]);
        }
        for (place, act) in acts.iter().chain([&Act::Sync]).enumerate() {
            match act {
                Act::Edit(by_primary, field, text) => {
                    let (field, text) = (&FIELDS[*field], TEXTS[*text]);
                    if !by_primary && field.narrow && text.len() > NARROW {
                        continue;
                    }
                    let record = if *by_primary { &mut model.primary } else { &mut model.other };
                    record.insert(field.name, text);
                    let changed = row(&Record::from([(field.name, text)]));
                    world.row(*by_primary).extend(changed);
                    let tags = Value::text(["x", "x;y", "y;z"][place % 3]);
                    world.row(place % 2 == 0).insert(key("tags"), tags);
                    world.row(place % 2 == 1).insert(key("out"), Value::Bool(place % 3 == 0));
                }
                // Looked at until nobody's answer is in doubt any more, as the engine does.
                Act::Sync => for _ in 0..3 {
                    let mut lost = model.sync();
                    let mut told: Vec<(RuleKey, Value, Value)> = world.sync().into_iter().filter(|(own, ..)| *own != key("out")).collect();
                    for (is_primary, record) in [(true, &model.primary), (false, &model.other)] {
                        for field in &FIELDS {
                            let now = world.row(is_primary)[&key(field.name)].clone();
                            prop_assert_eq!(text(&now), record[field.name], "{} of {}", field.name, is_primary);
                        }
                    }
                    lost.sort_by_key(|(name, ..)| key(name));
                    told.sort_by_key(|(own, ..)| *own);
                    let told: Vec<(RuleKey, &str, &str)> = told.iter().map(|(own, one, other)| (*own, text(one), text(other))).collect();
                    let lost: Vec<(RuleKey, &str, &str)> = lost.iter().map(|(name, one, other)| (key(name), *one, *other)).collect();
                    prop_assert_eq!(told, lost);
                },
            }
        }
    }
}
