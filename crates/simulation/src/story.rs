//! What happens in a run, generated from its seed: customers, the people who book, their bookings, and what the sources
//! have to say about each. Nothing here runs anything.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    booking::settings::{
        BookingSettings, CaseSettings, GuestPolicy, OpenLead, OpportunitySettings, PersonMode, StatusValues,
    },
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};

use crate::{bodies, clock::beginning, dice::Dice, faults::Fault, faults::FaultSet};

/// Of a thousand customers, how many have guests made whom nobody knows; and how many guests a booking begins with, less one.
const GUESTS_PERMILLE: u64 = 300;
const GUESTS_MAX: u64 = 3;

/// Bookings of one run at most, those of all customers together.
pub const BOOKINGS_MAX: u64 = 7;
/// What may happen to one booking after it was made.
const CHANGES_MAX: u64 = 4;
/// The first moment at which a meeting takes place, in minutes after the beginning of the run.
const FIRST_MEETING: i64 = 3 * 24 * 60;
/// How many times as often a fault strikes where a run leans towards it.
pub const OFTEN: u64 = 6;
/// Seconds from one message about a booking to the next, at most: usually, and in a hurry, when the next one comes before a
/// call that was given up can have arrived.
const PAUSE_MAX: u64 = 240;
const PAUSE_MAX_IN_A_HURRY: u64 = 20;
/// When all bookings begin whose processes are to want a token at the same moment, and within how many milliseconds: as
/// long as a call takes, so that the second wants one while the first waits for it.
const ALL_AT_ONCE: Duration = Duration::from_secs(60);
const AT_ONCE_MILLIS: u64 = 250;
/// Marks everything that belongs to one customer, so that it would be seen at another.
pub const TAINT: &str = "taint-ws";
/// Marks what is personal or secret, so that it would be seen in a log.
pub const CANARY: &str = "cnry";
/// Stands in whatever is private from its first word.
pub const HUSH: &str = "zzhush";
/// Stands in every webhook secret and app secret.
pub const SECRET: &str = "s3cr3t";

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Calcom,
    Calendly,
    Meetergo,
    Generic,
}

impl Source {
    pub const ALL: [Source; 4] = [Source::Calcom, Source::Calendly, Source::Meetergo, Source::Generic];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::Calcom => "calcom",
            Source::Calendly => "calendly",
            Source::Meetergo => "meetergo",
            Source::Generic => "generic",
        }
    }
}

/// Someone who books.
#[derive(Debug, Clone)]
pub struct Person {
    pub first: String,
    pub last: String,
    /// As the CRM will hold it.
    pub email: String,
    /// As it is typed.
    pub typed: String,
    pub phone: Option<String>,
    pub host: Host,
}

/// Who is met: the same for all people of one domain, because a shared account belongs to whoever was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Rosa,
    Ben,
    /// No longer an active user of the CRM.
    Gone,
}

impl Host {
    pub fn email(self) -> &'static str {
        match self {
            Host::Rosa => "rosa@host.example",
            Host::Ben => "ben@host.example",
            Host::Gone => "gone@host.example",
        }
    }
}

/// One customer.
#[derive(Debug, Clone)]
pub struct Customer {
    pub number: usize,
    pub people: Vec<Person>,
    /// People whom the CRM knows before the first booking.
    pub known: Vec<usize>,
    pub settings: BookingSettings,
    /// Whether tokens are refreshed by a refresh token that lives only once.
    pub rotating: bool,
    /// How long an access token lives, in seconds.
    pub token_seconds: i64,
}

impl Customer {
    pub fn workspace(&self) -> WorkspaceId {
        WorkspaceId::new(format!("ws{}", self.number))
    }

    pub fn crm() -> ConnectionId {
        ConnectionId::new("crm")
    }

    pub fn integration() -> IntegrationId {
        IntegrationId::new("bookings")
    }

    /// Where the customer's org lives.
    pub fn base(&self) -> String {
        format!("https://customer{}.my.salesforce.com", self.number)
    }
}

/// One booking as it should be in the end.
#[derive(Debug, Clone)]
pub struct Booking {
    pub customer: usize,
    pub source: Source,
    /// The booker; of a shared slot, all of them.
    pub people: Vec<usize>,
    /// The start of each version.
    pub starts: Vec<Timestamp>,
    pub cancelled: bool,
    pub shared_slot: bool,
    /// Who gave up a seat of a shared slot in which somebody else sat first. Whether the CRM ever hears of such a person
    /// depends on whether anybody looked in between.
    pub left: Vec<usize>,
}

/// What is wrong with a delivery on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    Genuine,
    /// Signed, and not readable.
    Poison,
    /// Not signed by the source.
    Forged,
}

