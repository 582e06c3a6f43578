//! One look at a series or a single meeting: out of all copies of it, and of what is kept, which meetings there are
//! ([`look`]), what is to be known about each ([`Meeting::questions`]) and what is to be done ([`Meeting::decide`]).
//!
//! This is where the parts of this module meet. Nothing is asked and nothing is written here.

mod decide;
mod doubt;
mod parts;

pub use self::{
    decide::Decision,
    doubt::{DOUBT_MAX, Doubt},
};

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};

use self::parts::{Part, Reader};
use super::{
    eligible::{Known, Policy, Since, Verdict, before_look, guests},
    event::{Body, Event, Part as Attends, Unreadable},
    identity::Rid,
    meeting::{
        BackRules, Copy, DeleteSettings, FieldRules, MeetingSettings, OnRecordDeleted, Standing, United, meeting_of,
        questions, unite,
    },
    privacy::{Privacy, PrivacyOptions},
    recur::{Cap, Fault},
    series::{LoggedSeries, Series, wanted},
};
use crate::{
    booking::{
        facts::{Facts, Questions},
        project::Links,
    },
    ids::RecordId,
    record::{Fields, Role, Slot},
    step::{Plan, Write},
};

/// Looks into the CRM that one decision takes at the most: the second asks for the attendees of a meeting that a plan
/// without an answer turned out to have made.
pub const LOOKS_MAX: usize = 2;

/// What an admin chose for an integration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    pub policy: Policy,
    pub meeting: MeetingSettings,
    pub privacy: PrivacyOptions,
    pub deletes: DeleteSettings,
    /// How edits that people make in the CRM travel.
    pub fields: FieldRules,
    /// How much of what people do in the CRM reaches calendars.
    pub back: BackRules,
    /// Whether the CRM lets a meeting be related to several people.
    pub relates_many: bool,
    /// Whether whom the meeting is with has a place there like everybody else, which stays when it is with somebody else.
    pub seats_everybody: bool,
    /// Whether it keeps what somebody who attends replied.
    pub keeps_replies: bool,
}

impl Rules {
    /// Whether something becomes of an event whose record is deleted in the CRM.
    pub fn follows_removals(&self) -> bool {
        self.deletes.on_record_deleted != OnRecordDeleted::Nothing
    }
}

/// One person's calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub name: String,
    /// Its place in the order in which the calendars were linked.
    pub linked: u32,
    /// Whose it is, in normal form.
    pub owner: String,
    /// The zone in which times without one are meant.
    pub home: TimeZone,
    /// Who never reaches the CRM through this calendar, beside those whom the admin keeps out.
    pub blocked: Vec<String>,
    /// How often it has been read to its end.
    pub readings: i64,
}

/// One calendar's copy of an event.
#[derive(Clone, Copy, Debug)]
pub struct SeenCopy<'a> {
    pub calendar: &'a Calendar,
    pub event: &'a Event,
    /// It was there when the calendar was connected.
    pub baseline: bool,
    /// It changed since.
    pub touched: bool,
    /// Whether the calendar is its organiser's.
    pub organizes: bool,
}

impl<'a> SeenCopy<'a> {
    /// The copy as several are put together.
    pub fn as_copy(&self) -> Copy<'a> {
        let Calendar { name, linked, owner, .. } = self.calendar;
        Copy { link: name, linked: *linked, rep: owner, event: self.event, organizes: self.organizes }
    }
}

/// What is kept of a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub verdict: Verdict,
    pub privacy: Privacy,
    /// The subject and the start as they were last known.
    pub title: Option<String>,
    pub start: Option<Timestamp>,
    /// Whether it was logged as the first of its series.
    pub first: bool,
    pub links: Links,
    /// Edits of the CRM that were carried to the event, which has not shown them yet.
    pub carried: Fields,
    /// What was sent and never answered.
    pub plan: Option<Plan>,
    /// Since when it is, or was, doubted that it is called off.
    pub doubt: Option<Doubt>,
}

impl Kept {
    /// Whether the CRM has it, or may have it: what was sent and never answered may be there.
    fn is_logged(&self) -> bool {
        !self.links.is_empty() || self.plan.is_some()
    }

    /// Whether it stands for its series. What never came to be, or was taken away, leaves that to another.
    fn is_first(&self) -> bool {
        self.first && self.is_logged()
    }
}

/// All meetings of a series.
#[derive(Debug, Default)]
pub struct Look<'a> {
    pub meetings: Vec<Meeting<'a>>,
    /// When the answer changes without news.
    pub look_again: Option<Timestamp>,
}

/// One meeting, by all its copies.
#[derive(Debug)]
pub struct Meeting<'a> {
    pub rid: Rid,
    views: Vec<View<'a>>,
    kept: Option<&'a Kept>,
    /// Whether the policy for series chose it; true of what is no series.
    selected: bool,
    first: bool,
    /// Whether meetings of its series may be missing, because there are too many.
    is_capped: bool,
    /// The record that a booking has of it.
    booked: Option<RecordId>,
    policy: Policy,
    doubt: Option<Doubt>,
    /// Whether nothing may be decided because of it.
    is_doubted: bool,
}

