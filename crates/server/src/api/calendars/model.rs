//! What the API says of integrations of calendars: shapes of its own, so that neither the store's rows nor the engine's
//! types become promises. The pages show the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{calendar::eligible::Verdict, ids::ConnectionId};
use syncline_engine::{
    GrantKind,
    calendars::{
        CalendarFlow, CalendarFlowState, CalendarPreview, CalendarRemark, CalendarRound, CalendarSetup, PreviewTally,
        PreviewedEvent,
    },
};
use syncline_store::{CalendarState, ConnectionRow, FlowStanding, MeetingFilter, MeetingView};
use utoipa::ToSchema;

use crate::{
    api::{
        integration::{Agreed, Standing, Unusable},
        model::Health,
    },
    shared::Shared,
};

/// Events of each sort that a preview shows.
const SAMPLES: usize = 20;

/// Integrations of the workspace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsList)]
pub(crate) struct IntegrationList {
    pub(crate) integrations: Vec<Integration>,
    /// Integrations that were written through the API and do not fit the configuration any more.
    pub(crate) unusable: Vec<Unusable>,
}

/// An integration that brings meetings of people's calendars onto the timelines of a CRM.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsIntegration)]
pub(crate) struct Integration {
    pub(crate) name: String,
    pub(crate) standing: Standing,
    /// Why it stopped, and what to do.
    pub(crate) reason: Option<String>,
    /// Since when it stands so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
    pub(crate) agreed: Option<Agreed>,
    /// The CRM that is written to.
    pub(crate) crm: Account,
    /// Whose calendars take part, in the order of the setup.
    pub(crate) calendars: Vec<Calendar>,
    pub(crate) counts: Counts,
    /// When a calendar last answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_look: Option<Timestamp>,
    /// When a calendar or a meeting is looked at next; a time that has passed means as soon as it is active.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next_look: Option<Timestamp>,
}

/// A connected account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsAccount)]
pub(crate) struct Account {
    pub(crate) connection: String,
    pub(crate) vendor: Option<String>,
    pub(crate) health: Health,
    /// Why, where the connection does not work or pauses.
    pub(crate) reason: Option<String>,
    /// The page at which its owner connects it; absent where nobody needs to.
    pub(crate) connect: Option<String>,
}

impl Account {
    fn new(shared: &Shared, flow: &CalendarFlow, id: &ConnectionId, rows: &[ConnectionRow]) -> Self {
        let row = rows.iter().find(|row| row.connection == *id);
        let setup = shared.engine.setup().connection(&flow.workspace, id);
        let in_browser =
            setup.is_some_and(|setup| matches!(setup.grant, GrantKind::Browser) && setup.connector.oauth().is_some());
        let page = shared.options.public_url.join(&format!("connect/{id}")).ok();
        Self {
            connection: id.as_str().to_owned(),
            vendor: setup.map(|setup| setup.connector.manifest().vendor.to_owned()),
            health: Health::of(row, shared.now()),
            reason: row.and_then(|row| row.reason.clone()),
            connect: page.filter(|_| in_browser).map(String::from),
        }
    }
}

/// One calendar of one person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsCalendar)]
pub(crate) struct Calendar {
    /// What it is called in this integration.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) owner: String,
    /// The calendar's name at its vendor; absent for the account's primary one.
    pub(crate) calendar: Option<String>,
    pub(crate) account: Account,
    /// Seconds between two looks for changes.
    pub(crate) every_seconds: i64,
    /// When it was looked at first: what was there before counts as old.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) connected_at: Option<Timestamp>,
    /// Whether all that was there then is known.
    pub(crate) whole: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_look: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next_look: Option<Timestamp>,
    /// Why it could not be read.
    pub(crate) problem: Option<String>,
}

impl Calendar {
    fn new(account: Account, setup: &CalendarSetup, state: Option<&CalendarState>) -> Self {
        Self {
            name: setup.name.clone(),
            owner: setup.owner.clone(),
            calendar: setup.calendar.as_ref().map(|id| id.0.clone()),
            account,
            every_seconds: setup.every.as_secs(),
            connected_at: state.map(|state| state.connected_at),
            whole: state.is_some_and(|state| state.settled),
            last_look: state.and_then(|state| state.read_at),
            next_look: state.map(|state| state.next_at),
            problem: state.and_then(|state| state.problem.clone()),
        }
    }
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsCounts)]
pub(crate) struct Counts {
    pub(crate) logged: u64,
    pub(crate) left_out: u64,
    /// Events that the CRM refused; `retry` tries them again.
    pub(crate) held: u64,
    /// How many are left out for each reason.
    pub(crate) reasons: BTreeMap<String, u64>,
}

