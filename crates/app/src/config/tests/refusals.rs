//! What `syncline serve` refuses to start with: each time with the place, the reason and the fix, and before it has
//! opened or changed anything.

use std::{
    fs,
    path::{Path, PathBuf},
};

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{commands::serve::Running, config::Config, wiring::Installation};

/// The connection, source and integration of every case; `{…}` marks are replaced by the cases.
const WHOLE: &str = r#"
database = "sqlite:test.db"
[server]
listen = "127.0.0.1:0"
admin_token = "file:admin.key"
[[connections]]
name = "crm"
vendor = "salesforce"
client_id = "an-app"
[[sources]]
name = "calcom"
vendor = "calcom"
integration = "bookings"
secrets = ["file:calcom.key"]
[[integrations]]
name = "bookings"
crm = "crm"
"#;

/// Bytes that could be random.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A folder with keys, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("syncline-refusals-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        let folder = Self(path);
        folder.key("syncline.key", KEY, 0o600);
        folder.key("admin.key", "a token that is long enough", 0o600);
        folder.key("calcom.key", "a secret that is long enough", 0o600);
        folder
    }

    fn key(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a key can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&path, mode).expect("its mode can be set");
    }

    fn has_database(&self) -> bool {
        fs::read_dir(&self.0)
            .expect("the folder is there")
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|e| e != "key"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it does no harm.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What `syncline serve` does with a configuration before it listens.
async fn start(text: &str, folder: &Path) -> anyhow::Result<Running> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let installation = Installation::of(Config::parse(text)?, folder.to_owned())?;
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    Running::start(installation, metrics, None).await
}

async fn refused(folder: &Folder, text: &str, says: &[&str]) {
    let Err(error) = start(text, &folder.0).await else { panic!("it started with:\n{text}") };
    let error = format!("{error:#}");
    for part in says {
        assert!(error.contains(part), "`{part}` is missing in: {error}");
    }
    assert!(!folder.has_database(), "nothing is touched before: {error}");
}

/// The whole configuration with one part replaced.
fn with(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    WHOLE.replacen(from, to, 1)
}

/// The other cases prove nothing if this one does not start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_these_cases_starts() {
    let folder = Folder::new("whole");
    let running = start(WHOLE, &folder.0).await.expect("it starts");
    running.stop().await.expect("it stops");
    assert!(folder.has_database());
}

/// proves: sec:S56
#[tokio::test]
async fn unknown_keys_are_refused_at_every_level() {
    let folder = Folder::new("unknown");
    let levels = [
        ("database =", "nonsense = 1\ndatabase ="),
        ("[server]\n", "[nonsense]\n[server]\n"),
        ("[server]\n", "[server]\nnonsense = 1\n"),
        ("[server]\n", "[vault]\nnonsense = 1\n[server]\n"),
        ("[server]\n", "[engine]\nnonsense = 1\n[server]\n"),
        ("[server]\n", "[network]\nnonsense = 1\n[server]\n"),
        ("[server]\n", "[telemetry]\nnonsense = 1\n[server]\n"),
        ("client_id", "nonsense = 1\nclient_id"),
        ("integration =", "nonsense = 1\nintegration ="),
        ("[[integrations]]", "[sources.api]\nnonsense = 1\n[[integrations]]"),
        ("crm = \"crm\"", "crm = \"crm\"\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[integrations.defaults]\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[integrations.defaults.cancel]\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[integrations.defaults.status]\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[integrations.defaults.case]\nstatus = \"New\"\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[integrations.defaults.opportunity]\nstage = \"New\"\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[[integrations.meeting_types]]\nmatch = \"x\"\nnonsense = 1"),
        ("crm = \"crm\"", "crm = \"crm\"\n[[integrations.meeting_types]]\nmatch = \"x\"\ncancel = { nonsense = 1 }"),
    ];
    for (from, to) in levels {
        refused(&folder, &with(from, to), &["unknown field `nonsense`", "expected"]).await;
    }
    let setting = with("client_id", "settings = { nonsense = \"1\" }\nclient_id");
    refused(&folder, &setting, &["connection `crm`", "no setting `nonsense`", "login_host"]).await;
}

