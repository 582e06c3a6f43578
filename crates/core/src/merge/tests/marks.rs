//! Marks: which a record gets, when they are exchanged, what people may do to them, and what an unmarked record may say.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::table::shape;
use crate::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    ids::RecordId,
    merge::{
        Base, Case, Counterparts, Decision, Direction, EndDraft, Fate, Flow, Images, KindFacts, KindSettings, Known,
        MarkDraft, PairDraft, Policy, Row, RuleDraft, RuleKey, Select, Side, Successor, Tie, WhenDeleted, decide,
        mark_key,
    },
    record::Value,
};

const OWN: [&str; 2] = ["contact", "lead"];

fn object(fields: &[(&str, FieldKind)]) -> ObjectDescription {
    let field = |(name, kind): &(&str, FieldKind)| ((*name).to_owned(), shape(*kind));
    let fields: std::collections::BTreeMap<String, FieldDescription> = fields.iter().map(field).collect();
    ObjectDescription {
        name: "x".to_owned(),
        label: "x".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields,
    }
}

/// Contacts and leads of one side, people of the other, by their names and whether they opted out.
fn marked(only_marked: bool) -> Flow {
    let known = object(&[
        ("name", FieldKind::Text),
        ("out", FieldKind::Boolean),
        ("tags", FieldKind::MultiPicklist),
        ("topics", FieldKind::MultiPicklist),
    ]);
    let facts = KindFacts { description: &known, opt_out: Some("out"), sets: &["tags", "topics"], created: None };
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    let row = |left: &str, right: &str| RuleDraft {
        left: end(left),
        right: end(right),
        direction: Direction::Both,
        policy: Policy::Prefer(Side::Left),
        blanks: crate::merge::Blanks::Propagate,
        truncate: false,
        group: None,
    };
    let kind = |kind: &str, create: bool| KindSettings {
        kind: kind.to_owned(),
        create,
        deleted: WhenDeleted::Detach,
        created: None,
        read: Vec::new(),
    };
    let draft = |name: &str| PairDraft {
        name: name.to_owned(),
        left: kind(name, false),
        right: kind("person", true),
        rows: vec![row("name", "name"), row("out", "out"), row("topics", "tags")],
        select: Select::All,
        primary: None,
        marks: Some(MarkDraft {
            field: "tags".to_owned(),
            added: format!("added-to-{name}"),
            created: format!("created-from-{name}"),
            converted: (name == "contact").then(|| "lead-to-contact".to_owned()),
            others: OWN
                .iter()
                .filter(|other| **other != name)
                .flat_map(|o| [format!("added-to-{o}"), format!("created-from-{o}")])
                .collect::<BTreeSet<_>>(),
            only_marked,
        }),
        on_request: true,
    };
    Flow { pairs: OWN.iter().map(|name| draft(name).compile(facts, facts).0).collect() }
}

fn text(value: &str) -> Value {
    if value == "-" { Value::Null } else { Value::text(value) }
}

/// A person of the right side with this name and these marks.
fn right(name: &str, marks: &str) -> Row {
    Row::from([
        (RuleKey::of("name", "name"), text(name)),
        (RuleKey::of("out", "out"), Value::Bool(false)),
        (RuleKey::of("topics", "tags"), text("news")),
        (mark_key("tags"), text(marks)),
    ])
}

fn left(name: &str) -> Row {
    let mut row = right(name, "-");
    row.remove(&mark_key("tags"));
    row
}

fn images(name: &str, owed: &str, marks: &str) -> Images {
    let mut images: Images =
        left(name).into_iter().map(|(key, value)| (key, Base::new(value.clone(), value))).collect();
    images.insert(mark_key("tags"), Base::new(text(owed), text(marks)));
    images
}

struct Told<'a> {
    side: Side,
    kind: &'a str,
    row: &'a Row,
    /// The other record, and the pair and images of their link.
    partner: Option<(&'a Row, &'a str, Images)>,
    candidate: Option<&'a Row>,
}

fn known<'a>(side: Side, kind: &'a str, id: &'a RecordId, row: &'a Row) -> Known<'a> {
    Known { side, kind, record: id, key: Some("a@b.example"), row: Some(row), fate: &Fate::Live, changed_at: None }
}

