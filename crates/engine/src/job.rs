//! Bookings in hand: what each of them needs to know, and learning it for all of them together. What is made of it is
//! decided elsewhere ([`crate::turn`]).

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use syncline_connect::{Error, Object, Records};
use syncline_core::{
    booking::{
        ask::{MAX_LOOKS, Recall, questions, recall},
        chain::View,
        facts::{Facts, Questions},
        mapped::{Outside, described_by, names_message, reads_account},
        project::{Context, Refused, Ties},
        settings::BookingSettings,
    },
    ids::{RecordId, SharedKey},
    mutant::{self, Mutant},
    record::{Field, Role, Std, Value},
};
use syncline_store::{Claimed, Result as StoreResult};

use crate::{describe::Objects, engine::Engine, look, setup::ConnectionSetup, templates::Effective};

/// A booking in hand.
pub(crate) struct Job<'a> {
    pub(crate) claimed: &'a Claimed,
    pub(crate) view: View<'a>,
    pub(crate) settings: Arc<BookingSettings>,
    /// The templates that the settings come from, as people read it.
    pub(crate) templates: Option<String>,
    /// The shared records that the decision may rely on.
    pub(crate) shared: Vec<SharedKey>,
    /// The users that it may ask for, by address or id.
    users: Vec<String>,
    /// The objects that its decision depends on.
    objects_wanted: BTreeSet<Object>,
    /// Whether the CRM lets a meeting be related to several people.
    relates_many: bool,
    /// What is known of the CRM's objects, where it depends on any.
    objects: Arc<Objects>,
    /// The message that its content comes from, where a mapping asks for it and it is still kept.
    pub(crate) raw: Option<String>,
    /// What the CRM refused of it a moment ago.
    pub(crate) refused: Refused,
    /// Whether something had to be looked up, and its share of the calls for that.
    asked: bool,
    pub(crate) looks: f64,
}

/// Claimed bookings, by what can be done for them.
pub(crate) struct Sorted<'a> {
    pub(crate) jobs: Vec<Job<'a>>,
    /// Those that carry no content yet.
    pub(crate) blank: Vec<&'a Claimed>,
    /// Those whose template cannot be used, and why.
    pub(crate) broken: Vec<(&'a Claimed, String)>,
}

/// Bookings that could not be looked at, and why. What could not be looked up is not absent: they wait.
pub(crate) struct InVain<'a> {
    pub(crate) jobs: Vec<Job<'a>>,
    pub(crate) error: Error,
}

impl<'a> Job<'a> {
    pub(crate) fn new(claimed: &'a Claimed, view: View<'a>, effective: Effective) -> Self {
        let Effective { settings, templates } = effective;
        let Recall { shared, users } = recall(&settings, &view);
        let objects_wanted = objects_wanted(&settings, &view);
        Self {
            claimed,
            view,
            settings,
            templates,
            shared,
            users,
            objects_wanted,
            relates_many: false,
            objects: Arc::default(),
            raw: None,
            refused: Refused::default(),
            asked: false,
            looks: 0.0,
        }
    }

    fn has_company(&self) -> bool {
        has_company(&self.view)
    }

    /// Whether the answers to a look may raise questions of their own.
    fn needs_more_looks(&self) -> bool {
        self.claimed.unsettled.is_some()
            || self.claimed.links.values().any(|link| link.doubt)
            || reads_account(&self.settings)
    }
}

