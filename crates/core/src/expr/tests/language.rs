//! What expressions give, and in which words they are refused.

use insta::assert_snapshot;
use jiff::civil::date;
use rust_decimal::Decimal;

use super::*;

fn number(text: &str) -> Datum {
    Datum::Number(Decimal::from_str_exact(text).unwrap())
}

/// A value that is one pair of braces keeps its kind; anything else is text. proves: B13
#[test]
fn a_single_pair_of_braces_keeps_the_kind() {
    assert_eq!(value("Web"), Datum::text("Web"));
    assert_eq!(value("  {{ booking.minutes }}  "), number("45"));
    assert_eq!(value("{{ booking.minutes }} min"), Datum::text("45 min"));
    assert_eq!(value("{{ booking.start|day('Europe/Berlin') }}"), Datum::Date(date(2026, 5, 5)));
    assert_eq!(value("{{ booking.is_cancelled }}"), Datum::Bool(false));
    assert_eq!(value(""), Datum::Null);
}

/// What is missing is null wherever it is met, and prints as nothing. proves: B13
#[test]
fn what_is_missing_is_null() {
    for source in [
        "{{ answer(\"Never asked\") }}",
        "{{ answer(\"Never asked\")|lower|trim|truncate(3)|date(\"%Y\")|add_days(3) }}",
        "{{ answer(\"Never asked\") + 1 }}",
        "{{ utm(\"term\") }}",
        "{{ tracking.unheard_of }}",
        "{{ guests[17].email }}",
        "{{ person.fields.Unread }}",
        "{{ {\"a\": \"b\"}[answer(\"Never asked\")] }}",
        "{{ booking.previous_start|add_minutes(5) }}",
        "{{ 1 if booking.is_cancelled }}",
    ] {
        assert_eq!(value(source), Datum::Null, "{source}");
    }
    assert_eq!(text("[{{ answer(\"Never asked\") }}]"), "[]");
    assert_eq!(value("{{ answer(\"Never asked\") < 3 }}"), Datum::Bool(false));
    assert_eq!(text("{% for x in booking.previous_start %}x{% else %}none{% endfor %}"), "none");
}

#[test]
fn values_are_mapped_and_chosen() {
    let map = "{{ {\"newsletter\": \"Marketing\", \"partner\": \"Partner\"}[utm(\"source\")]|default(\"Other\") }}";
    assert_eq!(text(map), "Marketing");
    assert_eq!(text("{{ \"Large\" if answer(\"Team size\")|number > 20 else \"Small\" }}"), "Large");
    assert_eq!(text("{% if \"Mills\" in answer(\"Products\") %}yes{% elif 1 %}no{% endif %}"), "yes");
    assert_eq!(
        text("{% for guest in guests if guest.first_name != \"Mary\" %}{{ loop.index }} {{ guest.name }}{% endfor %}"),
        "1 Charles Babbage"
    );
    assert_eq!(text("{{ not (1 == 2) and 3 in [1, 2, 3] }}"), "true");
    assert_eq!(text("{{ \"2\" * 21 }} {{ -1.50 + 1 }} {{ 7 // 2 }} {{ 7 % 2 }} {{ 0.1 + 0.2 }}"), "42 -0.5 3 1 0.3");
    assert_eq!(value("{{ booking.end - booking.start }}"), number("45"));
    assert_eq!(value("{{ booking.start|day|add_days(3) - booking.start|day }}"), number("3"));
    assert_eq!(value("{{ person.id }}"), Datum::Record(Reference::Id("contact-1".into())));
    assert_eq!(value("{{ meeting.id }}"), Datum::Record(Reference::Slot(crate::record::Slot::Meeting)));
    assert_eq!(text("{{ person.fields.Industry }} {{ person[\"fields\"][\"email\"] }}"), "Machinery ada@example.org");
}

/// Local days, not days of 24 hours: across a change of the clocks the time of day stays.
#[test]
fn days_are_counted_in_a_zone() {
    assert_eq!(
        text("{{ \"2026-03-28T12:00:00Z\"|add_days(1, \"Europe/Berlin\")|date(\"%F %R\", \"Europe/Berlin\") }}"),
        "2026-03-29 13:00"
    );
    assert_eq!(text("{{ \"2026-01-01T00:30:00Z\"|day(\"America/New_York\") }}"), "2025-12-31");
}

/// Texts are cut between what people see as characters. proves: sec:S47
#[test]
fn truncation_spares_graphemes() {
    assert_eq!(text("{{ \"a👩‍👩‍👧b\"|truncate(4) }}"), "a");
    assert_eq!(text("{{ \"abcdef\"|truncate(3, \"…\") }}"), "ab…");
    assert_eq!(text("{{ \"abcdef\"|truncate(0) }}"), "");
}

