//! An integration with what both accounts say of their fields: its rules, and which fields are read of which kind.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Retry, mirror::KindSpec};
use syncline_core::{
    description::{FieldKind, ObjectDescription},
    ids::{IntegrationId, WorkspaceId},
    merge::{
        Dropped, Finding, Flow, Kind, KindFacts, OptIn, Policy, Rule, RuleKey, Select, Side, Weight, check_pair,
        check_relations, opt_in_key, opt_in_source_key, read_key, time_key,
    },
    record::Field,
};

use super::{
    Halt, RecordFlow,
    call::{mirror, mirrored, paid},
};
use crate::engine::{Called, Engine};

/// How long a description is believed; a field that goes missing sooner is refused by name, and then asked for anew.
const BELIEVED: SignedDuration = SignedDuration::from_hours(6);

/// How long it is believed that a mapped field is not there: it may come back any time.
const BELIEVED_MISSING: SignedDuration = SignedDuration::from_hours(1);

/// An integration, ready to decide.
#[derive(Debug)]
pub struct Compiled {
    pub flow: Flow,
    /// Rows of the mapping whose fields are not there, by the pair's name.
    pub dropped: Vec<(String, Dropped)>,
    /// What is to be said of the rest of the mapping, by the pair's name. Rows that are refused here are left out as well.
    pub findings: Vec<(String, Finding)>,
    pub(crate) kinds: [BTreeMap<String, KindView>; 2],
}

/// One kind of one side.
#[derive(Debug)]
pub(crate) struct KindView {
    pub(crate) spec: &'static KindSpec,
    /// The vendor's names of all fields that are read.
    pub(crate) fields: Vec<String>,
    /// In which kind each of them is compared.
    pub(crate) field_kinds: BTreeMap<String, FieldKind>,
    /// Under which keys a row holds a field.
    pub(crate) keys: BTreeMap<String, Vec<RuleKey>>,
    /// Which rules of which pairs look at it: two pairs may have the same rule, and one of them loses it.
    rules: Vec<(String, RuleKey)>,
    /// Under which keys a row holds when a field changed, of fields for which that decides.
    pub(crate) times: BTreeMap<String, Vec<RuleKey>>,
    /// Whether its records bear our key.
    pub(crate) keyed: bool,
    /// Entries that are marks of ours, by the field that holds them: they are told apart from what else stands there.
    pub(crate) marks: BTreeMap<String, BTreeSet<String>>,
}

/// What was compiled, by integration.
pub(crate) type CompiledFlows = Mutex<HashMap<(WorkspaceId, IntegrationId), Believed>>;

/// What is believed of an integration's fields.
#[derive(Debug, Default)]
pub(crate) struct Believed {
    /// With the time at which both accounts described them.
    compiled: Option<(Timestamp, Arc<Compiled>)>,
    /// Fields that an account described and then would not show, with the time of that: they may be shown again later.
    hidden: Hidden,
}

type Hidden = BTreeMap<(Side, String), Timestamp>;

impl KindView {
    /// Tells apart which fields are read and for which rules.
    pub(crate) fn fingerprint(&self) -> String {
        let rules = |(field, keys): (&String, &Vec<RuleKey>)| {
            keys.iter().fold(field.clone(), |words, key| format!("{words} {}", key.0))
        };
        let mut words: Vec<String> = self.fields.clone();
        words.extend(self.keys.iter().chain(&self.times).map(rules));
        words.extend(self.rules.iter().map(|(pair, key)| format!("{pair} {}", key.0)));
        words.extend(
            self.marks.iter().flat_map(|(field, marks)| marks.iter().map(move |mark| format!("{field}: {mark}"))),
        );
        format!("{:08x}", RuleKey::of("", &words.join("\n")).0)
    }
}

impl Compiled {
    pub(crate) fn kinds(&self, side: Side) -> &BTreeMap<String, KindView> {
        match side {
            Side::Left => &self.kinds[0],
            Side::Right => &self.kinds[1],
        }
    }

