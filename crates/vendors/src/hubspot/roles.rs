//! Which object plays which role in a booking, as data: properties, associations, and how a meeting stands. No behaviour.
//!
//! Names are those of the published models and the property pages, read 2026-11. There are no leads here: a contact
//! stands for one, and its lead status says so. What ties two records is no property but an association; it bears a name
//! of ours that no property can have.

use syncline_connect::{RoleSpec, manifest::FieldSpec, records::Standing};
use syncline_core::record::{Role, Std};

use super::{convert::MERGED, manifest::DEFAULT_KEY_PROPERTY};

/// Longest text of a property.
/// <https://knowledge.hubspot.com/properties/property-field-types-in-hubspot>, read 2026-11.
pub const TEXT_CHARS_MAX: usize = 65_536;

/// What stands before the name of an object where an association is named like a field.
pub const ASSOCIATION: &str = "associations.";

/// The property of a meeting that lists the owners who attend, beside the one whose it is.
pub const ATTENDING_OWNERS: &str = "hs_attendee_owner_ids";

/// The property that orders the timeline. It is the start, never the moment of writing.
pub const TIMESTAMP: &str = "hs_timestamp";

/// Who owns a record.
pub const OWNER: &str = "hubspot_owner_id";

/// Where owners are listed; also what an owner's id begins with.
pub const OWNERS: &str = "owners";

/// How a meeting stands, in HubSpot's own words.
pub static STANDING: Standing = Standing {
    field: "hs_meeting_outcome",
    booked: "SCHEDULED",
    rescheduled: "RESCHEDULED",
    cancelled: "CANCELED",
    no_show: "NO_SHOW",
};

const fn spec(field: Std, name: &'static str, max_chars: usize) -> FieldSpec {
    FieldSpec { field, name, max_chars }
}

const fn text(field: Std, name: &'static str) -> FieldSpec {
    spec(field, name, TEXT_CHARS_MAX)
}

const KEY: FieldSpec = spec(Std::Key, DEFAULT_KEY_PROPERTY, 0);
const OWNED_BY: FieldSpec = spec(Std::Owner, OWNER, 0);
const CREATED_AT: FieldSpec = spec(Std::CreatedAt, "createdate", 0);
const DELETED: FieldSpec = spec(Std::Deleted, "archived", 0);
const MERGED_INTO: FieldSpec = spec(Std::MergedInto, MERGED, 0);
const WITH_COMPANY: FieldSpec = spec(Std::Account, "associations.companies", 0);
const WITH_CONTACT: FieldSpec = spec(Std::Contact, "associations.contacts", 0);

/// What is known of an object that only the settings name.
pub static CUSTOM: RoleSpec = RoleSpec { role: Role::Custom, object: "", fields: &[KEY, DELETED] };

