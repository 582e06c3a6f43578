//! A small CRM that refuses what real ones refuse, and a desk that works bookings off against it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::fold::fold;
use crate::{
    booking::{
        ask::{MAX_LOOKS, fields_to_read, questions},
        diff::{Decision, decide},
        facts::{Facts, Questions, website_spellings},
        mapped::reads_account,
        mapped::{Outside, Undescribed, fields_of},
        message::BookingMessage,
        project::{Context, Links, Refused, Ties},
        settings::BookingSettings,
    },
    ids::{ChainId, ConnectionId, RecordId, SharedKey, WorkspaceId},
    person::{domain_of, normal_email},
    record::{Field, Fields, Record, Role, Slot, Std, Value},
    step::{Plan, SharedLink, Write},
};

/// As CRMs do, the world cuts a subject at some length.
pub const SUBJECT_CHARS: usize = 60;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    pub records: BTreeMap<RecordId, Record>,
    /// What was deleted or merged away.
    pub bin: BTreeMap<RecordId, Record>,
    next: usize,
    pub writes: usize,
}

pub fn normalise(role: Role, field: &Field, value: Value) -> Value {
    match value {
        Value::Text(text) if role == Role::Meeting && *field == Field::Std(Std::Subject) => {
            Value::Text(text.chars().take(SUBJECT_CHARS).collect())
        }
        value => value,
    }
}

/// The world's ids tell their role, as `contact-7`.
pub fn identify(text: &str) -> Option<(Role, RecordId)> {
    let (role, _) = text.split_once('-')?;
    let roles = [Role::Account, Role::Contact, Role::Lead, Role::Case, Role::Opportunity, Role::Meeting, Role::User];
    roles.into_iter().find(|known| known.as_str() == role).map(|role| (role, RecordId::from(text)))
}

impl World {
    pub fn with(records: &[Record]) -> Self {
        let records = records.iter().map(|record| (record.id.clone(), record.clone())).collect();
        Self { records, ..Self::default() }
    }

    /// Does all of a plan or nothing.
    pub fn apply(&mut self, plan: &Plan) -> Result<Vec<(Slot, RecordId)>, String> {
        let mut next = self.clone();
        let mut ids = Vec::new();
        for step in &plan.steps {
            let (id, fields) = match &step.write {
                Write::Delete { id } => {
                    next.records.remove(id).ok_or_else(|| format!("no {id} to delete"))?;
                    next.records.retain(|_, other| {
                        other.role != Role::Attendee
                            || other.fields.get(&Std::Meeting.into()) != Some(&Value::Id(id.clone()))
                    });
                    next.writes += 1;
                    continue;
                }
                Write::Patch { id, fields } => {
                    let fixed = |field: &Field| matches!(field, Field::Std(Std::Meeting | Std::Attends));
                    if step.role == Role::Attendee && fields.keys().any(fixed) {
                        return Err(format!("{id} can only be answered, not moved"));
                    }
                    (id.clone(), fields)
                }
                Write::Upsert { fields, .. } if step.role == Role::Attendee => (next.new_record(step.role), fields),
                Write::Upsert { key, fields } => (next.with_key(step.role, key.as_str()), fields),
            };
            let record = next.records.get_mut(&id).filter(|record| record.role == step.role);
            let record = record.ok_or_else(|| format!("no {} {id}", step.role.as_str()))?;
            for (field, value) in fields {
                let value = match value {
                    Value::Slot(slot) => {
                        let known =
                            ids.iter().find(|(made, _)| made == slot).map(|(_, id): &(Slot, RecordId)| id.clone());
                        Value::Id(known.ok_or_else(|| format!("{slot} is not there yet"))?)
                    }
                    value => value.clone(),
                };
                record.fields.insert(field.clone(), value);
            }
            next.check(&id)?;
            next.writes += 1;
            ids.push((step.slot, id));
        }
        *self = next;
        Ok(ids)
    }

    fn with_key(&mut self, role: Role, key: &str) -> RecordId {
        let known = self.records.values().find(|record| record.role == role && record.text(Std::Key) == Some(key));
        if let Some(record) = known {
            return record.id.clone();
        }
        let id = self.new_record(role);
        let record = self.records.get_mut(&id).expect("it was just made");
        record.fields.insert(Std::Key.into(), Value::text(key));
        id
    }

