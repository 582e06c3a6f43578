//! A small world in which meetings live: reps' calendars, a CRM, and a loop between them that does what the core says.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{HOME, PEOPLE, instant, policy};
use crate::{
    booking::{facts::Facts, project::Links},
    calendar::{
        eligible::{Known, Policy, Verdict, judge},
        event::{Body, Event},
        identity::{MeetingKey, Rid, Uid},
        meeting::{
            CalendarDelete, Copy, Crm, Decided, DeleteSettings, FieldRules, MeetingSettings, Standing, called_off,
            decide, decide_known, on_calendar_delete, project, redacted, taken_over, unite,
        },
        privacy::{Effect, Privacy, PrivacyOptions, Sight, step},
    },
    ids::{RecordId, WorkspaceId},
    record::{Fields, Record, Role, Slot, Std, Value},
    step::{Plan, Write},
};

/// One rep's calendar with a copy of the meeting.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub link: String,
    pub rep: String,
    pub organizes: bool,
    pub event: Event,
}

/// The CRM: records by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    pub records: BTreeMap<RecordId, (Role, Fields)>,
    keys: BTreeMap<String, RecordId>,
    made: usize,
}

impl Records {
    fn apply(&mut self, plan: &Plan) -> Vec<(Slot, RecordId)> {
        let mut ids: Vec<(Slot, RecordId)> = Vec::new();
        for step in &plan.steps {
            match &step.write {
                Write::Upsert { key, fields } => {
                    let fields = fields.iter().map(|(field, value)| {
                        let value = match value {
                            Value::Slot(slot) => {
                                let known = ids.iter().find(|(made, _)| made == slot);
                                Value::Id(known.expect("no step refers to a later one").1.clone())
                            }
                            other => other.clone(),
                        };
                        (field.clone(), value)
                    });
                    let fields: Fields = fields.collect();
                    let id = self.keys.get(key.as_str()).filter(|id| self.records.contains_key(id)).cloned();
                    let id = id.unwrap_or_else(|| {
                        self.made += 1;
                        RecordId::new(format!("r{}", self.made))
                    });
                    self.keys.insert(key.as_str().to_owned(), id.clone());
                    self.records.entry(id.clone()).or_insert((step.role, Fields::new())).1.extend(fields);
                    ids.push((step.slot, id));
                }
                Write::Patch { id, fields } => {
                    self.records.get_mut(id).expect("only what is there is patched").1.extend(fields.clone());
                }
                Write::Delete { id } => drop(self.records.remove(id).expect("only what is there is deleted")),
            }
        }
        ids
    }

