//! `syncline tokens`: tokens for programs that call the API. One is shown once, when it is made.

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use serde_json::json;
use sha2::{Digest, Sha256};
use syncline_core::{Clock, Entropy};
use syncline_server::TOKEN_PREFIX;
use syncline_store::{ApiToken, TokenScope};

use super::ConfigArg;
use crate::{
    wiring::Installation,
    world::{SystemClock, SystemEntropy},
};

/// Random bytes of a token: 256 bits, so that a plain hash of it is enough to keep.
const TOKEN_BYTES: usize = 32;

/// Random bytes of a token's name.
const ID_BYTES: usize = 6;

/// How long a token is good where nobody says, and at the longest.
const DAYS_DEFAULT: u16 = 90;
const DAYS_MAX: u16 = 366;

/// Characters of the name of a program.
const NAME_MAX: usize = 60;

/// What to do with them.
#[derive(Debug, Args)]
pub struct TokensArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a token and prints it, this once.
    Create(CreateArgs),
    /// Lists tokens: for whom, for what, until when.
    List(ListArgs),
    /// Takes a token back, at once.
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Which program bears it, for those who read the list.
    name: String,
    /// What it may do.
    #[arg(long, value_enum, default_value = "read")]
    scope: Scope,
    /// After how many days it runs out.
    #[arg(long, default_value_t = DAYS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(DAYS_MAX)))]
    days: u16,
    #[command(flatten)]
    config: ConfigArg,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object a token.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// Its id (tok_…), as the list prints it.
    id: String,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Looks.
    Read,
    /// Looks, hands bookings in, replays, disconnects.
    Write,
}

/// Does it.
pub async fn run(args: TokensArgs) -> anyhow::Result<()> {
    match args.command {
        Command::Create(args) => create(args).await,
        Command::List(args) => list(args).await,
        Command::Revoke(args) => revoke(args).await,
    }
}

async fn create(args: CreateArgs) -> anyhow::Result<()> {
    let name = args.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        bail!("a name has 1 to {NAME_MAX} characters, such as `reporting`");
    }
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    let (mut secret, mut id) = ([0; TOKEN_BYTES], [0; ID_BYTES]);
    SystemEntropy.fill(&mut secret);
    SystemEntropy.fill(&mut id);
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let now = SystemClock.now();
    let made = ApiToken {
        workspace: installation.workspace(),
        id: format!("tok_{}", hex::encode(id)),
        name: name.to_owned(),
        scope: match args.scope {
            Scope::Read => TokenScope::Read,
            Scope::Write => TokenScope::Write,
        },
        created_at: now,
        expires_at: now.saturating_add(SignedDuration::from_hours(24 * i64::from(args.days)))?,
    };
    let hash = Sha256::digest(token.as_bytes()).into();
    let kept = store.add_api_token(made.clone(), hash).await;
    store.close().await;
    kept.context("keeping the token")?;
    if args.json {
        let mut line = shown(&made);
        line["token"] = json!(token);
        println!("{line}");
    } else {
        println!("{token}");
        eprintln!("{}, to {}, until {:.0}. It is not shown again.", made.id, made.scope.as_str(), made.expires_at);
    }
    Ok(())
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    let tokens = store.api_tokens(&installation.workspace()).await;
    store.close().await;
    let tokens = tokens?;
    if args.json {
        tokens.iter().for_each(|token| println!("{}", shown(token)));
        return Ok(());
    }
    let now = SystemClock.now();
    for ApiToken { id, name, scope, created_at, expires_at, .. } in &tokens {
        let ended = if *expires_at <= now { ", which is over" } else { "" };
        println!("{id}  {name}: may {}, made {created_at:.0}, until {expires_at:.0}{ended}", scope.as_str());
    }
    if tokens.is_empty() {
        println!("There are none.");
    }
    Ok(())
}

async fn revoke(args: RevokeArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    let revoked = store.revoke_api_token(&installation.workspace(), &args.id, SystemClock.now()).await;
    store.close().await;
    if !revoked? {
        bail!("there is no token {}; `syncline tokens list` prints the ids", args.id);
    }
    println!("{} is taken back.", args.id);
    Ok(())
}

fn shown(token: &ApiToken) -> serde_json::Value {
    let ApiToken { workspace, id, name, scope, created_at, expires_at } = token;
    json!({ "workspace": workspace.as_str(), "id": id, "name": name, "scope": scope.as_str(),
            "created_at": created_at.to_string(), "expires_at": expires_at.to_string() })
}
