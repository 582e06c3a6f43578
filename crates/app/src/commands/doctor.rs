//! `syncline doctor`: looks at connected accounts before going live, and says what to mend and how.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use syncline_connect::{
    Error,
    records::{Finding, Remark},
};
use syncline_core::ids::ConnectionId;
use syncline_engine::{ConnectionSetup, Engine, MappingProblem};

use super::ConfigArg;
use crate::{telemetry, wiring::Installation};

/// Which account.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The connection's name in the configuration; every CRM where it is left out.
    connection: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object a finding.
    #[arg(long)]
    json: bool,
}

/// Looks and prints. Fails where something must be mended first.
pub async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    let store = installation.open_store().await?;
    let engine = installation.engine(store, &installation.public_url()?, installation.engine_options()?).await?;
    let wanted = args.connection.map(ConnectionId::new);
    let connections: Vec<_> = engine
        .setup()
        .connections
        .iter()
        .filter(|connection| wanted.as_ref().is_none_or(|wanted| connection.id == *wanted))
        .filter(|connection| connection.connector.records().is_some())
        .collect();
    if connections.is_empty() {
        let names: Vec<&str> = installation.config.connections.iter().map(|c| c.name.as_str()).collect();
        bail!("there is no such CRM connection in the configuration; connections are: {}", names.join(", "));
    }
    let mut must_be_mended = 0;
    for connection in connections {
        let looked = look_at(&engine, connection).await;
        let looked = looked.with_context(|| format!("asking the account of `{}` what it has", connection.id))?;
        must_be_mended += looked.blocking();
        if args.json {
            for line in looked.lines(connection.id.as_str()) {
                println!("{line}");
            }
        } else {
            println!("{} ({})", connection.id, connection.connector.manifest().display_name);
            print!("{}", looked.shown());
        }
    }
    engine.world().store.clone().close().await;
    if must_be_mended > 0 {
        bail!("{must_be_mended} of these must be mended before bookings can be written");
    }
    Ok(())
}

/// What there is to say of an account: of itself, and of what is mapped into it.
pub(super) struct Looked {
    remarks: Vec<Remark>,
    mappings: Vec<MappingProblem>,
}

/// Looks at the account and holds the mappings against it. Where only the latter fails, that is a remark.
pub(super) async fn look_at(engine: &Engine, connection: &ConnectionSetup) -> Result<Looked, Error> {
    let mut remarks = engine.examine(connection).await?;
    let mappings = engine.check_mappings(connection).await.unwrap_or_else(|error| {
        remarks.push(Remark::Note(format!("the mappings could not be checked: {error}")));
        Vec::new()
    });
    Ok(Looked { remarks, mappings })
}

impl Looked {
    /// How many of the remarks must be mended before bookings can be written. A mapping that does not fit drops its own
    /// field only.
    pub(super) fn blocking(&self) -> usize {
        self.remarks.iter().filter(|remark| matches!(remark, Remark::Lacks(finding) if finding.blocking)).count()
    }

    /// What is to be mended, of the account and of what is mapped into it.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let of_account = self.remarks.iter().filter_map(|remark| match remark {
            Remark::Lacks(finding) => Some(finding.clone()),
            Remark::Note(_) | Remark::Good(_) => None,
        });
        of_account.chain(self.mappings.iter().map(finding)).collect()
    }

    /// As a person reads it: what must be mended first, what is in order last.
    pub(super) fn shown(&self) -> String {
        let mappings = self.mappings.iter().map(|mapping| Remark::Lacks(finding(mapping)));
        let mut sorted: Vec<Remark> = self.remarks.iter().cloned().chain(mappings).collect();
        sorted.sort_by_key(rank);
        let mut text = String::new();
        for remark in &sorted {
            text.push_str(&match remark {
                Remark::Lacks(finding) => {
                    let mark = if finding.blocking { "✗" } else { "!" };
                    format!("  {mark} {}\n    {}\n", finding.problem, finding.fix)
                }
                Remark::Note(note) => format!("  · {note}\n"),
                Remark::Good(good) => format!("  ✓ {good}\n"),
            });
        }
        if !sorted.iter().any(|remark| matches!(remark, Remark::Lacks(_))) {
            text.push_str("  It has everything that the booking flow needs.\n");
        }
        text
    }

    fn lines(&self, connection: &str) -> Vec<String> {
        let of_account = self.remarks.iter().map(|remark| match remark {
            Remark::Good(text) => json!({"connection": connection, "good": text}),
            Remark::Note(text) => json!({"connection": connection, "note": text}),
            Remark::Lacks(finding) => json!({"connection": connection, "problem": finding.problem, "fix": finding.fix,
                                             "blocking": finding.blocking}),
        });
        let of_mappings = self.mappings.iter().map(|mapping| {
            let MappingProblem { integration, meeting_type, problem } = mapping;
            let meeting_type = (!meeting_type.is_empty()).then_some(meeting_type);
            json!({"connection": connection, "integration": integration, "meeting_type": meeting_type,
                   "field": problem.field, "problem": problem.reason, "fix": problem.fix,
                   "example": problem.example, "blocking": false})
        });
        of_account.chain(of_mappings).map(|line| line.to_string()).collect()
    }
}

fn rank(remark: &Remark) -> u8 {
    match remark {
        Remark::Lacks(finding) => u8::from(!finding.blocking),
        Remark::Note(_) => 2,
        Remark::Good(_) => 3,
    }
}

fn finding(mapping: &MappingProblem) -> Finding {
    let problem = &mapping.problem;
    Finding {
        problem: format!("{}: {}", mapping.place(), problem.reason),
        fix: format!("{}; for example: {}", problem.fix, problem.example),
        blocking: false,
    }
}