/// proves: sec:S11
#[tokio::test]
async fn a_key_that_is_missing_or_too_short_is_refused() {
    let folder = Folder::new("keys");
    fs::remove_file(folder.0.join("syncline.key")).expect("it is there");
    refused(&folder, WHOLE, &["syncline.key", "is not there", "`syncline init` makes one"]).await;
    for weak in ["short", &"0f".repeat(31), &"0f".repeat(33), "bm90IDMyIGJ5dGVz"] {
        folder.key("syncline.key", weak, 0o600);
        refused(&folder, WHOLE, &["syncline.key", "must be 32 bytes", "`syncline init` makes one"]).await;
    }
    folder.key("syncline.key", &"0f".repeat(32), 0o600);
    refused(&folder, WHOLE, &["syncline.key", "repeats a single byte", "`syncline init` makes one"]).await;
    folder.key("syncline.key", "", 0o600);
    refused(&folder, WHOLE, &["syncline.key", "is empty"]).await;
    let unset = with("[server]\n", "[vault]\nkey = \"env:SYNCLINE_TEST_THAT_NOBODY_SETS\"\n[server]\n");
    refused(&folder, &unset, &["SYNCLINE_TEST_THAT_NOBODY_SETS is not set", "set it"]).await;
}

/// proves: sec:S56
#[tokio::test]
async fn secrets_that_are_missing_short_or_readable_by_others_are_refused() {
    let folder = Folder::new("secrets");
    let none = with("admin_token = \"file:admin.key\"\n", "");
    refused(&folder, &none, &["[server] admin_token is missing", "openssl rand -hex 32"]).await;
    let unsigned = with("secrets = [\"file:calcom.key\"]\n", "");
    refused(&folder, &unsigned, &["source `calcom`", "signs its webhooks", "under `secrets`"]).await;
    for inline in ["a secret in plain sight", "env:", "file:"] {
        let text = with("\"file:admin.key\"", &format!("\"{inline}\""));
        refused(&folder, &text, &["line 5", "never written here", "env:NAME"]).await;
    }
    for (file, place) in [("admin.key", "admin_token"), ("calcom.key", "source `calcom`")] {
        folder.key(file, "too short", 0o600);
        refused(&folder, WHOLE, &[place, "shorter than 16 characters", "openssl rand -hex 32"]).await;
        for mode in [0o644, 0o640, 0o604, 0o620] {
            folder.key(file, "a secret that is long enough", mode);
            refused(&folder, WHOLE, &[place, "others may read", "chmod 600"]).await;
        }
        folder.key(file, "a secret that is long enough", 0o600);
    }
    folder.key("syncline.key", KEY, 0o644);
    refused(&folder, WHOLE, &["syncline.key", "others may read", "chmod 600"]).await;
}

#[tokio::test]
async fn addresses_that_are_no_origins_are_refused() {
    let folder = Folder::new("origins");
    let bad = [
        "127.0.0.1:9000",
        "ftp://crm.example",
        "http://crm.example/path",
        "http://me:pw@crm.example",
        "http://crm.example?x=1",
        "",
    ];
    for origin in bad {
        let text = with("[server]\n", &format!("[network]\nallow = [\"{origin}\"]\n[server]\n"));
        refused(&folder, &text, &["[network] `allow`", "no origin", "http://127.0.0.1:9000"]).await;
    }
    for url in ["ftp://x.example", "https://me:pw@x.example", "https://x.example?x=1", "mailto:me@x.example"] {
        let text = with("[server]\n", &format!("[server]\npublic_url = \"{url}\"\n"));
        refused(&folder, &text, &["[server] `public_url`", "http or https", "https://syncline.example.com"]).await;
        let text = with("[server]\n", &format!("[telemetry]\notlp = \"{url}\"\n[server]\n"));
        refused(&folder, &text, &["[telemetry] `otlp`", "http or https"]).await;
    }
}

#[tokio::test]
async fn numbers_beyond_their_limits_are_refused() {
    let folder = Folder::new("numbers");
    let short = with("[server]\n", "[engine]\ncall_seconds = 60\nlease_seconds = 179\n[server]\n");
    refused(&folder, &short, &["`engine.lease_seconds`", "at least 3 × `engine.call_seconds`", "may still arrive"])
        .await;
    let numbers = [
        ("workers", 257),
        ("batch", 0),
        ("batch", 5001),
        ("calls_in_flight", 0),
        ("max_attempts", 0),
        ("call_seconds", 0),
        ("call_seconds", 601),
        ("lease_seconds", 2),
        ("lease_seconds", 3601),
        ("keep_bodies_days", 0),
        ("keep_activity_days", 3651),
    ];
    for (key, number) in numbers {
        let text = with("[server]\n", &format!("[engine]\n{key} = {number}\n[server]\n"));
        refused(&folder, &text, &[&format!("[engine] `{key}` is {number}"), "write a number from"]).await;
    }
    for share in ["0.0", "1.5", "nan"] {
        let text = with("client_id", &format!("budget_share = {share}\nclient_id"));
        refused(&folder, &text, &["connection `crm`", "`budget_share`", "such as 0.8"]).await;
    }
}