/// One webhook as the source makes it.
#[derive(Debug, Clone)]
pub struct Message {
    pub number: usize,
    pub customer: usize,
    pub source: Source,
    /// The booking that it speaks of.
    pub booking: Option<usize>,
    pub what: String,
    pub body: String,
    /// When it is made, after the beginning of the run.
    pub said: Duration,
    pub nature: Nature,
    /// It never leaves.
    pub lost: bool,
    /// It says that the booking stands, and with whom.
    pub stands: bool,
    /// The version of the booking that it tells.
    pub version: usize,
}

/// Everything that a seed decides before anything runs.
#[derive(Debug, Clone)]
pub struct Story {
    pub seed: u64,
    pub customers: Vec<Customer>,
    pub bookings: Vec<Booking>,
    pub messages: Vec<Message>,
    pub processes: usize,
    pub workers: usize,
    pub poll: Duration,
    pub faults: FaultSet,
    /// Those that strike [`OFTEN`] times as often as usual.
    pub often: FaultSet,
    /// Seconds from one message about a booking to the next, at most.
    pub pause_max: u64,
    /// Values that the CRM stores in another form.
    pub reshaped: u64,
}

impl Story {
    /// The story of a seed. Of the faults, only the `allowed` ones may strike; the `often` ones are in every story. In a
    /// `hurry`, what happens to a booking follows within seconds.
    pub fn of(seed: u64, allowed: FaultSet, often: FaultSet, hurry: bool) -> Self {
        let mut dice = Dice::of(seed, "story", 0);
        // Each run has some of the faults, so that one does not hide another.
        let share = *dice.pick(&[150, 350, 600]);
        let mut roll = |fault: &Fault| match fault {
            // Dice of its own, so that the seeds from before it still mean what they meant.
            Fault::M3 => Dice::of(seed, fault.id(), 0).chance(share),
            _ => dice.chance(share),
        };
        let faults: FaultSet = Fault::ALL.iter().copied().filter(|fault| roll(fault)).collect();
        let faults = faults.or(often).and(allowed);
        let mut processes = *dice.pick(&[1, 1, 2, 3]);
        if faults.has(Fault::T2) {
            // Within a process one worker asks for all.
            processes = processes.max(2);
        }
        let workers = *dice.pick(&[1, 2, 4]);
        let poll = Duration::from_secs(dice.between(120, 400));
        let mut story = Self {
            seed,
            customers: Vec::new(),
            bookings: Vec::new(),
            messages: Vec::new(),
            processes,
            workers,
            poll,
            faults,
            often,
            pause_max: if hurry { PAUSE_MAX_IN_A_HURRY } else { PAUSE_MAX },
            reshaped: 0,
        };
        for number in 0..if dice.chance(350) { 2 } else { 1 } {
            let customer = story.customer(number, &mut Dice::of(seed, "customer", number as u64));
            story.customers.push(customer);
        }
        for number in 0..1 + dice.below(BOOKINGS_MAX) {
            story.add_booking(&mut Dice::of(seed, "booking", number));
        }
        story.add_noise(&mut Dice::of(seed, "noise", 0));
        story
    }

    /// A story in which nobody books: the frame of the simulations that are not about bookings.
    pub fn without_bookings(seed: u64, faults: FaultSet, often: FaultSet) -> Self {
        Self {
            seed,
            customers: Vec::new(),
            bookings: Vec::new(),
            messages: Vec::new(),
            processes: 1,
            workers: 1,
            poll: Duration::from_secs(PAUSE_MAX),
            faults,
            often,
            pause_max: PAUSE_MAX,
            reshaped: 0,
        }
    }

    /// The same story with these bookings alone, for finding the smallest one that still fails.
    #[must_use]
    pub fn only(mut self, kept: &BTreeSet<usize>) -> Self {
        self.messages.retain(|message| message.booking.is_none_or(|booking| kept.contains(&booking)));
        self
    }

    fn customer(&mut self, number: usize, dice: &mut Dice) -> Customer {
        let domains = 1 + dice.below(3);
        let mut people = Vec::new();
        for at in 0..2 + dice.below(4) {
            let domain = dice.below(domains + 1);
            let (host, domain_name) = match domain {
                0 => (Host::Rosa, "gmail.com".to_owned()),
                domain => {
                    let host = [Host::Rosa, Host::Ben, Host::Gone][usize::try_from(domain % 3).unwrap_or(0)];
                    // Two customers may know the same people.
                    (host, format!("company{domain}.example"))
                }
            };
            let email = format!("{CANARY}{at}@{domain_name}");
            let typed = if self.faults.has(Fault::M1) && dice.chance(500) {
                self.reshaped += 1;
                email.to_uppercase()
            } else {
                email.clone()
            };
            people.push(Person {
                first: "Ada".to_owned(),
                last: format!("{}son{at}", capital(CANARY)),
                typed,
                phone: dice.chance(300).then(|| format!("+49 30 9018{at:03}{number}")),
                email,
                host,
            });
        }
        let known = (0..people.len()).filter(|_| dice.chance(250)).collect();
        Customer {
            number,
            people,
            known,
            settings: BookingSettings { guests: self.guests_of(number), ..settings(dice) },
            rotating: dice.chance(700),
            token_seconds: i64::try_from(dice.between(900, 7200)).unwrap_or(7200),
        }
    }

