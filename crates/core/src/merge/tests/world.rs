//! A small world: two accounts with habits of their own, people who edit in both, and an engine that does with the
//! decisions what the real one does. Promises are checked as it goes: what is written is mapped, changed, writable and
//! valid, nothing hidden is touched, nothing refused is sent twice, nobody is signed up again.

use std::collections::{BTreeMap, BTreeSet};

use super::table::rule;
use crate::{
    description::{FieldKind, Habits},
    ids::RecordId,
    merge::{
        Blanks, Case, Conflict, Decision, Direction, Fate, Flow, Hold, Images, Kind, KindSettings, Known, PairSettings,
        Policy, Row, RowMerge, Rule, RuleKey, Select, Side, Successor, Tie, WhenDeleted, decide, payload_digest,
        row::Change,
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

    /// Decides about everything that is due.
    pub fn decide_all(&mut self) {
        let mut due: Vec<(Side, RecordId)> =
            self.entries.iter().filter(|(_, entry)| entry.due).map(|(place, _)| place.clone()).collect();
        if self.backwards {
            due.reverse();
        }
        for place in due {
            // What is sought is looked at once more.
            for _ in 0..4 {
                if !self.decide_one(&place) {
                    break;
                }
            }
        }
    }

    fn successor(&self, place: &(Side, RecordId)) -> Option<(Side, RecordId)> {
        let mut next = match &self.entries.get(place)?.fate {
            Fate::MergedInto(id) | Fate::ConvertedTo(id) => (place.0, id.clone()),
            _ => return None,
        };
        for _ in 0..8 {
            match self.entries.get(&next).map(|entry| &entry.fate) {
                Some(Fate::MergedInto(id) | Fate::ConvertedTo(id))
                    if self.entries.contains_key(&(next.0, id.clone())) =>
                {
                    next = (next.0, id.clone());
                }
                _ => break,
            }
        }
        self.entries.contains_key(&next).then_some(next)
    }

    /// Whether something was sought, so that it has to be looked at again.
    fn decide_one(&mut self, place: &(Side, RecordId)) -> bool {
        let Some(entry) = self.entries.get(place).filter(|entry| entry.due) else { return false };
        let link = entry.link.and_then(|link| self.links.get(&link));
        if link.is_some_and(|link| !link.steps.is_empty()) {
            return false;
        }
        let decision = {
            let known = |place: &'_ (Side, RecordId)| {
                let (place, entry) = self.entries.get_key_value(place)?;
                Some(Known {
                    side: place.0,
                    kind: entry.kind,
                    record: &place.1,
                    key: entry.key.as_deref(),
                    row: entry.row.as_ref(),
                    fate: &entry.fate,
                    changed_at: jiff::Timestamp::from_second(entry.stamp).ok(),
                })
            };
            let other = place.0.other();
            let partner = link.and_then(|link| link.ends[at(other)].clone()).and_then(|id| known(&(other, id)));
            let alike = |side: Side, unlinked: bool| -> Vec<Known<'_>> {
                let same = |candidate: &Entry| candidate.key.is_some() && candidate.key == entry.key;
                let all = self.entries.iter().filter(|((at, id), candidate)| {
                    *at == side && same(candidate) && !(unlinked && candidate.link.is_some()) && *id != place.1
                });
                all.filter_map(|(place, _)| known(place)).collect()
            };
            let (candidates, rivals) = (alike(other, true), alike(place.0, false));
            let next = self.successor(place).or_else(|| {
                let partner = link.and_then(|link| link.ends[at(other)].clone())?;
                self.successor(&(other, partner))
            });
            let successor = next.and_then(|next| {
                let record = known(&next)?;
                Some(Successor { record, linked: self.entries[&next].link.is_some() })
            });
            let tie = link.map(|link| Tie {
                pair: &link.pair,
                images: &link.images,
                refused: &link.refused,
                decided: &link.decided,
            });
            let record = known(place).expect("it is there");
            let occupied = entry.key.is_some()
                && self.entries.iter().any(|((at, id), known)| {
                    let mine = link.is_some_and(|link| link.ends.contains(&Some(id.clone())));
                    *at == other && known.link.is_some() && !mine && known.fate == Fate::Live && known.key == entry.key
                });
            let case = Case {
                record,
                tie,
                partner,
                candidates: &candidates,
                occupied,
                rivals: &rivals,
                detached: entry.detached,
                successor,
                since: None,
            };
            match decide(&self.flow, &case) {
                Decision::Adopt { pair, candidate, merge } => {
                    let id = candidates[candidate].record.clone();
                    Done::Adopt(pair, id, merge)
                }
                Decision::Follow { pair, images } => {
                    let id = successor.expect("it was given").record.record.clone();
                    let moved = matches!(record.fate, Fate::MergedInto(_) | Fate::ConvertedTo(_));
                    let gone = if moved { place.0 } else { other };
                    Done::Follow(pair, gone, id, images)
                }
                other => Done::Other(other),
            }
        };
        let link = entry.link;
        self.entries.get_mut(place).expect("it is there").due = false;
        self.carry_out(place, link, decision)
    }

    fn carry_out(&mut self, place: &(Side, RecordId), link: Option<usize>, decision: Done) -> bool {
        let side = place.0;
        match decision {
            Done::Adopt(pair, id, merge) => {
                let link = link.unwrap_or_else(|| self.new_link(pair, place));
                let tie = self.links.get_mut(&link).expect("just made");
                tie.ends[at(side.other())] = Some(id.clone());
                let other = self.entries.get_mut(&(side.other(), id)).expect("a candidate");
                (other.link, other.detached, other.due) = (Some(link), false, false);
                self.entries.get_mut(place).expect("it is there").detached = false;
                *self.log.begun.entry(link).or_default() += 1;
                self.plan(link, merge);
            }
            Done::Follow(pair, gone, id, images) => {
                let link = link.expect("only links go on");
                let name = self.flow.pairs[pair].name.clone();
                let tie = self.links.get_mut(&link).expect("it is there");
                let before = tie.ends[at(gone)].replace(id.clone());
                let stays = gone.other();
                if let Some(id) = &tie.ends[at(stays)] {
                    let shown = || tie.images.iter().map(|(key, base)| (*key, base.of(stays).clone())).collect();
                    self.entries.get_mut(&(stays, id.clone())).expect("it was read").row.get_or_insert_with(shown);
                }
                (tie.pair, tie.images) = (name, images);
                if let Some(before) = before {
                    self.entries.get_mut(&(gone, before)).expect("it was read").link = None;
                }
                self.read(gone, &id);
                self.entries.get_mut(&(gone, id)).expect("just read").link = Some(link);
                *self.log.begun.entry(link).or_default() += 1;
            }
            Done::Other(Decision::Seek { record, .. }) => {
                let gone = [
                    Some((side, place.1.clone())),
                    link.and_then(|link| Some((side.other(), self.links[&link].ends[at(side.other())].clone()?))),
                ];
                for (side, _) in gone.into_iter().flatten() {
                    self.read(side, &record);
                }
                self.entries.get_mut(place).expect("it is there").due = true;
                return true;
            }
            Done::Other(Decision::Create { pair, to, first }) => {
                let link = link.unwrap_or_else(|| self.new_link(pair, place));
                *self.log.begun.entry(link).or_default() += 1;
                let tie = self.links.get_mut(&link).expect("just made");
                tie.holds = first.holds;
                tie.steps.push(Step { side: to, op: Op::Create { pair }, changes: first.values });
            }
            Done::Other(Decision::Merge { merge, .. }) => self.plan(link.expect("it is tied"), merge),
            Done::Other(Decision::Delete { to }) => {
                let link = self.links.get_mut(&link.expect("it is tied")).expect("it is there");
                let record = link.ends[at(to)].clone().expect("there is somebody to delete");
                link.steps.push(Step { side: to, op: Op::Delete(record), changes: Vec::new() });
            }
            Done::Other(Decision::Detach { note }) => {
                self.log.notes.push(note);
                self.drop_link(link.expect("it is tied"));
            }
            Done::Other(Decision::Hold(hold)) => self.log.notes.push(hold.reason),
            Done::Other(Decision::Rest { .. } | Decision::Adopt { .. } | Decision::Follow { .. }) => {}
        }
        false
    }

    fn new_link(&mut self, pair: usize, place: &(Side, RecordId)) -> usize {
        self.next += 1;
        let mut ends = [None, None];
        ends[at(place.0)] = Some(place.1.clone());
        let link = Link {
            pair: self.flow.pairs[pair].name.clone(),
            ends,
            images: Images::new(),
            refused: Vec::new(),
            decided: Vec::new(),
            steps: Vec::new(),
            planned: BTreeMap::new(),
            holds: Vec::new(),
            origin: format!("{}:{}", place.0.as_str(), place.1),
        };
        self.links.insert(self.next, link);
        self.entries.get_mut(place).expect("it is there").link = Some(self.next);
        self.next
    }

    fn drop_link(&mut self, link: usize) {
        let Some(link) = self.links.remove(&link) else { return };
        for side in Side::BOTH {
            let Some(id) = &link.ends[at(side)] else { continue };
            let entry = self.entries.get_mut(&(side, id.clone())).expect("it was read");
            (entry.link, entry.detached, entry.due) = (None, true, false);
            let images = || link.images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect();
            entry.row.get_or_insert_with(images);
            if let Some(key) = entry.key.clone() {
                self.wake(&key);
            }
        }
    }

    fn plan(&mut self, id: usize, merge: RowMerge) {
        for (key, conflict) in merge.conflicts {
            self.log.conflicts.push((id, key, conflict));
        }
        let link = self.links.get_mut(&id).expect("it is tied");
        for (key, base) in &merge.adopted {
            let rule = self.flow.pairs[0].rules.iter().find(|rule| rule.key == *key).expect("it has a rule");
            let same = |from: Side| {
                rule.end(from.other()).take(base.of(from), true).is_ok_and(|taken| taken == *base.of(from.other()))
            };
            if base.left == base.right || same(Side::Left) || same(Side::Right) {
                for side in Side::BOTH {
                    self.log.carried.insert((id, *key, side, spelled(base.of(side))));
                }
            }
        }
        link.images.extend(merge.adopted);
        link.holds = merge.holds;
        link.decided.retain(|(key, _)| !merge.settled.contains(key));
        for (side, changes) in [(Side::Left, merge.to_left), (Side::Right, merge.to_right)] {
            if changes.is_empty() {
                continue;
            }
            for change in &changes {
                link.planned.entry(change.key).or_insert_with(|| (0, change.after.clone())).0 += 1;
            }
            let record = link.ends[at(side)].clone().expect("both are there");
            link.steps.push(Step { side, op: Op::Update(record), changes });
        }
        self.rested(id);
    }

    /// Rows that are as the images say are not kept.
    fn rested(&mut self, id: usize) {
        let Some(link) = self.links.get(&id).filter(|link| link.steps.is_empty()) else { return };
        for side in Side::BOTH {
            let Some(record) = &link.ends[at(side)] else { continue };
            let entry = self.entries.get_mut(&(side, record.clone())).expect("it was read");
            let same = entry.row.as_ref().is_some_and(|row| {
                row.len() == link.images.len()
                    && row.iter().all(|(key, value)| link.images.get(key).is_some_and(|base| base.of(side) == value))
            });
            if same {
                entry.row = None;
            }
        }
    }

    /// Sends the first step of every link.
    pub fn push_all(&mut self, fault: impl Fn(usize) -> Fault) {
        let open: Vec<usize> = self.links.iter().filter(|(_, l)| !l.steps.is_empty()).map(|(id, _)| *id).collect();
        for (place, id) in open.into_iter().enumerate() {
            while let Some(step) = self.links.get(&id).and_then(|link| link.steps.first().cloned()) {
                let fault = fault(place);
                if fault == Fault::Crash {
                    break;
                }
                self.links.get_mut(&id).expect("it is there").steps.remove(0);
                self.send(id, step, fault);
            }
            self.rested(id);
        }
    }

    fn look_again(&mut self, id: usize, side: Side) {
        let link = self.links.get_mut(&id).expect("it is there");
        link.planned.clear();
        let ends = link.ends.clone();
        // What was done of the plan before is read, too.
        for side in [side, side.other()] {
            if let Some(record) = &ends[at(side)] {
                self.read(side, record);
            }
        }
    }

    fn send(&mut self, id: usize, step: Step, fault: Fault) {
        self.unknowns += usize::from(fault != Fault::None);
        match &step.op {
            Op::Delete(record) => {
                if fault != Fault::Lost {
                    self.end(step.side, record, Fate::Deleted);
                }
                if fault == Fault::None {
                    self.entries.get_mut(&(step.side, record.clone())).expect("read").fate = Fate::Deleted;
                    self.drop_link(id);
                } else {
                    self.look_again(id, step.side);
                }
            }
            Op::Create { pair } => self.send_create(id, *pair, &step, fault),
            Op::Update(record) => self.send_update(id, record, &step, fault),
        }
    }

    fn send_create(&mut self, id: usize, pair: usize, step: &Step, fault: Fault) {
        let origin = self.links[&id].origin.clone();
        let known = self.sides[at(step.side)].records.iter().find(|(_, r)| r.made_for.as_ref() == Some(&origin));
        let made = match known.map(|(record, _)| record.clone()) {
            Some(record) => Some(record),
            None if fault == Fault::Lost => None,
            None => Some(self.make(id, pair, step, &origin)),
        };
        let Some(record) = made else {
            let side = step.side.other();
            self.look_again(id, side);
            return;
        };
        // Found by our own key, whatever was heard of it.
        let link = self.links.get_mut(&id).expect("it is there");
        link.ends[at(step.side)] = Some(record.clone());
        link.images = step.changes.iter().map(|change| (change.key, change.after.clone())).collect();
        self.read(step.side, &record);
        self.entries.get_mut(&(step.side, record)).expect("just read").link = Some(id);
    }

    fn make(&mut self, id: usize, pair: usize, step: &Step, origin: &str) -> RecordId {
        *self.log.made.entry(origin.to_owned()).or_default() += 1;
        let kind = if step.side == Side::Right { "person" } else { ["contact", "lead"][pair] };
        let mut values: Row = self.rules().iter().map(|rule| (rule.key, Value::Null)).collect();
        values.insert(key_of("out"), Value::Bool(false));
        for change in &step.changes {
            let kept = self.kept(step.side, change.key, &change.target);
            self.count(id, change, &kept);
            values.insert(change.key, kept);
        }
        let key = values[&key_of("email")].as_text().map(str::to_owned);
        let account = &mut self.sides[at(step.side)];
        let stamp = account.tick();
        let record = RecordId::new(format!("made-{origin}"));
        let rec = Rec { kind, values, stamp, fate: Fate::Live, key, made_for: Some(origin.to_owned()) };
        account.records.insert(record.clone(), rec);
        record
    }

    fn count(&mut self, id: usize, change: &Change, kept: &Value) {
        *self.log.writes.entry((id, change.key)).or_default() += 1;
        *self.log.rewritten.entry((id, change.key)).or_default() += usize::from(*kept != change.target);
        for side in Side::BOTH {
            self.log.carried.insert((id, change.key, side, spelled(change.after.of(side))));
        }
    }

    fn send_update(&mut self, id: usize, record: &RecordId, step: &Step, fault: Fault) {
        let side = step.side;
        let account = &self.sides[at(side)];
        let rec = &account.records[record];
        let shown = account.shown(rec);
        // Looked at just before: what changed meanwhile is decided about anew.
        if rec.fate != Fate::Live || step.changes.iter().any(|change| shown.get(&change.key) != change.seen.as_ref()) {
            self.look_again(id, side);
            return;
        }
        for change in &step.changes {
            self.check_write(side, change);
        }
        if fault == Fault::Lost {
            self.look_again(id, side);
            return;
        }
        let mut done = Vec::new();
        for change in &step.changes {
            if change.target == Value::text("bad") {
                let sent = (record.clone(), change.key, spelled(&change.target));
                let before = self.log.refused.insert(sent) || fault != Fault::None;
                assert!(before, "inv:15: what was refused is sent again: {change:?}");
                let digest = (change.key, payload_digest(side, change));
                if fault == Fault::None {
                    self.links.get_mut(&id).expect("it is there").refused.push(digest);
                } else {
                    self.log.refused.remove(&(record.clone(), change.key, spelled(&change.target)));
                }
                continue;
            }
            done.push(change.clone());
        }
        if !done.is_empty() {
            let stamp = self.sides[at(side)].tick();
            for change in &done {
                let kept = self.kept(side, change.key, &change.target);
                self.count(id, change, &kept);
                let rec = self.sides[at(side)].records.get_mut(record).expect("it is there");
                rec.values.insert(change.key, kept);
                (rec.stamp, rec.key) = (stamp, rec.values[&key_of("email")].as_text().map(str::to_owned));
            }
        }
        if fault != Fault::None {
            self.look_again(id, side);
            return;
        }
        self.acknowledge(id, side, record, &step.changes, &done);
    }

    fn acknowledge(&mut self, id: usize, side: Side, record: &RecordId, all: &[Change], done: &[Change]) {
        let link = self.links.get_mut(&id).expect("it is there");
        let entry = self.entries.get_mut(&(side, record.clone())).expect("it was read");
        let images = || link.images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect::<Row>();
        let row = entry.row.get_or_insert_with(images);
        for change in done {
            row.insert(change.key, change.target.clone());
            if let Some((waiting, after)) = link.planned.get_mut(&change.key) {
                *waiting -= 1;
                if *waiting == 0 {
                    link.images.insert(change.key, after.clone());
                    link.planned.remove(&change.key);
                    link.decided.retain(|(key, _)| *key != change.key);
                }
            }
        }
        if done.len() < all.len() {
            link.planned.clear();
            entry.due = true;
        }
    }

    fn check_write(&self, side: Side, change: &Change) {
        let rule = self.rule(change.key);
        let end = rule.end(side);
        assert!(rule.goes_to(side), "inv:8: {} may not be written on {side:?}", end.field);
        assert!(!self.sides[at(side)].hidden.contains(&change.key), "inv:9: hidden {} is written", end.field);
        assert_ne!(Some(&change.target), change.seen.as_ref(), "inv:8: {} is written as it is", end.field);
        assert!(change.target != Value::Null || end.shape.nillable, "inv:8: {} is emptied", end.field);
        if let (Value::Text(text), Some(length)) = (&change.target, end.shape.length) {
            assert!(text.chars().count() <= length as usize, "inv:8: {text:?} is too long for {}", end.field);
        }
        if rule.kind == Kind::OptOut {
            assert_eq!(change.target, Value::Bool(true), "inv:12: somebody is signed up again");
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

enum Done {
    Adopt(usize, RecordId, RowMerge),
    Follow(usize, Side, RecordId, Images),
    Other(Decision),
}
