//! `syncline apply`: holds the configuration file against the accounts, and keeps it as the one that is in use.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use syncline_core::{
    Clock,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind,
    records::{RecordFlow, RoundEnd},
};
use syncline_store::{ConnectionStatus, JournalEntry, JournalKind, SettingsInUse, SettingsUse};

use super::{ConfigArg, doctor::look_at, plan::Planned};
use crate::{
    plan::{self, Fate, Plan, show},
    telemetry,
    wiring::Installation,
    world::SystemClock,
};

/// Entries that a line of the activity log names in its details.
const NAMED_MAX: usize = 100;

#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// What an account has to say to the file.
#[derive(Debug, PartialEq, Eq)]
struct Remark {
    about: String,
    /// Nothing can be applied as long as there is one of these.
    refuses: bool,
    text: String,
}

/// Checks, keeps and prints. Fails where the file cannot work with the accounts as they are; then nothing is kept.
pub async fn run(args: ApplyArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    installation.judge()?;
    let store = installation.open_store().await?;
    let planned = Planned::of(&installation, Some(&store)).await?;
    let engine =
        installation.engine(store.clone(), &installation.public_url()?, installation.engine_options()?).await?;
    let remarks = check(&engine, &installation, &planned.plan).await?;
    let refused = remarks.iter().filter(|remark| remark.refuses).count();
    if refused == 0 && (!planned.plan.is_empty() || planned.in_use.is_none()) {
        let line = line(&planned.plan, "The settings of the configuration file were applied");
        let settings = plan::masked(&installation.config).to_string();
        let in_use = SettingsInUse { settings, at: SystemClock.now(), by: SettingsUse::Applied };
        store.keep_settings(&installation.workspace(), in_use, Some(line)).await?;
    }
    store.close().await;
    if args.json {
        let mut value = planned.json();
        let remark = |remark: &Remark| json!({ "about": remark.about, "refuses": remark.refuses, "text": remark.text });
        value["checked"] = remarks.iter().map(remark).collect();
        value["applied"] = json!(refused == 0);
        println!("{value}");
    } else {
        print!("{}", planned.text());
        for remark in &remarks {
            println!("{} {}: {}", if remark.refuses { '✗' } else { '·' }, remark.about, remark.text);
        }
        if refused == 0 && !planned.plan.is_empty() {
            println!("Applied. Servers use it from their next start on: they read the file only then.");
        }
    }
    if refused > 0 {
        bail!("nothing was applied: {refused} of these cannot work with the accounts as they are; mend them first");
    }
    Ok(())
}

/// The line of the activity log: what changed, by name and without any value.
pub(super) fn line(plan: &Plan, what: &str) -> JournalEntry {
    let [added, changed, removed] = [Fate::Added, Fate::Changed, Fate::Removed].map(|fate| plan.count(fate));
    let entries: Vec<String> = show::entries(plan).into_iter().take(NAMED_MAX).collect();
    JournalEntry {
        at: SystemClock.now(),
        kind: JournalKind::Operator,
        text: format!("{what}: {added} added, {changed} changed, {removed} removed"),
        details: json!({ "entries": entries }),
    }
}