    /// What becomes of guests whom nobody knows.
    fn guests_of(&self, customer: usize) -> GuestPolicy {
        match Dice::of(self.seed, "guests", customer as u64).chance(GUESTS_PERMILLE) {
            true => GuestPolicy::Create,
            false => GuestPolicy::MatchOnly,
        }
    }

    fn add_booking(&mut self, dice: &mut Dice) {
        let at = self.bookings.len();
        let customer = usize::try_from(dice.below(self.customers.len() as u64)).unwrap_or(0);
        let people = self.customers[customer].people.len() as u64;
        let someone = |dice: &mut Dice| usize::try_from(dice.below(people)).unwrap_or(0);
        let source = *dice.pick(&Source::ALL);
        let shared_slot = source == Source::Calcom && dice.chance(300);
        let mut who = vec![someone(dice)];
        if shared_slot {
            let host = self.customers[customer].people[who[0]].host;
            for _ in 0..2 {
                let other = someone(dice);
                if !who.contains(&other) && self.customers[customer].people[other].host == host {
                    who.push(other);
                }
            }
        }
        let long_title = self.faults.has(Fault::M1) && dice.chance(150);
        self.reshaped += u64::from(long_title);
        let booking = Booking {
            customer,
            source,
            people: who,
            starts: vec![meeting_time(at, 0)],
            cancelled: false,
            shared_slot,
            left: Vec::new(),
        };
        self.bookings.push(booking);
        let guests = match self.customers[customer].settings.guests {
            GuestPolicy::Create => {
                usize::try_from(Dice::of(self.seed, "company", at as u64).below(GUESTS_MAX)).unwrap_or(0)
            }
            GuestPolicy::MatchOnly | GuestPolicy::Ignore => 0,
        };
        let mut said = Duration::from_secs(dice.between(5, 600));
        if self.faults.has(Fault::T2) {
            // All begin together, when nobody has a token yet.
            said = ALL_AT_ONCE + Duration::from_millis(dice.below(AT_ONCE_MILLIS));
        }
        let mut teller = Teller { story: self, booking: at, said, version: 0, title: title(long_title), guests, dice };
        if shared_slot { teller.tell_seats() } else { teller.tell() }
    }

    /// What comes beside the genuine messages.
    fn add_noise(&mut self, dice: &mut Dice) {
        let mut add = |story: &mut Self, nature, what: &str, body: String| {
            let customer = usize::try_from(dice.below(story.customers.len() as u64)).unwrap_or(0);
            story.messages.push(Message {
                number: story.messages.len(),
                customer,
                source: *dice.pick(&Source::ALL),
                booking: None,
                what: what.to_owned(),
                body,
                said: Duration::from_secs(dice.between(5, 900)),
                nature,
                lost: false,
                stands: false,
                version: 0,
            });
        };
        if self.faults.has(Fault::W8) {
            add(
                self,
                Nature::Poison,
                "a body that cannot be read",
                r#"{"triggerEvent":7,"event":[],"id":{}"#.to_owned(),
            );
        }
        if self.faults.has(Fault::W5)
            && let Some(message) = self.messages.first().cloned()
        {
            add(self, Nature::Forged, "a forged message", message.body.replace("ACCEPTED", "REJECTED"));
        }
    }
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn title(long: bool) -> String {
    let title = "Introduction with the whole team";
    if long { format!("{title} {}", "and everybody else ".repeat(16)).trim_end().to_owned() } else { title.to_owned() }
}

/// When a version of a booking takes place: a time that no other version of any booking has.
fn meeting_time(booking: usize, version: usize) -> Timestamp {
    let minutes = i64::try_from(booking * 16 + version).unwrap_or(0) * 15 + FIRST_MEETING;
    beginning() + SignedDuration::from_mins(minutes)
}

fn settings(dice: &mut Dice) -> BookingSettings {
    let mut settings = BookingSettings { company_answer: Some("company".to_owned()), ..BookingSettings::default() };
    settings.person = *dice.pick(&[
        PersonMode::Contact,
        PersonMode::Contact,
        PersonMode::Contact,
        PersonMode::Lead,
        PersonMode::ContactFirst,
    ]);
    // By default the second booking of somebody who has an open lead makes a contact, and then it matters who was first.
    settings.open_lead = OpenLead::UseLead;
    settings.case = dice.chance(350).then(|| CaseSettings { status: "New".to_owned(), origin: Some("Web".to_owned()) });
    settings.opportunity = dice.chance(350).then(|| OpportunitySettings {
        stage: "Prospecting".to_owned(),
        close_after_days: 30,
        amount: None,
    });
    settings.cancel.show_as_free = dice.chance(400);
    if dice.chance(500) {
        settings.status_field = Some("Meeting_Status__c".to_owned());
        settings.status_values = StatusValues {
            booked: Some("Scheduled".to_owned()),
            rescheduled: Some("Rescheduled".to_owned()),
            reschedule_requested: None,
            cancelled: Some("Cancelled".to_owned()),
            no_show: Some("No Show".to_owned()),
        };
    }
    settings
}

/// Tells what happens to one booking, message by message.
struct Teller<'a> {
    story: &'a mut Story,
    booking: usize,
    said: Duration,
    version: usize,
    title: String,
    guests: usize,
    dice: &'a mut Dice,
}

