//! Salesforce's facts as data: objects, fields and their lengths. No behaviour.
//!
//! Lengths come from the objects' own descriptions (recorded describes of Account, Contact, Lead, Case, Opportunity and
//! Event) and, for User, from the vendor's field reference: <https://developer.salesforce.com/docs/atlas.en-us.sfFieldRef.meta/>,
//! read 2026-11. Formats without a length of their own (numbers, dates, references) carry 0.

use syncline_connect::{Manifest, RoleSpec, manifest::FieldSpec};
use syncline_core::record::{Role, Std};

/// The field that bears our key, unless the setting [`EXTERNAL_ID_FIELD`] names another.
pub const DEFAULT_KEY_FIELD: &str = "Syncline_Uid__c";

/// Length that the README tells the admin to give to the key field; our keys have 35 characters.
pub const KEY_FIELD_CHARS: usize = 64;

/// The version that the connector was written against.
pub const DEFAULT_API_VERSION: u16 = 64;

/// By which our own calls are known in the change events that they lead to.
pub const CLIENT: &str = "Syncline";

pub const EXTERNAL_ID_FIELD: &str = "external_id_field";
pub const API_VERSION: &str = "api_version";
pub const LOGIN_HOST: &str = "login_host";
pub const ALLOW_HOST: &str = "allow_host";
pub const STATUS_FIELD: &str = "status_field";
pub const DUPLICATE_RULES: &str = "duplicate_rules";
pub const ASSIGNMENT_RULES: &str = "assignment_rules";
pub const CUSTOM_OBJECTS: &str = "custom_objects";
pub const USER_ID: &str = "user_id";
pub const CHANGE_EVENTS: &str = "change_events";
pub const EVENT_ENDPOINT: &str = "event_endpoint";

/// Everything about Salesforce that is a fact and not a behaviour.
pub static MANIFEST: Manifest = Manifest {
    vendor: "salesforce",
    display_name: "Salesforce",
    docs: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/",
    scopes: &["api", "refresh_token"],
    settings: &[
        (EXTERNAL_ID_FIELD, "API name of the custom field that bears Syncline's key; `Syncline_Uid__c` unless set"),
        (API_VERSION, "REST API version, such as `64.0`; pinned until you change it"),
        (
            LOGIN_HOST,
            "where to log in: https://login.salesforce.com unless set, https://test.salesforce.com, or your My Domain",
        ),
        (
            ALLOW_HOST,
            "one further exact origin, such as https://crm.example:8443, that stands in for Salesforce; for test set-ups",
        ),
        (STATUS_FIELD, "API name of the Event's field that carries the booking's standing; the check looks for it"),
        (
            DUPLICATE_RULES,
            "`stop` (unless set): a duplicate rule's alert holds the record back; `save`: it is saved all the same",
        ),
        (
            ASSIGNMENT_RULES,
            "`off` (unless set): owners are ours to name; `on`: the active assignment rules choose the owner of accounts, leads and cases that are made; or the id of one assignment rule",
        ),
        (
            CUSTOM_OBJECTS,
            "API names, separated by commas, of the further objects that bookings write; the check looks at them",
        ),
        (
            USER_ID,
            "id (005…) of the user as whom Syncline writes, where no person works as the same one: its changes are known as our own",
        ),
        (
            CHANGE_EVENTS,
            "`off` (unless set); `on`: change events of the objects that are selected in Setup wake the integrations that keep records in step; or the name of one channel, such as `/data/Syncline__chn`",
        ),
        (
            EVENT_ENDPOINT,
            "where change events are listened to: https://api.pubsub.salesforce.com:7443 unless set; https://api.deu.pubsub.salesforce.com:7443 for orgs in the EU Operating Zone",
        ),
    ],
    roles: ROLES,
    overload_status: 503,
    trusted_domains: &[".salesforce.com", ".force.com"],
};

const fn spec(field: Std, name: &'static str, max_chars: usize) -> FieldSpec {
    FieldSpec { field, name, max_chars }
}