/// Asks the accounts of what changes, as `check` and `doctor` do. One that is not connected yet, or does not answer, is no
/// reason to refuse: nothing is written before it is asked again.
async fn check(engine: &Engine, installation: &Installation, plan: &Plan) -> anyhow::Result<Vec<Remark>> {
    let asking = Asking {
        engine,
        workspace: installation.workspace(),
        entries: plan.entries().into_iter().map(|(entry, _)| entry).collect(),
    };
    let mut remarks = Vec::new();
    for flow in &engine.setup().records {
        let sides = [&flow.left.connection, &flow.right.connection];
        match asking.about("records", &flow.id, &sides).await? {
            Asked::Unchanged => {}
            Asked::Unconnected(remark) => remarks.push(remark),
            Asked::About(about) => remarks.extend(records(engine, flow, &about).await?),
        }
    }
    for flow in &engine.setup().calendars {
        let accounts = flow.calendars.iter().map(|calendar| &calendar.connection).chain([&flow.crm]);
        match asking.about("calendars", &flow.id, &accounts.collect::<Vec<_>>()).await? {
            Asked::Unchanged => {}
            Asked::Unconnected(remark) => remarks.push(remark),
            Asked::About(about) => remarks.extend(engine.calendars_check(flow).await.into_iter().map(|found| Remark {
                about: format!("{about}, {}", found.about),
                refuses: !found.good,
                text: found.text,
            })),
        }
    }
    for flow in &engine.setup().integrations {
        match asking.about("integrations", &flow.id, &[&flow.crm]).await? {
            Asked::Unchanged => {}
            Asked::Unconnected(remark) => remarks.push(remark),
            Asked::About(about) => {
                let crm =
                    engine.setup().connection(&flow.workspace, &flow.crm).context("a flow names its connection")?;
                remarks.extend(bookings(engine, crm, &about).await);
            }
        }
    }
    Ok(remarks)
}

/// What is to be asked about.
struct Asking<'a> {
    engine: &'a Engine,
    workspace: WorkspaceId,
    /// What changes.
    entries: BTreeSet<Vec<String>>,
}

/// Whether an integration's accounts are asked.
enum Asked {
    /// Neither it nor its connections are others than before.
    Unchanged,
    Unconnected(Remark),
    /// They are; this is what it is called.
    About(String),
}

impl Asking<'_> {
    async fn about(&self, list: &str, id: &IntegrationId, accounts: &[&ConnectionId]) -> anyhow::Result<Asked> {
        let changes = |list: &str, name: &str| self.entries.contains([list.to_owned(), name.to_owned()].as_slice());
        if !changes(list, id.as_str()) && !accounts.iter().any(|account| changes("connections", account.as_str())) {
            return Ok(Asked::Unchanged);
        }
        let about = format!("{list} {id}");
        for account in accounts {
            let row = self.engine.world().store.connection(&self.workspace, account).await?;
            let setup = self.engine.setup().connection(&self.workspace, account);
            let waits = match row.map(|row| row.status) {
                Some(ConnectionStatus::Connected) => false,
                // Other grants than the browser's need nobody.
                Some(ConnectionStatus::NotConnected) | None => {
                    setup.is_none_or(|setup| matches!(setup.grant, GrantKind::Browser))
                }
                Some(ConnectionStatus::NeedsReconnect) => true,
            };
            if waits {
                let text = format!("not checked, {account} is not connected: `syncline connect {account}`");
                return Ok(Asked::Unconnected(Remark { about, refuses: false, text }));
            }
        }
        Ok(Asked::About(about))
    }
}

async fn records(engine: &Engine, flow: &RecordFlow, about: &str) -> anyhow::Result<Vec<Remark>> {
    let remark = |refuses: bool, text: String| Remark { about: about.to_owned(), refuses, text };
    Ok(match engine.records_check(flow).await? {
        Ok(checked) => {
            let refused = checked.refused.into_iter().map(|line| remark(true, line));
            refused.chain(checked.warnings.into_iter().map(|line| remark(false, line))).collect()
        }
        Err(RoundEnd::Failed { side, error }) => {
            vec![remark(false, format!("not checked, the {side} side could not be asked: {}", error.message))]
        }
        Err(_) => vec![remark(false, "not checked, another process is at it".to_owned())],
    })
}

/// What a CRM lacks for bookings. A mapping that does not fit drops its own field and nothing else.
async fn bookings(engine: &Engine, crm: &ConnectionSetup, about: &str) -> Vec<Remark> {
    let remark = |refuses: bool, text: String| Remark { about: about.to_owned(), refuses, text };
    match look_at(engine, crm).await {
        Ok(looked) => looked
            .findings()
            .into_iter()
            .map(|finding| remark(finding.blocking, format!("{}; {}", finding.problem, finding.fix)))
            .collect(),
        Err(error) => vec![remark(false, format!("not checked, {} could not be asked: {}", crm.id, error.message))],
    }
}
