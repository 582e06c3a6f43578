//! What becomes of one request on its way: drawn from the seed, one fault at the most.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    faults::Fault,
    network::{CALL_DEADLINE, WAY_MAX},
    sim::Sim,
    watch::Kind,
};

/// How far the clock of a process is wrong at most, as long as it does not jump.
pub const SKEW_MAX: Duration = Duration::from_secs(5);

/// How late a request that its sender gave up may still be applied, beyond the deadline. Syncline allows for a deadline's
/// length, in which clocks may differ and requests are on their way.
pub const LATE_MAX: Duration = CALL_DEADLINE.saturating_sub(SKEW_MAX.saturating_mul(2)).saturating_sub(WAY_MAX);

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Fate {
    Arrives,
    /// It never leaves.
    Refused,
    Lost,
    AnswerLost,
    /// It arrives after its sender has given up.
    Late(Duration),
    /// Applied; the connection breaks off in the answer.
    Reset,
    /// Applied; the answer ends early and looks whole.
    Cut,
    /// Another answer comes in place of the real one; the request may have been applied all the same.
    Instead {
        applied: bool,
        status: u16,
        headers: Vec<(&'static str, &'static str)>,
        body: &'static str,
    },
}

/// What comes back.
pub enum Carried {
    Answer(Response<Bytes>),
    Reset,
}

/// Faults of single calls, with how many of a thousand calls meet each.
const CALLS: &[(Fault, u64)] = &[
    (Fault::N1, 20),
    (Fault::N2, 20),
    (Fault::N3, 30),
    (Fault::N4, 25),
    (Fault::N5, 12),
    (Fault::N6, 12),
    (Fault::H1, 15),
    (Fault::H3, 15),
    (Fault::H4, 6),
    (Fault::H6, 12),
    (Fault::H7, 4),
];

/// `Retry-After` as it is met: seconds, a date, and nonsense.
const RETRY_AFTER: &[&str] = &["3", "20", "Mon, 23 Nov 2026 09:00:00 GMT", "99999999999", "soon"];

impl Fate {
    /// An answer without a body in place of the real one.
    pub fn instead(status: u16) -> Self {
        Fate::Instead { applied: false, status, headers: Vec::new(), body: "" }
    }

    /// Draws one.
    pub fn draw(sim: &Sim, kind: Kind) -> Self {
        // Nothing tells how late a request may come where clocks jump: neither rests nor leases hold then.
        let jumps = sim.story.faults.has(Fault::K1);
        for (fault, per_mille) in CALLS.iter().filter(|(fault, _)| !(jumps && *fault == Fault::N4)) {
            if sim.strikes("fates", *fault, *per_mille) {
                sim.fired(*fault);
                if kind == Kind::Token && matches!(fault, Fault::N3 | Fault::N5 | Fault::N6) && sim.may(Fault::T3) {
                    sim.fired(Fault::T3);
                }
                return Self::of(sim, *fault);
            }
        }
        if kind == Kind::Token && sim.strikes("fates", Fault::T3, 40) {
            sim.fired(Fault::T3);
            return Fate::AnswerLost;
        }
        Fate::Arrives
    }

    fn of(sim: &Sim, fault: Fault) -> Self {
        let instead = |applied, status, body| Fate::Instead { applied, status, headers: Vec::new(), body };
        match fault {
            Fault::N1 => Fate::Refused,
            Fault::N2 => Fate::Lost,
            Fault::N3 => Fate::AnswerLost,
            Fault::N4 => {
                let late = u64::try_from(LATE_MAX.as_millis()).unwrap_or(u64::MAX);
                Fate::Late(CALL_DEADLINE + Duration::from_millis(sim.with_dice("fates", |dice| dice.below(late))))
            }
            Fault::N5 => Fate::Reset,
            Fault::N6 => Fate::Cut,
            Fault::H1 => {
                let after = sim.with_dice("fates", |dice| dice.chance(700).then(|| *dice.pick(RETRY_AFTER)));
                let headers = after.into_iter().map(|after| ("retry-after", after)).collect();
                Fate::Instead { applied: false, status: 429, headers, body: "" }
            }
            Fault::H3 => instead(true, 500, "<html><body>Internal Server Error</body></html>"),
            Fault::H4 => instead(
                false,
                403,
                r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#,
            ),
            Fault::H6 => instead(false, 200, "<html><body>Down for maintenance</body></html>"),
            Fault::H7 => Fate::Instead {
                applied: false,
                status: 302,
                headers: vec![("location", "https://elsewhere.example/services/data")],
                body: "",
            },
            _ => Fate::Arrives,
        }
    }

    /// How much later than usual it arrives.
    pub fn delay(&self) -> Duration {
        if let Fate::Late(delay) = self { *delay } else { Duration::ZERO }
    }

    /// Lets the request arrive, as far as it does, and says what comes back; nothing where nothing ever does.
    pub fn carry(&self, arrive: impl FnOnce() -> Response<Bytes>) -> Option<Carried> {
        match self {
            Fate::Arrives => Some(Carried::Answer(arrive())),
            Fate::Refused | Fate::Lost => None,
            Fate::AnswerLost | Fate::Late(_) => {
                drop(arrive());
                None
            }
            Fate::Reset => {
                drop(arrive());
                Some(Carried::Reset)
            }
            Fate::Cut => {
                let mut answer = arrive();
                let half = answer.body().len() / 2;
                *answer.body_mut() = answer.body().slice(..half);
                Some(Carried::Answer(answer))
            }
            Fate::Instead { applied, status, headers, body } => {
                if *applied {
                    drop(arrive());
                }
                let mut answer = Response::builder().status(StatusCode::from_u16(*status).unwrap_or_default());
                for (name, value) in headers {
                    answer = answer.header(*name, *value);
                }
                answer.body(Bytes::from_static(body.as_bytes())).ok().map(Carried::Answer)
            }
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Arrives => f.write_str("arrives"),
            Fate::Instead { applied, status, .. } => write!(f, "gets {status}, applied: {applied}"),
            other => write!(f, "{other:?}"),
        }
    }
}
