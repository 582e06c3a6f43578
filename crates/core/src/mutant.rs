//! Faults that the simulation puts into the product's own safety code, to show that it would find them. Without the
//! feature `mutants`, which no shipped build has, none of them can be chosen and nothing of them is left in the code.

/// A fault in the safety code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// The inbox does not recognise a delivery that it has.
    InboxForgets,
    /// Different deliveries are taken for the same one.
    DeliveriesConfused,
    /// A delivery is acknowledged although it could not be stored.
    AckBeforeCommit,
    /// A booking is free for others long before its holder is done.
    LeaseTooShort,
    /// A plan is sent without being written down.
    PlanUnwritten,
    /// A write whose outcome is unknown is repeated without a look.
    BlindRetry,
    /// A plan that was sent before a crash is forgotten.
    UnsettledIgnored,
    /// A write that may still arrive is looked for at once.
    LateIgnored,
    /// A look-up that failed counts as "nobody found".
    FailedLookIsAbsence,
    /// A write whose outcome is unknown counts as done.
    UnknownIsDone,
    /// A token is refreshed without the lease.
    RefreshUnlocked,
    /// A new token is used before it is stored, and then never.
    TokenUnstored,
    /// The journal is not written.
    JournalLost,
    /// Opting out is a value like any other.
    OptOutPlain,
    /// A record is deleted although it says what its counterpart was never told.
    EditsDeleted,
    /// What both sides agreed on moves when a write is planned, not when it is done.
    BaseOnSend,
    /// It is forgotten that a record was in step once and was let go.
    LettingGoForgotten,
    /// What a look finds written does not count as transferred.
    LookUncounted,
    /// What is about to be written is not read before.
    Unverified,
    /// What a whole reading of a calendar did not show is gone, and the calendar is not asked for it.
    UnconfirmedGone,
    /// A private event keeps its texts.
    PrivateShown,
    /// Whoever takes a meeting off the own calendar calls it off for all.
    GuestCallsOff,
    /// A record that a person deleted is made again.
    RemovalForgotten,
    /// A calendar whose vendor tells of changes is asked for none.
    ToldIsAll,
    /// The clocks of a series' zone never change.
    ClockUnchanged,
}

impl Mutant {
    /// Those that the simulation of records in step finds.
    pub const OF_RECORDS: [Mutant; 7] = [
        Mutant::UnknownIsDone,
        Mutant::OptOutPlain,
        Mutant::EditsDeleted,
        Mutant::BaseOnSend,
        Mutant::LettingGoForgotten,
        Mutant::LookUncounted,
        Mutant::Unverified,
    ];

    /// Those that the simulation of calendars finds.
    pub const OF_CALENDARS: [Mutant; 7] = [
        Mutant::UnknownIsDone,
        Mutant::UnconfirmedGone,
        Mutant::PrivateShown,
        Mutant::GuestCallsOff,
        Mutant::RemovalForgotten,
        Mutant::ToldIsAll,
        Mutant::ClockUnchanged,
    ];

    /// Those that the simulation of bookings finds.
    pub const ALL: [Mutant; 13] = [
        Mutant::InboxForgets,
        Mutant::DeliveriesConfused,
        Mutant::AckBeforeCommit,
        Mutant::LeaseTooShort,
        Mutant::PlanUnwritten,
        Mutant::BlindRetry,
        Mutant::UnsettledIgnored,
        Mutant::LateIgnored,
        Mutant::FailedLookIsAbsence,
        Mutant::UnknownIsDone,
        Mutant::RefreshUnlocked,
        Mutant::TokenUnstored,
        Mutant::JournalLost,
    ];
}

#[cfg(feature = "mutants")]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Chooses the mutant of this thread, or none.
#[cfg(feature = "mutants")]
pub fn choose(mutant: Option<Mutant>) {
    CHOSEN.set(mutant);
}

/// Whether this thread runs the mutant.
#[cfg(feature = "mutants")]
pub fn on(mutant: Mutant) -> bool {
    CHOSEN.get() == Some(mutant)
}

/// Whether this thread runs the mutant: never.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn on(_: Mutant) -> bool {
    false
}