/// A meeting as one calendar shows it.
#[derive(Debug)]
struct View<'a> {
    calendar: &'a Calendar,
    event: Event,
    organizes: bool,
    baseline: bool,
    touched: bool,
}

/// Which meetings there are. `copies` are all that bear one name, `calendars` all that are read, whether they have a copy or
/// not, and `kept` what is kept of its meetings.
pub fn look<'a>(
    copies: &[SeenCopy<'a>],
    calendars: &[Calendar],
    kept: &'a BTreeMap<Rid, Kept>,
    rules: &Rules,
    now: Timestamp,
) -> Look<'a> {
    let parts = Part::of(copies);
    let readers: Vec<Reader<'_, 'a>> = parts.iter().map(Part::read).collect();
    let chosen = choose(&parts, kept, rules, now);
    let mut rids: BTreeSet<Rid> = chosen.rids.iter().copied().collect();
    // Special occurrences that nobody chose have a reason, too.
    rids.extend(parts.iter().flat_map(Part::told));
    rids.extend(kept.iter().filter(|(_, kept)| kept.is_logged()).map(|(rid, _)| *rid));
    if rids.is_empty() && parts.iter().any(|part| part.whole.master.is_some()) {
        rids.insert(Rid::Single);
    }
    let meeting = |rid: Rid| {
        let views: Vec<View<'a>> =
            readers.iter().filter_map(|reader| reader.view(rid, chosen.once_as, chosen.fault.as_ref())).collect();
        let kept = kept.get(&rid);
        let blocked = views.iter().flat_map(|view| view.calendar.blocked.iter().cloned());
        let mut policy = rules.policy.clone();
        policy.blocked.extend(blocked);
        let first = chosen.first == Some(rid) || kept.is_some_and(Kept::is_first);
        let selected = chosen.rids.contains(&rid);
        let is_capped = chosen.capped.is_some();
        Meeting { rid, selected, first, is_capped, booked: None, policy, kept, views, doubt: None, is_doubted: false }
    };
    let mut meetings: Vec<Meeting<'a>> =
        rids.into_iter().map(meeting).filter(|meeting| !meeting.views.is_empty()).collect();
    meetings.iter_mut().for_each(|meeting| meeting.consider(calendars, now));
    let doubts = meetings.iter().filter(|meeting| meeting.is_doubted).filter_map(|meeting| meeting.doubt.as_ref());
    let look_again = doubts.map(|doubt| doubt.look_again(now)).chain(chosen.look_again).min();
    // What was chosen here may be another once it is known what a plan without an answer came to.
    let is_unsettled = kept.values().any(|kept| kept.plan.is_some());
    Look { meetings, look_again: if is_unsettled { Some(now) } else { look_again } }
}

/// What the policy for series chose.
#[derive(Default)]
struct Chosen {
    rids: BTreeSet<Rid>,
    first: Option<Rid>,
    /// The occurrence under which a meeting is known that happens once: a series that no longer recurs goes on as what was
    /// logged of it.
    once_as: Option<Rid>,
    look_again: Option<Timestamp>,
    capped: Option<Cap>,
    fault: Option<Fault>,
}

fn choose(parts: &[Part<'_>], kept: &BTreeMap<Rid, Kept>, rules: &Rules, now: Timestamp) -> Chosen {
    let mut out = Chosen::default();
    // Special occurrences of a series that its calendar does not show are meetings of their own.
    out.rids.extend(parts.iter().flat_map(Part::orphans));
    let masters: Vec<Copy<'_>> = parts.iter().filter_map(Part::master).collect();
    let united = unite(&masters);
    let Some(source) = parts.iter().find(|part| Some(part.calendar.name.as_str()) == united.source) else { return out };
    let Some(content) = united.content else { return out };
    let home = &source.calendar.home;
    let logged = |rid: &Rid| kept.get(rid).is_some_and(Kept::is_logged);
    let at_start = Rid::of(&content.start, home);
    if content.recurrence.is_empty() {
        let once = if logged(&at_start) && !logged(&Rid::Single) { at_start } else { Rid::Single };
        out.once_as = Some(once);
        out.rids.insert(once);
        return out;
    }
    let first = kept.iter().find(|(_, kept)| kept.is_first()).map(|(rid, _)| *rid);
    let before = LoggedSeries {
        // What was a single meeting before it recurred is its first one.
        first: first.or(logged(&Rid::Single).then_some(at_start)),
        rids: kept.keys().filter(|rid| logged(rid)).copied().collect(),
    };
    let changed: BTreeSet<Rid> = parts.iter().flat_map(Part::changed).collect();
    // Of a series that was there before, the first meeting is the first that counts.
    let from = match rules.policy.since {
        Since::Backfill(from) if parts.iter().all(Part::is_baseline) => from,
        Since::Backfill(_) | Since::Created | Since::Touched => Timestamp::MIN,
    };
    let series = Series { content, overrides: &source.overrides, changed: &changed, home, from };
    match wanted(rules.policy.series, &series, &before, now) {
        Ok(wanted) => {
            out.rids.extend(wanted.occurrences.iter().map(|one| one.rid).chain(wanted.called_off));
            // An occurrence that was logged is kept in step; whether it would be chosen again is not asked.
            (out.first, out.look_again, out.capped) = (wanted.first, wanted.look_again, wanted.capped);
        }
        Err(fault) => {
            out.rids.insert(Rid::Single);
            out.fault = Some(fault);
        }
    }
    out
}

impl Look<'_> {
    /// Says which record a booking has of it.
    pub fn is_booked(&mut self, record: &RecordId) {
        self.meetings.iter_mut().for_each(|meeting| meeting.booked = Some(record.clone()));
    }
}

