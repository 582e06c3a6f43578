//! `syncline doctor`: looks at connected accounts before going live, and says what to mend and how.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use syncline_connect::records::Remark;
use syncline_core::ids::ConnectionId;

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
        let remarks = engine.examine(connection).await;
        let remarks = remarks.with_context(|| format!("asking the account of `{}` what it has", connection.id))?;
        must_be_mended += blocking(&remarks);
        if args.json {
            for remark in &remarks {
                println!("{}", line(connection.id.as_str(), remark));
            }
        } else {
            println!("{} ({})", connection.id, connection.connector.manifest().display_name);
            print!("{}", shown(&remarks));
        }
    }
    engine.world().store.clone().close().await;
    if must_be_mended > 0 {
        bail!("{must_be_mended} of these must be mended before bookings can be written");
    }
    Ok(())
}

fn line(connection: &str, remark: &Remark) -> String {
    match remark {
        Remark::Good(text) => json!({"connection": connection, "good": text}),
        Remark::Note(text) => json!({"connection": connection, "note": text}),
        Remark::Lacks(finding) => json!({"connection": connection, "problem": finding.problem, "fix": finding.fix,
                                         "blocking": finding.blocking}),
    }
    .to_string()
}

/// How many of the remarks must be mended before bookings can be written.
pub(super) fn blocking(remarks: &[Remark]) -> usize {
    remarks.iter().filter(|remark| matches!(remark, Remark::Lacks(finding) if finding.blocking)).count()
}

/// Remarks as a person reads them: what must be mended first, what is in order last.
pub(super) fn shown(remarks: &[Remark]) -> String {
    let rank = |remark: &&Remark| match remark {
        Remark::Lacks(finding) => u8::from(!finding.blocking),
        Remark::Note(_) => 2,
        Remark::Good(_) => 3,
    };
    let mut sorted: Vec<&Remark> = remarks.iter().collect();
    sorted.sort_by_key(rank);
    let mut text = String::new();
    for remark in sorted {
        text.push_str(&match remark {
            Remark::Lacks(finding) => {
                let mark = if finding.blocking { "✗" } else { "!" };
                format!("  {mark} {}\n    {}\n", finding.problem, finding.fix)
            }
            Remark::Note(note) => format!("  · {note}\n"),
            Remark::Good(good) => format!("  ✓ {good}\n"),
        });
    }
    if !remarks.iter().any(|remark| matches!(remark, Remark::Lacks(_))) {
        text.push_str("  It has everything that the booking flow needs.\n");
    }
    text
}
