//! The other way: meetings that people make in the CRM become events in their owners' calendars, and what they edit there
//! reaches the event. Under the integration's lease, before anything that the calendars show is looked at, so that an event
//! of ours is never taken for a meeting of its own.

use std::{collections::BTreeMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{
    CalendarWrites, Error, ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::{
    booking::facts::{Facts, Questions},
    calendar::{
        eligible::Verdict,
        identity::{MeetingKey, event_seed},
        meeting::{CrmMeeting, CrmSide, NotInvited, event_of, links_of, may_create},
        privacy::Privacy,
    },
    ids::{IntegrationId, RecordId, WorkspaceId},
    record::{Field, Fields, Record, Role, Std, Value},
};
use syncline_store::{
    CrmState, EventIn, JournalEntry, JournalKind, MeetingState, NewMail, Result as StoreResult, SaveMeetings,
    StoredMeeting,
};

use super::{
    Asked, CalendarFlow, CalendarRound, CalendarSetup, later,
    see::{Seeing, nothing},
};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    journal,
    push::Op,
    records::paid,
    setup::ConnectionSetup,
};

/// How often the CRM is asked for what people did there.
const LOOK_BACK_EVERY: SignedDuration = SignedDuration::from_mins(2);

/// The pause after an event turned out to be another than was read.
pub(super) const CHANGED_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What this process knows of an integration's looks into its CRM.
#[derive(Default)]
struct Looked {
    /// The changes that were looked at and that the CRM, looking back, shows again.
    known: BTreeMap<RecordId, Timestamp>,
    /// Until then the CRM, or a calendar that is written to, is left alone: something went wrong.
    rests_until: Option<Timestamp>,
}

/// The looks of all integrations.
#[derive(Default)]
pub(crate) struct LookedAt(Mutex<BTreeMap<(WorkspaceId, IntegrationId), Looked>>);

impl LookedAt {
    fn with<T>(&self, flow: &CalendarFlow, act: impl FnOnce(&mut Looked) -> T) -> T {
        let mut all = self.0.lock().expect("no code panics while it holds this lock");
        act(all.entry((flow.workspace.clone(), flow.id.clone())).or_default())
    }

    /// Those that are new; from now on only what the page shows is remembered.
    fn news(&self, flow: &CalendarFlow, page: &[(RecordId, Timestamp)]) -> Vec<(RecordId, Timestamp)> {
        self.with(flow, |Looked { known, .. }| {
            known.retain(|id, at| page.iter().any(|(shown, when)| shown == id && when == at));
            page.iter().filter(|(id, at)| known.get(id) != Some(at)).cloned().collect()
        })
    }

    fn done(&self, flow: &CalendarFlow, (id, at): &(RecordId, Timestamp)) {
        self.with(flow, |looked| looked.known.insert(id.clone(), *at));
    }

    fn rests(&self, flow: &CalendarFlow, until: Timestamp) {
        self.with(flow, |looked| looked.rests_until = Some(until));
    }

    /// Whether the CRM may be asked before it is time.
    pub(super) fn may_hurry(&self, flow: &CalendarFlow, now: Timestamp) -> bool {
        self.with(flow, |looked| looked.rests_until.is_none_or(|until| until <= now))
    }
}

/// How it goes on after one meeting of the CRM.
pub(super) enum Next {
    /// Nothing more is to be done about it.
    Done,
    /// It is tried again after a pause, and so is all behind it. `doubt`: an event may have been made.
    Later { pause: SignedDuration, doubt: bool },
    /// The lease is another's by now.
    Lost,
}

/// A calendar that can be written to.
pub(super) struct Target<'a> {
    pub calendar: &'a CalendarSetup,
    pub setup: &'a ConnectionSetup,
    pub writes: &'static dyn CalendarWrites,
}

