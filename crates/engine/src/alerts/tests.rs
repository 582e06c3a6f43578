//! What people are told, in words; that it is told once is shown where there is a store and a clock.

use super::*;

fn row(new: NewAlert) -> AlertRow {
    let NewAlert { event, at, alert } = new;
    AlertRow { id: 7, event, at, alert, tries: 0, told: Vec::new() }
}

fn now() -> Timestamp {
    "2026-05-04T09:00:00Z".parse().expect("a time")
}

fn written(new: NewAlert) -> Mail {
    mail(&"acme".into(), &row(new), Some(&Url::parse("https://sync.example").expect("a URL")))
}

/// proves: O7, R18
#[test]
fn a_mail_says_what_happened_and_what_to_do() {
    let near = written(quota(&"people".into(), "2026-05", 80, 1_000, now()));
    assert_eq!(near.subject, "[Syncline] people has used most of this month's transfers");
    assert_eq!(
        near.text,
        "The integration people has used 80 % of its 1000 transfers of 2026-05.\n\n\
         What to do: raise `tasks_per_month` where it is set up if the rest will not do.\n\n\
         https://sync.example/integrations/people\n\n\
         At 2026-05-04T09:00:00Z, in workspace acme.\n"
    );
    let used = written(quota(&"people".into(), "2026-05", 100, 1_000, now()));
    assert_eq!(used.subject, "[Syncline] people has used all of this month's transfers and rests");
    assert_ne!(near.id, used.id);
    assert_eq!(used.id, written(quota(&"people".into(), "2026-05", 100, 1_000, now())).id, "the same when sent again");
}

/// A reason comes from far away: it adds no line to the head of a mail, and does not grow without end.
///
/// proves: sec:S52
#[test]
fn no_reason_breaks_out_of_the_subject() {
    let told = stopped(&"people".into(), &format!("60 of 80\r\nBcc: eve@example.org {}", "x".repeat(500)), now());
    let mail = written(told);
    assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
    assert!(mail.subject.chars().count() < 140);
    assert!(mail.id.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)), "{}", mail.id);
}
