//! From names in a query to fields of objects, and reading values along them.

use std::borrow::Cow;

use super::{
    ast::{Expr, Name, Query},
    parser::located,
};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldDef, FieldNo, Kind},
    time,
    world::{Row, Val, World},
};

/// Relationships that one path may cross ("Relationship Query Limitations", read 2026-11-21).
const MAX_HOPS: usize = 5;
/// What the polymorphic `Name` object knows, whichever record it stands for.
const NAME_FIELDS: [&str; 13] = [
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "Type",
    "Email",
    "Phone",
    "Title",
    "Username",
    "Alias",
    "IsActive",
    "ProfileId",
    "UserRoleId",
];

/// What a query is read against.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub world: &'a World,
    pub text: &'a str,
    pub object: usize,
    pub query: &'a Query,
    pub now: i64,
    pub user: Id,
    /// Whether rows in the recycle bin are seen.
    pub all_rows: bool,
}

/// A way from a record to a value.
#[derive(Debug, Clone)]
pub struct Path {
    /// Reference fields to follow, each in the object before it.
    hops: Vec<FieldNo>,
    leaf: Leaf,
    pub kind: Kind,
    pub case_sensitive: bool,
}

#[derive(Debug, Clone)]
enum Leaf {
    Field(FieldNo),
    /// A polymorphic reference, and names that depend on what it points at.
    Any(FieldNo, Vec<String>),
}

impl Path {
    /// The field itself, when the path crosses no relationship.
    pub fn own(&self) -> Option<FieldNo> {
        match (&self.leaf, self.hops.is_empty()) {
            (Leaf::Field(no), true) => Some(*no),
            _ => None,
        }
    }

    pub fn read<'w>(&self, world: &'w World, object: usize, row: &'w Row) -> Option<Cow<'w, Val>> {
        let (mut object, mut row) = (object, row);
        for no in &self.hops {
            (object, row) = follow(world, row, *no)?;
        }
        match &self.leaf {
            Leaf::Field(no) => row.read(world.def(object), *no),
            Leaf::Any(no, names) => {
                let (object, row) = follow(world, row, *no)?;
                read_any(world, object, row, names)
            }
        }
    }
}

/// The record that a reference field points at.
pub fn follow<'w>(world: &'w World, row: &'w Row, no: FieldNo) -> Option<(usize, &'w Row)> {
    let (object, slot) = world.find(row.stored(no)?.as_ref_id()?)?;
    Some((object, world.row(object, slot)?))
}

/// Reads by name what only the record at hand can say.
pub fn read_any<'w>(world: &'w World, object: usize, row: &'w Row, names: &[String]) -> Option<Cow<'w, Val>> {
    let def = world.def(object);
    let (name, rest) = names.split_first()?;
    if !rest.is_empty() {
        let (object, row) = follow(world, row, def.relationship(name)?)?;
        return read_any(world, object, row, rest);
    }
    if name.eq_ignore_ascii_case("Type") {
        return Some(Cow::Owned(Val::text(def.name.as_str())));
    }
    let no = if name.eq_ignore_ascii_case("Name") { def.name_field } else { def.field_no(name) };
    row.read(def, no?)
}

/// Something that has a value for each record, or for each group.
#[derive(Debug, Clone)]
pub enum Operand {
    Path(Path),
    DateFn(DateFn, Box<Operand>),
    /// A cell of a grouped row.
    Cell(usize, Kind),
}

/// What operands are read from.
#[derive(Clone, Copy)]
pub struct Env<'w> {
    pub world: &'w World,
    pub row: Option<(usize, &'w Row)>,
    pub cells: &'w [Option<Val>],
}

impl Operand {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Path(path) => path.kind,
            Self::DateFn(DateFn::DayOnly, _) => Kind::Date,
            Self::DateFn(..) => Kind::Int,
            Self::Cell(_, kind) => *kind,
        }
    }

    pub fn case_sensitive(&self) -> bool {
        matches!(self, Self::Path(path) if path.case_sensitive)
    }

    pub fn read<'w>(&self, env: Env<'w>) -> Option<Cow<'w, Val>> {
        match self {
            Self::Path(path) => {
                let (object, row) = env.row?;
                path.read(env.world, object, row)
            }
            Self::DateFn(function, inner) => function.of(inner.read(env)?.as_ref()).map(Cow::Owned),
            Self::Cell(place, _) => env.cells.get(*place)?.as_ref().map(Cow::Borrowed),
        }
    }
}

/// Functions that take a date apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFn {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    Hour,
    WeekInMonth,
    WeekInYear,
}

impl DateFn {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "CALENDAR_YEAR" | "FISCAL_YEAR" => Self::Year,
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Self::Quarter,
            "CALENDAR_MONTH" | "FISCAL_MONTH" => Self::Month,
            "DAY_IN_MONTH" => Self::DayInMonth,
            "DAY_IN_WEEK" => Self::DayInWeek,
            "DAY_IN_YEAR" => Self::DayInYear,
            "DAY_ONLY" => Self::DayOnly,
            "HOUR_IN_DAY" => Self::Hour,
            "WEEK_IN_MONTH" => Self::WeekInMonth,
            "WEEK_IN_YEAR" => Self::WeekInYear,
            _ => return None,
        })
    }

    fn of(self, value: &Val) -> Option<Val> {
        let (day, hour) = match value {
            Val::Stamp(seconds) => {
                let moment = time::civil(*seconds);
                (moment.date(), i64::from(moment.hour()))
            }
            Val::Date(day) => (*day, 0),
            _ => return None,
        };
        Some(Val::Int(match self {
            Self::DayOnly => return Some(Val::Date(day)),
            Self::Year => i64::from(day.year()),
            Self::Quarter => i64::from((day.month() - 1) / 3 + 1),
            Self::Month => i64::from(day.month()),
            Self::DayInMonth => i64::from(day.day()),
            Self::DayInWeek => i64::from(day.weekday().to_sunday_one_offset()),
            Self::DayInYear => i64::from(day.day_of_year()),
            Self::Hour => hour,
            Self::WeekInMonth => i64::from((day.day() - 1) / 7 + 1),
            Self::WeekInYear => i64::from((day.day_of_year() - 1) / 7 + 1),
        }))
    }
}

