//! The functions, filters and tests of the language, each with an example that the reference shows and a test checks.
//! They are pure, pay for every text they make, and give back null where they are given null.

use std::ops::RangeInclusive;

use jiff::{Timestamp, ToSpan, civil::Date, fmt::strtime, tz::TimeZone};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use super::{Datum, datum::graphemes, eval::Run};
use crate::person::{domain_of, normal_email, split_name, squeeze};

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// `answer("Company")`
    Function,
    /// `invitee.name|upper`
    Filter,
    /// `invitee.phone is blank`
    Test,
}

impl Usage {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Usage::Function => "function",
            Usage::Filter => "filter",
            Usage::Test => "test",
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Usage::Function => "{{ answer(\"Company\") }}",
            Usage::Filter => "{{ invitee.name|upper }}",
            Usage::Test => "{% if invitee.phone is blank %}no phone{% endif %}",
        }
    }
}

type Result = std::result::Result<Datum, String>;

/// One function of the language.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub usage: Usage,
    pub about: &'static str,
    pub example: &'static str,
    /// What the example gives for the sample booking.
    pub gives: &'static str,
    /// How many values it takes, a filter's and a test's subject included.
    pub(super) takes: RangeInclusive<usize>,
    pub(super) run: fn(&mut Run<'_>, &[Datum]) -> Result,
}

/// Longest format of a date, and most days or minutes that can be added: enough for any calendar.
const FORMAT_CHARS_MAX: usize = 200;
const ADDED_MAX: i64 = 1_000_000_000;
/// Most decimal places that a number is rounded to.
const PLACES_MAX: u32 = 18;

macro_rules! functions {
    ($($usage:ident $name:literal($least:literal..=$most:literal) $run:path: $about:literal, $example:literal => $gives:literal;)*) => {
        /// All functions, filters and tests.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: $name,
            usage: Usage::$usage,
            about: $about,
            example: $example,
            gives: $gives,
            takes: $least..=$most,
            run: $run,
        }),*];
    };
}

