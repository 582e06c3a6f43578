//! The customers' orgs before the first booking, and the connections to them.

use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_core::{Clock, Entropy};
use syncline_sandbox::{
    SalesforceConfig, SalesforceOrg,
    salesforce::{AppConfig, UserConfig},
};
use syncline_store::{Store, StoredTokens};

use crate::{
    clock::{TrueClock, beginning},
    dice::{Dice, Seeded},
    story::{Customer, Host, SECRET},
};

pub fn client_id(customer: usize) -> String {
    format!("client-of-ws{customer}")
}

pub fn client_secret(customer: usize) -> String {
    format!("{SECRET}-app-of-ws{customer}")
}

/// The org whose schema and rules all others have: to read them costs more than everything that happens in a run.
fn first() -> &'static SalesforceOrg {
    static FIRST: OnceLock<Arc<SalesforceOrg>> = OnceLock::new();
    let entropy = || Arc::new(Seeded::new(Dice::of(0, "first org", 0)));
    FIRST.get_or_init(|| SalesforceOrg::new(SalesforceConfig::default(), Arc::new(Beginning), entropy()))
}

/// A clock that stands still at the moment at which every run begins.
struct Beginning;

impl Clock for Beginning {
    fn now(&self) -> Timestamp {
        beginning()
    }
}

/// An org without records, at less cost than a first one.
pub fn another(config: SalesforceConfig, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Arc<SalesforceOrg> {
    first().another_with(config, clock, entropy)
}

/// A customer's org with its users and the people whom it knows already.
pub fn org(seed: u64, customer: &Customer, clock: &Arc<TrueClock>) -> Arc<SalesforceOrg> {
    let mut config = SalesforceConfig {
        pod: format!("sM{}", customer.number),
        rotate_refresh_tokens: customer.rotating,
        access_token_seconds: customer.token_seconds,
        daily_call_limit: 1_000_000,
        app: AppConfig {
            client_id: client_id(customer.number),
            client_secret: client_secret(customer.number),
            ..AppConfig::default()
        },
        ..SalesforceConfig::default()
    };
    for (host, first, is_active) in [(Host::Rosa, "Rosa", true), (Host::Ben, "Ben", true), (Host::Gone, "Gone", false)]
    {
        config.users.push(UserConfig {
            username: host.email().to_owned(),
            email: host.email().to_owned(),
            first_name: first.to_owned(),
            last_name: "Host".to_owned(),
            is_active,
            ..UserConfig::default()
        });
    }
    let entropy = Arc::new(Seeded::new(Dice::of(seed, "org", customer.number as u64)));
    let org = another(config, Arc::clone(clock) as Arc<dyn Clock>, entropy);
    for person in &customer.known {
        let person = &customer.people[*person];
        let contact = json!({"FirstName": person.first, "LastName": person.last, "Email": person.email});
        let Value::Object(contact): Value = contact else { continue };
        let made: Result<String, String> = org.seed("Contact", &Map::from_iter(contact));
        assert!(made.is_ok(), "{made:?}");
    }
    org
}

/// What a person does who connects the account in the browser, before the first booking or once the grant was lost.
pub async fn connect(store: &Store, customer: &Customer, org: &SalesforceOrg, clock: &TrueClock) {
    let (workspace, connection, base) = (customer.workspace(), Customer::crm(), customer.base());
    let known = store.ensure_connection(&workspace, &connection, "salesforce").await;
    assert!(known.is_ok(), "{known:?}");
    let refresh = org.credentials(&base)["refresh_token"].as_str().map(str::to_owned);
    let tokens = StoredTokens {
        access: "none-yet".to_owned(),
        refresh: refresh.filter(|_| customer.rotating),
        base_url: base,
        expires_at: clock.now().checked_sub(SignedDuration::from_hours(1)).ok(),
        account: None,
    };
    let stored = store.store_tokens(&workspace, &connection, &tokens, None).await;
    assert!(stored.is_ok(), "{stored:?}");
}
