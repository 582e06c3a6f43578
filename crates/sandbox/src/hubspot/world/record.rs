//! One record: its values, what they were before, and who wrote them.

use super::super::schema::PropNo;

/// Former values that are kept of one property ("propertiesWithHistory": 20, of contacts 45; the smaller for all).
const MAX_PAST: usize = 20;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HubSpotWho {
    /// An app through the API, by its id.
    App(u64),
    /// A person in the browser, by the user's id.
    Person(u64),
    /// HubSpot itself, which fills in what follows from what others wrote.
    Vendor,
}

#[derive(Debug, Clone)]
pub(in super::super) struct Cell {
    pub(in super::super) prop: PropNo,
    pub(in super::super) value: Box<str>,
    pub(in super::super) at: i64,
    pub(in super::super) by: HubSpotWho,
}

#[derive(Debug, Clone)]
pub(in super::super) struct Record {
    pub(in super::super) id: u64,
    /// In the order of their properties' numbers.
    cells: Vec<Cell>,
    /// Former values, oldest first.
    past: Vec<Cell>,
    pub(in super::super) created: i64,
    pub(in super::super) updated: i64,
    pub(in super::super) archived: Option<i64>,
    /// Erased for good, or merged into another: nothing answers to it any more.
    pub(in super::super) gone: bool,
}

impl Record {
    pub(super) fn new(id: u64, at: i64) -> Self {
        Self { id, cells: Vec::new(), past: Vec::new(), created: at, updated: at, archived: None, gone: false }
    }

    pub(in super::super) fn live(&self) -> bool {
        self.archived.is_none() && !self.gone
    }

    fn place(&self, prop: PropNo) -> Result<usize, usize> {
        self.cells.binary_search_by_key(&prop, |cell| cell.prop)
    }

    /// The value, where there is one; a cleared property has none.
    pub(in super::super) fn get(&self, prop: PropNo) -> Option<&str> {
        let cell = &self.cells[self.place(prop).ok()?];
        (!cell.value.is_empty()).then_some(&*cell.value)
    }

    /// All properties with a value.
    pub(in super::super) fn values(&self) -> impl Iterator<Item = (PropNo, &str)> {
        self.cells.iter().filter(|cell| !cell.value.is_empty()).map(|cell| (cell.prop, &*cell.value))
    }

    /// The present value and the former ones, newest first.
    pub(in super::super) fn history(&self, prop: PropNo) -> impl Iterator<Item = &Cell> {
        let present = self.place(prop).ok().map(|place| &self.cells[place]);
        present.into_iter().chain(self.past.iter().rev().filter(move |cell| cell.prop == prop))
    }

    /// Answers whether this changed anything.
    pub(super) fn set(&mut self, prop: PropNo, value: &str, at: i64, by: HubSpotWho) -> bool {
        let cell = Cell { prop, value: value.into(), at, by };
        match self.place(prop) {
            Ok(place) if *self.cells[place].value == *value => false,
            Ok(place) => {
                let former = std::mem::replace(&mut self.cells[place], cell);
                if self.past.iter().filter(|past| past.prop == prop).count() + 1 >= MAX_PAST
                    && let Some(oldest) = self.past.iter().position(|past| past.prop == prop)
                {
                    self.past.remove(oldest);
                }
                self.past.push(former);
                true
            }
            Err(_) if value.is_empty() => false,
            Err(place) => {
                self.cells.insert(place, cell);
                true
            }
        }
    }

    /// Sets a value without remembering the former one: times of change would fill the history with nothing.
    pub(super) fn overwrite(&mut self, prop: PropNo, value: &str, at: i64) {
        let cell = Cell { prop, value: value.into(), at, by: HubSpotWho::Vendor };
        match self.place(prop) {
            Ok(place) => self.cells[place] = cell,
            Err(place) => self.cells.insert(place, cell),
        }
    }

    /// Forgets all values, when a person is erased.
    pub(super) fn forget(&mut self) {
        self.cells.clear();
        self.past.clear();
    }
}
