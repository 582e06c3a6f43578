//! Other people's web addresses at every place where an address decides who gets a token.

use serde_json::json;
use syncline_connect::{Grant, Secret, Settings, oauth::App, oauth::TokenCx};
use syncline_vendors::intake::text;
use url::Url;

use super::{strings, testdata};
use crate::world::{Always, at_once, connector, now};

/// Inputs of the URL standard's own tests, each alone and joined to its base, and the hostile strings.
fn addresses() -> Vec<String> {
    let mut all = Vec::new();
    for case in testdata("url.json").as_array().expect("a list") {
        let [input, base, href] = [&case[0], &case[1], &case[2]];
        all.push(input.as_str().expect("an input").to_owned());
        let joined =
            Url::parse(base.as_str().unwrap_or_default()).and_then(|base| base.join(all[all.len() - 1].as_str()));
        all.extend(joined.ok().map(String::from));
        all.extend(href.as_str().map(str::to_owned));
    }
    all.extend(strings("strings/xss.json"));
    all.extend(strings("strings/blns.json"));
    all.extend(strings("strings/crlf.json").iter().map(|text| format!("https://acme.my.salesforce.com{text}")));
    all
}

fn app() -> App {
    App {
        client_id: "client".to_owned(),
        client_secret: Some(Secret::new("secret")),
        redirect_uri: Url::parse("https://sync.example/oauth/callback/crm").ok(),
    }
}

/// The parser that all of the product shares reads addresses as browsers do: what it takes leads to where a browser
/// would go, and what the standard refuses is refused. (It refuses a few more. Of `file:` and of schemes without a host it
/// has its own idea; neither is ever called.)
///
/// proves: sec:S32
#[test]
fn addresses_are_read_as_the_standard_says() {
    let mut same = 0;
    for case in testdata("url.json").as_array().expect("a list") {
        let text = |at: usize| case[at].as_str();
        let base = text(1).filter(|base| !base.is_empty()).map(|base| Url::parse(base).expect("a base"));
        let Ok(found) = Url::options().base_url(base.as_ref()).parse(text(0).expect("an input")) else { continue };
        let expected = text(2).unwrap_or_else(|| panic!("taken, though the standard refuses it: {case}"));
        if matches!(found.scheme(), "http" | "https") || expected.starts_with("http") {
            assert_eq!(found.as_str(), expected, "{case}");
            same += 1;
        }
    }
    assert!(same > 200, "{same} addresses were compared");
}

/// No answer moves the token to a host that is not the vendor's.
///
/// proves: sec:S5
#[test]
fn no_address_of_an_answer_leads_elsewhere() {
    let (app, settings) = (app(), Settings::new());
    for address in addresses() {
        for instance in
            [address.clone(), format!("https://acme.my.salesforce.com{address}"), format!("{address}.salesforce.com")]
        {
            let body = json!({"access_token": "t", "token_type": "Bearer", "instance_url": instance}).to_string();
            let http = Always { status: 200, body: body.into() };
            let cx = TokenCx { http: &http, now: now(), app: &app, settings: &settings };
            let grant = Grant::Refresh { token: Secret::new("r") };
            let oauth = connector("salesforce").oauth().expect("it is connected by OAuth");
            if let Ok(tokens) = at_once(oauth.exchange(&cx, &grant)) {
                let host = tokens.base_url.host_str().unwrap_or_default();
                assert!(host.ends_with(".salesforce.com") || host.ends_with(".force.com"), "{instance:?} gave {host}");
                assert_eq!((tokens.base_url.scheme(), tokens.base_url.port()), ("https", None), "{instance:?}");
            }
        }
    }
}

/// No setting sends a person, and with them the consent, to a host that is not the vendor's.
///
/// proves: sec:S5
#[test]
fn no_login_host_leads_elsewhere() {
    let app = app();
    let oauth = connector("salesforce").oauth().expect("it is connected by OAuth");
    for address in addresses() {
        let settings = Settings::from([("login_host".to_owned(), address.clone())]);
        if let Ok(url) = oauth.authorize_url(&app, &settings, "state", "challenge") {
            let host = url.host_str().unwrap_or_default();
            let shared = ["login.salesforce.com", "test.salesforce.com"].contains(&host);
            assert!(shared || host.ends_with(".my.salesforce.com"), "{address:?} gave {host}");
            assert_eq!((url.scheme(), url.port()), ("https", None), "{address:?}");
        }
    }
}

/// What is kept of a link in a booking is an http or https address on one line, whoever wrote it.
///
/// proves: sec:S46, sec:S52
#[test]
fn no_link_runs_anything() {
    for address in addresses() {
        if let Some(link) = text::web_url(&address) {
            assert!(link.starts_with("http://") || link.starts_with("https://"), "{address:?} gave {link:?}");
            assert!(!link.contains(|c: char| c.is_control() || c.is_whitespace()), "{address:?} gave {link:?}");
            assert!(Url::parse(&link).is_ok_and(|url| url.has_host()), "{link:?}");
        }
    }
}
