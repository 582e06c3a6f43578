//! Single promises, each as a small story; three accounts in a row; and what a mirror would show.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{ends, table::rule, world::*};
use crate::{
    description::FieldKind,
    ids::RecordId,
    merge::{
        Base, Blanks, Case, Conflict, Counterparts, Decision, Direction, Evidence, Fate, Flow, HoldKind, Images, Kind,
        Known, Merged, Pair, Policy, Row, Rule, Side, Successor, Tie, Told, WhenDeleted, decide, first_values,
        merge_field, merge_rows, payload_digest, row::merge_unrefused,
    },
    record::Value,
};

fn text(value: &str) -> Value {
    if value == "-" { Value::Null } else { Value::text(value) }
}

/// What each side makes of what it is given, and what it gets, until nothing is written any more.
fn bounces(rule: &Rule, quirks: [Quirk; 2]) -> Vec<String> {
    let mut base = Base::new(text("old"), text("old"));
    let (mut left, mut right) = (quirked(quirks[0], &text("New")), text("old"));
    let mut out = Vec::new();
    for _ in 0..9 {
        match merge_field(rule, Some(&base), Some(&left), Some(&right), Evidence::default()) {
            Merged::Keep => break,
            Merged::Adopt(next) => base = next,
            Merged::Leave { base: next, .. } => {
                out.push("both keep their own".to_owned());
                base = next;
            }
            Merged::Write { to_left, to_right, after, .. } => {
                if let Some(value) = to_left {
                    out.push(format!("left := {}", value.as_text().unwrap_or("-")));
                    left = quirked(quirks[0], &value);
                }
                if let Some(value) = to_right {
                    out.push(format!("right := {}", value.as_text().unwrap_or("-")));
                    right = quirked(quirks[1], &value);
                }
                base = after;
            }
            Merged::Hold(hold) => panic!("{}", hold.reason),
        }
    }
    out
}

/// inv:4: a value that a side rewrites without having said so goes back once; two that both do come to rest.
/// proves: R11, R22
#[test]
fn what_sides_rewrite_in_secret_comes_to_rest() {
    let plain = rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left));
    let restored = Rule { policy: Policy::PreferUnlessBlank(Side::Left), ..plain.clone() };
    let cases = [
        ("nobody", &plain, [Quirk::None, Quirk::None]),
        ("right", &plain, [Quirk::None, Quirk::Lower]),
        ("right, grows", &plain, [Quirk::None, Quirk::Grows]),
        ("both", &plain, [Quirk::Upper, Quirk::Lower]),
        ("both, grow", &plain, [Quirk::Grows, Quirk::Grows]),
        ("right, left preferred", &restored, [Quirk::None, Quirk::Lower]),
    ];
    let told = cases.map(|(name, rule, quirks)| format!("{name}: {}", bounces(rule, quirks).join(", ")));
    assert_snapshot!(told.join("\n"));
}

/// What people edit to and fro, each having seen what the other wrote, is never taken for that. proves: R11
#[test]
fn people_may_disagree_for_as_long_as_they_like() {
    let plain = rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left));
    let mut base = Base::new(text("a"), text("a"));
    for turn in 0..10 {
        let mine = if turn % 2 == 0 { ("b", "a") } else { ("a", "b") };
        let (left, right) = if turn % 2 == 0 { (mine.0, mine.1) } else { (mine.1, mine.0) };
        let merged = merge_field(&plain, Some(&base), Some(&text(left)), Some(&text(right)), Evidence::default());
        let Merged::Write { after, .. } = merged else { panic!("turn {turn}: {merged:?}") };
        // Both are seen to stand; where only one was read, nothing is proven.
        let assumed =
            Evidence { assumed: Some(if turn % 2 == 0 { Side::Right } else { Side::Left }), ..Evidence::default() };
        let seen = (after.left.clone(), after.right.clone());
        assert_eq!(merge_field(&plain, Some(&after), Some(&seen.0), Some(&seen.1), assumed), Merged::Keep);
        base = match merge_field(&plain, Some(&after), Some(&seen.0), Some(&seen.1), Evidence::default()) {
            Merged::Adopt(base) => base,
            Merged::Keep => after,
            other => panic!("turn {turn}: {other:?}"),
        };
    }
}

