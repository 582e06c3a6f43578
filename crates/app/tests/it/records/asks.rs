//! Records that are made in the CRM because somebody asks: by the API, or by a webhook of the tool's automation.
#![expect(clippy::disallowed_types, reason = "the test is a client like any other, with one of its own")]

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use syncline_connect::Secret;
use syncline_core::merge::{Direction, RuleDraft};
use syncline_server::{Server, ServerOptions};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    company::{Company, fields},
    desk::both_ways,
};

const TOKEN: &str = "an-admin-token-of-the-tests";
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The server over a company's engine.
struct Served {
    url: String,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Served {
    async fn new(company: &Company) -> Self {
        // Another test may have chosen it already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let public = Url::parse(&url).expect("a URL");
        let mut options = ServerOptions::new(public, Secret::new(TOKEN.to_owned()), [7; 32]);
        options.ask_keys = Arc::new(|workspace, integration, _| {
            let known = workspace.as_str() == "acme" && integration.as_str() == "with-campaign";
            if known { vec![KEY.to_owned()] } else { Vec::new() }
        });
        let server = Server::new(Arc::clone(&company.engine), Vec::new(), options);
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(listener, stop.clone()));
        Self { url, stop }
    }

    /// By the API: the status and what it says.
    async fn ask(&self, token: &str, body: Value) -> (u16, String) {
        let url = format!("{}/api/v1/records/with-campaign/create", self.url);
        let request = reqwest::Client::new().post(url).bearer_auth(token).body(body.to_string());
        let answer = request.send().await.expect("the server answers");
        let status = answer.status().as_u16();
        let told: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        let word = told["status"].as_str().or(told["detail"].as_str()).or(told["code"].as_str());
        (status, word.unwrap_or_default().to_owned())
    }

    /// By a webhook, in the tool's own form.
    async fn hook(&self, pair: &str, key: &str, body: &str) -> u16 {
        let url = format!("{}/hooks/records/with-campaign/{pair}/{key}", self.url);
        let request = reqwest::Client::new().post(url).body(body.to_owned());
        request.send().await.expect("the server answers").status().as_u16()
    }
}

/// One tool; contacts and leads of the CRM are made on request, and only then.
async fn company() -> Company {
    Company::changed(|flows| {
        flows.remove(2);
        flows.remove(0);
        for pair in &mut flows[0].pairs {
            pair.on_request = true;
        }
        let named = both_ways("Company", "lastName");
        flows[0].pairs[1].rows.push(RuleDraft { direction: Direction::ToLeft, ..named });
    })
    .await
}

/// A record is made when it is asked for by the API, however often that is said, and none where there is one; without a
/// call nothing is made.
///
/// proves: R9, R10
#[tokio::test]
async fn the_api_asks_for_a_contact() {
    let company = company().await;
    company.campaign_contact("ada@example.org", &[]);
    company.campaign_contact("silent@example.org", &[]);
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (0, 0), "nobody asked");
    let served = Served::new(&company).await;
    let wish = json!({ "pair": "contacts", "email": "Ada@Example.org" });
    assert_eq!(served.ask("wrong", wish.clone()).await.0, 401);
    assert_eq!(served.ask(TOKEN, wish.clone()).await, (200, "waiting".to_owned()));
    assert_eq!(served.ask(TOKEN, wish.clone()).await, (200, "asked_before".to_owned()));
    let unclear = served.ask(TOKEN, json!({ "email": "ada@example.org" })).await;
    assert_eq!(unclear.0, 400, "two pairs make records on request: {unclear:?}");
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (1, 0));
    assert_eq!(company.contact("ada@example.org")["LastName"], json!("King"));
    assert_eq!(served.ask(TOKEN, wish).await.0, 200);
    let nobody = json!({ "pair": "contacts", "email": "nobody@example.org" });
    assert_eq!(served.ask(TOKEN, nobody).await.0, 200);
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (1, 0), "there is one, and nobody has no record");
    // It is kept in step from then on.
    let id = company.campaign_id("ada@example.org");
    company.campaign.edit(id, &fields(json!({ "firstName": "Ada" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.contact("ada@example.org")["FirstName"], json!("Ada"));
}

/// An automation's webhook asks for a lead; a wrong address leads nowhere, and somebody whom no look has shown yet is read.
///
/// proves: R9
#[tokio::test]
async fn a_webhook_asks_for_a_lead() {
    let company = company().await;
    company.calm().await;
    let served = Served::new(&company).await;
    let id = company.campaign_contact("ada@example.org", &[]);
    let body = format!("type=subscribe&contact%5Bid%5D={id}&contact%5Bemail%5D=ada%40example.org");
    assert_eq!(served.hook("leads", "wrong", &body).await, 404);
    assert_eq!(served.hook("leads", KEY, "type=subscribe").await, 400);
    assert_eq!(served.hook("leads", KEY, &body).await, 200);
    assert_eq!(served.hook("leads", KEY, &body).await, 200);
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (0, 1));
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    assert_eq!((company.live("Contact"), company.live("Lead")), (0, 1));
}
