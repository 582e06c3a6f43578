//! Templates as people write them: settings of a meeting type in TOML, laid over the configured ones. Which keys a
//! template may have depends on its kind.

use anyhow::{Context, bail};
use syncline_core::booking::{mapping::Target, settings::BookingSettings};

use super::{
    booking::{IntegrationConfig, overlay, settings},
    place::{FoundBy, Refused, placed},
};

/// The longest template.
pub const TEMPLATE_MAX: usize = 64 * 1024;

/// What a template is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TemplateKind {
    /// The event, and what a booking makes beside it: case, opportunity, further records.
    Event,
    /// The people: whom a booking finds or makes, and what is written to them.
    Attendee,
}

impl TemplateKind {
    pub const ALL: [TemplateKind; 2] = [TemplateKind::Event, TemplateKind::Attendee];

    /// The word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            TemplateKind::Event => "event",
            TemplateKind::Attendee => "attendee",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The keys of `[integrations.defaults]` that a template of this kind may have.
    fn keys(self) -> &'static [&'static str] {
        match self {
            TemplateKind::Event => &[
                "about",
                "cancel",
                "case",
                "co_hosts",
                "deleted",
                "language",
                "mapping",
                "opportunity",
                "record",
                "status",
            ],
            TemplateKind::Attendee => &[
                "company_answer",
                "create_account",
                "create_person",
                "duplicates",
                "guests",
                "lead_status",
                "mapping",
                "match_order",
                "open_lead",
                "person",
            ],
        }
    }

    fn maps(self, target: Target) -> bool {
        let is_event = matches!(target, Target::Meeting | Target::Case | Target::Opportunity);
        is_event == (self == TemplateKind::Event)
    }

    /// The template to start from: what holds where none is in force.
    pub fn built_in(self) -> &'static str {
        match self {
            TemplateKind::Event => include_str!("templates/event.toml"),
            TemplateKind::Attendee => include_str!("templates/attendee.toml"),
        }
    }
}

/// Reads a template and checks it by itself. The error names line, reason and an example.
pub fn check(kind: TemplateKind, source: &str) -> anyhow::Result<()> {
    let table = read(kind, source)?;
    let made = settings(table).map_err(|error| placed(error, source))?;
    judged(kind, &made).map_err(|error| placed(error, source))
}

fn read(kind: TemplateKind, source: &str) -> anyhow::Result<toml::Table> {
    if source.len() > TEMPLATE_MAX {
        bail!("a template has at most {TEMPLATE_MAX} bytes");
    }
    let table: toml::Table = toml::from_str(source).map_err(|error| anyhow::anyhow!("{error}"))?;
    if let Some(other) = table.keys().find(|key| !kind.keys().contains(&key.as_str())) {
        bail!(
            "`{other}` is nothing that an {} template can say; it can say: {}",
            kind.as_str(),
            kind.keys().join(", ")
        );
    }
    Ok(table)
}

fn judged(kind: TemplateKind, made: &BookingSettings) -> anyhow::Result<()> {
    if let Some(other) = made.mappings.iter().find(|mapping| !kind.maps(mapping.on)) {
        let (on, name) = (other.on.as_str(), &other.name);
        let other = TemplateKind::ALL.into_iter().find(|other| *other != kind).map_or("", TemplateKind::as_str);
        let reason = format!("`{on}.{name}` belongs into an {other} template");
        return Err(Refused { found_by: FoundBy::Entry(format!("{on}.{name}")), reason }.into());
    }
    Ok(())
}

impl IntegrationConfig {
    /// The settings of a meeting type, by key and then by name, with templates laid over them. Mappings are joined: a
    /// template's value for a field goes before the configured one.
    pub fn settings_with(
        &self,
        meeting_type: &str,
        name: &str,
        templates: &[(TemplateKind, &str)],
    ) -> anyhow::Result<BookingSettings> {
        let mut table = self.defaults.clone();
        let own = [meeting_type, name]
            .into_iter()
            .find_map(|wanted| self.meeting_types.iter().find(|meeting_type| meeting_type.matches == wanted));
        if let Some(own) = own {
            overlay(&mut table, &own.settings);
        }
        for (kind, source) in templates {
            let mut over = read(*kind, source).with_context(|| format!("in the {} template", kind.as_str()))?;
            for list in ["mapping", "record"] {
                join(&table, &mut over, list);
            }
            overlay(&mut table, &over);
        }
        let made = settings(table);
        made.map_err(|error| templates.iter().fold(error, |error, (_, source)| placed(error, source)))
    }
}