    fn new_record(&mut self, role: Role) -> RecordId {
        self.next += 1;
        let id = RecordId::new(format!("{}-{:04}", role.as_str(), 1000 + self.next));
        self.records.insert(id.clone(), Record { role, id: id.clone(), fields: Fields::new() });
        id
    }

    /// Somebody deletes a record in the CRM.
    pub fn delete(&mut self, id: &RecordId) {
        let mut record = self.records.remove(id).expect("it is there");
        record.fields.insert(Std::Deleted.into(), Value::Bool(true));
        self.bin.insert(id.clone(), record);
    }

    /// Somebody merges one record into another; what hung on it hangs on the other.
    pub fn merge(&mut self, loser: &RecordId, master: &RecordId) {
        self.delete(loser);
        let gone = self.bin.get_mut(loser).expect("it was just deleted");
        gone.fields.insert(Std::MergedInto.into(), Value::Id(master.clone()));
        for record in self.records.values_mut() {
            for value in record.fields.values_mut().filter(|value| **value == Value::Id(loser.clone())) {
                *value = Value::Id(master.clone());
            }
        }
    }

    /// Who attends a meeting, by the ids of people and users.
    pub fn attendees(&self, meeting: &RecordId) -> Vec<(RecordId, &Record)> {
        let of_meeting = self.records.values().filter(|record| {
            record.role == Role::Attendee
                && record.fields.get(&Std::Meeting.into()) == Some(&Value::Id(meeting.clone()))
        });
        let attends = |record: &Record| match &record.fields[&Std::Attends.into()] {
            Value::Id(id) => id.clone(),
            other => panic!("{} is attended by {other:?}", record.id),
        };
        of_meeting.map(|record| (attends(record), record)).collect()
    }

