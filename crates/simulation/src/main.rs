//! The campaign's command line.

use std::{
    collections::BTreeSet,
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
#[cfg(feature = "mutants")]
use syncline_core::mutant::Mutant;
use syncline_simulation::{Campaign, Fault, FaultSet, Options, Reached, Totals, calendars, check, records, shrink};

/// Runs the whole of Syncline against imitation orgs under virtual time, with faults drawn from seeds.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run one seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the trace of the one seed.
    #[arg(long)]
    trace: bool,
    /// Look for the smallest variant of the one seed that still fails.
    #[arg(long)]
    shrink: bool,
    /// The faults that may strike, by their ids; all where absent, none with an empty text.
    #[arg(long)]
    faults: Option<String>,
    /// Of the one seed's bookings, only these.
    #[arg(long, value_delimiter = ',')]
    bookings: Option<Vec<usize>>,
    /// Faults that every run has, and that strike more often than usual.
    #[arg(long)]
    often: Option<String>,
    /// What happens to a booking follows within seconds.
    #[arg(long)]
    hurry: bool,
    /// The number of processes, and of workers in each; as the seed says where absent.
    #[arg(long)]
    processes: Option<usize>,
    #[arg(long)]
    workers: Option<usize>,
    /// Seconds after which workers look for work that nobody told them of.
    #[arg(long)]
    poll: Option<u64>,
    /// A fault put into the product's own safety code, by its name.
    #[cfg(feature = "mutants")]
    #[arg(long)]
    mutant: Option<String>,
    /// Simulate records in step instead of bookings.
    #[arg(long)]
    records: bool,
    /// Simulate calendars and a CRM instead of bookings.
    #[arg(long, conflicts_with = "records")]
    calendars: bool,
    /// With `--records` or `--calendars`: what people may do beside the plain things, by its names; all where absent, nothing
    /// with an empty text.
    #[arg(long, value_delimiter = ',')]
    troubles: Option<Vec<String>>,
    /// With `--records` or `--calendars`: so many things that people do, instead of as many as the seed says.
    #[arg(long)]
    acts: Option<u64>,
    /// Threads; one per core where absent.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let faults = match &arguments.faults {
        Some(ids) => FaultSet::parse(ids).map_err(anyhow::Error::msg)?,
        None => FaultSet::all(),
    };
    if arguments.records {
        return in_step(&arguments, faults);
    }
    if arguments.calendars {
        return meetings(&arguments, faults);
    }
    let bookings = arguments.bookings.as_ref().map(|bookings| bookings.iter().copied().collect::<BTreeSet<_>>());
    let options = Options {
        faults,
        bookings,
        often: FaultSet::parse(arguments.often.as_deref().unwrap_or_default()).map_err(anyhow::Error::msg)?,
        hurry: arguments.hurry,
        processes: arguments.processes,
        workers: arguments.workers,
        poll: arguments.poll.map(Duration::from_secs),
        #[cfg(feature = "mutants")]
        mutant: arguments.mutant.as_deref().map(mutant).transpose()?,
        ..Options::default()
    };
    match arguments.seed {
        Some(seed) => one(seed, &arguments, options),
        None => many(&arguments, options),
    }
}

#[cfg(feature = "mutants")]
fn mutant(name: &str) -> anyhow::Result<Mutant> {
    let all = || Mutant::ALL.into_iter().chain(Mutant::OF_RECORDS).chain(Mutant::OF_CALENDARS);
    let found = all().find(|mutant| format!("{mutant:?}") == name);
    found.ok_or_else(|| anyhow::anyhow!("there is no mutant `{name}`; there are {:?}", all().collect::<Vec<_>>()))
}

/// Records in step.
fn in_step(arguments: &Arguments, faults: FaultSet) -> anyhow::Result<ExitCode> {
    let named = |id: &String| {
        let found = records::Trouble::ALL.iter().copied().find(|trouble| trouble.id() == id);
        found.ok_or_else(|| anyhow::anyhow!("there is no trouble `{id}`"))
    };
    let troubles = match &arguments.troubles {
        Some(ids) => ids.iter().filter(|id| !id.is_empty()).map(named).collect::<anyhow::Result<BTreeSet<_>>>()?,
        None => records::Trouble::ALL.iter().copied().collect(),
    };
    let options = records::Options {
        faults,
        often: FaultSet::parse(arguments.often.as_deref().unwrap_or_default()).map_err(anyhow::Error::msg)?,
        troubles,
        acts: arguments.acts,
        trace: false,
        #[cfg(feature = "mutants")]
        mutant: arguments.mutant.as_deref().map(mutant).transpose()?,
    };
    let began = Instant::now();
    let failed = match arguments.seed {
        Some(seed) => {
            let report = records::run(seed, &records::Options { trace: true, ..options });
            if arguments.trace {
                print!("{}", report.trace);
            }
            println!(
                "seed {seed}: digest {:016x}, {} calls, {:?} simulated",
                report.digest, report.calls, report.simulated
            );
            for violation in &report.violations {
                println!("VIOLATION {}: {}", violation.invariant, violation.text);
            }
            report.violations.len() as u64
        }
        None => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let threads = arguments.threads.unwrap_or(cores);
            let totals = records::Campaign { from: arguments.from, seeds: arguments.seeds, threads, options }.run();
            print!("{}", totals.words());
            totals.failed
        }
    };
    println!("time        {:.1?}", began.elapsed());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Calendars.
