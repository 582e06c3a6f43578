//! What people did and what became of it, kept beside the product: per account every value, who set it last, and which
//! edits were overwritten by a program. The product is asked for nothing but whether a deleted record was in step. The
//! promises that can be checked as things happen are checked here; what only the end tells is in `checks`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use syncline_core::{ids::RecordId, merge::Side};
use syncline_store::LinkedPair;

use super::{
    accounts::Account,
    company::{flow_of, workspace},
    deals::Deal,
    fact::{Deed, Fact, Shown, Written},
};
use crate::sim::Sim;

/// One thing that a person wrote into one field of one record; a new record is one edit per field.
#[derive(Debug, Clone)]
pub struct Edit {
    pub at: Duration,
    pub account: usize,
    /// Of whom.
    pub who: String,
    pub fact: Fact,
    pub value: Option<String>,
    /// What stood there before, which the person saw.
    pub before: Option<String>,
    pub end: End,
}

/// What became of an edit where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Stands,
    /// Somebody wrote something else there, or took the record away.
    Replaced,
    /// A program wrote something else there.
    Overwritten {
        /// It may not have known of the edit: it had begun before that was made, or had no way to look.
        unseen: bool,
    },
}

/// Who set a value last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Program,
    Edit(usize),
}

/// A record as it was when it was last looked at.
#[derive(Debug, Clone)]
struct Entry {
    shown: Shown,
    by: BTreeMap<Fact, By>,
    /// A program made it, and nobody did anything to the person since.
    fresh: bool,
}

/// Somebody who was taken out of an account.
struct Grave {
    email: Option<String>,
    /// The records that the account on the integration's other side had of them by then.
    others: BTreeSet<String>,
}

/// One account's records.
#[derive(Debug, Default)]
struct Book {
    entries: BTreeMap<String, Entry>,
    /// Effects that were looked at.
    seen: u64,
}

/// Which program wrote: since when its round went on, and for which integration.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    pub began: Duration,
    pub flow: usize,
}

/// Everything that happened.
pub struct Ledger {
    books: Vec<Book>,
    pub edits: Vec<Edit>,
    /// Every value that anything ever held, with where.
    held: BTreeSet<(usize, String, Fact, Option<String>)>,
    /// People who were taken out of an account by its people, and by nobody put back, with each integration that had them
    /// in step.
    graves: BTreeMap<(usize, String, usize), Grave>,
    /// The same of deals, by their names.
    deal_graves: BTreeSet<(usize, String, usize)>,
    /// Writes of programs to deals.
    pub deal_writes: u64,
    /// Records that programs wrote, by integration.
    pub transfers: BTreeMap<usize, u64>,
    /// Fields that programs changed.
    pub changes: u64,
    /// Edits that put back what a field held before, and deletions of what a program had just made: a write of which nobody
    /// heard does not show then.
    pub put_back: u64,
    pub acts: u64,
    /// People whose addresses others have borne: by their addresses they are taken for each other, and rightly so.
    confused: BTreeSet<String>,
    /// People who were found to be somebody else: they go on under that name.
    merged: BTreeSet<String>,
}

impl Ledger {
    pub fn new(accounts: usize) -> Self {
        Self {
            books: (0..accounts).map(|_| Book::default()).collect(),
            edits: Vec::new(),
            held: BTreeSet::new(),
            graves: BTreeMap::new(),
            deal_graves: BTreeSet::new(),
            deal_writes: 0,
            transfers: BTreeMap::new(),
            changes: 0,
            put_back: 0,
            acts: 0,
            confused: BTreeSet::new(),
            merged: BTreeSet::new(),
        }
    }