    pub fn meetings(&self) -> Vec<&Fields> {
        self.records.values().filter(|(role, _)| *role == Role::Meeting).map(|(_, fields)| fields).collect()
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    pub calendars: Vec<Calendar>,
    pub crm: Records,
    pub links: Links,
    pub privacy: Privacy,
    pub options: PrivacyOptions,
    pub settings: MeetingSettings,
    pub rules: FieldRules,
    pub policy: Policy,
    pub known: Known,
    /// Every plan that was sent, as text: what a log would show.
    pub log: Vec<String>,
}

/// The people that the CRM knows from outside.
pub const CONTACTS: [&str; 2] = [PEOPLE[3], PEOPLE[5]];

impl World {
    pub fn new(calendars: Vec<Calendar>) -> Self {
        Self {
            calendars,
            crm: Records::default(),
            links: Links::new(),
            privacy: Privacy::Unknown,
            options: PrivacyOptions::default(),
            settings: MeetingSettings::default(),
            rules: FieldRules::default(),
            policy: policy(),
            known: Known::default(),
            log: Vec::new(),
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (n, email) in CONTACTS.iter().enumerate() {
            let created = Value::Time(instant("2020-01-01T00:00:00Z"));
            let fields = Fields::from([(Std::Email.into(), Value::text(*email)), (Std::CreatedAt.into(), created)]);
            facts.add([Record { role: Role::Contact, id: RecordId::new(format!("c{n}")), fields }]);
        }
        facts.add_user(PEOPLE[0], Some(RecordId::new("u0")));
        facts.add_user(PEOPLE[1], Some(RecordId::new("u1")));
        let records = self.crm.records.iter();
        facts.add(records.map(|(id, (role, fields))| Record { role: *role, id: id.clone(), fields: fields.clone() }));
        facts
    }

    /// Looks at everything once and does what is to be done; the plan that was sent.
    pub fn round(&mut self) -> Plan {
        let calendars = self.calendars.clone();
        let copies = calendars.iter().enumerate().map(|(n, calendar)| Copy {
            link: &calendar.link,
            linked: n as u32,
            rep: &calendar.rep,
            event: &calendar.event,
            organizes: calendar.organizes,
        });
        let copies: Vec<Copy<'_>> = copies.collect();
        let united = unite(&copies);
        let is_private = copies.iter().any(|copy| copy.event.body == Body::Private);
        let sight = match united.content {
            Some(_) => Sight::Open { since_connection: !self.known.baseline },
            None if is_private => Sight::Private,
            None => Sight::Deleted,
        };
        let (state, effect) = step(self.privacy, sight, self.options);
        self.privacy = state;
        let (facts, workspace) = (self.facts(), WorkspaceId::from("w"));
        let crm = Crm { workspace: &workspace, facts: &facts, links: &self.links, relates_many: true };
        let key = MeetingKey { uid: Uid::read("u1").unwrap(), rid: Rid::Single };
        let normalise = |_: Role, _: &_, value: Value| value;
        let full = || {
            let projected = project(&key, &united, &self.policy, &crm, &self.settings, &HOME);
            let back = self.rules.back && united.writable && united.standing == Standing::On;
            decide(projected, &crm, FieldRules { back, ..self.rules }, &normalise)
        };
        let image =
            || facts.record(&self.links[&Slot::Meeting].id).map(|record| record.fields.clone()).unwrap_or_default();
        let off = || decide_known(called_off(&image(), &self.settings), &crm, &normalise);
        let decided = match effect {
            Effect::Judge => {
                let source = copies.iter().find(|copy| Some(copy.link) == united.source).expect("it is open");
                let in_crm: BTreeSet<String> = CONTACTS.map(str::to_owned).into();
                let asked = crate::calendar::eligible::Facts { in_crm: &in_crm, selected: true, logged_by_crm: false };
                match judge(source.event, self.known, &self.policy, asked, &HOME) {
                    // What was called off before it was ever seen is not begun.
                    Verdict::Log if united.standing == Standing::On => full(),
                    _ => Decided::default(),
                }
            }
            Effect::Write => full(),
            Effect::Redact => decide_known(redacted(&self.settings), &crm, &normalise),
            Effect::TellCancelled => off(),
            Effect::Remove => {
                match on_calendar_delete(true, united.standing, self.privacy, DeleteSettings::default()) {
                    CalendarDelete::MarkCancelled => off(),
                    _ => Decided::default(),
                }
            }
            Effect::Nothing | Effect::Forget | Effect::LeaveOut | Effect::Delete => Decided::default(),
        };
        if decided != Decided::default() {
            let ids = self.crm.apply(&decided.plan);
            self.links = decided.links(&ids);
            let source = self.calendars.iter_mut().find(|one| Some(one.link.as_str()) == united.source);
            if let Some(Calendar { event: Event { body: Body::Open(content), .. }, .. }) = source {
                **content = taken_over(content, &decided.to_calendar, &HOME);
            }
            if self.privacy == Privacy::Eligible {
                self.privacy = step(self.privacy, Sight::Logged, self.options).0;
            }
            self.log.push(format!("{:?} {:?} {:?}", decided.plan, decided.to_calendar, decided.kept));
        }
        decided.plan
    }
}
