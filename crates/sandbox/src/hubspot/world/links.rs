//! Associations: which types there are between two objects, and which records they join. Each is kept from both ends.

use std::collections::{BTreeMap, HashMap};

use super::super::{
    error::Failure,
    schema::{COMPANY, CONTACT, DEAL, Schema, TICKET, TypeNo},
};

/// Type ids that HubSpot has given, from the first object to the second and back ("Association type id values", read
/// 2026-11). Those of activities follow in `ACTIVITIES`.
const DEFAULTS: [(TypeNo, TypeNo, u32, u32); 10] = [
    (CONTACT, COMPANY, 279, 280),
    (CONTACT, DEAL, 4, 3),
    (CONTACT, TICKET, 15, 16),
    (COMPANY, DEAL, 342, 341),
    (COMPANY, TICKET, 340, 339),
    (DEAL, TICKET, 27, 28),
    (CONTACT, CONTACT, 449, 449),
    (COMPANY, COMPANY, 450, 450),
    (DEAL, DEAL, 451, 451),
    (TICKET, TICKET, 452, 452),
];
/// From contact, company, deal and ticket: the id from the activity, and back to it.
const ACTIVITIES: [(&str, [(u32, u32); 4]); 3] = [
    ("meeting", [(200, 199), (188, 187), (212, 211), (226, 225)]),
    ("note", [(202, 201), (190, 189), (214, 213), (228, 227)]),
    ("task", [(204, 203), (192, 191), (216, 215), (230, 229)]),
];
/// The one company that counts: from contact, deal and ticket, and back.
const PRIMARY: [(TypeNo, u32, u32); 3] = [(CONTACT, 1, 2), (DEAL, 5, 6), (TICKET, 26, 25)];
/// The first id of a type that is the account's own.
const FIRST_OWN: u32 = 1001;

#[derive(Debug, Clone)]
pub(in super::super) struct LinkType {
    pub(in super::super) id: u32,
    pub(in super::super) from: TypeNo,
    pub(in super::super) to: TypeNo,
    pub(in super::super) label: Option<String>,
    inverse: u32,
    pub(in super::super) own: bool,
    /// The type that every association between the two objects has.
    pub(in super::super) default: bool,
    primary: bool,
}

impl LinkType {
    pub(in super::super) fn category(&self) -> &'static str {
        if self.own { "USER_DEFINED" } else { "HUBSPOT_DEFINED" }
    }
}

/// A record, by its object and id.
pub(in super::super) type End = (TypeNo, u64);

#[derive(Debug, Default)]
pub(in super::super) struct Links {
    types: Vec<LinkType>,
    next_own: u32,
    ends: HashMap<End, BTreeMap<End, Vec<u32>>>,
}

