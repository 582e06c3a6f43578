//! Comma-separated values as the Bulk API reads and writes them: any of six delimiters, quotes doubled within quotes.

/// Reads lines of fields; the first line is the header. An empty line is none.
pub fn parse(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut line, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun) = (false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if quoted {
            match c {
                '"' if rest.peek() == Some(&'"') => {
                    field.push('"');
                    rest.next();
                }
                '"' => quoted = false,
                c => field.push(c),
            }
            continue;
        }
        match c {
            '"' if field.is_empty() => (quoted, begun) = (true, true),
            c if c == delimiter => {
                line.push(std::mem::take(&mut field));
                begun = true;
            }
            '\n' => end_line(&mut lines, &mut line, &mut field, &mut begun),
            '\r' if rest.peek() == Some(&'\n') => {}
            c => {
                field.push(c);
                begun = true;
            }
        }
    }
    end_line(&mut lines, &mut line, &mut field, &mut begun);
    lines
}

fn end_line(lines: &mut Vec<Vec<String>>, line: &mut Vec<String>, field: &mut String, begun: &mut bool) {
    if std::mem::take(begun) {
        line.push(std::mem::take(field));
        lines.push(std::mem::take(line));
    }
}

/// Writes one line, each field in quotes.
pub fn write<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a str>, delimiter: char, ending: &str) {
    for (place, field) in fields.into_iter().enumerate() {
        if place > 0 {
            out.push(delimiter);
        }
        out.push('"');
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str(ending);
}
