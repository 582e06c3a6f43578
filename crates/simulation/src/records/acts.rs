//! What the people of a company do in their accounts: they edit, add, delete, merge and convert, each where they happen to
//! be and when they like. What the product makes of it is looked at elsewhere.

mod deals;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use syncline_sandbox::salesforce::{Comparison, Condition, RuleSet, ValidationRule};

use super::{
    accounts::renamed,
    fact::{Fact, Facts, Shown},
    plot::{Plot, Trouble},
    wires::Wires,
};
use crate::{dice::Dice, sim::lock, story::CANARY};

/// The field that administrators rename for a while, and what it is called meanwhile.
pub const AWAY: (&str, &str) = ("Title", "Rank__c");
/// Of a hundred things that people do, how many are plain edits.
const EDITS_PERCENT: u64 = 55;
/// How long a change of an administrator lasts, in seconds.
const WHILE: (u64, u64) = (60, 500);

/// The people, and what they draw from.
pub struct People {
    wires: Arc<Wires>,
    plot: Arc<Plot>,
    dice: Dice,
    /// Makes every value one of its kind.
    next: u64,
}

impl People {
    pub fn new(wires: &Arc<Wires>, plot: &Arc<Plot>) -> Self {
        Self { wires: Arc::clone(wires), plot: Arc::clone(plot), dice: Dice::of(plot.seed, "people", 0), next: 0 }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn some(&mut self, of: usize) -> usize {
        usize::try_from(self.dice.below(of as u64)).unwrap_or(0)
    }

    fn struck(&self, trouble: Trouble) {
        self.wires.happened(trouble);
    }

    /// Who is there before the product is switched on.
    pub fn settle_in(&mut self) {
        let accounts = self.wires.company.accounts.len();
        for _ in 0..self.plot.people {
            let (who, email) = self.stranger();
            let everywhere = self.dice.chance(300);
            let one = self.some(accounts);
            for at in 0..accounts {
                if at == one || everywhere || self.dice.chance(250) {
                    self.put(at, &who, &email);
                }
            }
        }
    }

    fn stranger(&mut self) -> (String, String) {
        let number = self.number();
        (format!("{}son{number}", capital(CANARY)), format!("{CANARY}{number}@people.example"))
    }

    fn put(&mut self, at: usize, who: &str, email: &str) {
        let number = self.number();
        let email = if self.dice.chance(150) { email.to_uppercase() } else { email.to_owned() };
        let mut facts: Facts = BTreeMap::from([
            (Fact::Email, Some(email)),
            (Fact::First, self.dice.chance(700).then(|| format!("{CANARY}-first{number}"))),
            (Fact::Last, Some(who.to_owned())),
            (Fact::Title, self.dice.chance(500).then(|| format!("{CANARY}-title{number}"))),
        ]);
        if self.plot.has(Trouble::OptOut) && self.dice.chance(120) {
            facts.insert(Fact::Out, Some("true".to_owned()));
        }
        let account = &self.wires.company.accounts[at];
        let lead = account.crm().is_some() && self.dice.chance(300);
        let kind = account.kinds()[usize::from(lead)];
        let added = self.wires.act(at, || account.add(kind, &facts));
        self.wires.sim.note(|| format!("{}: somebody adds {who}: {added:?}", account.name()));
    }

    /// What they do until the end of the chaos.
    pub async fn live(mut self) {
        let chaos = u64::try_from(self.plot.chaos.as_millis()).unwrap_or(u64::MAX);
        let mut moments: Vec<u64> = (0..self.plot.acts).map(|_| self.dice.below(chaos)).collect();
        moments.sort_unstable();
        let purge = self.plot.has(Trouble::Purge).then(|| self.some(moments.len()));
        let mut now = 0;
        for (number, moment) in moments.into_iter().enumerate() {
            tokio::time::sleep(Duration::from_millis(moment - now)).await;
            now = moment;
            if Some(number) == purge {
                self.purge();
                continue;
            }
            if self.dice.below(100) < EDITS_PERCENT {
                self.edit();
                continue;
            }
            let all: Vec<Trouble> = self.plot.troubles.iter().copied().collect();
            if all.is_empty() {
                self.edit();
                continue;
            }
            match all[self.some(all.len())] {
                Trouble::Readdress => self.readdress(),
                Trouble::Swap => self.swap(),
                Trouble::OptOut => self.opt_out(),
                Trouble::Birth => self.birth(),
                Trouble::Death => self.death(),
                Trouble::Merge => self.merge(),
                Trouble::Convert => self.convert(),
                Trouble::Schema => self.schema(),
                Trouble::Rule => self.rule(),
                Trouble::Lag => self.lag(),
                Trouble::Deal => self.deal(),
                Trouble::Purge | Trouble::Quota => self.edit(),
            }
        }
    }

    /// A record, with the account that it is in.
    fn someone(&mut self, only: Option<usize>) -> Option<(usize, Shown)> {
        let accounts = self.wires.company.accounts.len();
        let at = only.unwrap_or_else(|| self.some(accounts));
        let mut people = self.wires.company.accounts[at].people();
        if people.is_empty() {
            return None;
        }
        let place = self.some(people.len());
        Some((at, people.swap_remove(place)))
    }

    fn write(&self, at: usize, record: &Shown, fact: Fact, value: Option<&str>) -> bool {
        let account = &self.wires.company.accounts[at];
        if account.field(fact).is_none() {
            return false;
        }
        let done = self.wires.act(at, || account.edit(&record.id, fact, value));
        self.wires.sim.note(|| {
            let (name, who) = (account.name(), record.who());
            format!("{name}: somebody sets {fact:?} of {who} ({}) to {value:?}: {done:?}", record.id)
        });
        done.is_ok()
    }

    fn edit(&mut self) {
        let Some((at, record)) = self.someone(None) else { return };
        let number = self.number();
        let (fact, word) = if self.dice.chance(500) { (Fact::First, "first") } else { (Fact::Title, "title") };
        let value = (!self.dice.chance(120)).then(|| format!("{CANARY}-{word}{number}"));
        self.write(at, &record, fact, value.as_deref());
    }

    fn readdress(&mut self) {
        let Some((at, record)) = self.someone(None) else { return };
        let email = format!("{CANARY}{}@people.example", self.number());
        if self.write(at, &record, Fact::Email, Some(&email)) {
            self.struck(Trouble::Readdress);
        }
    }

    /// Only where an account lets two people bear one address for a moment.
    fn swap(&mut self) {
        let (Some((_, one)), Some((_, two))) = (self.someone(Some(0)), self.someone(Some(0))) else { return };
        if one.id == two.id {
            return;
        }
        let (first, second) = (one.get(Fact::Email), two.get(Fact::Email));
        if self.write(0, &one, Fact::Email, second) && self.write(0, &two, Fact::Email, first) {
            self.struck(Trouble::Swap);
        }
    }

    fn opt_out(&mut self) {
        let Some((at, record)) = self.someone(None) else { return };
        let value = (!self.dice.chance(150)).then_some("true");
        if self.write(at, &record, Fact::Out, value) {
            self.struck(Trouble::OptOut);
        }
    }

    fn birth(&mut self) {
        let accounts = self.wires.company.accounts.len();
        let at = self.some(accounts);
        let known = if self.dice.chance(500) { self.someone(None) } else { None };
        let (who, email) = match known {
            Some((_, record)) => {
                let there = self.wires.company.accounts[at].people();
                let email = record.get(Fact::Email).unwrap_or_default().to_owned();
                if email.is_empty() || there.iter().any(|known| known.who() == record.who()) {
                    return;
                }
                (record.who().to_owned(), email)
            }
            None => self.stranger(),
        };
        self.put(at, &who, &email);
        self.struck(Trouble::Birth);
    }

    fn death(&mut self) {
        let Some((at, record)) = self.someone(None) else { return };
        self.delete(at, &record);
        self.struck(Trouble::Death);
    }

    fn delete(&self, at: usize, record: &Shown) {
        let account = &self.wires.company.accounts[at];
        let done = self.wires.act(at, || account.delete(&record.id));
        self.wires.sim.note(|| format!("{}: somebody deletes {}: {done:?}", account.name(), record.who()));
    }

    fn purge(&mut self) {
        let accounts = self.wires.company.accounts.len();
        let at = self.some(accounts);
        for record in self.wires.company.accounts[at].people() {
            self.delete(at, &record);
        }
        self.struck(Trouble::Purge);
    }

    fn merge(&mut self) {
        let (Some((_, one)), Some((_, two))) = (self.someone(Some(0)), self.someone(Some(0))) else { return };
        if one.id == two.id || one.kind != two.kind {
            return;
        }
        let crm = self.wires.company.crm();
        let done = self.wires.act(0, || crm.merge(one.kind, &one.id, &two.id));
        if done.is_ok() {
            lock(&self.wires.ledger).merged(two.who());
        }
        self.wires.sim.note(|| format!("crm: {} is merged into {}: {done:?}", two.who(), one.who()));
        if done.is_ok() {
            self.struck(Trouble::Merge);
        }
    }

    fn convert(&mut self) {
        let Some((_, lead)) = self.someone(Some(0)) else { return };
        if lead.kind != self.wires.company.accounts[0].kinds()[1] {
            return;
        }
        let crm = self.wires.company.crm();
        let done = self.wires.act(0, || crm.convert(&lead.id));
        self.wires.sim.note(|| format!("crm: {} becomes a contact: {done:?}", lead.who()));
        if done.is_ok() {
            self.struck(Trouble::Convert);
        }
    }

    /// A while after which an administrator takes back what he did.
    fn a_while(&mut self) -> Duration {
        Duration::from_secs(self.dice.between(WHILE.0, WHILE.1))
    }

    fn schema(&mut self) {
        let done = self.wires.company.crm().0.change_schema(&renamed("Contact", AWAY.0, AWAY.1));
        self.wires.sim.note(|| format!("crm: {} goes away: {done:?}", AWAY.0));
        if done.is_err() {
            return;
        }
        self.struck(Trouble::Schema);
        let (wires, pause) = (Arc::clone(&self.wires), self.a_while());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            restore(&wires);
        });
    }

    fn rule(&mut self) {
        let titled = Condition { field: AWAY.0.to_owned(), op: Comparison::NotBlank, value: Value::Null };
        let rule = ValidationRule {
            name: "No_Titles".to_owned(),
            object: "Contact".to_owned(),
            active: true,
            refuse_when: vec![titled],
            message: "titles are not wanted".to_owned(),
            error_field: self.dice.chance(600).then(|| AWAY.0.to_owned()),
        };
        let rules = RuleSet { validation_rules: vec![rule], ..RuleSet::default() };
        if self.wires.company.crm().0.set_rules(rules).is_err() {
            return;
        }
        self.struck(Trouble::Rule);
        let (wires, pause) = (Arc::clone(&self.wires), self.a_while());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            drop(wires.company.crm().0.set_rules(RuleSet::default()));
        });
    }

    fn lag(&mut self) {
        let lag = Duration::from_secs(self.dice.between(5, 600));
        if let Some(hub) = &self.wires.company.hub {
            hub.lag(lag);
            self.struck(Trouble::Lag);
        }
    }
}

/// Administrators take back what they changed.
pub fn restore(wires: &Wires) {
    // It may be back already.
    drop(wires.company.crm().0.change_schema(&renamed("Contact", AWAY.1, AWAY.0)));
}

/// Everything is as usual again.
pub fn calm(wires: &Wires) {
    restore(wires);
    drop(wires.company.crm().0.set_rules(RuleSet::default()));
    if let Some(hub) = &wires.company.hub {
        hub.lag(Duration::ZERO);
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
