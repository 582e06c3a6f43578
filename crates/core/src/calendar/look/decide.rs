//! What is to be done about one meeting.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};

use super::{Doubt, Kept, Meeting, Rules, View};
use crate::{
    booking::{diff::Normalise, facts::Facts, project::Links},
    calendar::{
        eligible::{self, Policy, Reason, SeriesRule, Verdict, guests, judge},
        event::{Event, Shortened},
        identity::{MeetingKey, Rid},
        meeting::{
            CalendarDelete, Crm, Decided, FieldRules, Standing, United, called_off, decide, decide_known,
            decide_removed, find_person, on_calendar_delete, project, redacted, settle, unite,
        },
        privacy::{Effect, Privacy, Sight, step},
    },
    ids::{RecordId, WorkspaceId},
    mutant::{self, Mutant},
    person::squeeze,
    record::{Fields, Role, Slot, Std},
};

/// What is to be done about a meeting, and what is to be kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub key: MeetingKey,
    pub verdict: Verdict,
    /// As long as it is not done, and once it is.
    pub privacy_before: Privacy,
    pub privacy: Privacy,
    /// The subject and the start, where they may be known.
    pub title: Option<String>,
    pub start: Option<Timestamp>,
    pub first: bool,
    /// What of it is longer than is kept.
    pub shortened: BTreeSet<Shortened>,
    /// The links as they are before the plan.
    pub before: Links,
    pub decided: Option<Decided>,
    /// That only a guest's copy calls the meeting off, and whether it is waited for the organiser's because of that.
    pub doubt: Option<Doubt>,
    pub is_doubted: bool,
}

impl Decision {
    /// Whether there is nothing to be sent.
    pub fn is_idle(&self) -> bool {
        self.decided.as_ref().is_none_or(|decided| decided.plan.steps.is_empty())
    }

    /// The links once the plan is done, given the ids that its steps yielded.
    pub fn links(&self, ids: &[(Slot, RecordId)]) -> Links {
        self.decided.as_ref().map_or_else(|| self.before.clone(), |decided| decided.links(ids))
    }
}

/// What a decision says beside its plan.
type Said = (Verdict, Option<Decided>);

impl Meeting<'_> {
    /// Decides. Total: once what it says is done and kept, it says the same again and has nothing to do. Whatever
    /// [`Meeting::questions`] asks has to be in the facts.
    pub fn decide(
        &self,
        key: MeetingKey,
        workspace: &WorkspaceId,
        facts: &Facts,
        rules: &Rules,
        normalise: Normalise<'_>,
    ) -> Decision {
        let copies = self.copies();
        let united = unite(&copies);
        let source = self.source(&united);
        let home = source.or(self.views.first()).map_or(TimeZone::UTC, |view| view.calendar.home.clone());
        let empty = Links::new();
        let known = self.kept.map_or(&empty, |kept| &kept.links);
        let mut links = self.kept.map_or_else(Links::new, |kept| match &kept.plan {
            Some(plan) => settle(known, plan, facts),
            None => known.clone(),
        });
        // Of what is gone it is still known what it was.
        let known_start = || self.kept.and_then(|kept| kept.start);
        let start = united.content.map(|content| content.start.instant(&home)).or_else(known_start);
        let known_title = || self.kept.and_then(|kept| kept.title.clone());
        let title = united.content.map(|content| squeeze(&content.summary)).or_else(known_title);
        let (privacy, effect) = self.effect(&united, &links, rules, &home);
        let is_lost = links.get(&Slot::Meeting).is_some_and(|link| facts.record(&link.id).is_none());
        let was_removed = self.is_removed();
        if is_lost || was_removed {
            links.clear();
        }
        let (is_lost, was_removed) = match mutant::on(Mutant::RemovalForgotten) {
            true => (false, false),
            false => (is_lost, was_removed),
        };
        let nothing = Fields::new();
        let carried = self.kept.map_or(&nothing, |kept| &kept.carried);
        let crm = Crm {
            workspace,
            facts,
            links: &links,
            carried,
            relates_many: rules.relates_many,
            seats_everybody: rules.seats_everybody,
        };
        let cx =
            Deciding { meeting: self, key: &key, united: &united, source, crm: &crm, rules, home: &home, normalise };
        let (verdict, decided) = match self.unreadable() {
            _ if is_lost || was_removed => (Verdict::LeftOut(Reason::RemovedInCrm), None),
            Some(why) if united.content.is_none() => (Verdict::LeftOut(Reason::Unreadable(why.to_string())), None),
            _ if self.is_doubted => (cx.as_before(), None),
            _ => cx.carry_out(effect, privacy),
        };
        let privacy_before = match effect {
            Effect::Judge => Privacy::Eligible,
            _ => self.kept.map_or(Privacy::Unknown, |kept| kept.privacy),
        };
        let privacy = match decided {
            Some(_) if privacy == Privacy::Eligible => step(privacy, Sight::Logged, rules.privacy).0,
            _ => privacy,
        };
        let may_know = privacy.may_keep_text();
        let mut before = links.clone();
        if !may_know {
            forget_texts(&mut before);
        }
        Decision {
            key,
            verdict,
            privacy_before,
            privacy,
            title: title.filter(|title| may_know && !title.is_empty()),
            start: start.filter(|_| may_know),
            first: self.first && (decided.is_some() || !before.is_empty()),
            shortened: self.shortened(&united),
            before,
            decided,
            doubt: self.doubt.clone(),
            is_doubted: self.is_doubted,
        }
    }

    fn shortened(&self, united: &United<'_>) -> BTreeSet<Shortened> {
        let mut all = united.content.map(|content| content.shortened.clone()).unwrap_or_default();
        all.extend(self.is_capped.then_some(Shortened::Series));
        all
    }

    /// What the privacy of the meeting makes of the sight of it.
    fn effect(&self, united: &United<'_>, links: &Links, rules: &Rules, home: &TimeZone) -> (Privacy, Effect) {
        let state = self.kept.map_or(Privacy::Unknown, |kept: &Kept| kept.privacy);
        let is_logged = links.contains_key(&Slot::Meeting);
        if is_logged && !matches!(state, Privacy::Synced | Privacy::Frozen) {
            // A plan without an answer turned out to have been carried out.
            let (state, effect) = step(state, Sight::Logged, rules.privacy);
            if effect != Effect::Nothing || self.is_doubted {
                return (state, effect);
            }
            return step(state, self.sight(united, home), rules.privacy);
        }
        if self.is_doubted {
            return (state, Effect::Nothing);
        }
        step(state, self.sight(united, home), rules.privacy)
    }

    fn sight(&self, united: &United<'_>, home: &TimeZone) -> Sight {
        match united.content {
            Some(content) => Sight::Open { since_connection: self.policy.covers(content, self.known(), home) },
            None if self.is_private() => Sight::Private,
            None => Sight::Deleted,
        }
    }
}

