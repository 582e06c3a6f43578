//! The senders: they deliver each message, in whatever order and number the seed says, until it is accepted.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;
use tokio::sync::Notify;

use crate::{
    bodies, checks,
    clock::beginning,
    dice::Dice,
    faults::Fault,
    process::{Process, path_key},
    sim::{Reached, Sim, lock},
    story::{Message, Nature, Source},
};

/// How long a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Copies of one message in a burst.
const BURST: u64 = 20;
/// How long after another message a sender that keeps to an order comes with its own.
const ORDER_PAUSE: Duration = Duration::from_secs(1);
/// How far messages overtake one another.
const REORDER_SECONDS: u64 = 1500;

/// One delivery of a message: when, and with the stamp of which moment.
#[derive(Debug, Clone)]
struct Letter {
    message: usize,
    copy: u64,
    at: Duration,
    /// The moment that it was signed at, where an old one is replayed.
    replayed: Option<Timestamp>,
}

/// All senders.
pub struct PostOffice {
    sim: Arc<Sim>,
    processes: Vec<Arc<Process>>,
    /// Messages that were accepted.
    accepted: Mutex<BTreeSet<usize>>,
    /// Messages that any process was ever given.
    sent: Mutex<BTreeSet<usize>>,
    /// Told of every message that is accepted.
    news: Notify,
    under_way: AtomicUsize,
}

