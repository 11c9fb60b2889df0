//! Says in the question's language how it was read, what is unclear, and what can't be done.

use super::{Refusal, lexicon::Bucket, roles::Function};

/// What a statement computes, in names of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Rows of a table, ordered by a column.
    Rows(String, Option<String>),
    /// Different values of a column.
    Values(String),
    /// How many rows.
    Count(String),
    /// How many different values.
    CountValues(String),
    /// An aggregate.
    Figure(Function, String),
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// By a column or a table's rows.
    Named(String),
    /// By periods of a date column.
    Period(Bucket, String),
}

/// How a question was read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub what: What,
    pub groups: Vec<Group>,
    /// Conditions as SQL.
    pub conditions: Vec<String>,
    /// Conditions on groups as SQL.
    pub having: Vec<String>,
    pub limit: Option<u32>,
    pub tables: Vec<String>,
    /// Values that a reader might expect to be left out, and that are not.
    pub included: Vec<String>,
}

impl Reading {
    /// One sentence about the reading.
    pub fn sentence(&self, korean: bool) -> String {
        let mut parts = vec![if korean { what_korean(&self.what) } else { what_english(&self.what) }];
        if !self.groups.is_empty() {
            let groups: Vec<String> = self.groups.iter().map(|group| group_name(group, korean)).collect();
            parts.push(if korean { groups.join(", ") } else { format!("per {}", groups.join(" and ")) });
        }
        let conditions: Vec<&str> = self.conditions.iter().chain(&self.having).map(String::as_str).collect();
        if !conditions.is_empty() {
            parts.push(format!("{} {}", if korean { "조건" } else { "where" }, conditions.join(" AND ")));
        }
        if let Some(limit) = self.limit {
            parts.push(if korean { format!("최대 {limit}행") } else { format!("at most {limit} rows") });
        }
        if !self.included.is_empty() {
            let values = self.included.join(", ");
            parts.push(if korean { format!("{values} 포함") } else { format!("including {values}") });
        }
        let (reading, tables) = (parts.join(", "), self.tables.join(", "));
        if korean {
            format!("이렇게 읽었습니다: {reading} (사용한 표: {tables}).")
        } else {
            format!("Read as: {reading} (tables: {tables}).")
        }
    }
}

fn what_english(what: &What) -> String {
    match what {
        What::Rows(table, None) => format!("rows of {table}"),
        What::Rows(table, Some(column)) => format!("rows of {table} ordered by {column}"),
        What::Values(column) => format!("different values of {column}"),
        What::Count(table) => format!("number of {table}"),
        What::CountValues(column) => format!("number of different values of {column}"),
        What::Figure(function, of) => {
            let name = match function {
                Function::Sum => "sum",
                Function::Avg => "average",
                Function::Max => "maximum",
                Function::Min => "minimum",
            };
            format!("{name} of {of}")
        }
    }
}

fn what_korean(what: &What) -> String {
    match what {
        What::Rows(table, None) => format!("{table} 목록"),
        What::Rows(table, Some(column)) => format!("{column} 순서의 {table} 목록"),
        What::Values(column) => format!("{column} 값의 종류"),
        What::Count(table) => format!("{table} 건수"),
        What::CountValues(column) => format!("서로 다른 {column} 값의 수"),
        What::Figure(function, of) => {
            let name = match function {
                Function::Sum => "합계",
                Function::Avg => "평균",
                Function::Max => "최댓값",
                Function::Min => "최솟값",
            };
            format!("{of} {name}")
        }
    }
}

fn group_name(group: &Group, korean: bool) -> String {
    match group {
        Group::Named(name) if korean => format!("{name}별"),
        Group::Named(name) => name.clone(),
        Group::Period(bucket, column) => {
            let (english, word) = match bucket {
                Bucket::Day => ("day", "일별"),
                Bucket::Weekday => ("weekday", "요일별"),
                Bucket::Week => ("week", "주별"),
                Bucket::Month => ("month", "월별"),
                Bucket::Quarter => ("quarter", "분기별"),
                Bucket::Year => ("year", "연도별"),
            };
            if korean { format!("{column} 기준 {word}") } else { format!("{english} of {column}") }
        }
    }
}