const KEY: FieldSpec = spec(Std::Key, DEFAULT_KEY_FIELD, KEY_FIELD_CHARS);
const OWNER: FieldSpec = spec(Std::Owner, "OwnerId", 0);
const CREATED_AT: FieldSpec = spec(Std::CreatedAt, "CreatedDate", 0);
const LAST_ACTIVITY: FieldSpec = spec(Std::LastActivity, "LastActivityDate", 0);
const ACCOUNT: FieldSpec = spec(Std::Account, "AccountId", 0);
const CONTACT: FieldSpec = spec(Std::Contact, "ContactId", 0);
const DESCRIPTION: FieldSpec = spec(Std::Description, "Description", 32_000);
const FIRST_NAME: FieldSpec = spec(Std::FirstName, "FirstName", 40);
const LAST_NAME: FieldSpec = spec(Std::LastName, "LastName", 80);
const FULL_NAME: FieldSpec = spec(Std::Name, "Name", 121);
const EMAIL: FieldSpec = spec(Std::Email, "Email", 80);
const PHONE: FieldSpec = spec(Std::Phone, "Phone", 40);
const MOBILE: FieldSpec = spec(Std::Mobile, "MobilePhone", 40);
const SUBJECT: FieldSpec = spec(Std::Subject, "Subject", 255);
const DELETED: FieldSpec = spec(Std::Deleted, "IsDeleted", 0);
const MERGED_INTO: FieldSpec = spec(Std::MergedInto, "MasterRecordId", 0);

/// What is known of an object that only the settings name: it bears our key, and what every object has.
pub static CUSTOM: RoleSpec = RoleSpec { role: Role::Custom, object: "", fields: &[KEY, DELETED, CREATED_AT] };

