//! Templates in force: what an admin activated is laid over the configured settings of a meeting type. What a template
//! says is the caller's ([`Templating`]); which version is in force is the database's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    booking::{chain::View, settings::BookingSettings},
    ids::{IntegrationId, WorkspaceId},
};
use syncline_store::ActiveTemplate;

use crate::{engine::Engine, setup::Integration};

/// How long it is believed which versions are in force, before the database is asked again: a change is effective
/// everywhere within this time.
const BELIEVED: SignedDuration = SignedDuration::from_secs(2);

/// Makes settings of configuration and templates.
pub trait Templating: Send + Sync {
    /// The settings of a meeting type (by key, then by name) with these templates laid over them; the error is a sentence.
    fn settings(
        &self,
        integration: &IntegrationId,
        meeting_type: &str,
        name: &str,
        templates: &[TemplateSource<'_>],
    ) -> Result<BookingSettings, String>;
}

/// A template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateSource<'a> {
    pub kind: &'a str,
    pub source: &'a str,
}

/// What is known of all workspaces.
#[derive(Default)]
pub(crate) struct Templates(Mutex<HashMap<WorkspaceId, Known>>);

#[derive(Default)]
struct Known {
    learned: Option<Timestamp>,
    revision: i64,
    active: Vec<ActiveTemplate>,
    /// By integration, key and name of the meeting type.
    settings: HashMap<(IntegrationId, String, String), Result<Effective, String>>,
}

/// The settings of a booking, and the versions that they come from.
#[derive(Clone)]
pub(crate) struct Effective {
    pub(crate) settings: Arc<BookingSettings>,
    /// As people read it; absent where no template is in force.
    pub(crate) templates: Option<String>,
}

/// Meeting types whose settings are kept made; at the limit all are made anew.
const KEPT_MAX: usize = 10_000;

impl Engine {
    /// Learns which versions are in force, unless that is known.
    pub(crate) async fn refresh_templates(
        &self,
        workspace: &WorkspaceId,
        now: Timestamp,
    ) -> syncline_store::Result<()> {
        if self.setup.templating.is_none() {
            return Ok(());
        }
        let before = {
            let mut all = self.templates.0.lock().expect("no code panics while it holds this lock");
            let known = all.entry(workspace.clone()).or_default();
            if known.learned.is_some_and(|learned| now.duration_since(learned).abs() < BELIEVED) {
                return Ok(());
            }
            known.learned.map(|_| known.revision)
        };
        let revision = self.world.store.template_revision(workspace).await?;
        let active = match before {
            Some(before) if before == revision => None,
            _ => Some(self.world.store.active_templates(workspace).await?),
        };
        let mut all = self.templates.0.lock().expect("no code panics while it holds this lock");
        let known = all.entry(workspace.clone()).or_default();
        known.learned = Some(now);
        if let Some(active) = active {
            (known.revision, known.active) = (revision, active);
            known.settings.clear();
        }
        Ok(())
    }

    /// The settings of a booking with what is in force. The error is a sentence about a template that cannot be used.
    pub(crate) fn effective(&self, integration: &Integration, view: &View<'_>) -> Result<Effective, String> {
        self.effective_for(integration, &view.content.meeting_type, &view.content.meeting_type_name)
    }

    /// The same for a meeting type, by key and name.
    pub(crate) fn effective_for(&self, integration: &Integration, key: &str, name: &str) -> Result<Effective, String> {
        let plain = || Effective { settings: Arc::clone(integration.settings(key, name)), templates: None };
        let Some(templating) = &self.setup.templating else { return Ok(plain()) };
        let mut all = self.templates.0.lock().expect("no code panics while it holds this lock");
        let Some(known) = all.get_mut(&integration.workspace).filter(|known| !known.active.is_empty()) else {
            return Ok(plain());
        };
        let place = (integration.id.clone(), key.to_owned(), name.to_owned());
        if let Some(made) = known.settings.get(&place) {
            return made.clone();
        }
        let chosen = in_force(&known.active, key, name);
        let sources: Vec<_> = chosen.iter().filter_map(|active| source(active)).collect();
        let made = if sources.is_empty() {
            Ok(plain())
        } else {
            let told: Vec<String> = chosen
                .iter()
                .filter(|active| active.source.is_some())
                .map(|active| format!("{} template {}, version {}", active.kind, active.name, active.version))
                .collect();
            let settings = templating.settings(&integration.id, key, name, &sources);
            settings.map(|settings| Effective { settings: Arc::new(settings), templates: Some(told.join("; ")) })
        };
        if known.settings.len() >= KEPT_MAX {
            known.settings.clear();
        }
        known.settings.insert(place, made.clone());
        made
    }

