// What must hold of any configuration file. Included by the executable's tests and by the target `config`, because the
// executable is no library that either could use.

/// Any text is taken or refused with one sentence, which does not repeat what may be a secret.
fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match crate::config::Config::parse(text) {
        Ok(config) => assert!(!format!("{config:?}").contains("canary-secret"), "a secret in the configuration"),
        Err(error) => {
            let said = format!("{error:#}");
            assert!(!said.contains("canary-secret"), "an error repeats a secret: {said}");
        }
    }
}