functions! {
    Function "answer"(1..=2) answer: "the answer to a question, by the question itself or by the tool's name for it; a second value stands in where there is none",
        r#"{{ answer("Company") }}"# => "Analytical Engines";
    Function "utm"(1..=1) utm: "a campaign value: `source`, `medium`, `campaign`, `term`, `content`",
        r#"{{ utm("source") }}"# => "newsletter";
    Filter "default"(2..=3) default: "stands in where a value is missing or blank",
        r#"{{ answer("Budget")|default("not asked") }}"# => "not asked";
    Filter "lower"(1..=1) lower: "small letters",
        "{{ invitee.email|lower }}" => "ada@example.org";
    Filter "upper"(1..=1) upper: "capital letters",
        "{{ invitee.last_name|upper }}" => "LOVELACE";
    Filter "capitalize"(1..=1) capitalize: "a capital letter first",
        "{{ booking.status|capitalize }}" => "Active";
    Filter "trim"(1..=1) trim: "without blanks around it, and with single ones within",
        r#"{{ "  Ada   Lovelace "|trim }}"# => "Ada Lovelace";
    Filter "truncate"(2..=3) truncate: "at most so many characters, never cutting through one that people see as one; the third value marks the cut",
        r#"{{ booking.title|truncate(16, "…") }}"# => "Introduction be…";
    Filter "replace"(3..=3) replace: "one text within it for another",
        r#"{{ invitee.phone|replace(" ", "") }}"# => "+442079460123";
    Filter "split"(2..=2) split: "the parts between separators, as a list",
        r#"{{ answer("Products")|split(", ")|last }}"# => "Mills";
    Filter "join"(1..=2) join: "the entries of a list as one text; blank ones are left out",
        r#"{{ [utm("source"), utm("term"), utm("medium")]|join(" / ") }}"# => "newsletter / email";
    Filter "each"(2..=2) each: "one part of every entry of a list",
        r#"{{ guests|each("email")|join(", ") }}"# => "charles@example.org, mary@example.org";
    Filter "first"(1..=1) first: "the first entry of a list, or letter of a text",
        "{{ (guests|first).name }}" => "Charles Babbage";
    Filter "last"(1..=1) last: "the last entry of a list, or letter of a text",
        "{{ (guests|last).email }}" => "mary@example.org";
    Filter "length"(1..=1) length: "how many entries a list has, or characters a text",
        "{{ guests|length }}" => "2";
    Filter "number"(1..=1) number: "the number that a text begins with; missing where it is none",
        r#"{{ answer("Team size")|number + 1 }}"# => "26";
    Filter "round"(1..=2) round: "a number with so many decimal places, or none",
        "{{ (booking.minutes / 60)|round(2) }}" => "0.75";
    Filter "text"(1..=1) as_text: "the value as a text",
        "{{ booking.minutes|text ~ \" min\" }}" => "45 min";
    Filter "date"(2..=3) date: "a time or date in a format of strftime, in the organiser's zone or the one given",
        r#"{{ booking.start|date("%d.%m.%Y %H:%M", "Europe/Berlin") }}"# => "05.05.2026 16:00";
    Filter "day"(1..=2) day: "the day of a time, in the organiser's zone or the one given, as a date",
        "{{ booking.start|day }}" => "2026-05-05";
    Filter "add_days"(2..=3) add_days: "so many days later (or earlier, below 0), at the same time of day in the organiser's zone or the one given",
        "{{ booking.start|day|add_days(30) }}" => "2026-06-04";
    Filter "add_minutes"(2..=2) add_minutes: "so many minutes later (or earlier, below 0)",
        "{{ booking.start|add_minutes(-15) }}" => "2026-05-05T13:45:00Z";
    Filter "first_name"(1..=1) first_name: "the first word of a name of several",
        "{{ host.name|first_name }}" => "Rosa";
    Filter "last_name"(1..=1) last_name: "all words of a name behind the first",
        "{{ host.name|last_name }}" => "Rep";
    Filter "domain"(1..=1) domain: "the domain of an e-mail address",
        "{{ host.email|domain }}" => "example.com";
    Test "blank"(1..=1) is_blank: "whether there is no value, or nothing but blanks",
        "{% if answer(\"Budget\") is blank %}not asked{% endif %}" => "not asked";
    Test "given"(1..=1) is_given: "whether there is a value that is not blank",
        "{% if invitee.phone is given %}call {{ invitee.phone }}{% endif %}" => "call +44 20 7946 0123";
    Test "defined"(1..=1) is_defined: "whether there is a value, be it blank",
        "{{ answer(\"Budget\") is defined }}" => "false";
    Test "none"(1..=1) is_none: "whether there is no value",
        "{{ answer(\"Budget\") is none }}" => "true";
}

/// The function of this name.
pub(super) fn find(name: &str, usage: Usage) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name && function.usage == usage)
}

/// The names of all functions that are written so.
pub(super) fn named(usage: Usage) -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.iter().filter(move |function| function.usage == usage).map(|function| function.name)
}

/// The value as a text, `None` where it is missing.
fn text(run: &mut Run<'_>, value: &Datum) -> std::result::Result<Option<String>, String> {
    if *value == Datum::Null { Ok(None) } else { run.budget.text_of(value).map(Some) }
}

/// A filter from text to text.
fn on_text(run: &mut Run<'_>, args: &[Datum], change: impl FnOnce(&str) -> String) -> Result {
    match text(run, &args[0])? {
        Some(text) => run.budget.made(change(&text)),
        None => Ok(Datum::Null),
    }
}

fn whole(value: &Datum, what: &str) -> std::result::Result<i64, String> {
    let number = value.as_number().and_then(|number| number.trunc().to_i64());
    number
        .filter(|number| number.abs() <= ADDED_MAX)
        .ok_or_else(|| format!("{what} is no whole number that can be used"))
}

