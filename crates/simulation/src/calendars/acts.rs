//! What the people of an office do in their calendars and in the CRM, each when they like. What the product makes of it is
//! looked at elsewhere.

mod logged;
mod series;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    Clock,
    calendar::{
        identity::{Rid, Uid},
        privacy::Privacy,
    },
};
use syncline_sandbox::microsoft::Lifecycle;
use syncline_store::{StoredCopy, StoredMeeting};

use super::{
    book::{self, Draft},
    crm::Record,
    ledger::{Contact, CrmEdit, Meeting, Series},
    office::{BOSS, MIA, PEOPLE, Place, integration, uid_in, workspace},
    plot::{Plot, Trouble},
    wires::Wires,
};
use crate::{
    dice::Dice,
    sim::lock,
    story::{CANARY, HUSH},
};

/// Of a hundred things that people do, how many are meetings and new names.
const PLAIN_PERCENT: u64 = 40;
/// Contacts that are in the CRM in the beginning.
const CONTACTS: u64 = 3;
/// How long a calendar lags behind at most, in seconds.
const LAG_MAX: u64 = 300;

/// The people, and what they draw from.
pub struct People {
    wires: Arc<Wires>,
    plot: Arc<Plot>,
    dice: Dice,
    /// For what has to do with zones.
    clocks: Dice,
    /// Makes every text one of its kind.
    next: u64,
}

