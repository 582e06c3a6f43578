//! What people do with opportunities in the CRM, and with their deals in the tools.

use super::People;
use crate::{
    records::{deals::Deal, plot::Trouble},
    sim::lock,
    story::CANARY,
};

/// Opportunities are worth less than that.
const AMOUNT_MAX: u64 = 100_000;

impl People {
    pub(super) fn deal(&mut self) {
        let done = match self.dice.below(10) {
            0..4 => self.open(),
            4..7 => self.revalue(),
            7..8 => self.hand_over(),
            8..9 => self.delete_deal(0),
            _ => {
                let tools = self.wires.company.tools().len();
                let tool = self.some(tools);
                self.delete_deal(1 + tool)
            }
        };
        // Where there is none yet, one is opened.
        if done || self.open() {
            self.struck(Trouble::Deal);
        }
    }

    fn contact(&mut self) -> Option<String> {
        let crm = &self.wires.company.accounts[0];
        let mut contacts = crm.people();
        contacts.retain(|shown| shown.kind == crm.kinds()[0]);
        if contacts.is_empty() {
            return None;
        }
        let place = self.some(contacts.len());
        Some(contacts.swap_remove(place).id)
    }

    fn one_of(&mut self, at: usize) -> Option<Deal> {
        let mut deals = self.wires.company.accounts[at].deals();
        if deals.is_empty() {
            return None;
        }
        let place = self.some(deals.len());
        Some(deals.swap_remove(place))
    }

    fn open(&mut self) -> bool {
        let Some(contact) = self.contact() else { return false };
        let (name, amount) = (format!("{CANARY}-deal{}", self.number()), 1 + self.dice.below(AMOUNT_MAX));
        let crm = self.wires.company.crm();
        let done = self.wires.act(0, || crm.open(&name, amount, &contact));
        self.wires.sim.note(|| format!("crm: somebody opens {name} of {amount} with {contact}: {done:?}"));
        done.is_ok()
    }

    fn revalue(&mut self) -> bool {
        let Some(deal) = self.one_of(0) else { return false };
        let amount = 1 + self.dice.below(AMOUNT_MAX);
        let crm = self.wires.company.crm();
        let done = self.wires.act(0, || crm.revalue(&deal.id, amount));
        self.wires.sim.note(|| format!("crm: somebody says that {} is worth {amount}: {done:?}", deal.name));
        done.is_ok()
    }

    fn hand_over(&mut self) -> bool {
        let (Some(deal), Some(contact)) = (self.one_of(0), self.contact()) else { return false };
        let crm = self.wires.company.crm();
        let done = self.wires.act(0, || crm.hand_over(&deal.id, &contact));
        self.wires.sim.note(|| format!("crm: somebody hands {} over to {contact}: {done:?}", deal.name));
        done.is_ok()
    }

    fn delete_deal(&mut self, at: usize) -> bool {
        let Some(deal) = self.one_of(at) else { return false };
        let account = &self.wires.company.accounts[at];
        let done = self.wires.act(at, || account.delete_deal(&deal.id));
        self.wires.sim.note(|| format!("{}: somebody deletes {}: {done:?}", account.name(), deal.name));
        if done.is_ok() {
            lock(&self.wires.ledger).buried(&self.wires.sim, &self.wires.company.accounts, at, &deal);
        }
        done.is_ok()
    }
}
