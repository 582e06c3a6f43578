//! What must hold in the end: both sides of every link say the same, whoever belongs together is tied, and no edit was
//! lost without a word.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::merge::{RuleKey, Side};
use syncline_engine::records::RecordFlow;
use syncline_store::{HoldView, LinkedPair, PAGE_MAX, StoredFate};

use super::{
    accounts::Account,
    company::workspace,
    deals,
    fact::{Fact, Shown},
    ledger::End,
    wires::Wires,
};
use crate::{log::Line, sim::lock};

/// Links of one integration in a run at most: their ids are asked for one after the other.
const LINKS_MAX: i64 = 2_000;

/// Everything that is looked at when all is at rest; the number of fields that rest apart because they are held back, and
/// of edits that were overwritten before anybody could know of them.
pub async fn in_the_end(wires: &Wires, flows: &[RecordFlow], journal: &[Line]) -> (u64, u64) {
    let mut apart = 0;
    for flow in flows {
        apart += sides(wires, flow, journal).await;
    }
    (apart, edits(wires, journal))
}

async fn sides(wires: &Wires, flow: &RecordFlow, journal: &[Line]) -> u64 {
    let sim = &wires.sim;
    let name = flow.right.connection.as_str();
    let Some(tool) = wires.company.account(name) else { return 0 };
    let crm = &wires.company.accounts[0];
    let people = |account: &dyn Account| -> BTreeMap<String, Shown> {
        account.people().into_iter().map(|shown| (shown.id.clone(), shown)).collect()
    };
    let (left, right) = (people(&**crm), people(&**tool));
    let ids: Vec<i64> = (1..=LINKS_MAX).collect();
    let links = sim.store.links_by_id(&flow.workspace, &flow.id, &ids).await.unwrap_or_default();
    let holds = sim.store.holds(&flow.workspace, &flow.id, None, PAGE_MAX).await.unwrap_or_default();
    let mut apart = 0;
    let mut tied: [BTreeSet<&str>; 2] = [BTreeSet::new(), BTreeSet::new()];
    for LinkedPair { left: one, right: two, .. } in links.iter().filter(|pair| pair.link.pair != deals::DEALS) {
        // A counterpart that was to be made and may not be any more: the record says why.
        if [one, two].into_iter().flatten().all(|end| end.note.is_some()) && (one.is_none() || two.is_none()) {
            continue;
        }
        let (Some(one), Some(two)) = (one, two) else {
            sim.violation("equal", format!("{name}: a link of {one:?} with {two:?} has but one end"));
            continue;
        };
        tied[0].insert(one.record.as_str());
        tied[1].insert(two.record.as_str());
        let (Some(ours), Some(theirs)) = (left.get(one.record.as_str()), right.get(two.record.as_str())) else {
            sim.violation(
                "equal",
                format!("{name}: the link of {} and {} outlives one of them", one.record, two.record),
            );
            continue;
        };
        for fact in Fact::ALL {
            let (Some(own), Some(other)) = (crm.field(fact), tool.field(fact)) else { continue };
            // Who opted out in the CRM cannot be told to a tool that is only listened to.
            let listens = fact == Fact::Out && name == "campaign" && theirs.get(fact).is_none();
            if ours.get(fact) == theirs.get(fact) || listens {
                continue;
            }
            let rule = RuleKey::of(&own, &other);
            let entries = [one.id, two.id];
            let held =
                |view: &&HoldView| entries.contains(&view.entry) && view.hold.rule.is_none_or(|held| held == rule);
            let left_so = || left_apart(journal, fact, ours.get(fact), theirs.get(fact));
            match holds.iter().find(held) {
                Some(_) => apart += 1,
                None if left_so() => apart += 1,
                None => sim.violation(
                    "equal",
                    format!(
                        "{name}: {fact:?} of {} is {:?} here and {:?} there",
                        ours.who(),
                        ours.get(fact),
                        theirs.get(fact)
                    ),
                ),
            }
        }
    }
    strays(wires, flow, &left, &right, &tied, &holds).await;
    if flow.pairs.iter().any(|pair| pair.name == deals::DEALS) {
        apart += deals::in_the_end(wires, flow, &links, &holds).await;
    }
    apart
}