fn row(values: &[(&str, &str)]) -> Row {
    values.iter().map(|(name, value)| (key_of(name), text(value))).collect()
}

fn images(values: &[(&str, &str)]) -> Images {
    values.iter().map(|(name, value)| (key_of(name), Base::new(text(value), text(value)))).collect()
}

/// Street and city travel together: one side wins both. proves: R12
#[test]
fn fields_that_belong_together_have_one_winner() {
    let rules = rules(Policy::Prefer(Side::Right), Blanks::Propagate, Direction::Both);
    let base = images(&[("street", "Main St 1"), ("city", "Bonn"), ("odd", "x")]);
    let left = row(&[("street", "Side St 2"), ("city", "Bonn"), ("odd", "y")]);
    let right = row(&[("street", "Main St 1"), ("city", "Köln"), ("odd", "x")]);
    let merge = merge_rows(&rules, None, &base, Pair { left: &left, right: &right }, |_| Evidence::default());
    let to_left: Vec<_> = merge.to_left.iter().map(|change| change.target.clone()).collect();
    assert_eq!(to_left, [text("Main St 1"), text("Köln")]);
    let to_right: Vec<_> = merge.to_right.iter().map(|change| change.key).collect();
    assert_eq!(to_right, [key_of("odd")]);
    assert_eq!(merge.conflicts.len(), 1, "what was lost is told: {:?}", merge.conflicts);
    let mut torn = rules;
    for rule in &mut torn {
        rule.policy = Policy::Manual;
    }
    let merge = merge_rows(&torn, None, &base, Pair { left: &left, right: &right }, |_| Evidence::default());
    assert_eq!(merge.holds.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key_of("street"), key_of("city")]);
}

/// What holds back one field of a group holds back the others, and nothing else. proves: R14
#[test]
fn a_group_goes_as_a_whole_or_not_at_all() {
    let mut rules = rules(Policy::Prefer(Side::Left), Blanks::Propagate, Direction::Both);
    let city = rules.iter_mut().find(|rule| rule.key == key_of("city")).expect("it is there");
    city.right.shape.length = Some(3);
    let base = images(&[("street", "a"), ("city", "b"), ("odd", "c")]);
    let left = row(&[("street", "A"), ("city", "too long"), ("odd", "C")]);
    let right = row(&[("street", "a"), ("city", "b"), ("odd", "c")]);
    let merge = merge_rows(&rules, None, &base, Pair { left: &left, right: &right }, |_| Evidence::default());
    assert_eq!(merge.to_right.iter().map(|change| change.key).collect::<Vec<_>>(), [key_of("odd")]);
    assert_eq!(merge.holds.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key_of("city"), key_of("street")]);
}

/// While anything of the primary side's record is pending, the other side's changes anywhere in it are taken back.
/// proves: R12
#[test]
fn record_by_record_the_primary_side_wins() {
    let rules = rules(Policy::Prefer(Side::Right), Blanks::Propagate, Direction::Both);
    let base = images(&[("odd", "a"), ("strict", "b")]);
    let right = row(&[("odd", "a"), ("strict", "B")]);
    let merge =
        |left: &Row| merge_rows(&rules, Some(Side::Left), &base, Pair { left, right: &right }, |_| Evidence::default());
    let pending = merge(&row(&[("odd", "A"), ("strict", "b")]));
    assert!(pending.to_left.is_empty());
    assert_eq!(pending.to_right.iter().map(|c| c.target.clone()).collect::<Vec<_>>(), [text("b"), text("A")]);
    let lost = Conflict { winner: Some(Side::Left), left: text("b"), right: text("B") };
    assert_eq!(pending.conflicts, [(key_of("strict"), lost)]);
    let resting = merge(&row(&[("odd", "a"), ("strict", "b")]));
    assert_eq!(resting.to_left.iter().map(|c| c.target.clone()).collect::<Vec<_>>(), [text("B")]);
}