impl People {
    pub fn new(wires: &Arc<Wires>) -> Self {
        let plot = Arc::clone(&wires.plot);
        let dice = |part| Dice::of(plot.seed, part, 0);
        Self { wires: Arc::clone(wires), dice: dice("people"), clocks: dice("zones"), plot, next: 0 }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn some(&mut self, of: usize) -> usize {
        usize::try_from(self.dice.below(of as u64)).unwrap_or(0)
    }

    fn now(&self) -> Timestamp {
        self.wires.sim.clock.now()
    }

    fn struck(&self, trouble: Trouble) {
        self.wires.happened(trouble);
    }

    fn struck_if(&self, is_so: bool, trouble: Trouble) {
        if is_so {
            self.struck(trouble);
        }
    }

    fn text(&mut self, private: bool) -> String {
        let number = self.number();
        if private { format!("{HUSH} talk {number}") } else { format!("{CANARY} talk {number}") }
    }

    /// Whoever is in the CRM, and what is in the calendars, before the product is switched on.
    pub fn settle_in(&mut self) {
        for _ in 0..CONTACTS {
            self.birth();
        }
        for _ in 0..self.plot.before {
            self.meet();
        }
        lock(&self.wires.ledger).active_at = Some(self.now());
    }

    /// What they do until the end of the chaos.
    pub async fn live(mut self) {
        let chaos = u64::try_from(self.plot.chaos.as_millis()).unwrap_or(u64::MAX);
        let mut moments: Vec<u64> = (0..self.plot.acts).map(|_| self.dice.below(chaos)).collect();
        moments.sort_unstable();
        let mut now = 0;
        for moment in moments {
            tokio::time::sleep(Duration::from_millis(moment - now)).await;
            now = moment;
            self.act();
            lock(&self.wires.ledger).acts += 1;
        }
    }

    fn act(&mut self) {
        let all: Vec<Trouble> = self.plot.troubles.iter().copied().collect();
        if all.is_empty() || self.dice.below(100) < PLAIN_PERCENT {
            return if self.dice.chance(600) { self.meet() } else { self.rename() };
        }
        match all[self.some(all.len())] {
            Trouble::Move => self.shift(),
            Trouble::Cancel => self.cancel(),
            Trouble::Leave => self.leave(),
            Trouble::Reply => self.reply(),
            Trouble::Guests => self.guests(),
            Trouble::Private => self.private(),
            Trouble::Series => self.series(),
            Trouble::Occurrence => self.occurrence(),
            Trouble::Follow => self.follow(),
            Trouble::Contact => self.contact(),
            // Where edits reach the calendar, only what was logged in the CRM is edited there.
            Trouble::Edit if self.plot.has(Trouble::Log) => self.log_or_write(),
            Trouble::Edit => self.edit_record(),
            Trouble::Delete => self.delete_record(),
            Trouble::Lag => self.lag(),
            Trouble::Log => self.log_or_write(),
            Trouble::Lives => self.lives(),
            Trouble::Clocks => self.series(),
            Trouble::Forget | Trouble::Pages | Trouble::Ends | Trouble::Night => self.meet(),
        }
    }

    /// A person who may invite.
    fn owner(&mut self) -> usize {
        if self.dice.chance(120) {
            return BOSS;
        }
        let linked = &self.plot.linked;
        let place = usize::try_from(self.dice.below(linked.len() as u64)).unwrap_or(0);
        linked[place]
    }

    /// Who is invited: contacts, strangers, colleagues.
    fn company(&mut self, owner: usize) -> BTreeSet<String> {
        let known: Vec<String> = lock(&self.wires.ledger).contacts.keys().cloned().collect();
        let mut guests = BTreeSet::new();
        for _ in 0..self.dice.between(1, 3) {
            if self.dice.chance(800) && !known.is_empty() {
                guests.insert(known[self.some(known.len())].clone());
            }
        }
        if self.dice.chance(250) {
            guests.insert(format!("{CANARY}-stranger{}@elsewhere.example", self.number()));
        }
        for (person, who) in PEOPLE.iter().enumerate() {
            let must = owner == BOSS && self.plot.linked.first() == Some(&person);
            if person != owner && (must || self.dice.chance(200)) {
                guests.insert(who.email.to_owned());
            }
        }
        guests
    }

    /// Writes into a calendar, and says what came of it.
    fn noted<T: std::fmt::Debug>(&self, what: &str, done: Result<T, String>) -> Option<T> {
        self.wires.sim.note(|| format!("people: {what}: {done:?}"));
        let done = done.ok();
        self.wires.look_around();
        done
    }

    fn meet(&mut self) {
        self.make(None, None);
    }

    /// Makes a meeting; `start`: where it is to begin.
    fn make(&mut self, every: Option<(i64, i64)>, start: Option<Timestamp>) -> Option<usize> {
        let owner = self.owner();
        let private = self.plot.has(Trouble::Private) && self.dice.chance(150);
        let minutes = 15 * i64::try_from(self.dice.between(1, 6)).unwrap_or(1);
        // Some are over before the day is.
        let ahead = if self.dice.chance(300) { self.dice.between(1, 30) } else { self.dice.between(60, 60 * 24 * 20) };
        let minute = self.now().as_second() / 60 + i64::try_from(ahead).unwrap_or(60);
        let usual = Timestamp::from_second(minute * 60).unwrap_or_else(|_| self.now());
        let mut guests = self.company(owner);
        if private {
            guests.insert(format!("{HUSH}{}@people.example", self.number()));
        }
        let (zone, usual) = self.place(usual, every.is_some());
        let usual = zone.undoubted(usual, SignedDuration::from_mins(minutes));
        let draft = Draft {
            title: self.text(private),
            start: start.unwrap_or(usual),
            zone,
            minutes,
            guests: guests.clone(),
            private,
            every,
        };
        self.add(owner, draft)
    }

    fn add(&mut self, owner: usize, draft: Draft) -> Option<usize> {
        let made = book::create(&self.wires.office, owner, &draft);
        let id = self.noted(&format!("{} makes {draft:?}", PEOPLE[owner].name), made)?;
        let uid = self.uid_of(owner, &id)?;
        let series = draft.every.map(|(days, count)| {
            let mut series = Series { days, count, special: Default::default(), ever: Default::default() };
            let starts = series.starts(draft.start, draft.zone);
            if starts.iter().any(|at| draft.zone.changes_between(draft.start, *at)) {
                self.struck(Trouble::Clocks);
            }
            series.ever.extend(starts);
            series
        });
        let meeting = Meeting {
            owner,
            id,
            uid,
            title: draft.title,
            start: draft.start,
            minutes: draft.minutes,
            zone: draft.zone,
            ever_guests: draft.guests.clone(),
            guests: draft.guests,
            private: draft.private,
            off: false,
            ever_off: false,
            hearsay: false,
            off_while_frozen: false,
            off_unread: false,
            series,
            left: BTreeSet::new(),
            changed_at: self.now(),
        };
        Some(lock(&self.wires.ledger).add(meeting))
    }

    fn uid_of(&self, owner: usize, id: &str) -> Option<Uid> {
        let office = &self.wires.office;
        let who = &PEOPLE[owner];
        let all = if who.place == Place::Google { office.google.snapshot() } else { office.microsoft.snapshot() };
        let row = all.get(who.email)?.iter().find(|row| row["id"] == id)?;
        uid_in(row).and_then(Uid::read)
    }

    /// A meeting that is not off.
    fn one(&mut self, wanted: impl Fn(&Meeting) -> bool) -> Option<(usize, Meeting)> {
        let all: Vec<(usize, Meeting)> = {
            let ledger = lock(&self.wires.ledger);
            let all = ledger.meetings.iter().enumerate();
            all.filter(|(_, one)| !one.off && wanted(one)).map(|(at, one)| (at, one.clone())).collect()
        };
        if all.is_empty() { None } else { Some(all[self.some(all.len())].clone()) }
    }

    /// The organiser changes a meeting; whether it was possible.
    fn change(&mut self, at: usize, meeting: Meeting, what: &str) -> bool {
        let done = book::edit(&self.wires.office, &meeting);
        if self.noted(&format!("{} {what} {meeting:?}", PEOPLE[meeting.owner].name), done).is_none() {
            return false;
        }
        let now = self.now();
        let mut ledger = lock(&self.wires.ledger);
        ledger.meetings[at] = Meeting { changed_at: now, ..meeting };
        ledger.name(at);
        true
    }

    fn rename(&mut self) {
        let Some((at, mut meeting)) = self.one(|_| true) else { return self.meet() };
        meeting.title = self.text(meeting.private);
        self.change(at, meeting, "renames");
    }

    fn shift(&mut self) {
        let Some((at, mut meeting)) = self.one(|one| one.series.is_none()) else { return };
        let minutes = i64::try_from(self.dice.between(20, 3_000)).unwrap_or(60);
        let before = meeting.start;
        let later = meeting.zone.days_later(before, self.days_on()) + SignedDuration::from_mins(minutes);
        meeting.start = meeting.zone.undoubted(later, SignedDuration::from_mins(meeting.minutes));
        let is_across = meeting.zone.changes_between(before, meeting.start);
        if self.change(at, meeting, "moves") {
            self.struck(Trouble::Move);
            self.struck_if(is_across, Trouble::Clocks);
        }
    }

    fn cancel(&mut self) {
        let Some((at, meeting)) = self.one(|_| true) else { return };
        let (copies, known) = self.kept(at);
        let is_frozen = known.iter().any(|one| one.state.privacy == Privacy::Frozen);
        let is_unread = !copies.iter().any(|copy| copy.organizes);
        let done = book::delete(&self.wires.office, meeting.owner, &meeting.id);
        if self.noted(&format!("{} calls off {}", PEOPLE[meeting.owner].name, meeting.title), done).is_some() {
            let now = self.now();
            let off = &mut lock(&self.wires.ledger).meetings[at];
            (off.off, off.ever_off, off.changed_at) = (true, true, now);
            (off.off_while_frozen, off.off_unread) = (is_frozen, is_unread);
            self.struck(Trouble::Cancel);
        }
    }

    /// Somebody of ours who is invited, and the meeting's id in that calendar.
    fn guest(&mut self) -> Option<(usize, Meeting, usize, String)> {
        let (at, meeting) = self.one(|one| (0..PEOPLE.len()).any(|person| one.invites(person)))?;
        let guests: Vec<usize> =
            (0..PEOPLE.len()).filter(|person| meeting.invites(*person) && !meeting.left.contains(person)).collect();
        if guests.is_empty() {
            return None;
        }
        let person = guests[self.some(guests.len())];
        let id = book::find(&self.wires.office, person, &meeting.uid)?;
        Some((at, meeting, person, id))
    }

    fn leave(&mut self) {
        let Some((at, meeting, person, id)) = self.guest() else { return };
        let done = book::delete(&self.wires.office, person, &id);
        if self.noted(&format!("{} takes {} off", PEOPLE[person].name, meeting.title), done).is_some() {
            // Such a copy is cancelled and does not say by whom; where the organiser's calendar is not connected, nobody does.
            let is_all = PEOPLE[person].place == Place::Google && !self.plot.linked.contains(&meeting.owner);
            let left = &mut lock(&self.wires.ledger).meetings[at];
            left.left.insert(person);
            left.hearsay |= is_all;
            self.struck(Trouble::Leave);
        }
    }

    fn reply(&mut self) {
        let Some((_, meeting, person, id)) = self.guest() else { return };
        let accepts = self.dice.chance(700);
        let done = book::reply(&self.wires.office, person, &id, accepts);
        if self.noted(&format!("{} answers {}", PEOPLE[person].name, meeting.title), done).is_some() {
            self.struck(Trouble::Reply);
        }
    }

    fn guests(&mut self) {
        let Some((at, mut meeting)) = self.one(|_| true) else { return };
        let outside = |email: &&String| !PEOPLE.iter().any(|one| one.email == email.as_str());
        let there: Vec<String> = meeting.guests.iter().filter(outside).cloned().collect();
        if there.len() > 1 && self.dice.chance(400) {
            meeting.guests.remove(&there[self.some(there.len())]);
        } else {
            let known: Vec<String> = lock(&self.wires.ledger).contacts.keys().cloned().collect();
            if known.is_empty() {
                return;
            }
            meeting.guests.insert(known[self.some(known.len())].clone());
        }
        meeting.ever_guests.extend(meeting.guests.iter().cloned());
        if self.change(at, meeting, "invites others to") {
            self.struck(Trouble::Guests);
        }
    }

    /// Only where nobody else of ours has a copy, which would go on saying what the organiser's no longer says.
    fn private(&mut self) {
        let alone = |one: &Meeting| {
            let special = one.series.as_ref().is_some_and(|series| !series.special.is_empty());
            !special && (0..PEOPLE.len()).all(|person| !one.invites(person))
        };
        let Some((at, mut meeting)) = self.one(alone) else { return };
        meeting.private = !meeting.private;
        meeting.title = self.text(meeting.private);
        meeting.guests.retain(|email| meeting.private || !email.starts_with(HUSH));
        if self.change(at, meeting, "hides or shows") {
            self.struck(Trouble::Private);
        }
    }

    fn birth(&mut self) {
        let email = format!("{CANARY}{}@people.example", self.number());
        let made = self.wires.office.crm.add_contact(&email);
        if let Some(id) = self.noted(&format!("contact {email}"), made) {
            let contact = Contact { id, born: self.now(), gone: false };
            lock(&self.wires.ledger).contacts.insert(email, contact);
        }
    }

    fn contact(&mut self) {
        let alive: Vec<(String, Contact)> = {
            let ledger = lock(&self.wires.ledger);
            let all = ledger.contacts.iter().filter(|(_, contact)| !contact.gone);
            all.map(|(email, contact)| (email.clone(), contact.clone())).collect()
        };
        if alive.is_empty() || self.dice.chance(600) {
            self.birth();
        } else {
            let (email, contact) = alive[self.some(alive.len())].clone();
            let before = self.wires.office.crm.records();
            let done = self.wires.office.crm.delete_contact(&contact.id);
            if self.noted(&format!("contact {email} is deleted"), done).is_some() {
                lock(&self.wires.ledger).contacts.insert(email, Contact { gone: true, ..contact });
                self.went_along(before);
            }
        }
        self.struck(Trouble::Contact);
    }

    /// With a contact Salesforce deletes the meetings that are with it.
    fn went_along(&self, before: Vec<Record>) {
        let still: BTreeSet<String> = self.wires.office.crm.records().into_iter().map(|record| record.id).collect();
        for record in before.into_iter().filter(|record| !still.contains(&record.id)) {
            let stood_for = record.key.as_deref().and_then(|key| self.wires.stands_for(key));
            let known = stood_for.is_some_and(|(at, rid)| self.is_in_step(at, rid));
            let mut ledger = lock(&self.wires.ledger);
            ledger.logged.iter_mut().filter(|logged| logged.id == record.id).for_each(|logged| logged.gone = true);
            ledger.removed.extend(record.key.map(|key| (key, known)));
        }
    }

    /// A record of the CRM: its id, its key, its title.
    fn record(&mut self) -> Option<(String, String, String)> {
        let records = self.wires.office.crm.records().into_iter();
        let all: Vec<_> = records.filter_map(|record| Some((record.id, record.key?, record.title))).collect();
        if all.is_empty() { None } else { Some(all[self.some(all.len())].clone()) }
    }

    /// What the product keeps of a meeting or series.
    fn known(&self, at: usize) -> Vec<StoredMeeting> {
        self.kept(at).1
    }

    /// The copies that the product has read, and the meetings that it knows by them.
    fn kept(&self, at: usize) -> (Vec<StoredCopy>, Vec<StoredMeeting>) {
        let uid = lock(&self.wires.ledger).meetings[at].uid.clone();
        let known = self.wires.sim.store.series(&workspace(), &integration(), &uid).now_or_never();
        known.and_then(Result::ok).unwrap_or_default()
    }

    /// Whether the product knows the record, and nothing is on its way to it.
    fn is_in_step(&self, at: usize, rid: Rid) -> bool {
        self.known(at).iter().any(|one| one.key.rid == rid && !one.links.is_empty() && one.plan.is_none())
    }

    fn edit_record(&mut self) {
        let Some((id, key, title)) = self.record() else { return };
        let Some((at, rid)) = self.wires.stands_for(&key) else { return };
        let new = format!("{CANARY} edit {}", self.number());
        let known = self.is_in_step(at, rid);
        let done = self.wires.office.crm.name(&id, &new);
        if self.noted(&format!("somebody names record {id} {new}"), done).is_none() {
            return;
        }
        let mut ledger = lock(&self.wires.ledger);
        let shown = ledger.meetings[at].shown(rid);
        let in_step_with = Some(shown.title).filter(|told| known && !shown.off && *told == title);
        ledger.edits.insert(key, CrmEdit { title: new, in_step_with });
        drop(ledger);
        self.struck(Trouble::Edit);
    }

    fn delete_record(&mut self) {
        let Some((id, key, _)) = self.record() else { return };
        let Some((at, rid)) = self.wires.stands_for(&key) else { return };
        let known = self.is_in_step(at, rid);
        let done = self.wires.office.crm.delete_meeting(&id);
        if self.noted(&format!("somebody deletes record {id}"), done).is_some() {
            lock(&self.wires.ledger).removed.insert(key, known);
            self.struck(Trouble::Delete);
        }
    }

    /// The vendor speaks of the lives of its watches.
    fn lives(&mut self) {
        let says =
            *self.dice.pick(&[Lifecycle::Missed, Lifecycle::ReauthorizationRequired, Lifecycle::SubscriptionRemoved]);
        self.wires.office.microsoft.tell_lifecycle(PEOPLE[MIA].email, says);
        self.wires.sim.note(|| format!("of the watches of {} it is said: {says:?}", PEOPLE[MIA].name));
        self.struck(Trouble::Lives);
    }

    /// Not before the first readings: an event of which a list does not show the latest change is not in it at all.
    fn lag(&mut self) {
        if lock(&self.wires.ledger).settled_at.len() < self.plot.linked.len() {
            return;
        }
        let lag = SignedDuration::from_secs(i64::try_from(self.dice.between(5, LAG_MAX)).unwrap_or(5));
        book::lag(&self.wires.office, lag);
        self.wires.sim.note(|| format!("the calendars lag by {lag:?}"));
        self.struck(Trouble::Lag);
    }
}
