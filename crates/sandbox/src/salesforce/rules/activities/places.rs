//! Where in the schema the fields stand that relations are about.

use crate::salesforce::schema::{FieldNo, Schema};

/// Objects and fields by number. What only Shared Activities bring is optional.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub relation: usize,
    pub event_id: FieldNo,
    pub person: FieldNo,
    pub invitee: FieldNo,
    pub parent: Option<FieldNo>,
    pub what: Option<FieldNo>,
    pub event: usize,
    pub who_id: FieldNo,
    pub what_id: FieldNo,
    pub who_ids: Option<FieldNo>,
    pub child: FieldNo,
    pub group: FieldNo,
    pub group_type: FieldNo,
    pub owner: FieldNo,
}

impl Places {
    pub fn of(schema: &Schema) -> Option<Self> {
        let (relation, event) = (schema.find("EventRelation")?, schema.find("Event")?);
        let (rows, events) = (schema.def(relation), schema.def(event));
        Some(Self {
            relation,
            event_id: rows.field_no("EventId")?,
            person: rows.field_no("RelationId")?,
            invitee: rows.field_no("IsInvitee")?,
            parent: rows.field_no("IsParent"),
            what: rows.field_no("IsWhat"),
            event,
            who_id: events.field_no("WhoId")?,
            what_id: events.field_no("WhatId")?,
            who_ids: events.field_no("EventWhoIds"),
            child: events.field_no("IsChild")?,
            group: events.field_no("IsGroupEvent")?,
            group_type: events.field_no("GroupEventType")?,
            owner: events.field_no("OwnerId")?,
        })
    }
}
