//! iCalendar as text: folded lines, parameters, escapes, and the components that `BEGIN` and `END` make of them (RFC 5545,
//! section 3.1). What any line means is not known here.
//!
//! Values are kept as they were written. A reader that turns them into numbers at once cuts those that do not fit, and a
//! rule with another number in it is another series.

/// How deep components may lie within one another: calendar, event, alarm, and room for what somebody adds.
pub const DEPTH_MAX: usize = 8;

/// Octets of a line before it is folded.
const FOLD_BYTES: usize = 75;

/// One property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In capitals.
    pub name: String,
    /// Names in capitals; values without their quotes.
    params: Vec<(String, String)>,
    /// As it was written.
    pub value: String,
}

/// What stands between a `BEGIN` and its `END`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// In capitals.
    pub name: String,
    pub lines: Vec<Line>,
    pub parts: Vec<Component>,
    /// Whether its end came.
    pub whole: bool,
}

impl Line {
    /// A parameter's value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter has this value, in any case.
    pub fn says(&self, name: &str, value: &str) -> bool {
        self.param(name).is_some_and(|told| told.trim().eq_ignore_ascii_case(value))
    }

    /// The value as a text for people. Of what cannot be seen only line breaks and tabs are kept.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut chars = self.value.chars();
        while let Some(char) = chars.next() {
            let char = match char {
                '\\' => match chars.next() {
                    Some('n' | 'N') | None => '\n',
                    Some(other) => other,
                },
                other => other,
            };
            if !char.is_control() || matches!(char, '\n' | '\t') {
                text.push(char);
            }
        }
        text
    }

    /// Reads an unfolded line.
    pub fn read(text: &str) -> Option<Self> {
        // Quotes that are never closed are no quotes.
        let at = colon(text, true).or_else(|| colon(text, false))?;
        let (head, value) = (&text[..at], &text[at + 1..]);
        let mut pieces = pieces(head).into_iter();
        let name = pieces.next().unwrap_or_default().trim().to_ascii_uppercase();
        let param = |piece: &str| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_ascii_uppercase(), unquoted(value)))
        };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_name.then(|| Line { name, params: pieces.filter_map(param).collect(), value: value.to_owned() })
    }
}

/// Where the value begins.
fn colon(text: &str, with_quotes: bool) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, char)| {
        is_quoted ^= char == '"' && with_quotes;
        (char == ':' && !is_quoted).then_some(at)
    })
}

/// An unfolded line with a parameter that has this value, or with none of that name. Everything else in it stays as it was
/// written.
pub fn with_param(text: &str, name: &str, value: Option<&str>) -> String {
    let Some(at) = colon(text, true).or_else(|| colon(text, false)) else { return text.to_owned() };
    let is_it = |piece: &&str| piece.split_once('=').is_some_and(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    let mut head: Vec<String> =
        pieces(&text[..at]).into_iter().filter(|piece| !is_it(piece)).map(str::to_owned).collect();
    head.extend(value.map(|value| format!("{name}={value}")));
    format!("{}{}", head.join(";"), &text[at..])
}

/// Name and parameters.
fn pieces(head: &str) -> Vec<&str> {
    let mut is_quoted = false;
    head.split(|char| {
        is_quoted ^= char == '"';
        char == ';' && !is_quoted
    })
    .collect()
}

/// A parameter's value without quotes, and with what cannot be written in it put back (RFC 6868).
fn unquoted(value: &str) -> String {
    let plain: String = value.chars().filter(|char| *char != '"' && !char.is_control()).collect();
    if !plain.contains('^') {
        return plain.trim().to_owned();
    }
    let mut text = String::with_capacity(plain.len());
    let mut chars = plain.chars().peekable();
    while let Some(char) = chars.next() {
        let meant = match (char, chars.peek()) {
            ('^', Some('n')) => Some(' '),
            ('^', Some('\'')) => Some('"'),
            ('^', Some('^')) => Some('^'),
            _ => None,
        };
        if meant.is_some() {
            chars.next();
        }
        text.push(meant.unwrap_or(char));
    }
    text.trim().to_owned()
}

impl Component {
    fn begin(name: &str) -> Self {
        Self { name: name.trim().to_ascii_uppercase(), lines: Vec::new(), parts: Vec::new(), whole: false }
    }

    /// The first property of this name.
    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// Its parts of this name.
    pub fn parts(&self, name: &str) -> impl Iterator<Item = &Component> {
        self.parts.iter().filter(move |part| part.name == name)
    }

    /// The value of a property as a text, where it says anything.
    pub fn text(&self, name: &str) -> Option<String> {
        self.line(name).map(Line::text).filter(|text| !text.trim().is_empty())
    }
}

/// Why a text is no calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    NoCalendar,
    TooDeep,
}

