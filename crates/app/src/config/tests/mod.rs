//! What a configuration file is refused for, and what it says then.

mod calendars;
mod fuzzed;
mod marks;
mod reference;
mod refusals;
mod relations;
mod told;

pub(super) use reference::{EntryTypes, MatchOrder};

use syncline_core::booking::settings::{Language, PersonMode};

use super::{Config, EXAMPLE};

fn refused(text: &str) -> String {
    format!("{:#}", Config::parse(text).expect_err("must be refused"))
}

/// The annotated default file is current.
#[test]
fn the_example_is_accepted() {
    let config = Config::parse(EXAMPLE).expect("the example works");
    assert_eq!(config.connections[0].vendor, "salesforce");
    let types = config.integrations[0].meeting_type_settings().expect("they are right");
    assert!(types["support"].case.is_some() && types["support"].opportunity.is_none());
    assert!(types["support"].cancel.show_as_free, "defaults reach every meeting type");
    // What stands there as a comment works as well.
    let whole: String = EXAMPLE.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    let calendars = whole.split_once("[[connections]]\nname = \"anna\"").expect("an example of calendars").1;
    let calendars = format!("{EXAMPLE}[[connections]]\nname = \"anna\"{}", calendars.replace("\n#\n", "\n"));
    assert_eq!(Config::parse(&calendars).expect("it works").calendars[0].people[0].name(), "anna");
}

#[test]
fn defaults_start_a_server() {
    let config = Config::parse("").expect("an empty file works");
    assert_eq!(config.database, "sqlite:syncline.db");
    assert!(config.server.listen.ip().is_loopback());
}

/// proves: sec:S56
#[test]
fn errors_name_the_line_the_reason_and_the_fix() {
    let unknown = refused("database = \"sqlite:x\"\nlisten = 3\n");
    assert!(unknown.contains("line 2") && unknown.contains("unknown field `listen`"), "{unknown}");

    let inline = refused("[server]\nadmin_token = \"hunter2hunter2hunter2\"\n");
    assert!(inline.contains("line 2") && inline.contains("env:NAME"), "{inline}");
    assert!(!inline.contains("hunter2"), "the secret is not repeated: {inline}");

    let missing = refused("[[integrations]]\nname = \"b\"\ncrm = \"sf\"\n");
    assert!(missing.contains("no such [[connections]] entry"), "{missing}");

    let typo = refused(&format!("{EXAMPLE}\npersno = \"lead\"\n"));
    assert!(typo.contains("meeting type `sales-call`") && typo.contains("unknown field `persno`"), "{typo}");

    let fieldless = refused(
        "[[connections]]\nname=\"sf\"\nvendor=\"salesforce\"\nclient_id=\"x\"\n[[integrations]]\nname=\"b\"\ncrm=\"sf\"\n\
         [integrations.defaults.status]\ncancelled=\"Off\"\n",
    );
    assert!(fieldless.contains("no `field`"), "{fieldless}");
}

#[test]
fn a_language_brings_its_prefix() {
    let config = Config::parse(
        "[[connections]]\nname=\"sf\"\nvendor=\"salesforce\"\nclient_id=\"x\"\n[[integrations]]\nname=\"b\"\ncrm=\"sf\"\n\
         [integrations.defaults]\nlanguage=\"de\"\nperson=\"lead\"\n",
    )
    .expect("it is right");
    let settings = config.integrations[0].default_settings().expect("they are right");
    assert_eq!((settings.language, settings.person), (Language::German, PersonMode::Lead));
    assert_eq!(settings.cancel.prefix, "[STORNIERT] ");
}