/// What is decided, in words.
fn told(flow: &Flow, told: &Told<'_>) -> String {
    let (one, two) = (RecordId::new("1"), RecordId::new("2"));
    let across = |side: Side| if side == Side::Left { "person" } else { "contact" };
    let candidates: Vec<Known<'_>> =
        told.candidate.iter().map(|row| known(told.side.other(), across(told.side), &two, row)).collect();
    let tie = told.partner.as_ref().map(|(_, pair, images)| Tie { pair, images, refused: &[], decided: &[] });
    let case = Case {
        record: known(told.side, told.kind, &one, told.row),
        tie,
        partner: told.partner.as_ref().map(|(row, ..)| known(told.side.other(), across(told.side), &two, row)),
        candidates: &candidates,
        occupied: false,
        rivals: &[],
        detached: false,
        successor: None::<Successor<'_>>,
        since: None,
        counterparts: &Counterparts::default(),
    };
    let shown = |changes: &[crate::merge::Change]| -> String {
        let one = |change: &crate::merge::Change| {
            let field = match change.key {
                key if key == mark_key("tags") => "marks",
                key if key == RuleKey::of("name", "name") => "name",
                key if key == RuleKey::of("out", "out") => "out",
                _ => "tags",
            };
            let value = change.target.as_text().map_or(format!("{:?}", change.target), str::to_owned);
            format!("{field}={value}")
        };
        changes.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    match decide(flow, &case) {
        Decision::Adopt { pair, merge, .. } | Decision::Merge { pair, merge } => {
            format!(
                "{}: left {{{}}} right {{{}}}",
                flow.pairs[pair].name,
                shown(&merge.to_left),
                shown(&merge.to_right)
            )
        }
        Decision::Create { pair, to, first } => {
            format!("{}: make on the {} {{{}}}", flow.pairs[pair].name, to.as_str(), shown(&first.values))
        }
        Decision::Rest { note } => format!("rest: {}", note.unwrap_or_default()),
        other => format!("{other:?}"),
    }
}

/// Who is made is marked so, who was there already is marked otherwise; a conversion exchanges the mark and leaves what
/// else stands there; what people take away stays away. proves: R8
#[test]
fn which_mark_a_record_gets() {
    let flow = marked(false);
    let (ada, bare) = (left("Ada"), right("Ada", "-"));
    let single = |kind: &'static str, candidate: Option<&Row>| {
        told(&flow, &Told { side: Side::Left, kind, row: &ada, partner: None, candidate })
    };
    let linked = |pair: &'static str, owed: &str, was: &str, now: &str| {
        let row = right("Ada", now);
        let partner = Some((&row, pair, images("Ada", owed, was)));
        told(&flow, &Told { side: Side::Left, kind: "contact", row: &ada, partner, candidate: None })
    };
    let lines = [
        ("made for a contact", single("contact", None)),
        ("made for a lead", single("lead", None)),
        ("there already", single("contact", Some(&bare))),
        ("there, marked", single("contact", Some(&right("Ada", "created-from-contact")))),
        ("at rest", linked("contact", "created-from-contact", "created-from-contact", "created-from-contact")),
        ("taken away by a person", linked("contact", "created-from-contact", "created-from-contact", "-")),
        ("converted", linked("contact", "created-from-lead", "created-from-lead", "created-from-lead")),
        ("converted, taken away", linked("contact", "created-from-lead", "created-from-lead", "-")),
        ("converted long ago", linked("contact", "lead-to-contact", "lead-to-contact", "lead-to-contact")),
        ("renamed in the settings", linked("contact", "old-name", "-", "-")),
    ];
    assert_snapshot!(lines.map(|(name, told)| format!("{name}: {told}")).join("\n"), @r"
    made for a contact: contact: make on the right {out=Bool(false) tags=news marks=created-from-contact name=Ada}
    made for a lead: lead: make on the right {out=Bool(false) tags=news marks=created-from-lead name=Ada}
    there already: contact: left {} right {marks=added-to-contact}
    there, marked: contact: left {} right {}
    at rest: contact: left {} right {}
    taken away by a person: contact: left {} right {}
    converted: contact: left {} right {marks=lead-to-contact}
    converted, taken away: contact: left {} right {marks=lead-to-contact}
    converted long ago: contact: left {} right {}
    renamed in the settings: contact: left {} right {}
    ");
}

/// Nothing is made on the left unless a mark asks for it, and the mark says of which kind; what an unmarked record says
/// stays there, save that somebody opts out. proves: R8, R9, R10, R17
#[test]
fn what_a_mark_allows() {
    let flow = marked(true);
    let person = |marks: &str, candidate: Option<&Row>| {
        let row = right("Ada", marks);
        told(&flow, &Told { side: Side::Right, kind: "person", row: &row, partner: None, candidate })
    };
    let linked = |marks: &str, out: bool| {
        let (own, mut row) = (left("Ada"), right("Augusta", marks));
        row.insert(RuleKey::of("out", "out"), Value::Bool(out));
        let partner = Some((&own, "contact", images("Ada", "added-to-contact", marks)));
        told(&flow, &Told { side: Side::Right, kind: "person", row: &row, partner, candidate: None })
    };
    let known = left("Ada");
    let lines = [
        ("nobody asks", person("-", None)),
        ("a contact is asked for", person("added-to-contact", None)),
        ("a lead is asked for", person("added-to-lead", None)),
        ("asked for, and there", person("added-to-contact", Some(&known))),
        ("marked", linked("added-to-contact", false)),
        ("not marked", linked("-", false)),
        ("not marked, opted out", linked("-", true)),
    ];
    assert_snapshot!(lines.map(|(name, told)| format!("{name}: {told}")).join("\n"), @r"
    nobody asks: rest: it has no counterpart, and none is made of its kind
    a contact is asked for: contact: make on the left {out=Bool(false) tags=news name=Ada}
    a lead is asked for: lead: make on the left {out=Bool(false) tags=news name=Ada}
    asked for, and there: contact: left {} right {}
    marked: contact: left {name=Augusta} right {}
    not marked: contact: left {} right {}
    not marked, opted out: contact: left {out=Bool(true)} right {}
    ");
}
