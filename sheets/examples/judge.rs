//! Goes the whole way with the workbooks that are named, and prints what is found in each: tables, columns and what was assumed, in how many
//! milliseconds, and the most memory the process has held so far.
#![expect(clippy::print_stdout, reason = "a program for people to look at")]

use std::{env, fs, path::Path, process, time::Instant};

use datagenie_common::analyses::{AnalysedColumn, AnalysedTable, Analysis};
use datagenie_sheets::{
    limits::Options,
    run::{Request, run},
};

fn main() {
    for name in env::args().skip(1) {
        let database = env::temp_dir().join(format!("judge-{}.sqlite", process::id()));
        let request = Request { input: Path::new(&name).to_owned(), database, language: None, options: Options::default() };
        let began = Instant::now();
        let found = run(&request, &mut |_| {});
        let took = began.elapsed().as_millis();
        // One that was never made is no loss.
        let _ = fs::remove_file(&request.database);
        match found {
            Ok(found) => {
                println!("{name}: {took} ms, {}, {} tables", most_memory(), found.analysis.tables.len());
                print(&found.analysis);
            }
            Err(error) => println!("{name}: {took} ms, {}, {}: {error}", most_memory(), error.code()),
        }
    }
}

fn print(analysis: &Analysis) {
    for table in &analysis.tables {
        print_table(table);
    }
    for skipped in &analysis.skipped {
        println!("  skipped ({}): {}", skipped.reason, skipped.text);
    }
    for note in &analysis.notes {
        println!("  note: {note}");
    }
    println!("  {}", analysis.summary);
}

fn print_table(table: &AnalysedTable) {
    let AnalysedTable { name, sheet, range, header_rows, rows, total_rows, .. } = table;
    let title = table.title.as_deref().unwrap_or_default();
    println!("  {name} ({sheet}!{range}): {rows} rows, header {header_rows}, totals {total_rows:?}, title “{title}”");
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    println!("    {}", columns.join(" | "));
    for assumption in &table.assumptions {
        println!("    {} {}: {}", assumption.kind, assumption.range.as_deref().unwrap_or_default(), assumption.text);
    }
}

fn column(column: &AnalysedColumn) -> String {
    let sum = column.sum.map(|sum| format!(" Σ{sum}")).unwrap_or_default();
    format!("{} {}{sum} −{}", column.name, column.kind, column.nulls)
}

fn most_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or_else(String::new, |peak| peak.trim().to_owned())
}