/// Puts those of the lower entries behind the upper ones that are about something else.
fn join(under: &toml::Table, over: &mut toml::Table, list: &str) {
    let (Some(toml::Value::Array(lower)), Some(toml::Value::Array(upper))) = (under.get(list), over.get_mut(list))
    else {
        return;
    };
    let about = |entry: &toml::Value| {
        ["on", "field", "name"].map(|key| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned))
    };
    let taken: Vec<_> = upper.iter().map(about).collect();
    upper.extend(lower.iter().filter(|entry| !taken.contains(&about(entry))).cloned());
}

#[cfg(test)]
mod tests {
    //! What templates may say, and how they lie over the configuration.

    use super::*;

    fn integration(text: &str) -> IntegrationConfig {
        toml::from_str(&format!("name = \"flow\"\ncrm = \"crm\"\n{text}")).expect("a configuration")
    }

    /// proves: B20
    #[test]
    fn the_built_in_templates_change_nothing() {
        let flow = integration("[defaults]\nguests = \"create\"\n");
        let plain = flow.default_settings().expect("settings");
        for kind in TemplateKind::ALL {
            check(kind, kind.built_in()).expect("it is right");
            let laid = flow.settings_with("intro", "Intro", &[(kind, kind.built_in())]).expect("settings");
            assert_eq!(laid, plain, "{kind:?}");
        }
    }

    /// proves: B20: refused with line, reason and an example.
    #[test]
    fn what_cannot_be_used_is_refused_with_words() {
        let refused = |kind, source: &str| format!("{:#}", check(kind, source).expect_err("it is refused"));
        let misspelt = "\n[[mapping]]\non = \"meeting\"\nfield = \"Subject\"\nvalue = \"{{ booking.titel }}\"\n";
        let said = refused(TemplateKind::Event, misspelt);
        for part in ["line 5, column 13: ", "meeting.Subject", "titel", "{{ booking.title }}"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(
            refused(TemplateKind::Event, "guests = \"create\"").contains("`guests` is nothing that an event template")
        );
        assert!(
            refused(TemplateKind::Attendee, "gues").contains("line 1"),
            "{}",
            refused(TemplateKind::Attendee, "gues")
        );
        let contact = "[[mapping]]\non = \"contact\"\nfield = \"Title\"\nvalue = \"x\"\n";
        let elsewhere = refused(TemplateKind::Event, contact);
        assert!(elsewhere.starts_with("line 3, column 9: ") && elsewhere.contains("belongs into an attendee template"));
        let twice = refused(TemplateKind::Attendee, &contact.repeat(2));
        assert!(twice.starts_with("line 7, column 9: contact.Title: it is mapped twice"), "{twice}");
        let long = "[[mapping]]\non = \"meeting\"\nfield = \"Subject\"\nvalue = \"\"\"\nDear {{ invitee.name }},\n\n  {{ booking.titel }}\"\"\"\n";
        let said = refused(TemplateKind::Event, long);
        assert!(said.starts_with("line 7, column 6: the value of `meeting.Subject`"), "{said}");
        assert!(check(TemplateKind::Attendee, contact).is_ok());
        assert!(refused(TemplateKind::Event, &"#".repeat(TEMPLATE_MAX + 1)).contains("at most"));
    }

    /// proves: B20: a template lies over the meeting type's settings, value by value.
    #[test]
    fn a_template_lies_over_the_configuration() {
        let flow = integration(
            "[defaults]\nguests = \"match_only\"\n[[defaults.mapping]]\non = \"contact\"\nfield = \"Title\"\nvalue = \"a\"\n\
             [[defaults.mapping]]\non = \"contact\"\nfield = \"Fax\"\nvalue = \"b\"\n\
             [[meeting_types]]\nmatch = \"intro\"\nguests = \"ignore\"\n",
        );
        let template = "guests = \"create\"\n[[mapping]]\non = \"contact\"\nfield = \"Title\"\nvalue = \"c\"\n";
        let made = flow.settings_with("intro", "Intro", &[(TemplateKind::Attendee, template)]).expect("settings");
        assert_eq!(made.guests, syncline_core::booking::settings::GuestPolicy::Create);
        let mapped: Vec<_> =
            made.mappings.iter().map(|mapping| (mapping.name.as_str(), mapping.value.constant())).collect();
        assert_eq!(mapped.len(), 2, "{mapped:?}");
        assert_eq!(mapped[0].0, "Title");
        assert_ne!(mapped[0].1, mapped[1].1);
    }
}
