//! What the engine of the small world does with what it reads: it decides, ties and plans.

use super::*;

impl World {
    /// Decides about everything that is due.
    pub fn decide_all(&mut self) {
        let mut due: Vec<(Side, RecordId)> =
            self.entries.iter().filter(|(_, entry)| entry.due).map(|(place, _)| place.clone()).collect();
        if self.backwards {
            due.reverse();
        }
        for place in due {
            // What is sought is looked at once more.
            for _ in 0..4 {
                if !self.decide_one(&place) {
                    break;
                }
            }
        }
    }

    pub(super) fn successor(&self, place: &(Side, RecordId)) -> Option<(Side, RecordId)> {
        let mut next = match &self.entries.get(place)?.fate {
            Fate::MergedInto(id) | Fate::ConvertedTo(id) => (place.0, id.clone()),
            _ => return None,
        };
        for _ in 0..8 {
            match self.entries.get(&next).map(|entry| &entry.fate) {
                Some(Fate::MergedInto(id) | Fate::ConvertedTo(id))
                    if self.entries.contains_key(&(next.0, id.clone())) =>
                {
                    next = (next.0, id.clone());
                }
                _ => break,
            }
        }
        self.entries.contains_key(&next).then_some(next)
    }

    /// Whether something was sought, so that it has to be looked at again.
    fn decide_one(&mut self, place: &(Side, RecordId)) -> bool {
        let Some(entry) = self.entries.get(place).filter(|entry| entry.due) else { return false };
        let link = entry.link.and_then(|link| self.links.get(&link));
        if link.is_some_and(|link| !link.steps.is_empty()) {
            return false;
        }
        let decision = {
            let known = |place: &'_ (Side, RecordId)| {
                let (place, entry) = self.entries.get_key_value(place)?;
                Some(Known {
                    side: place.0,
                    kind: entry.kind,
                    record: &place.1,
                    key: entry.key.as_deref(),
                    row: entry.row.as_ref(),
                    fate: &entry.fate,
                    changed_at: jiff::Timestamp::from_second(entry.stamp).ok(),
                })
            };
            let other = place.0.other();
            let partner = link.and_then(|link| link.ends[at(other)].clone()).and_then(|id| known(&(other, id)));
            let alike = |side: Side, unlinked: bool| -> Vec<Known<'_>> {
                let same = |candidate: &Entry| candidate.key.is_some() && candidate.key == entry.key;
                let all = self.entries.iter().filter(|((at, id), candidate)| {
                    *at == side && same(candidate) && !(unlinked && candidate.link.is_some()) && *id != place.1
                });
                all.filter_map(|(place, _)| known(place)).collect()
            };
            let (candidates, rivals) = (alike(other, true), alike(place.0, false));
            let next = self.successor(place).or_else(|| {
                let partner = link.and_then(|link| link.ends[at(other)].clone())?;
                self.successor(&(other, partner))
            });
            let successor = next.and_then(|next| {
                let record = known(&next)?;
                Some(Successor { record, linked: self.entries[&next].link.is_some() })
            });
            let tie = link.map(|link| Tie {
                pair: &link.pair,
                images: &link.images,
                refused: &link.refused,
                decided: &link.decided,
            });
            let record = known(place).expect("it is there");
            let occupied = entry.key.is_some()
                && self.entries.iter().any(|((at, id), known)| {
                    let mine = link.is_some_and(|link| link.ends.contains(&Some(id.clone())));
                    *at == other && known.link.is_some() && !mine && known.fate == Fate::Live && known.key == entry.key
                });
            let case = Case {
                record,
                tie,
                partner,
                candidates: &candidates,
                occupied,
                rivals: &rivals,
                detached: entry.detached,
                successor,
                since: None,
                counterparts: &Counterparts::default(),
            };
            match decide(&self.flow, &case) {
                Decision::Adopt { pair, candidate, merge } => {
                    let id = candidates[candidate].record.clone();
                    Done::Adopt(pair, id, merge)
                }
                Decision::Follow { pair, images } => {
                    let id = successor.expect("it was given").record.record.clone();
                    let moved = matches!(record.fate, Fate::MergedInto(_) | Fate::ConvertedTo(_));
                    let gone = if moved { place.0 } else { other };
                    Done::Follow(pair, gone, id, images)
                }
                other => Done::Other(other),
            }
        };
        let link = entry.link;
        self.entries.get_mut(place).expect("it is there").due = false;
        self.carry_out(place, link, decision)
    }

    fn carry_out(&mut self, place: &(Side, RecordId), link: Option<usize>, decision: Done) -> bool {
        let side = place.0;
        match decision {
            Done::Adopt(pair, id, merge) => {
                let link = link.unwrap_or_else(|| self.new_link(pair, place));
                let tie = self.links.get_mut(&link).expect("just made");
                tie.ends[at(side.other())] = Some(id.clone());
                let other = self.entries.get_mut(&(side.other(), id)).expect("a candidate");
                (other.link, other.detached, other.due) = (Some(link), false, false);
                self.entries.get_mut(place).expect("it is there").detached = false;
                *self.log.begun.entry(link).or_default() += 1;
                self.plan(link, merge);
            }
            Done::Follow(pair, gone, id, images) => {
                let link = link.expect("only links go on");
                let name = self.flow.pairs[pair].name.clone();
                let tie = self.links.get_mut(&link).expect("it is there");
                let before = tie.ends[at(gone)].replace(id.clone());
                let stays = gone.other();
                if let Some(id) = &tie.ends[at(stays)] {
                    let shown = || tie.images.iter().map(|(key, base)| (*key, base.of(stays).clone())).collect();
                    self.entries.get_mut(&(stays, id.clone())).expect("it was read").row.get_or_insert_with(shown);
                }
                (tie.pair, tie.images) = (name, images);
                if let Some(before) = before {
                    self.entries.get_mut(&(gone, before)).expect("it was read").link = None;
                }
                self.read(gone, &id);
                self.entries.get_mut(&(gone, id)).expect("just read").link = Some(link);
                *self.log.begun.entry(link).or_default() += 1;
            }
            Done::Other(Decision::Seek { record, .. }) => {
                let gone = [
                    Some((side, place.1.clone())),
                    link.and_then(|link| Some((side.other(), self.links[&link].ends[at(side.other())].clone()?))),
                ];
                for (side, _) in gone.into_iter().flatten() {
                    self.read(side, &record);
                }
                self.entries.get_mut(place).expect("it is there").due = true;
                return true;
            }
            Done::Other(Decision::Create { pair, to, first }) => {
                let link = link.unwrap_or_else(|| self.new_link(pair, place));
                *self.log.begun.entry(link).or_default() += 1;
                let tie = self.links.get_mut(&link).expect("just made");
                tie.holds = first.holds;
                tie.steps.push(Step { side: to, op: Op::Create { pair }, changes: first.values });
            }
            Done::Other(Decision::Merge { merge, .. }) => self.plan(link.expect("it is tied"), merge),
            Done::Other(Decision::Delete { to }) => {
                let link = self.links.get_mut(&link.expect("it is tied")).expect("it is there");
                let record = link.ends[at(to)].clone().expect("there is somebody to delete");
                link.steps.push(Step { side: to, op: Op::Delete(record), changes: Vec::new() });
            }
            Done::Other(Decision::Detach { note }) => {
                self.log.notes.push(note);
                self.drop_link(link.expect("it is tied"));
            }
            Done::Other(Decision::Hold(hold)) => self.log.notes.push(hold.reason),
            Done::Other(Decision::Rest { .. } | Decision::Adopt { .. } | Decision::Follow { .. }) => {}
        }
        false
    }

    fn new_link(&mut self, pair: usize, place: &(Side, RecordId)) -> usize {
        self.next += 1;
        let mut ends = [None, None];
        ends[at(place.0)] = Some(place.1.clone());
        let link = Link {
            pair: self.flow.pairs[pair].name.clone(),
            ends,
            images: Images::new(),
            refused: Vec::new(),
            decided: Vec::new(),
            steps: Vec::new(),
            planned: BTreeMap::new(),
            holds: Vec::new(),
            origin: format!("{}:{}", place.0.as_str(), place.1),
        };
        self.links.insert(self.next, link);
        self.entries.get_mut(place).expect("it is there").link = Some(self.next);
        self.next
    }

    pub(super) fn drop_link(&mut self, link: usize) {
        let Some(link) = self.links.remove(&link) else { return };
        for side in Side::BOTH {
            let Some(id) = &link.ends[at(side)] else { continue };
            // What was refused is remembered with the tie: a record that is tied anew is tried once more.
            self.log.refused.retain(|(record, _, _)| record != id);
            let entry = self.entries.get_mut(&(side, id.clone())).expect("it was read");
            (entry.link, entry.detached, entry.due) = (None, true, false);
            let images = || link.images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect();
            entry.row.get_or_insert_with(images);
            if let Some(key) = entry.key.clone() {
                self.wake(&key);
            }
        }
    }

    fn plan(&mut self, id: usize, merge: RowMerge) {
        for (key, conflict) in merge.conflicts {
            self.log.conflicts.push((id, key, conflict));
        }
        let link = self.links.get_mut(&id).expect("it is tied");
        for (key, base) in &merge.adopted {
            let rule = self.flow.pairs[0].rules.iter().find(|rule| rule.key == *key).expect("it has a rule");
            let same = |from: Side| {
                rule.end(from.other()).take(base.of(from), true).is_ok_and(|taken| taken == *base.of(from.other()))
            };
            if base.left == base.right || same(Side::Left) || same(Side::Right) {
                for side in Side::BOTH {
                    self.log.carried.insert((id, *key, side, spelled(base.of(side))));
                }
            }
        }
        link.images.extend(merge.adopted);
        link.holds = merge.holds;
        link.decided.retain(|(key, _)| !merge.settled.contains(key));
        for (side, changes) in [(Side::Left, merge.to_left), (Side::Right, merge.to_right)] {
            if changes.is_empty() {
                continue;
            }
            for change in &changes {
                link.planned.entry(change.key).or_insert_with(|| (0, change.after.clone())).0 += 1;
            }
            let record = link.ends[at(side)].clone().expect("both are there");
            link.steps.push(Step { side, op: Op::Update(record), changes });
        }
        self.rested(id);
    }

    /// Rows that are as the images say are not kept.
    pub(super) fn rested(&mut self, id: usize) {
        let Some(link) = self.links.get(&id).filter(|link| link.steps.is_empty()) else { return };
        for side in Side::BOTH {
            let Some(record) = &link.ends[at(side)] else { continue };
            let entry = self.entries.get_mut(&(side, record.clone())).expect("it was read");
            let same = entry.row.as_ref().is_some_and(|row| {
                row.len() == link.images.len()
                    && row.iter().all(|(key, value)| link.images.get(key).is_some_and(|base| base.of(side) == value))
            });
            if same {
                entry.row = None;
            }
        }
    }
}

enum Done {
    Adopt(usize, RecordId, RowMerge),
    Follow(usize, Side, RecordId, Images),
    Other(Decision),
}
