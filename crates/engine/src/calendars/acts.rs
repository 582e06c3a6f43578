//! What a person may do with an integration of calendars beside starting and pausing it: look whether it can work, see how
//! it stands, and have tried again what was refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use syncline_connect::records::Remark;
use syncline_store::{CalendarState, FlowState, MeetingFilter, MeetingView, Result as StoreResult};

use super::{
    CalendarFlow, CalendarSetup,
    mails::{NOBODY_TELLS, Tells},
    watch::told_until,
};
use crate::{call::with_token, engine::Engine, push::Op, setup::ConnectionSetup, standing::Flow};

/// What was found about one calendar, or about the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarRemark {
    /// The calendar's name, or the CRM's connection.
    pub about: String,
    pub good: bool,
    /// A sentence, with what to do where something has to be done.
    pub text: String,
}

/// What a status page shows of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFlowState {
    pub state: Option<FlowState>,
    /// Every calendar, with how far it is read; nothing before its first reading.
    pub calendars: Vec<(String, Option<CalendarState>)>,
    /// How many meetings there are, by the word of their verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Meetings that the CRM refused.
    pub held: u64,
    /// When there is next a meeting to look at.
    pub next_at: Option<Timestamp>,
    /// Until when calendars' vendors tell of changes, by name of the calendar; those that are known to reach us.
    pub told_until: BTreeMap<String, Timestamp>,
}

impl Flow for CalendarFlow {
    fn workspace(&self) -> &syncline_core::ids::WorkspaceId {
        &self.workspace
    }

    fn id(&self) -> &syncline_core::ids::IntegrationId {
        &self.id
    }
}

impl Engine {
    /// Asks every calendar and the CRM whether the integration can work.
    pub async fn calendars_check(&self, flow: &CalendarFlow) -> Vec<CalendarRemark> {
        let mut remarks = Vec::new();
        for calendar in &flow.calendars {
            let (good, text) = match self.calendar_facet(flow, calendar) {
                Err(error) => (false, error.message),
                Ok((setup, facet)) => {
                    let answer = with_token!(self, setup, Op::Calendar, |cx| facet.list(cx));
                    match answer {
                        Err(error) => (false, error.message),
                        Ok(all) => {
                            let wanted = |entry: &&syncline_connect::calendar::CalendarEntry| match &calendar.calendar {
                                Some(id) => entry.id == *id,
                                None => entry.primary,
                            };
                            match all.value.iter().find(wanted) {
                                Some(entry) => (true, format!("“{}” of {} can be read", entry.name, calendar.owner)),
                                None => (false, not_among(&all.value)),
                            }
                        }
                    }
                }
            };
            remarks.push(CalendarRemark { about: calendar.name.clone(), good, text });
            if good && (flow.rules.back.asks() || flow.rules.follows_removals()) {
                let (good, text) = self.telling(flow, calendar).await;
                remarks.push(CalendarRemark { about: calendar.name.clone(), good, text });
            }
        }
        let crm = match self.connection_of(flow, &flow.crm) {
            Err(error) => vec![(false, error.message)],
            Ok(setup) => match self.examine(setup).await {
                Err(error) => vec![(false, error.message)],
                Ok(found) => found.into_iter().filter_map(finding).collect(),
            },
        };
        let about = flow.crm.to_string();
        remarks.extend(crm.into_iter().map(|(good, text)| CalendarRemark { about: about.clone(), good, text }));
        remarks
    }

    /// Whether guests of what is written to a calendar hear of it, and by whom.
    async fn telling(&self, flow: &CalendarFlow, calendar: &CalendarSetup) -> (bool, String) {
        let Some(target) = self.target(flow, calendar) else {
            return (false, "it cannot be written to, so nothing that people do in the CRM reaches it".to_owned());
        };
        match self.tells(flow, &target, &mut 0).await {
            Err(error) => (false, error.message),
            Ok(Tells::Calendar) => (true, "it tells guests of what is written to it".to_owned()),
            Ok(Tells::Mail) => (true, "its server tells guests nothing, so they are mailed from here".to_owned()),
            Ok(Tells::Nobody) => (false, format!("no guest would hear of anything: {NOBODY_TELLS}")),
        }
    }

