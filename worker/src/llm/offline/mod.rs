//! The offline planner: translates English and Korean questions to SQL by rules, where no model is configured.
//! Deterministic and pure. It declines what it does not understand: a wrong answer is worse than none.
//!
//! A question goes through `tokens` (characters), `lexer` with `lexicon` and `matching` (phrases of the dictionary and of the schema),
//! `time` (periods), `roles` with `filters`, `comparisons` and `groups` (what each piece is for),
//! `intent` and `settling` (what is asked), `figures`, `joins` and `render` (SQL).

use chrono::NaiveDate;
use datagenie_common::model::{connections::DbType, schemas::SourceSchema};

use super::Draft;

mod comparisons;
mod figures;
mod filters;
mod groups;
mod intent;
mod joins;
mod korean;
mod lexer;
mod lexicon;
mod matching;
mod measures;
mod numbers;
mod render;
mod roles;
mod settling;
mod sql;
#[cfg(test)]
mod tests;
mod time;
mod tokens;
mod wording;

/// What `provenance.model` says of its answers.
pub const MODEL_NAME: &str = "offline-planner";

/// Longest question read, in characters.
const LONGEST_QUESTION: usize = 1_000;

/// What the planner works on.
pub struct PlanInput<'a> {
    /// The question.
    pub question: &'a str,
    /// What the caller may see of the source.
    pub schema: &'a SourceSchema,
    /// The source's engine.
    pub dialect: DbType,
    /// The day that "last year" is told from.
    pub today: NaiveDate,
    /// SQL of the question that this one follows. Rules can't change another statement: such a question is read on its own.
    pub previous: Option<&'a str>,
}

/// Why there is no SQL: what can't be answered, and (see [`wording::clarification`]) what is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// Words without a meaning here.
    Unknown(Vec<String>),
    Predict,
    Why,
    /// Anything that would change data.
    Write,
    /// A computation beyond rules.
    Method(String),
    /// "without", with nothing known to leave out.
    Negation(String),
    SeveralFigures(Vec<String>),
    SeveralPeriods,
    BadDate(String),
    /// Nothing asked for.
    NoTarget,
    /// No figure, of a table if one is named.
    NoMeasure(Option<String>),
    /// Would need subqueries or window functions.
    Nested,
    /// "fewer than": those without any are no rows.
    Fewer,
    /// A join would count rows several times.
    FanOut,
    /// No foreign keys between the tables.
    NoWay,
    /// Several equally short ways between two tables.
    SeveralWays(String, String),
    NoDate(String),
    NoLabel(String),
    /// "new" where no date of their own tells.
    Fresh,
    TooLong,
    // What can be asked back:
    /// A month or quarter without its year.
    WhichYear(String),
    /// A word, and the columns it may mean.
    WhichColumn(String, Vec<String>),
    /// The columns that may be revenue.
    WhichMeasure(Vec<String>),
    /// A column that is not to be summed up.
    WhichFunction(String),
    /// A ranking by nothing.
    RankBy,
    /// An average of revenue: per order, per customer, per month?
    AverageRevenue,
    /// The highest or lowest revenue: of what?
    ExtremeRevenue,
    /// A comparison of single values or of their total.
    OneOrTotal(String),
}

/// Translates a question. A draft has `sql`, or `clarification`, or `answerable = Some(false)` with an `explanation`.
#[must_use]
pub fn plan(input: &PlanInput<'_>) -> Draft {
    let korean = lexer::is_korean(input.question);
    match translate(input, korean) {
        Ok(rendered) => Draft {
            sql: Some(rendered.sql),
            explanation: Some(rendered.reading.sentence(korean)),
            chart: Some(rendered.chart.to_owned()),
            answerable: Some(true),
            ..Draft::default()
        },
        Err(refusal) => decline(&refusal, korean, input.previous.is_some()),
    }
}

fn translate(input: &PlanInput<'_>, korean: bool) -> Result<render::Rendered, Refusal> {
    if input.question.chars().count() > LONGEST_QUESTION {
        return Err(Refusal::TooLong);
    }
    let tokens = tokens::tokenize(input.question);
    // No question needs one; a statement does.
    if tokens.iter().any(|token| token.text == ";") {
        return Err(Refusal::Write);
    }
    let catalog = matching::Catalog::new(input.schema, input.dialect);
    let lexemes = lexer::Lexer::new(&catalog, &tokens).run();
    let (lexemes, time) = time::read(lexemes, input.today)?;
    let ask = intent::Intent::read(roles::Reader::new(lexemes, &catalog, time, korean))?;
    render::render(&catalog, ask, korean)
}

fn decline(refusal: &Refusal, korean: bool, follows: bool) -> Draft {
    if let Some(clarification) = wording::clarification(refusal, korean) {
        return Draft { clarification: Some(clarification), ..Draft::default() };
    }
    let mut explanation = wording::explanation(refusal, korean);
    if follows {
        explanation += if korean {
            " 이어지는 질문은 앞 질문 없이도 뜻이 통하게 물어봐 주세요."
        } else {
            " A question that follows another has to be complete in itself."
        };
    }
    Draft { answerable: Some(false), explanation: Some(explanation), ..Draft::default() }
}