    /// What cannot work, a sentence each.
    pub(crate) fn left_out_lines(&self) -> Vec<String> {
        let line = |(pair, row): &(String, Dropped)| {
            format!("pair {pair}, field {} on the {}: {}", row.field, row.side.as_str(), row.reason)
        };
        self.dropped.iter().map(line).chain(self.finding_lines(Weight::Refused)).collect()
    }

    /// What is to be said of the mapping, a sentence each: what cannot work first, then what to know of.
    pub(crate) fn finding_lines(&self, weight: Weight) -> Vec<String> {
        let of_weight = self.findings.iter().filter(|(_, finding)| finding.weight == weight);
        of_weight
            .map(|(pair, finding)| format!("pair {pair}, {}: {}; {}", finding.about, finding.reason, finding.fix))
            .collect()
    }

    /// Whether a row holds under this key when a field changed.
    pub(crate) fn is_time(&self, pair: &str, key: RuleKey) -> bool {
        let pair = self.flow.pairs.iter().find(|known| known.name == pair);
        pair.is_some_and(|pair| pair.rules.iter().any(|rule| time_key(rule.key) == key))
    }

    /// The vendor's name of a field that a record of the pair shows on a side, under whatever key.
    pub(crate) fn shown_field(&self, pair: &str, key: RuleKey, side: Side) -> Option<&str> {
        let read = || {
            let pair = self.flow.pairs.iter().find(|known| known.name == pair)?;
            pair.side(side).read.iter().find(|field| read_key(field) == key).map(String::as_str)
        };
        self.field(pair, key, side).or_else(read)
    }

    /// The vendor's name of a rule's field on a side.
    pub(crate) fn field(&self, pair: &str, key: RuleKey, side: Side) -> Option<&str> {
        let pair = self.flow.pairs.iter().find(|known| known.name == pair)?;
        pair.rules.iter().find(|rule| rule.key == key).map(|rule| rule.end(side).field.as_str())
    }
}

impl Engine {
    /// The integration with what both accounts say of their fields; asked for where that is not known.
    pub(crate) async fn compiled(&self, flow: &RecordFlow, calls: &mut u32) -> Result<Arc<Compiled>, Halt> {
        let now = self.world.clock.now();
        let key = (flow.workspace.clone(), flow.id.clone());
        {
            let mut known = self.compiled.lock().expect("no code panics while it holds this lock");
            let believed = known.entry(key.clone()).or_default();
            if let Some((learned, compiled)) = &believed.compiled {
                let long = if compiled.dropped.is_empty() { BELIEVED } else { BELIEVED_MISSING };
                if now.duration_since(*learned).abs() < long {
                    return Ok(Arc::clone(compiled));
                }
            }
            believed.hidden.retain(|_, since| now.duration_since(*since).abs() < BELIEVED);
        }
        let mut keyed = [false; 2];
        let mut descriptions = [BTreeMap::new(), BTreeMap::new()];
        for (place, side) in Side::BOTH.into_iter().enumerate() {
            descriptions[place] =
                self.described_kinds(flow, side, calls).await.map_err(|error| Halt::Side(side, error))?;
            let facet = self.side_setup(flow, side).and_then(mirror).map_err(|error| Halt::Side(side, error))?;
            keyed[place] = facet.keeps_keys();
        }
        let mut known = self.compiled.lock().expect("no code panics while it holds this lock");
        let believed = known.entry(key).or_default();
        for (side, field) in believed.hidden.keys() {
            for (_, description) in descriptions[place(*side)].values_mut() {
                description.fields.remove(field);
            }
        }
        let compiled = Arc::new(compile(flow, &descriptions, keyed, &believed.hidden));
        believed.compiled = Some((now, Arc::clone(&compiled)));
        Ok(compiled)
    }