    /// A program's request was dealt with, or a job of one came to its end.
    pub fn by_program(&mut self, sim: &Sim, accounts: &[Arc<dyn Account>], at: usize, writer: Option<Writer>) {
        let account = &accounts[at];
        let (written, last) = account.written_since(self.books[at].seen);
        self.books[at].seen = last;
        let (deals, written): (Vec<_>, Vec<_>) = written.into_iter().partition(|one| one.deal);
        // Whose contact is deleted names nobody any more, by the CRM's own doing.
        let person = account.deal_names().person.to_owned();
        let follows = |one: &&Written| {
            let deletes = written.iter().any(|one| one.deed == Deed::Deleted);
            at == 0 && deletes && one.deed == Deed::Updated && one.fields.contains(&person)
        };
        let deals: Vec<&Written> = deals.iter().filter(|one| !follows(one)).collect();
        self.deals_by_program(sim, &**account, at, &deals, writer);
        if written.is_empty() {
            return;
        }
        let mapped: BTreeSet<String> = Fact::ALL.into_iter().filter_map(|fact| account.field(fact)).collect();
        for one in &written {
            sim.note(|| format!("{}: a program: {:?} {} {:?}", account.name(), one.deed, one.id, one.fields));
            let own = |field: &&String| !mapped.contains(*field) && !account.own_fields().contains(&field.as_str());
            if let Some(foreign) = one.fields.iter().find(own) {
                sim.violation("confined", format!("{}: {foreign} is written, which is not mapped", account.name()));
            }
            if let Some(writer) = writer.filter(|_| one.deed != Deed::Updated || !one.fields.is_empty()) {
                *self.transfers.entry(writer.flow).or_default() += 1;
            }
        }
        let now: BTreeMap<String, Shown> =
            account.people().into_iter().map(|shown| (shown.id.clone(), shown)).collect();
        let gone: Vec<String> = self.books[at].entries.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        for id in gone {
            self.deleted(sim, accounts, at, &id, writer);
        }
        for shown in now.into_values() {
            match self.books[at].entries.contains_key(&shown.id) {
                true => self.changed(sim, &**account, at, shown, writer),
                false => self.made(sim, &**account, at, shown, writer),
            }
        }
        self.look_for_doubles();
    }

    fn deals_by_program(
        &mut self,
        sim: &Sim,
        account: &dyn Account,
        at: usize,
        written: &[&Written],
        writer: Option<Writer>,
    ) {
        let (name, names) = (account.name(), account.deal_names());
        for one in written {
            sim.note(|| format!("{name}: a program: {:?} deal {} {:?}", one.deed, one.id, one.fields));
            self.deal_writes += 1;
            if let Some(writer) = writer.filter(|_| one.deed != Deed::Tied) {
                *self.transfers.entry(writer.flow).or_default() += 1;
            }
            let foreign = one.fields.iter().find(|field| !names.has(field));
            match foreign {
                _ if at == 0 => sim.violation("confined", format!("{name}: {} is written, and only read", one.id)),
                Some(foreign) => {
                    sim.violation("confined", format!("{name}: {foreign} of a deal is written, which is not mapped"));
                }
                None => {}
            }
        }
        let made = |deal: &Deal| written.iter().any(|one| one.deed == Deed::Created && one.id == deal.id);
        let all = account.deals();
        for deal in all.iter().filter(|deal| made(deal)) {
            if all.iter().any(|other| other.name == deal.name && other.id != deal.id) {
                sim.violation("double", format!("{name}: {} is made twice", deal.name));
            }
            if writer.is_some_and(|writer| self.deal_graves.contains(&(at, deal.name.clone(), writer.flow))) {
                sim.violation("risen", format!("{name}: {} was deleted and is made again", deal.name));
            }
        }
    }

    /// A person deleted a deal: no integration that had it in step makes it again.
    pub fn buried(&mut self, sim: &Sim, accounts: &[Arc<dyn Account>], at: usize, deal: &Deal) {
        for flow in in_step(sim, accounts, at, accounts[at].deal_names().kind, &deal.id) {
            self.deal_graves.insert((at, deal.name.clone(), flow));
        }
    }

