//! The faults that a run may meet, by their ids, and how often each struck.

use std::fmt;

macro_rules! faults {
    ($($name:ident = $says:literal),* $(,)?) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $says] $name),*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Fault] = &[$(Fault::$name),*];

            /// Its id.
            pub fn id(self) -> &'static str {
                match self {
                    $(Fault::$name => stringify!($name)),*
                }
            }

            /// What happens.
            pub fn says(self) -> &'static str {
                match self {
                    $(Fault::$name => $says),*
                }
            }
        }
    };
}

faults! {
    C1 = "the process dies at a commit, before or after it",
    C2 = "the process dies at a call, before it leaves or after its answer",
    C3 = "the process dies again while it recovers",
    N1 = "the connection is refused",
    N2 = "the request is lost",
    N3 = "the request is applied and the answer lost",
    N4 = "the request is applied after its deadline",
    N5 = "the connection is reset in the answer's body",
    N6 = "the answer's body is cut",
    N9 = "the process cannot reach the database for a while",
    N10 = "the process cannot reach the CRM for a while",
    H1 = "429, with or without Retry-After, sensible or absurd",
    H2 = "503 for a while",
    H3 = "500 after the request was applied",
    H4 = "403: the day's calls are used up",
    H5 = "200 with refused records in it",
    H6 = "an HTML page as 200",
    H7 = "a redirect to another host",
    W1 = "a webhook comes twice",
    W2 = "webhooks come in another order",
    W3 = "a webhook comes hours late",
    W4 = "a webhook is lost",
    W5 = "a webhook is forged",
    W6 = "an old webhook is replayed as it was",
    W7 = "a webhook comes in a burst",
    W8 = "a signed body that cannot be read comes among the others",
    T1 = "the access token expires in mid-work",
    T2 = "several workers want a new token at once",
    T3 = "the answer with the new refresh token is lost",
    T4 = "the grant is revoked",
    K1 = "a process's clock jumps by an hour or a day",
    K2 = "the clocks of the processes differ",
    S4 = "a validation rule refuses records for a while",
    B2 = "a row is locked by another transaction",
    D1 = "the database is busy",
    D3 = "the database fails before the transaction",
    D6 = "the database fails after the commit, so that the caller cannot know",
    L1 = "another worker takes over what a paused one held",
    L2 = "a worker pauses for longer than its lease",
    L3 = "workers come back under the names that they had before",
    M1 = "values that the CRM stores in another form",
    E1 = "a person edits a record in the CRM",
    S1 = "a field is renamed for a while",
    S2 = "a field changes its type for a while",
    S3 = "a value is no longer offered for a while",
    M2 = "a person is merged into another record in the CRM",
    M3 = "a meeting, its person or what it is about is deleted in the CRM",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Which kinds may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultSet(u64);

impl FaultSet {
    pub const NONE: FaultSet = FaultSet(0);

    pub fn all() -> Self {
        Fault::ALL.iter().copied().collect()
    }

    pub fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u64) != 0
    }

    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u64)
    }

    #[must_use]
    pub fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u64))
    }

    /// Those in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in one or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| self.has(*fault))
    }

    /// Reads `C1,N3`, or the ids that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::NONE;
        for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            let fault = Fault::ALL.iter().find(|fault| fault.id().eq_ignore_ascii_case(id));
            set = set.with(*fault.ok_or_else(|| format!("there is no fault `{id}`"))?);
        }
        Ok(set)
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        faults.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.iter().map(Fault::id).collect();
        f.write_str(&ids.join(","))
    }
}

/// How often each kind struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired(Vec<u64>);

impl Default for Fired {
    fn default() -> Self {
        Self(vec![0; Fault::ALL.len()])
    }
}

impl Fired {
    pub fn add(&mut self, fault: Fault, times: u64) {
        self.0[fault as usize] += times;
    }

    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            *mine += others;
        }
    }
}
