//! Opportunities of the CRM and their deals in the tools: how they are mapped, and what must hold of them in the end. Each is
//! told from the others by its name, which nobody edits.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    expr::Expression,
    merge::{Blanks, Direction, EndDraft, Policy, RuleDraft, Side},
};
use syncline_engine::records::RecordFlow;
use syncline_store::{HoldView, LinkedPair, StoredFate};

use super::{company::workspace, wires::Wires};

/// The name of the pair.
pub const DEALS: &str = "deals";

/// A live deal of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    pub id: String,
    pub name: String,
    /// In whole units of money.
    pub amount: Option<i64>,
    /// Whom it belongs to, by the account's ids.
    pub people: BTreeSet<String>,
}

/// What an account calls deals, and what is mapped of them.
pub struct DealNames {
    pub kind: &'static str,
    pub name: &'static str,
    pub amount: &'static str,
    pub person: &'static str,
    /// A field that always says the same.
    pub constant: Option<(&'static str, &'static str)>,
    /// Fields that the product may set for its own purposes.
    pub own: &'static [&'static str],
}

impl DealNames {
    /// Whether the product has any business with this field.
    pub fn has(&self, field: &str) -> bool {
        let constant = self.constant.map(|(name, _)| name);
        [self.name, self.amount, self.person].contains(&field) || constant == Some(field) || self.own.contains(&field)
    }
}

/// The mapping, from the CRM to a tool.
pub fn rows(crm: &DealNames, tool: &DealNames, people: &str) -> Vec<RuleDraft> {
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    let row = |left: &str, right: EndDraft| RuleDraft {
        left: end(left),
        right,
        direction: Direction::ToRight,
        policy: Policy::Prefer(Side::Left),
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    };
    let person = EndDraft { counterpart_in: vec![people.to_owned()], ..end(tool.person) };
    let mut rows = vec![row(crm.name, end(tool.name)), row(crm.amount, end(tool.amount)), row(crm.person, person)];
    rows.extend(tool.constant.map(|(field, word)| {
        let says = Expression::conversion(word).expect("a word is an expression that says it");
        row(crm.name, EndDraft { convert: Some(says), ..end(field) })
    }));
    rows
}

/// Each opportunity has one deal, which says the same and belongs to the same person, or the record says why not. Yields the
/// number of deals that rest apart because they are held back.
pub async fn in_the_end(wires: &Wires, flow: &RecordFlow, links: &[LinkedPair], holds: &[HoldView]) -> u64 {
    let (sim, name) = (&wires.sim, flow.right.connection.as_str());
    let Some(tool) = wires.company.account(name) else { return 0 };
    let crm = &wires.company.accounts[0];
    let opportunities: BTreeMap<String, Deal> = crm.deals().into_iter().map(|deal| (deal.id.clone(), deal)).collect();
    let deals: BTreeMap<String, Deal> = tool.deals().into_iter().map(|deal| (deal.id.clone(), deal)).collect();
    let both = |pair: &LinkedPair| {
        Some((pair.left.as_ref()?.record.as_str().to_owned(), pair.right.as_ref()?.record.as_str().to_owned()))
    };
    let people: BTreeMap<String, String> =
        links.iter().filter(|pair| pair.link.pair != DEALS).filter_map(both).collect();
    let (mut apart, mut tied) = (0, BTreeSet::new());
    for pair in links.iter().filter(|pair| pair.link.pair == DEALS) {
        let (Some(left), Some(right)) = (&pair.left, &pair.right) else { continue };
        tied.insert(left.record.as_str().to_owned());
        let (Some(ours), Some(theirs)) = (opportunities.get(left.record.as_str()), deals.get(right.record.as_str()))
        else {
            sim.violation("equal", format!("{name}: the link of {} and {} outlives one", left.record, right.record));
            continue;
        };
        let person = ours.people.first().and_then(|contact| people.get(contact));
        let belongs = person.is_none_or(|person| theirs.people.iter().eq([person]));
        if (&ours.name, ours.amount) == (&theirs.name, theirs.amount) && belongs {
            continue;
        }
        if holds.iter().any(|held| [left.id, right.id].contains(&held.entry)) {
            apart += 1;
            continue;
        }
        sim.violation("equal", format!("{name}: {ours:?}, whose person is {person:?} there, has become {theirs:?}"));
    }
    for (id, deal) in &opportunities {
        if tied.contains(id) || holds.iter().any(|held| held.record.as_str() == id) {
            continue;
        }
        let kind = crm.deal_names().kind;
        let rows = sim.store.rows_by_record(&workspace(), &flow.id, Side::Left, kind, &[id.as_str().into()]).await;
        match rows.unwrap_or_default().into_iter().next() {
            None => sim.violation("tied", format!("{name}: {} was never seen", deal.name)),
            Some(entry) if !entry.let_go && entry.fate == StoredFate::Live && entry.note.is_none() => {
                sim.violation("tied", format!("{name}: {} is not there, and nobody says why", deal.name));
            }
            Some(_) => {}
        }
    }
    apart
}