fn answer(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let wanted = squeeze(&run.budget.text_of(&args[0])?);
    let instead = || args.get(1).cloned().unwrap_or(Datum::Null);
    let Datum::List(answers) = run.scope.get("answers") else { return Ok(instead()) };
    let value = |part: &str, answer: &Datum| match answer {
        Datum::Map(answer) => answer.get(part).cloned().unwrap_or(Datum::Null),
        _ => Datum::Null,
    };
    let mut found = Datum::Null;
    // The exact name goes before one that differs in case or blanks.
    for exact in [true, false] {
        for answer in answers.iter() {
            run.budget.step()?;
            for part in ["key", "label"] {
                let Datum::Text(name) = value(part, answer) else { continue };
                run.budget.bytes(name.len())?;
                let is_it =
                    if exact { *name == *wanted } else { squeeze(&name).to_lowercase() == wanted.to_lowercase() };
                if is_it && found.is_blank() {
                    found = value("value", answer);
                }
            }
        }
    }
    Ok(if found.is_blank() { instead() } else { found })
}

fn utm(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let wanted = run.budget.text_of(&args[0])?.trim().to_lowercase();
    let wanted = wanted.strip_prefix("utm_").unwrap_or(&wanted);
    Ok(match run.scope.get("utm") {
        Datum::Map(utm) => utm.get(wanted).cloned().unwrap_or(Datum::Null),
        _ => Datum::Null,
    })
}

fn default(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(if args[0].is_blank() { args[1].clone() } else { args[0].clone() })
}

fn lower(run: &mut Run<'_>, args: &[Datum]) -> Result {
    on_text(run, args, str::to_lowercase)
}

fn upper(run: &mut Run<'_>, args: &[Datum]) -> Result {
    on_text(run, args, str::to_uppercase)
}

fn capitalize(run: &mut Run<'_>, args: &[Datum]) -> Result {
    on_text(run, args, |text| {
        let mut chars = text.chars();
        match chars.next() {
            Some(first) => first.to_uppercase().chain(chars).collect(),
            None => String::new(),
        }
    })
}

fn trim(run: &mut Run<'_>, args: &[Datum]) -> Result {
    on_text(run, args, squeeze)
}

fn truncate(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let chars_max = usize::try_from(whole(&args[1], "the length")?).unwrap_or_default();
    let mark = match args.get(2) {
        Some(mark) => run.budget.text_of(mark)?,
        None => String::new(),
    };
    on_text(run, args, |text| {
        if text.chars().count() <= chars_max {
            return text.to_owned();
        }
        let mark = graphemes(&mark, chars_max);
        let kept = graphemes(text, chars_max - mark.chars().count());
        format!("{kept}{mark}")
    })
}

fn replace(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let Some(subject) = text(run, &args[0])? else { return Ok(Datum::Null) };
    let (from, to) = (run.budget.text_of(&args[1])?, run.budget.text_of(&args[2])?);
    if from.is_empty() {
        return Ok(args[0].clone());
    }
    // Paid for before it is made: few letters can stand for many.
    run.budget.bytes(subject.matches(&from).count().saturating_mul(to.len()))?;
    run.budget.made(subject.replace(&from, &to))
}

fn split(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let Some(subject) = text(run, &args[0])? else { return Ok(Datum::Null) };
    let separator = run.budget.text_of(&args[1])?;
    if separator.is_empty() {
        return Err("the separator is blank".to_owned());
    }
    run.budget.bytes((subject.matches(&separator).count() + 1) * size_of::<Datum>())?;
    Ok(Datum::list(subject.split(&separator).map(|part| Datum::text(part.trim()))))
}

fn join(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let list = match &args[0] {
        Datum::Null => return Ok(Datum::Null),
        Datum::List(list) => list.clone(),
        other => return Ok(other.clone()),
    };
    let separator = match args.get(1) {
        Some(separator) => run.budget.text_of(separator)?,
        None => String::new(),
    };
    let mut out = String::new();
    for value in list.iter().filter(|value| !value.is_blank()) {
        if !out.is_empty() {
            run.budget.bytes(separator.len())?;
            out.push_str(&separator);
        }
        out.push_str(&run.budget.text_of(value)?);
    }
    run.budget.made(out)
}

