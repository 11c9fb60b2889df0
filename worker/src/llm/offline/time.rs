//! Time expressions: years, months, quarters, days, "last year", "최근 3개월", and what joins two of them.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::{
    Refusal,
    lexer::{Lexeme, Sense, Unit},
    lexicon::{Bucket, Part, Relative, Word},
};

/// A half-open range of days, and the unit it was told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Period {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub unit: Bucket,
}

/// What a question asks of time: from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeFilter {
    pub start: Option<NaiveDate>,
    pub end: Option<NaiveDate>,
    /// Several periods were named side by side: one row for each.
    pub split: Option<Bucket>,
}

impl TimeFilter {
    /// Whether it restricts anything.
    pub fn is_set(&self) -> bool {
        self.start.is_some() || self.end.is_some()
    }
}

/// The first day of a month, `shift` months on.
fn first_of(year: i32, month: u32, shift: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, 1)?.checked_add_months(Months::new(shift))
}

fn months(year: i32, month: u32, count: u32, unit: Bucket) -> Option<Period> {
    Some(Period { start: first_of(year, month, 0)?, end: first_of(year, month, count)?, unit })
}

fn year_period(year: i32) -> Option<Period> {
    months(year, 1, 12, Bucket::Year)
}

fn part_period(year: i32, part: Part) -> Option<Period> {
    match part {
        Part::Quarter(quarter) => months(year, 3 * quarter - 2, 3, Bucket::Quarter),
        Part::Half(half) => months(year, 6 * half - 5, 6, Bucket::Month),
    }
}

fn days(start: NaiveDate, count: u64) -> Option<Period> {
    Some(Period { start, end: start.checked_add_days(Days::new(count))?, unit: Bucket::Day })
}

fn month_or_part(year: i32, sense: &Sense) -> Option<Period> {
    match sense {
        Sense::Month(month) => months(year, *month, 1, Bucket::Month),
        Sense::Part(part) => part_period(year, *part),
        _ => None,
    }
}

fn relative_period(relative: Relative, today: NaiveDate) -> Option<Period> {
    let year = today.year();
    let this_month = first_of(year, today.month(), 0)?;
    let this_quarter = first_of(year, today.month0() / 3 * 3 + 1, 0)?;
    let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
    let from = |start: NaiveDate, count: u32, unit: Bucket| months(start.year(), start.month(), count, unit);
    match relative {
        Relative::ThisYear => year_period(year),
        Relative::LastYear => year_period(year - 1),
        Relative::BeforeLastYear => year_period(year - 2),
        Relative::ThisMonth => from(this_month, 1, Bucket::Month),
        Relative::LastMonth => from(this_month.checked_sub_months(Months::new(1))?, 1, Bucket::Month),
        Relative::ThisQuarter => from(this_quarter, 3, Bucket::Quarter),
        Relative::LastQuarter => from(this_quarter.checked_sub_months(Months::new(3))?, 3, Bucket::Quarter),
        Relative::ThisWeek => days(monday, 7),
        Relative::LastWeek => days(monday.checked_sub_days(Days::new(7))?, 7),
        Relative::Today => days(today, 1),
        Relative::Yesterday => days(today.checked_sub_days(Days::new(1))?, 1),
        Relative::PastYear => last(today, 1, Bucket::Year),
    }
}

/// The last so many days, months …, today included.
fn last(today: NaiveDate, count: u32, unit: Bucket) -> Option<Period> {
    let start = match unit {
        Bucket::Day | Bucket::Weekday => today.checked_sub_days(Days::new(u64::from(count)))?,
        Bucket::Week => today.checked_sub_days(Days::new(7 * u64::from(count)))?,
        Bucket::Month => today.checked_sub_months(Months::new(count))?,
        Bucket::Quarter => today.checked_sub_months(Months::new(count.checked_mul(3)?))?,
        Bucket::Year => today.checked_sub_months(Months::new(count.checked_mul(12)?))?,
    };
    let unit = if unit == Bucket::Day { Bucket::Day } else { Bucket::Month };
    Some(Period { start, end: today.succ_opt()?, unit })
}

