//! Mappings held against what the CRM says of its objects: whenever somebody asks, after they were changed, and once a
//! day, because an org's fields are renamed, locked and taken away long after a mapping was written. What is wrong with
//! a mapping is decided in the core. No booking waits for any of this: what does not fit is left out as it is written.
//!
//! [`Engine::check_mappings_once`] is a single step without timers; [`Engine::watch_mappings`] turns it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use syncline_connect::{Error, ErrorKind, Object, Retry, Uses};
use syncline_core::{
    booking::{
        check::{Problem, check, filled},
        mapped::described_by,
        settings::BookingSettings,
    },
    ids::{ConnectionId, IntegrationId, ObjectName, WorkspaceId},
};
use syncline_store::{ConnectionStatus, Held, JournalEntry, JournalKind, Result as StoreResult};
use tokio_util::sync::CancellationToken;

use crate::{
    describe::Objects,
    engine::{Called, Engine},
    push::crm,
    setup::ConnectionSetup,
    templates::TemplateSource,
};

/// How often the mappings of a connection are checked though nobody changed them.
const CHECK_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How much later at the most, so that not every installation asks in the same minute of the day.
const JITTER_MAX: SignedDuration = SignedDuration::from_hours(2);

/// How long until a CRM that did not answer is asked again. Nothing waits for the answer.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How often to see whether it is time: a clock that jumps, or settings that change, are noticed within it.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The pause after the database failed, before it is asked again.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Problems that a line of the activity log spells out; the others stand in its details.
const TOLD_MAX: usize = 5;

/// Problems of a connection that are remembered and told of: beyond these nobody reads on.
const KEPT_MAX: usize = 200;

/// Which settings this process has had checked, by connection.
pub(crate) type CheckedHere = Mutex<HashMap<(WorkspaceId, ConnectionId), u64>>;

/// What is wrong with a mapping, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingProblem {
    pub integration: IntegrationId,
    /// Empty for what holds for all meeting types.
    pub meeting_type: String,
    pub problem: Problem,
}

/// What a step of the check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It is not time yet.
    NotDue { next: Timestamp },
    /// Another process does it just now.
    Held,
    /// So many fields that were in order do not fit, and so many fit again.
    Compared { found: usize, mended: usize, next: Timestamp },
    /// The CRM could not be asked; what was known stays.
    Failed { error: Error, next: Timestamp },
}

/// The settings of one meeting type of an integration.
struct Part<'a> {
    integration: &'a IntegrationId,
    meeting_type: String,
    settings: Arc<BookingSettings>,
}

/// What the last check left.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// In seconds.
    next: i64,
    /// Tells the settings that were checked from others.
    settings: u64,
    /// What is wrong, by what it is wrong with.
    problems: BTreeMap<String, String>,
}

impl MappingProblem {
    /// What it is about: `contact.Industry (bookings)`.
    pub fn place(&self) -> String {
        let Self { integration, meeting_type, problem } = self;
        match meeting_type.as_str() {
            "" => format!("{} ({integration})", problem.field),
            meeting_type => format!("{} ({integration}, {meeting_type})", problem.field),
        }
    }

    /// Why, and what to do.
    fn advice(&self) -> String {
        format!("{}; {}", self.problem.reason, self.problem.fix)
    }
}

impl Engine {
    /// Every problem of the mappings into this connection, by what its objects are like now.
    pub async fn check_mappings(&self, setup: &ConnectionSetup) -> Result<Vec<MappingProblem>, Error> {
        let now = self.world.clock.now();
        if let Err(error) = self.refresh_templates(&setup.workspace, now).await {
            tracing::warn!(%error, "Could not see which templates are in force; those known before are checked");
        }
        self.problems_of(setup, &self.parts(setup)).await
    }

