//! Whose turn it is to be profiled: tables never looked at, then those that changed, then those looked at longest ago.

use chrono::{DateTime, TimeDelta, Utc};
use datagenie_common::model::schemas::{Table, TableColumn};

/// A profile younger than this holds.
const FRESH: TimeDelta = TimeDelta::hours(24);

/// When a table comes: the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// It was never looked at.
    Never,
    /// Its columns, masks or size are not what they were at that look.
    Changed(DateTime<Utc>),
    /// That look was a while ago.
    Old(DateTime<Utc>),
}

/// Takes over what was known of columns that are there still, of the same type, and not masked.
pub(super) fn carry_over(table: &mut Table, before: Option<&Table>, is_masked: &dyn Fn(&str) -> bool) {
    let Some(before) = before else { return };
    table.profiled_at = before.profiled_at;
    for (name, column) in &mut table.columns {
        let was = before.columns.get(name).filter(|was| was.data_type == column.data_type && !is_masked(name));
        column.profile = was.and_then(|was| was.profile.clone());
        column.values = was.map(|was| was.values.clone()).unwrap_or_default();
    }
}

/// When the table is to be profiled; none: what is known of it holds.
pub(super) fn turn(table: &Table, before: Option<&Table>, is_masked: &dyn Fn(&str) -> bool, now: DateTime<Utc>) -> Option<Turn> {
    let Some((before, at)) = before.and_then(|before| Some((before, before.profiled_at?))) else { return Some(Turn::Never) };
    if !same_columns(table, before) || !same_masks(before, is_masked) || !same_size(table.row_estimate, before.row_estimate) {
        return Some(Turn::Changed(at));
    }
    (now - at >= FRESH).then_some(Turn::Old(at))
}

fn same_columns(table: &Table, before: &Table) -> bool {
    let same = |(name, column): (&String, &TableColumn)| before.columns.get(name).is_some_and(|was| was.data_type == column.data_type);
    table.columns.len() == before.columns.len() && table.columns.iter().all(same)
}

/// Whether the columns that have profiles are those that are not masked. Where none has one, the table could not be profiled, or all
/// its columns were masked: it waits for its day like others.
fn same_masks(before: &Table, is_masked: &dyn Fn(&str) -> bool) -> bool {
    let none_has = before.columns.values().all(|column| column.profile.is_none());
    none_has || before.columns.iter().all(|(name, column)| column.profile.is_some() != is_masked(name))
}

/// Whether two estimates of a table's rows differ by less than a tenth.
fn same_size(now: Option<u64>, before: Option<u64>) -> bool {
    match (now, before) {
        (None, None) => true,
        (Some(now), Some(before)) => now.abs_diff(before).saturating_mul(10) < before.max(1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::schemas::ColumnProfile;

    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    /// A table profiled at hour 0, all of its columns.
    fn profiled(columns: &[&str]) -> Table {
        let column = TableColumn {
            data_type: "text".to_owned(),
            values: vec!["a".to_owned()],
            profile: Some(ColumnProfile::default()),
            ..TableColumn::default()
        };
        let columns = columns.iter().map(|name| ((*name).to_owned(), column.clone())).collect();
        Table { columns, row_estimate: Some(100), profiled_at: Some(at(0)), ..Table::default() }
    }

    /// The same table as its source tells it, without what was found out.
    fn read(table: &Table) -> Table {
        let mut read = Table { profiled_at: None, ..table.clone() };
        for column in read.columns.values_mut() {
            (column.profile, column.values) = (None, Vec::new());
        }
        read
    }

    fn turn_of(table: &Table, before: &Table, masked: &[&str], now: DateTime<Utc>) -> Option<Turn> {
        turn(table, Some(before), &|name| masked.contains(&name), now)
    }

    #[test]
    fn what_is_as_it_was_holds_for_a_day() {
        let before = profiled(&["id", "city"]);
        let table = read(&before);
        assert_eq!(turn_of(&table, &before, &[], at(23)), None);
        assert_eq!(turn_of(&table, &before, &[], at(24)), Some(Turn::Old(at(0))));
        assert_eq!(turn(&table, None, &|_| false, at(1)), Some(Turn::Never));
        assert_eq!(turn_of(&table, &read(&before), &[], at(1)), Some(Turn::Never), "it was read and not looked at");
    }

    #[test]
    fn other_columns_types_sizes_and_masks_are_changes() {
        let before = profiled(&["id", "city"]);
        let mut wider = read(&profiled(&["id", "city", "email"]));
        assert_eq!(turn_of(&wider, &before, &[], at(1)), Some(Turn::Changed(at(0))));
        wider.columns.remove("city");
        assert_eq!(turn_of(&wider, &before, &[], at(1)), Some(Turn::Changed(at(0))), "as many columns, and another one");
        let mut retyped = read(&before);
        retyped.columns.get_mut("city").expect("a column").data_type = "integer".to_owned();
        assert_eq!(turn_of(&retyped, &before, &[], at(1)), Some(Turn::Changed(at(0))));
        assert_eq!(turn_of(&read(&before), &before, &["city"], at(1)), Some(Turn::Changed(at(0))), "newly masked");
        let mut masked = before.clone();
        masked.columns.get_mut("city").expect("a column").profile = None;
        assert_eq!(turn_of(&read(&before), &masked, &["city"], at(1)), None, "masked as before");
        assert_eq!(turn_of(&read(&before), &masked, &[], at(1)), Some(Turn::Changed(at(0))), "no longer masked");
        for (rows, expected) in
            [(Some(109), None), (Some(91), None), (Some(110), Some(Turn::Changed(at(0)))), (None, Some(Turn::Changed(at(0))))]
        {
            let table = Table { row_estimate: rows, ..read(&before) };
            assert_eq!(turn_of(&table, &before, &[], at(1)), expected, "{rows:?}");
        }
    }

    #[test]
    fn a_table_that_could_not_be_profiled_waits_for_its_day() {
        let failed = Table { profiled_at: Some(at(0)), ..read(&profiled(&["id", "city"])) };
        assert_eq!(turn_of(&read(&failed), &failed, &[], at(1)), None);
        assert_eq!(turn_of(&read(&failed), &failed, &[], at(24)), Some(Turn::Old(at(0))));
    }

    #[test]
    fn those_never_looked_at_come_first_then_the_changed_then_the_oldest() {
        let mut turns = [Turn::Old(at(2)), Turn::Changed(at(3)), Turn::Old(at(1)), Turn::Never, Turn::Changed(at(0))];
        turns.sort_unstable();
        assert_eq!(turns, [Turn::Never, Turn::Changed(at(0)), Turn::Changed(at(3)), Turn::Old(at(1)), Turn::Old(at(2))]);
    }

    #[test]
    fn what_was_known_of_a_column_comes_along_if_it_still_may() {
        let before = profiled(&["id", "city", "email", "gone"]);
        let mut table = read(&profiled(&["id", "city", "email", "new"]));
        table.columns.get_mut("id").expect("a column").data_type = "integer".to_owned();
        carry_over(&mut table, Some(&before), &|name| name == "email");
        let known: Vec<&str> = table.columns.iter().filter(|(_, column)| column.profile.is_some()).map(|(name, _)| name.as_str()).collect();
        assert_eq!((known, table.profiled_at), (vec!["city"], Some(at(0))));
        assert_eq!(table.columns["city"].values, ["a"]);
        assert!(table.columns["email"].values.is_empty() && table.columns["id"].values.is_empty());
    }
}
