//! Deceiving characters become visible, cuts fall between what people count as characters, links are safe.

use proptest::prelude::*;

use super::*;

/// proves: sec:S47
#[test]
fn what_would_deceive_the_eye_is_spelt_out() {
    for (text, shown) in [
        ("invoice\u{202e}fdp.exe", "invoice[U+202E]fdp.exe"),
        ("a\u{200b}b\u{feff}c", "a[U+200B]b[U+FEFF]c"),
        ("\u{2066}x\u{2069}", "[U+2066]x[U+2069]"),
        ("bell\u{7}, null\u{0}, cr\rlf\n", "bell[U+0007], null[U+0000], cr[U+000D]lf\n"),
        ("tag\u{e0041}", "tag[U+E0041]"),
        ("Zoë Åström 李 عمر", "Zoë Åström 李 عمر"),
    ] {
        assert_eq!(Shown::new(text).to_string(), shown);
    }
}

/// proves: sec:S47
#[test]
fn a_cut_falls_between_characters_as_people_count_them() {
    assert_eq!(Shown::short("e\u{301}e\u{301}e\u{301}", 2).to_string(), "e\u{301}e\u{301}…");
    assert_eq!(Shown::short("🇩🇪🇫🇷", 1).to_string(), "🇩🇪…");
    assert_eq!(Shown::short("abc", 3).to_string(), "abc");
}

/// proves: sec:S46
#[test]
fn only_plain_web_and_mail_addresses_become_links() {
    for safe in ["https://example.org/a?b=c", "http://example.org/", "mailto:ada@example.org"] {
        assert_eq!(link(safe).as_deref(), Some(safe));
    }
    for unsafe_text in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org",
        "/path",
        "https://user:pass@example.org/",
        "https://example.org/\u{202e}gpj.exe",
        "see https://example.org",
        "",
    ] {
        assert_eq!(link(unsafe_text), None, "{unsafe_text:?}");
    }
}

proptest! {
    #[test]
    fn nothing_shown_deceives(text in any::<String>(), limit in 0_usize..20) {
        prop_assert!(!Shown::new(&text).to_string().chars().any(deceives));
        let short = Shown::short(&text, limit).to_string();
        prop_assert!(!short.chars().any(deceives));
    }

    #[test]
    fn a_link_is_of_a_known_scheme(text in "[a-zA-Z:/.@ \\t]{0,30}") {
        if let Some(link) = link(&text) {
            prop_assert!(["http:", "https:", "mailto:"].iter().any(|scheme| link.starts_with(scheme)));
        }
    }
}