impl<'a> Meeting<'a> {
    /// What is to be looked up, as far as the facts do not tell it yet.
    pub fn questions(&self, facts: &Facts) -> Questions {
        let mut ask = self.kept.map(|kept| self.questions_about_kept(kept, facts)).unwrap_or_default();
        let copies = self.copies();
        let united = unite(&copies);
        let (Some(content), false) = (united.content, self.is_removed()) else { return ask };
        let is_logged = self.kept.is_some_and(|kept| matches!(kept.privacy, Privacy::Synced | Privacy::Frozen));
        let asks = is_logged || (self.selected && united.standing == Standing::On && self.passes(&united));
        if asks {
            let guests = guests(content, &self.policy);
            // Who uses the CRM is no guest, whatever the address says.
            let may_be = |email: &&str| self.policy.is_internal(email) || guests.contains(*email);
            let there = content.attendees.iter().filter(|one| one.part != Attends::Resource).map(|one| &one.who);
            let users = there.chain(&content.organizer).map(|who| who.email.as_str()).filter(may_be);
            let users = users.chain(united.reps.iter().copied()).map(str::to_owned).collect();
            ask.extend(questions(&guests, &users));
        }
        ask
    }

    fn questions_about_kept(&self, kept: &Kept, facts: &Facts) -> Questions {
        let mut ask = Questions::default();
        if let Some(link) = kept.links.get(&Slot::Meeting) {
            ask.ids.entry(Role::Meeting).or_default().insert(link.id.clone());
        }
        for step in kept.plan.iter().flat_map(|plan| &plan.steps).filter(|step| step.role != Role::Attendee) {
            match &step.write {
                Write::Upsert { key, .. } => drop(ask.keys.entry(step.role).or_default().insert(key.clone())),
                Write::Patch { id, .. } | Write::Delete { id } => {
                    ask.ids.entry(step.role).or_default().insert(id.clone());
                }
            }
        }
        let is_attended = |plan: &&Plan| plan.steps.iter().any(|step| step.role == Role::Attendee);
        let meeting = kept.plan.as_ref().filter(is_attended).and_then(|plan| meeting_of(&kept.links, plan, facts));
        ask.attendees.extend(meeting.filter(|id| facts.attendees(id).is_none()));
        ask
    }

    /// Finds out whether it is to be believed that the meeting was called off.
    fn consider(&mut self, calendars: &[Calendar], now: Timestamp) {
        let known = self.kept.and_then(|kept| kept.doubt.as_ref());
        let doubt = unite(&self.copies()).hearsay.and_then(|whose| Doubt::of(whose, calendars, known, now));
        self.is_doubted = doubt.as_ref().is_some_and(|doubt| doubt.holds(calendars, now));
        self.doubt = doubt;
    }

    /// Whether the event itself says that it may be known in the CRM.
    fn passes(&self, united: &United<'_>) -> bool {
        let source = self.source(united);
        source.is_some_and(|view| before_look(&view.event, self.known(), &self.policy, &view.calendar.home).is_ok())
    }

    fn copies(&self) -> Vec<Copy<'_>> {
        let copy = |view| {
            let View { calendar, event, organizes, .. }: &View<'_> = view;
            let (link, rep) = (calendar.name.as_str(), calendar.owner.as_str());
            Copy { link, linked: calendar.linked, rep, event, organizes: *organizes }
        };
        self.views.iter().map(copy).collect()
    }

    /// The copy that tells what the meeting is about.
    fn source(&self, united: &United<'_>) -> Option<&View<'a>> {
        self.views.iter().find(|view| Some(view.calendar.name.as_str()) == united.source)
    }

    /// Of several calendars each says it for itself: what came new into one of them is new.
    fn known(&self) -> Known {
        let open = || self.views.iter().filter(|view| matches!(view.event.body, Body::Open(_)));
        Known { baseline: open().all(|view| view.baseline), touched: open().any(|view| view.touched) }
    }

    fn is_private(&self) -> bool {
        self.views.iter().any(|view| view.event.body == Body::Private)
    }

    fn unreadable(&self) -> Option<&Unreadable> {
        self.views.iter().find_map(|view| match &view.event.body {
            Body::Unreadable(why) => Some(why),
            _ => None,
        })
    }

    fn is_removed(&self) -> bool {
        use super::eligible::Reason::RemovedInCrm;
        self.kept.is_some_and(|kept| kept.verdict == Verdict::LeftOut(RemovedInCrm))
    }
}
