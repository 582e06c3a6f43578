//! What queries are read, and what they find.
