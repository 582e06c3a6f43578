//! A small reader of HTML, strict enough for pages that we write ourselves: it finds the elements and attributes that a
//! browser would, and refuses what it does not understand.

/// An element's start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

/// The start tags of a page, in order.
pub(super) fn elements(page: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with(['!', '/']) {
            rest = &rest[rest.find('>').expect("a tag ends") + 1..];
            continue;
        }
        let (element, behind) = start_tag(rest);
        found.push(element);
        rest = behind;
    }
    found
}

fn start_tag(text: &str) -> (Element, &str) {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric()).expect("a tag's name ends");
    assert!(end > 0, "a bare `<` in {:?}", text.chars().take(40).collect::<String>());
    let mut element = Element { name: text[..end].to_ascii_lowercase(), attributes: Vec::new() };
    let mut rest = text[end..].trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('>') {
            return (element, behind);
        }
        let end = rest.find(['=', '>', ' ']).expect("an attribute's name ends");
        let name = rest[..end].to_ascii_lowercase();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "an attribute {name:?}");
        rest = &rest[end..];
        let mut value = "";
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').expect("a value ends");
            (value, rest) = (&quoted[..end], &quoted[end + 1..]);
        }
        element.attributes.push((name, value.to_owned()));
        rest = rest.trim_start();
    }
}

/// The elements with the names of their attributes: what no text from outside may change.
pub(crate) fn safe(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |element: Element| (element.name, element.attributes.into_iter().map(|(name, _)| name).collect());
    elements(page).into_iter().map(names).collect()
}
