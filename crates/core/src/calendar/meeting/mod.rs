//! One meeting out of all its copies, and one record of it in the CRM: what the copies come to, what the record should
//! say, who changed what since both agreed, and what happens when one of them is gone.

mod alone;
mod attend;
mod back;
mod deletes;
mod fields;
mod invite;
mod letters;
mod people;
mod plan;
mod project;
mod settle;
mod several;
mod sweep;

pub use self::{
    alone::{Alone, NotAlone, alone},
    attend::{AttendeeRules, Company, merge_attendees},
    back::{BackRules, CrmSide, carried_back, edit_of, event_of, is_news, links_of},
    deletes::{CalendarDelete, CrmDelete, DeleteSettings, OnRecordDeleted, on_calendar_delete, on_crm_delete},
    fields::{Clash, FieldRules, MeetingMerge, merge_fields},
    invite::{CrmMeeting, NotInvited, is_significant, may_create},
    letters::{Letter, Word, declined, letters, words},
    people::{Person, find_person, questions},
    plan::{Decided, decide, decide_known, decide_removed},
    project::{Crm, MeetingSettings, Projected, ReplyWords, called_off, project, redacted, taken_over},
    settle::{meeting_of, settle},
    several::{Copy, Standing, United, unite},
    sweep::{Sweep, is_emptied, is_many, sweep},
};
