//! What the cells of a column may be, counted.

use chrono::{Datelike, NaiveDate};

use super::compact;
use crate::{
    grid::Cell,
    tables::{
        classes::{Class, Classes},
        dates::{Order, Short, Told},
        numbers::Currency,
    },
    texts::{TextId, Texts},
};

/// Texts that are named in a sentence about those that do not fit.
const EXAMPLES: usize = 3;

/// How many cells are what. A text may count as several things.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) numbers: u64,
    /// Of the numbers those that are no whole ones.
    pub(super) fractions: u64,
    pub(super) truths: u64,
    pub(super) moments: u64,
    pub(super) durations: u64,
    pub(super) errors: u64,
    pub(super) placeholders: u64,
    pub(super) texts: u64,
    /// Texts that are numbers with a point, and with a comma for the decimal point.
    pub(super) pointed: u64,
    pub(super) commaed: u64,
    /// Whether other columns have decimal commas.
    commas: bool,
    pub(super) percents: u64,
    pub(super) currencies: u64,
    /// Bits of the different currencies.
    pub(super) money: u8,
    pub(super) multiplied: u64,
    /// Texts that say what is counted, and bits of the different units.
    pub(super) counted: u64,
    pub(super) units: u32,
    /// Decimal commas that are no lists of two choices.
    sure_commas: u64,
    /// Digits that are no number: `007`.
    pub(super) codes: u64,
    pub(super) text_days: u64,
    pub(super) months: u64,
    pub(super) dotted_months: u64,
    pub(super) compact: u64,
    pub(super) compact_numbers: u64,
    pub(super) text_times: u64,
    pub(super) text_truths: u64,
    pub(super) vocabularies: u8,
    pub(super) either: u64,
    pub(super) day_first: bool,
    pub(super) month_first: bool,
    pub(super) shorts: u64,
    pub(super) hyphened: u64,
    orders: Orders,
    /// Clocks of moments: the first one's, and whether others differ.
    pub(super) zone: Option<i16>,
    pub(super) zones_differ: bool,
    /// Texts that are no numbers, and no days.
    pub(super) no_numbers: Vec<TextId>,
    pub(super) no_days: Vec<TextId>,
}

/// Which orders of day, month and year fit all dates of two digits, and which years each of them would mean.
#[derive(Default)]
struct Orders {
    wrong: [bool; 3],
    years: [u128; 3],
}

impl Orders {
    fn see(&mut self, short: Short) {
        for ((order, wrong), years) in Order::ALL.iter().zip(&mut self.wrong).zip(&mut self.years) {
            match short.day(*order) {
                Some(day) => *years |= 1 << day.year().rem_euclid(100),
                None => *wrong = true,
            }
        }
    }

    // The one that means the fewest different years: a table is of one year or a few, and days differ. Of equals the first.
    fn best(&self, preferred: Order) -> Option<Order> {
        let fits = Order::ALL.iter().zip(self.wrong).zip(self.years).filter(|((_, wrong), _)| !wrong);
        fits.min_by_key(|((order, _), years)| (years.count_ones(), **order != preferred)).map(|((order, _), _)| *order)
    }
}

impl Counts {
    pub(super) fn of(cells: &[Cell], commas: bool, classes: &mut Classes, texts: &Texts) -> Self {
        let mut counts = Self { commas, ..Self::default() };
        for &cell in cells {
            match cell {
                Cell::Empty => {}
                Cell::Number(number) | Cell::Written(number, _) => {
                    counts.numbers += 1;
                    counts.fractions += u64::from(number.fract() != 0.0);
                    counts.compact_numbers += u64::from(compact(number).is_some());
                }
                Cell::Bool(_) => counts.truths += 1,
                Cell::Moment(_) => counts.moments += 1,
                Cell::Duration(_) => counts.durations += 1,
                Cell::Error(_) => counts.errors += 1,
                Cell::Text(id) => {
                    let class = classes.of(texts, id);
                    if class.placeholder {
                        counts.placeholders += 1;
                    } else if !class.blank {
                        counts.text(&class, id);
                    }
                }
            }
        }
        counts
    }

    fn text(&mut self, class: &Class, id: TextId) {
        self.texts += 1;
        self.codes += u64::from(class.code);
        if let Some(number) = class.number {
            self.pointed += u64::from(number.pointed);
            self.commaed += u64::from(!number.comma.is_nan());
            self.percents += u64::from(number.percent);
            self.currencies += u64::from(number.currency.is_some());
            self.money |= number.currency.map_or(0, Currency::bit);
            self.multiplied += u64::from(number.multiplied);
            self.counted += u64::from(number.unit > 0);
            self.units |= if number.unit > 0 { 1 << number.unit } else { 0 };
            self.sure_commas += u64::from(!number.pointed && number.long);
        } else {
            example(&mut self.no_numbers, id);
        }
        match class.told {
            Some(Told::Moment(_, _, ahead)) => {
                self.text_days += 1;
                let ahead = ahead.or((self.text_days > 1).then_some(self.zone).flatten());
                self.zones_differ |= self.text_days > 1 && self.zone != ahead;
                self.zone = self.zone.or(ahead);
            }
            Some(Told::Either(first, second, ..)) => {
                self.either += 1;
                self.day_first |= first > 12;
                self.month_first |= second > 12;
            }
            Some(Told::Short(short, _)) => {
                self.shorts += 1;
                self.hyphened += u64::from(short.hyphens);
                self.orders.see(short);
            }
            Some(Told::Month(_, dotted)) => {
                self.months += 1;
                self.dotted_months += u64::from(dotted);
            }
            Some(Told::Compact(_)) => self.compact += 1,
            Some(Told::Time(_)) => self.text_times += 1,
            None => {}
        }
        if !matches!(class.told, Some(Told::Moment(..) | Told::Either(..) | Told::Short(..))) {
            example(&mut self.no_days, id);
        }
        if let Some((_, vocabulary)) = class.truth {
            self.text_truths += 1;
            self.vocabularies |= 1 << vocabulary;
        }
    }

    /// Cells with a value of a type of their own.
    pub(super) fn typed(&self) -> u64 {
        self.numbers + self.truths + self.moments + self.durations
    }

    /// Texts that are days.
    pub(super) fn days(&self) -> u64 {
        self.text_days + self.either + self.shorts
    }

    /// The order of days of three short numbers; years come first where nothing else is known of a Korean column.
    pub(super) fn order(&self, is_korean: bool) -> Option<Order> {
        let first = is_korean || self.hyphened > 0;
        self.orders.best(if first { Order::Ymd } else { Order::Mdy })
    }

    /// Texts that are numbers: with a point for the decimal point, or all of them with a comma.
    pub(super) fn text_numbers(&self) -> (u64, bool) {
        let sure = self.sure_commas > 0 || self.commas;
        let with_commas = sure && self.commaed == self.texts && self.texts > 0 && self.fractions == 0;
        (if with_commas { self.commaed } else { self.pointed }, with_commas)
    }
}

fn example(examples: &mut Vec<TextId>, id: TextId) {
    if examples.len() < EXAMPLES && !examples.contains(&id) {
        examples.push(id);
    }
}

/// The first day of a month that is written as a number such as 202403.
pub(super) fn compact_month(number: f64) -> Option<NaiveDate> {
    if number.fract() != 0.0 || !(190_001.0..210_100.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of six digits")]
    let digits = number as u32;
    NaiveDate::from_ymd_opt(i32::try_from(digits / 100).ok()?, digits % 100, 1)
}