/// What to ask back, if a question is only ambiguous.
pub(super) fn clarification(refusal: &Refusal, korean: bool) -> Option<String> {
    Some(match (refusal, korean) {
        (Refusal::WhichYear(text), true) => format!("어느 해의 {text}인가요? 예: 2024년 {text}"),
        (Refusal::WhichYear(text), false) => format!("Which year's {text}? For example: {text} 2024."),
        (Refusal::WhichColumn(text, columns), true) => format!("'{text}'은(는) 무엇을 뜻하나요: {}?", columns.join(", ")),
        (Refusal::WhichColumn(text, columns), false) => format!("What does '{text}' mean here: {}?", columns.join(" or ")),
        (Refusal::WhichMeasure(columns), true) => format!("매출은 어느 값인가요: {}?", columns.join(", ")),
        (Refusal::WhichMeasure(columns), false) => format!("Which of these is the revenue: {}?", columns.join(" or ")),
        (Refusal::WhichFunction(column), true) => format!("{column}의 평균, 최댓값, 최솟값 중 무엇을 구할까요?"),
        (Refusal::WhichFunction(column), false) => format!("Do you want the average, the maximum or the minimum of {column}?"),
        (Refusal::RankBy, true) => "무엇을 기준으로 순위를 매길까요? 예: 매출 기준, 주문 수 기준".to_owned(),
        (Refusal::RankBy, false) => "Ranked by what? For example: by revenue, or by number of orders.".to_owned(),
        (Refusal::AverageRevenue, true) => {
            "평균 매출은 무엇의 평균인가요? 한 건의 평균이면 '평균 주문 금액'이라고 물어봐 주세요.".to_owned()
        }
        (Refusal::AverageRevenue, false) => {
            "The average revenue of what? For the average of single orders ask for the average order amount.".to_owned()
        }
        (Refusal::ExtremeRevenue, true) => {
            "무엇의 매출 가운데서 찾을까요? 예: 매출이 가장 높은 도시, 매출이 가장 낮은 달. 한 건이면 '최대 주문 금액'이라고 물어봐 주세요."
                .to_owned()
        }
        (Refusal::ExtremeRevenue, false) => {
            "The revenue of what? For example: the city with the highest revenue. For single orders ask for the highest order amount."
                .to_owned()
        }
        (Refusal::OneOrTotal(column), true) => {
            format!("{column}을(를) 한 건씩 비교할까요, 합계로 비교할까요? 예: '매출이 100만원 이상인 고객'은 합계입니다.")
        }
        (Refusal::OneOrTotal(column), false) => {
            format!(
                "Should single values of {column} be compared, or their total? 'customers who spent more than 1,000,000' means the total."
            )
        }
        _ => return None,
    })
}

/// Why a question is declined, and what can be asked instead.
pub(super) fn explanation(refusal: &Refusal, korean: bool) -> String {
    let reason = if korean { reason_korean(refusal) } else { reason_english(refusal) };
    let offer = if korean {
        "모델 없이도 건수, 합계, 평균, 최대·최소, 상위 N개, 그룹별·기간별 집계, 알려진 값과 기간 조건, 목록은 답할 수 있습니다."
    } else {
        "Without a model I can answer counts, sums, averages, extremes, top N, groups by column or period, filters by known values and periods, and lists."
    };
    format!("{reason} {offer}")
}

