//! The facet of a CRM: look up many records in few calls, write many bookings' graphs in few calls.

use std::time::Duration;

use jiff::Timestamp;
use syncline_core::{
    description::ObjectDescription,
    ids::{ObjectName, RecordId},
    record::{Field, Record, Role, Slot, Std},
    step::Plan,
};
use url::Url;

use crate::{BoxFuture, Cx, Error, ErrorKind, Retry};

/// Reads and writes records. Every method makes as few calls as the vendor allows and says how many it made.
/// A connector never sleeps, retries, refreshes, stores or logs.
pub trait Records: Send + Sync {
    /// Answers all questions, position by position. Any failure fails the whole: a missing answer is never "absent".
    fn find<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        finds: &'a [Find],
    ) -> BoxFuture<'a, Result<Answered<Vec<Vec<Record>>>, Error>>;

    /// Writes the plans, outcome by position. `Err` only where nothing was sent or the first call was refused as a whole.
    /// A vendor that cannot do all of a plan or nothing says of one that was done in part what it says of one whose
    /// answer never came: [`GraphOutcome::Unknown`], with the error that stopped it.
    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        plans: &'a [&'a Plan],
    ) -> BoxFuture<'a, Result<Answered<Vec<GraphOutcome>>, Error>>;

    /// How many of these plans, from the first on, one call carries: at least one.
    fn fits(&self, plans: &[&Plan]) -> usize;

    /// The value as the vendor will hold it (cut to its length, rounded to its resolution), so that an image of what
    /// we wrote equals what we would read back.
    fn normalise(&self, role: Role, field: &Field, value: syncline_core::record::Value)
    -> syncline_core::record::Value;

    /// Where people see a record in a browser, in the account that answers at `home`; nothing where that cannot be said.
    fn page(&self, _home: &Url, _id: &RecordId) -> Option<Url> {
        None
    }

    /// Whether whom a meeting is with has a place there like everybody else who attends, which stays when the meeting is
    /// with somebody else. A plan then has that place deleted by the id of the person.
    fn seats_everybody(&self) -> bool {
        false
    }

    /// What role a record id plays, judged by its form alone; `None` for anything that cannot be an id of ours.
    /// The id comes back in its canonical form.
    fn identify(&self, id: &str) -> Option<(Role, RecordId)>;

    /// Our name of a field that the vendor names: [`Field::Native`] where the roles do not share it.
    fn field(&self, _role: Role, name: &str) -> Field {
        Field::Native(name.to_owned())
    }

    /// Records of a role that were made or changed at this time or later, the oldest change first. What is deleted or
    /// archived is left out. One page, by as few calls as the vendor allows. A page that is not the last goes on from the
    /// time of its last row: rows of one instant are never cut in two, and that time is later than the one asked for.
    fn recent<'a>(
        &'a self,
        _cx: &'a Cx<'a>,
        role: Role,
        _since: Timestamp,
    ) -> BoxFuture<'a, Result<Answered<Recent>, Error>> {
        Box::pin(std::future::ready(Err(untold(role))))
    }

    /// How long a change may stay unseen by [`Records::recent`]: whoever asks looks back by as much.
    fn recent_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// The field of a meeting by which the vendor itself tells how it stands, with its words; `None` where an admin has to
    /// make one.
    fn standing(&self) -> Option<&'static Standing> {
        None
    }

    /// Describes objects, position by position; `None` where the account has no such object, or none that this user may
    /// see.
    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        objects: &'a [Object],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>>;

    /// Looks through the account before anything is written to it, line by line. Whether it has the fields that are
    /// mapped is not asked here.
    fn examine<'a>(&'a self, cx: &'a Cx<'a>, uses: &'a Uses) -> BoxFuture<'a, Result<Answered<Vec<Remark>>, Error>>;

    /// What [`Records::examine`] finds that has to be mended.
    fn check<'a>(&'a self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Answered<Vec<Finding>>, Error>> {
        Box::pin(async move {
            let Answered { value, calls, usage } = self.examine(cx, &Uses::default()).await?;
            let lacks = value.into_iter().filter_map(|remark| match remark {
                Remark::Lacks(finding) => Some(finding),
                Remark::Good(_) | Remark::Note(_) => None,
            });
            Ok(Answered { value: lacks.collect(), calls, usage })
        })
    }
}

/// What [`Records::recent`] says of a role whose changes the vendor does not tell.
pub fn untold(role: Role) -> Error {
    let message = format!("the CRM does not tell what changed among its records of the role `{}`", role.as_str());
    Error::new(ErrorKind::Configuration, Retry::Never, "recent", message)
}

/// What changed of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// Ids with the time of the last change, the oldest first; each record once.
    pub changed: Vec<(RecordId, Timestamp)>,
    /// Whether there is more, from the time of the last of these on.
    pub more: bool,
}

/// What the mappings make of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// The objects of further records.
    pub further: Vec<ObjectName>,
    /// Fields, by the vendor's own names, that a mapping fills whenever a record of the object is made.
    pub filled: Vec<(Object, String)>,
}

impl Uses {
    /// Whether a mapping fills this field of every new record of the object that plays this role.
    pub fn fills(&self, role: Role, object: &str, name: &str) -> bool {
        let meant = |on: &Object| match on {
            Object::Of(filled) => *filled == role,
            Object::Named(filled) => filled.as_str().eq_ignore_ascii_case(object),
        };
        self.filled.iter().any(|(on, filled)| meant(on) && filled.eq_ignore_ascii_case(name))
    }
}

/// Records of one role that match any of the criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    pub role: Role,
    /// The object, where the role alone does not tell it ([`Role::Custom`]).
    pub object: Option<ObjectName>,
    pub any: Vec<Wanted>,
    /// The fields to bring along; the id always comes.
    pub fields: Vec<Field>,
}

impl Find {
    /// Records of a role that has one object.
    pub fn new(role: Role, any: Vec<Wanted>, fields: Vec<Field>) -> Self {
        Self { role, object: None, any, fields }
    }
}

/// An object to describe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The one that plays this role.
    Of(Role),
    Named(ObjectName),
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Ids(Vec<RecordId>),
    /// As [`Wanted::Ids`], and also those that were deleted or merged away, with [`Std::Deleted`] and
    /// [`Std::MergedInto`]. Stands alone in its [`Find`].
    Traces(Vec<RecordId>),
    /// A standard text field equals one of the values, as the vendor compares text.
    Is(Std, Vec<String>),
    /// The e-mail address lies in one of the domains.
    EmailDomain(Vec<String>),
}

/// A field of the vendor's own for how a meeting stands, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub field: &'static str,
    pub booked: &'static str,
    pub rescheduled: &'static str,
    pub cancelled: &'static str,
    pub no_show: &'static str,
}

/// An answer with what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    pub value: T,
    /// Calls that the vendor counts.
    pub calls: u32,
    /// The account's daily use, where the answer told.
    pub usage: Option<Usage>,
}

/// How much of the day's calls is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub used: u64,
    pub max: u64,
}

/// What became of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphOutcome {
    /// All steps are done; per slot the record's id.
    Done(Vec<(Slot, RecordId)>),
    /// Nothing of it was done.
    Refused(Error),
    /// Some of it was done, or nobody knows: look before repeating.
    Unknown(Error),
}

/// Something that stands in the way, for the person who sets it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub problem: String,
    pub fix: String,
    /// Whether the flow cannot work at all until it is mended.
    pub blocking: bool,
}

/// One line of a thorough check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// In order.
    Good(String),
    /// Worth knowing: what follows from how the account is set up, or what could not be looked at.
    Note(String),
    Lacks(Finding),
}