/// People who are on both sides under one address, or should be, and whom nothing ties.
async fn strays(
    wires: &Wires,
    flow: &RecordFlow,
    left: &BTreeMap<String, Shown>,
    right: &BTreeMap<String, Shown>,
    tied: &[BTreeSet<&str>; 2],
    holds: &[HoldView],
) {
    let (sim, name) = (&wires.sim, flow.right.connection.as_str());
    let by_address = |people: &BTreeMap<String, Shown>| {
        let mut found: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
        for shown in people.values() {
            found.entry(shown.get(Fact::Email).unwrap_or_default().to_owned()).or_default().push(shown.clone());
        }
        found
    };
    let (here, there) = (by_address(left), by_address(right));
    for (email, ours) in here.iter().filter(|(email, _)| !email.is_empty()) {
        let [one] = ours.as_slice() else { continue };
        if tied[0].contains(one.id.as_str()) || holds.iter().any(|held| held.record.as_str() == one.id) {
            continue;
        }
        let rows =
            sim.store.rows_by_record(&workspace(), &flow.id, Side::Left, one.kind, &[one.id.as_str().into()]).await;
        let entry = rows.unwrap_or_default().into_iter().next();
        let theirs = there.get(email).map_or(&[][..], Vec::as_slice);
        match (theirs, &entry) {
            (_, None) => sim.violation("tied", format!("{name}: {} was never seen", one.who())),
            ([], Some(entry)) if !entry.let_go && entry.fate == StoredFate::Live => {
                sim.violation(
                    "tied",
                    format!("{name}: {} is not there, and nobody says why: {:?}", one.who(), entry.note),
                );
            }
            ([two], Some(entry)) if !tied[1].contains(two.id.as_str()) => {
                let (one, two) = (one.who(), two.who());
                sim.violation(
                    "tied",
                    format!("{name}: {one} and {two} bear {email} and are not tied: {:?}", entry.note),
                );
            }
            _ => {}
        }
    }
}

/// Every edit stands, was replaced by somebody who saw it, or is in the journal; how many were overwritten unseen.
fn edits(wires: &Wires, journal: &[Line]) -> u64 {
    let ledger = lock(&wires.ledger);
    let mut raced = 0;
    for (number, edit) in ledger.edits.iter().enumerate() {
        let End::Overwritten { unseen } = edit.end else { continue };
        let Some(value) = &edit.value else { continue };
        let is_kept = ledger.holds(edit)
            || ledger.is_somebody_else(&edit.who)
            || ledger.was_seen_and_replaced(number)
            || told(journal, edit.fact, value);
        if edit.fact == Fact::Out || ledger.is_confused(&edit.who) || is_kept {
            continue;
        }
        let name = wires.company.accounts[edit.account].name();
        if unseen {
            wires.sim.note(|| format!("raced: {name}: {:?} of {} was {value}", edit.fact, edit.who));
            raced += 1;
            continue;
        }
        let text =
            format!("{name}: {:?} of {} was set to {value}, and that is gone without a word", edit.fact, edit.who);
        wires.sim.violation("lost", text);
    }
    raced
}

/// Whether it was said that both sides keep their own, because each answers the other.
fn left_apart(journal: &[Line], fact: Fact, ours: Option<&str>, theirs: Option<&str>) -> bool {
    let says = |side: &serde_json::Value, value: Option<&str>| fact.normal(side["value"].as_str()).as_deref() == value;
    journal.iter().map(|line| &line.details).any(|details| {
        let is_left = details["action"] == "conflict" && details["winner"].is_null();
        is_left && says(&details["left"], ours) && says(&details["right"], theirs)
    })
}

fn told(journal: &[Line], fact: Fact, value: &str) -> bool {
    let says = |side: &serde_json::Value| fact.normal(side["value"].as_str()).as_deref() == Some(value);
    let conflicts = journal.iter().filter(|line| line.details["action"] == "conflict");
    conflicts.into_iter().any(|line| says(&line.details["left"]) || says(&line.details["right"]))
}