pub static ROLES: &[RoleSpec] = &[
    RoleSpec {
        role: Role::Account,
        object: "companies",
        fields: &[
            KEY,
            text(Std::Name, "name"),
            text(Std::Phone, "phone"),
            // The address of the site follows from the domain, by which companies are known.
            text(Std::Website, "domain"),
            text(Std::Description, "description"),
            OWNED_BY,
            DELETED,
            MERGED_INTO,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Contact,
        object: "contacts",
        fields: &[
            KEY,
            text(Std::FirstName, "firstname"),
            text(Std::LastName, "lastname"),
            spec(Std::Email, "email", 0),
            spec(Std::OtherEmails, "hs_additional_emails", 0),
            text(Std::Phone, "phone"),
            text(Std::Mobile, "mobilephone"),
            text(Std::Company, "company"),
            text(Std::Website, "website"),
            text(Std::Status, "hs_lead_status"),
            text(Std::Stage, "lifecyclestage"),
            OWNED_BY,
            // Read here, and written as an association.
            spec(Std::Account, "associatedcompanyid", 0),
            DELETED,
            MERGED_INTO,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Case,
        object: "tickets",
        fields: &[
            KEY,
            text(Std::Subject, "subject"),
            text(Std::Description, "content"),
            text(Std::Status, "hs_pipeline_stage"),
            text(Std::Origin, "source_type"),
            OWNED_BY,
            WITH_COMPANY,
            WITH_CONTACT,
            DELETED,
            MERGED_INTO,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Opportunity,
        object: "deals",
        fields: &[
            KEY,
            text(Std::Name, "dealname"),
            text(Std::Stage, "dealstage"),
            spec(Std::CloseDate, "closedate", 0),
            spec(Std::Amount, "amount", 0),
            text(Std::Description, "description"),
            OWNED_BY,
            WITH_COMPANY,
            WITH_CONTACT,
            DELETED,
            MERGED_INTO,
            CREATED_AT,
        ],
    },
    RoleSpec {
        role: Role::Meeting,
        object: "meetings",
        fields: &[
            KEY,
            text(Std::Subject, "hs_meeting_title"),
            text(Std::Description, "hs_meeting_body"),
            text(Std::Location, "hs_meeting_location"),
            spec(Std::Start, "hs_meeting_start_time", 0),
            spec(Std::End, "hs_meeting_end_time", 0),
            OWNED_BY,
            spec(Std::Who, "associations.contacts", 0),
            WITH_COMPANY,
            spec(Std::Case, "associations.tickets", 0),
            spec(Std::Opportunity, "associations.deals", 0),
            DELETED,
            spec(Std::CreatedAt, "hs_createdate", 0),
        ],
    },
    // No object of its own: a contact who is associated with the meeting, or an owner whom the meeting names.
    RoleSpec {
        role: Role::Attendee,
        object: "meetings",
        fields: &[spec(Std::Meeting, "meetings", 0), spec(Std::Attends, "contacts", 0)],
    },
    RoleSpec {
        role: Role::User,
        object: OWNERS,
        fields: &[
            spec(Std::Email, "email", 0),
            spec(Std::FirstName, "firstName", 0),
            spec(Std::LastName, "lastName", 0),
            spec(Std::Active, "archived", 0),
        ],
    },
];

/// The numbers by which record ids tell what they are of, as they stand in the address of a record's page.
pub const TYPE_IDS: &[(&str, Role)] = &[
    ("0-1", Role::Contact),
    ("0-2", Role::Account),
    ("0-3", Role::Opportunity),
    ("0-5", Role::Case),
    ("0-47", Role::Meeting),
];

/// What an association between two kinds of records is called; where there is a first one, it makes the company the
/// record's primary one. <https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide>, read 2026-11.
pub const ASSOCIATIONS: &[(&str, &str, &[u32])] = &[
    ("contacts", "companies", &[1, 279]),
    ("deals", "companies", &[5, 341]),
    ("deals", "contacts", &[3]),
    ("meetings", "companies", &[188]),
    ("meetings", "contacts", &[200]),
    ("meetings", "deals", &[212]),
    ("meetings", "tickets", &[226]),
    ("tickets", "companies", &[26, 339]),
    ("tickets", "contacts", &[16]),
];

/// What a standard field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// One line.
    Line,
    /// An e-mail address: never cut, because a cut address is another address.
    Email,
    /// Several lines.
    Text,
    /// Several lines, as markup.
    Html,
    Bool,
    Decimal,
    /// A day, which HubSpot keeps as its midnight by UTC.
    Day,
    Time,
    /// One of the account's people.
    Owner,
    /// The record itself, by its bare number.
    Number(Role),
    /// No property: the other record is associated.
    Tie,
}

/// What the field holds.
pub fn holds(role: Role, field: Std) -> Holds {
    match (role, field) {
        (Role::Meeting, Std::Description) => Holds::Html,
        (_, Std::Description | Std::OtherEmails) => Holds::Text,
        (_, Std::Email) => Holds::Email,
        (_, Std::Active | Std::Deleted) => Holds::Bool,
        (_, Std::Amount) => Holds::Decimal,
        (_, Std::CloseDate) => Holds::Day,
        (_, Std::Start | Std::End | Std::CreatedAt) => Holds::Time,
        (_, Std::Owner) => Holds::Owner,
        (Role::Contact, Std::Account) => Holds::Number(Role::Account),
        (_, Std::Account | Std::Contact | Std::Case | Std::Opportunity | Std::Who | Std::Meeting | Std::Attends) => {
            Holds::Tie
        }
        (_, Std::MergedInto) => Holds::Tie,
        _ => Holds::Line,
    }
}

/// The object whose record the field refers to.
pub fn refers_to(role: Role, field: Std) -> Option<&'static str> {
    match (role, field) {
        (Role::Contact | Role::Case | Role::Opportunity | Role::Meeting, Std::Account) => Some("companies"),
        (Role::Case | Role::Opportunity, Std::Contact) | (Role::Meeting, Std::Who) => Some("contacts"),
        (Role::Meeting, Std::Case) => Some("tickets"),
        (Role::Meeting, Std::Opportunity) => Some("deals"),
        _ => None,
    }
}

/// Whether HubSpot alone sets the field.
pub fn read_only(role: Role, field: Std) -> bool {
    matches!(field, Std::CreatedAt | Std::Deleted | Std::MergedInto | Std::OtherEmails) || role == Role::User
}