impl Engine {
    /// Looks for what people did in the CRM, if it is time. `false` where nothing else may be looked at yet.
    pub(super) async fn look_back(
        &self,
        seeing: &Seeing<'_>,
        mut state: CrmState,
        asked: Asked,
        round: &mut CalendarRound,
    ) -> StoreResult<bool> {
        self.settle_untold(seeing, round).await?;
        match self.follow_removals(seeing, &mut state, asked, round).await? {
            Next::Done => {}
            Next::Lost => return Ok(false),
            Next::Later { pause, .. } => {
                let next_at = later(self.world.clock.now(), pause);
                self.looked_at.rests(seeing.flow, next_at);
                self.set_back(seeing, CrmState { next_at, ..state }).await?;
                return Ok(!state.creating);
            }
        }
        let now = self.world.clock.now();
        if !seeing.flow.rules.back.asks() {
            return self.set_back(seeing, CrmState { next_at: later(now, LOOK_BACK_EVERY), ..state }).await;
        }
        let lag = SignedDuration::try_from(seeing.crm.recent_lag()).unwrap_or(SignedDuration::MAX);
        let from = state.since.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        let crm = seeing.crm;
        let answer = with_token!(self, seeing.setup, Op::Find, |cx| crm.recent(cx, Role::Meeting, from));
        let page = match paid(answer, &mut round.calls) {
            Ok(page) => page,
            Err(error) => return self.back_failed(seeing, state, &error).await,
        };
        let news = self.looked_at.news(seeing.flow, &page.changed);
        let facts = match self.learn_of_meetings(seeing, &news, &mut round.calls).await {
            Ok(facts) => facts,
            Err(error) => return self.back_failed(seeing, state, &error).await,
        };
        let ids = news.iter().map(|(id, _)| id.clone()).collect();
        let known = self.world.store.meetings_of_records(&seeing.flow.workspace, &seeing.flow.id, ids).await?;
        let mut creating = state.creating;
        for change in &news {
            let (id, at) = change;
            let Some(record) = facts.record(id) else { continue };
            let side = CrmSide::of(record, &facts);
            let next = match known.get(id) {
                Some(uid) if seeing.flow.rules.back.edits => self.carry_back(seeing, uid, &side, round).await?,
                Some(_) => Next::Done,
                None => self.make_event(seeing, &side, &facts, asked.since, (state, &mut creating), round).await?,
            };
            match next {
                Next::Done => self.looked_at.done(seeing.flow, change),
                Next::Lost => return Ok(false),
                Next::Later { pause, doubt } => {
                    let next_at = later(self.world.clock.now(), pause);
                    self.looked_at.rests(seeing.flow, next_at);
                    let state = CrmState { since: (*at).max(state.since), next_at, creating: doubt, ..state };
                    self.set_back(seeing, state).await?;
                    return Ok(!doubt);
                }
            }
        }
        let reached = page.changed.last().map_or(state.since, |(_, at)| (*at).max(state.since));
        let next_at = if page.more { now } else { later(now, LOOK_BACK_EVERY) };
        round.more |= page.more;
        self.set_back(seeing, CrmState { since: reached, next_at, creating: false, ..state }).await
    }

    async fn set_back(&self, seeing: &Seeing<'_>, state: CrmState) -> StoreResult<bool> {
        let flow = seeing.flow;
        self.world.store.set_crm(&flow.workspace, &flow.id, seeing.held, self.world.clock.now(), state).await
    }