/// Takes the time expressions out of the lexemes.
///
/// # Errors
/// A date that does not exist, periods that don't join, a month without a year.
pub(super) fn read(lexemes: Vec<Lexeme<'_>>, today: NaiveDate) -> Result<(Vec<Lexeme<'_>>, TimeFilter), Refusal> {
    let mut lexemes = join_atoms(&years(lexemes), today)?;
    complete_months(&mut lexemes)?;
    let lexemes = without_unit_names(lexemes);
    let ranges: Vec<(usize, Period)> = lexemes
        .iter()
        .enumerate()
        .filter_map(|(at, lexeme)| if let Sense::Range(period) = lexeme.sense { Some((at, period)) } else { None })
        .collect();
    let Some((first, period)) = ranges.first().copied() else { return Ok((lexemes, TimeFilter::default())) };
    let mut dropped: Vec<usize> = ranges.iter().map(|(at, _)| *at).collect();
    let filter = if ranges.len() == 1 {
        one_period(&lexemes, first, period, &mut dropped)
    } else {
        several_periods(&lexemes, &ranges, &mut dropped)?
    };
    let kept = lexemes.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at)).map(|(_, lexeme)| lexeme).collect();
    Ok((kept, filter))
}

/// "the year 2024", "the month of March 2024" say the unit twice.
fn without_unit_names(lexemes: Vec<Lexeme<'_>>) -> Vec<Lexeme<'_>> {
    let names_next = |at: usize| match lexemes.get(at + 1).map(|next| &next.sense) {
        Some(Sense::Range(period)) => lexemes[at].sense == Sense::Unit(period.unit),
        _ => false,
    };
    let dropped: Vec<bool> = (0..lexemes.len()).map(names_next).collect();
    lexemes.into_iter().zip(dropped).filter(|(_, dropped)| !dropped).map(|(lexeme, _)| lexeme).collect()
}

fn word_at(lexemes: &[Lexeme<'_>], at: usize) -> Option<Word> {
    lexemes.get(at).and_then(Lexeme::word)
}

/// Four plain digits are a year unless something compares or ranks by them.
fn years(mut lexemes: Vec<Lexeme<'_>>) -> Vec<Lexeme<'_>> {
    for at in 0..lexemes.len() {
        let Some(year) = lexemes[at].number().filter(|number| number.maybe_year).and_then(|number| number.whole) else { continue };
        let ranks = |word: Option<Word>| matches!(word, Some(Word::Top | Word::Bottom | Word::Latest | Word::Oldest));
        let compares = |word: Option<Word>| word.is_some_and(Word::compares);
        let (before, after) = (word_at(&lexemes, at.wrapping_sub(1)), word_at(&lexemes, at + 1));
        if !ranks(before) && !compares(before) && !compares(after) {
            lexemes[at].sense = Sense::Year(year.cast_signed());
        }
    }
    // 1~3월: the first number is a month as well.
    for at in 0..lexemes.len() {
        let Some(number) = lexemes[at].number().filter(|number| number.unit == Unit::None).and_then(|number| number.whole) else {
            continue;
        };
        if word_at(&lexemes, at + 1) != Some(Word::To) {
            continue;
        }
        let numbered = lexemes.get(at + 2).filter(|lexeme| lexeme.text.starts_with(|c: char| c.is_ascii_digit()));
        lexemes[at].sense = match numbered.map(|lexeme| &lexeme.sense) {
            Some(Sense::Month(_)) if (1..=12).contains(&number) => Sense::Month(number),
            Some(Sense::Part(Part::Quarter(_))) if (1..=4).contains(&number) => Sense::Part(Part::Quarter(number)),
            _ => continue,
        };
    }
    lexemes
}

/// The year that a lexeme names.
fn year_of(lexeme: &Lexeme<'_>, today: NaiveDate) -> Option<i32> {
    match lexeme.sense {
        Sense::Year(year) => Some(year),
        Sense::Relative(Relative::ThisYear) => Some(today.year()),
        Sense::Relative(Relative::LastYear) => Some(today.year() - 1),
        Sense::Relative(Relative::BeforeLastYear) => Some(today.year() - 2),
        _ => None,
    }
}

/// Joins year and month, month and day … to one range each.
fn join_atoms<'a>(lexemes: &[Lexeme<'a>], today: NaiveDate) -> Result<Vec<Lexeme<'a>>, Refusal> {
    let mut joined = Vec::with_capacity(lexemes.len());
    let mut at = 0;
    let mut last: Option<Period> = None;
    while at < lexemes.len() {
        let found = atom(&lexemes[at..], today)?.or_else(|| day_after(&lexemes[at..], last?));
        last = found.map(|(period, _)| period).or(last);
        match found {
            Some((period, taken)) => {
                let text = lexemes[at..at + taken].iter().map(|lexeme| lexeme.text.as_str()).collect::<Vec<_>>().join(" ");
                joined.push(Lexeme::new(&text, Sense::Range(period)));
                at += taken;
            }
            None => {
                joined.push(lexemes[at].clone());
                at += 1;
            }
        }
    }
    Ok(joined)
}

