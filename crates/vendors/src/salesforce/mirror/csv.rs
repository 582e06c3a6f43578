//! Comma-separated values as bulk jobs take and give them (RFC 4180): every field in quotes, quotes within doubled.

/// Adds a line.
pub fn push_line<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (at, field) in fields.into_iter().enumerate() {
        out.push_str(if at > 0 { ",\"" } else { "\"" });
        for char in field.chars() {
            if char == '"' {
                out.push('"');
            }
            out.push(char);
        }
        out.push('"');
    }
    out.push('\n');
}

/// Reads lines of fields, the header among them. Fields may stand without quotes; empty lines are none.
pub fn parse(text: &str) -> Vec<Vec<String>> {
    let mut reader = Reader::default();
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if reader.quoted && chars.peek() == Some(&'"') => {
                chars.next();
                reader.field.push('"');
            }
            '"' if reader.quoted => reader.quoted = false,
            '"' if reader.field.is_empty() => (reader.quoted, reader.begun) = (true, true),
            char if reader.quoted => reader.field.push(char),
            ',' => reader.end_field(),
            '\n' => reader.end_line(),
            '\r' if chars.peek() == Some(&'\n') => {}
            char => {
                reader.field.push(char);
                reader.begun = true;
            }
        }
    }
    reader.end_line();
    reader.lines
}

#[derive(Default)]
struct Reader {
    lines: Vec<Vec<String>>,
    line: Vec<String>,
    field: String,
    quoted: bool,
    /// Whether the line has anything in it.
    begun: bool,
}

impl Reader {
    fn end_field(&mut self) {
        self.line.push(std::mem::take(&mut self.field));
        self.begun = true;
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.line.push(std::mem::take(&mut self.field));
            self.lines.push(std::mem::take(&mut self.line));
        }
    }
}
