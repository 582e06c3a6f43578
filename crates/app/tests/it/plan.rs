//! What a changed configuration file means, as an operator sees it: planned, checked with the accounts, applied, in use.

use std::{
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use serde_json::Value;
use syncline_sandbox::{BrevoAccount, BrevoConfig};

use crate::lab::{ADMIN_TOKEN, Installation, Sandbox, WallClock, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

const RECORDS: &str = "[[records]]\nname = \"people\"\nleft = \"salesforce\"\nright = \"brevo\"\n[[records.pairs]]\n\
    name = \"contacts\"\nleft = \"Contact\"\nright = \"contact\"\n[[records.pairs.fields]]\nleft = \"Email\"\n\
    right = \"EMAIL\"\n[[records.pairs.fields]]\nleft = \"FirstName\"\nright = \"FIRSTNAME\"\n";

fn run(installation: &Installation, arguments: &[&str]) -> (i32, String, String) {
    let config = installation.folder.join("syncline.toml");
    let out: Output = Command::new(BINARY).args(arguments).arg("--config").arg(config).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().expect("it ended by itself"), text(&out.stdout), text(&out.stderr))
}

fn append(installation: &Installation, text: &str) {
    let path = installation.folder.join("syncline.toml");
    let config = std::fs::read_to_string(&path).expect("a configuration");
    std::fs::write(path, format!("{config}\n{text}")).expect("a configuration");
}

/// A file is planned before there is a database, a mapping that cannot work is refused as `check` refuses it and leaves
/// everything as it was, what is applied changes nothing any more, what a server starts with is what counts from then on, and
/// all of it stands in the activity log without any value.
///
/// proves: O4
#[test]
fn a_changed_file_is_planned_checked_and_applied() {
    let sandbox = Sandbox::start();
    let brevo = BrevoAccount::new(BrevoConfig::default(), Arc::new(WallClock));
    let url = sandbox.beside(&brevo);
    let key = brevo.credentials("")["api_key"].as_str().expect("a key").to_owned();
    let more = format!(
        "[[connections]]\nname = \"brevo\"\nvendor = \"brevo\"\ngrant = \"key\"\napi_key = \"file:brevo.key\"\nurl = \"{url}/v3\"\n"
    );
    let installation = Installation::new("plan", &sandbox, "sqlite:syncline.db", &more);
    installation.open_network(&url);
    secret(&installation.folder, "brevo.key", &key);

    let (code, shown, _) = run(&installation, &["plan"]);
    assert_eq!(code, 2, "{shown}");
    assert!(shown.starts_with("Nothing was applied and no server was started yet"), "{shown}");
    assert!(shown.contains("\n+ connections brevo\n") && shown.contains("its key is used from the start"), "{shown}");
    assert!(!installation.folder.join("syncline.db").exists(), "a plan makes no database");
    assert!(installation.start(Path::new(BINARY), &["--workers", "0"]).terminate().success());
    let (code, shown, _) = run(&installation, &["plan"]);
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.starts_with("Compared with what the server was started with at ")
            && shown.ends_with("\nNothing changes.\n"),
        "{shown}"
    );

    // A row that cannot work.
    append(&installation, &RECORDS.replace("\"FirstName\"", "\"NoSuch__c\""));
    let (code, shown, _) = run(&installation, &["plan", "--json"]);
    let plan: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(
        (code, &plan["entries"]),
        (2, &serde_json::json!([{ "entry": ["records", "people"], "fate": "added" }]))
    );
    assert!(plan["follows"][0]["text"].as_str().is_some_and(|text| text.starts_with("it is a draft")), "{plan}");
    let (_, refused, _) = run(&installation, &["records", "check", "people"]);
    let (code, shown, error) = run(&installation, &["apply"]);
    assert_eq!(code, 1, "{shown}");
    assert!(error.contains("nothing was applied: 1 of these cannot work"), "{error}");
    let line = refused.lines().next().expect("a line").to_owned();
    assert!(line.contains("NoSuch__c") && shown.contains(&format!("✗ records people: {line}")), "{line} / {shown}");
    assert_eq!(run(&installation, &["plan"]).0, 2, "nothing was kept");

    installation.rewrite("\"NoSuch__c\"", "\"FirstName\"");
    let (code, shown, error) = run(&installation, &["apply", "--json"]);
    let applied: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!((code, &applied["applied"]), (0, &Value::Bool(true)), "{shown}{error}");
    let (code, shown, _) = run(&installation, &["plan"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("No server was started with that yet"), "{shown}");
    assert!(run(&installation, &["apply"]).1.ends_with("Nothing changes.\n"));

    let (code, _, error) = run(&installation, &["records", "activate", "people", "--agreed-by", "Ada"]);
    assert_eq!(code, 0, "{error}");
    installation.rewrite("\"FIRSTNAME\"", "\"LASTNAME\"");
    let (code, shown, _) = run(&installation, &["plan"]);
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("+ pairs › contacts › fields › FirstName ↔ LASTNAME › right: \"LASTNAME\""), "{shown}");
    assert!(shown.contains("are read again with its next round"), "{shown}");
    assert!(installation.start(Path::new(BINARY), &["--workers", "0"]).terminate().success());
    assert_eq!(run(&installation, &["plan"]).0, 0);

    let config = std::fs::read_to_string(installation.folder.join("syncline.toml")).expect("a configuration");
    let without = config.split_once("[[records]]").expect("it stands there").0;
    std::fs::write(installation.folder.join("syncline.toml"), without).expect("a configuration");
    let (_, shown, _) = run(&installation, &["plan"]);
    assert!(shown.contains("\n- records people\n") && shown.contains("would go on as it stands, active"), "{shown}");

    let (_, told, _) = run(&installation, &["activity", "--json"]);
    let applied = "The settings of the configuration file were applied: 1 added, 0 changed, 0 removed";
    let started = "The server was started with other settings than before: 0 added, 1 changed, 0 removed";
    for text in [applied, started] {
        assert_eq!(told.matches(text).count(), 1, "`{text}` once in {told}");
    }
    assert!(told.contains("\"records people added\"") && !told.contains("FIRSTNAME"), "{told}");
    let all = std::fs::read(installation.folder.join("syncline.db")).expect("a database");
    let holds = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds(ADMIN_TOKEN) && !holds(&key), "no secret of the file is in the database");
}