    /// Every problem of the mappings into this connection as they would be with a template in force: for one meeting type, or
    /// for all where it is empty.
    pub async fn check_trial(
        &self,
        setup: &ConnectionSetup,
        trial: TemplateSource<'_>,
        meeting_type: &str,
    ) -> Result<Vec<MappingProblem>, Error> {
        self.refresh_templates(&setup.workspace, self.world.clock.now()).await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, Retry::Backoff, "check the mappings", error.to_string())
        })?;
        let integrations = self.setup.integrations.iter();
        let ours = integrations.filter(|one| one.workspace == setup.workspace && one.crm == setup.id);
        let parts: Vec<_> = ours
            .filter_map(|one| {
                // What does not compile is refused before.
                let settings = self.on_trial(one, (meeting_type, ""), trial).ok()?.settings;
                Some(Part { integration: &one.id, meeting_type: meeting_type.to_owned(), settings })
            })
            .collect();
        self.problems_of(setup, &parts).await
    }

    async fn problems_of(&self, setup: &ConnectionSetup, parts: &[Part<'_>]) -> Called<Vec<MappingProblem>> {
        let wanted = objects_of(parts);
        let mut objects = Objects::default();
        if !wanted.is_empty() {
            let now = self.world.clock.now();
            objects.0 = self.described_anew(setup, crm(setup)?, wanted.into_iter().collect(), now).await?.0;
        }
        Ok(problems(parts, &objects))
    }

    /// What bookings may write to this connection beside what they always write.
    pub(crate) fn uses(&self, setup: &ConnectionSetup) -> Uses {
        let parts = self.parts(setup);
        let further: BTreeSet<ObjectName> = parts.iter().flat_map(|part| described_by(&part.settings).1).collect();
        let of_roles = filled(parts.iter().map(|part| &*part.settings));
        let mut filled: Vec<_> = of_roles.into_iter().map(|(role, name)| (Object::Of(role), name)).collect();
        for object in &further {
            let records =
                parts.iter().flat_map(|part| &part.settings.records).filter(|record| record.object == *object);
            let names = records.map(|record| record.fields.iter().map(|field| &field.name).collect::<BTreeSet<_>>());
            let common = names.reduce(|one, other| &one & &other).unwrap_or_default();
            filled.extend(common.into_iter().map(|name| (Object::Named(object.clone()), name.clone())));
        }
        Uses { further: further.into_iter().collect(), filled }
    }

    /// The settings of every meeting type that has its own, with the templates that are in force. A template that cannot
    /// be used is told of by the bookings that it stops.
    fn parts<'a>(&'a self, setup: &ConnectionSetup) -> Vec<Part<'a>> {
        let templated = self.templated(&setup.workspace);
        let integrations = self.setup.integrations.iter();
        let ours = integrations.filter(|one| one.workspace == setup.workspace && one.crm == setup.id);
        ours.flat_map(|one| {
            let own = one.meeting_types.keys().chain(&templated).map(String::as_str);
            let all: BTreeSet<&str> = std::iter::once("").chain(own).collect();
            all.into_iter()
                .filter_map(|meeting_type| {
                    let settings = self.effective_for(one, meeting_type, "").ok()?.settings;
                    Some(Part { integration: &one.id, meeting_type: meeting_type.to_owned(), settings })
                })
                .collect::<Vec<_>>()
        })
        .collect()
    }

    /// One step: if it is time and nobody else does, checks, and tells what changed since the last time.
    pub async fn check_mappings_once(&self, setup: &ConnectionSetup) -> StoreResult<Checked> {
        let now = self.world.clock.now();
        self.refresh_templates(&setup.workspace, now).await?;
        let parts = self.parts(setup);
        let settings = fingerprint(&parts);
        if let Some(next) = self.not_before(setup, &parts, settings, now).await? {
            return Ok(Checked::NotDue { next });
        }
        // A description each, a new token, and once more for the clocks.
        let calls = i32::try_from(objects_of(&parts).len()).unwrap_or(i32::MAX).saturating_add(2);
        let Some(held) = self.hold(&setup.workspace, name(setup), self.options.call.saturating_mul(calls)).await?
        else {
            return Ok(Checked::Held);
        };
        // Somebody may have checked between the look and the lease.
        let checked = match self.not_before(setup, &parts, settings, now).await {
            Ok(Some(next)) => Ok(Checked::NotDue { next }),
            Ok(None) => self.compare(setup, &parts, settings, &held).await,
            Err(error) => Err(error),
        };
        self.let_go(&setup.workspace, &held).await;
        checked
    }

    /// When it will be time; nothing where it is.
    async fn not_before(
        &self,
        setup: &ConnectionSetup,
        parts: &[Part<'_>],
        settings: u64,
        now: Timestamp,
    ) -> StoreResult<Option<Timestamp>> {
        let known = self.known(setup).await?;
        let was_in_order = known.as_ref().is_none_or(|known| known.problems.is_empty());
        if was_in_order && objects_of(parts).is_empty() {
            return Ok(Some(Timestamp::MAX));
        }
        let row = self.world.store.connection(&setup.workspace, &setup.id).await?;
        if let Some(row) = row {
            // Whoever connects the account again is told by that command, and soon by this.
            let lost = row.status == ConnectionStatus::NeedsReconnect;
            let soon = now.saturating_add(ASK_AGAIN_AFTER).unwrap_or(Timestamp::MAX);
            if let Some(until) = row.paused_until.filter(|until| now < *until).or(lost.then_some(soon)) {
                return Ok(Some(until));
            }
        }
        let Some(known) = known else { return Ok(None) };
        let next = Timestamp::from_second(known.next).unwrap_or(now);
        let changed = known.settings != settings && self.here().get(&key(setup)) != Some(&settings);
        Ok((next > now && !changed).then_some(next))
    }

    fn here(&self) -> std::sync::MutexGuard<'_, HashMap<(WorkspaceId, ConnectionId), u64>> {
        self.checked.lock().expect("no code panics while it holds this lock")
    }

    async fn known(&self, setup: &ConnectionSetup) -> StoreResult<Option<Known>> {
        let stored = self.world.store.cursor(&setup.workspace, &name(setup)).await?;
        // What another version wrote and this one cannot read is found out again.
        Ok(stored.and_then(|json| serde_json::from_str(&json).ok()))
    }

    async fn compare(
        &self,
        setup: &ConnectionSetup,
        parts: &[Part<'_>],
        settings: u64,
        held: &Held,
    ) -> StoreResult<Checked> {
        // Whatever comes of it, these settings alone are no reason to ask again: two processes that are set up
        // differently would take turns without end.
        self.here().insert(key(setup), settings);
        let known = self.known(setup).await?.unwrap_or_default();
        let answer = match self.calls.acquire().await {
            Ok(_permit) => self.problems_of(setup, parts).await,
            Err(_) => return Ok(Checked::Held),
        };
        let now = self.world.clock.now();
        let (left, journal, checked) = match answer {
            Ok(problems) => {
                let next = now.saturating_add(CHECK_EVERY + self.jitter()).unwrap_or(Timestamp::MAX);
                let problems = told(&problems);
                let change = Change::between(&known.problems, &problems);
                let (found, mended) = (change.found.len(), change.mended.len());
                let line = (found + mended > 0).then(|| (only(parts), change.line(setup, now)));
                if let Some((_, line)) = &line {
                    tracing::info!(connection.id = %setup.id, found, mended, "{}", line.text);
                }
                let left = Known { next: next.as_second(), settings, problems };
                (left, line, Checked::Compared { found, mended, next })
            }
            Err(error) => {
                let next = now.saturating_add(ASK_AGAIN_AFTER).unwrap_or(Timestamp::MAX);
                tracing::warn!(connection.id = %setup.id, "The mappings into {} could not be checked: {error}", setup.id);
                (Known { next: next.as_second(), ..known }, None, Checked::Failed { error, next })
            }
        };
        let json = serde_json::to_string(&left).expect("text, numbers and a map by text are JSON");
        let kept = self.world.store.move_cursor(&setup.workspace, held, now, &name(setup), &json, journal).await?;
        Ok(if kept { checked } else { Checked::Held })
    }

    fn jitter(&self) -> SignedDuration {
        let max = JITTER_MAX.as_secs().unsigned_abs();
        SignedDuration::from_secs(i64::try_from(self.random() % max).unwrap_or_default())
    }

    /// Checks every CRM's mappings until `stop`, each in its own time.
    pub async fn watch_mappings(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut pause = LOOK_EVERY;
            for setup in self.setup.connections.iter().filter(|setup| setup.connector.records().is_some()) {
                if stop.is_cancelled() {
                    return;
                }
                if let Err(error) = self.check_mappings_once(setup).await {
                    tracing::warn!(%error, "The database did not answer a check of mappings; trying again");
                    pause = DATABASE_PAUSE;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Of the lease and of what was left by the last check.
fn name(setup: &ConnectionSetup) -> String {
    format!("mappings:{}", setup.id)
}

fn key(setup: &ConnectionSetup) -> (WorkspaceId, ConnectionId) {
    (setup.workspace.clone(), setup.id.clone())
}

fn objects_of(parts: &[Part<'_>]) -> BTreeSet<Object> {
    let of = |part: &Part<'_>| {
        let (roles, named) = described_by(&part.settings);
        roles.into_iter().map(Object::Of).chain(named.into_iter().map(Object::Named)).collect::<Vec<_>>()
    };
    parts.iter().flat_map(of).collect()
}

/// What is wrong everywhere is told once, not for each meeting type that has it from there.
fn problems(parts: &[Part<'_>], objects: &Objects) -> Vec<MappingProblem> {
    let mut all: Vec<MappingProblem> = Vec::new();
    for part in parts {
        for problem in check(&part.settings.mappings, &part.settings.records, objects) {
            let is_default =
                |told: &MappingProblem| told.integration == *part.integration && told.meeting_type.is_empty();
            if !all.iter().any(|told| is_default(told) && told.problem == problem) {
                let (integration, meeting_type) = (part.integration.clone(), part.meeting_type.clone());
                all.push(MappingProblem { integration, meeting_type, problem });
            }
        }
    }
    all
}

/// A number that is another where a mapping is. Never compared between versions of Syncline for more than one needless
/// check.
fn fingerprint(parts: &[Part<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        (part.integration, &part.meeting_type).hash(&mut hasher);
        format!("{:?}{:?}", part.settings.mappings, part.settings.records).hash(&mut hasher);
    }
    hasher.finish()
}

/// The integration, where there is but one.
fn only(parts: &[Part<'_>]) -> Option<IntegrationId> {
    let first = parts.first()?.integration;
    parts.iter().all(|part| part.integration == first).then(|| first.clone())
}

/// Problems as they are remembered: several of one field are one.
fn told(problems: &[MappingProblem]) -> BTreeMap<String, String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for problem in problems {
        let advice = problem.advice();
        told.entry(problem.place())
            .and_modify(|known| {
                if !known.contains(&advice) {
                    known.push_str("; ");
                    known.push_str(&advice);
                }
            })
            .or_insert(advice);
    }
    told.into_iter().take(KEPT_MAX).collect()
}

/// What came and went between two checks.
struct Change<'a> {
    found: Vec<(&'a str, &'a str)>,
    mended: Vec<&'a str>,
}

impl<'a> Change<'a> {
    fn between(before: &'a BTreeMap<String, String>, now: &'a BTreeMap<String, String>) -> Self {
        let found = now.iter().filter(|(place, advice)| before.get(*place) != Some(advice));
        Self {
            found: found.map(|(place, advice)| (place.as_str(), advice.as_str())).collect(),
            mended: before.keys().filter(|place| !now.contains_key(*place)).map(String::as_str).collect(),
        }
    }

    fn line(&self, setup: &ConnectionSetup, at: Timestamp) -> JournalEntry {
        let mut text = format!("The mappings into {} were checked: ", setup.id);
        if !self.found.is_empty() {
            let each = self.found.iter().map(|(place, advice)| format!("{place}: {advice}"));
            text.push_str(&format!(
                "what does not fit is left out of bookings until it is mended. {}",
                listed(each, self.found.len(), ". ")
            ));
        }
        if !self.mended.is_empty() {
            let start = if self.found.is_empty() { "in order now: " } else { ". In order now: " };
            text.push_str(start);
            text.push_str(&listed(self.mended.iter().map(ToString::to_string), self.mended.len(), ", "));
        }
        let found: Vec<_> =
            self.found.iter().map(|(place, advice)| json!({"field": place, "problem": advice})).collect();
        let details = json!({"connection": setup.id, "found": found, "mended": self.mended});
        JournalEntry { at, kind: JournalKind::Connection, text, details }
    }
}

fn listed(each: impl Iterator<Item = String>, count: usize, between: &str) -> String {
    let mut text = each.take(TOLD_MAX).collect::<Vec<_>>().join(between);
    if let Some(more) = count.checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("{between}and {more} more"));
    }
    text
}
