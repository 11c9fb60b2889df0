//! What a question asks for in words: a form of chart by its name, or what that form shows.

/// The forms that a question asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// An area chart, by name.
    pub(super) area: bool,
    /// A scatter chart, by name.
    pub(super) scatter: bool,
    /// How two measures belong together.
    pub(super) relation: bool,
    /// A histogram, by name.
    pub(super) histogram: bool,
    /// How values are distributed.
    pub(super) distribution: bool,
    /// Parts of a whole.
    pub(super) shares: bool,
}

impl Asked {
    pub(super) fn of(question: &str) -> Self {
        let lower = question.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let between = any(&["between"]) && any(&["relation", "relationship", "connection"]);
        Self {
            area: followed(&words, "area", &["chart", "graph", "plot"]) || korean_area(&lower),
            scatter: any(&["scatter", "scatterplot", "scattergram"]) || has(&["산점도", "산포도", "분산형"]),
            relation: between || any(&["correlation", "correlate", "correlated", "correlates"]) || korean_relation(&lower),
            histogram: any(&["histogram", "histograms"]) || has(&["히스토그램", "도수분포"]),
            distribution: any(&["distribution", "distributed", "distributions"]) || has(&["분포"]),
            shares: has(&["비율", "비중", "구성", "점유율"])
                || any(&["share", "shares", "ratio", "ratios", "proportion", "proportions", "percentage", "percent", "composition"]),
        }
    }
}

fn followed(words: &[&str], first: &str, seconds: &[&str]) -> bool {
    words.windows(2).any(|pair| pair[0] == first && seconds.contains(&pair[1]))
}

// 영역 and 면적 are things of their own (regions, floor space) unless a picture is made of them.
fn korean_area(lower: &str) -> bool {
    ["영역", "면적"].iter().any(|word| {
        let made = |after: &str| ["차트", "그래프", "도표", "그림", "으로", "형 "].iter().any(|form| after.starts_with(form));
        lower.match_indices(word).any(|(at, _)| made(lower[at + word.len()..].trim_start()))
    })
}

// 관계 and 상관 as words of their own: not 관계없이, 관계사, 이해관계자.
fn korean_relation(lower: &str) -> bool {
    ["관계", "상관"].iter().any(|word| {
        lower.match_indices(word).any(|(at, _)| {
            let (before, after) = (&lower[..at], lower[at + word.len()..].trim_start());
            let joined = lower[at + word.len()..].chars().next().is_some_and(char::is_alphanumeric);
            let particle = ["를", "는", "가", "도", "와", "인", "성", "관계", "이 "].iter().any(|particle| after.starts_with(particle));
            !before.ends_with("이해") && !after.starts_with('없') && (!joined || particle)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_asked_for_by_name_and_by_what_they_show() {
        let none = Asked::default();
        let area = Asked { area: true, ..none };
        let scatter = Asked { scatter: true, ..none };
        let relation = Asked { relation: true, ..none };
        let histogram = Asked { histogram: true, ..none };
        let distribution = Asked { distribution: true, ..none };
        for (question, expected) in [
            ("monthly sales as an area chart", area),
            ("sales by area", none),
            ("월별 매출을 영역 차트로", area),
            ("월별 매출을 면적그래프로 보여줘", area),
            ("월별 매출을 영역으로 그려줘", area),
            ("매장 면적별 매출", none),
            ("가격과 수량의 산점도", scatter),
            ("scatter plot of price and quantity", scatter),
            ("가격과 수량의 관계는?", relation),
            ("가격과 수량은 어떤 관계인가", relation),
            ("가격과 수량의 상관관계", relation),
            ("관계없이 모두", none),
            ("지역에 상관 없이 매출은?", none),
            ("관계사별 매출", none),
            ("이해관계자 수", none),
            ("relationship between price and quantity", relation),
            ("sales by customer relationship manager", none),
            ("is price correlated with quantity?", relation),
            ("주문 금액 히스토그램", histogram),
            ("histogram of order amounts", histogram),
            ("주문 금액의 분포", distribution),
            ("distribution of order amounts", distribution),
        ] {
            assert_eq!(Asked::of(question), expected, "{question}");
        }
        assert!(Asked::of("도시별 비중").shares && Asked::of("share of each city").shares && !Asked::of("duration").shares);
    }
}
