//! `syncline plan`: what a changed configuration file means, before anything is restarted.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use serde_json::json;
use syncline_core::ids::IntegrationId;
use syncline_store::{SettingsInUse, SettingsUse, SetupKind, Store};

use super::ConfigArg;
use crate::{
    plan::{self, Known, Note, Plan, show},
    telemetry,
    wiring::Installation,
};

/// What the command ends with where something changes.
const SOMETHING_CHANGES: u8 = 2;

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A plan with what it was compared with and what follows from it.
pub(super) struct Planned {
    pub plan: Plan,
    pub notes: Vec<Note>,
    pub in_use: Option<SettingsInUse>,
}

/// Compares and prints. Neither the database nor any account is changed.
pub async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    installation.judge()?;
    // Opening an embedded database makes its file.
    let store = match installation.database_file().is_none_or(|file| file.exists()) {
        true => Some(installation.open_store().await?),
        false => None,
    };
    let planned = Planned::of(&installation, store.as_ref()).await?;
    if let Some(store) = store {
        store.close().await;
    }
    if args.json {
        println!("{}", planned.json());
    } else {
        print!("{}", planned.text());
    }
    Ok(if planned.plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOMETHING_CHANGES) })
}

impl Planned {
    /// Compares the file with what is in use; without a database nothing is.
    pub(super) async fn of(installation: &Installation, store: Option<&Store>) -> anyhow::Result<Self> {
        let after = plan::masked(&installation.config);
        let Some(store) = store else {
            let plan = Plan::between(None, &after);
            let notes = plan::follows(&plan, &installation.config, &Known::default());
            return Ok(Self { plan, notes, in_use: None });
        };
        let in_use = store.settings_in_use(&installation.workspace()).await?;
        let before = in_use.as_ref().and_then(|kept| plan::kept(&kept.settings));
        let plan = Plan::between(before.as_ref(), &after);
        let notes = plan::follows(&plan, &installation.config, &known(installation, store, &plan).await?);
        Ok(Self { plan, notes, in_use })
    }

    pub(super) fn text(&self) -> String {
        let compared = match &self.in_use {
            None => "Nothing was applied and no server was started yet: everything is new.".to_owned(),
            Some(SettingsInUse { at, by: SettingsUse::Started, .. }) => {
                format!("Compared with what the server was started with at {at:.0}.")
            }
            Some(SettingsInUse { at, by: SettingsUse::Applied, .. }) => format!(
                "Compared with what was applied at {at:.0}. No server was started with that yet; servers read the file when they start."
            ),
        };
        let nothing = if self.plan.is_empty() { "Nothing changes.\n" } else { "" };
        format!("{compared}\n{}{nothing}", show::text(&self.plan, &self.notes))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let mut value = show::json(&self.plan, &self.notes);
        let in_use = self.in_use.as_ref();
        value["compared_with"] = json!(in_use.map(|kept| json!({ "at": kept.at.to_string(), "by": kept.by })));
        value
    }
}

/// What a plan says of entries that are not only in the file.
async fn known(installation: &Installation, store: &Store, plan: &Plan) -> anyhow::Result<Known> {
    let workspace = installation.workspace();
    let mut standings = BTreeMap::new();
    for (entry, _) in plan.entries() {
        if let [kind, name] = entry.as_slice()
            && (kind == "records" || kind == "calendars")
            && let Some(state) = store.flow_state(&workspace, &IntegrationId::new(name.clone())).await?
        {
            standings.insert(name.clone(), state.standing);
        }
    }
    let in_force = store.active_templates(&workspace).await?.into_iter().filter(|template| template.source.is_some());
    let templates = in_force.map(|template| {
        let of =
            if template.meeting_type.is_empty() { String::new() } else { format!(" of {}", template.meeting_type) };
        format!("{} {} {}{of}", template.kind, template.name, template.version)
    });
    let templates = templates.collect();
    let mut unusable = Vec::new();
    if let Some(setups) = installation.setup(&installation.public_url()?)?.written {
        for setup in store.setups(&workspace, SetupKind::Records).await? {
            let made = setups.records(&setup.integration, &setup.source).map(drop);
            unusable.extend(made.err().map(|reason| (setup.integration.to_string(), reason)));
        }
        for setup in store.setups(&workspace, SetupKind::Calendars).await? {
            let made = setups.calendars(&setup.integration, &setup.source).map(drop);
            unusable.extend(made.err().map(|reason| (setup.integration.to_string(), reason)));
        }
    }
    Ok(Known { standings, templates, unusable })
}