impl Engine {
    /// Looks up what the jobs need to know. Those that asked in vain are taken out, each with what went wrong for it.
    pub(crate) async fn look_at<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Vec<InVain<'a>> {
        let described = self.describe_for(setup, crm, jobs, now).await;
        let looked = self.look(setup, crm, jobs, facts, now).await;
        [described, looked].into_iter().filter_map(Result::err).collect()
    }

    /// Learns what the CRM's objects are like, as far as a job's decision depends on it.
    async fn describe_for<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        now: Timestamp,
    ) -> Result<(), InVain<'a>> {
        let meeting = Object::Of(Role::Meeting);
        let wants = |job: &Job<'_>| !job.objects_wanted.is_empty();
        let wanted: BTreeSet<Object> = jobs.iter().flat_map(|job| job.objects_wanted.iter().cloned()).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        match self.described(setup, crm, &wanted, now).await {
            Ok((described, calls)) => {
                let askers = jobs.iter().filter(|job| wants(job)).count();
                let relates_many =
                    described.get(&meeting).and_then(Option::as_ref).is_some_and(|meeting| meeting.relates_many);
                // What one booking had described is true for all of the connection.
                let objects = Arc::new(Objects(described));
                for job in jobs.iter_mut().filter(|job| wants(job)) {
                    job.relates_many = relates_many && job.has_company();
                    job.objects = Arc::clone(&objects);
                    job.looks += share(calls, askers);
                }
                Ok(())
            }
            Err(error) => Err(in_vain(jobs, wants, error)),
        }
    }

    /// One set of queries answers all; only where that raises further questions another follows.
    async fn look<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<(), InVain<'a>> {
        let identify = |text: &str| crm.identify(text);
        let normalise = |role: Role, field: &Field, value: Value| crm.normalise(role, field, value);
        let mut asked = Questions::default();
        for _ in 0..MAX_LOOKS {
            let mut ask = Questions::default();
            let mut askers = Vec::new();
            // Only answers about records in doubt, about a plan whose outcome is unknown, or about whose account a mapping
            // reads, raise questions of their own.
            let first = asked.is_empty();
            for (at, job) in jobs.iter_mut().enumerate().filter(|(_, job)| first || job.needs_more_looks()) {
                let cx = context(setup, job, facts, now, &identify);
                let questions = questions(&cx, &job.view, job.claimed.unsettled.as_ref(), &normalise).without(&asked);
                if !questions.is_empty() {
                    job.asked = true;
                    askers.push(at);
                    ask.extend(questions);
                }
            }
            if askers.is_empty() {
                return Ok(());
            }
            let mut finds = look::finds(&ask, &settings_of(jobs), &*objects_of(jobs));
            for find in &mut finds {
                let role = find.role;
                find.fields.retain(|field| match field {
                    Field::Std(Std::Key) | Field::Native(_) => true,
                    Field::Std(std) => has(setup, role, *std),
                });
            }
            match self.find(setup, &finds).await {
                Ok(answer) => {
                    for at in &askers {
                        jobs[*at].looks += share(answer.calls, askers.len());
                    }
                    look::learn(&ask, &finds, answer.value, facts, &identify);
                    for user in &ask.users {
                        let id = facts.user(user).flatten().cloned();
                        self.directory.learn(&setup.workspace, &setup.id, user, id, now);
                    }
                }
                Err(_) if mutant::on(Mutant::FailedLookIsAbsence) => {
                    look::learn(&ask, &finds, Vec::new(), facts, &identify);
                }
                Err(error) => return Err(in_vain(jobs, |job| job.asked, error)),
            }
            asked.extend(ask);
        }
        Ok(())
    }

    /// The bookings as they are to be worked on.
    pub(crate) fn jobs<'a>(&'a self, bookings: &[&'a Claimed]) -> Sorted<'a> {
        let mut sorted = Sorted { jobs: Vec::with_capacity(bookings.len()), blank: Vec::new(), broken: Vec::new() };
        for &claimed in bookings {
            let integration = self.setup.integration(&claimed.workspace, &claimed.integration);
            let (Some(view), Some(integration)) = (claimed.state.view(), integration) else {
                sorted.blank.push(claimed);
                continue;
            };
            match self.effective(integration, &view) {
                Ok(effective) => {
                    let refused = self.refusals.of(&claimed.workspace, &claimed.chain, self.world.clock.now());
                    sorted.jobs.push(Job { refused, ..Job::new(claimed, view, effective) });
                }
                Err(why) => sorted.broken.push((claimed, why)),
            }
        }
        sorted
    }

    /// What we know without asking the CRM: links of other bookings, hosts, the messages themselves.
    pub(crate) async fn recall(
        &self,
        setup: &ConnectionSetup,
        jobs: &mut [Job<'_>],
        facts: &mut Facts,
        now: Timestamp,
    ) -> StoreResult<()> {
        let mut keys: Vec<SharedKey> = jobs.iter().flat_map(|job| job.shared.iter().cloned()).collect();
        keys.sort();
        keys.dedup();
        if !keys.is_empty() {
            facts.add_shared(self.world.store.shared_links(&setup.workspace, &setup.id, &keys).await?);
        }
        for key in jobs.iter().flat_map(|job| &job.users) {
            if let Some(user) = self.directory.get(&setup.workspace, &setup.id, key, now) {
                facts.add_user(key, user);
            }
        }
        for job in jobs.iter_mut().filter(|job| names_message(&job.settings)) {
            let (workspace, chain) = (&setup.workspace, &job.claimed.chain);
            let body = self.world.store.body_that_said(workspace, chain, job.view.content).await?;
            job.raw = body.map(|body| as_text(&body));
        }
        Ok(())
    }
}

/// A message as a field can hold it.
pub(crate) fn as_text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

fn has_company(view: &View<'_>) -> bool {
    !view.content.guests.is_empty() || !view.other_seats.is_empty()
}

fn objects_wanted(settings: &BookingSettings, view: &View<'_>) -> BTreeSet<Object> {
    let (roles, named) = described_by(settings);
    let meeting = has_company(view).then_some(Role::Meeting);
    let roles = roles.into_iter().chain(meeting).map(Object::Of);
    roles.chain(named.into_iter().map(Object::Named)).collect()
}

/// The settings of the jobs, each once.
fn settings_of<'j>(jobs: &'j [Job<'_>]) -> Vec<&'j BookingSettings> {
    let mut all: Vec<&Arc<BookingSettings>> = Vec::new();
    for job in jobs {
        if !all.iter().any(|known| Arc::ptr_eq(known, &job.settings)) {
            all.push(&job.settings);
        }
    }
    all.into_iter().map(|settings| &**settings).collect()
}

/// What was described for the jobs, which is the same for all that wanted any of it.
fn objects_of(jobs: &[Job<'_>]) -> Arc<Objects> {
    jobs.iter().map(|job| &job.objects).find(|objects| !objects.0.is_empty()).cloned().unwrap_or_default()
}

/// Takes those out that a failure concerns.
fn in_vain<'a>(jobs: &mut Vec<Job<'a>>, concerns: impl Fn(&Job<'a>) -> bool, error: Error) -> InVain<'a> {
    let (failed, rest) = std::mem::take(jobs).into_iter().partition(concerns);
    *jobs = rest;
    InVain { jobs: failed, error }
}

/// Whether the object that plays the role in this CRM has the field.
pub(crate) fn has(setup: &ConnectionSetup, role: Role, field: Std) -> bool {
    setup.connector.manifest().role(role).is_some_and(|spec| spec.field(field).is_some())
}

/// All that a decision about a job depends on.
pub(crate) fn context<'a>(
    setup: &'a ConnectionSetup,
    job: &'a Job<'_>,
    facts: &'a Facts,
    now: Timestamp,
    identify: &'a dyn Fn(&str) -> Option<(Role, RecordId)>,
) -> Context<'a> {
    Context {
        workspace: &setup.workspace,
        connection: &setup.id,
        chain: &job.claimed.chain,
        settings: &job.settings,
        links: &job.claimed.links,
        facts,
        now,
        relates_many: job.relates_many,
        // A CRM whose meetings have no field for the one record that they are about has one for each.
        ties: if has(setup, Role::Meeting, Std::What) { Ties::One } else { Ties::All },
        outside: Outside { objects: &*job.objects, source: job.claimed.source.as_str(), raw: job.raw.as_deref() },
        identify,
        refused: &job.refused,
    }
}

/// Each booking's share of the calls that several made together.
#[expect(clippy::cast_precision_loss, reason = "a batch has far fewer bookings than a double has digits")]
pub(crate) fn share(calls: u32, bookings: usize) -> f64 {
    f64::from(calls) / bookings.max(1) as f64
}