    fn deleted(&mut self, sim: &Sim, accounts: &[Arc<dyn Account>], at: usize, id: &str, writer: Option<Writer>) {
        let account = &*accounts[at];
        // What an integration does not map it does not know of.
        let is_mapped = |fact: Fact| {
            writer.is_none_or(|writer| accounts[writer.flow + 1].field(fact).is_some() && account.field(fact).is_some())
        };
        let Some(entry) = self.books[at].entries.remove(id) else { return };
        for (fact, by) in entry.by {
            let By::Edit(number) = by else { continue };
            let edit = &self.edits[number];
            let key = |place: usize| (place, edit.who.clone(), fact, edit.value.clone());
            let travelled = (0..self.books.len()).any(|place| place != at && self.held.contains(&key(place)));
            let unseen = writer.is_none_or(|writer| edit.at >= writer.began) || !reads_first(account);
            if !travelled && !unseen && is_mapped(fact) && edit.value.is_some() && !self.is_confused(&edit.who) {
                let name = account.name();
                sim.violation("lost", format!("{name}: {id} of {} is deleted, and nobody saw {fact:?}", edit.who));
            }
            self.edits[number].end = End::Overwritten { unseen: true };
        }
    }

    fn made(&mut self, sim: &Sim, account: &dyn Account, at: usize, shown: Shown, writer: Option<Writer>) {
        let (who, name) = (shown.who().to_owned(), account.name());
        let rises = writer.is_some_and(|writer| self.is_of_the_buried(at, &shown, writer.flow));
        if rises && !self.is_confused(&who) && !self.is_somebody_else(&who) {
            sim.violation("risen", format!("{name}: {who} was deleted and is made again"));
        }
        let twin = self.books[at].entries.values().find(|entry| entry.shown.who() == who);
        if let Some(twin) = twin
            && !self.is_confused(&who)
            && !who.is_empty()
            && (twin.fresh && !self.was_readdressed(&who) || twin.shown.get(Fact::Email) == shown.get(Fact::Email))
        {
            sim.violation("double", format!("{name}: {who} is made as {} beside {}", shown.id, twin.shown.id));
        }
        if shown.facts.contains_key(&Fact::Out) && account.field(Fact::Out).is_some() && name != "campaign" {
            let is_out = |entry: &Entry| entry.shown.who() == who && entry.shown.get(Fact::Out).is_some();
            let known = self.books.iter().flat_map(|book| book.entries.values()).any(is_out);
            if known && shown.get(Fact::Out).is_none() {
                sim.note(|| format!("{name}: {who} is made as if they had never opted out"));
            }
        }
        self.remember(at, &shown);
        let by = shown.facts.keys().map(|fact| (*fact, By::Program)).collect();
        self.books[at].entries.insert(shown.id.clone(), Entry { shown, by, fresh: true });
    }

    /// Whether this integration makes again whom people took out of an account. Somebody whom another integration made anew since,
    /// and to whom people gave another address, is nobody whom this one ever knew.
    fn is_of_the_buried(&self, at: usize, shown: &Shown, flow: usize) -> bool {
        let Some(grave) = self.graves.get(&(at, shown.who().to_owned(), flow)) else { return false };
        grave.email.as_deref() == shown.get(Fact::Email)
            || self.others(at, flow, shown.who()).any(|id| grave.others.contains(id))
    }

    /// A person's records in the account that this integration keeps in step with this one.
    fn others<'a>(&'a self, at: usize, flow: usize, who: &'a str) -> impl Iterator<Item = &'a String> {
        let other = if at == 0 { flow + 1 } else { 0 };
        let entries = self.books[other].entries.iter();
        entries.filter(move |(_, entry)| entry.shown.who() == who).map(|(id, _)| id)
    }

