//! A small world: two accounts with habits of their own, people who edit in both, and an engine that does with the
//! decisions what the real one does. Promises are checked as it goes: what is written is mapped, changed, writable and
//! valid, nothing hidden is touched, nothing refused is sent twice, nobody is signed up again.

mod deciding;
mod sending;

use std::collections::{BTreeMap, BTreeSet};

use super::table::rule;
use crate::{
    description::{FieldKind, Habits},
    ids::RecordId,
    merge::{
        Blanks, Case, Conflict, Counterparts, Decision, Direction, Fate, Flow, Hold, Images, Kind, KindSettings, Known,
        PairSettings, Policy, Row, RowMerge, Rule, RuleKey, Select, Side, Successor, Tie, WhenDeleted, decide,
        payload_digest, row::Change,
    },
    record::Value,
};

/// What an account does to a value that nobody told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    None,
    Upper,
    Lower,
    Cut,
    /// Not even the same twice: it grows with every write.
    Grows,
}

pub fn quirked(quirk: Quirk, value: &Value) -> Value {
    let Value::Text(text) = value else { return value.clone() };
    match quirk {
        Quirk::None => value.clone(),
        Quirk::Upper => Value::text(text.to_uppercase()),
        Quirk::Lower => Value::text(text.to_lowercase()),
        Quirk::Cut => Value::text(text.chars().take(4).collect::<String>()),
        Quirk::Grows => Value::text(format!("{text}!")),
    }
}

#[derive(Clone, Debug)]
pub struct Rec {
    pub kind: &'static str,
    pub values: Row,
    pub stamp: i64,
    pub fate: Fate,
    pub key: Option<String>,
    /// For which of our links it was made.
    pub made_for: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Account {
    pub records: BTreeMap<RecordId, Rec>,
    pub stamp: i64,
    pub quirks: BTreeMap<RuleKey, Quirk>,
    pub hidden: BTreeSet<RuleKey>,
    /// A change of the first also sets the second.
    pub trigger: Option<(RuleKey, RuleKey)>,
}

impl Account {
    fn shown(&self, rec: &Rec) -> Row {
        rec.values.iter().filter(|(key, _)| !self.hidden.contains(key)).map(|(k, v)| (*k, v.clone())).collect()
    }

