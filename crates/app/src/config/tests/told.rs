//! What the file may say of alerts and of accounts: each refusal names the setting and the fix.

use crate::config::{Config, MailSecurity};

const MAIL: &str =
    "[alerts.mail]\nserver = \"smtp.example.org\"\nfrom = \"s@example.org\"\nto = [\"ops@example.org\"]\n";

fn told(text: &str) -> String {
    format!("{:#}", Config::parse(text).expect_err("it is refused"))
}

/// proves: O7
#[test]
fn mail_is_refused_where_it_cannot_work_or_tells_a_password() {
    let config = Config::parse(MAIL).expect("it is sound");
    let mail = config.alerts.mail.expect("it is there");
    assert_eq!((mail.security, mail.port()), (MailSecurity::Starttls, 587));
    for (from, to, says) in [
        ("\"ops@example.org\"", "", "1 to 20 addresses"),
        ("smtp.example.org", " ", "the name of a mail server"),
        ("server", "username = \"s\"\nserver", "go together"),
        ("server", "security = \"none\"\nusername = \"s\"\npassword = \"env:X\"\nserver", "encrypted way only"),
        ("server", "password = \"hunter2\"\nserver", "a secret is never written here"),
        ("server", "nonsense = 1\nserver", "unknown field `nonsense`"),
    ] {
        let refused = told(&MAIL.replacen(from, to, 1));
        assert!(refused.contains(says), "{says}: {refused}");
    }
    for (port, security) in [(465, "tls"), (25, "none")] {
        let text = MAIL.replacen("server", &format!("security = \"{security}\"\nserver"), 1);
        assert_eq!(Config::parse(&text).expect("it is sound").alerts.mail.expect("it is there").port(), port);
    }
}

/// Five accounts of a vendor may be connected unless the operator wants more or fewer; each vendor counts for itself.
///
/// proves: R20
#[test]
fn so_many_accounts_of_a_vendor_as_the_operator_wants() {
    let accounts = |vendor: &str, count: usize| -> String {
        let account = |n: usize| {
            format!(
                "[[connections]]\nname = \"{vendor}-{n}\"\nvendor = \"{vendor}\"\ngrant = \"key\"\napi_key = \"env:KEY\"\n"
            )
        };
        (0..count).map(account).collect()
    };
    Config::parse(&format!("{}{}", accounts("brevo", 5), accounts("hubspot", 5))).expect("five of each");
    let refused = told(&accounts("brevo", 6));
    assert!(refused.contains("6 connections to brevo") && refused.contains("`accounts_per_vendor` is 5"), "{refused}");
    Config::parse(&format!("accounts_per_vendor = 6\n{}", accounts("brevo", 6))).expect("six are wanted");
    assert!(told(&format!("accounts_per_vendor = 1\n{}", accounts("brevo", 2))).contains("2 connections"));
    for wrong in [0, 101] {
        assert!(told(&format!("accounts_per_vendor = {wrong}")).contains("a number from 1 to 100"));
    }
}
