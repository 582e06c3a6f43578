//! How many calls changes cost, at each vendor and in each direction, beside the fewest that the vendor's limits allow;
//! what a round costs in which nothing happened; and how much of the time is the engine's own.

use std::time::{Duration, Instant};

use syncline_core::merge::Side;

use crate::{
    cpu,
    desk::{Desk, Done, Tool},
    net::Calls,
    row,
};

/// Most records that one call to the vendor's cheapest interface reads and writes, where they are changed: `per_job`
/// calls for so many written, and whether what was written has to be read because the vendor does not tell. Salesforce's
/// bulk job takes about eight calls whatever its size. Brevo takes an import of contacts that bear our key in one call
/// and is asked once what became of it; contacts that were there before go by batches.
struct Floor {
    reads: usize,
    writes: usize,
    per_job: usize,
    read_back: bool,
}

const SALESFORCE: Floor = Floor { reads: 2_000, writes: 10_000, per_job: 8, read_back: false };
const SALESFORCE_BY_COLLECTIONS: Floor = Floor { reads: 2_000, writes: 200, per_job: 1, read_back: false };
const BREVO_BY_IMPORT: Floor = Floor { reads: 1_000, writes: 10_000, per_job: 2, read_back: false };

fn floor(tool: Tool) -> Floor {
    match tool {
        Tool::Brevo => Floor { reads: 1_000, writes: 100, per_job: 1, read_back: false },
        Tool::ActiveCampaign => Floor { reads: 100, writes: 250, per_job: 1, read_back: true },
        Tool::HubSpot => Floor { reads: 200, writes: 100, per_job: 1, read_back: false },
    }
}

impl Floor {
    fn to_read(&self, records: usize) -> usize {
        records.div_ceil(self.reads)
    }

    fn to_write(&self, records: usize) -> usize {
        let back = if self.read_back { self.to_read(records) } else { 0 };
        records.div_ceil(self.writes) * self.per_job + back
    }
}

fn sides(done: &Done, from: Side) -> [Calls; 2] {
    match from {
        Side::Left => [done.left, done.right],
        Side::Right => [done.right, done.left],
    }
}

/// Many changes at once on one side, and then on the other.
pub async fn per_changes(changed: usize) {
    let crm = "Salesforce";
    for tool in Tool::ALL {
        let mut desk = Desk::with(tool, changed, true).await;
        let name = tool.name();
        desk.idle().await;
        show(&mut desk, Side::Left, changed, 1, [crm, name], [SALESFORCE, floor(tool)]).await;
        show(&mut desk, Side::Right, changed, 1, [name, crm], [floor(tool), SALESFORCE]).await;
        desk.close().await;
    }
    let mut desk = Desk::with(Tool::Brevo, changed, false).await;
    desk.make_all().await;
    desk.idle().await;
    let name = "Brevo, made by us";
    show(&mut desk, Side::Left, changed, 1, [crm, name], [SALESFORCE, BREVO_BY_IMPORT]).await;
    let floors = [BREVO_BY_IMPORT, SALESFORCE_BY_COLLECTIONS];
    show(&mut desk, Side::Right, changed, PORTIONS, [name, "Salesforce, by collections"], floors).await;
    desk.close().await;
}

/// Portions in which the vendor's bulk interface is not worth its while.
const PORTIONS: usize = 6;

