//! Where SQLite and PostgreSQL differ. Statements are written in the subset that both speak, with SQLite's numbered
//! placeholders and a few marks; everything else about the difference is the two schema files.

use std::sync::OnceLock;

/// A statement, written once.
#[derive(Debug)]
pub(crate) struct Sql {
    text: &'static str,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

/// Marks and what they become: (mark, SQLite, PostgreSQL).
const MARKS: &[(&str, &str, &str)] = &[
    // SQLite has one writer, so a row that was read stays as it was.
    ("{lock}", "", "for update"),
    // A worker passes over rows that another transaction is working on, rather than wait for it.
    ("{skip}", "", "for update skip locked"),
    // What makes a row of a table with large values unique: SQLite keeps those by row id.
    ("{pk}", "(id)", "(workspace, id)"),
    // Whether a row was written, and which: SQLite tells by itself, several times cheaper than by `returning`.
    ("{written}", "", "returning id"),
    ("{taken}", "", "returning pending"),
];

impl Sql {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// As SQLite reads it.
    pub(crate) fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| {
            MARKS.iter().fold(self.text.to_owned(), |text, (mark, sqlite, _)| text.replace(mark, sqlite))
        })
    }

    /// As PostgreSQL reads it.
    pub(crate) fn postgres(&self) -> &str {
        self.postgres.get_or_init(|| {
            let text =
                MARKS.iter().fold(self.text.to_owned(), |text, (mark, _, postgres)| text.replace(mark, postgres));
            // No statement has a question mark other than a placeholder: values are always parameters.
            text.replace('?', "$")
        })
    }
}

/// Declares a file's statements and the list by which a test prepares each of them on both databases.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* static $name: $crate::db::Sql = $crate::db::Sql::new($text);)*

        #[cfg(test)]
        pub(crate) static STATEMENTS: &[(&str, &$crate::db::Sql)] = &[$((stringify!($name), &$name)),*];
    };
}
pub(crate) use statements;