impl Teller<'_> {
    fn tell(&mut self) {
        self.say("booked", bodies::Event::Booked, 0);
        for _ in 0..self.dice.below(CHANGES_MAX) {
            let booking = &self.story.bookings[self.booking];
            match (self.dice.below(10), booking.cancelled, booking.source) {
                (0..=4, false, _) => self.moved(),
                (5..=6, false, _) => {
                    self.story.bookings[self.booking].cancelled = true;
                    self.say("cancelled", bodies::Event::Cancelled, 0);
                }
                (7, false, Source::Generic) => {
                    self.guests += 1;
                    self.say("guests changed", bodies::Event::Updated, 0);
                }
                (8, false, Source::Calcom | Source::Calendly | Source::Generic) => {
                    self.say("no-show", bodies::Event::NoShow, 0);
                }
                (_, true, Source::Generic) => {
                    self.story.bookings[self.booking].cancelled = false;
                    self.say("booked again", bodies::Event::Booked, 0);
                }
                _ => {}
            }
        }
    }

    fn moved(&mut self) {
        self.version += 1;
        let start = meeting_time(self.booking, self.version);
        self.story.bookings[self.booking].starts.push(start);
        if self.story.bookings[self.booking].source == Source::Calendly {
            self.say("half of a move", bodies::Event::MovedAway, 0);
        }
        self.say("moved", bodies::Event::Moved, 0);
    }

    fn tell_seats(&mut self) {
        let seats = self.story.bookings[self.booking].people.len();
        for seat in 0..seats {
            self.say("a seat booked", bodies::Event::Booked, seat);
        }
        let leaving = usize::try_from(self.dice.below(seats as u64 + 1)).unwrap_or(0);
        // The first one leaves last: whose meeting it is, and whom the CRM gets to know, then never depends on when the
        // messages are looked at.
        for seat in (seats - leaving..seats).rev() {
            self.say("a seat cancelled", bodies::Event::Cancelled, seat);
        }
        let booking = &mut self.story.bookings[self.booking];
        booking.cancelled = leaving == seats;
        booking.left = booking.people[(seats - leaving).max(1)..].to_vec();
    }

    fn say(&mut self, what: &str, event: bodies::Event, seat: usize) {
        let pause = Duration::from_secs(self.dice.between(1, self.story.pause_max));
        if !(self.story.faults.has(Fault::T2) && what == "booked") {
            self.said += pause;
        }
        let booking = &self.story.bookings[self.booking];
        let customer = &self.story.customers[booking.customer];
        let body = bodies::body(&bodies::Telling {
            customer,
            booking,
            number: self.booking,
            version: self.version,
            seat,
            said: beginning() + SignedDuration::try_from(self.said).unwrap_or(SignedDuration::ZERO),
            title: &self.title,
            guests: self.guests,
            event,
        });
        let lost = self.story.faults.has(Fault::W4) && self.dice.chance(120) && !booking.shared_slot;
        self.story.messages.push(Message {
            number: self.story.messages.len(),
            customer: booking.customer,
            source: booking.source,
            booking: Some(self.booking),
            what: format!("booking {} {what}", self.booking),
            body: body.to_string(),
            said: self.said,
            nature: Nature::Genuine,
            lost,
            stands: matches!(event, bodies::Event::Booked | bodies::Event::Moved | bodies::Event::Updated),
            version: self.version,
        });
    }
}
