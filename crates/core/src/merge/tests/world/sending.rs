//! What becomes of planned writes: they are sent, lost, refused, or answered; what is written is checked.

use super::*;

impl World {
    /// Sends the first step of every link.
    pub fn push_all(&mut self, fault: impl Fn(usize) -> Fault) {
        let open: Vec<usize> = self.links.iter().filter(|(_, l)| !l.steps.is_empty()).map(|(id, _)| *id).collect();
        for (place, id) in open.into_iter().enumerate() {
            while let Some(step) = self.links.get(&id).and_then(|link| link.steps.first().cloned()) {
                let fault = fault(place);
                if fault == Fault::Crash {
                    break;
                }
                self.links.get_mut(&id).expect("it is there").steps.remove(0);
                self.send(id, step, fault);
            }
            self.rested(id);
        }
    }

    pub(super) fn look_again(&mut self, id: usize, side: Side) {
        let link = self.links.get_mut(&id).expect("it is there");
        link.planned.clear();
        let ends = link.ends.clone();
        // What was done of the plan before is read, too.
        for side in [side, side.other()] {
            if let Some(record) = &ends[at(side)] {
                self.read(side, record);
            }
        }
    }

    pub(super) fn send(&mut self, id: usize, step: Step, fault: Fault) {
        self.unknowns += usize::from(fault != Fault::None);
        match &step.op {
            Op::Delete(record) => {
                if fault != Fault::Lost {
                    self.end(step.side, record, Fate::Deleted);
                }
                if fault == Fault::None {
                    self.entries.get_mut(&(step.side, record.clone())).expect("read").fate = Fate::Deleted;
                    self.drop_link(id);
                } else {
                    self.look_again(id, step.side);
                }
            }
            Op::Create { pair } => self.send_create(id, *pair, &step, fault),
            Op::Update(record) => self.send_update(id, record, &step, fault),
        }
    }

    fn send_create(&mut self, id: usize, pair: usize, step: &Step, fault: Fault) {
        let origin = self.links[&id].origin.clone();
        let known = self.sides[at(step.side)].records.iter().find(|(_, r)| r.made_for.as_ref() == Some(&origin));
        let made = match known.map(|(record, _)| record.clone()) {
            Some(record) => Some(record),
            None if fault == Fault::Lost => None,
            None => Some(self.make(id, pair, step, &origin)),
        };
        let Some(record) = made else {
            let side = step.side.other();
            self.look_again(id, side);
            return;
        };
        // Found by our own key, whatever was heard of it.
        let link = self.links.get_mut(&id).expect("it is there");
        link.ends[at(step.side)] = Some(record.clone());
        link.images = step.changes.iter().map(|change| (change.key, change.after.clone())).collect();
        self.read(step.side, &record);
        self.entries.get_mut(&(step.side, record)).expect("just read").link = Some(id);
    }

    fn make(&mut self, id: usize, pair: usize, step: &Step, origin: &str) -> RecordId {
        *self.log.made.entry(origin.to_owned()).or_default() += 1;
        let kind = if step.side == Side::Right { "person" } else { ["contact", "lead"][pair] };
        let mut values: Row = self.rules().iter().map(|rule| (rule.key, Value::Null)).collect();
        values.insert(key_of("out"), Value::Bool(false));
        for change in &step.changes {
            let kept = self.kept(step.side, change.key, &change.target);
            self.count(id, change, &kept);
            values.insert(change.key, kept);
        }
        let key = values[&key_of("email")].as_text().map(str::to_owned);
        let account = &mut self.sides[at(step.side)];
        let stamp = account.tick();
        let record = RecordId::new(format!("made-{origin}"));
        let rec = Rec { kind, values, stamp, fate: Fate::Live, key, made_for: Some(origin.to_owned()) };
        account.records.insert(record.clone(), rec);
        record
    }

