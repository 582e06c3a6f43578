//! How deep a JSON text is nested, without parsing it.

/// Whether brackets and braces outside of strings are nested deeper than `limit`. What does not begin like JSON's
/// containers (a form, say) is never too deep. A text that is no JSON may be judged either way; the parser refuses it.
pub fn exceeds(body: &[u8], limit: usize) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return false;
    }
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}