impl Counts {
    fn new(state: &CalendarFlowState) -> Self {
        let mut reasons = state.verdicts.clone();
        let logged = reasons.remove(MeetingFilter::LOGGED).unwrap_or_default();
        Self { logged, left_out: reasons.values().sum(), held: state.held, reasons }
    }
}

impl Integration {
    pub(crate) fn new(
        shared: &Shared,
        flow: &CalendarFlow,
        status: &CalendarFlowState,
        rows: &[ConnectionRow],
    ) -> Self {
        let state = status.state.as_ref();
        let calendars = flow.calendars.iter().zip(&status.calendars).map(|(setup, (_, state))| {
            Calendar::new(Account::new(shared, flow, &setup.connection, rows), setup, state.as_ref())
        });
        let known = || status.calendars.iter().filter_map(|(_, state)| state.as_ref());
        Self {
            name: flow.id.as_str().to_owned(),
            standing: state.map_or(FlowStanding::Draft, |state| state.standing).into(),
            reason: state.and_then(|state| state.reason.clone()),
            since: state.map(|state| state.changed_at),
            agreed: state.and_then(Agreed::of),
            crm: Account::new(shared, flow, &flow.crm, rows),
            calendars: calendars.collect(),
            counts: Counts::new(status),
            last_look: known().filter_map(|state| state.read_at).max(),
            next_look: known().map(|state| state.next_at).chain(status.next_at).min(),
        }
    }
}

/// Whether it can work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsChecked)]
pub(crate) struct Checked {
    /// Whether all of it is good.
    pub(crate) works: bool,
    pub(crate) remarks: Vec<Remark>,
}

/// What was found about one calendar, or about the CRM.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsRemark)]
pub(crate) struct Remark {
    /// The calendar's name, or the CRM's connection.
    pub(crate) about: String,
    pub(crate) good: bool,
    /// A sentence, with what to do where something has to be done.
    pub(crate) text: String,
}

impl From<Vec<CalendarRemark>> for Checked {
    fn from(remarks: Vec<CalendarRemark>) -> Self {
        let works = remarks.iter().all(|remark| remark.good);
        let remark = |CalendarRemark { about, good, text }| Remark { about, good, text };
        Self { works, remarks: remarks.into_iter().map(remark).collect() }
    }
}

/// What activating would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsPreview)]
pub(crate) struct Previewed {
    /// Whether all upcoming events were read; a preview reads 5,000 events of a calendar at most.
    pub(crate) complete: bool,
    /// What becomes of the upcoming events as they are.
    pub(crate) as_they_are: Tally,
    /// What would become of them if they were made after it was activated; absent where that is the same.
    pub(crate) if_new: Option<Tally>,
    /// A few of those that would be logged, and of those that would not, by start.
    pub(crate) samples: Vec<Sample>,
}

/// How many events would be logged, and how many not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsTally)]
pub(crate) struct Tally {
    pub(crate) logged: usize,
    pub(crate) left_out: usize,
    /// Why not, the commonest first.
    pub(crate) reasons: Vec<ReasonCount>,
}

/// Events that are left out for one reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsReason)]
pub(crate) struct ReasonCount {
    /// Stable; branch on this.
    pub(crate) reason: String,
    pub(crate) sentence: String,
    pub(crate) next_step: String,
    pub(crate) count: usize,
}

impl From<PreviewTally<'_>> for Tally {
    fn from(tally: PreviewTally<'_>) -> Self {
        let reasons = tally.reasons.into_iter().map(|(reason, count)| ReasonCount {
            reason: reason.code().to_owned(),
            sentence: reason.sentence(),
            next_step: reason.next_step().to_owned(),
            count,
        });
        Self { logged: tally.logged, left_out: tally.left_out, reasons: reasons.collect() }
    }
}

/// One upcoming event of a preview. Of a private one nothing is told but that it exists.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsSample)]
pub(crate) struct Sample {
    /// The calendars that it is in.
    pub(crate) calendars: Vec<String>,
    pub(crate) title: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) start: Option<Timestamp>,
    pub(crate) private: bool,
    pub(crate) logged: bool,
    /// Why it is not logged.
    pub(crate) reason: Option<String>,
    pub(crate) sentence: Option<String>,
    pub(crate) next_step: Option<String>,
}

impl From<&PreviewedEvent> for Sample {
    fn from(event: &PreviewedEvent) -> Self {
        let reason = match &event.verdict {
            Verdict::Log => None,
            Verdict::LeftOut(reason) => Some(reason),
        };
        Self {
            calendars: event.calendars.clone(),
            title: event.title().map(str::to_owned),
            start: event.start(),
            private: event.is_private(),
            logged: reason.is_none(),
            reason: reason.map(|reason| reason.code().to_owned()),
            sentence: reason.map(|reason| reason.sentence()),
            next_step: reason.map(|reason| reason.next_step().to_owned()),
        }
    }
}