fn reason_english(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unknown(words) => format!("I don't know what '{}' means in this database.", words.join("', '")),
        Refusal::Predict => "I can't predict what has not happened.".to_owned(),
        Refusal::Why => "I can't tell why something happened.".to_owned(),
        Refusal::Write => "I only read data, I never change it.".to_owned(),
        Refusal::Method(word) => format!("I can't compute '{word}'."),
        Refusal::Negation(word) => format!("I can leave out only known values, and don't see which one '{word}' means."),
        Refusal::SeveralFigures(words) => format!("I can answer one figure at a time, not '{}' together.", words.join("', '")),
        Refusal::SeveralPeriods => "I can answer one period, or periods that follow each other.".to_owned(),
        Refusal::BadDate(text) => format!("I can't read '{text}' as a date."),
        Refusal::NoTarget => "I don't see what is asked of which table.".to_owned(),
        Refusal::NoMeasure(Some(table)) => format!("I don't see which figure of {table} is meant."),
        Refusal::NoMeasure(None) => "I don't see which figure is meant.".to_owned(),
        Refusal::Nested => "I can't rank within groups, or combine these conditions in one statement.".to_owned(),
        Refusal::Fewer => "Those without any would be missing, so I can't answer 'fewer than'.".to_owned(),
        Refusal::FanOut => "The figure would be counted several times in these groups.".to_owned(),
        Refusal::NoWay => "The tables named are not linked by foreign keys.".to_owned(),
        Refusal::SeveralWays(from, to) => format!("There are several ways from {from} to {to}, and I can't choose one."),
        Refusal::NoDate(table) => format!("{table} has no date to tell periods by."),
        Refusal::NoLabel(table) => format!("{table} has no column that names its rows."),
        Refusal::Fresh => "I can count new ones only of a table with a date of its own, and per period.".to_owned(),
        Refusal::TooLong => "The question is too long.".to_owned(),
        // Told by `clarification`.
        _ => "The question is ambiguous.".to_owned(),
    }
}

fn reason_korean(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unknown(words) => format!("이 데이터베이스에서 '{}'이(가) 무엇인지 모릅니다.", words.join("', '")),
        Refusal::Predict => "아직 일어나지 않은 일은 예측할 수 없습니다.".to_owned(),
        Refusal::Why => "원인은 알 수 없습니다.".to_owned(),
        Refusal::Write => "데이터를 읽기만 하며 바꾸지 않습니다.".to_owned(),
        Refusal::Method(word) => format!("'{word}'은(는) 계산할 수 없습니다."),
        Refusal::Negation(word) => format!("알려진 값만 제외할 수 있는데, '{word}'의 대상을 찾지 못했습니다."),
        Refusal::SeveralFigures(words) => format!("한 번에 한 가지 수치만 답할 수 있습니다: '{}'.", words.join("', '")),
        Refusal::SeveralPeriods => "한 기간이나 이어지는 기간만 답할 수 있습니다.".to_owned(),
        Refusal::BadDate(text) => format!("'{text}'을(를) 날짜로 읽을 수 없습니다."),
        Refusal::NoTarget => "어느 표의 무엇을 묻는지 찾지 못했습니다.".to_owned(),
        Refusal::NoMeasure(Some(table)) => format!("{table}의 어떤 수치인지 찾지 못했습니다."),
        Refusal::NoMeasure(None) => "어떤 수치인지 찾지 못했습니다.".to_owned(),
        Refusal::Nested => "그룹 안의 순위나 이런 조건의 조합은 답할 수 없습니다.".to_owned(),
        Refusal::Fewer => "한 건도 없는 대상이 빠지므로 '미만'과 '이하' 건수 조건은 답할 수 없습니다.".to_owned(),
        Refusal::FanOut => "이 그룹에서는 수치가 여러 번 더해지므로 답할 수 없습니다.".to_owned(),
        Refusal::NoWay => "질문의 표들이 외래 키로 이어져 있지 않습니다.".to_owned(),
        Refusal::SeveralWays(from, to) => format!("{from}에서 {to}(으)로 가는 길이 여럿이라 고를 수 없습니다."),
        Refusal::NoDate(table) => format!("{table}에는 기간을 나눌 날짜가 없습니다."),
        Refusal::NoLabel(table) => format!("{table}에는 행의 이름이 되는 열이 없습니다."),
        Refusal::Fresh => "신규는 날짜가 있는 표에서 기간과 함께 물을 때만 셀 수 있습니다.".to_owned(),
        Refusal::TooLong => "질문이 너무 깁니다.".to_owned(),
        _ => "질문이 모호합니다.".to_owned(),
    }
}