fn each(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let Datum::List(list) = &args[0] else {
        return if args[0] == Datum::Null { Ok(Datum::Null) } else { Err("`each` wants a list".to_owned()) };
    };
    let name = run.budget.text_of(&args[1])?;
    run.budget.bytes(list.len() * size_of::<Datum>())?;
    Ok(Datum::list(list.iter().map(|entry| match entry {
        Datum::Map(map) => map.get(&name).cloned().unwrap_or(Datum::Null),
        _ => Datum::Null,
    })))
}

fn first(run: &mut Run<'_>, args: &[Datum]) -> Result {
    match &args[0] {
        Datum::List(list) => Ok(list.first().cloned().unwrap_or(Datum::Null)),
        Datum::Text(text) => run.budget.made(text.chars().next().into_iter().collect()),
        other => Ok(other.clone()),
    }
}

fn last(run: &mut Run<'_>, args: &[Datum]) -> Result {
    match &args[0] {
        Datum::List(list) => Ok(list.last().cloned().unwrap_or(Datum::Null)),
        Datum::Text(text) => run.budget.made(text.chars().next_back().into_iter().collect()),
        other => Ok(other.clone()),
    }
}

fn length(_: &mut Run<'_>, args: &[Datum]) -> Result {
    let count = match &args[0] {
        Datum::Null => 0,
        Datum::Text(text) => text.chars().count(),
        Datum::List(list) => list.len(),
        Datum::Map(map) => map.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(Datum::Number(Decimal::from(count)))
}

fn number(_: &mut Run<'_>, args: &[Datum]) -> Result {
    /// More digits than a number can have.
    const DIGITS_MAX: usize = 40;
    let Datum::Text(text) = &args[0] else { return Ok(args[0].as_number().map_or(Datum::Null, Datum::Number)) };
    let text = text.trim();
    let is_part = |(at, c): &(usize, char)| c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '-' | '+'));
    let digits: String = text.char_indices().take_while(is_part).map(|(_, c)| c).take(DIGITS_MAX).collect();
    let digits = digits.trim_start_matches('+').trim_end_matches('.');
    Ok(Decimal::from_str_exact(digits).map_or(Datum::Null, Datum::Number))
}

fn round(_: &mut Run<'_>, args: &[Datum]) -> Result {
    if args[0] == Datum::Null {
        return Ok(Datum::Null);
    }
    let places = args.get(1).map_or(Ok(0), |places| whole(places, "the number of decimal places"))?;
    let places = u32::try_from(places).unwrap_or(0).min(PLACES_MAX);
    let number = args[0].as_number().ok_or("only a number can be rounded")?;
    Ok(Datum::Number(number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)))
}

fn as_text(run: &mut Run<'_>, args: &[Datum]) -> Result {
    on_text(run, args, str::to_owned)
}

/// A point in time or a day, from a value or the text of one.
enum When {
    Time(Timestamp),
    Date(Date),
}

fn when(value: &Datum) -> std::result::Result<Option<When>, String> {
    match value {
        Datum::Null => Ok(None),
        Datum::Time(time) => Ok(Some(When::Time(*time))),
        Datum::Date(date) => Ok(Some(When::Date(*date))),
        Datum::Text(text) if text.trim().is_empty() => Ok(None),
        Datum::Text(text) => {
            let text = text.trim();
            let time = text.parse().map(When::Time).or_else(|_| text.parse().map(When::Date));
            time.map(Some).map_err(|_| "this text is no date: it would be written as 2026-05-31".to_owned())
        }
        other => Err(format!("a date is wanted, and {} is given", other.kind())),
    }
}

