//! What a new org holds before anybody writes: the organization, profiles, users, queues' home.

use serde_json::{Map, Value, json};

use super::{
    SalesforceConfig,
    id::Id,
    rules::{self, Op, Writer},
    world::{Val, World},
};

/// Ids that the org itself needs.
pub(super) struct Founders {
    pub org: Id,
    /// Who owns what nobody else does.
    pub default_owner: Id,
}

pub(super) fn found(world: &mut World, config: &SalesforceConfig, now: i64) -> Founders {
    // The first user makes everything, himself included.
    let first = Id::new("005", &config.pod, 0);
    let writer = Writer::plain(first, now);
    let mut add = |object: &str, record: Value| -> Option<Id> {
        let object = world.schema.find(object)?;
        let record: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
        rules::insert(world, object, &record, None, writer, Op::Seed).ok()
    };
    let org = add(
        "Organization",
        json!({"Name": config.org_name, "DefaultLocaleSidKey": "en_US",
        "TimeZoneSidKey": "GMT", "LanguageLocaleKey": "en_US", "OrganizationType": "Developer Edition",
        "InstanceName": "IMI1", "IsSandbox": true}),
    );
    let mut profiles: Vec<(String, Id)> = Vec::new();
    let mut default_owner = None;
    for user in &config.users {
        let known = profiles.iter().find(|(name, _)| *name == user.profile).map(|(_, id)| *id);
        let profile = known.or_else(|| {
            let id = add("Profile", json!({"Name": user.profile, "UserType": "Standard"}))?;
            profiles.push((user.profile.clone(), id));
            Some(id)
        });
        let alias: String = user.last_name.chars().take(8).collect();
        let id = add(
            "User",
            json!({"Username": user.username, "Email": user.email, "FirstName": user.first_name,
            "LastName": user.last_name, "IsActive": user.is_active, "Alias": alias.to_lowercase(),
            "CommunityNickname": user.username, "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "UserType": "Standard",
            "ProfileId": profile.map(|id| id.as_str().to_owned())}),
        );
        default_owner = default_owner.or(id.filter(|_| user.is_active));
    }
    rule_records(world, writer);
    world.commit();
    Founders { org: org.unwrap_or(Id::new("00D", &config.pod, 0)), default_owner: default_owner.unwrap_or(first) }
}

/// The records that tell of the rules in force: those of rules that went are deleted, new ones are made.
pub(super) fn rule_records(world: &mut World, writer: Writer) {
    let set = world.rules.set.clone();
    let duplicates = set.duplicate_rules.iter().map(|rule| {
        json!({"DeveloperName": rule.name, "MasterLabel": rule.name, "SobjectType": rule.object,
            "IsActive": rule.active, "Language": "en_US"})
    });
    record_each(world, "DuplicateRule", "DeveloperName", "IsActive", duplicates.collect(), writer);
    let assignments = set.assignment_rules.iter();
    let assignments =
        assignments.map(|rule| json!({"Name": rule.name, "SobjectType": rule.object, "Active": rule.active}));
    record_each(world, "AssignmentRule", "Name", "Active", assignments.collect(), writer);
    let validations = set.validation_rules.iter().map(|rule| {
        json!({"ValidationName": rule.name, "EntityDefinitionId": rule.object, "Active": rule.active,
            "ErrorMessage": rule.message, "ErrorDisplayField": rule.error_field})
    });
    record_each(world, "ValidationRule", "ValidationName", "Active", validations.collect(), writer);
}

fn record_each(world: &mut World, object: &str, key: &str, active: &str, wanted: Vec<Value>, writer: Writer) {
    let Some(object) = world.schema.find(object) else { return };
    let schema = world.schema.clone();
    let def = schema.def(object);
    let (Some(key_no), Some(active_no)) = (def.field_no(key), def.field_no(active)) else { return };
    let live = world.table(object).rows().filter(|(_, row)| !row.deleted);
    let known: Vec<(u32, Id, Option<String>)> =
        live.map(|(slot, row)| (slot, row.id, row.stored(key_no).and_then(Val::as_text).map(str::to_owned))).collect();
    let named = |name: &Option<String>| wanted.iter().find(|record| record[key].as_str() == name.as_deref());
    for (slot, id, name) in &known {
        match named(name) {
            Some(record) => world.set(object, *slot, active_no, record[active].as_bool().map(Val::Bool)),
            None => world.set_deleted(object, *slot, Some(*id)),
        }
    }
    let missing =
        wanted.iter().filter(|record| !known.iter().any(|(.., name)| name.as_deref() == record[key].as_str()));
    for record in missing.cloned().collect::<Vec<_>>() {
        let record: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
        // The names of rules are checked before; their records have no rules of their own.
        let _ = rules::insert(world, object, &record, None, writer, Op::Seed);
    }
}