    fn check(&self, id: &RecordId) -> Result<(), String> {
        let record = &self.records[id];
        let refers = |field: Std, roles: &[Role]| match record.fields.get(&field.into()) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Id(id)) => match self.records.get(id).map(|record| record.role) {
                Some(role) if roles.contains(&role) => Ok(Some(role)),
                found => Err(format!("{} of {} refers to {found:?}", field.as_str(), record.id)),
            },
            Some(other) => Err(format!("{} of {} is {other:?}", field.as_str(), record.id)),
        };
        let who = refers(Std::Who, &[Role::Contact, Role::Lead])?;
        let what = refers(Std::What, &[Role::Account, Role::Case, Role::Opportunity])?;
        refers(Std::Account, &[Role::Account])?;
        refers(Std::Contact, &[Role::Contact])?;
        refers(Std::Meeting, &[Role::Meeting])?;
        refers(Std::Attends, &[Role::Contact, Role::Lead, Role::User])?;
        if record.role == Role::Attendee {
            let Some(Value::Id(meeting)) = record.fields.get(&Std::Meeting.into()) else {
                return Err(format!("{id} attends nothing"));
            };
            let people: Vec<RecordId> = self.attendees(meeting).into_iter().map(|(person, _)| person).collect();
            let who = &self.records[meeting].fields;
            if (1..people.len()).any(|at| people[..at].contains(&people[at])) {
                return Err("invited twice".to_owned());
            }
            if people.iter().any(|person| who.get(&Std::Owner.into()) == Some(&Value::Id(person.clone()))) {
                return Err("the owner is invited".to_owned());
            }
            let related = self.attendees(meeting).into_iter().filter(|(_, attendee)| attendee.is(Std::Related));
            if related.map(|(person, _)| self.records[&person].role).any(|role| role != Role::Contact) {
                return Err("only contacts are related".to_owned());
            }
        }
        if who == Some(Role::Lead) && what.is_some() {
            return Err("a lead beside a related record".to_owned());
        }
        let needed: &[Std] = match record.role {
            Role::Contact => &[Std::LastName],
            Role::Lead => &[Std::LastName, Std::Company],
            Role::Account => &[Std::Name],
            Role::Opportunity => &[Std::Name, Std::Stage, Std::CloseDate],
            Role::Meeting => &[Std::Subject, Std::Start, Std::End],
            Role::Case | Role::User | Role::Attendee | Role::Custom => &[],
        };
        let blank = |field: &&Std| match record.fields.get(&(**field).into()) {
            None | Some(Value::Null) => true,
            Some(Value::Text(text)) => text.trim().is_empty(),
            Some(_) => false,
        };
        needed.iter().find(blank).map_or(Ok(()), |field| Err(format!("{} lacks {}", record.id, field.as_str())))
    }

    /// Answers what was asked, and only that, with only the fields that a decision says it reads.
    pub fn answer(&self, ask: &Questions, settings: &BookingSettings, facts: &mut Facts) {
        let asked = |record: &&Record| {
            let email = record.text(Std::Email).and_then(normal_email);
            let is_person = matches!(record.role, Role::Contact | Role::Lead);
            let in_domain = |email: &String| domain_of(email).is_some_and(|domain| ask.domains.contains(domain));
            let site =
                |domain: &String| website_spellings(domain).iter().any(|site| record.text(Std::Website) == Some(site));
            let phone = |field| record.text(field).is_some_and(|phone| ask.phones.contains(phone));
            ask.ids.get(&record.role).is_some_and(|ids| ids.contains(&record.id))
                || record.text(Std::Key).is_some_and(|key| {
                    ask.keys.get(&record.role).is_some_and(|keys| keys.contains(&key.into()))
                        || (record.role == Role::Custom && ask.further.values().any(|keys| keys.contains(&key.into())))
                })
                || (is_person && email.as_ref().is_some_and(|email| ask.emails.contains(email)))
                || (record.role == Role::Contact && (phone(Std::Phone) || phone(Std::Mobile)))
                || (record.role == Role::Contact && email.as_ref().is_some_and(in_domain))
                || (record.role == Role::Account && ask.domains.iter().any(site))
        };
        let readable = |record: &Record| {
            let wanted = fields_to_read(record.role, settings, &Undescribed);
            let further: Vec<Field> = if record.role == Role::Custom {
                settings.records.iter().flat_map(|one| fields_of(&one.object, settings, &Undescribed)).collect()
            } else {
                Vec::new()
            };
            let wanted: Vec<Field> = wanted.into_iter().chain(further).collect();
            let fields = record.fields.iter().filter(|(field, _)| wanted.contains(field));
            let mut fields: Fields = fields.map(|(field, value)| (field.clone(), value.clone())).collect();
            // A field of the org's own that was never written is empty, not unknown.
            for field in wanted.into_iter().filter(|field| matches!(field, Field::Native(_))) {
                fields.entry(field).or_insert(Value::Null);
            }
            Record { fields, ..record.clone() }
        };
        facts.add(self.records.values().filter(asked).map(readable));
        for key in &ask.users {
            let mut users = self.records.values().filter(|user| user.role == Role::User && user.is(Std::Active));
            let user = users.find(|user| user.text(Std::Email) == Some(key) || user.id.as_str() == key);
            facts.add_user(key, user.map(|user| user.id.clone()));
        }
        for id in ask.traces.values().flatten() {
            let trace = self.records.get(id).or_else(|| self.bin.get(id)).cloned();
            facts.add_trace(id.clone(), trace);
        }
        for meeting in &ask.attendees {
            facts.add_attendees(meeting.clone(), self.attendees(meeting).into_iter().map(|(_, record)| record.clone()));
        }
    }
}

/// One chain being worked off: what is remembered between two looks.
#[derive(Clone)]
pub struct Desk {
    pub world: World,
    pub links: Links,
    pub shared: BTreeMap<SharedKey, SharedLink>,
    pub settings: BookingSettings,
    pub now: Timestamp,
    pub chain: ChainId,
    pub relates_many: bool,
    pub ties: Ties,
    pub refused: Refused,
}

impl Desk {
    pub fn new(world: World, settings: BookingSettings) -> Self {
        let now = super::story::time(24 * 60);
        Self {
            world,
            links: Links::new(),
            shared: BTreeMap::new(),
            settings,
            now,
            chain: ChainId::from("bk_1"),
            relates_many: false,
            ties: Ties::One,
            refused: Refused::default(),
        }
    }

