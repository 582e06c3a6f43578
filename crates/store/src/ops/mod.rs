//! The operations: each file holds some of the store's calls with their statements. Every statement names the
//! workspace, save those that look across all of them for work, which say so.

mod alerts;
mod api_tokens;
mod calendars;
mod claim;
mod connections;
mod due;
mod fold;
mod intake;
mod journal;
mod known;
mod leases;
mod merge;
mod oauth;
mod person;
mod plan;
mod polls;
mod raw;
mod reading;
mod records;
mod reread;
mod settings;
mod settle;
mod shared;
mod sweep;
mod templates;

#[cfg(test)]
pub(crate) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static crate::db::Sql)> {
    [
        alerts::STATEMENTS,
        api_tokens::STATEMENTS,
        calendars::STATEMENTS,
        calendars::crm::STATEMENTS,
        calendars::mails::STATEMENTS,
        calendars::meetings::STATEMENTS,
        calendars::watches::STATEMENTS,
        claim::STATEMENTS,
        connections::STATEMENTS,
        due::STATEMENTS,
        fold::STATEMENTS,
        intake::STATEMENTS,
        journal::STATEMENTS,
        known::STATEMENTS,
        leases::STATEMENTS,
        merge::STATEMENTS,
        oauth::STATEMENTS,
        plan::STATEMENTS,
        polls::STATEMENTS,
        raw::STATEMENTS,
        reading::STATEMENTS,
        reread::STATEMENTS,
        settings::STATEMENTS,
        settle::STATEMENTS,
        shared::STATEMENTS,
        sweep::STATEMENTS,
        templates::STATEMENTS,
        crate::vault::rotation::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .chain(person::statements())
    .chain(records::statements())
}