/// What is held back of the primary side takes nothing back on the other: neither a value that does not fit, nor one that
/// goes together with such a one, nor one that was refused. proves: R12, R14
#[test]
fn what_is_held_back_undoes_nothing() {
    let mut rules = rules(Policy::Prefer(Side::Left), Blanks::Propagate, Direction::Both);
    let city = rules.iter_mut().find(|rule| rule.key == key_of("city")).expect("it is there");
    city.right.shape.length = Some(3);
    let base = images(&[("street", "a"), ("city", "b"), ("odd", "c"), ("strict", "d")]);
    let left = row(&[("street", "A"), ("city", "too long"), ("odd", "refused"), ("strict", "d")]);
    let right = row(&[("street", "a"), ("city", "b"), ("odd", "c"), ("strict", "edited")]);
    let now = Pair { left: &left, right: &right };
    let refused = [(key_of("odd"), payload_digest(Side::Right, key_of("odd"), &text("refused")))];
    let merge = merge_unrefused(&rules, Some(Side::Left), &base, now, &refused, |_| Evidence::default());
    assert_eq!(merge.to_left.iter().map(|change| change.target.clone()).collect::<Vec<_>>(), [text("edited")]);
    assert_eq!((merge.to_right.len(), merge.holds.len(), merge.conflicts.len()), (0, 3, 0), "{merge:?}");
    // As long as anything else of it goes over, the whole record does.
    let merge = merge_rows(&rules, Some(Side::Left), &base, now, |_| Evidence::default());
    assert_eq!((merge.to_left.len(), merge.conflicts.len()), (0, 1), "{merge:?}");
}

