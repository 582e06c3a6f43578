//! `syncline dry-run`: what a message would do, record by record and field by field, before anything is written.

use std::{io::Read, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use syncline_connect::bookings::RawRequest;
use syncline_core::{
    Clock,
    ids::{ConnectionId, IntegrationId},
};
use syncline_engine::{DryRun, TemplateSource};

use super::ConfigArg;
use crate::{
    config::SourceConfig,
    telemetry,
    wiring::{Installation, vendor},
    world::SystemClock,
};

/// The longest message that is read: as long as the intake takes one.
const MESSAGE_MAX: u64 = 1 << 20;

/// Which message, and where it would have come in.
#[derive(Debug, Args)]
pub struct DryRunArgs {
    #[command(flatten)]
    message: MessageArgs,
    #[command(flatten)]
    config: ConfigArg,
}

/// A message on its own.
#[derive(Debug, Args)]
pub struct MessageArgs {
    /// The webhook's body as the source sends it; `-` reads it from the standard input.
    message: PathBuf,
    /// The source that would have delivered it; may be left out where there is only one.
    #[arg(long)]
    source: Option<String>,
    /// A header that came with it, as `name: value`, where the source tells by headers what a message is.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// One JSON object a booking.
    #[arg(long)]
    json: bool,
}

/// Reads, looks up, decides, prints.
pub async fn run(args: DryRunArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    show(&installation, &args.message, None).await
}

/// Shows what a message would become, with a template on trial where one is given.
pub(super) async fn show(
    installation: &Installation,
    args: &MessageArgs,
    trial: Option<TemplateSource<'_>>,
) -> anyhow::Result<()> {
    let source = source(installation, args.source.as_deref())?;
    let connector = vendor(&source.vendor)?;
    let Some(bookings) = connector.bookings() else {
        bail!("{} sends no bookings", connector.manifest().display_name);
    };
    let raw = RawRequest { headers: headers(&args.headers)?, body: read(&args.message)?.into() };
    let reading = bookings
        .read(&raw, SystemClock.now())
        .with_context(|| format!("{} would not understand this message", source.name))?;
    if let Some(reason) = reading.ignored.filter(|_| reading.messages.is_empty()) {
        println!("Nothing would be done: {reason}.");
        return Ok(());
    }
    let store = installation.open_store().await?;
    let engine = installation.engine(store, &installation.public_url()?, installation.engine_options()?).await?;
    let (integration, id) = (IntegrationId::new(source.integration.clone()), ConnectionId::new(source.name.clone()));
    let runs = engine.dry_run(&installation.workspace(), &integration, &id, &reading.messages, &raw.body, trial).await;
    engine.world().store.clone().close().await;
    for run in runs? {
        match args.json {
            true => println!("{}", serde_json::to_string(&run)?),
            false => print!("{}", shown(&run)),
        }
    }
    Ok(())
}

fn source<'a>(installation: &'a Installation, name: Option<&str>) -> anyhow::Result<&'a SourceConfig> {
    let sources = &installation.config.sources;
    let names = || sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, sources.as_slice()) {
        (Some(name), _) => sources
            .iter()
            .find(|source| source.name == name)
            .with_context(|| format!("there is no source `{name}` in the configuration; there are: {}", names())),
        (None, [only]) => Ok(only),
        (None, _) => bail!("say with --source which source the message comes from; there are: {}", names()),
    }
}

fn read(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    let taken = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(MESSAGE_MAX + 1).read_to_end(&mut body)?,
        _ => {
            let file = std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
            file.take(MESSAGE_MAX + 1).read_to_end(&mut body)?
        }
    };
    if taken as u64 > MESSAGE_MAX {
        bail!("the message is longer than {MESSAGE_MAX} bytes, which no source sends");
    }
    Ok(body)
}

fn headers(lines: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').with_context(|| format!("`{line}` is no header: `name: value`"))?;
        let name: HeaderName = name.trim().parse().with_context(|| format!("`{name}` names no header"))?;
        headers
            .append(name, HeaderValue::from_str(value.trim()).context("a header's value is one line of plain text")?);
    }
    Ok(headers)
}

/// As a person reads it.
fn shown(run: &DryRun) -> String {
    let mut text = match &run.booking {
        Some(booking) => format!("Booking {booking}\n"),
        None => "A new booking\n".to_owned(),
    };
    for (_, note) in &run.notes {
        text.push_str(&format!("  · {note}\n"));
    }
    if run.records.is_empty() {
        text.push_str("  nothing would be written\n");
    }
    for record in &run.records {
        let id = record.id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        text.push_str(&format!("  {} {}{id}\n", record.action, record.role));
        for (field, change) in &record.fields {
            let then = one_line(&change["then"]);
            match change.get("now") {
                Some(now) => text.push_str(&format!("      {field}: {} → {then}\n", one_line(now))),
                None => text.push_str(&format!("      {field}: {then}\n")),
            }
        }
    }
    text.push_str(&format!("  looked up with {:.0} calls; nothing was written\n", run.calls));
    text
}

fn one_line(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.replace('\n', "⏎"),
        serde_json::Value::Null => "(empty)".to_owned(),
        other => other.to_string(),
    }
}
