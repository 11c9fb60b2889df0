//! An answer on the screen: statement, table, summary, insights, time.

use std::{io, time::Duration};

use crate::{
    client::{Question, QuestionStatus},
    screen::{Screen, Style},
    sql_layout, table,
    text::{grouped, printable},
};

/// The stages in their order.
pub const STAGES: [&str; 7] = ["linking", "drafting", "checking", "executing", "repairing", "charting", "summarising"];

/// Shows a question that has ended; `wall` is the time from submission to its end.
pub fn answer(screen: &mut Screen, question: &Question, wall: Duration) -> io::Result<()> {
    if let Some(sql) = &question.sql {
        for line in sql_layout::lines(sql) {
            let painted = screen.paint(Style::Cyan, &printable(&line));
            screen.line(&format!("    {painted}"))?;
        }
    }
    if question.status == QuestionStatus::Success {
        rows(screen, question)?;
        words(screen, question)?;
    } else {
        failure(screen, question)?;
    }
    let time = screen.paint(Style::Dim, &time_line(question, wall));
    screen.line(&format!("  {time}"))
}

fn rows(screen: &mut Screen, question: &Question) -> io::Result<()> {
    let total = question.row_count.unwrap_or(question.rows.len() as u64);
    for line in table::render(&question.columns, &question.rows, total, screen.width() - 2) {
        screen.line(&format!("  {line}"))?;
    }
    if question.truncated {
        let told = screen.paint(Style::Red, &format!("cut off at {} rows: a limit was reached", grouped(&total.to_string())));
        screen.line(&format!("  {told}"))?;
    }
    Ok(())
}

fn words(screen: &mut Screen, question: &Question) -> io::Result<()> {
    if let Some(summary) = question.summary.as_deref().filter(|text| !text.trim().is_empty()) {
        // A general answer may have paragraphs of its own.
        for line in summary.lines() {
            let painted = screen.paint(Style::Bold, &printable(line));
            screen.line(&format!("  {painted}"))?;
        }
    }
    for insight in question.insights.iter().filter(|insight| !insight.text.is_empty()) {
        screen.line(&format!("  • {}", printable(&insight.text)))?;
    }
    Ok(())
}

fn failure(screen: &mut Screen, question: &Question) -> io::Result<()> {
    let (code, message) = match (&question.error, question.status) {
        (Some(error), _) => (error.code.as_str(), error.message.as_str()),
        (None, QuestionStatus::Cancelled) => ("cancelled", "it was cancelled"),
        (None, QuestionStatus::Timeout) => ("timeout", "a time limit ended it"),
        (None, _) => ("error", "the server does not say why"),
    };
    let painted = screen.paint(Style::Red, &printable(code));
    screen.line(&format!("  not answered: {painted}: {}", printable(message)))?;
    let Some(error) = &question.error else { return Ok(()) };
    if let Some(clarification) = &error.clarification {
        screen.line(&format!("  to clarify: {}", printable(clarification)))?;
    }
    if let Some(hint) = &error.hint {
        screen.line(&format!("  hint: {}", printable(hint)))?;
    }
    Ok(())
}

/// `0.42 s (drafting 3 ms, executing 12 ms) · postgresql · offline planner: no model key configured`
fn time_line(question: &Question, wall: Duration) -> String {
    // What took less than a millisecond is no news.
    let time = |stage: &&str| question.timings_ms.get(*stage)?.as_f64().filter(|ms| *ms >= 1.0);
    let stages: Vec<String> = STAGES.iter().filter_map(|stage| time(stage).map(|ms| format!("{stage} {ms:.0} ms"))).collect();
    let mut parts = vec![format!("{:.2} s", wall.as_secs_f64())];
    if !stages.is_empty() {
        parts[0].push_str(&format!(" ({})", stages.join(", ")));
    }
    parts.extend(question.dialect.clone());
    parts.extend(question.model().map(model_name));
    if question.cached {
        parts.push("cached".to_owned());
    }
    printable(&parts.join(" · "))
}

/// Who answers, in words that say what it means.
pub fn model_name(model: &str) -> String {
    match model {
        "offline-planner" => "offline planner: no model key configured".to_owned(),
        "given" => "statement as given".to_owned(),
        name => format!("model {name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_time_line_tells_the_stages_in_their_order_and_who_answered() {
        let question = Question::from_value(json!({
            "id": "0193a1f0-0000-7000-8000-000000000000", "status": "success", "dialect": "sqlite", "cached": true,
            "timings_ms": {"executing": 12.4, "drafting": 3, "total": 17, "linking": "?", "checking": 0, "charting": 0.9},
            "provenance": {"model": "offline-planner", "tables": [], "attempts": []},
        }))
        .expect("a question");
        assert_eq!(
            time_line(&question, Duration::from_millis(420)),
            "0.42 s (drafting 3 ms, executing 12 ms) · sqlite · offline planner: no model key configured · cached"
        );
    }

    #[test]
    fn every_kind_of_answerer_is_named() {
        assert_eq!(model_name("gpt-5"), "model gpt-5");
        assert_eq!(model_name("given"), "statement as given");
    }
}