fn meetings(arguments: &Arguments, faults: FaultSet) -> anyhow::Result<ExitCode> {
    let named = |id: &String| {
        let found = calendars::Trouble::ALL.iter().copied().find(|trouble| trouble.id() == id);
        found.ok_or_else(|| anyhow::anyhow!("there is no trouble `{id}`"))
    };
    let troubles = match &arguments.troubles {
        Some(ids) => ids.iter().filter(|id| !id.is_empty()).map(named).collect::<anyhow::Result<BTreeSet<_>>>()?,
        None => calendars::Trouble::ALL.iter().copied().collect(),
    };
    let options = calendars::Options {
        faults,
        often: FaultSet::parse(arguments.often.as_deref().unwrap_or_default()).map_err(anyhow::Error::msg)?,
        troubles,
        acts: arguments.acts,
        trace: false,
        #[cfg(feature = "mutants")]
        mutant: arguments.mutant.as_deref().map(mutant).transpose()?,
    };
    let began = Instant::now();
    let failed = match arguments.seed {
        Some(seed) => {
            let report = calendars::run(seed, &calendars::Options { trace: true, ..options });
            if arguments.trace {
                print!("{}", report.trace);
            }
            println!(
                "seed {seed}: digest {:016x}, {} calls, {:?} simulated",
                report.digest, report.calls, report.simulated
            );
            for violation in &report.violations {
                println!("VIOLATION {}: {}", violation.invariant, violation.text);
            }
            report.violations.len() as u64
        }
        None => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let threads = arguments.threads.unwrap_or(cores);
            let totals = calendars::Campaign { from: arguments.from, seeds: arguments.seeds, threads, options }.run();
            print!("{}", totals.words());
            totals.failed
        }
    };
    println!("time        {:.1?}", began.elapsed());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(seed: u64, arguments: &Arguments, mut options: Options) -> anyhow::Result<ExitCode> {
    if arguments.shrink {
        options = shrink(seed, &options);
        let kept = options.bookings.as_ref().map(|kept| kept.iter().map(ToString::to_string).collect::<Vec<_>>());
        println!(
            "smallest: --seed {seed} --faults {}{}",
            options.faults,
            kept.map(|kept| format!(" --bookings {}", kept.join(","))).unwrap_or_default()
        );
    }
    let report = check(seed, &Options { trace: true, ..options });
    if arguments.trace {
        print!("{}", report.trace);
    }
    println!("seed {seed}: digest {:016x}, {} calls, {:?} simulated", report.digest, report.calls, report.simulated);
    for violation in &report.violations {
        println!("VIOLATION {}: {}", violation.invariant, violation.text);
    }
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn many(arguments: &Arguments, options: Options) -> anyhow::Result<ExitCode> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or(cores);
    let campaign = Campaign { from: arguments.from, seeds: arguments.seeds, threads, options };
    let began = Instant::now();
    let totals = campaign.run(&|done| {
        if done.is_multiple_of(1000) {
            eprintln!("{done} seeds in {:.0?}", began.elapsed());
        }
    });
    show(&totals, &campaign, began.elapsed())?;
    Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(totals: &Totals, campaign: &Campaign, took: Duration) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for failure in &totals.failures {
        for violation in &failure.violations {
            writeln!(out, "VIOLATION seed {} {}: {}", failure.seed, violation.invariant, violation.text)?;
        }
        writeln!(out, "  {}", failure.replay())?;
    }
    writeln!(out, "seeds       {} from {}", totals.seeds, campaign.from)?;
    writeln!(out, "bookings    {} in {} messages", totals.bookings, totals.messages)?;
    writeln!(out, "calls       {}, and {} points at which a process could die", totals.calls, totals.points)?;
    writeln!(out, "busiest     seed {} with {} points", totals.busiest.0, totals.busiest.1)?;
    let faults: Vec<String> = Fault::ALL.iter().map(|fault| format!("{fault} {}", totals.fired.of(*fault))).collect();
    writeln!(out, "faults      {}: {}", totals.fired.total(), faults.join(" "))?;
    let missed: Vec<String> =
        Reached::ALL.iter().filter(|place| !totals.reached.contains(place)).map(|place| format!("{place:?}")).collect();
    writeln!(out, "reached     {} of {} {}", totals.reached.len(), Reached::ALL.len(), missed.join(" "))?;
    writeln!(
        out,
        "regressed   {} times for a while, by requests that came late or clocks that jumped",
        totals.regressed
    )?;
    let (half, most) = (totals.drained_by(50), totals.drained_by(99));
    writeln!(out, "calm        half drained in {half:.0?}, 99 of 100 in {most:.0?} (simulated)")?;
    writeln!(out, "violations  {}", totals.failed)?;
    let per_second = totals.seeds as f64 / took.as_secs_f64();
    writeln!(out, "time        {took:.1?} for {:.0?} simulated, {per_second:.1} seeds a second", totals.simulated)?;
    Ok(())
}
