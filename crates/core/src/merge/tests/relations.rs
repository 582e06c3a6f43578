//! Records that name others: a deal, its company and its person. What the other side is told is always a counterpart, it is
//! told once, and whoever has none yet is waited for or left out, as the account allows.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::table::{rule, shape};
use crate::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    ids::RecordId,
    merge::{
        Base, Case, Counterpart, Counterparts, Decision, Direction, End, Fate, Flow, Images, Kind, KindSettings, Known,
        PairSettings, Policy, Row, Rule, RuleKey, Select, Side, Tie, WhenDeleted, check_pair, check_relations, decide,
    },
    record::Value,
};

const COMPANY: &str = "company";
const PERSON: &str = "person";

fn key(name: &str) -> RuleKey {
    RuleKey::of(name, name)
}

fn plain(name: &str) -> Rule {
    let end = || End::new(name, shape(FieldKind::Text));
    Rule { key: key(name), left: end(), right: end(), ..rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left)) }
}

/// A field by which a deal names another record, in these pairs.
fn relation(name: &str, pairs: &[&str], required: bool) -> Rule {
    let mut left = FieldDescription::plain(name, FieldKind::Reference);
    left.refers_to = vec![name.to_owned()];
    let mut right = FieldDescription::plain(name, FieldKind::Reference);
    (right.required, right.nillable) = (required, !required);
    let mut right = End::new(name, right);
    right.counterpart_in = pairs.iter().map(|pair| (*pair).to_owned()).collect();
    let direction = Direction::ToRight;
    Rule { left: End::new(name, left), right, direction, ..plain(name) }
}

fn pair(name: &str, mut rules: Vec<Rule>) -> PairSettings {
    rules.sort_by_key(|rule| rule.key);
    let side = |create| KindSettings {
        kind: name.to_owned(),
        create,
        deleted: WhenDeleted::Detach,
        created: None,
        read: Vec::new(),
    };
    PairSettings {
        name: name.to_owned(),
        left: side(false),
        right: side(true),
        rules,
        select: Select::All,
        primary: None,
        marks: None,
        on_request: false,
    }
}

fn flow(person_required: bool) -> Flow {
    let rules = vec![plain("name"), relation(COMPANY, &[COMPANY], false), relation(PERSON, &[PERSON], person_required)];
    Flow { pairs: vec![pair("deal", rules)] }
}

/// The deal on both sides, and what we know of it.
struct Deal {
    left: Row,
    link: Option<Images>,
    known: Counterparts,
    /// What the right side was told, oldest first.
    told: Vec<(RuleKey, Value)>,
}

impl Deal {
    fn new() -> Self {
        let left = Row::from([(key("name"), Value::text("Engine"))]);
        Self { left, link: None, known: Counterparts::default(), told: Vec::new() }
    }

    fn name(&mut self, field: &str, record: Option<&str>) {
        let value = record.map_or(Value::Null, |record| Value::Id(RecordId::new(record)));
        self.left.insert(key(field), value);
    }

    fn know(&mut self, field: &str, record: &str, counterpart: Counterpart) {
        self.known.insert(field, Side::Left, RecordId::new(record), counterpart);
    }

    /// Decides and carries it out, with a right side that does not show whom the deal belongs to; how much was written.
    fn turn(&mut self, flow: &Flow) -> (Decision, usize) {
        let (left, right) = (RecordId::new("l"), RecordId::new("r"));
        let images = self.link.clone().unwrap_or_default();
        let shown: Row =
            images.iter().filter(|(of, _)| **of == key("name")).map(|(key, base)| (*key, base.right.clone())).collect();
        let record = |side, record, row| Known {
            side,
            kind: "deal",
            record,
            key: None,
            row: Some(row),
            fate: &Fate::Live,
            changed_at: None,
        };
        let linked = self.link.is_some();
        let case = Case {
            record: record(Side::Left, &left, &self.left),
            tie: linked.then_some(Tie { pair: "deal", images: &images, refused: &[], decided: &[] }),
            partner: linked.then(|| record(Side::Right, &right, &shown)),
            candidates: &[],
            occupied: false,
            rivals: &[],
            detached: false,
            successor: None,
            since: None,
            counterparts: &self.known,
        };
        let decision = decide(flow, &case);
        let changes = match &decision {
            Decision::Create { first, .. } => first.values.clone(),
            Decision::Merge { merge, .. } => {
                assert!(merge.to_left.is_empty(), "nothing comes back");
                let link = self.link.as_mut().expect("it is linked");
                link.extend(merge.adopted.iter().cloned());
                merge.to_right.clone()
            }
            _ => return (decision, 0),
        };
        let written = changes.len();
        let link = self.link.get_or_insert_default();
        for change in changes {
            self.told.push((change.key, change.target.clone()));
            link.insert(change.key, change.after);
        }
        (decision, written)
    }
}