    /// Whether somebody gave them another address: whoever knew them by the former one only takes them for somebody else.
    fn was_readdressed(&self, who: &str) -> bool {
        self.edits.iter().any(|edit| edit.who == who && edit.fact == Fact::Email && edit.before.is_some())
    }

    fn changed(&mut self, sim: &Sim, account: &dyn Account, at: usize, shown: Shown, writer: Option<Writer>) {
        self.remember(at, &shown);
        let Some(entry) = self.books[at].entries.get_mut(&shown.id) else { return };
        for (fact, value) in &shown.facts {
            if entry.shown.facts.get(fact) == Some(value) {
                continue;
            }
            self.changes += 1;
            if *fact == Fact::Out && value.is_none() {
                let name = account.name();
                sim.violation("consent", format!("{name}: {} opted out, and a program takes that back", shown.who()));
            }
            if let Some(By::Edit(number)) = entry.by.insert(*fact, By::Program) {
                let edit = &mut self.edits[number];
                let unseen = writer.is_none_or(|writer| edit.at >= writer.began) || !reads_first(account);
                edit.end = End::Overwritten { unseen };
            }
        }
        entry.shown = shown;
    }

    /// Notes who bears another's address.
    fn look_for_doubles(&mut self) {
        let mut bearers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in self.books.iter().flat_map(|book| book.entries.values()) {
            if let Some(email) = entry.shown.get(Fact::Email) {
                bearers.entry(email).or_default().insert(entry.shown.who());
            }
        }
        let several = bearers.into_values().filter(|who| who.len() > 1).flatten().map(str::to_owned);
        self.confused.extend(several);
    }

    pub fn merged(&mut self, who: &str) {
        self.merged.insert(who.to_owned());
    }

    /// Whether this was found to be somebody else: what people said of them was given up by whoever merged the two.
    pub fn is_somebody_else(&self, who: &str) -> bool {
        self.merged.contains(who)
    }

    /// Whether it can be told who this is.
    pub fn is_confused(&self, who: &str) -> bool {
        self.confused.contains(who)
    }

    /// Whether a record of this account holds this value of the person.
    pub fn holds(&self, edit: &Edit) -> bool {
        let entries = self.books.iter().flat_map(|book| book.entries.values());
        let of_person = entries.filter(|entry| entry.shown.who() == edit.who);
        of_person.into_iter().any(|entry| entry.shown.get(edit.fact) == edit.value.as_deref())
    }

    fn remember(&mut self, at: usize, shown: &Shown) {
        for (fact, value) in &shown.facts {
            self.held.insert((at, shown.who().to_owned(), *fact, value.clone()));
        }
    }