#[tokio::test]
async fn names_that_clash_or_lead_nowhere_are_refused() {
    let folder = Folder::new("names");
    refused(&folder, &with("name = \"calcom\"", "name = \"crm\""), &["called `crm`", "used once"]).await;
    let twice = format!("{WHOLE}\n[[integrations]]\nname = \"bookings\"\ncrm = \"crm\"\n");
    refused(&folder, &twice, &["two integrations are called `bookings`", "used once"]).await;
    let types = format!(
        "{WHOLE}\n[[integrations.meeting_types]]\nmatch = \"x\"\n[[integrations.meeting_types]]\nmatch = \"x\"\n"
    );
    refused(&folder, &types, &["integration `bookings`", "meeting type `x` stands twice"]).await;
    for name in ["name = \"calcom\"", "name = \"bookings\""] {
        refused(&folder, &with(name, "name = \"Not/A name\""), &["`Not/A name`", "lower-case letters"]).await;
    }
    refused(&folder, &with("[server]", "workspace = \"\"\n[server]"), &["`workspace`", "lower-case letters"]).await;
    refused(&folder, &with("crm = \"crm\"", "crm = \"gone\""), &["integration `bookings`", "`gone`", "correct `crm`"])
        .await;
    refused(
        &folder,
        &with("integration = \"bookings\"", "integration = \"gone\""),
        &["source `calcom`", "`gone`", "correct `integration`"],
    )
    .await;
    refused(
        &folder,
        &with("vendor = \"calcom\"", "vendor = \"gone\""),
        &["source `calcom`", "no vendor `gone`", "calendly"],
    )
    .await;
    refused(
        &folder,
        &with("vendor = \"salesforce\"", "vendor = \"gone\""),
        &["connection `crm`", "no vendor `gone`", "salesforce"],
    )
    .await;
    refused(
        &folder,
        &with("vendor = \"calcom\"", "vendor = \"salesforce\""),
        &["source `calcom`", "sends no bookings"],
    )
    .await;
}

/// Calendars are read where there are some, and written to what keeps meetings.
///
/// proves: C1
#[tokio::test]
async fn calendars_at_accounts_without_such_are_refused() {
    let folder = Folder::new("calendars");
    let whole = |crm: &str, calendar: &str| {
        format!(
            "{WHOLE}\n[[connections]]\nname = \"anna\"\nvendor = \"google\"\nclient_id = \"an-app\"\n\
             [[calendars]]\nname = \"meetings\"\ncrm = \"{crm}\"\n\
             [[calendars.people]]\nowner = \"anna@acme.example\"\nconnection = \"{calendar}\"\n"
        )
    };
    let reads = ["integration `meetings`", "connection `crm` shows no calendars", "for `anna@acme.example`"];
    refused(&folder, &whole("crm", "crm"), &reads).await;
    refused(&folder, &whole("anna", "anna"), &["integration `meetings`", "keeps no meetings", "under `crm`"]).await;
    let config = Config::parse(&whole("crm", "anna")).expect("it is right");
    let installation = Installation::of(config, folder.0.clone()).expect("it works");
    let setup = installation.setup(&installation.public_url().expect("an address")).expect("it is right");
    let flow = setup.calendars.first().expect("there is one");
    assert_eq!((flow.id.as_str(), flow.crm.as_str(), flow.sweep_every.as_hours()), ("meetings", "crm", 168));
    let calendar = flow.calendars.first().expect("there is one");
    assert_eq!((calendar.owner.as_str(), calendar.name.as_str()), ("anna@acme.example", "anna"));
    assert!(calendar.calendar.is_none() && calendar.every.as_secs() >= 60, "as its vendor bears it: {calendar:?}");
}

