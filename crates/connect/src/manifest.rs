//! A vendor's facts as data: who it is, how one connects, which limits hold, which object plays which role.

use syncline_core::record::{Role, Std};

/// A vendor's facts, checked by the compiler and shown in documentation and console.
#[derive(Debug)]
pub struct Manifest {
    /// The name used in configuration and addresses: lower case.
    pub vendor: &'static str,
    pub display_name: &'static str,
    pub docs: &'static str,
    /// The exact OAuth scopes that we ask for; empty where OAuth is not used.
    pub scopes: &'static [&'static str],
    /// Settings that a connection may carry: name and what it is for.
    pub settings: &'static [(&'static str, &'static str)],
    /// Which object plays which role; empty for a booking source.
    pub roles: &'static [RoleSpec],
    /// What a webhook's sender retries on when we cannot take a message in.
    pub overload_status: u16,
    /// Whether an OAuth connection's hosts beside the configured one are acceptable, as domain suffixes.
    pub trusted_domains: &'static [&'static str],
}

/// The object that plays a role.
#[derive(Debug)]
pub struct RoleSpec {
    pub role: Role,
    pub object: &'static str,
    pub fields: &'static [FieldSpec],
}

/// A standard field in the vendor's words.
#[derive(Debug)]
pub struct FieldSpec {
    pub field: Std,
    pub name: &'static str,
    /// The vendor's limit in Unicode characters; 0 where the type has none.
    pub max_chars: usize,
}

impl Manifest {
    /// The object that plays the role here.
    pub fn role(&self, role: Role) -> Option<&'static RoleSpec> {
        self.roles.iter().find(|spec| spec.role == role)
    }
}

impl RoleSpec {
    /// The vendor's name and limit of a standard field.
    pub fn field(&self, field: Std) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|spec| spec.field == field)
    }
}
