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
    merge::{Dropped, Finding, Flow, KindFacts, RuleKey, Side, Weight, check_pair, read_key},
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
    /// Rows of the mapping that cannot work with the accounts as they are, by the pair's name.
    pub dropped: Vec<(String, Dropped)>,
    /// What is to be said of the rest of the mapping, by the pair's name.
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
}

/// What was compiled, and when. By integration.
pub(crate) type CompiledFlows = Mutex<HashMap<(WorkspaceId, IntegrationId), (Timestamp, Arc<Compiled>)>>;

impl KindView {
    /// Tells apart which fields are read and for which rules.
    pub(crate) fn fingerprint(&self) -> String {
        let rules = |(field, keys): (&String, &Vec<RuleKey>)| {
            keys.iter().fold(field.clone(), |words, key| format!("{words} {}", key.0))
        };
        let mut words: Vec<String> = self.fields.clone();
        words.extend(self.keys.iter().map(rules));
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

    /// What was dropped, a sentence each.
    pub(crate) fn dropped_lines(&self) -> Vec<String> {
        let line = |(pair, row): &(String, Dropped)| {
            format!("pair {pair}, field {} on the {}: {}", row.field, row.side.as_str(), row.reason)
        };
        self.dropped.iter().map(line).collect()
    }

    /// What is to be said of the mapping, a sentence each: what cannot work first, then what to know of.
    pub(crate) fn finding_lines(&self, weight: Weight) -> Vec<String> {
        let of_weight = self.findings.iter().filter(|(_, finding)| finding.weight == weight);
        of_weight
            .map(|(pair, finding)| format!("pair {pair}, {}: {}; {}", finding.about, finding.reason, finding.fix))
            .collect()
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
            let known = self.compiled.lock().expect("no code panics while it holds this lock");
            if let Some((learned, compiled)) = known.get(&key) {
                let believed = if compiled.dropped.is_empty() { BELIEVED } else { BELIEVED_MISSING };
                if now.duration_since(*learned).abs() < believed {
                    return Ok(Arc::clone(compiled));
                }
            }
        }
        let mut descriptions = [BTreeMap::new(), BTreeMap::new()];
        for (place, side) in Side::BOTH.into_iter().enumerate() {
            descriptions[place] =
                self.described_kinds(flow, side, calls).await.map_err(|error| Halt::Side(side, error))?;
        }
        let compiled = Arc::new(compile(flow, &descriptions));
        let mut known = self.compiled.lock().expect("no code panics while it holds this lock");
        known.insert(key, (now, Arc::clone(&compiled)));
        Ok(compiled)
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

fn compile(flow: &RecordFlow, descriptions: &[Described; 2]) -> Compiled {
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
    let flow = Flow { pairs };
    let kinds = [kind_views(&flow, Side::Left, &descriptions[0]), kind_views(&flow, Side::Right, &descriptions[1])];
    Compiled { flow, dropped, findings, kinds }
}

fn kind_views(flow: &Flow, side: Side, descriptions: &Described) -> BTreeMap<String, KindView> {
    let mut views = BTreeMap::new();
    for (name, (spec, description)) in descriptions {
        let mut keys: BTreeMap<String, Vec<RuleKey>> = BTreeMap::new();
        for pair in flow.pairs.iter().filter(|pair| pair.side(side).kind == *name) {
            for rule in &pair.rules {
                keys.entry(rule.end(side).field.clone()).or_default().push(rule.key);
            }
            let settings = pair.side(side);
            for field in settings.created.iter().chain(&settings.read) {
                keys.entry(field.clone()).or_default().push(read_key(field));
            }
        }
        for key in keys.values_mut() {
            key.sort();
            key.dedup();
        }
        let kind_of = |field: &String| Some((field.clone(), description.fields.get(field)?.kind));
        let field_kinds = keys.keys().filter_map(kind_of).collect();
        let mut fields: BTreeSet<String> = keys.keys().cloned().collect();
        fields.extend(spec.email.map(str::to_owned));
        views.insert(name.clone(), KindView { spec, fields: fields.into_iter().collect(), field_kinds, keys });
    }
    views
}
