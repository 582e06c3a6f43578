//! Whether a mapping can work, by what both accounts say of their fields. It finds what can be known without a record;
//! what depends on one is held back when it comes.

use std::collections::BTreeSet;

use super::{
    Side,
    end::End,
    flow::PairSettings,
    rule::{Kind, Rule},
};
use crate::description::{FieldDescription, FieldKind, ObjectDescription};

/// How many options a finding names.
const NAMED_MAX: usize = 8;

/// Names that differ by more letters are not taken for a slip.
const SLIP_MAX: usize = 2;

/// Something about a mapping that an admin should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// As `Phone <-> PHONE`; the kind of record where it is about no field pair.
    pub about: String,
    pub weight: Weight,
    pub reason: String,
    pub fix: String,
}

impl Finding {
    /// Whether it is about this row of the mapping.
    pub fn is_about(&self, rule: &Rule) -> bool {
        self.about == about(rule)
    }
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The mapping cannot be saved; where it stands nevertheless, the row is left out, save one of consent.
    Refused,
    /// Some values will be changed or held back.
    Warning,
}

/// Everything that is to be said about a pair's mapping.
pub fn check_pair(pair: &PairSettings, left: &ObjectDescription, right: &ObjectDescription) -> Vec<Finding> {
    let mut check = Check { pair, left, right, findings: Vec::new() };
    for rule in pair.rules.iter().filter(|rule| rule.kind != Kind::Mark) {
        check.rule(rule);
    }
    check.marks();
    check.doubles();
    for side in Side::BOTH {
        check.creation(side);
    }
    check.address();
    check.findings
}

/// What is to be said of the fields by which records of a pair name others: `pairs` are all of the integration.
pub fn check_relations(
    pair: &PairSettings,
    pairs: &[PairSettings],
    left: &ObjectDescription,
    right: &ObjectDescription,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut refuse = |rule: &Rule, reason: String, fix: String| {
        findings.push(Finding { about: about(rule), weight: Weight::Refused, reason, fix });
    };
    let object = |side: Side| if side == Side::Left { left } else { right };
    for (rule, to) in pair.rules.iter().flat_map(|rule| Side::BOTH.map(|side| (rule, side))) {
        for name in &rule.end(to).counterpart_in {
            let Some(meant) = pairs.iter().find(|pair| pair.name == *name) else {
                let known = pairs.iter().map(|pair| pair.name.as_str()).collect::<Vec<_>>().join(", ");
                refuse(rule, format!("there is no pair {name}"), format!("name one of {known}"));
                continue;
            };
            for side in Side::BOTH {
                let (field, kind) = (&rule.end(side).field, &meant.side(side).kind);
                let takes = object(side).fields.get(field).map_or(&[][..], |field| field.refers_to.as_slice());
                if !takes.is_empty() && !takes.contains(kind) {
                    let reason = format!("{field} names {}, and the pair {name} is of {kind}", takes.join(" or "));
                    refuse(rule, reason, "name a pair of those, or choose another field".to_owned());
                }
            }
        }
    }
    findings
}

struct Check<'a> {
    pair: &'a PairSettings,
    left: &'a ObjectDescription,
    right: &'a ObjectDescription,
    findings: Vec<Finding>,
}

fn about(rule: &Rule) -> String {
    format!("{} <-> {}", rule.left.field, rule.right.field)
}

impl<'a> Check<'a> {
    fn object(&self, side: Side) -> &'a ObjectDescription {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    fn field(&self, rule: &Rule, side: Side) -> Option<&'a FieldDescription> {
        self.object(side).fields.get(&rule.end(side).field)
    }

