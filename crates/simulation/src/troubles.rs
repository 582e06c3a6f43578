//! What people do that makes the product's work hard, by its name: a kind for each simulation that has people.

macro_rules! troubles {
    ($(#[$doc:meta])* $($name:ident = $id:literal $says:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Trouble {
            $(#[doc = $says] $name),*
        }

        impl Trouble {
            /// Every kind.
            pub const ALL: &'static [Trouble] = &[$(Trouble::$name),*];

            /// Its id.
            pub fn id(self) -> &'static str {
                match self {
                    $(Trouble::$name => $id),*
                }
            }

            /// What happens.
            pub fn says(self) -> &'static str {
                match self {
                    $(Trouble::$name => $says),*
                }
            }
        }

        impl std::fmt::Display for Trouble {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.id())
            }
        }
    };
}

pub(crate) use troubles;