/// A template that does not compile is refused with line, reason and an example. proves: B20
#[test]
fn refusals_say_where_why_and_what_instead() {
    assert_snapshot!(refused("Dear {{ invitee.name }},\n{{ booking.strat }}"), @"line 2, column 4: `booking` has no `strat`, only id, source, title, meeting_type, meeting_type_name, status, start, end, minutes, first_start, previous_start, reschedules, reschedule_reason, rescheduled_by, cancel_reason, cancelled_by, is_cancelled, is_no_show, location, notes, reschedule_url, cancel_url, calendar_id, record_hint, description, raw; for example: {{ booking.start }}");
    assert_snapshot!(refused("{{ invite.email }}"), @"line 1, column 4: there is no `invite`; for example: {{ invitee }}");
    assert_snapshot!(refused("{{ answer(\"Company\" }}"), @r#"line 1, column 21: unexpected `}`, expected `,`; for example: {{ answer("Company")|default("unknown") }}"#);
    assert_snapshot!(refused("{{ answer() }}"), @r#"line 1, column 4: `answer` is given too few or too many values; for example: {{ answer("Company") }}"#);
    assert_snapshot!(refused("{{ invitee.name|uper }}"), @"line 1, column 17: there is no filter `uper`, only default, lower, upper, capitalize, trim, truncate, replace, split, join, each, first, last, length, number, round, text, date, day, add_days, add_minutes, first_name, last_name, domain; for example: {{ invitee.last_name|upper }}");
    assert_snapshot!(refused("{{ guests.email }}"), @"line 1, column 4: `guests` is a list; for example: {{ guests[0].email }} or {% for one in guests %}");
    assert_snapshot!(refused("{{ invitee.name.upper() }}"), @"line 1, column 16: values have no functions of their own; a filter stands behind a bar; for example: {{ invitee.email|lower }}");
    assert_snapshot!(refused("{% set x = 1 %}"), @"line 1, column 4: only {% if … %} and {% for … in … %} are understood; values cannot be kept under a name; for example: {% if booking.is_cancelled %}Cancelled{% else %}Booked{% endif %}");
    assert_snapshot!(refused("{% include \"other\" %}"), @r#"line 1, column 4: unknown statement include; for example: {{ answer("Company")|default("unknown") }}"#);
    assert_snapshot!(refused("answer(\"Company\")"), @r#"line 1, column 1: this would be written as it stands; to have it worked out, put it in double braces; for example: {{ answer("Company") }}"#);
    assert_snapshot!(refused("invitee.email|lower"), @"line 1, column 1: this would be written as it stands; to have it worked out, put it in double braces; for example: {{ invitee.email|lower }}");
    assert_snapshot!(refused("{{ range(3) }}"), @r#"line 1, column 4: there is no function `range`, only answer, utm; for example: {{ answer("Company") }}"#);
    assert_snapshot!(refused("Hello {{ invitee.name"), @"line 1, column 18: unexpected end of input, expected end of variable block; for example: {{ invitee.first_name }}, every {{ closed by }}");
    assert_snapshot!(refused("{% if booking.is_cancelled %}"), @"line 1, column 28: unexpected end of input, expected end of block; for example: {{ invitee.first_name }}, every {{ closed by }}");
}

#[test]
fn failures_say_where_and_why() {
    assert_snapshot!(fails("{{ invitee.name + 1 }}"), @"line 1, column 4: a calculation wants numbers, and this text is none");
    assert_snapshot!(fails("\n\n{{ 1 / 0 }}"), @"line 3, column 4: nothing can be divided by 0");
    assert_snapshot!(fails("{{ booking.start|date(\"%F\", \"Europe/Nowhere\") }}"), @"line 1, column 18: there is no such time zone; one is Europe/Berlin");
    assert_snapshot!(fails("{{ booking.start|date(\"%!\") }}"), @"line 1, column 18: the format cannot be used; one is %Y-%m-%d %H:%M");
    assert_snapshot!(fails("{{ invitee.name|day }}"), @"line 1, column 17: this text is no date: it would be written as 2026-05-31");
    assert_snapshot!(fails("{% for letter in invitee.name %}{% endfor %}"), @"line 1, column 4: a loop wants a list and is given a text");
    assert_snapshot!(fails("{{ booking.start|day|add_days(99999999) }}"), @"line 1, column 22: the day lies outside the calendar");
}

/// Text that only resembles an expression stays text.
#[test]
fn plain_text_is_plain() {
    for plain in ["Web", "booking", "Our booking. Please call", "https://example.com/?a={b}", "50 % off", "a|b", "{a}"]
    {
        assert_eq!(text(plain), plain);
    }
}

#[test]
fn conditions_go_without_braces() {
    let holds = |source: &str| Expression::condition(source).unwrap().holds(&sample_scope()).unwrap();
    assert!(holds("utm.source == \"newsletter\" and booking.minutes >= 45"));
    assert!(!holds("answer(\"Never asked\")"));
    assert!(holds("{{ guests }}"));
    assert!(!holds("{% if booking.is_cancelled %}yes{% endif %}"));
    assert!(!holds(" {{ \"No\" }}"));
    assert!(Expression::condition("web").is_err());
}

/// The CRM fields that expressions name are known before they are worked out, so that they can be read.
#[test]
fn fields_to_read_are_known() {
    let source = "{{ person.fields.Industry ~ person[\"fields\"][\"LeadSource\"] }}{{ account.fields.Name }}";
    let reads = Expression::compile(source).unwrap().reads().to_vec();
    let read = |root: &str, field: &str| Read { root: root.to_owned(), field: field.to_owned() };
    assert_eq!(reads, [read("account", "Name"), read("person", "Industry"), read("person", "LeadSource")]);
}