/// Vendors that can are asked to tell of changes at a public https address, at another only where that is wanted, and nowhere
/// where it is not; CalDAV servers tell nothing.
///
/// proves: C10, sec:S26
#[tokio::test]
async fn calendars_are_told_of_changes_at_a_public_address() {
    let folder = Folder::new("told");
    folder.key("dav.key", "anna:secret", 0o600);
    let whole = |public: &str, push: &str| {
        let server = WHOLE.replacen("[server]\n", &format!("[server]\n{public}\n"), 1);
        format!(
            "{server}\n[[connections]]\nname = \"anna\"\nvendor = \"google\"\nclient_id = \"an-app\"\n\
             [[connections]]\nname = \"ben\"\nvendor = \"caldav\"\ngrant = \"key\"\napi_key = \"file:dav.key\"\n\
             url = \"https://dav.example\"\n\
             [[calendars]]\nname = \"meetings\"\ncrm = \"crm\"\n{push}\n\
             [[calendars.people]]\nowner = \"anna@acme.example\"\nconnection = \"anna\"\n\
             [[calendars.people]]\nowner = \"ben@acme.example\"\nconnection = \"ben\"\n"
        )
    };
    let told = |public: &str, push: &str| {
        let config = Config::parse(&whole(public, push)).expect("it is right");
        let installation = Installation::of(config, folder.0.clone()).expect("it works");
        let public = installation.public_url().expect("an address");
        let known: Vec<String> =
            installation.hints(&public).expect("it works").into_iter().map(|hint| hint.url).collect();
        let setup = installation.setup(&public).expect("it is right");
        let hooks: Vec<Option<url::Url>> = setup.calendars[0].calendars.iter().map(|one| one.hook.clone()).collect();
        assert_eq!(hooks[1], None, "a CalDAV server tells nothing");
        let hook = hooks[0].as_ref().map(url::Url::to_string);
        assert!(hook.iter().all(|hook| known.contains(hook)), "the server listens there: {hook:?} {known:?}");
        hook.is_some()
    };
    let (https, http) = ("public_url = \"https://sync.example.com\"", "public_url = \"http://sync.internal:8717\"");
    assert_eq!([told(https, ""), told(https, "push = true"), told(https, "push = false")], [true, true, false]);
    assert_eq!([told(http, ""), told(http, "push = true"), told(http, "push = false")], [false, true, false]);
    assert_eq!([told("", ""), told("", "push = false")], [false, false]);
    refused(&folder, &whole("", "push = true"), &["integration `meetings`", "`push` needs", "public_url"]).await;
}

/// While the master key is being changed, webhooks to the addresses that were made under the old one still arrive.
#[test]
fn addresses_under_an_old_key_stay_good_until_it_is_taken_out() {
    let folder = Folder::new("rotation");
    let before = Installation::of(Config::parse(WHOLE).expect("it is right"), folder.0.clone()).expect("it works");
    let new: String = KEY.chars().rev().collect();
    folder.key("syncline-2.key", &new, 0o600);
    let during =
        with("[server]\n", "[vault]\nkey = \"file:syncline-2.key\"\nold_keys = [\"file:syncline.key\"]\n[server]\n");
    let during = Installation::of(Config::parse(&during).expect("it is right"), folder.0.clone()).expect("it works");
    let keys: Vec<String> =
        during.sources().expect("they are right").into_iter().map(|source| source.path_key).collect();
    assert_eq!(
        keys,
        [during.path_key("calcom"), before.path_key("calcom")],
        "the new address is the one that is shown"
    );
    let after = with("[server]\n", "[vault]\nkey = \"file:syncline-2.key\"\n[server]\n");
    let after = Installation::of(Config::parse(&after).expect("it is right"), folder.0.clone()).expect("it works");
    let keys: Vec<String> =
        after.sources().expect("they are right").into_iter().map(|source| source.path_key).collect();
    assert_eq!(keys, [during.path_key("calcom")]);
}

#[tokio::test]
async fn grants_that_lack_something_are_refused() {
    let folder = Folder::new("grants");
    let jwt = with("client_id", "grant = \"jwt\"\nclient_id");
    refused(&folder, &jwt, &["connection `crm`", "give `username` and `private_key`"]).await;
    let client = with("client_id", "grant = \"client_credentials\"\nclient_id");
    refused(&folder, &client, &["connection `crm`", "give `client_secret`"]).await;
    let absent = with("client_id", "client_secret = \"file:absent.key\"\nclient_id");
    refused(&folder, &absent, &["connection `crm`", "absent.key is not there"]).await;
}

