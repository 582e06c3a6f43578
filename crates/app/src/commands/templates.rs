//! `syncline templates`: what a booking becomes, in versions that are tried before they are in force and taken back when
//! they turn out wrong.

use std::{collections::BTreeSet, io::Read, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use syncline_core::{Clock, booking::check::Problem, ids::WorkspaceId};
use syncline_engine::TemplateSource;
use syncline_store::{Saved, Store};

use super::{
    ConfigArg,
    dry_run::{self, MessageArgs},
};
use crate::{
    config::{TEMPLATE_MAX, TemplateKind, check_template},
    telemetry,
    wiring::Installation,
    world::SystemClock,
};

/// The name under which the built-in template is copied and shown.
const BUILT_IN: &str = "built-in";

/// Characters of a template's name.
const NAME_CHARS_MAX: usize = 60;

#[derive(Debug, Args)]
pub struct TemplatesArgs {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Lists templates, and which version is in force where.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Prints a template; `built-in` is the one to start from.
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Makes a new template of an old one.
    Copy {
        #[command(flatten)]
        which: Which,
        /// Name of the new template.
        to: String,
        #[command(flatten)]
        who: Who,
    },
    /// Saves a new version of a template. It is checked first and in force nowhere yet.
    Edit {
        #[command(flatten)]
        which: Which,
        /// The file with the new text; `-` reads the standard input.
        #[arg(long)]
        file: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// Checks a file without saving it.
    Check {
        /// The file; `-` reads the standard input.
        file: PathBuf,
        /// What the template is about.
        #[arg(long, value_enum)]
        kind: TemplateKind,
    },
    /// Shows what a message would become with a template, record by record, and does nothing.
    Preview {
        #[command(flatten)]
        which: Which,
        /// A file to be tried instead of the saved version.
        #[arg(long)]
        file: Option<PathBuf>,
        #[command(flatten)]
        message: MessageArgs,
    },
    /// Puts a version in force.
    Activate {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        who: Who,
    },
    /// Puts in force again what was before.
    Rollback {
        /// What the template is about.
        #[arg(long, value_enum)]
        kind: TemplateKind,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        who: Who,
    },
    /// Tells who did what to templates, newest first.
    History,
}

#[derive(Debug, Args)]
struct Which {
    /// The template's name.
    name: String,
    /// What the template is about.
    #[arg(long, value_enum)]
    kind: TemplateKind,
    /// The version; the newest where none is named.
    #[arg(long)]
    version: Option<i64>,
}

#[derive(Debug, Args)]
struct Place {
    /// The meeting type (slug, id, URI or name); all that have none of their own where it is left out.
    #[arg(long, default_value = "")]
    meeting_type: String,
}

#[derive(Debug, Args)]
struct Who {
    /// Who does it, for the history.
    #[arg(long = "as", env = "USER", default_value = "somebody")]
    who: String,
}

pub async fn run(args: TemplatesArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    match args.act {
        Act::Check { file, kind } => {
            let text = read(&file)?;
            check_template(kind, &text)?;
            println!("It can be used.");
            let store = installation.open_store().await?;
            return hold_against_crm(&installation, store, kind, &text, "").await;
        }
        Act::Preview { which, file, message } => return preview(&installation, &which, file, &message).await,
        _ => {}
    }
    let store = installation.open_store().await?;
    match act(&store, &installation.workspace(), args.act).await {
        Ok(Some(news)) => hold_against_crm(&installation, store, news.kind, &news.text, &news.meeting_type).await,
        done => {
            store.close().await;
            done.map(drop)
        }
    }
}

/// A template that was saved or put in force.
struct News {
    kind: TemplateKind,
    text: String,
    /// Empty for all.
    meeting_type: String,
}

/// Says which of its fields the CRM would not take as it is now. They drop only themselves, so that nothing is refused.
async fn hold_against_crm(
    installation: &Installation,
    store: Store,
    kind: TemplateKind,
    text: &str,
    meeting_type: &str,
) -> anyhow::Result<()> {
    let engine = installation.engine(store, &installation.public_url()?, installation.engine_options()?).await?;
    let trial = TemplateSource { kind: kind.as_str(), source: text };
    let crms: BTreeSet<_> = engine.setup().integrations.iter().map(|integration| &integration.crm).collect();
    for setup in engine.setup().connections.iter().filter(|setup| crms.contains(&setup.id)) {
        match engine.check_trial(setup, trial, meeting_type).await {
            Ok(problems) => {
                for found in problems {
                    let Problem { reason, fix, .. } = &found.problem;
                    println!("! {} does not fit and would be left out: {reason}\n    {fix}", found.place());
                }
            }
            Err(error) => println!("{} could not be asked whether the fields fit: {error}", setup.id),
        }
    }
    engine.world().store.clone().close().await;
    Ok(())
}

/// Does it, and yields what is new of a template.
async fn act(store: &Store, workspace: &WorkspaceId, act: Act) -> anyhow::Result<Option<News>> {
    let now = SystemClock.now();
    match act {
        Act::List { json } => list(store, workspace, json).await.map(|()| None),
        Act::Show { which } => {
            print!("{}", source(store, workspace, &which).await?.1);
            Ok(None)
        }
        Act::Copy { which, to, who } => {
            let (_, text) = source(store, workspace, &which).await?;
            save(store, workspace, which.kind, &to, &text, 0, &who.who).await?;
            Ok(None)
        }
        Act::Edit { which, file, who } => {
            let base = match store.template(workspace, which.kind.as_str(), &which.name, None).await? {
                Some(newest) => newest.version,
                None => bail!("there is no template `{}`; `syncline templates copy` makes one", which.name),
            };
            let text = read(&file)?;
            save(store, workspace, which.kind, &which.name, &text, base, &who.who).await?;
            Ok(Some(News { kind: which.kind, text, meeting_type: String::new() }))
        }
        Act::Activate { which, place, who } => {
            let (version, text) = source(store, workspace, &which).await?;
            check_template(which.kind, &text)?;
            let (kind, name) = (which.kind.as_str(), which.name.as_str());
            store.activate_template(workspace, kind, &place.meeting_type, name, version, &who.who, now).await?;
            println!("In force from now on{}.", of(&place.meeting_type));
            Ok(Some(News { kind: which.kind, text, meeting_type: place.meeting_type }))
        }
        Act::Rollback { kind, place, who } => {
            let back = store.roll_back_template(workspace, kind.as_str(), &place.meeting_type, &who.who, now).await?;
            match back {
                Some(back) if back.version > 0 => {
                    println!("Version {} of {} is in force again{}.", back.version, back.name, of(&place.meeting_type));
                }
                Some(_) => println!("The built-in template is in force again{}.", of(&place.meeting_type)),
                None => bail!("there is nothing to go back to{}", of(&place.meeting_type)),
            }
            Ok(None)
        }
        Act::History => {
            for event in store.template_events(workspace).await? {
                let place = event.meeting_type.as_deref().map(of).unwrap_or_default();
                let (at, who, action) = (event.at, event.who, event.action.replace('_', " "));
                println!("{at:.0}  {who}  {action}  {} {}, version {}{place}", event.kind, event.name, event.version);
            }
            Ok(None)
        }
        Act::Check { .. } | Act::Preview { .. } => Ok(None),
    }
}

fn of(meeting_type: &str) -> String {
    if meeting_type.is_empty() { String::new() } else { format!(" for meeting type {meeting_type}") }
}

async fn list(store: &Store, workspace: &WorkspaceId, json: bool) -> anyhow::Result<()> {
    let (templates, active) = (store.templates(workspace).await?, store.active_templates(workspace).await?);
    if json {
        for row in &templates {
            println!(
                "{}",
                json!({"kind": row.kind, "name": row.name, "newest": row.newest, "at": row.at.to_string(), "who": row.who})
            );
        }
        for row in &active {
            println!(
                "{}",
                json!({"in_force": row.kind, "name": row.name, "version": row.version, "meeting_type": row.meeting_type})
            );
        }
        return Ok(());
    }
    if templates.is_empty() {
        println!("No templates yet: `syncline templates copy built-in <name> --kind event` makes one to edit.");
    }
    for row in &templates {
        println!("{:<9} {}  newest version {}, saved {:.0} by {}", row.kind, row.name, row.newest, row.at, row.who);
    }
    for row in &active {
        let version = if row.version == 0 {
            "the built-in one".to_owned()
        } else {
            format!("{}, version {}", row.name, row.version)
        };
        println!("in force  {}{}: {version}", row.kind, of(&row.meeting_type));
    }
    Ok(())
}

/// A version and its text; version 0 is the built-in one.
async fn source(store: &Store, workspace: &WorkspaceId, which: &Which) -> anyhow::Result<(i64, String)> {
    if which.name == BUILT_IN {
        return Ok((0, which.kind.built_in().to_owned()));
    }
    let found = store.template(workspace, which.kind.as_str(), &which.name, which.version).await?;
    let found = found.with_context(|| {
        let version = which.version.map(|version| format!("version {version} of ")).unwrap_or_default();
        format!(
            "there is no {version}{} template `{}`; `syncline templates list` shows them",
            which.kind.as_str(),
            which.name
        )
    })?;
    Ok((found.version, found.source))
}

async fn save(
    store: &Store,
    workspace: &WorkspaceId,
    kind: TemplateKind,
    name: &str,
    text: &str,
    base: i64,
    who: &str,
) -> anyhow::Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.');
    if name == BUILT_IN || name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(plain) {
        bail!(
            "a template's name has 1 to {NAME_CHARS_MAX} letters, digits, dashes, dots and blanks, and is not `{BUILT_IN}`"
        );
    }
    check_template(kind, text)?;
    match store.save_template(workspace, kind.as_str(), name, text, base, who, SystemClock.now()).await? {
        Saved::As { version } => {
            println!("Saved as version {version} of {name}; `syncline templates activate` puts it in force.");
            Ok(())
        }
        Saved::Outdated { newest } if base == 0 => bail!("there is a template `{name}` already, at version {newest}"),
        Saved::Outdated { newest } => {
            bail!(
                "somebody saved version {newest} meanwhile; look at it with `syncline templates show {name}`, then save again"
            )
        }
    }
}

async fn preview(
    installation: &Installation,
    which: &Which,
    file: Option<PathBuf>,
    message: &MessageArgs,
) -> anyhow::Result<()> {
    let text = match file {
        Some(file) => read(&file)?,
        None => {
            let store = installation.open_store().await?;
            let found = source(&store, &installation.workspace(), which).await;
            store.close().await;
            found?.1
        }
    };
    check_template(which.kind, &text)?;
    dry_run::show(installation, message, Some(TemplateSource { kind: which.kind.as_str(), source: &text })).await
}

fn read(path: &std::path::Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let limit = TEMPLATE_MAX as u64 + 1;
    if path.to_str() == Some("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
        file.take(limit).read_to_string(&mut text).with_context(|| format!("reading {}", path.display()))?;
    }
    Ok(text)
}
