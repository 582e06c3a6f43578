//! A small world in which meetings live: reps' calendars, a CRM, and a loop between them that does what the core says.

use std::collections::BTreeMap;

use super::world::{HOME, PEOPLE, instant, policy};
use crate::{
    booking::{facts::Facts, project::Links},
    calendar::{
        eligible::{Known, Policy, Reason, Verdict},
        event::{Body, Event},
        identity::{MeetingKey, Rid, Uid},
        look::{self, Kept, Rules, SeenCopy},
        meeting::{BackRules, DeleteSettings, FieldRules, MeetingSettings, taken_over, unite},
        privacy::{Privacy, PrivacyOptions},
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
    /// Whether whom a meeting is with has a place there like everybody else.
    pub seats_everybody: bool,
    keys: BTreeMap<String, RecordId>,
    made: usize,
}

impl Records {
    pub fn apply(&mut self, plan: &Plan) -> Vec<(Slot, RecordId)> {
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
                    let is_there = |(role, there): &(Role, Fields)| {
                        let same = |field: Std| there.get(&field.into()) == fields.get(&field.into());
                        *role == Role::Attendee && same(Std::Meeting) && same(Std::Attends)
                    };
                    let twice = self.records.iter().find(|(_, one)| step.role == Role::Attendee && is_there(one));
                    if let Some((id, _)) = twice {
                        assert!(self.seats_everybody, "a CRM refuses somebody who attends already");
                        ids.push((step.slot, id.clone()));
                        continue;
                    }
                    let id = self.keys.get(key.as_str()).filter(|id| self.records.contains_key(id)).cloned();
                    let id = id.unwrap_or_else(|| {
                        self.made += 1;
                        RecordId::new(format!("r{}", self.made))
                    });
                    self.keys.insert(key.as_str().to_owned(), id.clone());
                    self.records.entry(id.clone()).or_insert((step.role, Fields::new())).1.extend(fields);
                    self.seat(&id);
                    ids.push((step.slot, id));
                }
                Write::Patch { id, fields } => {
                    self.records.get_mut(id).expect("only what is there is patched").1.extend(fields.clone());
                    self.seat(id);
                }
                // A place may be named by who has it.
                Write::Delete { id } => {
                    let is_theirs = |(_, (_, fields)): &(&RecordId, &(Role, Fields))| {
                        fields.get(&Std::Attends.into()) == Some(&Value::Id(id.clone()))
                    };
                    let place = self.records.iter().find(is_theirs).map(|(place, _)| place.clone());
                    let gone = self.records.remove(place.as_ref().filter(|_| self.seats_everybody).unwrap_or(id));
                    assert!(gone.is_some(), "only what is there is deleted");
                }
            }
        }
        ids
    }

    /// Whom the meeting is with has a place, which stays whoever it is with later.
    fn seat(&mut self, meeting: &RecordId) {
        let who = self.records[meeting].1.get(&Std::Who.into()).cloned();
        let Some(who) = who.filter(|_| self.seats_everybody) else { return };
        let place = Fields::from([(Std::Meeting.into(), Value::Id(meeting.clone())), (Std::Attends.into(), who)]);
        let is_there = |(role, there): &(Role, Fields)| {
            *role == Role::Attendee && place.iter().all(|(field, value)| there.get(field) == Some(value))
        };
        if !self.records.values().any(is_there) {
            self.made += 1;
            self.records.insert(RecordId::new(format!("r{}", self.made)), (Role::Attendee, place));
        }
    }

    /// Every record, with the key under which it is kept.
    pub fn with_keys(&self) -> Vec<Record> {
        let key = |id: &RecordId| self.keys.iter().find(|(_, known)| *known == id).map(|(key, _)| key.clone());
        let record = |(id, (role, fields)): (&RecordId, &(Role, Fields))| {
            let mut fields = fields.clone();
            fields.extend(key(id).map(|key| (Std::Key.into(), Value::Text(key))));
            Record { role: *role, id: id.clone(), fields }
        };
        self.records.iter().filter(|(_, (role, _))| *role != Role::Attendee).map(record).collect()
    }

    /// Who attends a meeting.
    pub fn attendees(&self, meeting: &RecordId) -> Vec<Record> {
        let of = |(_, (role, fields)): &(&RecordId, &(Role, Fields))| {
            *role == Role::Attendee && fields.get(&Std::Meeting.into()) == Some(&Value::Id(meeting.clone()))
        };
        let record = |(id, (role, fields)): (&RecordId, &(Role, Fields))| Record {
            role: *role,
            id: id.clone(),
            fields: fields.clone(),
        };
        self.records.iter().filter(of).map(record).collect()
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
    pub kept: Kept,
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
            kept: Kept {
                verdict: Verdict::LeftOut(Reason::Gone),
                privacy: Privacy::Unknown,
                title: None,
                start: None,
                first: false,
                links: Links::new(),
                carried: Fields::new(),
                plan: None,
                doubt: None,
            },
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
        let (facts, workspace) = (self.facts(), WorkspaceId::from("w"));
        let events: Vec<Event> = self.calendars.iter().map(|calendar| calendar.event.clone()).collect();
        let calendars: Vec<look::Calendar> =
            (0u32..).zip(&self.calendars).map(|(linked, one)| one.linked(linked)).collect();
        let copies: Vec<SeenCopy<'_>> = calendars
            .iter()
            .zip(&events)
            .zip(&self.calendars)
            .map(|((calendar, event), one)| SeenCopy {
                calendar,
                event,
                baseline: self.known.baseline,
                touched: self.known.touched,
                organizes: one.organizes,
            })
            .collect();
        let kept = BTreeMap::from([(Rid::Single, self.kept.clone())]);
        let rules = Rules {
            policy: self.policy.clone(),
            meeting: self.settings.clone(),
            privacy: self.options,
            deletes: DeleteSettings::default(),
            fields: self.rules,
            relates_many: true,
            seats_everybody: self.crm.seats_everybody,
            keeps_replies: true,
            back: BackRules::default(),
        };
        let look = look::look(&copies, &calendars, &kept, &rules, instant("2026-03-01T00:00:00Z"));
        let Some(meeting) = look.meetings.iter().find(|meeting| meeting.rid == Rid::Single) else {
            return Plan::default();
        };
        let key = MeetingKey { uid: Uid::read("u1").unwrap(), rid: Rid::Single };
        let normalise = |_: Role, _: &_, value: Value| value;
        let decision = meeting.decide(key, &workspace, &facts, &rules, &normalise);
        let mut plan = Plan::default();
        let mut ids = Vec::new();
        if let Some(decided) = &decision.decided {
            ids = self.crm.apply(&decided.plan);
            let source = copies.iter().filter(|copy| copy.event.content().is_some());
            let united = unite(&source.map(SeenCopy::as_copy).collect::<Vec<_>>()).source.map(str::to_owned);
            let source = self.calendars.iter_mut().find(|one| Some(&one.link) == united.as_ref());
            if let Some(Calendar { event: Event { body: Body::Open(content), .. }, .. }) = source {
                **content = taken_over(content, &decided.to_calendar, &HOME);
            }
            self.log.push(format!("{:?} {:?} {:?}", decided.plan, decided.to_calendar, decided.kept));
            plan = decided.plan.clone();
        }
        self.kept = Kept {
            links: decision.links(&ids),
            verdict: decision.verdict,
            privacy: decision.privacy,
            title: decision.title,
            start: decision.start,
            first: decision.first,
            carried: Fields::new(),
            plan: None,
            doubt: decision.doubt,
        };
        plan
    }
}

impl Calendar {
    fn linked(&self, linked: u32) -> look::Calendar {
        let (name, owner) = (self.link.clone(), self.rep.clone());
        look::Calendar { name, linked, owner, home: HOME, blocked: Vec::new(), readings: 1 }
    }
}