/// A source's API: its rhythm, its address, its key, its settings.
#[tokio::test]
async fn an_api_that_cannot_be_asked_is_refused() {
    let folder = Folder::new("api");
    folder.key("api.key", "cal_0123456789", 0o600);
    let api = |more: &str| {
        with("secrets = [\"file:calcom.key\"]\n", &format!("secrets = [\"file:calcom.key\"]\n[sources.api]\n{more}\n"))
    };
    let token = "token = \"file:api.key\"";
    for poll in ["5", "5 m", "m", "-5m", "99999999999999999999h"] {
        let text = api(&format!("{token}\npoll = \"{poll}\""));
        refused(&folder, &text, &["[sources.api] of source `calcom`", "`poll` cannot be", "such as \"5m\""]).await;
    }
    for poll in ["0m", "59s", "25h"] {
        let text = api(&format!("{token}\npoll = \"{poll}\""));
        refused(&folder, &text, &["source `calcom`", "from \"1m\" to \"24h\""]).await;
    }
    refused(&folder, &api(&format!("{token}\nsince = \"yesterday\"")), &["`since` cannot be", "2026-11-01T00:00:00Z"])
        .await;
    refused(&folder, &api(&format!("{token}\nurl = \"https://me:pw@cal.example\"")), &["`url`", "without credentials"])
        .await;
    refused(&folder, &api("token = \"file:absent.key\""), &["source `calcom`", "absent.key is not there"]).await;
    refused(&folder, &api("poll = \"5m\""), &["missing field `token`"]).await;
    let setting = api(&format!("{token}\nsettings = {{ nonsense = \"1\" }}"));
    refused(&folder, &setting, &["source `calcom`", "no setting `nonsense`", "booker_url"]).await;
    let meetergo = api(token).replacen("vendor = \"calcom\"", "vendor = \"meetergo\"", 1);
    refused(&folder, &meetergo, &["source `calcom`", "cannot be asked", "leave `api` out"]).await;
}

#[test]
fn a_source_with_an_api_is_asked_and_its_webhook_looked_after() {
    let folder = Folder::new("asked");
    folder.key("api.key", "cal_0123456789", 0o600);
    let text = with("[server]\n", "[server]\npublic_url = \"https://syncline.example.com\"\n").replacen(
        "secrets = [\"file:calcom.key\"]\n",
        "secrets = [\"file:calcom.key\"]\n[sources.api]\ntoken = \"file:api.key\"\npoll = \"90s\"\nurl = \"https://cal.example/api\"\n",
        1,
    );
    let polled = |text: &str| {
        let installation =
            Installation::of(Config::parse(text).expect("it is right"), folder.0.clone()).expect("it works");
        let public = installation.public_url().expect("an address");
        let shown = installation.webhook_url(&public, "calcom");
        (installation.setup(&public).expect("it is right").polled, shown)
    };
    let (sources, shown) = polled(&text);
    assert_eq!(sources.len(), 1);
    assert_eq!((sources[0].every.as_secs(), sources[0].base_url.as_str()), (90, "https://cal.example/api"));
    assert_eq!(sources[0].hook.as_ref().map(|hook| hook.url.as_str()), Some(shown.as_str()));
    let (sources, _) = polled(&text.replacen("poll =", "webhook = false\npoll =", 1));
    assert!(sources[0].hook.is_none());
    // An address that only this machine knows is of no use to a vendor.
    let (sources, _) = polled(&text.replacen("public_url = \"https://syncline.example.com\"\n", "", 1));
    assert!(sources[0].hook.is_none());
}

/// A value that does not compile is refused with its place, line, reason and an example. proves: B20, B13
#[test]
fn mappings_are_compiled_as_they_are_read() {
    let refused = |lines: &str| {
        let text =
            format!("{WHOLE}\n[[integrations.defaults.mapping]]\non = \"contact\"\nfield = \"Industry\"\n{lines}\n");
        format!("{:#}", Config::parse(&text).expect_err("it is refused"))
    };
    let misspelt = refused("value = \"{{ booking.titel }}\"");
    // As the person sees it in the file: the value stands behind `value = "`, its fault three letters behind that.
    let line = WHOLE.matches('\n').count() + 5;
    let place = format!("line {line}, column 13: ");
    for part in [&place, "contact.Industry", "no `titel`", "{{ booking.title }}"] {
        assert!(misspelt.contains(part), "{misspelt}");
    }
    let twice = refused(
        "value = \"a\"\n[[integrations.defaults.mapping]]\non = \"contact\"\nfield = \"Industry\"\nvalue = \"b\"",
    );
    assert!(twice.contains("mapped twice"), "{twice}");
    assert!(refused("value = \"answer('Company')\"").contains("put it in double braces"));
    assert!(
        refused("value = \"a\"\n[[integrations.defaults.record]]\nname = \"log\"\nobject = \"Log\\\"__c\"")
            .contains("no API name")
    );
}