impl<'a> Scope<'a> {
    pub fn problem(&self, at: usize, code: &'static str, message: &str) -> ApiError {
        located(self.text, at, code, message)
    }

    /// The parts of a name, without the object's own name or an alias in front.
    pub fn parts(&self, name: &Name) -> Vec<String> {
        let mut parts = name.parts.clone();
        if parts.len() < 2 {
            return parts;
        }
        let def = self.world.def(self.object);
        if let Some((_, way)) = self.query.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&parts[0])) {
            parts.splice(0..1, way.iter().cloned());
        } else if parts[0].eq_ignore_ascii_case(&def.name) && def.relationship(&parts[0]).is_none() {
            parts.remove(0);
        }
        parts
    }

    pub fn path(&self, name: &Name) -> Outcome<Path> {
        let parts = self.parts(name);
        let (leaf_name, ways) = parts.split_last().ok_or_else(|| self.no_column(name.at, "", ""))?;
        if ways.len() > MAX_HOPS {
            let message = "Maximum number of relationships in a path exceeded";
            return Err(self.problem(name.at, "INVALID_FIELD", message));
        }
        let (mut object, mut hops) = (self.object, Vec::new());
        for (place, way) in ways.iter().enumerate() {
            let no = self.relationship(object, way, name.at)?;
            let field = self.world.def(object).field(no);
            if field.polymorphic() {
                let rest = parts[place + 1..].to_vec();
                if rest.len() == 1 && !NAME_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(&rest[0])) {
                    return Err(self.no_column(name.at, &rest[0], "Name"));
                }
                let kind = any_kind(leaf_name);
                return Ok(Path { hops, leaf: Leaf::Any(no, rest), kind, case_sensitive: false });
            }
            hops.push(no);
            let target = field.reference_to.first().and_then(|name| self.world.schema.find(name));
            object = target.ok_or_else(|| self.unknown_relationship(name.at, way))?;
        }
        let def = self.world.def(object);
        let no = def.field_no(leaf_name).ok_or_else(|| self.no_column(name.at, leaf_name, &def.name))?;
        let field = def.field(no);
        Ok(Path { hops, leaf: Leaf::Field(no), kind: field.kind, case_sensitive: field.case_sensitive })
    }

    /// The field definition at the end of a path, where there is exactly one.
    pub fn field_of(&self, path: &Path) -> Option<&'a FieldDef> {
        let mut object = self.object;
        for no in &path.hops {
            let field = self.world.def(object).field(*no);
            object = self.world.schema.find(field.reference_to.first()?)?;
        }
        match &path.leaf {
            Leaf::Field(no) => Some(self.world.def(object).field(*no)),
            Leaf::Any(..) => None,
        }
    }

    pub fn relationship(&self, object: usize, name: &str, at: usize) -> Outcome<FieldNo> {
        self.world.def(object).relationship(name).ok_or_else(|| self.unknown_relationship(at, name))
    }

    fn unknown_relationship(&self, at: usize, name: &str) -> ApiError {
        let message = format!(
            "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL \
             or the describe call for the appropriate names."
        );
        self.problem(at, "INVALID_FIELD", &message)
    }

    pub fn no_column(&self, at: usize, column: &str, entity: &str) -> ApiError {
        let message = format!(
            "No such column '{column}' on entity '{entity}'. If you are attempting to use a custom field, be sure to \
             append the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
             appropriate names."
        );
        self.problem(at, "INVALID_FIELD", &message)
    }

    /// An expression that has a value for each record.
    pub fn operand(&self, expr: &Expr) -> Outcome<Operand> {
        match expr {
            Expr::Field(name) => self.path(name).map(Operand::Path),
            Expr::Literal(_) => Err(self.problem(0, "MALFORMED_QUERY", "a literal cannot stand here")),
            Expr::Call { name, args, at } => {
                let passes = ["toLabel", "convertCurrency", "convertTimezone", "FORMAT"];
                if passes.iter().any(|known| known.eq_ignore_ascii_case(name)) && args.len() == 1 {
                    return self.operand(&args[0]);
                }
                match (DateFn::named(name), args.as_slice()) {
                    (Some(function), [inner]) => Ok(Operand::DateFn(function, Box::new(self.operand(inner)?))),
                    _ => {
                        let message = format!("the function {name} is not supported by this sandbox");
                        Err(self.problem(*at, "MALFORMED_QUERY", &message))
                    }
                }
            }
        }
    }
}

fn any_kind(name: &str) -> Kind {
    match name {
        name if name.eq_ignore_ascii_case("IsActive") => Kind::Bool,
        name if name.eq_ignore_ascii_case("Id") => Kind::Id,
        name if name.len() > 2 && name.ends_with("Id") => Kind::Reference,
        _ => Kind::Text,
    }
}