impl Malformed {
    /// The sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Malformed::NoCalendar => "it is no iCalendar",
            Malformed::TooDeep => "its parts lie too deep within one another",
        }
    }
}

/// Reads the calendars of a text as one. Lines that are none are passed over; what is begun and never ended is not whole.
pub fn read(text: &str) -> Result<Component, Malformed> {
    let mut all = Component::begin("");
    let mut open: Vec<Component> = Vec::new();
    for line in unfolded(text) {
        let Some(line) = Line::read(&line) else { continue };
        match line.name.as_str() {
            "BEGIN" if open.len() == DEPTH_MAX => return Err(Malformed::TooDeep),
            "BEGIN" => open.push(Component::begin(&line.value)),
            "END" => {
                let name = line.value.trim().to_ascii_uppercase();
                let Some(at) = open.iter().rposition(|component| component.name == name) else { continue };
                close(&mut open, &mut all, at + 1);
                if let Some(ended) = open.last_mut() {
                    ended.whole = true;
                }
                close(&mut open, &mut all, at);
            }
            _ => {
                if let Some(component) = open.last_mut() {
                    component.lines.push(line);
                }
            }
        }
    }
    close(&mut open, &mut all, 0);
    if all.parts.iter().any(|part| part.name == "VEVENT") {
        // Somebody left the calendar away from around them.
        all.whole = true;
        return Ok(all);
    }
    let mut calendars = all.parts.into_iter().filter(|part| part.name == "VCALENDAR");
    let mut one = calendars.next().ok_or(Malformed::NoCalendar)?;
    for other in calendars {
        one.whole &= other.whole;
        one.parts.extend(other.parts);
    }
    Ok(one)
}

/// Puts what is still open into what it stands in, until so many are open.
fn close(open: &mut Vec<Component>, all: &mut Component, until: usize) {
    while open.len() > until {
        let Some(done) = open.pop() else { return };
        open.last_mut().unwrap_or(all).parts.push(done);
    }
}

/// The lines, each with what was folded away from it.
pub fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Writes a line, folded. What has no place in a line is left out.
pub fn write(out: &mut String, line: &str) {
    let mut bytes = 0;
    for char in line.chars().filter(|char| !char.is_control() || *char == '\t') {
        if bytes + char.len_utf8() > FOLD_BYTES {
            out.push_str("\r\n ");
            bytes = 1;
        }
        out.push(char);
        bytes += char.len_utf8();
    }
    out.push_str("\r\n");
}

/// A text for people as a value.
pub fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => value.push_str("\\n"),
            '\\' | ';' | ',' => value.extend(['\\', char]),
            other => value.push(other),
        }
    }
    value
}

/// A text as a parameter's value, in quotes.
pub fn quoted(text: &str) -> String {
    let mut value = String::from("\"");
    for char in text.chars() {
        match char {
            '^' => value.push_str("^^"),
            '"' => value.push_str("^'"),
            other => value.push(other),
        }
    }
    value.push('"');
    value
}

/// A parameter's value, in quotes where something in it would end it: the name of a mere distance from UTC has a colon.
pub fn param_value(text: &str) -> String {
    if text.contains([':', ';', ',', '"', '^']) { quoted(text) } else { text.to_owned() }
}