    fn tick(&mut self) -> i64 {
        self.stamp += 1;
        self.stamp
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: &'static str,
    pub key: Option<String>,
    pub row: Option<Row>,
    pub stamp: i64,
    pub fate: Fate,
    pub link: Option<usize>,
    pub detached: bool,
    pub due: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub pair: String,
    pub ends: [Option<RecordId>; 2],
    pub images: Images,
    pub refused: Vec<(RuleKey, u64)>,
    pub decided: Vec<(RuleKey, Side)>,
    pub steps: Vec<Step>,
    /// Writes that are still out, with the base that all of them together make.
    pub planned: BTreeMap<RuleKey, (usize, crate::merge::Base)>,
    pub holds: Vec<(RuleKey, Hold)>,
    pub origin: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub side: Side,
    pub op: Op,
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create { pair: usize },
    Update(RecordId),
    Delete(RecordId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nobody knows what became of it: nothing, or all of it.
    Lost,
    LostAfterEffect,
    /// The process died before it sent.
    Crash,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub writes: BTreeMap<(usize, RuleKey), usize>,
    /// Edits of people, triggers included.
    pub edits: BTreeMap<(Side, RecordId, RuleKey), usize>,
    /// How often both were seen together for the first time.
    pub begun: BTreeMap<usize, usize>,
    /// Writes that an account made something else of.
    pub rewritten: BTreeMap<(usize, RuleKey), usize>,
    pub conflicts: Vec<(usize, RuleKey, Conflict)>,
    /// What was brought over: from this side, this value.
    pub carried: BTreeSet<(usize, RuleKey, Side, String)>,
    pub refused: BTreeSet<(RecordId, RuleKey, String)>,
    pub made: BTreeMap<String, usize>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct World {
    pub flow: Flow,
    pub sides: [Account; 2],
    pub entries: BTreeMap<(Side, RecordId), Entry>,
    pub links: BTreeMap<usize, Link>,
    pub next: usize,
    pub log: Log,
    /// The last edit of a person, per side, record and field, and whether both had agreed on the field before.
    pub edits: BTreeMap<(Side, RecordId, RuleKey), (Value, bool)>,
    /// Looked at from the other end.
    pub backwards: bool,
    pub unknowns: usize,
}

pub fn at(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

pub fn key_of(name: &str) -> RuleKey {
    RuleKey::of(name, name)
}

/// One rule of every sort.
pub fn rules(policy: Policy, blanks: Blanks, both: Direction) -> Vec<Rule> {
    let make = |name: &str, kind: Kind, field: FieldKind| {
        let mut rule = rule(kind, field, policy);
        rule.key = key_of(name);
        (rule.left.field, rule.right.field) = (name.to_owned(), name.to_owned());
        (rule.blanks, rule.direction) = (blanks, both);
        rule
    };
    let mut name = make("name", Kind::Plain, FieldKind::Text);
    name.left.shape.nillable = false;
    let mut phone = make("phone", Kind::Plain, FieldKind::Phone);
    phone.right.shape.habits = Habits { digits_only: true, ..Habits::default() };
    let mut short = make("short", Kind::Plain, FieldKind::Text);
    (short.right.shape.length, short.truncate) = (Some(4), true);
    let mut strict = make("strict", Kind::Plain, FieldKind::Text);
    strict.right.shape.length = Some(5);
    let mut rating = make("rating", Kind::Plain, FieldKind::Number);
    rating.right.shape.scale = 0;
    let mut tags = make("tags", Kind::Set, FieldKind::MultiPicklist);
    tags.right.shape.habits.lower_case = true;
    let mut formula = make("formula", Kind::Plain, FieldKind::Text);
    formula.left.shape.calculated = true;
    let mut street = make("street", Kind::Plain, FieldKind::Text);
    let mut city = make("city", Kind::Plain, FieldKind::Text);
    (street.group, city.group) = (Some(1), Some(1));
    let mut email = make("email", Kind::Plain, FieldKind::Email);
    email.right.shape.habits.lower_case = true;
    let mut out = make("out", Kind::OptOut, FieldKind::Boolean);
    out.direction = Direction::Both;
    let odd = make("odd", Kind::Plain, FieldKind::Text);
    vec![name, phone, short, strict, rating, tags, formula, street, city, email, out, odd]
}

pub fn flow(rules: Vec<Rule>, deleted: WhenDeleted, create: bool, primary: Option<Side>) -> Flow {
    let kind = |kind: &str, create: bool| KindSettings {
        kind: kind.to_owned(),
        create,
        deleted,
        created: None,
        read: Vec::new(),
    };
    let pair = |name: &str| PairSettings {
        name: name.to_owned(),
        left: kind(name, false),
        right: kind("person", create),
        rules: rules.clone(),
        select: Select::All,
        primary,
        marks: None,
        on_request: false,
    };
    Flow { pairs: vec![pair("contact"), pair("lead")] }
}

fn spelled(value: &Value) -> String {
    format!("{value:?}")
}

impl World {
    pub fn new(flow: Flow) -> Self {
        Self {
            flow,
            sides: [Account::default(), Account::default()],
            entries: BTreeMap::new(),
            links: BTreeMap::new(),
            next: 0,
            log: Log::default(),
            edits: BTreeMap::new(),
            backwards: false,
            unknowns: 0,
        }
    }

    pub fn rules(&self) -> &[Rule] {
        &self.flow.pairs[0].rules
    }

    fn rule(&self, key: RuleKey) -> &Rule {
        self.rules().iter().find(|rule| rule.key == key).expect("every field has a rule")
    }

    /// As the account keeps it: its known habits, then its quirks.
    pub fn kept(&self, side: Side, key: RuleKey, value: &Value) -> Value {
        let end = self.rule(key).end(side);
        let normal = end.normal(value).into_owned();
        quirked(self.sides[at(side)].quirks.get(&key).copied().unwrap_or(Quirk::None), &normal)
    }

    /// A person makes a record.
    pub fn born(&mut self, side: Side, kind: &'static str, id: &str, email: Option<&str>) {
        let mut values: Row = self.rules().iter().map(|rule| (rule.key, Value::Null)).collect();
        values.insert(key_of("name"), Value::text(id));
        values.insert(key_of("out"), Value::Bool(false));
        values.insert(key_of("email"), email.map_or(Value::Null, Value::text));
        let account = &mut self.sides[at(side)];
        let stamp = account.tick();
        let key = email.map(str::to_owned);
        let rec = Rec { kind, values, stamp, fate: Fate::Live, key, made_for: None };
        account.records.entry(RecordId::new(id)).or_insert(rec);
    }

    /// A person edits a field.
    pub fn edit(&mut self, side: Side, id: &RecordId, key: RuleKey, value: &Value) {
        let end = self.rule(key).end(side);
        let fits = match value {
            Value::Text(text) => end.shape.length.is_none_or(|length| text.chars().count() <= length as usize),
            Value::Null => end.shape.nillable,
            _ => true,
        };
        if !fits || self.sides[at(side)].hidden.contains(&key) {
            return;
        }
        let kept = self.kept(side, key, value);
        let account = &mut self.sides[at(side)];
        let Some(rec) = account.records.get(id).filter(|rec| rec.fate == Fate::Live) else { return };
        if rec.values.get(&key) == Some(&kept) {
            return;
        }
        let link = self.entries.get(&(side, id.clone())).and_then(|entry| self.links.get(&entry.link?));
        let linked = link.is_some_and(|link| link.images.contains_key(&key));
        let mut changes = vec![(key, kept)];
        if let Some((_, also)) = account.trigger.filter(|(cause, _)| *cause == key) {
            changes.push((also, Value::text(format!("t{}", account.stamp % 3))));
        }
        let stamp = account.tick();
        let rec = account.records.get_mut(id).expect("just seen");
        rec.stamp = stamp;
        for (key, value) in changes {
            rec.values.insert(key, value.clone());
            if key == key_of("email") {
                rec.key = value.as_text().map(str::to_owned);
            }
            self.edits.insert((side, id.clone(), key), (value, linked));
            *self.log.edits.entry((side, id.clone(), key)).or_default() += 1;
        }
    }

    pub fn end(&mut self, side: Side, id: &RecordId, fate: Fate) {
        let account = &mut self.sides[at(side)];
        let stamp = account.tick();
        if let Some(rec) = account.records.get_mut(id).filter(|rec| rec.fate == Fate::Live) {
            (rec.fate, rec.stamp) = (fate, stamp);
        }
    }

    /// A lead becomes a contact, which has no room for one of its fields.
    pub fn convert(&mut self, id: &RecordId) {
        let Some(lead) = self.sides[0].records.get(id).filter(|r| r.kind == "lead" && r.fate == Fate::Live) else {
            return;
        };
        let mut contact = lead.clone();
        contact.values.insert(key_of("odd"), Value::Null);
        (contact.kind, contact.stamp) = ("contact", self.sides[0].stamp + 1);
        let born = RecordId::new(format!("{id}c"));
        self.sides[0].records.insert(born.clone(), contact);
        self.end(Side::Left, id, Fate::ConvertedTo(born));
    }

    /// Reads what is new; what is committed late is not shown this time.
    pub fn pull(&mut self, side: Side, late: impl Fn(usize) -> bool) {
        let account = &self.sides[at(side)];
        let mut seen = Vec::new();
        for (place, (id, rec)) in account.records.iter().enumerate() {
            let known = self.entries.get(&(side, id.clone())).map_or(-1, |entry| entry.stamp);
            if rec.stamp > known && !late(place) {
                seen.push(id.clone());
            }
        }
        for id in seen {
            self.read(side, &id);
        }
    }

    fn read(&mut self, side: Side, id: &RecordId) {
        let account = &self.sides[at(side)];
        let Some(rec) = account.records.get(id) else { return };
        let row = Some(account.shown(rec));
        let known = self.entries.get(&(side, id.clone()));
        let entry = Entry {
            kind: rec.kind,
            key: rec.key.clone(),
            row,
            stamp: rec.stamp,
            fate: rec.fate.clone(),
            link: known.and_then(|entry| entry.link),
            detached: known.is_some_and(|entry| entry.detached),
            due: true,
        };
        let keys = [known.and_then(|entry| entry.key.clone()), entry.key.clone()];
        let moved = known.is_none_or(|known| known.key != entry.key || known.fate != entry.fate);
        self.entries.insert((side, id.clone()), entry);
        if moved {
            for key in keys.into_iter().flatten() {
                self.wake(&key);
            }
        }
    }

    /// Who has no counterpart is looked at again when somebody with the same address comes, goes or is free.
    fn wake(&mut self, key: &str) {
        for entry in self.entries.values_mut() {
            let link = entry.link.and_then(|link| self.links.get(&link));
            entry.due |= link.is_none_or(|link| link.ends.contains(&None)) && entry.key.as_deref() == Some(key);
        }
    }

    /// Nothing goes wrong any more: everything is read, decided and written until nothing is left to do. How many
    /// rounds it took.
    pub fn calm(&mut self) -> usize {
        for round in 0..40 {
            let before = self.log.writes.values().sum::<usize>();
            self.pull(Side::Left, |_| false);
            self.pull(Side::Right, |_| false);
            self.decide_all();
            self.push_all(|_| Fault::None);
            let idle = before == self.log.writes.values().sum::<usize>()
                && self.entries.values().all(|entry| !entry.due)
                && self.links.values().all(|link| link.steps.is_empty())
                && Side::BOTH.iter().all(|side| {
                    self.sides[at(*side)].records.iter().all(|(id, rec)| {
                        self.entries.get(&(*side, id.clone())).is_some_and(|entry| entry.stamp >= rec.stamp)
                    })
                });
            if idle {
                return round;
            }
        }
        panic!("it does not come to rest: {:#?}", self.links);
    }
}