    /// One round at once: every calendar is read although it is not time.
    pub async fn run_calendars_now(
        &self,
        flow: &CalendarFlow,
        confirm_deletes: bool,
    ) -> StoreResult<super::CalendarRoundEnd> {
        if confirm_deletes {
            self.go_on(flow).await?;
        }
        for calendar in &flow.calendars {
            self.calendar_soon(&flow.reference(calendar)).await?;
        }
        self.round_of_calendars(flow, confirm_deletes, true).await
    }

    /// An account is connected, perhaps again: its calendars are read at once, and not when it was time for them without it.
    pub async fn read_connected(&self, setup: &ConnectionSetup) -> StoreResult<()> {
        for flow in self.all_calendar_flows().await?.iter().filter(|flow| flow.workspace == setup.workspace) {
            let own = flow.calendars.iter().filter(|calendar| calendar.connection == setup.id);
            for calendar in own {
                self.calendar_soon(&flow.reference(calendar)).await?;
                self.wakes.of(&**flow).notify_one();
            }
        }
        Ok(())
    }

    /// How an integration stands.
    pub async fn calendars_status(&self, flow: &CalendarFlow) -> StoreResult<CalendarFlowState> {
        let store = &self.world.store;
        let mut known: BTreeMap<String, CalendarState> =
            store.calendars(&flow.workspace, &flow.id).await?.into_iter().collect();
        let counts = store.meeting_counts(&flow.workspace, &flow.id).await?;
        let calendars = flow.calendars.iter().map(|one| (one.name.clone(), known.remove(&one.name))).collect();
        Ok(CalendarFlowState {
            state: store.flow_state(&flow.workspace, &flow.id).await?,
            calendars,
            verdicts: counts.verdicts,
            held: counts.held,
            next_at: counts.next_at,
            told_until: told_until(flow, &store.watches(&flow.workspace).await?, self.world.clock.now()),
        })
    }

    /// Meetings with what became of them, in the order in which they became known, behind `after`.
    pub async fn calendar_events(
        &self,
        flow: &CalendarFlow,
        filter: MeetingFilter,
        after: i64,
        limit: usize,
    ) -> StoreResult<Vec<MeetingView>> {
        self.world.store.meetings(&flow.workspace, &flow.id, filter, after, limit).await
    }

    /// The same, those first that became known last, and older ones than `before`.
    pub async fn newest_calendar_events(
        &self,
        flow: &CalendarFlow,
        filter: MeetingFilter,
        before: Option<i64>,
        limit: usize,
    ) -> StoreResult<Vec<MeetingView>> {
        self.world.store.newest_meetings(&flow.workspace, &flow.id, filter, before, limit).await
    }

    /// Has looked at again what the CRM refused; how many series and meetings.
    pub async fn retry_meetings(&self, flow: &CalendarFlow) -> StoreResult<usize> {
        self.world.store.retry_meetings(&flow.workspace, &flow.id, self.world.clock.now()).await
    }
}

/// What stands in the way. That something is in order is not told here, nor what only bookings need.
fn finding(remark: Remark) -> Option<(bool, String)> {
    match remark {
        Remark::Good(text) => Some((true, text)),
        Remark::Note(_) => None,
        Remark::Lacks(finding) => Some((!finding.blocking, format!("{}: {}", finding.problem, finding.fix))),
    }
}

fn not_among(all: &[syncline_connect::calendar::CalendarEntry]) -> String {
    let names: Vec<String> = all.iter().map(|entry| format!("`{}` ({})", entry.id.0, entry.name)).collect();
    match names.as_slice() {
        [] => "the account shows no calendar; check what the connection may see".to_owned(),
        names => format!("the account has no such calendar; give `calendar` as one of {}", names.join(", ")),
    }
}
