//! What the calendars' vendors tell of changes, on its way to the processes: lost, doubled, late, or overtaken. What nobody
//! took is told again as each vendor does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use syncline_sandbox::HookDelivery;

use super::{office::Place, process::Process, wires::Wires};
use crate::{faults::Fault, process::PUBLIC};

/// How long a word is under way, in milliseconds. Some come before the answer to the request for their watch.
const WAY_MILLIS: (u64, u64) = (20, 3_000);
/// How long a vendor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long after it was refused or not heard a vendor tries an address again that it is asked to tell.
const HANDSHAKE_AGAIN: Duration = Duration::from_secs(1);
/// The parameter by which an address is tried.
const HANDSHAKE: &str = "validationToken=";

/// Of a thousand words, how many meet each fault.
const TWICE_PER_MILLE: u64 = 150;
const OVERTAKEN_PER_MILLE: u64 = 200;
const LATE_PER_MILLE: u64 = 60;
const LOST_PER_MILLE: u64 = 200;

/// How much later than the rest it then comes, in seconds.
const TWICE: (u64, u64) = (1, 600);
const OVERTAKEN: (u64, u64) = (5, 180);
const LATE: (u64, u64) = (1_800, 2 * 3_600);

/// A word of a vendor.
#[derive(Clone)]
struct Word {
    from: Place,
    sent: HookDelivery,
}

/// Carries whatever vendors tell, to any process.
pub async fn carry(wires: Arc<Wires>, processes: Vec<Arc<Process>>) {
    let post = Arc::new(Post { wires, processes });
    loop {
        let way = post.wires.sim.with_dice("notices", |dice| dice.between(WAY_MILLIS.0, WAY_MILLIS.1));
        tokio::time::sleep(Duration::from_millis(way)).await;
        let office = &post.wires.office;
        let told =
            [(Place::Google, office.google.take_deliveries()), (Place::Microsoft, office.microsoft.take_deliveries())];
        for (from, sent) in told.into_iter().flat_map(|(from, sent)| sent.into_iter().map(move |one| (from, one))) {
            post.send(Word { from, sent });
        }
    }
}

/// The post between vendors and processes.
struct Post {
    wires: Arc<Wires>,
    processes: Vec<Arc<Process>>,
}

impl Post {
    /// Sends a word on its way, as its fate is.
    fn send(self: &Arc<Self>, word: Word) {
        // An address is tried while its watch is asked for: a vendor that does not reach it gives none.
        if word.sent.url.contains(HANDSHAKE) {
            tokio::spawn(Arc::clone(self).shake_hands(word));
            return;
        }
        let sim = &self.wires.sim;
        let strikes = |fault, per_mille| {
            let strikes = sim.strikes("notices", fault, per_mille);
            if strikes {
                sim.fired(fault);
            }
            strikes
        };
        if strikes(Fault::W4, LOST_PER_MILLE) {
            return;
        }
        let seconds = |(from, to)| Duration::from_secs(sim.with_dice("notices", |dice| dice.between(from, to)));
        if strikes(Fault::W1, TWICE_PER_MILLE) {
            tokio::spawn(Arc::clone(self).deliver(word.clone(), seconds(TWICE)));
        }
        let late = match () {
            () if strikes(Fault::W3, LATE_PER_MILLE) => seconds(LATE),
            () if strikes(Fault::W2, OVERTAKEN_PER_MILLE) => seconds(OVERTAKEN),
            () => Duration::ZERO,
        };
        tokio::spawn(Arc::clone(self).deliver(word, late));
    }

    async fn deliver(self: Arc<Self>, word: Word, late: Duration) {
        tokio::time::sleep(late).await;
        let answer = self.post(&word).await;
        self.report(&word, answer);
    }

    async fn shake_hands(self: Arc<Self>, word: Word) {
        loop {
            let answer = self.post(&word).await;
            if answer.is_some() {
                return self.report(&word, answer);
            }
            tokio::time::sleep(HANDSHAKE_AGAIN).await;
        }
    }

    /// What one of the processes answers, if it does.
    async fn post(&self, word: &Word) -> Option<(u16, Bytes)> {
        let (sim, sent) = (&self.wires.sim, &word.sent);
        let process = sim.with_dice("notices", |dice| Arc::clone(dice.pick(&self.processes)));
        let path = sent.url.strip_prefix(PUBLIC)?;
        let headers: Vec<(&str, String)> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let hears = process.door.post(path, &headers, Bytes::from(sent.body.clone()));
        let answer = tokio::time::timeout(PATIENCE, hears).await.ok().flatten();
        sim.note(|| {
            let status = answer.as_ref().map(|(status, _)| *status);
            format!("p{} is told by {:?} through {}: {status:?}", process.number, word.from, sent.hook)
        });
        answer
    }

    fn report(&self, word: &Word, answer: Option<(u16, Bytes)>) {
        let office = &self.wires.office;
        let (status, body) = answer.map_or((None, Bytes::new()), |(status, body)| (Some(status), body));
        match word.from {
            Place::Google => office.google.report(&word.sent, status),
            Place::Microsoft => office.microsoft.report(&word.sent, status, &body),
        }
    }
}