/// Edits on one side, in so many portions one after the other.
async fn show(desk: &mut Desk, from: Side, changed: usize, portions: usize, names: [&str; 2], floors: [Floor; 2]) {
    let [source, target] = names;
    let portion = changed.div_ceil(portions);
    let (mut first, mut echo) = ([Calls::default(); 2], [Calls::default(); 2]);
    let mut least = 0;
    for begin in (0..changed).step_by(portion) {
        let people = begin..changed.min(begin + portion);
        let count = people.len();
        desk.edit(from, people);
        desk.wait();
        let done = desk.carried(count).await;
        assert_eq!(desk.edited(), [count; 2], "{source} to {target}");
        let rest = desk.idle_after().await;
        for (sum, calls) in [(&mut first, sides(&done, from)), (&mut echo, sides(&rest, from))] {
            for (sum, calls) in sum.iter_mut().zip(calls) {
                sum.reads += calls.reads;
                sum.writes += calls.writes;
            }
        }
        least += floors[0].to_read(count) + floors[1].to_write(count);
    }
    let all: u64 = first.iter().map(|calls| calls.all()).sum();
    let figure = format!("{source} to {target}: calls for {changed} changed records");
    row(&figure, all, &format!("at most {:.0}", least as f64 * 1.1));
    row(
        "… read where they changed, read where they go, written",
        format!("{} + {} + {}", first[0].reads, first[1].reads, first[1].writes),
        &format!("least: {least}"),
    );
    row(
        "… calls that show the same once more, until it is out of the overlap",
        format!("{} + {}", echo[0].all(), echo[1].all()),
        "",
    );
}

/// A few changes among many.
pub async fn few(people: usize, changed: usize) {
    for tool in Tool::ALL {
        let mut desk = Desk::with(tool, people, true).await;
        desk.settle().await;
        desk.idle().await;
        for (from, names) in [(Side::Left, ["Salesforce", tool.name()]), (Side::Right, [tool.name(), "Salesforce"])] {
            desk.edit(from, 0..changed);
            desk.wait();
            let done = desk.carried(changed).await;
            let [source, target] = sides(&done, from);
            let figure = format!("{} to {}: write calls for {changed} changed among {people}", names[0], names[1]);
            row(&figure, target.writes, "1");
            row("… reads there and here", format!("{} + {}", source.reads, target.reads), "");
            desk.idle().await;
        }
        desk.close().await;
    }
}

/// Rounds in which nothing happened, with few and with many records.
pub async fn idle(people: [usize; 2]) {
    for people in people {
        let desk = Desk::with(Tool::Brevo, people, true).await;
        desk.settle().await;
        let done = desk.idle().await;
        let calls = format!("{} + {}", done.left.all(), done.right.all());
        row(&format!("idle round, {people} in step: calls a side"), calls, "1 + 1");
        row("… written", done.left.writes + done.right.writes, "0");
        let (rounds, began, used) = (20_u32, Instant::now(), cpu());
        for _ in 0..rounds {
            desk.wait();
            desk.settle().await;
        }
        let (took, used) = (began.elapsed() / rounds, (cpu() - used) / rounds);
        row("… time and processor time, the accounts' own included", format!("{} / {}", ms(took), ms(used)), "");
        desk.close().await;
    }
}

/// What the same calls cost without the engine: the requests of a first load and of a change of all records, sent once
/// more to accounts in the same state by a client that reads the answers and does nothing with them.
pub async fn beside_bare(people: usize) {
    for tool in Tool::ALL {
        let mut desk = Desk::with(tool, people, true).await;
        let mut twin = Desk::with(tool, people, true).await;
        for what in ["tied at the first load", "changed in the CRM", "changed in the tool"] {
            let side = match what {
                "changed in the CRM" => Some(Side::Left),
                "changed in the tool" => Some(Side::Right),
                _ => None,
            };
            if let Some(side) = side {
                for desk in [&mut desk, &mut twin] {
                    desk.edit(side, 0..people);
                    desk.wait();
                }
            }
            let (engine, bare) = desk.beside(&twin).await;
            let each = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3 / people as f64);
            let own = engine.saturating_sub(bare);
            row(&format!("{}: CPU for each of {people} {what}, engine's own", tool.name()), each(own), "0.06 ms");
            row("… of the accounts and a client that makes the same calls", each(bare), "");
            let ratio = if bare.is_zero() { "–".to_owned() } else { format!("{:.2}", engine.div_duration_f64(bare)) };
            row("… ratio of all to that", ratio, "");
            desk.rest_beside(&twin).await;
        }
        desk.close().await;
        twin.close().await;
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