/// An opting out that the other side is to be told and cannot be, because its field cannot be written, is shown to a person,
/// whether or not both had agreed before; where the mapping goes one way it is not. proves: R14, R17
#[test]
fn an_opting_out_that_cannot_be_told_is_held_back() {
    let (out, r#in) = (Value::Bool(true), Value::Bool(false));
    for side in Side::BOTH {
        let mut rule = rule(Kind::OptOut, FieldKind::Boolean, Policy::Prefer(Side::Left));
        let end = if side == Side::Left { &mut rule.left } else { &mut rule.right };
        end.shape.updateable = false;
        let (left, right) = if side == Side::Left { (&r#in, &out) } else { (&out, &r#in) };
        for base in [None, Some(Base::new(r#in.clone(), r#in.clone()))] {
            let merged = merge_field(&rule, base.as_ref(), Some(left), Some(right), Evidence::default());
            let Merged::Hold(hold) = &merged else { panic!("{merged:?}") };
            assert_eq!((hold.kind, hold.to), (HoldKind::Misfit, Some(side)), "{hold:?}");
            let one_way = if side == Side::Left { Direction::ToRight } else { Direction::ToLeft };
            let rule = Rule { direction: one_way, ..rule.clone() };
            let merged = merge_field(&rule, base.as_ref(), Some(left), Some(right), Evidence::default());
            assert_eq!(merged, Merged::Keep);
        }
    }
}

/// A blank that is not carried over wins nothing, not even for the primary side: what the other wrote is brought over
/// rather than taken for agreed. proves: R12, R13
#[test]
fn a_blank_that_stays_does_not_swallow_an_edit() {
    let rules = rules(Policy::Prefer(Side::Left), Blanks::Ignore, Direction::Both);
    let base = images(&[("odd", "-"), ("strict", "b")]);
    let (left, right) = (row(&[("odd", "-"), ("strict", "B")]), row(&[("odd", "new"), ("strict", "b")]));
    let now = Pair { left: &left, right: &right };
    let merge = merge_rows(&rules, Some(Side::Left), &base, now, |_| Evidence::default());
    assert_eq!(merge.to_left.iter().map(|change| change.target.clone()).collect::<Vec<_>>(), [text("new")]);
    assert_eq!(merge.to_right.iter().map(|change| change.target.clone()).collect::<Vec<_>>(), [text("B")]);
}

/// A decision is carried out against blanks and policy, never against the direction, and is used up when both agree.
/// proves: R12, R21
#[test]
fn a_persons_decision_does_its_work_once() {
    let manual = rule(Kind::Plain, FieldKind::Text, Policy::Manual);
    let refusing = Rule { blanks: Blanks::Refuse, ..manual.clone() };
    let decided = |side: Side| Evidence { decided: Some(side), ..Evidence::default() };
    let base = Base::new(text("a"), text("a"));
    let merged = merge_field(&refusing, Some(&base), Some(&text("-")), Some(&text("b")), decided(Side::Left));
    assert!(matches!(&merged, Merged::Write { to_right: Some(Value::Null), conflict: Some(_), .. }), "{merged:?}");
    let mut read_only = manual.clone();
    read_only.right.shape.updateable = false;
    let merged = merge_field(&read_only, Some(&base), Some(&text("b")), Some(&text("a")), decided(Side::Left));
    assert_eq!(merged, Merged::Keep, "inv:8");
    let key = manual.key;
    let settled = |left: &str, right: &str| {
        let (left, right) = (Row::from([(key, text(left))]), Row::from([(key, text(right))]));
        let images = Images::from([(key, base.clone())]);
        merge_rows(std::slice::from_ref(&manual), None, &images, Pair { left: &left, right: &right }, |_| {
            decided(Side::Left)
        })
        .settled
    };
    assert_eq!(settled("a", "a"), [key], "there is nothing left to decide");
    assert_eq!(settled("b", "b"), [key]);
    assert!(settled("b", "c").is_empty(), "the write has to be done first");
}

/// Several entries may have one name on the other side. proves: R3
#[test]
fn entries_that_share_a_name_go_with_the_last_of_them() {
    let mut set = rule(Kind::Set, FieldKind::MultiPicklist, Policy::Prefer(Side::Left));
    set.right.options = [("Gold", "vip"), ("Silver", "vip")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    set.left.options = [("vip".to_owned(), "Gold".to_owned())].into();
    let check = |base: (&str, &str), left: &str, right: &str| {
        let base = Base::new(text(base.0), text(base.1));
        match merge_field(&set, Some(&base), Some(&text(left)), Some(&text(right)), Evidence::default()) {
            Merged::Write { to_left, to_right, .. } => format!("{to_left:?} {to_right:?}"),
            other => format!("{other:?}"),
        }
    };
    assert_snapshot!(
        [
            check(("Gold;Silver", "vip"), "Silver", "vip"),
            check(("Gold;Silver", "vip"), "-", "vip"),
            check(("Gold;Silver", "vip"), "Gold;Silver", "-"),
            check(("-", "-"), "Silver", "-"),
            check(("Silver", "vip"), "Silver", "new;vip"),
        ]
        .join("\n")
    );
}

/// inv:12: nobody who opted out is made on the other side without that being said. proves: R17
#[test]
fn opting_out_is_not_lost_when_a_record_is_made() {
    let mut rules = rules(Policy::Prefer(Side::Left), Blanks::Propagate, Direction::Both);
    let mut from = row(&[("name", "Ada"), ("email", "ada@x.example")]);
    from.insert(key_of("out"), Value::Bool(true));
    let first = first_values(&rules, Side::Right, &from).expect("it can be made");
    assert!(first.values.iter().any(|change| change.target == Value::Bool(true)));
    let out = rules.iter_mut().find(|rule| rule.kind == Kind::OptOut).expect("it is there");
    out.direction = Direction::ToLeft;
    assert_eq!(first_values(&rules, Side::Right, &from).expect_err("it is held").kind, HoldKind::OptIn);
}

/// The parts of a case, with a link between `l` and `r`.
struct Ends<'a> {
    fates: [Fate; 2],
    rows: [Option<Row>; 2],
    successor: Option<(&'a str, Fate, bool)>,
    partner: bool,
}

fn decided(flow: &Flow, told: &Ends<'_>) -> String {
    let ids = [RecordId::new("l"), RecordId::new("r")];
    let images = images(&[("name", "Ada"), ("odd", "x")]);
    let known = |side: Side| Known {
        side,
        kind: if side == Side::Left { "contact" } else { "person" },
        record: &ids[at(side)],
        key: Some("ada@x.example"),
        row: told.rows[at(side)].as_ref(),
        fate: &told.fates[at(side)],
        changed_at: None,
    };
    let next = told.successor.as_ref().map(|(id, _, _)| RecordId::new(*id));
    let successor = told.successor.as_ref().map(|(_, fate, linked)| Successor {
        record: Known {
            record: next.as_ref().expect("just made"),
            fate,
            row: told.rows[0].as_ref(),
            ..known(Side::Left)
        },
        linked: *linked,
    });
    let case = Case {
        record: known(Side::Left),
        tie: Some(Tie { pair: "contact", images: &images, refused: &[], decided: &[] }),
        partner: told.partner.then(|| known(Side::Right)),
        candidates: &[],
        occupied: false,
        rivals: &[],
        detached: false,
        successor,
        since: None,
        counterparts: &Counterparts::default(),
    };
    match decide(flow, &case) {
        Decision::Detach { note } => format!("detach: {note}"),
        Decision::Seek { record, .. } => format!("seek {record}"),
        Decision::Follow { images, .. } => format!("follow with {} images", images.len()),
        Decision::Delete { to } => format!("delete on the {}", to.as_str()),
        Decision::Create { to, .. } => format!("make on the {}", to.as_str()),
        Decision::Merge { merge, .. } => format!("merge, writes {}", merge.to_left.len() + merge.to_right.len()),
        other => format!("{other:?}"),
    }
}

/// Deletes and merges, with the counterpart deleted too where nothing is lost by it. proves: R16
#[test]
fn what_becomes_of_a_link_when_a_record_is_gone() {
    let merged = Fate::MergedInto(RecordId::new("l2"));
    let same = row(&[("name", "Ada"), ("odd", "x")]);
    let edited = row(&[("name", "Ada"), ("odd", "y")]);
    let blank = row(&[("name", "Ada"), ("odd", "-")]);
    let mut opted_out = same.clone();
    opted_out.insert(key_of("out"), Value::Bool(true));
    let case = |left: &Fate, right: &Fate, rows: [Option<&Row>; 2], successor| Ends {
        fates: [left.clone(), right.clone()],
        rows: rows.map(|row| row.cloned()),
        successor,
        partner: true,
    };
    let live = Fate::Live;
    let cases = [
        ("deleted", case(&Fate::Deleted, &live, [None, None], None)),
        ("deleted, the other edited", case(&Fate::Deleted, &live, [None, Some(&edited)], None)),
        ("deleted, the other opted out untold", case(&Fate::Deleted, &live, [None, Some(&opted_out)], None)),
        ("both deleted", case(&Fate::Deleted, &Fate::Missing, [None, None], None)),
        ("merged", case(&merged, &live, [None, None], None)),
        ("merged, known", case(&merged, &live, [Some(&same), None], Some(("l2", live.clone(), false)))),
        ("merged, lost a field", case(&merged, &live, [Some(&blank), None], Some(("l2", live.clone(), false)))),
        (
            "merged twice over",
            case(&merged, &live, [None, None], Some(("l2", Fate::MergedInto(RecordId::new("l3")), false))),
        ),
        ("merged into one with a counterpart", case(&merged, &live, [None, None], Some(("l2", live.clone(), true)))),
        ("… edited", case(&merged, &live, [None, Some(&edited)], Some(("l2", live.clone(), true)))),
        ("… opted out", case(&merged, &live, [None, Some(&opted_out)], Some(("l2", live.clone(), true)))),
        ("merged, the other deleted", case(&merged, &Fate::Deleted, [None, None], Some(("l2", live.clone(), false)))),
        ("merged, and that one deleted", case(&merged, &live, [None, None], Some(("l2", Fate::Deleted, false)))),
        ("never made", Ends { partner: false, ..case(&live, &live, [Some(&same), None], None) }),
        ("never made and deleted", Ends { partner: false, ..case(&Fate::Deleted, &live, [None, None], None) }),
    ];
    let rules = rules(Policy::Prefer(Side::Left), Blanks::Propagate, Direction::Both);
    let shown = [(WhenDeleted::Detach, false), (WhenDeleted::Delete, true)].map(|(deleted, create)| {
        let flow = flow(rules.clone(), deleted, create, None);
        let lines = cases.iter().map(|(name, told)| format!("{name}: {}", decided(&flow, told)));
        format!("{deleted:?}\n{}", lines.collect::<Vec<_>>().join("\n"))
    });
    assert_snapshot!(shown.join("\n\n"));
}

/// Two flows over one CRM account: what the first brings there the second carries on.
fn in_a_row(first: &mut World, second: &mut World) -> usize {
    for round in 0..20 {
        let writes = |world: &World| world.log.writes.values().sum::<usize>();
        let before = (writes(first), writes(second));
        first.calm();
        second.sides[0] = first.sides[0].clone();
        second.calm();
        first.sides[0] = second.sides[0].clone();
        if before == (writes(first), writes(second)) {
            return round;
        }
    }
    panic!("it does not come to rest");
}

fn chain(quirks: [Quirk; 3]) -> (World, World) {
    let rules = rules(Policy::Prefer(Side::Left), Blanks::Propagate, Direction::Both);
    let mut worlds = [quirks[1], quirks[2]].map(|quirk| {
        let mut world = World::new(flow(rules.clone(), WhenDeleted::Detach, true, None));
        world.sides[0].quirks.insert(key_of("odd"), quirks[0]);
        world.sides[1].quirks.insert(key_of("odd"), quirk);
        world.born(Side::Left, "contact", "l0", Some("ada@x.example"));
        world
    });
    let [first, second] = &mut worlds;
    in_a_row(first, second);
    worlds.into()
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    /// A change travels from one marketing tool through the CRM to the other and comes to rest, also where the CRM and
    /// one of the tools rewrite it in secret. (Where both tools do, each in its own way, every flow sees nothing but
    /// honest edits of the CRM; only what their connectors tell of their habits stops that.) proves: V6, R11
    #[test]
    fn a_change_travels_through_three_accounts(
        edits in prop::collection::vec((0..3_usize, 0..3_usize, 0..5_usize), 1..12),
        pauses in prop::collection::vec(any::<bool>(), 12),
        lossy in any::<bool>(),
        quirks in [0..5_usize, 0..5, 0..5],
    ) {
        let all = [Quirk::None, Quirk::Upper, Quirk::Lower, Quirk::Cut, Quirk::Grows];
        let mut quirks = if lossy { quirks.map(|place| all[place]) } else { [Quirk::None; 3] };
        if quirks[1] != Quirk::None {
            quirks[2] = Quirk::None;
        }
        let (mut first, mut second) = chain(quirks);
        let made = RecordId::new("made-left:l0");
        for ((who, field, value), pause) in edits.into_iter().zip(pauses) {
            let name = ["odd", "street", "short"][field];
            let value = text(["Aa", "bb", "-", "C", "dD"][value]);
            match who {
                0 => first.edit(Side::Right, &made, key_of(name), &value),
                1 => second.edit(Side::Right, &made, key_of(name), &value),
                _ => {
                    first.edit(Side::Left, &RecordId::new("l0"), key_of(name), &value);
                    second.sides[0] = first.sides[0].clone();
                }
            }
            if pause {
                in_a_row(&mut first, &mut second);
            }
        }
        in_a_row(&mut first, &mut second);
        prop_assert_eq!(in_a_row(&mut first, &mut second), 0);
        let crm = &first.sides[0].records[&RecordId::new("l0")].values;
        for world in [&first, &second] {
            let tool = &world.sides[1].records[&made].values;
            for name in ["street", "short", "odd"] {
                if name != "odd" || !lossy {
                    prop_assert_eq!(&tool[&key_of(name)], &crm[&key_of(name)], "{} differs", name);
                }
            }
        }
    }

    /// With the sides swapped, the swapped is done. proves: R11, R12
    #[test]
    fn a_mirror_shows_the_same(
        (left, right) in (ends::ends(), ends::ends()),
        kind in prop_oneof![3 => Just(Kind::Plain), 1 => Just(Kind::Set), 1 => Just(Kind::OptOut)],
        base in prop::option::of((ends::values(), ends::values(), prop::option::of(0..12_u8))),
        (now_left, now_right) in (ends::values(), ends::values()),
        settings in (0..6_u8, 0..4_u8, 0..3_u8, any::<bool>()),
        decided in 0..3_u8,
    ) {
        let mut plain = rule(kind, FieldKind::Text, Policy::Manual);
        (plain.left, plain.right) = (left, right);
        plain.policy = match settings.0 {
            0 => Policy::Prefer(Side::Left),
            1 => Policy::PreferUnlessBlank(Side::Right),
            2 => Policy::NonBlank(Side::Left),
            3 => Policy::Prefer(Side::Right),
            4 => Policy::Newest(Side::Left),
            _ => Policy::Manual,
        };
        plain.direction = [Direction::Both, Direction::ToLeft, Direction::ToRight, Direction::Off][settings.1 as usize];
        plain.blanks = [Blanks::Propagate, Blanks::Ignore, Blanks::Refuse][settings.2 as usize];
        plain.truncate = settings.3;
        let evidence = Evidence {
            decided: [None, Some(Side::Left), Some(Side::Right)][decided as usize],
            ..Evidence::default()
        };
        let base = base.map(|(left, right, code)| Base {
            left: plain.left.normal(&left).into_owned(),
            right: plain.right.normal(&right).into_owned(),
            told: code.map(|code| Told { left: code & 1 != 0, right: code & 2 != 0, turns: code >> 2 }),
        });
        let merged = merge_field(&plain, base.as_ref(), Some(&now_left), Some(&now_right), evidence);
        let swapped = merge_field(
            &mirrored(&plain),
            base.clone().map(swap_base).as_ref(),
            Some(&now_right),
            Some(&now_left),
            Evidence { decided: evidence.decided.map(Side::other), ..evidence },
        );
        prop_assert_eq!(summary(merged), summary(swap(swapped)));
    }
}

fn mirrored(rule: &Rule) -> Rule {
    let policy = match rule.policy {
        Policy::Prefer(side) => Policy::Prefer(side.other()),
        Policy::Newest(side) => Policy::Newest(side.other()),
        Policy::PreferUnlessBlank(side) => Policy::PreferUnlessBlank(side.other()),
        Policy::NonBlank(side) => Policy::NonBlank(side.other()),
        Policy::Manual => Policy::Manual,
    };
    let direction = match rule.direction {
        Direction::ToLeft => Direction::ToRight,
        Direction::ToRight => Direction::ToLeft,
        same @ (Direction::Both | Direction::Off) => same,
    };
    Rule { left: rule.right.clone(), right: rule.left.clone(), policy, direction, ..rule.clone() }
}

fn swap_base(base: Base) -> Base {
    let told = base.told.map(|told| Told { left: told.right, right: told.left, ..told });
    Base { left: base.right, right: base.left, told }
}

fn swap(merged: Merged) -> Merged {
    let turn = |conflict: Conflict| Conflict {
        winner: conflict.winner.map(Side::other),
        left: conflict.right,
        right: conflict.left,
    };
    match merged {
        Merged::Adopt(base) => Merged::Adopt(swap_base(base)),
        Merged::Write { to_left, to_right, after, conflict } => Merged::Write {
            to_left: to_right,
            to_right: to_left,
            after: swap_base(after),
            conflict: conflict.map(turn),
        },
        Merged::Leave { base, conflict } => Merged::Leave { base: swap_base(base), conflict: turn(conflict) },
        same @ (Merged::Keep | Merged::Hold(_)) => same,
    }
}

/// What is done, without the words; where neither side fits, whichever is named first is named.
fn summary(merged: Merged) -> String {
    match merged {
        Merged::Hold(_) => "hold".to_owned(),
        Merged::Leave { base, .. } => format!("leave {base:?}"),
        other => format!("{other:?}"),
    }
}
