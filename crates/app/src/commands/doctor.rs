//! `syncline doctor`: looks at connected accounts before going live, and says what to mend and how.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use syncline_connect::records::Finding;
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
    let mut blocking = 0;
    for connection in connections {
        let findings = engine.check(connection).await;
        let findings = findings.with_context(|| format!("asking the account of `{}` what it has", connection.id))?;
        blocking += findings.iter().filter(|finding| finding.blocking).count();
        if args.json {
            for finding in &findings {
                println!("{}", line(connection.id.as_str(), finding));
            }
        } else {
            println!("{} ({})", connection.id, connection.connector.manifest().display_name);
            print!("{}", shown(&findings));
        }
    }
    engine.world().store.clone().close().await;
    if blocking > 0 {
        bail!("{blocking} of these must be mended before bookings can be written");
    }
    Ok(())
}

fn line(connection: &str, finding: &Finding) -> String {
    json!({"connection": connection, "problem": finding.problem, "fix": finding.fix, "blocking": finding.blocking})
        .to_string()
}

/// Findings as a person reads them: what must be mended first.
pub(super) fn shown(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "  It has everything that the booking flow needs.\n".to_owned();
    }
    let (first, rest): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.blocking);
    let mut text = String::new();
    for finding in first.into_iter().chain(rest) {
        let mark = if finding.blocking { "✗" } else { "!" };
        text.push_str(&format!("  {mark} {}\n    {}\n", finding.problem, finding.fix));
    }
    text
}
