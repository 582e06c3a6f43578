//! The command line: one file a command.

mod activity;
mod alerts;
mod apply;
mod calendars;
mod connect;
mod demo;
mod doctor;
mod dry_run;
mod init;
mod person;
mod plan;
mod records;
mod replay;
mod rotate_key;
mod sandbox;
pub(crate) mod serve;
mod sources;
mod templates;
mod tokens;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// Keeps a CRM in step with the tools around it.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays genuine booking messages against a sandbox Salesforce, without any account or network.
    Demo(demo::DemoArgs),
    /// Writes a configuration file and a master key to start from.
    Init(init::InitArgs),
    /// Shows what a changed configuration file means, and changes nothing. Ends with 0 if nothing changes, with 2 if
    /// something does, and with 1 if the file cannot be used.
    Plan(plan::PlanArgs),
    /// Holds the configuration file against the connected accounts, and keeps it as the one that is in use.
    Apply(apply::ApplyArgs),
    /// Takes bookings in and writes them to the CRM.
    Serve(serve::ServeArgs),
    /// Connects an account, in the browser or by its server-to-server grant.
    Connect(connect::ConnectArgs),
    /// Prints the webhook address of every source, and how those stand that are asked by their API.
    Sources(sources::SourcesArgs),
    /// Prints what happened and why.
    Activity(activity::ActivityArgs),
    /// Tries the ways by which people are told of what they must know.
    Alerts(alerts::AlertsArgs),
    /// Shows what a message would do, record by record and field by field, and does nothing.
    DryRun(dry_run::DryRunArgs),
    /// Tries bookings again that were laid aside.
    Replay(replay::ReplayArgs),
    /// Looks at the connected CRM before going live: what it lacks, and how to mend it.
    Doctor(doctor::DoctorArgs),
    /// Copies, edits, tries, activates and takes back what a booking becomes.
    Templates(templates::TemplatesArgs),
    /// Keeps the records of two accounts in step: check, preview, activate, run, look, decide.
    Records(records::RecordsArgs),
    /// Brings the meetings of people's calendars onto the timelines of a CRM: check, preview, activate, run, look.
    Calendars(calendars::CalendarsArgs),
    /// Shows or erases all that is held about one person.
    Person(person::PersonArgs),
    /// Makes, lists and takes back tokens for programs that call the API.
    Tokens(tokens::TokensArgs),
    /// Starts the imitation vendors alone, to test other code against.
    Sandbox(sandbox::SandboxArgs),
    /// Seals everything secret under a new master key while the server may go on running.
    RotateKey(rotate_key::RotateKeyArgs),
}

/// Where the configuration stands.
#[derive(Debug, Args)]
struct ConfigArg {
    /// The configuration file.
    #[arg(long, global = true, default_value = "syncline.toml", env = "SYNCLINE_CONFIG")]
    config: PathBuf,
}

/// Runs the chosen command. A plan has an exit code of its own.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Plan(args) => return plan::run(args).await,
        Command::Apply(args) => apply::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(args).await,
        Command::Connect(args) => connect::run(args).await,
        Command::Sources(args) => sources::run(args).await,
        Command::Activity(args) => activity::run(args).await,
        Command::Alerts(args) => alerts::run(args).await,
        Command::DryRun(args) => dry_run::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Templates(args) => templates::run(args).await,
        Command::Records(args) => records::run(args).await,
        Command::Calendars(args) => calendars::run(args).await,
        Command::Person(args) => person::run(args).await,
        Command::Tokens(args) => tokens::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::RotateKey(args) => rotate_key::run(args).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Ctrl-C or SIGTERM. Listened for from the start of a command, so that one that comes before everything runs ends the
/// command cleanly too.
struct StopSignal {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    #[cfg(unix)]
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves once either has come.
    #[cfg(unix)]
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn asked(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