impl PostOffice {
    pub fn new(sim: &Arc<Sim>, processes: Vec<Arc<Process>>) -> Arc<Self> {
        Arc::new(Self {
            sim: Arc::clone(sim),
            processes,
            accepted: Mutex::default(),
            sent: Mutex::default(),
            news: Notify::new(),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Sends everything on its way; says when the last first attempt is.
    pub fn open(self: &Arc<Self>) -> Duration {
        let mut last = Duration::ZERO;
        for message in &self.sim.story.messages {
            for letter in self.letters(message) {
                last = last.max(letter.at);
                self.under_way.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(self).deliver(letter));
            }
        }
        last
    }

    /// Deliveries that are still to be accepted or refused.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Messages that some process has accepted.
    pub fn accepted(&self) -> BTreeSet<usize> {
        lock(&self.accepted).clone()
    }

    /// Bookings whose last time nobody has heard of yet, and surely will: whatever happens to their meetings until then,
    /// there is news that lead to a look at them.
    pub fn still_to_move(&self) -> BTreeSet<usize> {
        let (story, sent) = (&self.sim.story, lock(&self.sent));
        let is_untold = |number: usize| {
            let last = story.bookings[number].starts.len() - 1;
            let tells = |message: &&Message| message.booking == Some(number) && message.version == last;
            last > 0 && story.messages.iter().filter(tells).all(|message| !sent.contains(&message.number))
        };
        // Of those of which something is lost, what ties the new time to the old one may be it.
        let is_sure = |number: &usize| is_untold(*number) && checks::is_complete(story, *number);
        (0..story.bookings.len()).filter(is_sure).collect()
    }

    fn letters(&self, message: &Message) -> Vec<Letter> {
        let sim = &self.sim;
        if message.lost {
            if sim.in_chaos() {
                sim.fired(Fault::W4);
            }
            return Vec::new();
        }
        let mut dice = Dice::of(sim.story.seed, "letters", message.number as u64);
        let mut at = message.said;
        if sim.may(Fault::W2) && dice.chance(400) {
            sim.fired(Fault::W2);
            at += Duration::from_secs(dice.below(REORDER_SECONDS));
        }
        if sim.may(Fault::W3) && dice.chance(60) {
            sim.fired(Fault::W3);
            at += Duration::from_secs(dice.between(3600, 3 * 3600));
        }
        let letter = |copy, at| Letter { message: message.number, copy, at, replayed: None };
        let mut letters = vec![letter(0, at)];
        if sim.may(Fault::W1) && dice.chance(300) {
            sim.fired(Fault::W1);
            letters.push(letter(1, at + Duration::from_secs(dice.below(600))));
        }
        if sim.may(Fault::W7) && dice.chance(30) {
            sim.fired(Fault::W7);
            letters.extend((2..BURST).map(|copy| letter(copy, at)));
        }
        if sim.may(Fault::W6) && dice.chance(80) {
            sim.fired(Fault::W6);
            let signed = beginning() + SignedDuration::try_from(at).unwrap_or(SignedDuration::ZERO);
            let later = at + Duration::from_secs(dice.between(900, 3600));
            letters.push(Letter { replayed: Some(signed), ..letter(BURST, later) });
        }
        match message.nature {
            Nature::Genuine => letters,
            Nature::Poison | Nature::Forged => {
                if sim.in_chaos() {
                    sim.fired(if message.nature == Nature::Poison { Fault::W8 } else { Fault::W5 });
                }
                letters.truncate(1);
                letters
            }
        }
    }

    async fn deliver(self: Arc<Self>, letter: Letter) {
        tokio::time::sleep(letter.at).await;
        let message = &self.sim.story.messages[letter.message];
        let mut dice = Dice::of(self.sim.story.seed, "sender", (letter.message as u64) << 8 | letter.copy);
        loop {
            let accepted = self.news.notified();
            if !self.must_wait(message) {
                break;
            }
            accepted.await;
            tokio::time::sleep(ORDER_PAUSE).await;
        }
        loop {
            let process = Arc::clone(dice.pick(&self.processes));
            if self.attempt(&process, message, &letter).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(dice.between(1_000, 60_000))).await;
        }
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Where one booking takes the place of another and that of a third, a message that comes before the one in the
    /// middle makes two bookings of them, and their meetings both stay (a documented gap). Whom a shared slot's first seat belongs to decides who gets
    /// to be known. So these keep their order.
    fn must_wait(&self, message: &Message) -> bool {
        let story = &self.sim.story;
        let Some(number) = message.booking else { return false };
        let booking = &story.bookings[number];
        let linked = matches!(booking.source, Source::Calcom | Source::Calendly) && booking.starts.len() > 2;
        let linked = linked || booking.shared_slot;
        let accepted = lock(&self.accepted);
        let before = |other: &&Message| other.booking == Some(number) && other.number < message.number && !other.lost;
        linked && story.messages.iter().filter(before).any(|other| !accepted.contains(&other.number))
    }

    /// Whether nothing more is to be tried.
    async fn attempt(&self, process: &Process, message: &Message, letter: &Letter) -> bool {
        let sim = &self.sim;
        let now = letter.replayed.unwrap_or_else(|| sim.clock.now());
        let (customer, source) = (message.customer, message.source);
        let id = format!("msg-{}", message.number);
        let headers = bodies::headers(customer, source, message.nature, message.body.as_bytes(), &id, now);
        // A source that signs nothing is told by its address; whoever forges does not know it.
        let key = match (message.nature, source) {
            (Nature::Forged, Source::Meetergo) => "guess".to_owned(),
            _ => path_key(customer),
        };
        let path = format!("/hooks/{}/{key}", source.as_str());
        let known = lock(&self.accepted).contains(&message.number);
        lock(&self.sent).insert(message.number);
        let answer = tokio::time::timeout(PATIENCE, process.post(&path, &headers, &message.body)).await;
        let answer = answer.ok().flatten();
        sim.note(|| {
            let got =
                answer.as_ref().map_or_else(|| "no answer".to_owned(), |(status, body)| format!("{status} {body}"));
            format!("p{} takes message {} ({}) → {got}", process.number, message.number, message.what)
        });
        match answer {
            Some((200, body)) => {
                self.check_accepted(message, known, &body);
                lock(&self.accepted).insert(message.number);
                self.news.notify_waiters();
                true
            }
            // A forged message, and an old one whose stamp has run out, are refused for good.
            Some((401 | 404, _)) => message.nature == Nature::Forged || letter.replayed.is_some(),
            _ => false,
        }
    }

    fn check_accepted(&self, message: &Message, known: bool, body: &str) {
        let sim = &self.sim;
        if message.nature == Nature::Forged {
            sim.violation("W5", format!("message {} was accepted although it is forged", message.number));
        }
        match (known, body.contains("duplicate")) {
            (true, false) if message.nature == Nature::Genuine && !body.contains("ignored") => {
                sim.violation("I1", format!("message {} was accepted before, and nobody remembers", message.number));
            }
            (true, true) => sim.reach(Reached::DuplicateRecognised),
            (false, true) => sim.reach(Reached::AcceptedUnanswered),
            _ => {}
        }
    }
}
