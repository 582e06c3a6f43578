//! Nothing that can be written makes the language panic, hang, or take more memory than its budget.

use proptest::prelude::*;

use super::*;
use crate::booking::message::Answer;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

/// Words of the language, to be strung together without sense.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "in",
    "not",
    "and",
    "or",
    "is",
    "set",
    "x",
    "guests",
    "guest",
    "booking",
    ".",
    "start",
    "answers",
    "answer",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"a\"",
    "'",
    "1",
    "0",
    "-1",
    "9999999999999999999999999999",
    "1e9",
    "0.5",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "~",
    "|",
    "==",
    "!=",
    "<",
    ">=",
    "lower",
    "truncate",
    "replace",
    "split",
    "join",
    "each",
    "date",
    "add_days",
    "number",
    "round",
    "first",
    "length",
    "default",
    "blank",
    "none",
    "true",
    "loop",
    "index",
    "\n",
    "ü",
    "👩‍👩‍👧",
    "\u{0}",
    "\\",
];

fn evaluated(source: &str, scope: &Scope) {
    for compiled in [Expression::compile(source), Expression::condition(source)] {
        match compiled {
            Ok(expression) => {
                let first = expression.evaluate(scope);
                assert_eq!(first, expression.evaluate(scope), "the same scope gives the same value");
                if let Ok(text) = expression.render(scope) {
                    assert!(text.len() <= BYTES_MAX);
                }
                let _ = expression.holds(scope);
            }
            Err(error) => {
                assert!(!error.reason.is_empty() && !error.example.is_empty() && error.line > 0, "{error:?}");
            }
        }
    }
}

fn hostile_scope(texts: &[String]) -> Scope {
    let mut booking = sample();
    let mut texts = texts.iter().cloned().cycle();
    let mut next = || texts.next().unwrap_or_default();
    booking.title = next();
    booking.invitee.email = next();
    booking.invitee.first_name = Some(next());
    booking.invitee.time_zone = Some(next());
    booking.hosts[0].time_zone = Some(next());
    booking.tracking.insert(next(), next());
    booking.answers.push(Answer { key: next(), label: next(), value: next() });
    let state = booked(booking);
    scope(&state.view().unwrap(), &Surroundings::default())
}

proptest! {
    #![proptest_config(config())]

    /// proves: B13
    #[test]
    fn no_source_panics(source in any::<String>()) {
        evaluated(&source, &sample_scope());
        evaluated(&format!("{{{{ {source} }}}}"), &sample_scope());
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40), braces in any::<bool>()) {
        let source = words.join(" ");
        evaluated(&if braces { format!("{{{{ {source} }}}}") } else { source }, &sample_scope());
    }

    #[test]
    fn no_scope_panics(texts in prop::collection::vec(any::<String>(), 1..8), some in 0..8usize) {
        let scope = hostile_scope(&texts);
        for function in FUNCTIONS.iter().skip(some).step_by(8) {
            evaluated(function.example, &scope);
        }
        for name in NAMES.iter().filter(|name| !name.path.contains('*')).skip(some).step_by(8) {
            let path = name.path.replace("[]", "[0]");
            evaluated(&format!("{{{{ {path} }}}}"), &scope);
            evaluated(&format!("{{{{ {path}|date(booking.title)|number|add_days({path})|split({path}) }}}}"), &scope);
        }
    }

    /// A filter is given values that nobody meant for it.
    #[test]
    fn no_argument_panics(function in prop::sample::select((0..FUNCTIONS.len()).collect::<Vec<_>>()), a in 0..9usize, b in 0..9usize, c in 0..9usize) {
        const ODD: [&str; 9] = ["none", "\"\"", "-1", "99999999999999999999", "\"👩‍👩‍👧\"", "[[1], {}]", "booking.start", "person.id", "0.5"];
        let function = &FUNCTIONS[function];
        let (a, b, c) = (ODD[a], ODD[b], ODD[c]);
        let source = match function.usage {
            Usage::Function => format!("{{{{ {}({a}) }}}}{{{{ {}({a}, {b}) }}}}", function.name, function.name),
            Usage::Filter => format!("{{{{ {a}|{}({b}, {c}) }}}}", function.name),
            Usage::Test => format!("{{{{ {a} is {} }}}}", function.name),
        };
        evaluated(&source, &sample_scope());
        evaluated(&format!("{{{{ {a}|{}({b}) }}}}", function.name), &sample_scope());
        evaluated(&format!("{{{{ {a}|{} }}}}", function.name), &sample_scope());
    }
}

/// Sources that would take gigabytes, hours or the whole stack are refused or give up early.
#[test]
fn bombs_do_not_go_off() {
    let scope = sample_scope();
    let repeated = |text: &str, times: usize| text.repeat(times);
    let mut loops = "{% for a in [\"xxxxxxxxxx\"] %}".to_owned();
    for (inner, outer) in ('b'..='t').zip('a'..='s') {
        loops.push_str(&format!("{{% for {inner} in [{outer} ~ {outer} ~ {outer}] %}}"));
    }
    loops.push_str(&format!("{{{{ t }}}}{}", repeated("{% endfor %}", 20)));
    let mut lists = "{% for a in [[1, 1]] %}".to_owned();
    for (inner, outer) in ('b'..='t').zip('a'..='s') {
        lists.push_str(&format!("{{% for {inner} in [[{outer}, {outer}, {outer}]] %}}"));
    }
    lists.push_str(&format!("{{{{ t == t }}}}{{{{ t }}}}{}", repeated("{% endfor %}", 20)));
    let replaces = format!("{{{{ \"aaaaaaaaaa\"{} }}}}", repeated("|replace(\"a\", \"aaaaaaaaaa\")", 20));
    let ranges = repeated("{% for a in [1,2,3,4,5,6,7,8,9,0] %}", 9) + "x" + &repeated("{% endfor %}", 9);
    let bombs = [
        loops,
        lists,
        replaces,
        ranges,
        "{{ \"x\" * 100000000 }}".to_owned(),
        "{{ \"x\" ** 100000000 }}".to_owned(),
        "{{ 99999999999999 * 99999999999999 * 99999999999999 }}".to_owned(),
        format!("{{{{ {}1 }}}}", repeated("(", 5_000)),
        format!("{{{{ {}1 }}}}", repeated("not ", 1_000)),
        format!("{{{{ {}1 }}}}", repeated("-", 1_000)),
        format!("{{{{ {}1 }}}}", repeated("[", 1_000)),
        format!("{{{{ {}1 }}}}", repeated("{1:", 300)),
        format!("{{{{ 1{} }}}}", repeated("~1", 500)),
        format!("{{{{ 1{} }}}}", repeated("|lower", 500)),
        format!("{{{{ tracking{} }}}}", repeated(".a", 500)),
        format!("{{{{ 1{} }}}}", repeated(" if 1 else 1", 250)),
        repeated("{% if 1 %}", 300),
        repeated("{{ 1 }}", 400),
        repeated("x", SOURCE_CHARS_MAX + 1),
        format!("{{{{ booking.start|date(\"{}\") }}}}", repeated("%255Y", 2_000)),
    ];
    for bomb in bombs {
        let given = Expression::compile(&bomb).map(|expression| expression.render(&scope));
        assert!(!matches!(given, Ok(Ok(_))), "{}… gave a value", &bomb[..bomb.floor_char_boundary(60)]);
    }
}