    fn refuse(&mut self, about: String, reason: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding { about, weight: Weight::Refused, reason: reason.into(), fix: fix.into() });
    }

    fn warn(&mut self, about: String, reason: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding { about, weight: Weight::Warning, reason: reason.into(), fix: fix.into() });
    }

    fn rule(&mut self, rule: &Rule) {
        let mut there = true;
        for side in Side::BOTH {
            if self.field(rule, side).is_none() {
                self.missing(rule, side);
                there = false;
            }
        }
        let (Some(left), Some(right), true) = (self.field(rule, Side::Left), self.field(rule, Side::Right), there)
        else {
            return;
        };
        let writable = |field: &FieldDescription| (field.updateable || field.createable) && !field.calculated;
        let asked: Vec<Side> = Side::BOTH.into_iter().filter(|side| rule.direction.goes_to(*side)).collect();
        let open = |side: &Side| writable(if *side == Side::Left { left } else { right });
        for side in asked.iter().filter(|side| !open(side)) {
            self.unwritable(rule, *side, asked.iter().any(open));
        }
        self.kind(rule, left, right);
        for to in asked.iter().copied().filter(open) {
            let (from, into) = if to == Side::Left { (right, left) } else { (left, right) };
            self.values(rule, to, from, into);
        }
    }

    fn missing(&mut self, rule: &Rule, side: Side) {
        let (object, field) = (self.object(side), &rule.end(side).field);
        let fix = match nearest(field, object.fields.keys()) {
            Some(near) => format!("did you mean {near}?"),
            None => "check the spelling, and whether the connected user may see the field".to_owned(),
        };
        self.refuse(about(rule), format!("{} has no field {field} that can be read", object.name), fix);
    }

    fn unwritable(&mut self, rule: &Rule, side: Side, other_way: bool) {
        let end = &rule.end(side).field;
        let why = match self.field(rule, side) {
            Some(field) if field.calculated => "is worked out by its vendor and can never be written",
            _ => "may not be written by the connected user",
        };
        if other_way {
            let fix = "let values go one way only, or choose another field";
            self.warn(about(rule), format!("{end} {why}: it is only read"), fix);
        } else {
            self.refuse(about(rule), format!("{end} {why}"), "choose another field, or turn the direction round");
        }
    }

    /// Consent, sets and groups ask more of their fields than plain values do.
    fn kind(&mut self, rule: &Rule, left: &FieldDescription, right: &FieldDescription) {
        let both = |kinds: &[FieldKind]| kinds.contains(&left.kind) && kinds.contains(&right.kind);
        match rule.kind {
            Kind::OptOut if !both(&[FieldKind::Boolean]) => {
                self.refuse(about(rule), "consent is kept in fields that are true or false", "choose such fields");
            }
            Kind::OptOut if !rule.left.as_it_is() || !rule.right.as_it_is() => {
                let reason = "a field of consent is true where somebody opted out, on both sides; it is not converted";
                self.refuse(about(rule), reason, "choose the fields that say so");
            }
            Kind::OptOut if !Side::BOTH.iter().all(|side| rule.direction.goes_to(*side)) => {
                let fix = "let it go both ways";
                self.warn(about(rule), "opting out on one side will not be told to the other", fix);
            }
            Kind::Set if !both(&[FieldKind::MultiPicklist, FieldKind::Text, FieldKind::TextArea]) => {
                self.refuse(about(rule), "entries come and go one by one only in lists and texts", "map it as a whole");
            }
            Kind::OptOut | Kind::Set | Kind::Plain | Kind::Mark => {}
        }
        self.evidence(rule);
        if rule.group.is_some() && rule.kind != Kind::Plain {
            self.refuse(about(rule), "only fields that change as a whole go together", "take it out of the group");
        }
    }

    /// What is to show that somebody opted in again.
    fn evidence(&mut self, rule: &Rule) {
        for side in Side::BOTH {
            let Some(mapped) = &rule.end(side).opted_in else { continue };
            if rule.kind != Kind::OptOut {
                let reason = "only a field by which somebody opts out has evidence that they opted in again";
                self.refuse(about(rule), reason, "take the evidence away");
                continue;
            }
            let kind = self.object(side).fields.get(&mapped.at).map(|field| field.kind);
            if !matches!(kind, Some(FieldKind::Date | FieldKind::DateTime)) {
                let reason = format!("{} does not hold when somebody opted in", mapped.at);
                self.refuse(about(rule), reason, "choose a field for a day, or for a point in time");
            }
        }
    }

    fn values(&mut self, rule: &Rule, to: Side, from: &FieldDescription, into: &FieldDescription) {
        let (end, source) = (rule.end(to), &rule.end(to.other()).field);
        let way = format!("from {source} to {}", end.field);
        if into.kind == FieldKind::Other {
            self.refuse(about(rule), format!("{} is of a kind that is not written", end.field), "choose another field");
            return;
        }
        // What an expression makes is not known before there is a value.
        if end.convert.is_some() || self.relation(rule, end, from, into) {
            return;
        }
        let fits = fits(from.kind, into.kind, rule.kind);
        if fits == Fits::Never {
            let reason = format!("{}, and {} takes {}", holds(source, from.kind), end.field, named(into.kind));
            self.refuse(about(rule), reason, format!("convert it, or map another field ({way})"));
            return;
        }
        self.lengths(rule, &way, from, into);
        if matches!(from.kind, FieldKind::Number) && into.kind == FieldKind::Number && from.scale > into.scale {
            let reason = format!("numbers are rounded to {} decimal places {way}", into.scale);
            self.warn(about(rule), reason, "choose a field with as many, if that matters");
        }
        if from.kind == FieldKind::DateTime && into.kind == FieldKind::Date {
            self.warn(about(rule), format!("the time of day is lost {way}"), "choose a field for date and time");
        }
        self.options(rule, end, &way, from, into);
    }

    /// Whether it is a record that is named, and what is to be said of that.
    fn relation(&mut self, rule: &Rule, end: &End, from: &FieldDescription, into: &FieldDescription) -> bool {
        if end.counterpart_in.is_empty() {
            return false;
        }
        for (field, shape) in [(&rule.end(Side::Left).field, from), (&rule.end(Side::Right).field, into)] {
            if shape.kind != FieldKind::Reference {
                let fix = "choose a field by which a record names another, or take `refers_to` away";
                self.refuse(about(rule), format!("{field} names no record"), fix);
            }
        }
        true
    }

    fn lengths(&mut self, rule: &Rule, way: &str, from: &FieldDescription, into: &FieldDescription) {
        let texts = [FieldKind::Text, FieldKind::TextArea, FieldKind::Email, FieldKind::Phone, FieldKind::Url];
        let (Some(room), true) = (into.length, texts.contains(&from.kind)) else { return };
        if from.length.is_some_and(|length| length <= room) {
            return;
        }
        if rule.truncate {
            let reason = format!("texts longer than {room} characters are cut {way}");
            self.warn(about(rule), reason, "choose a longer field, if that matters");
        } else {
            let reason = format!("texts longer than {room} characters are held back {way}");
            self.warn(about(rule), reason, "choose a longer field, or let them be cut (`truncate`)");
        }
    }

    /// Options that the other side does not take.
    fn options(&mut self, rule: &Rule, end: &End, way: &str, from: &FieldDescription, into: &FieldDescription) {
        let lists = [FieldKind::Picklist, FieldKind::MultiPicklist];
        if !lists.contains(&from.kind) || !lists.contains(&into.kind) || !into.restricted || from.values.is_empty() {
            return;
        }
        let taken: BTreeSet<String> = into.values.iter().map(|value| value.to_lowercase()).collect();
        let lost: Vec<&str> = from
            .values
            .iter()
            .filter(|value| !taken.contains(&end.options.get(*value).unwrap_or(value).to_lowercase()))
            .map(String::as_str)
            .collect();
        if lost.is_empty() {
            return;
        }
        let more = if lost.len() > NAMED_MAX { ", …" } else { "" };
        let named = |value: &&str| match end.options.get(*value) {
            Some(meant) => format!("{value} (as {meant})"),
            None => (*value).to_owned(),
        };
        let names = format!("{}{more}", lost.iter().take(NAMED_MAX).map(named).collect::<Vec<_>>().join(", "));
        let fix = "name their counterparts (`options`), or add them to the list";
        // Where options are numbers, the label says what they mean.
        let fix = match into.values.iter().any(|value| into.label.contains(value.as_str())) {
            true => format!("{fix}: {}", into.label),
            false => fix.to_owned(),
        };
        if lost.len() == from.values.len() {
            self.refuse(about(rule), format!("not one option has a counterpart {way} ({names})"), fix);
        } else {
            self.warn(about(rule), format!("these options have no counterpart {way}: {names}"), fix);
        }
    }

    /// Two rules that write one field would undo each other, and two with one key would share their images.
    fn doubles(&mut self) {
        let mut keys = BTreeSet::new();
        let mut targets = BTreeSet::new();
        for rule in self.pair.rules.iter().filter(|rule| rule.kind != Kind::Mark) {
            if !keys.insert(rule.key) {
                self.refuse(about(rule), "this pair of fields is mapped twice", "leave one of the two");
                continue;
            }
            for side in Side::BOTH {
                let field = &rule.end(side).field;
                if rule.direction.goes_to(side) && !targets.insert((side, field.to_lowercase())) {
                    let fix = "let all but one of them go the other way only";
                    self.refuse(about(rule), format!("another rule writes {field}, too"), fix);
                }
            }
        }
    }

    /// Marks that the field does not take, and a mapping whose own entries would be taken for marks.
    fn marks(&mut self) {
        let Some(marks) = &self.pair.marks else { return };
        let draft = &marks.draft;
        let Some(field) = self.right.fields.get(&draft.field) else { return };
        let name = format!("{} of {}", draft.field, self.right.name);
        if field.kind != FieldKind::MultiPicklist || !field.updateable {
            self.refuse(name, "marks are kept in a field of several entries that can be written", "choose another");
            return;
        }
        for mark in draft.own().filter(|mark| field.restricted && !field.values.contains(*mark)) {
            let fix = "add it there, or name one that is there";
            self.refuse(name.clone(), format!("there is no `{mark}` by which records could be marked"), fix);
        }
    }

    /// Whether records can be made on this side.
    fn creation(&mut self, side: Side) {
        let object = self.object(side);
        if !self.pair.may_create(side) {
            return;
        }
        if !object.createable {
            let reason = format!("the connected user may not make a {}", object.name);
            self.refuse(object.name.clone(), reason, "give it the right to, or do not let records be made");
        }
        for (name, field) in object.fields.iter().filter(|(_, field)| field.required && field.createable) {
            let mapped = |rule: &&Rule| rule.end(side).field == *name && rule.direction.goes_to(side);
            if !self.pair.rules.iter().any(|rule| mapped(&rule)) {
                let reason = format!("no {} can be made without {name} ({})", object.name, field.label);
                self.refuse(object.name.clone(), reason, format!("map a field to {name}"));
            }
        }
    }

    /// People are known by their e-mail address.
    fn address(&mut self) {
        let people = |object: &ObjectDescription| object.fields.values().any(|field| field.kind == FieldKind::Email);
        if !people(self.left) || !people(self.right) {
            return;
        }
        let tells = |rule: &Rule| {
            let is_email = |side: Side| self.field(rule, side).is_some_and(|field| field.kind == FieldKind::Email);
            Side::BOTH.iter().any(|side| rule.direction.goes_to(*side)) && Side::BOTH.into_iter().all(is_email)
        };
        if !self.pair.rules.iter().any(tells) {
            let name = format!("{} <-> {}", self.left.name, self.right.name);
            self.refuse(name, "no e-mail address is mapped, and people are known by it alone", "map it");
        }
    }
}