#[derive(Clone, Debug)]
enum Act {
    Name(bool, Option<u8>),
    /// Its counterpart is this one from now on.
    There(bool, u8, u8),
    /// It has none any more, or not yet.
    Coming(bool, u8),
    Rename(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (any::<bool>(), prop::option::of(0..3u8)).prop_map(|(person, of)| Act::Name(person, of)),
        (any::<bool>(), 0..3u8, 0..2u8).prop_map(|(person, of, other)| Act::There(person, of, other)),
        (any::<bool>(), 0..3u8).prop_map(|(person, of)| Act::Coming(person, of)),
        (0..3u8).prop_map(Act::Rename),
    ];
    prop::collection::vec(act, 1..24)
}

proptest! {
    /// Whatever order records and their counterparts come in, go, and change places in: a side is only ever told counterparts that are there, the
    /// deal is made once and not before one that it has to name, nothing is told twice, and in the end the right side has
    /// exactly the counterparts of whom the deal names. proves: R7
    #[test]
    fn a_deal_belongs_to_the_counterparts_of_whom_it_names(acts in acts(), required: bool) {
        let flow = flow(required);
        let mut deal = Deal::new();
        let mut there = std::collections::BTreeMap::new();
        let field = |person: bool| if person { PERSON } else { COMPANY };
        let mut made = 0;
        for act in acts {
            match act {
                Act::Name(person, of) => deal.name(field(person), of.map(|of| format!("l{of}")).as_deref()),
                Act::There(person, of, other) => {
                    let counterpart = RecordId::new(format!("r{of}{other}"));
                    there.insert((person, of), counterpart.clone());
                    deal.know(field(person), &format!("l{of}"), Counterpart::There(counterpart));
                }
                Act::Coming(person, of) => {
                    there.remove(&(person, of));
                    deal.know(field(person), &format!("l{of}"), Counterpart::Coming);
                }
                Act::Rename(n) => {
                    deal.left.insert(key("name"), Value::text(format!("Engine {n}")));
                }
            }
            let before = deal.told.len();
            let (decision, _) = deal.turn(&flow);
            made += usize::from(matches!(decision, Decision::Create { .. }));
            for (of, told) in &deal.told[before..] {
                if let (Value::Id(id), false) = (told, *of == key("name")) {
                    let mut of_field = there.iter().filter(|((person, _), _)| *person == (*of == key(PERSON)));
                    prop_assert!(of_field.any(|(_, counterpart)| counterpart == id));
                }
            }
            let (_, again) = deal.turn(&flow);
            prop_assert_eq!(again, 0, "nothing is told twice");
        }
        prop_assert!(made <= 1);
        let named = |person: bool| match deal.left.get(&key(field(person))) {
            Some(Value::Id(id)) => Some(id.as_str()[1..].parse::<u8>().expect("a number")),
            _ => None,
        };
        let has = |person: bool| named(person).is_none_or(|of| there.contains_key(&(person, of)));
        prop_assert!(deal.link.is_some() || !has(false) || !has(true) || required, "it was made as soon as it could be");
        if let (Some(link), true, true) = (&deal.link, has(false), has(true)) {
            for person in [false, true] {
                let told = link.get(&key(field(person))).map_or(Value::Null, |base| base.right.clone());
                let wanted = named(person).map_or(Value::Null, |of| Value::Id(there[&(person, of)].clone()));
                // Whom a deal has to belong to is not taken away from it.
                prop_assert!(told == wanted || (person && required && wanted == Value::Null), "{told:?} {wanted:?}");
            }
        }
    }
}