    /// Takes it that a side does not show these fields, whatever it says of them; yields those that were believed and read
    /// until now. What is left of the mapping is compiled anew.
    pub(crate) fn hide_fields(&self, flow: &RecordFlow, side: Side, fields: &[Field]) -> Vec<String> {
        let mut known = self.compiled.lock().expect("no code panics while it holds this lock");
        let believed = known.entry((flow.workspace.clone(), flow.id.clone())).or_default();
        let read = |name: &String| {
            let compiled = believed.compiled.as_ref().map(|(_, compiled)| compiled);
            compiled.is_some_and(|compiled| compiled.kinds(side).values().any(|view| view.keys.contains_key(name)))
        };
        let native = fields.iter().filter_map(|field| match field {
            Field::Native(name) => Some(name.clone()),
            Field::Std(_) => None,
        });
        let hidden: Vec<String> = native.filter(read).collect();
        let now = self.world.clock.now();
        believed.hidden.extend(hidden.iter().map(|name| ((side, name.clone()), now)));
        believed.compiled = None;
        hidden
    }

    /// Forgets what is believed of an integration's fields.
    pub(crate) fn forget_compiled(&self, flow: &RecordFlow) {
        let mut known = self.compiled.lock().expect("no code panics while it holds this lock");
        known.remove(&(flow.workspace.clone(), flow.id.clone()));
    }

    async fn described_kinds(&self, flow: &RecordFlow, side: Side, calls: &mut u32) -> Called<Described> {
        let setup = self.side_setup(flow, side)?;
        let facet = mirror(setup)?;
        let names: BTreeSet<&str> = flow.pairs.iter().map(|pair| kind_of(pair, side)).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut specs = Vec::with_capacity(names.len());
        for name in &names {
            specs.push(facet.kind(name).ok_or_else(|| {
                let known: Vec<&str> = facet.kinds().iter().map(|kind| kind.name).collect();
                let vendor = setup.connector.manifest().display_name;
                configuration(format!("{vendor} has no `{name}`; it has {}", known.join(", ")))
            })?);
        }
        let answer = mirrored!(self, setup, |mirror, cx| mirror.describe(cx, &names));
        let described = paid(answer, calls)?;
        let mut out = Described::new();
        for ((name, spec), description) in names.iter().zip(specs).zip(described) {
            let Some(description) = description else {
                return Err(configuration(format!("the account of {} shows no `{name}`", setup.id)));
            };
            out.insert((*name).to_owned(), (spec, description));
        }
        Ok(out)
    }
}

type Described = BTreeMap<String, (&'static KindSpec, ObjectDescription)>;

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, "describe", message)
}

fn kind_of(pair: &syncline_core::merge::PairDraft, side: Side) -> &str {
    match side {
        Side::Left => &pair.left.kind,
        Side::Right => &pair.right.kind,
    }
}

