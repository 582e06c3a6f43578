//! Who changed what since the CRM's record and the calendar's event last agreed: field by field, start and end together.

use crate::{
    booking::text::newlines,
    record::{Field, Fields, Std, Value},
};

/// Whose value stays when both changed a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Clash {
    #[default]
    Calendar,
    Crm,
}

/// How edits travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FieldRules {
    /// Whether an edit in the CRM changes the event.
    pub back: bool,
    pub clash: Clash,
}

/// What each side is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MeetingMerge {
    pub to_crm: Fields,
    pub to_calendar: Fields,
    /// What both agree on once that is done.
    pub agreed: Fields,
    /// Edits in the CRM that were left alone, and stay there only.
    pub kept: Vec<Field>,
}

/// Fields that are one thing: half of a move is no time at all.
const TIMES: [Field; 2] = [Field::Std(Std::Start), Field::Std(Std::End)];

/// Fields that an event has, too.
const OF_EVENT: [Std; 6] = [Std::Subject, Std::Description, Std::Location, Std::Start, Std::End, Std::ShowAs];

/// Fields that people give away in the CRM, and that no calendar takes back.
const OF_CRM: [Std; 2] = [Std::Owner, Std::Who];

/// The merge. `crm` is the record as it is now; what is not known of it is taken to be as last agreed.
pub fn merge_fields(base: &Fields, crm: Option<&Fields>, calendar: &Fields, rules: FieldRules) -> MeetingMerge {
    let mut out = MeetingMerge { agreed: base.clone(), ..MeetingMerge::default() };
    let mut singles: Vec<Vec<&Field>> =
        calendar.keys().filter(|field| !TIMES.contains(field)).map(|field| vec![field]).collect();
    let times: Vec<&Field> = TIMES.iter().filter(|field| calendar.contains_key(field)).collect();
    singles.push(times);
    for unit in singles.into_iter().filter(|unit| !unit.is_empty()) {
        merge_unit(&unit, base, crm, calendar, rules, &mut out);
    }
    out
}

fn merge_unit(
    unit: &[&Field],
    base: &Fields,
    crm: Option<&Fields>,
    calendar: &Fields,
    rules: FieldRules,
    out: &mut MeetingMerge,
) {
    let is_std = |list: &[Std]| unit.iter().all(|field| matches!(field, Field::Std(std) if list.contains(std)));
    let agreed = |field: &Field| base.get(field);
    let now = |field: &Field| crm.and_then(|crm| crm.get(field)).or(agreed(field));
    let all = |holds: &dyn Fn(&Field) -> bool| unit.iter().all(|field| holds(field));
    let wanted = |field: &Field| calendar.get(field);
    let is_agreed = all(&|field| same(now(field), wanted(field)));
    let crm_is_unchanged = all(&|field| same(now(field), agreed(field)));
    let calendar_is_unchanged = all(&|field| same(wanted(field), agreed(field)));
    // Nothing was ever agreed on: there is no edit to be kept.
    let is_first = unit.iter().all(|field| agreed(field).is_none());
    let goes_back = rules.back && is_std(&OF_EVENT);
    let crm_wins = match (calendar_is_unchanged, rules.clash) {
        _ if is_first || crm_is_unchanged => false,
        _ if is_std(&OF_CRM) => true,
        (true, _) => true,
        (false, Clash::Crm) => true,
        (false, Clash::Calendar) => false,
    };
    match () {
        () if is_agreed => set(&mut out.agreed, unit, wanted),
        () if crm_wins && goes_back => {
            set(&mut out.to_calendar, unit, now);
            set(&mut out.agreed, unit, now);
        }
        // What was agreed on stays what it was: the edit is known as one for as long as it stands.
        () if crm_wins => out.kept.extend(unit.iter().map(|field| (*field).clone())),
        () => {
            for field in unit.iter().filter(|field| !same(now(field), wanted(field))) {
                out.to_crm.insert((*field).clone(), wanted(field).cloned().unwrap_or(Value::Null));
            }
            set(&mut out.agreed, unit, wanted);
        }
    }
}

/// What was last agreed on, once the event shows an edit of the CRM that was carried to it: what it says then nobody changed
/// there. What it does not show yet, and is still an edit, stays carried.
pub(super) fn once_shown(base: &Fields, carried: &Fields, crm: Option<&Fields>, calendar: &Fields) -> (Fields, Fields) {
    let (mut agreed, mut pending) = (base.clone(), Fields::new());
    for (field, value) in carried {
        let is_edit = crm.is_none_or(|crm| !same(crm.get(field), base.get(field)));
        if same(calendar.get(field), Some(value)) {
            agreed.insert(field.clone(), value.clone());
        } else if is_edit && same(calendar.get(field), base.get(field)) {
            pending.insert(field.clone(), value.clone());
        }
    }
    (agreed, pending)
}

/// What the CRM's record says of an event that is not what was agreed on.
pub(super) fn edited(base: &Fields, crm: &Fields) -> Fields {
    let told = OF_EVENT.into_iter().map(Field::from).filter(|field| base.contains_key(field));
    let edited = |field: Field| {
        let now = crm.get(&field).filter(|now| !same(Some(now), base.get(&field)))?;
        Some((field, now.clone()))
    };
    told.filter_map(edited).collect()
}

/// Takes the values of these fields over.
fn set<'v>(fields: &mut Fields, unit: &[&Field], value: impl Fn(&Field) -> Option<&'v Value>) {
    for field in unit {
        fields.insert((*field).clone(), value(field).cloned().unwrap_or(Value::Null));
    }
}

/// Whether two values say the same. Nothing and an empty text do; CRMs store line ends of their own.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let plain = |value: Option<&Value>| match value {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.trim().is_empty() => None,
        Some(Value::Text(text)) => Some(Value::Text(newlines(text).into_owned())),
        Some(other) => Some(other.clone()),
    };
    plain(one) == plain(other)
}