    /// The meeting types that have a template of their own.
    pub(crate) fn templated(&self, workspace: &WorkspaceId) -> Vec<String> {
        let all = self.templates.0.lock().expect("no code panics while it holds this lock");
        let active = all.get(workspace).map_or(&[][..], |known| &known.active);
        let own = active.iter().filter(|active| active.source.is_some() && !active.meeting_type.is_empty());
        own.map(|active| active.meeting_type.clone()).collect()
    }

    /// The settings of a meeting type, by key and name, with one template in the place of what is in force of its kind.
    pub(crate) fn on_trial(
        &self,
        integration: &Integration,
        (key, name): (&str, &str),
        trial: TemplateSource<'_>,
    ) -> Result<Effective, String> {
        let templating = self.setup.templating.as_ref().ok_or("templates are not switched on here")?;
        let all = self.templates.0.lock().expect("no code panics while it holds this lock");
        let active = all.get(&integration.workspace).map_or(&[][..], |known| &known.active);
        let others = in_force(active, key, name).into_iter().filter(|active| active.kind != trial.kind);
        let sources: Vec<_> = others.filter_map(source).chain([trial]).collect();
        let settings = templating.settings(&integration.id, key, name, &sources)?;
        Ok(Effective { settings: Arc::new(settings), templates: Some(format!("{} template on trial", trial.kind)) })
    }
}

fn source(active: &ActiveTemplate) -> Option<TemplateSource<'_>> {
    Some(TemplateSource { kind: &active.kind, source: active.source.as_deref()? })
}

/// Of each kind the one for this meeting type, else the one for all.
fn in_force<'a>(active: &'a [ActiveTemplate], key: &str, name: &str) -> Vec<&'a ActiveTemplate> {
    let mut kinds: Vec<&str> = active.iter().map(|active| active.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of = |kind: &str, meeting_type: &str| {
        active.iter().find(|active| active.kind == kind && active.meeting_type == meeting_type)
    };
    let own = |kind: &str, meeting_type: &str| of(kind, meeting_type).filter(|_| !meeting_type.is_empty());
    kinds.into_iter().filter_map(|kind| own(kind, key).or_else(|| own(kind, name)).or_else(|| of(kind, ""))).collect()
}

#[cfg(test)]
mod tests {
    //! Which of several templates counts.

    use super::*;

    fn active(kind: &str, meeting_type: &str, version: i64) -> ActiveTemplate {
        ActiveTemplate {
            kind: kind.into(),
            meeting_type: meeting_type.into(),
            name: "mine".into(),
            version,
            source: (version > 0).then(|| "text".into()),
        }
    }

    /// proves: B20
    #[test]
    fn a_meeting_types_own_template_goes_before_that_for_all() {
        let all = [
            active("event", "", 1),
            active("event", "intro", 2),
            active("event", "Demo", 0),
            active("attendee", "", 3),
        ];
        let chosen = |key, name| in_force(&all, key, name).iter().map(|active| active.version).collect::<Vec<_>>();
        assert_eq!(chosen("intro", "Intro call"), [3, 2]);
        assert_eq!(chosen("demo", "Demo"), [3, 0], "the built-in one is a choice, too");
        assert_eq!(chosen("other", "Other"), [3, 1]);
        assert_eq!(chosen("", ""), [3, 1]);
        assert!(in_force(&[], "intro", "").is_empty());
    }
}
