//! The events that are read, made by number and the same in every run. What must not live here: how they are served.

/// The zone of most events, as calendar programs send it along with every one of them.
const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
    TZNAME:CEST\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\n\
    TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:19701025T030000\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

/// Occurrences that differ, of a series that has such.
pub const OVERRIDES: usize = 2;

/// What kind of event a number is: of ten, six happen once, one lasts a day, two are series and one is a series with
/// occurrences that differ and one that is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Once,
    Day,
    Series,
    Moved,
}

pub fn shape(number: usize) -> Shape {
    match number % 10 {
        0..=5 => Shape::Once,
        6 => Shape::Day,
        7 | 8 => Shape::Series,
        _ => Shape::Moved,
    }
}

/// Guests, none for every fourth.
pub fn guests(number: usize) -> impl Iterator<Item = (String, String)> {
    (0..number % 4).map(move |guest| {
        (format!("Guest {guest} of {number}"), format!("guest{guest}.{number}@company{}.example", number % 50))
    })
}

/// Month, day and hour of an event within 2026. No day is behind the 24th, so that every month has those behind it, too.
pub fn when(number: usize) -> (usize, usize, usize) {
    (number % 12 + 1, number / 12 % 24 + 1, number / 7 % 10 + 8)
}

/// How many events a reader finds in so many resources: a series and what differs of it are each one.
pub fn found(resources: usize) -> usize {
    resources + OVERRIDES * (0..resources).filter(|number| shape(*number) == Shape::Moved).count()
}

/// One resource of a collection.
pub fn resource(number: usize) -> String {
    let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example Corp//Calendar 7.2//EN\r\n");
    let (month, day, hour) = when(number);
    match shape(number) {
        Shape::Day => {
            let times = format!(
                "DTSTART;VALUE=DATE:2026{month:02}{day:02}\r\nDTEND;VALUE=DATE:2026{month:02}{:02}\r\n",
                day + 1
            );
            event(&mut text, number, &times, "");
        }
        Shape::Once => {
            text.push_str(ZONE);
            event(&mut text, number, &span(month, day, hour), "");
        }
        Shape::Series => {
            text.push_str(ZONE);
            event(&mut text, number, &span(month, day, hour), "RRULE:FREQ=WEEKLY;COUNT=26\r\n");
        }
        Shape::Moved => {
            text.push_str(ZONE);
            let left_out = format!("EXDATE;TZID=Europe/Berlin:{}\r\n", at(month, day + 1, hour));
            event(&mut text, number, &span(month, day, hour), &format!("RRULE:FREQ=DAILY;COUNT=20\r\n{left_out}"));
            for place in 0..OVERRIDES {
                let day = day + 2 + place;
                let which = format!("RECURRENCE-ID;TZID=Europe/Berlin:{}\r\n", at(month, day, hour));
                event(&mut text, number, &span(month, day, hour + 3), &which);
            }
        }
    }
    text.push_str("END:VCALENDAR\r\n");
    text
}

fn at(month: usize, day: usize, hour: usize) -> String {
    format!("2026{month:02}{day:02}T{hour:02}0000")
}

fn span(month: usize, day: usize, hour: usize) -> String {
    let (start, end) = (at(month, day, hour), at(month, day, hour + 1));
    format!("DTSTART;TZID=Europe/Berlin:{start}\r\nDTEND;TZID=Europe/Berlin:{end}\r\n")
}

fn event(text: &mut String, number: usize, times: &str, more: &str) {
    text.push_str(&format!(
        "BEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:20260101T120000Z\r\nCREATED:20251201T080000Z\r\nLAST-MODIFIED:20260101T120000Z\r\n\
         SEQUENCE:1\r\n{times}{more}SUMMARY:Meeting {number} & what comes of it\r\nLOCATION:Room {}\\, second floor\r\n\
         DESCRIPTION:Agenda:\\n1. What was done\\n2. What is next\\n3. <Other> business\r\nSTATUS:CONFIRMED\r\n",
        uid(number),
        number % 30
    ));
    let mut guests = guests(number).peekable();
    if guests.peek().is_some() {
        text.push_str("ORGANIZER;CN=Rosa Host:mailto:rosa@host.example\r\n");
    }
    for (place, (name, email)) in guests.enumerate() {
        let reply = ["ACCEPTED", "NEEDS-ACTION", "TENTATIVE"][(number + place) % 3];
        // Folded, as lines of this length are.
        text.push_str(&format!(
            "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={reply};CN={name}\r\n :mailto:{email}\r\n"
        ));
    }
    text.push_str(
        "TRANSP:OPAQUE\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\n",
    );
    text.push_str("END:VEVENT\r\n");
}

pub fn uid(number: usize) -> String {
    format!("{number:08x}-4bf2-4c11-9d27-5a0c00c0ffee")
}