    /// A person did something in an account, just now.
    pub fn by_person(&mut self, sim: &Sim, accounts: &[Arc<dyn Account>], at: usize) {
        self.acts += 1;
        let moment = sim.clock.elapsed();
        self.books[at].seen = accounts[at].written_since(self.books[at].seen).1;
        let now: BTreeMap<String, Shown> =
            accounts[at].people().into_iter().map(|shown| (shown.id.clone(), shown)).collect();
        let mut book = std::mem::take(&mut self.books[at]);
        let gone: Vec<String> = book.entries.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let mut gone: Vec<Entry> = gone.iter().filter_map(|id| book.entries.remove(id)).collect();
        for entry in &gone {
            touched.insert(entry.shown.who().to_owned());
            // Whom an integration never knew is rightly made from what its other account holds.
            let flows = in_step(sim, accounts, at, entry.shown.kind, &entry.shown.id);
            let was_made = entry.by.get(&Fact::Last) == Some(&By::Program);
            self.put_back += u64::from(flows.is_empty() && was_made);
            for flow in flows {
                let who = entry.shown.who();
                let others = self.others(at, flow, who).cloned().collect();
                let grave = Grave { email: entry.shown.get(Fact::Email).map(str::to_owned), others };
                self.graves.insert((at, who.to_owned(), flow), grave);
            }
        }
        for shown in now.into_values() {
            let stays = book.entries.remove(&shown.id);
            let is_new = stays.is_none();
            // Whoever becomes a contact says nothing by that.
            let became = gone.iter().position(|entry| is_new && entry.shown.who() == shown.who());
            let known = stays.or_else(|| became.map(|place| gone.swap_remove(place)));
            let same = |fact: &Fact, value: &Option<String>| {
                known.as_ref().is_some_and(|entry| entry.shown.facts.get(fact) == Some(value))
            };
            let mut by = known.as_ref().map_or_else(BTreeMap::new, |entry| entry.by.clone());
            for (fact, value) in shown.facts.iter().filter(|(fact, value)| !same(fact, value)) {
                touched.insert(shown.who().to_owned());
                self.put_back += u64::from(self.held.contains(&(at, shown.who().to_owned(), *fact, value.clone())));
                if known.is_none() && value.is_none() {
                    continue;
                }
                self.replaced(by.get(fact).copied().into_iter());
                by.insert(*fact, By::Edit(self.edits.len()));
                let before = known.as_ref().and_then(|entry| entry.shown.facts.get(fact).cloned()).flatten();
                let (who, value) = (shown.who().to_owned(), value.clone());
                self.edits.push(Edit { at: moment, account: at, who, fact: *fact, value, before, end: End::Stands });
            }
            if is_new {
                // Somebody who is put in anywhere may be made everywhere.
                self.graves.retain(|(_, who, _), _| who != shown.who());
            }
            self.remember(at, &shown);
            let fresh = known.is_some_and(|entry| entry.fresh);
            book.entries.insert(shown.id.clone(), Entry { shown, by, fresh });
        }
        for entry in gone {
            self.replaced(entry.by.into_values());
        }
        self.books[at] = book;
        for entry in self.books.iter_mut().flat_map(|book| book.entries.values_mut()) {
            entry.fresh &= !touched.contains(entry.shown.who());
        }
        self.look_for_doubles();
    }

    fn replaced(&mut self, by: impl Iterator<Item = By>) {
        for by in by {
            if let By::Edit(number) = by {
                self.edits[number].end = End::Replaced;
            }
        }
    }

    /// Whether somebody who saw this edit's value later put another in its place, anywhere.
    pub fn was_seen_and_replaced(&self, number: usize) -> bool {
        let edit = &self.edits[number];
        let same = |later: &&Edit| later.who == edit.who && later.fact == edit.fact && later.before == edit.value;
        self.edits[number + 1..].iter().any(|later| same(&later))
    }
}

/// Whether a record of this account is read once more before it is written: not where that takes a call for each.
fn reads_first(account: &dyn Account) -> bool {
    account.name() != "post"
}

/// The integrations that had tied this record to another one; each tool has one, in their order.
fn in_step(sim: &Sim, accounts: &[Arc<dyn Account>], at: usize, kind: &str, id: &str) -> Vec<usize> {
    let (side, tools) = match at {
        0 => (Side::Left, 1..accounts.len()),
        tool => (Side::Right, tool..tool + 1),
    };
    let record = [RecordId::new(id)];
    let tied = |tool: &usize| {
        let flow = flow_of(&*accounts[*tool]);
        // The simulation's store answers at once.
        let rows = sim.store.rows_by_record(&workspace(), &flow, side, kind, &record).now_or_never();
        let links: Vec<i64> = rows.and_then(Result::ok).unwrap_or_default().iter().filter_map(|row| row.link).collect();
        let links = sim.store.links_by_id(&workspace(), &flow, &links).now_or_never();
        // With a counterpart that is only to be made it is in step with nobody yet.
        let both = |pair: &LinkedPair| pair.left.is_some() && pair.right.is_some();
        links.and_then(Result::ok).unwrap_or_default().iter().any(both)
    };
    tools.filter(tied).map(|tool| tool - 1).collect()
}