    fn count(&mut self, id: usize, change: &Change, kept: &Value) {
        *self.log.writes.entry((id, change.key)).or_default() += 1;
        *self.log.rewritten.entry((id, change.key)).or_default() += usize::from(*kept != change.target);
        for side in Side::BOTH {
            self.log.carried.insert((id, change.key, side, spelled(change.after.of(side))));
        }
    }

    fn send_update(&mut self, id: usize, record: &RecordId, step: &Step, fault: Fault) {
        let side = step.side;
        let account = &self.sides[at(side)];
        let rec = &account.records[record];
        let shown = account.shown(rec);
        // Looked at just before: what changed meanwhile is decided about anew.
        if rec.fate != Fate::Live || step.changes.iter().any(|change| shown.get(&change.key) != change.seen.as_ref()) {
            self.look_again(id, side);
            return;
        }
        for change in &step.changes {
            self.check_write(side, change);
        }
        if fault == Fault::Lost {
            self.look_again(id, side);
            return;
        }
        let mut done = Vec::new();
        for change in &step.changes {
            if change.target == Value::text("bad") {
                let sent = (record.clone(), change.key, spelled(&change.target));
                let before = self.log.refused.insert(sent) || fault != Fault::None;
                assert!(before, "inv:15: what was refused is sent again: {change:?}");
                let digest = (change.key, payload_digest(side, change.key, &change.target));
                if fault == Fault::None {
                    self.links.get_mut(&id).expect("it is there").refused.push(digest);
                } else {
                    self.log.refused.remove(&(record.clone(), change.key, spelled(&change.target)));
                }
                continue;
            }
            done.push(change.clone());
        }
        if !done.is_empty() {
            let stamp = self.sides[at(side)].tick();
            for change in &done {
                let kept = self.kept(side, change.key, &change.target);
                self.count(id, change, &kept);
                let rec = self.sides[at(side)].records.get_mut(record).expect("it is there");
                rec.values.insert(change.key, kept);
                (rec.stamp, rec.key) = (stamp, rec.values[&key_of("email")].as_text().map(str::to_owned));
            }
        }
        if fault != Fault::None {
            self.look_again(id, side);
            return;
        }
        self.acknowledge(id, side, record, &step.changes, &done);
    }

    fn acknowledge(&mut self, id: usize, side: Side, record: &RecordId, all: &[Change], done: &[Change]) {
        let link = self.links.get_mut(&id).expect("it is there");
        let entry = self.entries.get_mut(&(side, record.clone())).expect("it was read");
        let images = || link.images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect::<Row>();
        let row = entry.row.get_or_insert_with(images);
        for change in done {
            row.insert(change.key, change.target.clone());
            if let Some((waiting, after)) = link.planned.get_mut(&change.key) {
                *waiting -= 1;
                if *waiting == 0 {
                    link.images.insert(change.key, after.clone());
                    link.planned.remove(&change.key);
                    link.decided.retain(|(key, _)| *key != change.key);
                }
            }
        }
        if done.len() < all.len() {
            link.planned.clear();
            entry.due = true;
        }
    }

    fn check_write(&self, side: Side, change: &Change) {
        let rule = self.rule(change.key);
        let end = rule.end(side);
        assert!(rule.goes_to(side), "inv:8: {} may not be written on {side:?}", end.field);
        assert!(!self.sides[at(side)].hidden.contains(&change.key), "inv:9: hidden {} is written", end.field);
        assert_ne!(Some(&change.target), change.seen.as_ref(), "inv:8: {} is written as it is", end.field);
        assert!(change.target != Value::Null || end.shape.nillable, "inv:8: {} is emptied", end.field);
        if let (Value::Text(text), Some(length)) = (&change.target, end.shape.length) {
            assert!(text.chars().count() <= length as usize, "inv:8: {text:?} is too long for {}", end.field);
        }
        if rule.kind == Kind::OptOut {
            assert_eq!(change.target, Value::Bool(true), "inv:12: somebody is signed up again");
        }
    }
}
