//! `syncline`: the one executable. Command line, configuration, the real clock and HTTP client, and the wiring.

mod commands;
mod config;
mod http;
mod mail;
mod plan;
mod telemetry;
mod wiring;
mod world;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    rustls::crypto::ring::default_provider().install_default().expect("nothing else installs a provider");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("syncline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
