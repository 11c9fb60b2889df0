//! Signs beside numbers, as the formats of cells show them.

/// Signs that numbers are shown with: a bit for each currency, one for percentages, one for none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs(u8);

impl Signs {
    /// None.
    pub const NONE: Self = Self(0);
    /// A percentage.
    pub const PERCENT: Self = Self(32);
    /// A number without any.
    pub const PLAIN: Self = Self(64);
    const CURRENCIES: u8 = 31;
    const BITS: &[(&str, u8)] = &[
        ("₩", 1),
        ("￦", 1),
        ("원", 1),
        ("KRW", 1),
        ("$", 2),
        ("USD", 2),
        ("€", 4),
        ("EUR", 4),
        ("£", 8),
        ("GBP", 8),
        ("¥", 16),
        ("￥", 16),
        ("%", 32),
    ];

    /// Those in a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Self::BITS.iter().filter(|(sign, _)| text.contains(sign)).fold(0, |bits, (_, bit)| bits | bit))
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A bit for each currency: 1 won, 2 dollar, 4 euro, 8 pound, 16 yen.
    #[must_use]
    pub fn currencies(self) -> u8 {
        self.0 & Self::CURRENCIES
    }

    /// Whether all numbers are percentages.
    #[must_use]
    pub fn are_percentages(self) -> bool {
        self == Self::PERCENT
    }
}