    /// The CRM could not be asked. Where an event may have been made of which nothing is kept, everything waits.
    async fn back_failed(&self, seeing: &Seeing<'_>, state: CrmState, error: &Error) -> StoreResult<bool> {
        let flow = seeing.flow;
        tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind, "The CRM of {} did not tell what changed", flow.id);
        let next_at = later(self.world.clock.now(), self.pause_after(error, 0));
        self.looked_at.rests(flow, next_at);
        self.set_back(seeing, CrmState { next_at, ..state }).await?;
        Ok(!state.creating)
    }

    /// The meetings, who attends them, and the addresses of those; who of the CRM's users has which calendar.
    async fn learn_of_meetings(
        &self,
        seeing: &Seeing<'_>,
        news: &[(RecordId, Timestamp)],
        calls: &mut u32,
    ) -> Called<Facts> {
        let mut facts = Facts::default();
        if news.is_empty() {
            return Ok(facts);
        }
        let ids: Vec<RecordId> = news.iter().map(|(id, _)| id.clone()).collect();
        let mut ask = Questions::default();
        ask.ids.insert(Role::Meeting, ids.iter().cloned().collect());
        ask.attendees.extend(ids.iter().cloned());
        ask.users.extend(seeing.flow.calendars.iter().map(|calendar| calendar.owner.clone()));
        let mut more = vec![Field::Std(Std::CreatedAt)];
        more.extend(seeing.flow.rules.back.ask_field.clone().map(Field::Native));
        self.ask_crm(seeing.setup, seeing.crm, &seeing.rules, ask, &more, &mut facts, calls).await?;
        let mut people = Questions::default();
        for id in &ids {
            let Some(record) = facts.record(id) else { continue };
            let places = facts.attendees(id).into_iter().flat_map(|all| all.values());
            let fields = places.filter_map(|place| place.fields.get(&Std::Attends.into()));
            for value in fields.chain(record.fields.get(&Std::Who.into())) {
                let Value::Id(person) = value else { continue };
                if let Some((role @ (Role::Contact | Role::Lead), person)) = seeing.crm.identify(person.as_str()) {
                    people.ids.entry(role).or_default().insert(person);
                }
            }
        }
        self.ask_crm(seeing.setup, seeing.crm, &seeing.rules, people, &[], &mut facts, calls).await?;
        Ok(facts)
    }

    /// Makes an event of a meeting that a person made in the CRM, and invites its contacts.
    async fn make_event(
        &self,
        seeing: &Seeing<'_>,
        side: &CrmSide<'_>,
        facts: &Facts,
        since: Option<Timestamp>,
        (state, creating): (CrmState, &mut bool),
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let (flow, record, now) = (seeing.flow, side.record, self.world.clock.now());
        let about = record.text(Std::Subject).unwrap_or("A meeting").to_owned();
        match may_create(asked(flow, record), since.unwrap_or(Timestamp::MAX), now) {
            Ok(()) => {}
            // What took place is logged afterwards, and most of what is there was there before.
            Err(NotInvited::HasEvent | NotInvited::NotAsked | NotInvited::BeforeConnection | NotInvited::Over) => {
                return Ok(Next::Done);
            }
            Err(reason @ NotInvited::NoStart) => {
                return self.not_made(seeing, record, &about, reason.sentence(), round).await;
            }
        }
        let owner = |calendar: &&CalendarSetup| {
            let user = facts.user(&calendar.owner).flatten();
            user.is_some() && user.map(|id| Value::Id(id.clone())).as_ref() == record.fields.get(&Std::Owner.into())
        };
        let Some(target) = flow.calendars.iter().find(owner).and_then(|calendar| self.target(flow, calendar)) else {
            let why = "No calendar of its owner that can be written to belongs to the integration.";
            return self.not_made(seeing, record, &about, why, round).await;
        };
        let home = seeing.home(&target.calendar.name);
        let Some(content) = event_of(side, &target.calendar.owner, &home) else { return Ok(Next::Done) };
        if !self.has_time(seeing) {
            return Ok(Next::Later { pause: SignedDuration::ZERO, doubt: *creating });
        }
        if !*creating {
            *creating = true;
            if !self.set_back(seeing, CrmState { creating: true, ..state }).await? {
                return Ok(Next::Lost);
            }
        }
        let tells = match self.tells(flow, &target, &mut round.calls).await {
            Ok(tells) => tells,
            Err(error) => return self.not_made_yet(seeing, &record.id, &about, &error, state).await,
        };
        let seed = event_seed(&flow.workspace, &flow.crm, &record.id);
        let write = EventWrite::Create { seed: &seed, content: &content, tell: true };
        match self.write_event(flow, &target, &write, &mut round.calls).await {
            Ok(WriteOutcome::Written(event)) => {
                let key = MeetingKey::of(&event, &target.calendar.name);
                let (mails, told) = self.letters(flow, tells, &target, &key, (None, Some(&event)), &home).await?;
                let state = MeetingState {
                    verdict: Verdict::Log,
                    privacy: Privacy::Synced,
                    title: Some(about.clone()),
                    start: Some(content.start.instant(&home)),
                    first: false,
                    shortened: content.shortened.clone(),
                    problem: None,
                    rest_until: None,
                    invited: content.attendees.iter().map(|guest| guest.who.email.clone()).collect(),
                    refused: None,
                    carried: Fields::new(),
                    untold: None,
                    made: Some(Box::new(EventIn { calendar: target.calendar.name.clone(), event: *event })),
                    doubt: None,
                };
                let meeting = StoredMeeting { key, state, links: links_of(side, &seeing.rules.policy), plan: None };
                let name = &target.calendar.name;
                let what = "a meeting of the CRM is in calendar";
                let guests = match content.attendees.is_empty() {
                    true => "and nobody is invited: no contact with an address attends it in the CRM",
                    false => "with its contacts as guests",
                };
                let text = format!("{about}: {what} {name} now, {guests}{told}");
                round.events.made += 1;
                self.calendar_soon(&flow.reference(target.calendar)).await?;
                let kept = (vec![meeting], mails);
                self.keep_back(seeing, kept, JournalKind::Written, text, &record.id).await
            }
            Ok(WriteOutcome::Gone | WriteOutcome::Deleted) => Ok(Next::Done),
            Ok(WriteOutcome::Changed | WriteOutcome::NotOrganizer) => {
                self.not_made(seeing, record, &about, "The calendar does not let it be made.", round).await
            }
            Err(error) => {
                round.events.left_out += usize::from(error.retry == Retry::Never);
                self.not_made_yet(seeing, &record.id, &about, &error, state).await
            }
        }
    }

    /// An event could not be made. What an earlier try sent may have arrived, whatever became of this one; a calendar that
    /// cannot be read at all shows nothing that could be taken for another meeting.
    async fn not_made_yet(
        &self,
        seeing: &Seeing<'_>,
        record: &RecordId,
        about: &str,
        error: &Error,
        state: CrmState,
    ) -> StoreResult<Next> {
        Ok(match self.write_failed(seeing, record, about, error).await? {
            Next::Later { pause, doubt } => {
                Next::Later { pause, doubt: doubt || (state.creating && error.kind != ErrorKind::Revoked) }
            }
            next => next,
        })
    }

    /// The calendar with what writes to it. `None`: its vendor's connector only reads.
    pub(super) fn target<'a>(&'a self, flow: &CalendarFlow, calendar: &'a CalendarSetup) -> Option<Target<'a>> {
        let setup = self.connection_of(flow, &calendar.connection).ok()?;
        Some(Target { calendar, setup, writes: setup.connector.calendar_writes()? })
    }

    pub(super) async fn write_event(
        &self,
        flow: &CalendarFlow,
        target: &Target<'_>,
        write: &EventWrite<'_>,
        calls: &mut u32,
    ) -> Called<WriteOutcome> {
        let (setup, facet) = self.calendar_facet(flow, target.calendar)?;
        let of = flow.reference(target.calendar);
        let id = self.calendar_id(&of, target.calendar, setup, facet, calls).await?;
        let writes = target.writes;
        let answer = with_token!(self, target.setup, Op::Calendar, |cx| writes.write(cx, &id, write));
        paid(answer, calls)
    }

    /// Whether the lease covers another write and its late arrival.
    pub(super) fn has_time(&self, seeing: &Seeing<'_>) -> bool {
        seeing.until.duration_since(self.world.clock.now()) >= self.options.call.saturating_mul(4)
    }

    pub(super) async fn write_failed(
        &self,
        seeing: &Seeing<'_>,
        record: &RecordId,
        about: &str,
        error: &Error,
    ) -> StoreResult<Next> {
        let now = self.world.clock.now();
        let kind = if error.retry == Retry::Never { JournalKind::Parked } else { JournalKind::Retried };
        let text = format!("{about}: its event could not be written: {error}");
        let line = journal::failed(now, kind, error, text);
        let save = SaveMeetings { journal: vec![line], ..nothing(seeing.flow, seeing.held, now) };
        if !self.world.store.save_meetings(save).await? {
            return Ok(Next::Lost);
        }
        if error.retry == Retry::Never && error.kind != ErrorKind::Revoked {
            tracing::warn!(integration.id = %seeing.flow.id, record = %record, error.kind = ?error.kind, "An event was refused");
            return Ok(Next::Done);
        }
        let doubt = error.kind == ErrorKind::UnknownOutcome;
        Ok(Next::Later { pause: self.pause_after(error, 0), doubt })
    }

    async fn not_made(
        &self,
        seeing: &Seeing<'_>,
        record: &Record,
        about: &str,
        why: &str,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        round.events.left_out += 1;
        let text = format!("{about}: not put into a calendar. {why}");
        self.keep_back(seeing, (Vec::new(), Vec::new()), JournalKind::Unchanged, text, &record.id).await
    }

    pub(super) async fn keep_back(
        &self,
        seeing: &Seeing<'_>,
        (meetings, mails): (Vec<StoredMeeting>, Vec<NewMail>),
        kind: JournalKind,
        text: String,
        record: &RecordId,
    ) -> StoreResult<Next> {
        let now = self.world.clock.now();
        let line = JournalEntry { at: now, kind, text, details: json!({ "record": record }) };
        let save = SaveMeetings { meetings, mails, journal: vec![line], ..nothing(seeing.flow, seeing.held, now) };
        Ok(if self.world.store.save_meetings(save).await? { Next::Done } else { Next::Lost })
    }
}

/// What a meeting of the CRM says about whether it is to become an event.
fn asked(flow: &CalendarFlow, record: &Record) -> CrmMeeting {
    let time = |field: Std| match record.fields.get(&field.into()) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    let back = &flow.rules.back;
    let says_yes = |field: &String| match record.fields.get(&Field::Native(field.clone())) {
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Text(text)) => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes"),
        _ => false,
    };
    CrmMeeting {
        created: time(Std::CreatedAt),
        start: time(Std::Start),
        invite: back.invite && back.ask_field.as_ref().is_none_or(says_yes),
        // What bears our key came from a booking or from a calendar.
        has_event: record.text(Std::Key).is_some(),
    }
}