/// Everything about one meeting that a decision takes.
struct Deciding<'d> {
    meeting: &'d Meeting<'d>,
    key: &'d MeetingKey,
    united: &'d United<'d>,
    source: Option<&'d View<'d>>,
    crm: &'d Crm<'d>,
    rules: &'d Rules,
    home: &'d TimeZone,
    normalise: Normalise<'d>,
}

impl Deciding<'_> {
    fn carry_out(&self, effect: Effect, privacy: Privacy) -> Said {
        let links = self.crm.links;
        let is_logged = links.contains_key(&Slot::Meeting);
        let logged = |decided: Option<Decided>| (Verdict::Log, decided);
        match effect {
            Effect::Judge => self.judge(),
            Effect::Write if self.is_the_bookings() => {
                let own = links.get(&Slot::Meeting).filter(|link| Some(&link.id) != self.meeting.booked.as_ref());
                (Verdict::LeftOut(Reason::Booked), own.map(|_| decide_removed(self.crm)))
            }
            Effect::Write if self.united.standing == Standing::Cancelled => match self.rules.deletes.delete_record {
                true if !is_logged => (Verdict::LeftOut(Reason::Gone), None),
                true => (Verdict::LeftOut(Reason::Gone), Some(decide_removed(self.crm))),
                false if !is_logged => (Verdict::LeftOut(Reason::Gone), None),
                false => logged(Some(self.full())),
            },
            Effect::Write => logged(Some(self.full())),
            Effect::Redact => logged(Some(decide_known(redacted(&self.rules.meeting), self.crm, self.normalise))),
            Effect::TellCancelled => logged(self.off()),
            Effect::Delete => (Verdict::LeftOut(Reason::Private), is_logged.then(|| decide_removed(self.crm))),
            Effect::Remove => {
                let removal = on_calendar_delete(true, self.united.standing, privacy, self.rules.deletes);
                match removal {
                    _ if !is_logged => (Verdict::LeftOut(Reason::Gone), None),
                    CalendarDelete::MarkCancelled => logged(self.off()),
                    CalendarDelete::DeleteRecord => (Verdict::LeftOut(Reason::Gone), Some(decide_removed(self.crm))),
                    CalendarDelete::Nothing | CalendarDelete::Confirm | CalendarDelete::DropRep => logged(None),
                }
            }
            Effect::LeaveOut => (Verdict::LeftOut(Reason::BeforeConnection), None),
            Effect::Forget | Effect::Nothing if is_logged => logged(None),
            Effect::Forget | Effect::Nothing if self.meeting.is_private() => (Verdict::LeftOut(Reason::Private), None),
            Effect::Forget | Effect::Nothing => (Verdict::LeftOut(Reason::Gone), None),
        }
    }

    /// What was said before, as long as nothing is decided.
    fn as_before(&self) -> Verdict {
        match self.meeting.kept.map(|kept| &kept.verdict) {
            _ if self.crm.links.contains_key(&Slot::Meeting) => Verdict::Log,
            Some(Verdict::LeftOut(reason)) => Verdict::LeftOut(reason.clone()),
            Some(Verdict::Log) | None => Verdict::LeftOut(Reason::Gone),
        }
    }

    /// Whether the meeting is left to a booking, which may tell of it after it was logged. A record that people have edited
    /// meanwhile stays, and so do those of a series, of which a booking is but one meeting.
    fn is_the_bookings(&self) -> bool {
        let Some(booked) = &self.meeting.booked else { return false };
        self.crm
            .links
            .get(&Slot::Meeting)
            .is_none_or(|link| link.id == *booked || (self.meeting.rid == Rid::Single && self.full().kept.is_empty()))
    }

    /// The gate.
    fn judge(&self) -> Said {
        let Some(source) = self.source else { return (Verdict::LeftOut(Reason::Gone), None) };
        let event: &Event = &source.event;
        let policy = self.policy();
        let in_crm: BTreeSet<String> = event
            .content()
            .map(|content| guests(content, &policy))
            .unwrap_or_default()
            .into_iter()
            .filter(|email| find_person(self.crm.facts, email).is_some())
            .collect();
        let facts = eligible::Facts { in_crm: &in_crm, selected: self.meeting.selected };
        match judge(event, self.meeting.known(), &policy, facts, self.home) {
            Verdict::Log if self.meeting.booked.is_some() => (Verdict::LeftOut(Reason::Booked), None),
            Verdict::Log if self.united.standing == Standing::On => (Verdict::Log, Some(self.full())),
            Verdict::Log => (Verdict::LeftOut(Reason::Gone), None),
            // The reason is the policy's, not that the CRM was not asked about what it did not choose.
            Verdict::LeftOut(Reason::NoContact) if !self.meeting.selected => {
                (Verdict::LeftOut(Reason::SeriesRule(SeriesRule::of(policy.series))), None)
            }
            left_out => (left_out, None),
        }
    }

    /// The record as the meeting is now.
    fn full(&self) -> Decided {
        let policy = self.policy();
        let mut projected = project(self.key, self.united, &policy, self.crm, &self.rules.meeting, self.home);
        if !self.rules.keeps_replies {
            for attendee in projected.desired.iter_mut().filter(|desired| desired.role == Role::Attendee) {
                attendee.keep.remove(&Std::Response.into());
            }
        }
        let rules = self.rules.fields;
        // Only the organiser's own event takes anything over.
        let back = rules.back && self.united.writable && self.united.standing == Standing::On;
        decide(projected, self.crm, FieldRules { back, ..rules }, self.normalise)
    }

    /// The record says that the meeting was called off, and keeps its words.
    fn off(&self) -> Option<Decided> {
        let link = self.crm.links.get(&Slot::Meeting)?;
        let record = self.crm.facts.record(&link.id).map(|record| &record.fields);
        let fields = called_off(record.unwrap_or(&Fields::new()), &self.rules.meeting);
        Some(decide_known(fields, self.crm, self.normalise))
    }

    /// The policy, with those who turned out to be users of the CRM.
    fn policy(&self) -> Policy {
        let mut policy = self.meeting.policy.clone();
        let people = self.united.content.map(|content| content.people()).unwrap_or_default();
        let emails = people.into_iter().map(|who| &who.email);
        policy.users.extend(emails.filter(|email| self.crm.facts.user(email).flatten().is_some()).cloned());
        policy
    }
}

/// What is kept of a record whose meeting may not be known any more says nothing of what it is about.
fn forget_texts(links: &mut Links) {
    if let Some(link) = links.get_mut(&Slot::Meeting) {
        link.image.retain(|field, _| ![Std::Subject, Std::Description, Std::Location].map(Into::into).contains(field));
    }
}