/// Whether values of one kind can be held by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fits {
    Always,
    /// It depends on the value.
    Some,
    Never,
}

/// What is known of two kinds without a value. Ids of records mean nothing to another vendor.
pub(super) fn fits(from: FieldKind, into: FieldKind, kind: Kind) -> Fits {
    use FieldKind::{
        Boolean, Date, DateTime, Email, MultiPicklist, Number, Other, Phone, Picklist, Reference, Text, TextArea, Url,
    };
    match (from, into) {
        (Other | Reference, _) | (_, Other | Reference) => Fits::Never,
        (MultiPicklist, Text | TextArea) if kind == Kind::Set => Fits::Some,
        (MultiPicklist, MultiPicklist) => Fits::Some,
        (MultiPicklist, _) => Fits::Never,
        (Text | TextArea | Picklist, Text | TextArea) => Fits::Always,
        (Text | TextArea | Picklist, _) => Fits::Some,
        (Number | Boolean | Date | DateTime | Email | Phone | Url, Text | TextArea) => Fits::Always,
        (Number, Number) | (Boolean, Boolean | Number) | (Date, Date) | (DateTime, DateTime | Date) => Fits::Always,
        (Email, Email) | (Phone, Phone) | (Url, Url) => Fits::Always,
        (Number, Boolean | Phone | Picklist | MultiPicklist) | (Boolean, Picklist | MultiPicklist) => Fits::Some,
        (Phone, Number) | (Email | Phone | Url, Picklist | MultiPicklist) => Fits::Some,
        (
            Number | Boolean | Date | DateTime | Email | Phone | Url,
            Number | Boolean | Date | DateTime | Picklist | MultiPicklist | Email | Phone | Url,
        ) => Fits::Never,
    }
}

fn holds(field: &str, kind: FieldKind) -> String {
    format!("{field} holds {}", named(kind))
}

/// What a kind of field holds, in words.
fn named(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text | FieldKind::TextArea => "texts",
        FieldKind::Number => "numbers",
        FieldKind::Boolean => "yes or no",
        FieldKind::Date => "days",
        FieldKind::DateTime => "points in time",
        FieldKind::Picklist => "one of several options",
        FieldKind::MultiPicklist => "several options",
        FieldKind::Reference => "records of its own account",
        FieldKind::Email => "e-mail addresses",
        FieldKind::Phone => "phone numbers",
        FieldKind::Url => "web addresses",
        FieldKind::Other => "values of a kind of its own",
    }
}

/// The name that was probably meant.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let near = names.map(|name| (slips(&typed, &name.to_lowercase()), name.as_str()));
    near.filter(|(slips, name)| *slips <= SLIP_MAX && *slips < name.chars().count()).min().map(|(_, name)| name)
}

/// How many letters have to be changed, added or left out (Levenshtein's distance).
fn slips(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], place + 1);
        for (at, known) in other.iter().enumerate() {
            let change = corner + usize::from(letter != *known);
            corner = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}
