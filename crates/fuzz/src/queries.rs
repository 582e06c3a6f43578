//! Queries: the imitation org's own reader is the judge of what ours wrote.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value as Json, json};
use syncline_sandbox::{SalesforceConfig, SalesforceOrg};
use syncline_vendors::salesforce::soql::{ApiName, Condition, Literal, Select, percent_encoded};

use crate::world::{Seeded, StoppedClock};

/// Where the org is said to live.
const BASE: &str = "https://acme.my.salesforce.com";

/// The one contact of the org; what finds it without naming it has left its literal.
const DECOY: &str = "Decoy Nobody";

/// Characters of an input that become part of a query: percent-encoded they still fit into an address.
const VALUE_CHARS_MAX: usize = 900;

struct Org {
    org: Arc<SalesforceOrg>,
    bearer: String,
}

fn org() -> &'static Org {
    static ORG: OnceLock<Org> = OnceLock::new();
    ORG.get_or_init(|| {
        let config = SalesforceConfig { daily_call_limit: u64::MAX, ..SalesforceConfig::default() };
        let org = SalesforceOrg::new(config, Arc::new(StoppedClock), Arc::new(Seeded::default()));
        let decoy = json!({"LastName": DECOY, "Email": "decoy@nobody.example"});
        org.seed("Contact", decoy.as_object().expect("an object")).expect("the decoy can be seeded");
        let known = org.credentials(BASE);
        let text = |name: &str| known[name].as_str().expect("credentials are texts").to_owned();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &text("client_id"))
            .append_pair("client_secret", &text("client_secret"))
            .finish();
        let request = Request::post(format!("{BASE}/services/oauth2/token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .expect("a sound request");
        let answer: Json =
            serde_json::from_slice(org.handle(BASE, request).response.body()).expect("the token answer is JSON");
        Org { org, bearer: format!("Bearer {}", answer["access_token"].as_str().expect("a token")) }
    })
}

/// How many contacts a condition finds, by the org's own reading of the query.
pub fn found(condition: Condition) -> u64 {
    let name = |text: &str| ApiName::parse(text).expect("a sound name");
    let select = Select { object: name("Contact"), fields: vec![name("Id")], any: vec![condition], all: Vec::new() };
    let soql = select.to_string();
    let request = Request::get(format!("{BASE}/services/data/v64.0/query?q={}", percent_encoded(&soql)))
        .header(header::AUTHORIZATION, &org().bearer)
        .body(Bytes::new())
        .expect("a percent-encoded query is a sound address");
    let response = org().org.handle(BASE, request).response;
    let answer: Json = serde_json::from_slice(response.body()).unwrap_or_default();
    assert_eq!(response.status(), 200, "the org refuses {soql:?}: {answer}");
    answer["totalSize"].as_u64().expect("a page has a size")
}

/// No text leaves its literal: every query can be read, and finds the decoy only where its text is the decoy's.
pub fn soql(bytes: &[u8]) {
    let text: String = String::from_utf8_lossy(bytes).chars().take(VALUE_CHARS_MAX).collect();
    let field = |name: &str| ApiName::parse(name).expect("a sound name");
    let literal = || Literal::Text(text.clone());
    let (lower, decoy) = (text.to_lowercase(), DECOY.to_lowercase());
    let is_decoy = lower.trim() == decoy;
    assert!(found(Condition::Is(field("LastName"), literal())) == 0 || is_decoy, "{text:?} found by equality");
    let both = vec![literal(), Literal::Text("somebody else".to_owned())];
    assert!(found(Condition::In(field("LastName"), both)) == 0 || is_decoy, "{text:?} found in a list");
    assert!(found(Condition::IsNot(field("LastName"), literal())) == 1 || is_decoy, "{text:?} not told apart");
    let contained = decoy.contains(&lower);
    assert!(found(Condition::Contains(field("LastName"), text.clone())) == 0 || contained, "{text:?} found within");
    let ends = decoy.ends_with(&lower);
    assert!(found(Condition::EndsWith(field("LastName"), text.clone())) == 0 || ends, "{text:?} found at the end");
}
