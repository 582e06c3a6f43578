//! The clauses from `FROM` on.

use super::{
    ast::{Group, Order, Query, Select},
    lexer::Tok,
    parser::{Parser, located},
};
use crate::salesforce::error::Outcome;

/// Functions and clauses that need data this sandbox does not model.
const SCOPES: [&str; 9] = [
    "delegated",
    "everything",
    "mine",
    "mine_and_my_groups",
    "my_territory",
    "my_team_territory",
    "team",
    "scopingrule",
    "allprivate",
];

impl Parser<'_> {
    pub(super) fn clauses(&mut self, select: Vec<Select>) -> Outcome<Query> {
        self.want_word("FROM")?;
        let from = self.name()?;
        let mut query = Query {
            select,
            from,
            aliases: Vec::new(),
            scope: None,
            filter: None,
            group: None,
            having: None,
            order: Vec::new(),
            limit: None,
            offset: None,
            refused: Vec::new(),
        };
        self.aliases(&mut query)?;
        self.using(&mut query)?;
        if self.eat_word("WHERE") {
            query.filter = Some(self.condition()?);
        }
        while self.eat_word("WITH") {
            self.with(&mut query)?;
        }
        if self.eat_word("GROUP") {
            self.want_word("BY")?;
            query.group = Some(self.group()?);
        }
        if self.eat_word("HAVING") {
            query.having = Some(self.condition()?);
        }
        if self.eat_word("ORDER") {
            self.want_word("BY")?;
            query.order.push(self.order()?);
            while self.eat_sign(",") {
                query.order.push(self.order()?);
            }
        }
        if self.eat_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.eat_word("OFFSET") {
            query.offset = Some(self.count()?);
        }
        self.trailers(&mut query)?;
        Ok(query)
    }

    /// `FROM Contact c, c.Account a`
    fn aliases(&mut self, query: &mut Query) -> Outcome<()> {
        self.eat_word("AS");
        if let Some(alias) = self.alias() {
            query.aliases.push((alias, Vec::new()));
        }
        while self.eat_sign(",") {
            let path = self.name()?;
            self.eat_word("AS");
            let mut parts = path.parts;
            let root =
                query.aliases.iter().find(|(alias, way)| way.is_empty() && alias.eq_ignore_ascii_case(&parts[0]));
            if root.is_some() || parts[0].eq_ignore_ascii_case(&query.from.parts[0]) {
                parts.remove(0);
            }
            let Some(alias) = self.alias() else { return Err(self.unexpected()) };
            query.aliases.push((alias, parts));
        }
        Ok(())
    }

    fn using(&mut self, query: &mut Query) -> Outcome<()> {
        if !self.eat_word("USING") {
            return Ok(());
        }
        if self.eat_word("SCOPE") {
            let at = self.at();
            let scope = self.word()?.to_ascii_lowercase();
            if !SCOPES.contains(&scope.as_str()) {
                return Err(located(self.text, at, "MALFORMED_QUERY", &format!("unexpected token: '{scope}'")));
            }
            query.scope = Some(scope);
            return Ok(());
        }
        self.want_word("LOOKUP")?;
        self.name()?;
        if self.eat_word("BIND") {
            loop {
                self.name()?;
                self.want_sign("=")?;
                self.literal()?;
                if !self.eat_sign(",") {
                    break;
                }
            }
        }
        query.refused.push("USING LOOKUP");
        Ok(())
    }

    fn with(&mut self, query: &mut Query) -> Outcome<()> {
        if ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"].iter().any(|mode| self.eat_word(mode)) {
            return Ok(());
        }
        if self.eat_word("DATA") {
            self.want_word("CATEGORY")?;
            query.refused.push("WITH DATA CATEGORY");
            return self.categories();
        }
        query.refused.push("WITH");
        self.name()?;
        if self.eat_sign("=") {
            return self.literal().map(drop);
        }
        self.want_sign("(")?;
        loop {
            self.name()?;
            self.want_sign("=")?;
            self.literal()?;
            if !self.eat_sign(",") {
                break;
            }
        }
        self.want_sign(")")
    }

    fn categories(&mut self) -> Outcome<()> {
        loop {
            self.name()?;
            if !["AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW"].iter().any(|word| self.eat_word(word)) {
                return Err(self.unexpected());
            }
            if self.eat_sign("(") {
                self.names()?;
                self.want_sign(")")?;
            } else {
                self.name()?;
            }
            if !self.eat_word("AND") {
                return Ok(());
            }
        }
    }

    fn group(&mut self) -> Outcome<Group> {
        for (word, group) in [("ROLLUP", Group::Rollup), ("CUBE", Group::Cube)] {
            if self.is_word(word) && matches!(self.peek_after(1), Tok::Sign("(")) {
                self.expr()?;
                return Ok(group);
            }
        }
        let mut by = vec![self.expr()?];
        while self.eat_sign(",") {
            by.push(self.expr()?);
        }
        Ok(Group::By(by))
    }

    fn order(&mut self) -> Outcome<Order> {
        let by = self.expr()?;
        let descending = self.eat_word("DESC");
        if !descending {
            self.eat_word("ASC");
        }
        let mut nulls_last = None;
        if self.eat_word("NULLS") {
            nulls_last = Some(self.eat_word("LAST"));
            if nulls_last == Some(false) {
                self.want_word("FIRST")?;
            }
        }
        Ok(Order { by, descending, nulls_last })
    }

    fn count(&mut self) -> Outcome<u64> {
        match *self.peek() {
            Tok::Number(number) if number >= 0.0 && number.fract() == 0.0 && number < 1e15 => {
                self.bump();
                Ok(number as u64)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn trailers(&mut self, query: &mut Query) -> Outcome<()> {
        loop {
            if self.eat_word("FOR") {
                self.listed(&["VIEW", "REFERENCE", "UPDATE"])?;
            } else if self.eat_word("UPDATE") {
                self.listed(&["TRACKING", "VIEWSTAT"])?;
                query.refused.push("UPDATE");
            } else if self.is_word("ALL") {
                let message = "ALL ROWS not allowed in this context";
                return Err(located(self.text, self.at(), "MALFORMED_QUERY", message));
            } else {
                return Ok(());
            }
        }
    }

    fn listed(&mut self, words: &[&str]) -> Outcome<()> {
        loop {
            if !words.iter().any(|word| self.eat_word(word)) {
                return Err(self.unexpected());
            }
            if !self.eat_sign(",") {
                return Ok(());
            }
        }
    }
}