/// A day that takes year (and month) of the one before it: "5월 5일부터 5월 10일까지", "5월 5일부터 10일까지".
fn day_after(rest: &[Lexeme<'_>], last: Period) -> Option<(Period, usize)> {
    let sense = |at: usize| rest.get(at).map(|lexeme| &lexeme.sense);
    let (month, day, taken) = match (sense(0), sense(1)) {
        (Some(Sense::Month(month)), Some(Sense::DayOfMonth(Some(day)))) => (*month, *day, 2),
        (Some(Sense::DayOfMonth(Some(day))), _) if last.unit == Bucket::Day => (last.start.month(), *day, 1),
        _ => return None,
    };
    let period = days(NaiveDate::from_ymd_opt(last.start.year(), month, day)?, 1)?;
    Some((period, taken))
}

/// The period at the start of `rest`, and how many lexemes it takes.
fn atom(rest: &[Lexeme<'_>], today: NaiveDate) -> Result<Option<(Period, usize)>, Refusal> {
    let sense = |at: usize| rest.get(at).map(|lexeme| &lexeme.sense);
    let year_at = |at: usize| rest.get(at).and_then(|lexeme| year_of(lexeme, today));
    let read = match (sense(0), sense(1), sense(2)) {
        (_, Some(Sense::Month(month)), Some(Sense::DayOfMonth(Some(day)))) if year_at(0).is_some() => {
            let date = year_at(0).and_then(|year| NaiveDate::from_ymd_opt(year, *month, *day));
            Some((date.and_then(|date| days(date, 1)), 3))
        }
        (_, Some(next @ (Sense::Month(_) | Sense::Part(_))), _) if year_at(0).is_some() => {
            Some((year_at(0).and_then(|year| month_or_part(year, next)), 2))
        }
        (Some(Sense::Month(month)), Some(Sense::Number(day)), Some(Sense::Year(year))) if day.whole.is_some_and(|day| day <= 31) => {
            let date = day.whole.and_then(|day| NaiveDate::from_ymd_opt(*year, *month, day));
            Some((date.and_then(|date| days(date, 1)), 3))
        }
        (Some(Sense::Month(month)), Some(Sense::Number(day)), Some(Sense::Word(Word::And)))
            if day.whole.is_some_and(|day| day <= 31) && rest[2].text == "," && matches!(sense(3), Some(Sense::Year(_))) =>
        {
            // March 15, 2024
            let date = year_at(3).and_then(|year| NaiveDate::from_ymd_opt(year, *month, day.whole?));
            Some((date.and_then(|date| days(date, 1)), 4))
        }
        (Some(first @ (Sense::Month(_) | Sense::Part(_))), _, _) if year_at(1).is_some() => {
            Some((year_at(1).and_then(|year| month_or_part(year, first)), 2))
        }
        (Some(Sense::Year(year)), ..) => Some((year_period(*year), 1)),
        (Some(Sense::YearMonth(year, month)), ..) => Some((months(*year, *month, 1, Bucket::Month), 1)),
        (Some(Sense::Day(date)), ..) => Some((days(*date, 1), 1)),
        (Some(Sense::Relative(relative)), ..) => Some((relative_period(*relative, today), 1)),
        (Some(Sense::Word(Word::Latest)), Some(Sense::Duration(count, unit)), _) => Some((ago(today, *count, *unit), 2)),
        (Some(Sense::Word(Word::Latest)), Some(Sense::DayOfMonth(count)), _) => Some((ago(today, *count, Bucket::Day), 2)),
        _ => None,
    };
    match read {
        None => Ok(None),
        Some((Some(period), taken)) => Ok(Some((period, taken))),
        Some((None, taken)) => {
            let text = rest.iter().take(taken).map(|lexeme| lexeme.text.as_str()).collect::<Vec<_>>().join(" ");
            Err(Refusal::BadDate(text))
        }
    }
}

fn ago(today: NaiveDate, count: Option<u32>, unit: Bucket) -> Option<Period> {
    let count = count.filter(|count| (1..=1200).contains(count))?;
    last(today, count, unit)
}

/// A month or quarter without a year takes the year of the nearest one that has it: "2024년 1월부터 3월까지".
fn complete_months(lexemes: &mut [Lexeme<'_>]) -> Result<(), Refusal> {
    for at in 0..lexemes.len() {
        let lexeme = &lexemes[at];
        match lexeme.sense {
            Sense::Month(_) | Sense::Part(_) => {
                let year = (0..at).rev().chain(at + 1..lexemes.len()).find_map(|near| match lexemes[near].sense {
                    Sense::Range(period) if matches!(period.unit, Bucket::Month | Bucket::Quarter) => Some(period.start.year()),
                    _ => None,
                });
                let year = year.ok_or_else(|| Refusal::WhichYear(written(lexeme)))?;
                let period = month_or_part(year, &lexeme.sense).ok_or_else(|| Refusal::BadDate(lexeme.text.clone()))?;
                lexemes[at].sense = Sense::Range(period);
            }
            Sense::Duration(..) | Sense::DayOfMonth(_) => return Err(Refusal::Unknown(vec![lexeme.text.clone()])),
            _ => {}
        }
    }
    Ok(())
}

/// A month or quarter as it was written: the text of 3월 is only its number.
fn written(lexeme: &Lexeme<'_>) -> String {
    let digits = lexeme.text.chars().all(|c| c.is_ascii_digit());
    match lexeme.sense {
        Sense::Month(_) if digits => format!("{}월", lexeme.text),
        Sense::Part(Part::Quarter(_)) if digits => format!("{}분기", lexeme.text),
        _ => lexeme.text.clone(),
    }
}

fn one_period(lexemes: &[Lexeme<'_>], at: usize, period: Period, dropped: &mut Vec<usize>) -> TimeFilter {
    let (before, after) = (at.wrapping_sub(1), at + 1);
    let is = |at: usize, words: &[Word]| word_at(lexemes, at).is_some_and(|word| words.contains(&word));
    let mut take = |words: &[Word]| {
        let found: Vec<usize> = [before, after].into_iter().filter(|&at| is(at, words)).collect();
        dropped.extend(&found);
        !found.is_empty()
    };
    // "from 2024" means in it, "2024년부터" from then on.
    // The "from" of "in 2024 from Seoul" belongs to the place.
    let onwards = is(after, &[Word::From]) && lexemes.get(after).is_some_and(|lexeme| !lexeme.text.is_ascii());
    let (start, end) = if take(&[Word::Since]) || (onwards && take(&[Word::From])) {
        (Some(period.start), None)
    } else if take(&[Word::From]) {
        (Some(period.start), Some(period.end))
    } else if is(before, &[Word::After]) && take(&[Word::After]) {
        (Some(period.end), None)
    } else if take(&[Word::Before]) {
        (None, Some(period.start))
    } else if take(&[Word::To]) {
        (None, Some(period.end))
    } else {
        (Some(period.start), Some(period.end))
    };
    TimeFilter { start, end, split: None }
}

fn several_periods(lexemes: &[Lexeme<'_>], ranges: &[(usize, Period)], dropped: &mut Vec<usize>) -> Result<TimeFilter, Refusal> {
    let (first, last) = (ranges[0].0, ranges[ranges.len() - 1].0);
    let between: Vec<usize> = (first..=last).filter(|at| !dropped.contains(at)).collect();
    let joining = [Word::To, Word::From, Word::And, Word::Or, Word::Compare, Word::Between];
    if !between.iter().all(|&at| word_at(lexemes, at).is_some_and(|word| joining.contains(&word))) {
        return Err(Refusal::SeveralPeriods);
    }
    let is = |at: usize, words: &[Word]| word_at(lexemes, at).is_some_and(|word| words.contains(&word));
    let spans = ranges.len() == 2
        && (between.iter().any(|&at| is(at, &[Word::To, Word::From]))
            || is(first.wrapping_sub(1), &[Word::Between, Word::From])
            || is(last + 1, &[Word::To, Word::Between]));
    dropped.extend(between);
    dropped.extend([first.wrapping_sub(1), last + 1].into_iter().filter(|&at| is(at, &[Word::Between, Word::From, Word::To])));
    if spans {
        let (start, end) = (ranges[0].1.start, ranges[1].1.end);
        return if start < end { Ok(TimeFilter { start: Some(start), end: Some(end), split: None }) } else { Err(Refusal::SeveralPeriods) };
    }
    let mut periods: Vec<Period> = ranges.iter().map(|(_, period)| *period).collect();
    periods.sort();
    // Only neighbours join to one range; a gap would need two.
    if periods.windows(2).any(|pair| pair[0].end != pair[1].start || pair[0].unit != pair[1].unit) {
        return Err(Refusal::SeveralPeriods);
    }
    Ok(TimeFilter { start: Some(periods[0].start), end: Some(periods[periods.len() - 1].end), split: Some(periods[0].unit) })
}
