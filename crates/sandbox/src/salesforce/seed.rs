//! What a new org holds before anybody writes: the organization, profiles, users, queues' home.

use serde_json::{Map, Value, json};

use super::{
    SalesforceConfig,
    id::Id,
    rules::{self, Op, Writer},
    world::World,
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
    let writer = Writer { user: first, now, assign_to: None };
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
    world.commit();
    Founders { org: org.unwrap_or(Id::new("00D", &config.pod, 0)), default_owner: default_owner.unwrap_or(first) }
}