impl Links {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut links = Self { next_own: FIRST_OWN, ..Self::default() };
        for (from, to, id, back) in DEFAULTS {
            links.pair(from, to, (id, back), None, false);
        }
        for (name, ids) in ACTIVITIES {
            let Some(activity) = schema.find(name) else { continue };
            for (other, (id, back)) in [CONTACT, COMPANY, DEAL, TICKET].into_iter().zip(ids) {
                links.pair(activity, other, (id, back), None, false);
            }
        }
        for (from, id, back) in PRIMARY {
            links.pair(from, COMPANY, (id, back), Some("Primary"), false);
        }
        let own: Vec<TypeNo> = (0..schema.types.len()).filter(|no| schema.types[*no].is_custom()).collect();
        for (place, custom) in own.iter().copied().enumerate() {
            let others = (0..schema.types.len()).filter(|no| !own[..place].contains(no));
            for other in others.collect::<Vec<_>>() {
                let ids = (links.take_id(), links.take_id());
                links.pair(custom, other, if custom == other { (ids.0, ids.0) } else { ids }, None, true);
            }
        }
        links
    }

    fn take_id(&mut self) -> u32 {
        self.next_own += 1;
        self.next_own - 1
    }

    fn pair(&mut self, from: TypeNo, to: TypeNo, (id, back): (u32, u32), label: Option<&str>, own: bool) {
        let there = LinkType {
            id,
            from,
            to,
            label: label.map(str::to_owned),
            inverse: back,
            own,
            default: label.is_none(),
            primary: label == Some("Primary"),
        };
        if from != to || id != back {
            self.types.push(LinkType { id: back, from: to, to: from, inverse: id, ..there.clone() });
        }
        self.types.push(there);
        self.types.sort_by_key(|known| known.id);
    }

    /// Adds a label of the account's own, and answers the types from both ends.
    pub(in super::super) fn add_label(
        &mut self,
        from: TypeNo,
        to: TypeNo,
        label: &str,
        inverse: Option<&str>,
    ) -> (u32, u32) {
        let there = self.take_id();
        let back = if from == to && inverse.is_none() { there } else { self.take_id() };
        self.pair(from, to, (there, back), Some(label), true);
        if let Some(known) =
            inverse.and_then(|name| Some((name, self.types.iter_mut().find(|known| known.id == back)?)))
        {
            known.1.label = Some(known.0.to_owned());
        }
        for known in self.types.iter_mut().filter(|known| known.id == there || known.id == back) {
            known.primary = false;
            known.default = false;
        }
        (there, back)
    }

    pub(in super::super) fn types(&self, from: TypeNo, to: TypeNo) -> impl Iterator<Item = &LinkType> {
        self.types.iter().filter(move |known| known.from == from && known.to == to)
    }

    /// A type between these two objects, by its id; the numbers of the vendor and of the account do not overlap here.
    pub(in super::super) fn named(&self, from: TypeNo, to: TypeNo, id: u32) -> Result<u32, Failure> {
        let known = self.types(from, to).any(|known| known.id == id);
        known
            .then_some(id)
            .ok_or_else(|| Failure::invalid(format!("No association type with id {id} exists between these objects")))
    }

    pub(in super::super) fn default_type(&self, from: TypeNo, to: TypeNo) -> Result<u32, Failure> {
        let found = self.types(from, to).find(|known| known.default).map(|known| known.id);
        found.ok_or_else(|| Failure::invalid("These objects cannot be associated"))
    }

    fn kind(&self, from: TypeNo, to: TypeNo, id: u32) -> Option<&LinkType> {
        self.types(from, to).find(|known| known.id == id)
    }

    /// Joins two records by these types and the default one; answers whether anything is new.
    pub(super) fn join(&mut self, from: End, to: End, types: &[u32]) -> bool {
        let mut wanted = types.to_vec();
        wanted.extend(self.default_type(from.0, to.0).ok());
        // The first company is the one that counts, until another is made so.
        let primary = self.types(from.0, to.0).find(|known| known.primary).map(|known| (known.id, known.inverse));
        let (one, company) = if to.0 == COMPANY { (from, to) } else { (to, from) };
        if let Some((id, _)) = primary.filter(|_| one.0 != COMPANY) {
            let of_one = self.types(one.0, COMPANY).find(|known| known.primary).map(|known| (known.id, known.inverse));
            if let Some((mine, back)) = of_one {
                let holder = self.of(one, COMPANY).find(|(_, types)| types.contains(&mine)).map(|(end, _)| end);
                match holder {
                    None => wanted.push(id),
                    Some(former) if wanted.contains(&id) && former != company => {
                        self.drop_type(one, former, mine, back);
                    }
                    Some(_) => {}
                }
            }
        }
        let mut new = false;
        for id in wanted {
            let Some(inverse) = self.kind(from.0, to.0, id).map(|known| known.inverse) else { continue };
            new |= self.put(from, to, id);
            self.put(to, from, inverse);
        }
        new
    }

    fn put(&mut self, from: End, to: End, id: u32) -> bool {
        let types = self.ends.entry(from).or_default().entry(to).or_default();
        match types.binary_search(&id) {
            Ok(_) => false,
            Err(place) => {
                types.insert(place, id);
                true
            }
        }
    }

    fn drop_type(&mut self, from: End, to: End, id: u32, inverse: u32) -> bool {
        let mut take = |from: End, to: End, id: u32| {
            let Some(others) = self.ends.get_mut(&from) else { return false };
            let Some(types) = others.get_mut(&to) else { return false };
            let before = types.len();
            types.retain(|known| *known != id);
            let taken = types.len() < before;
            if types.is_empty() {
                others.remove(&to);
            }
            taken
        };
        let taken = take(from, to, id);
        take(to, from, inverse);
        taken
    }

    /// Parts two records: of these labels, or wholly.
    pub(super) fn part(&mut self, from: End, to: End, only: Option<&[u32]>) -> bool {
        let types: Vec<u32> = self.between(from, to).to_vec();
        let mut taken = false;
        for id in types.into_iter().filter(|id| only.is_none_or(|only| only.contains(id))) {
            if let Some(inverse) = self.kind(from.0, to.0, id).map(|known| known.inverse) {
                taken |= self.drop_type(from, to, id, inverse);
            }
        }
        taken
    }

    /// Whether this is the type of the one company that counts, seen from the record that has it.
    pub(super) fn is_primary(&self, from: TypeNo, to: TypeNo, id: u32) -> bool {
        to == COMPANY && self.kind(from, to, id).is_some_and(|known| known.primary)
    }

    pub(super) fn has_primary(&self, end: End) -> bool {
        self.of(end, COMPANY).any(|(_, types)| types.iter().any(|id| self.is_primary(end.0, COMPANY, *id)))
    }

    pub(in super::super) fn between(&self, from: End, to: End) -> &[u32] {
        self.ends.get(&from).and_then(|others| others.get(&to)).map_or(&[], Vec::as_slice)
    }

    /// What a record is joined with, of one object, by id.
    pub(in super::super) fn of(&self, from: End, to: TypeNo) -> impl Iterator<Item = (End, &[u32])> {
        let others = self.ends.get(&from);
        others
            .into_iter()
            .flat_map(move |others| others.range((to, 0)..=(to, u64::MAX)))
            .map(|(end, types)| (*end, types.as_slice()))
    }

    /// Everything a record is joined with.
    pub(in super::super) fn all(&self, from: End) -> Vec<(End, Vec<u32>)> {
        let others = self.ends.get(&from);
        others.into_iter().flatten().map(|(end, types)| (*end, types.clone())).collect()
    }
}
