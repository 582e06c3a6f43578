//! What an admin writes into a mapping.

use syncline_core::expr::{Datum, Expression, Scope, TEXT_CHARS_MAX};

/// A booking in few words.
fn scope() -> Scope {
    let mut scope = Scope::default();
    let named = [("email", Datum::Text("ada@canary.example".into())), ("name", Datum::Text("Ada".into()))];
    scope.set("invitee", Datum::map(named.clone()));
    scope.set("guests", Datum::list([Datum::map(named.clone()), Datum::map(named)]));
    scope
}

/// Any text is compiled, or refused with its place and an example; what was compiled gives the same value twice, within
/// bounds, or says why it gives none.
pub fn expression(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for compile in [Expression::compile, Expression::conversion, Expression::condition, Expression::criteria] {
        match compile(&text) {
            Ok(compiled) => {
                let value = compiled.evaluate(&scope());
                assert_eq!(value, compiled.evaluate(&scope()), "the same expression, worked out twice");
                if let Ok(Datum::Text(text)) = value {
                    assert!(text.chars().count() <= TEXT_CHARS_MAX, "a text without end");
                }
            }
            Err(error) => {
                assert!(error.line >= 1 && error.column >= 1, "{error:?}");
                assert!(!error.reason.is_empty() && !error.example.is_empty(), "{error:?}");
                assert!(error.line <= 1 + text.lines().count(), "a line that is not there: {error:?}");
            }
        }
    }
}