    /// Asks and decides, and writes nothing.
    pub fn decide(&self, messages: &[BookingMessage], unsettled: Option<&Plan>) -> Decision {
        let state = fold(messages);
        let Some(view) = state.view() else { return Decision::default() };
        let mut facts = Facts::default();
        facts.add_shared(self.shared.values().cloned());
        let ids = (WorkspaceId::from("w"), ConnectionId::from("crm"));
        let with = |facts: &Facts, then: &mut dyn FnMut(&Context<'_>)| {
            then(&Context {
                outside: Outside::NOTHING,
                workspace: &ids.0,
                connection: &ids.1,
                chain: &self.chain,
                settings: &self.settings,
                links: &self.links,
                facts,
                now: self.now,
                relates_many: self.relates_many,
                ties: self.ties,
                identify: &identify,
                refused: &self.refused,
            });
        };
        let mut ask = Questions::default();
        with(&facts, &mut |cx| ask = questions(cx, &view, unsettled, &normalise));
        self.world.answer(&ask, &self.settings, &mut facts);
        // One look is enough: with its answers, nothing is asked that was not asked before. Only where a plan made the
        // meeting, a record is in doubt, or a mapping reads the account of somebody who is found, the answers raise questions
        // of their own.
        let in_doubt = self.links.values().any(|link| link.doubt) || reads_account(&self.settings);
        let looks = if unsettled.is_some() || in_doubt { MAX_LOOKS } else { 1 };
        for look in 1.. {
            let mut again = Questions::default();
            with(&facts, &mut |cx| again = questions(cx, &view, unsettled, &normalise));
            let mut both = ask.clone();
            both.extend(again.clone());
            if both == ask {
                break;
            }
            if look >= looks {
                // Merges in a row go on for longer than one decision looks; the CRM's refusal leads to the next one.
                assert!(again.traces.values().any(|ids| !ids.is_empty()), "a further look was needed: {again:?}");
                break;
            }
            self.world.answer(&again, &self.settings, &mut facts);
            ask = both;
        }
        let mut decision = Decision::default();
        with(&facts, &mut |cx| decision = decide(cx, &view, unsettled, &normalise));
        decision
    }

    pub fn remember(&mut self, decision: &Decision, ids: &[(Slot, RecordId)]) {
        self.links = decision.links(ids);
        self.shared.extend(decision.shared(ids).into_iter().map(|link| (link.key.clone(), link)));
    }

    /// Looks at the chain as far as these messages tell it, and writes what follows.
    pub fn work(&mut self, messages: &[BookingMessage]) -> Decision {
        self.work_after(messages, None)
    }

    pub fn work_after(&mut self, messages: &[BookingMessage], unsettled: Option<&Plan>) -> Decision {
        let decision = self.decide(messages, unsettled);
        let ids = self
            .world
            .apply(&decision.plan)
            .unwrap_or_else(|refusal| panic!("refused: {refusal}\n{:#?}", decision.plan));
        self.remember(&decision, &ids);
        decision
    }

    /// Looks after every single message.
    pub fn work_one_by_one(&mut self, messages: &[BookingMessage]) {
        for known in 1..=messages.len() {
            self.work(&messages[..known]);
        }
    }

    pub fn at(mut self, slot: Slot) -> Option<Fields> {
        let id = self.links.remove(&slot)?.id;
        self.world.records.remove(&id).map(|record| record.fields)
    }

    pub fn record(&self, slot: Slot) -> &Record {
        &self.world.records[&self.links[&slot].id]
    }

    pub fn text(&self, slot: Slot, field: Std) -> &str {
        self.record(slot).text(field).unwrap_or_default()
    }

    /// Somebody edits a record in the CRM.
    pub fn edit(&mut self, slot: Slot, field: Std, value: Value) {
        let id = self.links[&slot].id.clone();
        self.world.records.get_mut(&id).expect("a linked record is there").fields.insert(field.into(), value);
    }

    /// The one account of the world.
    pub fn only_account(&self) -> RecordId {
        let mut accounts = self.world.records.values().filter(|record| record.role == Role::Account);
        accounts.next().expect("an account was made").id.clone()
    }

    pub fn count(&self, role: Role) -> usize {
        self.world.records.values().filter(|record| record.role == role).count()
    }

    pub fn later(&mut self, by: SignedDuration) {
        self.now += by;
    }
}