/// The zone that is given, else the organiser's, else UTC.
fn zone(run: &mut Run<'_>, given: Option<&Datum>) -> std::result::Result<TimeZone, String> {
    if let Some(given) = given.filter(|given| !given.is_blank()) {
        let name = run.budget.text_of(given)?;
        return TimeZone::get(name.trim()).map_err(|_| "there is no such time zone; one is Europe/Berlin".to_owned());
    }
    let host = match run.scope.get("host") {
        Datum::Map(host) => host.get("time_zone").cloned(),
        _ => None,
    };
    Ok(match host {
        Some(Datum::Text(name)) => TimeZone::get(name.trim()).unwrap_or(TimeZone::UTC),
        _ => TimeZone::UTC,
    })
}

fn date(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let format = run.budget.text_of(&args[1])?;
    if format.chars().count() > FORMAT_CHARS_MAX {
        return Err(format!("the format is longer than {FORMAT_CHARS_MAX} characters"));
    }
    let Some(when) = when(&args[0])? else { return Ok(Datum::Null) };
    let shown = match when {
        When::Date(date) => strtime::format(&format, date),
        When::Time(time) => strtime::format(&format, &time.to_zoned(zone(run, args.get(2))?)),
    };
    run.budget.made(shown.map_err(|_| "the format cannot be used; one is %Y-%m-%d %H:%M".to_owned())?)
}

fn day(run: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(match when(&args[0])? {
        None => Datum::Null,
        Some(When::Date(date)) => Datum::Date(date),
        Some(When::Time(time)) => Datum::Date(time.to_zoned(zone(run, args.get(1))?).date()),
    })
}

fn add_days(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let out_of_calendar = |_| "the day lies outside the calendar".to_owned();
    let span = || whole(&args[1], "the number of days").and_then(days_span);
    Ok(match when(&args[0])? {
        None => Datum::Null,
        Some(When::Date(date)) => Datum::Date(date.checked_add(span()?).map_err(out_of_calendar)?),
        Some(When::Time(time)) => {
            let local = time.to_zoned(zone(run, args.get(2))?);
            Datum::Time(local.checked_add(span()?).map_err(out_of_calendar)?.timestamp())
        }
    })
}

fn days_span(days: i64) -> std::result::Result<jiff::Span, String> {
    jiff::Span::new().try_days(days).map_err(|_| "the day lies outside the calendar".to_owned())
}

fn add_minutes(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(match when(&args[0])? {
        None => Datum::Null,
        Some(When::Date(_)) => return Err("minutes can only be added to a time of day".to_owned()),
        Some(When::Time(time)) => {
            let minutes = whole(&args[1], "the number of minutes")?.minutes();
            Datum::Time(time.checked_add(minutes).map_err(|_| "the time lies outside the calendar".to_owned())?)
        }
    })
}

fn first_name(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let Some(name) = text(run, &args[0])? else { return Ok(Datum::Null) };
    match split_name(None, None, Some(&name), "").0 {
        Some(first) => run.budget.made(first),
        None => Ok(Datum::Null),
    }
}

fn last_name(run: &mut Run<'_>, args: &[Datum]) -> Result {
    if args[0].is_blank() {
        return Ok(Datum::Null);
    }
    on_text(run, args, |name| split_name(None, None, Some(name), "").1)
}

fn domain(run: &mut Run<'_>, args: &[Datum]) -> Result {
    let Some(email) = text(run, &args[0])? else { return Ok(Datum::Null) };
    match normal_email(&email).as_deref().and_then(domain_of) {
        Some(domain) => run.budget.made(domain.to_owned()),
        None => Ok(Datum::Null),
    }
}

fn is_blank(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(Datum::Bool(args[0].is_blank()))
}

fn is_given(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(Datum::Bool(!args[0].is_blank()))
}

fn is_defined(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(Datum::Bool(args[0] != Datum::Null))
}

fn is_none(_: &mut Run<'_>, args: &[Datum]) -> Result {
    Ok(Datum::Bool(args[0] == Datum::Null))
}
