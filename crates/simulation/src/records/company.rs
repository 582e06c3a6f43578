//! The company's accounts and the integrations between them, as an operator would set them up.

use std::sync::Arc;

use jiff::SignedDuration;
use syncline_core::{
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{Blanks, Direction, EndDraft, KindSettings, PairDraft, Policy, RuleDraft, Select, Side, WhenDeleted},
};
use syncline_engine::{
    Setup,
    records::{RecordFlow, SideSetup},
};

use super::{
    accounts::{Account, Campaign, Crm, Hub, Post},
    deals::{self, DEALS},
    fact::Fact,
    plot::{Plot, Tool, Trouble},
};
use crate::clock::TrueClock;

/// How often an account is asked for changes.
const EVERY: SignedDuration = SignedDuration::from_secs(60);
/// How often everything is read: what changes do not tell must be found within a run.
pub const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(25);

pub fn workspace() -> WorkspaceId {
    WorkspaceId::new("company")
}

/// The integration between the CRM and a tool.
pub fn flow_of(tool: &dyn Account) -> IntegrationId {
    IntegrationId::new(format!("with-{}", tool.name()))
}

/// The accounts; the CRM is the first.
pub struct Company {
    pub accounts: Vec<Arc<dyn Account>>,
    /// The one that shows changes late.
    pub hub: Option<Arc<Hub>>,
}

impl Company {
    pub fn new(plot: &Plot, clock: &Arc<TrueClock>) -> Self {
        let mut accounts: Vec<Arc<dyn Account>> = vec![Arc::new(Crm::new(plot.seed, clock))];
        let mut hub = None;
        for tool in &plot.tools {
            accounts.push(match tool {
                Tool::Post => Arc::new(Post::new(clock)),
                Tool::Campaign => Arc::new(Campaign::new(clock)),
                Tool::Hub => {
                    let made = Arc::new(Hub::new(clock));
                    hub = Some(Arc::clone(&made));
                    made
                }
            });
        }
        Self { accounts, hub }
    }

    pub fn crm(&self) -> &Crm {
        self.accounts[0].crm().expect("the CRM is the first")
    }

    pub fn tools(&self) -> &[Arc<dyn Account>] {
        &self.accounts[1..]
    }

    /// The account with this name.
    pub fn account(&self, name: &str) -> Option<&Arc<dyn Account>> {
        self.accounts.iter().find(|account| account.name() == name)
    }

    /// What the operator set up.
    pub fn setup(&self, plot: &Plot, quota: Option<u64>) -> Setup {
        Setup {
            connections: self.accounts.iter().map(|account| account.connection()).collect(),
            records: self.flows(plot, quota),
            ..Setup::default()
        }
    }

    /// One integration per tool.
    pub fn flows(&self, plot: &Plot, quota: Option<u64>) -> Vec<RecordFlow> {
        self.tools().iter().map(|tool| self.flow(plot, &**tool, quota)).collect()
    }

    fn flow(&self, plot: &Plot, tool: &dyn Account, quota: Option<u64>) -> RecordFlow {
        let crm = &*self.accounts[0];
        let side = |account: &dyn Account| SideSetup { connection: ConnectionId::new(account.name()), every: EVERY };
        let rows = || -> Vec<RuleDraft> {
            Fact::ALL.into_iter().filter_map(|fact| row(fact, &crm.field(fact)?, &tool.field(fact)?, tool)).collect()
        };
        let kind = |kind: &str, create: bool, deleted: WhenDeleted| KindSettings {
            kind: kind.to_owned(),
            create,
            deleted,
            created: None,
            read: Vec::new(),
        };
        let pair = |name: &str, left: &str| PairDraft {
            name: name.to_owned(),
            left: kind(left, plot.made_in_crm && left == crm.kinds()[0], plot.deleted_in_crm),
            right: kind(tool.kinds()[0], true, plot.deleted_in_tools),
            rows: rows(),
            select: Select::All,
            primary: None,
            marks: None,
            on_request: false,
        };
        let mut pairs = vec![pair("contacts", crm.kinds()[0]), pair("leads", crm.kinds()[1])];
        if plot.has(Trouble::Deal) {
            pairs.push(PairDraft {
                name: DEALS.to_owned(),
                left: kind(crm.deal_names().kind, false, WhenDeleted::Detach),
                right: kind(tool.deal_names().kind, true, plot.deleted_in_tools),
                rows: deals::rows(&crm.deal_names(), &tool.deal_names(), pairs[0].name.as_str()),
                ..pairs[0].clone()
            });
        }
        RecordFlow {
            workspace: workspace(),
            id: flow_of(tool),
            left: side(crm),
            right: side(tool),
            pairs,
            sweep_every: SWEEP_EVERY,
            tasks_per_month: quota,
            to_left: None,
            to_right: None,
        }
    }
}

/// A row of the mapping. A tool that keeps consent by list cannot be told, as long as nobody put the person on one.
fn row(fact: Fact, left: &str, right: &str, tool: &dyn Account) -> Option<RuleDraft> {
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    let told_only = fact == Fact::Out && tool.name() == "campaign";
    Some(RuleDraft {
        left: end(left),
        right: end(right),
        direction: if told_only { Direction::ToLeft } else { Direction::Both },
        policy: Policy::Prefer(Side::Left),
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    })
}