static ROLES: &[RoleSpec] = &[
    RoleSpec {
        role: Role::Attendee,
        object: "EventRelation",
        fields: &[
            spec(Std::Meeting, "EventId", 0),
            spec(Std::Attends, "RelationId", 0),
            spec(Std::Invited, "IsInvitee", 0),
            spec(Std::Related, "IsParent", 0),
            spec(Std::Response, "Response", 255),
            DELETED,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Account,
        object: "Account",
        fields: &[
            KEY,
            spec(Std::Name, "Name", 255),
            PHONE,
            spec(Std::Website, "Website", 255),
            DESCRIPTION,
            OWNER,
            DELETED,
            MERGED_INTO,
            CREATED_AT,
            LAST_ACTIVITY,
        ],
    },
    RoleSpec {
        role: Role::Contact,
        object: "Contact",
        fields: &[
            KEY,
            FULL_NAME,
            FIRST_NAME,
            LAST_NAME,
            EMAIL,
            PHONE,
            MOBILE,
            DESCRIPTION,
            OWNER,
            ACCOUNT,
            DELETED,
            MERGED_INTO,
            CREATED_AT,
            LAST_ACTIVITY,
        ],
    },
    RoleSpec {
        role: Role::Lead,
        object: "Lead",
        fields: &[
            KEY,
            FULL_NAME,
            FIRST_NAME,
            LAST_NAME,
            EMAIL,
            PHONE,
            MOBILE,
            spec(Std::Company, "Company", 255),
            spec(Std::Website, "Website", 255),
            spec(Std::Status, "Status", 255),
            DESCRIPTION,
            OWNER,
            spec(Std::Converted, "IsConverted", 0),
            spec(Std::ConvertedContact, "ConvertedContactId", 0),
            spec(Std::ConvertedAccount, "ConvertedAccountId", 0),
            DELETED,
            MERGED_INTO,
            CREATED_AT,
            LAST_ACTIVITY,
        ],
    },
    RoleSpec {
        role: Role::Case,
        object: "Case",
        fields: &[
            KEY,
            SUBJECT,
            DESCRIPTION,
            spec(Std::Status, "Status", 40),
            spec(Std::Origin, "Origin", 40),
            OWNER,
            ACCOUNT,
            CONTACT,
            spec(Std::SuppliedName, "SuppliedName", 80),
            spec(Std::SuppliedEmail, "SuppliedEmail", 80),
            spec(Std::SuppliedPhone, "SuppliedPhone", 40),
            spec(Std::SuppliedCompany, "SuppliedCompany", 80),
            DELETED,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Opportunity,
        object: "Opportunity",
        fields: &[
            KEY,
            spec(Std::Name, "Name", 120),
            spec(Std::Stage, "StageName", 255),
            spec(Std::CloseDate, "CloseDate", 0),
            spec(Std::Amount, "Amount", 0),
            DESCRIPTION,
            OWNER,
            ACCOUNT,
            CONTACT,
            DELETED,
            CREATED_AT,
            LAST_ACTIVITY,
        ],
    },
    RoleSpec {
        role: Role::Meeting,
        object: "Event",
        fields: &[
            KEY,
            SUBJECT,
            DESCRIPTION,
            spec(Std::Location, "Location", 255),
            spec(Std::Start, "StartDateTime", 0),
            spec(Std::End, "EndDateTime", 0),
            spec(Std::ShowAs, "ShowAs", 40),
            OWNER,
            spec(Std::Who, "WhoId", 0),
            spec(Std::What, "WhatId", 0),
            DELETED,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::User,
        object: "User",
        fields: &[
            FULL_NAME,
            FIRST_NAME,
            LAST_NAME,
            spec(Std::Email, "Email", 128),
            PHONE,
            MOBILE,
            spec(Std::Active, "IsActive", 0),
            CREATED_AT,
        ],
    },
];

/// The first three characters of an id tell its object.
pub const PREFIXES: &[(&str, Role)] = &[
    ("001", Role::Account),
    ("003", Role::Contact),
    ("00Q", Role::Lead),
    ("500", Role::Case),
    ("006", Role::Opportunity),
    ("00U", Role::Meeting),
    ("0RE", Role::Attendee),
    ("005", Role::User),
];

/// What a standard field holds, whichever object it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// One line.
    Line,
    /// An e-mail address: never cut, because a cut address is another address.
    Email,
    /// Several lines.
    Text,
    Bool,
    Decimal,
    Date,
    Time,
    Reference,
    /// `busy` or `free` with us, `Busy` or `Free` there.
    ShowAs,
}

/// What the field holds.
pub fn holds(field: Std) -> Holds {
    match field {
        Std::Key
        | Std::Name
        | Std::FirstName
        | Std::LastName
        | Std::Phone
        | Std::Mobile
        | Std::Company
        | Std::Website => Holds::Line,
        Std::Status | Std::Origin | Std::Stage | Std::Subject | Std::Location => Holds::Line,
        Std::SuppliedName | Std::SuppliedPhone | Std::SuppliedCompany | Std::Response => Holds::Line,
        Std::Email | Std::SuppliedEmail => Holds::Email,
        Std::OtherEmails => Holds::Text,
        Std::Description => Holds::Text,
        Std::Active | Std::Converted | Std::Invited | Std::Related | Std::Deleted => Holds::Bool,
        Std::Amount => Holds::Decimal,
        Std::CloseDate | Std::LastActivity => Holds::Date,
        Std::Start | Std::End | Std::CreatedAt => Holds::Time,
        Std::Owner
        | Std::Account
        | Std::Contact
        | Std::Case
        | Std::Opportunity
        | Std::Who
        | Std::What
        | Std::ConvertedContact
        | Std::ConvertedAccount
        | Std::Meeting
        | Std::Attends
        | Std::MergedInto => Holds::Reference,
        Std::ShowAs => Holds::ShowAs,
    }
}

/// Whether Salesforce alone sets the field (by the describes' `createable` and `updateable`).
pub fn read_only(role: Role, field: Std) -> bool {
    match field {
        Std::CreatedAt
        | Std::LastActivity
        | Std::Converted
        | Std::ConvertedContact
        | Std::ConvertedAccount
        | Std::Deleted
        | Std::MergedInto => true,
        Std::Name => matches!(role, Role::Contact | Role::Lead | Role::User),
        _ => role == Role::User,
    }
}

/// Whether the field is set when the record is made and never again: of an attendee, whom he ties to which meeting.
/// <https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventrelation.htm>,
/// read 2026-11.
pub fn create_only(role: Role, field: Std) -> bool {
    role == Role::Attendee && matches!(field, Std::Meeting | Std::Attends)
}

/// Whether assignment rules may choose the owner of such a record.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm>, read 2026-11.
pub fn is_assigned(role: Role) -> bool {
    matches!(role, Role::Account | Role::Lead | Role::Case)
}
