//! `syncline sandbox`: the imitation vendors alone, each on an address of its own.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, CalcomAccount, CalcomConfig,
    CalendlyConfig, CalendlyOrg, GoogleConfig, GoogleWorkspace, HubSpotAccount, HubSpotConfig, MicrosoftConfig,
    MicrosoftTenant, SalesforceConfig, SalesforceOrg, Site, serve,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::StopSignal;
use crate::world::{SystemClock, SystemEntropy};

/// How to imitate.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where Salesforce listens; port 0 takes a free one. The others take free ports of the same address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Prints one JSON line with each vendor's address and credentials, and nothing else.
    #[arg(long)]
    json: bool,
    /// A JSON file that describes the org: users, app, limits, custom fields and objects.
    #[arg(long)]
    org: Option<PathBuf>,
}

/// Serves until it is told to stop.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    let config = match &args.org {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?
        }
        None => SalesforceConfig {
            change_events: Some(["Account", "Contact", "Lead", "Opportunity"].map(str::to_owned).to_vec()),
            ..SalesforceConfig::default()
        },
    };
    let mut stop_signal = StopSignal::listen()?;
    let org = SalesforceOrg::new(config, Arc::new(SystemClock), Arc::new(SystemEntropy));
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let credentials = org.credentials(&base_url);
    let stop = CancellationToken::new();
    let calcom = CalcomAccount::new(CalcomConfig::default(), Arc::new(SystemClock));
    let calcom_url = beside(args.listen, &calcom, &stop).await?;
    let calendly = CalendlyOrg::new(CalendlyConfig::default(), Arc::new(SystemClock));
    let calendly_url = beside(args.listen, &calendly, &stop).await?;
    let hubspot = HubSpotAccount::new(HubSpotConfig::default(), Arc::new(SystemClock)).map_err(anyhow::Error::msg)?;
    let hubspot_url = beside(args.listen, &hubspot, &stop).await?;
    let brevo = BrevoAccount::new(BrevoConfig::default(), Arc::new(SystemClock));
    let brevo_url = beside(args.listen, &brevo, &stop).await?;
    // A receiver on this machine has no certificate.
    let config = ActiveCampaignConfig { plain_hooks: true, ..ActiveCampaignConfig::default() };
    let activecampaign = ActiveCampaignAccount::new(config, Arc::new(SystemClock));
    let activecampaign_url = beside(args.listen, &activecampaign, &stop).await?;
    let google = GoogleWorkspace::new(GoogleConfig::default(), Arc::new(SystemClock));
    let google_url = beside(args.listen, &google, &stop).await?;
    let microsoft = MicrosoftTenant::new(MicrosoftConfig::default(), Arc::new(SystemClock));
    let microsoft_url = beside(args.listen, &microsoft, &stop).await?;
    if args.json {
        let all = serde_json::json!({
            "salesforce": credentials,
            "calcom": calcom.credentials(&calcom_url),
            "calendly": calendly.credentials(&calendly_url),
            "hubspot": hubspot.credentials(&hubspot_url),
            "brevo": brevo.credentials(&brevo_url),
            "activecampaign": activecampaign.credentials(&activecampaign_url),
            "google": google.credentials(&google_url),
            "microsoft": microsoft.credentials(&microsoft_url),
        });
        println!("{all}");
    } else {
        println!("Salesforce sandbox at {base_url}; look at it in a browser under {base_url}/_sandbox/");
        println!("{}", serde_json::to_string_pretty(&credentials)?);
        println!("Cal.com sandbox at {calcom_url}\n{}", calcom.credentials(&calcom_url));
        println!("Calendly sandbox at {calendly_url}\n{}", calendly.credentials(&calendly_url));
        println!("HubSpot sandbox at {hubspot_url}\n{}", hubspot.credentials(&hubspot_url));
        println!("Brevo sandbox at {brevo_url}\n{}", brevo.credentials(&brevo_url));
        println!("ActiveCampaign sandbox at {activecampaign_url}\n{}", activecampaign.credentials(&activecampaign_url));
        println!("Google Calendar sandbox at {google_url}\n{}", google.credentials(&google_url));
        println!("Microsoft 365 sandbox at {microsoft_url}\n{}", microsoft.credentials(&microsoft_url));
        println!("Ctrl-C stops it; its records are gone then.");
    }
    let serving = tokio::spawn(serve(listener, org, stop.clone()));
    stop_signal.asked().await;
    stop.cancel();
    serving.await?.context("serving")
}

/// Serves another vendor on a free port of the same address, and says where.
async fn beside<S: Site>(listen: SocketAddr, site: &Arc<S>, stop: &CancellationToken) -> anyhow::Result<String> {
    let address = SocketAddr::new(listen.ip(), 0);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, Arc::clone(site), stop.clone()));
    Ok(url)
}