fn place(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

fn compile(flow: &RecordFlow, descriptions: &[Described; 2], keyed: [bool; 2], hidden: &Hidden) -> Compiled {
    let (mut pairs, mut dropped, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for draft in &flow.pairs {
        let facts = |place: usize, kind: &str| {
            descriptions[place].get(kind).map(|(spec, description)| KindFacts {
                description,
                opt_out: spec.opt_out,
                sets: spec.sets,
                created: spec.created,
            })
        };
        let (Some(left), Some(right)) = (facts(0, &draft.left.kind), facts(1, &draft.right.kind)) else { continue };
        let (pair, misfits) = draft.compile(left, right);
        let found = check_pair(&pair, left.description, right.description);
        findings.extend(found.into_iter().map(|finding| (draft.name.clone(), finding)));
        dropped.extend(misfits.into_iter().map(|misfit| (draft.name.clone(), misfit)));
        pairs.push(pair);
    }
    for pair in &pairs {
        let described = [Side::Left, Side::Right].map(|side| descriptions[place(side)].get(&pair.side(side).kind));
        let [Some((_, left)), Some((_, right))] = described else { continue };
        let found = check_relations(pair, &pairs, left, right);
        findings.extend(found.into_iter().map(|finding| (pair.name.clone(), finding)));
    }
    for pair in &mut pairs {
        let refused = |rule: &Rule| {
            let of_rule = |(name, finding): &(String, Finding)| *name == pair.name && finding.is_about(rule);
            findings.iter().any(|found| found.1.weight == Weight::Refused && of_rule(found))
        };
        // What would lose somebody's opting out stands in the way of making them anew, and so it stays.
        pair.rules.retain(|rule| rule.kind == Kind::OptOut || !refused(rule));
    }
    let flow = Flow { pairs };
    let views = |side: Side| kind_views(&flow, side, &descriptions[place(side)], keyed[place(side)], hidden);
    let kinds = [views(Side::Left), views(Side::Right)];
    Compiled { flow, dropped, findings, kinds }
}

fn kind_views(
    flow: &Flow,
    side: Side,
    descriptions: &Described,
    keyed: bool,
    hidden: &Hidden,
) -> BTreeMap<String, KindView> {
    let mut views = BTreeMap::new();
    for (name, (spec, description)) in descriptions {
        let mut keys: BTreeMap<String, Vec<RuleKey>> = BTreeMap::new();
        let mut times: BTreeMap<String, Vec<RuleKey>> = BTreeMap::new();
        for pair in flow.pairs.iter().filter(|pair| pair.side(side).kind == *name) {
            // What a link owes is no field of the left side.
            let fields = pair.rules.iter().filter(|rule| rule.kind != Kind::Mark || side == Side::Right);
            for rule in fields {
                let is_dated = Side::BOTH.iter().any(|side| rule.end(*side).opted_in.is_some());
                if is_dated || matches!(rule.policy, Policy::Newest(_)) {
                    times.entry(rule.end(side).field.clone()).or_default().push(time_key(rule.key));
                }
                keys.entry(rule.end(side).field.clone()).or_default().push(rule.key);
                if let Some(OptIn { at, source }) = &rule.end(side).opted_in {
                    keys.entry(at.clone()).or_default().push(opt_in_key(rule.key));
                    let source = source.iter().cloned();
                    source.for_each(|field| keys.entry(field).or_default().push(opt_in_source_key(rule.key)));
                }
            }
            let settings = pair.side(side);
            // What only the selection reads is read only where it does: a record that shows more than the images say is
            // kept beside them.
            let selects = side == Side::Left && pair.select == Select::New;
            for field in settings.created.iter().filter(|_| selects).chain(&settings.read) {
                keys.entry(field.clone()).or_default().push(read_key(field));
            }
        }
        let mut marks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pair in flow.pairs.iter().filter(|pair| side == Side::Right && pair.right.kind == *name) {
            if let Some(own) = &pair.marks {
                marks.entry(own.draft.field.clone()).or_default().extend(own.draft.names());
            }
        }
        keys.retain(|field, _| !hidden.contains_key(&(side, field.clone())));
        for key in keys.values_mut() {
            key.sort();
            key.dedup();
        }
        let kind_of = |field: &String| Some((field.clone(), description.fields.get(field)?.kind));
        let field_kinds = keys.keys().filter_map(kind_of).collect();
        let mut fields: BTreeSet<String> = keys.keys().cloned().collect();
        fields.extend(spec.email.map(str::to_owned));
        let fields = fields.into_iter().collect();
        let pairs = flow.pairs.iter().filter(|pair| pair.side(side).kind == *name);
        let rules = pairs.flat_map(|pair| pair.rules.iter().map(|rule| (pair.name.clone(), rule.key))).collect();
        views.insert(name.clone(), KindView { spec, fields, field_kinds, keys, rules, times, keyed, marks });
    }
    views
}