impl From<&CalendarPreview> for Previewed {
    fn from(preview: &CalendarPreview) -> Self {
        let samples = [true, false].into_iter().flat_map(|logged| preview.events_that_are(logged).take(SAMPLES));
        Self {
            complete: !preview.capped,
            as_they_are: preview.tally().into(),
            if_new: preview.tally_if_new().map(Tally::from),
            samples: samples.map(Sample::from).collect(),
        }
    }
}

/// What a round did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsRan)]
pub(crate) struct Ran {
    /// Whether it has come to its end. If not, it goes on by itself; the integration's counts tell how far it is.
    pub(crate) done: bool,
    /// What it did, once it is done.
    pub(crate) round: Option<Rounded>,
}

/// The numbers of a round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsRound)]
pub(crate) struct Rounded {
    /// Events that were read.
    read: usize,
    /// Meetings that were decided about.
    decided: usize,
    created: usize,
    updated: usize,
    deleted: usize,
    /// Events of calendars that were written because of what people did in the CRM: the next three together.
    events: usize,
    events_made: usize,
    events_changed: usize,
    /// Deleted or declined.
    events_removed: usize,
    /// Those that what people did in the CRM was to reach and did not; the activity log has each with its reason.
    events_left_out: usize,
    left_out: usize,
    held: usize,
    /// Calls that the vendors count.
    calls: u32,
    /// There is more to do at once.
    more: bool,
    /// Calendars that could not be read, by name, and why.
    failed: BTreeMap<String, String>,
}

impl From<CalendarRound> for Rounded {
    fn from(round: CalendarRound) -> Self {
        Self {
            read: round.read,
            decided: round.decided,
            created: round.created,
            updated: round.updated,
            deleted: round.deleted,
            events: round.events.written(),
            events_made: round.events.made,
            events_changed: round.events.changed,
            events_removed: round.events.removed,
            events_left_out: round.events.left_out,
            left_out: round.left_out,
            held: round.held,
            calls: round.calls,
            more: round.more,
            failed: round.failed.into_iter().map(|(calendar, error)| (calendar, error.message)).collect(),
        }
    }
}

/// What will be tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsRetried)]
pub(crate) struct Retried {
    /// Series and single meetings.
    pub(crate) meetings: usize,
}

/// Which events are asked for.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CalendarsShow)]
pub(crate) enum Show {
    Logged,
    LeftOut,
    /// Those that the CRM refused.
    Held,
}

/// What became of an event. Of a private one nothing is told but that it exists.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsEvent)]
pub(crate) struct Event {
    /// What `before` takes.
    pub(crate) id: i64,
    /// What all copies of the meeting, or of its series, are called.
    pub(crate) uid: String,
    /// Which meeting of a series it is.
    pub(crate) occurrence: String,
    pub(crate) title: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) start: Option<Timestamp>,
    pub(crate) private: bool,
    pub(crate) logged: bool,
    /// The CRM's record of it.
    pub(crate) record: Option<String>,
    /// Where people see that record.
    pub(crate) record_url: Option<String>,
    /// On whose timelines it is, by address: the person whom it is with first.
    pub(crate) people: Vec<String>,
    /// Why the CRM refused it, and what to do.
    pub(crate) problem: Option<String>,
    /// Why it is not logged. Stable; branch on this.
    pub(crate) reason: Option<String>,
    pub(crate) sentence: Option<String>,
    pub(crate) next_step: Option<String>,
    /// What of it was shortened, because it is longer than anything that is kept.
    pub(crate) shortened: Vec<String>,
}

impl Event {
    pub(crate) fn new(view: &MeetingView, record_url: Option<String>) -> Self {
        let reason = view.reason();
        Self {
            id: view.id,
            uid: view.key.uid.as_str().to_owned(),
            occurrence: view.key.rid.to_string(),
            title: view.title().map(str::to_owned),
            start: view.start(),
            private: view.is_private(),
            logged: reason.is_none(),
            record: view.record.as_ref().map(|id| id.as_str().to_owned()),
            record_url,
            people: view.people().to_vec(),
            problem: view.state.problem.clone(),
            reason: reason.map(|reason| reason.code().to_owned()),
            sentence: reason.map(|reason| reason.sentence()),
            next_step: reason.map(|reason| reason.next_step().to_owned()),
            shortened: view.shortened().map(|what| what.sentence().to_owned()).collect(),
        }
    }
}

/// A page of events, those first that became known last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsEventPage)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<Event>,
    /// Give this as `before` for the next page; absent on the last.
    pub(crate) next_before: Option<i64>,
}

/// What became of an integration that was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarsWritten)]
pub(crate) struct SetupWritten {
    pub(crate) name: String,
    pub(crate) version: i64,
}
