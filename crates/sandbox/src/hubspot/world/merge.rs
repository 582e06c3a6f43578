//! Two records become one: the first keeps its values, the second fills what was empty, and both ids lead to the
//! survivor, which may have an id that neither had.

use super::super::{
    error::Failure,
    schema::{CONTACT, TypeNo, multiple},
};
use super::{
    Happening, HubSpotEffectKind, HubSpotWho, Logged, World, derive::Draft, links::End, record::Record, table::Slot,
    write::Writer,
};

impl World {
    /// Merges `other` into `primary` and answers where the survivor is.
    pub(in super::super) fn merge(
        &mut self,
        object: TypeNo,
        primary: Slot,
        other: Slot,
        by: Writer,
    ) -> Result<Slot, Failure> {
        if primary == other {
            return Err(Failure::invalid("A record cannot be merged with itself"));
        }
        if self.schema.types[object].is_activity() {
            return Err(Failure::invalid("Records of this object cannot be merged"));
        }
        let kept = self.row(object, primary).clone();
        let lost = self.row(object, other).clone();
        self.vanish(object, other, by);
        let survivor = if self.merge_gives_new_id {
            self.vanish(object, primary, by);
            let id = self.take_id();
            let kind = &self.schema.types[object];
            let mut record = kept.clone();
            record.id = id;
            if let Some(prop) = kind.find("hs_object_id") {
                record.overwrite(prop, &id.to_string(), by.at);
            }
            self.tables[object].insert(kind, record, by.at, self.lag)
        } else {
            primary
        };
        let id = self.row(object, survivor).id;
        for old in [kept.id, lost.id].into_iter().filter(|old| *old != id) {
            self.tables[object].redirect(old, id);
            self.move_links((object, old), (object, id));
        }
        let moved = self.unite(object, survivor, &kept, &lost, by);
        self.recount((object, id), by);
        for (other, _) in self.links.all((object, id)) {
            self.recount(other, by);
        }
        let what = Happening::Merge { primary: kept.id, merged: vec![lost.id], survivor: id, moved };
        self.notice(what, object, id, by);
        let other = Some(format!("{}/{}", self.schema.types[object].plural, lost.id));
        self.log(HubSpotEffectKind::Merged, object, id, by, Logged { other, ..Logged::default() });
        Ok(survivor)
    }

    fn vanish(&mut self, object: TypeNo, slot: Slot, by: Writer) {
        let kind = &self.schema.types[object];
        self.tables[object].change(kind, slot, by.at, self.lag, |record| record.gone = true);
    }

    fn move_links(&mut self, old: End, new: End) {
        let mut links = self.links.all(old);
        // The primary company first: the first of a record without any would become it.
        links.sort_by_key(|(other, types)| !types.iter().any(|id| self.links.is_primary(old.0, other.0, *id)));
        for (other, types) in links {
            self.links.part(old, other, None);
            if other != new {
                // Of two primary companies the survivor's own stays.
                let types: Vec<u32> = if self.links.has_primary(new) {
                    types.into_iter().filter(|id| !self.links.is_primary(new.0, other.0, *id)).collect()
                } else {
                    types
                };
                self.links.join(new, other, &types);
            }
        }
        for list in self.lists.iter_mut().filter(|list| list.object == old.0) {
            if let Some(since) = list.members.remove(&old.1) {
                list.members.insert(new.1, since);
            }
        }
    }

    /// Gives the survivor what it lacked; answers how many values that were.
    fn unite(&mut self, object: TypeNo, survivor: Slot, kept: &Record, lost: &Record, by: Writer) -> usize {
        let kind = &self.schema.types[object];
        self.tables[object].change(kind, survivor, by.at, self.lag, |record| {
            let id = record.id;
            let mut draft = Draft { object: kind, no: object, record, at: by.at, changed: Vec::new() };
            let mut moved = 0;
            for (prop, value) in lost.values() {
                if kind.property(prop).read_only || draft.record.get(prop).is_some() {
                    continue;
                }
                draft.set(prop, value, HubSpotWho::Vendor);
                moved += 1;
            }
            let text = |record: &Record, name: &str| {
                kind.find(name).and_then(|prop| record.get(prop)).unwrap_or_default().to_owned()
            };
            let mut ids: Vec<String> = Vec::new();
            for record in [kept, lost] {
                ids.extend(multiple(&text(record, "hs_merged_object_ids")).map(str::to_owned));
                if record.id != id {
                    ids.push(record.id.to_string());
                }
            }
            draft.fill("hs_merged_object_ids", &ids.join(";"));
            if object == CONTACT {
                let mut all = vec![id.to_string()];
                all.extend(ids);
                draft.fill("hs_all_contact_vids", &all.join(";"));
                let first = draft.record.get(kind.find("email").unwrap_or_default()).unwrap_or_default().to_owned();
                let mut emails: Vec<String> = Vec::new();
                for email in [kept, lost].into_iter().flat_map(|record| {
                    let mut own = vec![text(record, "email")];
                    own.extend(multiple(&text(record, "hs_additional_emails")).map(str::to_owned));
                    own
                }) {
                    if !email.is_empty() && email != first && !emails.contains(&email) {
                        emails.push(email);
                    }
                }
                draft.fill("hs_additional_emails", &emails.join(";"));
            }
            // The older of the two says since when there is this record.
            let made = kept.created.min(lost.created);
            draft.fill(kind.created_name, &super::super::time::stamp(made));
            draft.follow();
            draft.end();
            draft.record.created = made;
            moved
        })
    }
}