fn said(decision: &Decision) -> String {
    match decision {
        Decision::Create { first, .. } => {
            let values: Vec<String> = first.values.iter().map(|change| format!("{:?}", change.target)).collect();
            format!("made with {}", values.join(", "))
        }
        Decision::Merge { merge, .. } => {
            let values: Vec<String> = merge.to_right.iter().map(|change| format!("{:?}", change.target)).collect();
            let holds: Vec<&str> = merge.holds.iter().map(|(_, hold)| hold.reason.as_str()).collect();
            format!("told [{}] held [{}]", values.join(", "), holds.join(", "))
        }
        Decision::Hold(hold) => format!("held: {}; {}", hold.reason, hold.fix),
        Decision::Rest { note } => format!("rests: {}", note.as_deref().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}

/// A deal whose person is not in step, with an account that takes it without one and with one that does not. proves: R7
#[test]
fn a_deal_waits_only_where_it_has_to() {
    let mut lines = Vec::new();
    for required in [false, true] {
        let flow = flow(required);
        let mut deal = Deal::new();
        let mut say = |deal: &mut Deal, what: &str| lines.push(format!("{what}: {}", said(&deal.turn(&flow).0)));
        lines_header(&mut say, &mut deal, required);
        deal.know(PERSON, "ada", Counterpart::Coming);
        say(&mut deal, "its counterpart is being made");
        deal.know(PERSON, "ada", Counterpart::There(RecordId::new("41")));
        say(&mut deal, "it is there");
        say(&mut deal, "nothing changed");
        deal.name(PERSON, Some("grace"));
        say(&mut deal, "another person without a counterpart");
        deal.know(PERSON, "grace", Counterpart::There(RecordId::new("42")));
        say(&mut deal, "who has one now");
        deal.name(PERSON, None);
        say(&mut deal, "nobody");
    }
    assert_snapshot!(lines.join("\n"));
}

fn lines_header(say: &mut impl FnMut(&mut Deal, &str), deal: &mut Deal, required: bool) {
    deal.name(PERSON, Some("ada"));
    say(deal, if required { "a person is needed, and has no counterpart" } else { "a person without a counterpart" });
}

/// What a mapping says of fields that name others is checked before a record is there. proves: R2, R7
#[test]
fn what_names_no_record_is_refused() {
    let object = |name: &str, fields: &[(&str, FieldKind, &str)]| ObjectDescription {
        name: name.to_owned(),
        label: name.to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields: fields
            .iter()
            .map(|(name, kind, to)| {
                let refers_to = if to.is_empty() { Vec::new() } else { vec![(*to).to_owned()] };
                ((*name).to_owned(), FieldDescription { refers_to, ..FieldDescription::plain(*name, *kind) })
            })
            .collect(),
    };
    let left = [("person", FieldKind::Reference, "person"), ("title", FieldKind::Text, "")];
    let right = [("person", FieldKind::Reference, "person"), ("title", FieldKind::Text, "")];
    let (left, right) = (object("deal", &left), object("deal", &right));
    let rules = vec![
        relation("person", &["person"], false),
        relation("title", &["person"], false),
        Rule { key: RuleKey::of("p", "c"), ..relation("person", &["company"], false) },
        Rule { key: RuleKey::of("p", "n"), ..relation("person", &["nobody"], false) },
    ];
    let deal = pair("deal", rules);
    let pairs = [deal.clone(), pair("person", Vec::new()), pair("company", Vec::new())];
    let mut found = check_pair(&deal, &left, &right);
    found.extend(check_relations(&deal, &pairs, &left, &right));
    let lines: Vec<String> = found.iter().map(|one| format!("{}: {}; {}", one.about, one.reason, one.fix)).collect();
    assert_snapshot!(lines.join("\n"));
}

/// A base is of what a side was told, so that an account which does not show it is told no second time. proves: R7
#[test]
fn an_account_that_shows_nothing_is_believed_to_hold_what_it_was_told() {
    let flow = flow(false);
    let mut deal = Deal::new();
    deal.name(COMPANY, Some("acme"));
    deal.know(COMPANY, "acme", Counterpart::There(RecordId::new("7")));
    let (_, written) = deal.turn(&flow);
    assert_eq!(written, 2, "its name and its company");
    let link = deal.link.as_ref().expect("it was made");
    let base = link.get(&key(COMPANY)).expect("it is kept");
    let ids = (Value::Id(RecordId::new("acme")), Value::Id(RecordId::new("7")));
    assert_eq!(Base { told: None, ..base.clone() }, Base::new(ids.0, ids.1));
    assert_eq!(deal.turn(&flow).1, 0);
}
