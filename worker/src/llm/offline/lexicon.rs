//! The dictionary: business words and question words of both languages, without any schema.
//! Latin phrases are lower case with single spaces; Korean ones are written without spaces, as they are looked up.

use std::{collections::HashMap, sync::LazyLock};

use super::tokens::{singular, starts_hangul};

/// What a word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Word {
    // What is computed.
    Count,
    Distinct,
    Sum,
    Avg,
    Max,
    Min,
    Revenue,
    Sold,
    /// Average order value, in one word.
    Aov,
    // Rankings.
    MaxPrice,
    MinPrice,
    Top,
    Most,
    Bottom,
    Least,
    Desc,
    Asc,
    BestSold,
    Superlative,
    Latest,
    Oldest,
    // Groups.
    By,
    Each,
    /// The Korean ending for "by", after the noun.
    Suffix,
    // The shape of the answer.
    Trend,
    Share,
    Distribution,
    List,
    Which,
    Who,
    Compare,
    // Conditions.
    Gte,
    Gt,
    Lte,
    Lt,
    Eq,
    Between,
    And,
    Or,
    Not,
    From,
    To,
    Since,
    After,
    Before,
    Call,
    /// New ones: those whose own date lies in the period.
    Fresh,
    // What is declined.
    Predict,
    Why,
    Write,
    Method,
    /// Carries no meaning here.
    Stop,
}

impl Word {
    /// Whether a question with this word is declined.
    pub fn declines(self) -> bool {
        matches!(self, Self::Predict | Self::Why | Self::Write | Self::Method)
    }

    /// Whether a number word may follow it: top ten, exactly one.
    pub fn takes_number(self) -> bool {
        self.compares() || matches!(self, Self::Top | Self::Bottom | Self::Latest | Self::Oldest)
    }

    /// Whether it compares with a number.
    pub fn compares(self) -> bool {
        matches!(self, Self::Gte | Self::Gt | Self::Lte | Self::Lt | Self::Eq)
    }
}

/// A length of time that rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Bucket {
    Day,
    Weekday,
    Week,
    Month,
    Quarter,
    Year,
}

/// A period told from today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relative {
    BeforeLastYear,
    LastYear,
    ThisYear,
    LastQuarter,
    ThisQuarter,
    LastMonth,
    ThisMonth,
    LastWeek,
    ThisWeek,
    Yesterday,
    Today,
    PastYear,
}

/// A part of a year, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Quarter(u32),
    Half(u32),
}

/// What a phrase of the dictionary stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Word(Word),
    Bucket(Bucket),
    Unit(Bucket),
    Relative(Relative),
    Part(Part),
    Month(u32),
}

static TERMS: LazyLock<HashMap<&'static str, Term>> = LazyLock::new(|| {
    let mut terms = HashMap::new();
    for phrases in [STOP_ENGLISH, STOP_KOREAN] {
        insert(&mut terms, phrases, Term::Word(Word::Stop));
    }
    for (word, phrases) in WORDS {
        insert(&mut terms, phrases, Term::Word(*word));
    }
    for (bucket, phrases) in BUCKETS {
        insert(&mut terms, phrases, Term::Bucket(*bucket));
    }
    for (unit, phrases) in UNITS {
        insert(&mut terms, phrases, Term::Unit(*unit));
    }
    for (relative, phrases) in RELATIVE {
        insert(&mut terms, phrases, Term::Relative(*relative));
    }
    for (part, phrases) in PARTS {
        insert(&mut terms, phrases, Term::Part(*part));
    }
    for (phrases, month) in MONTHS.iter().zip(1..) {
        insert(&mut terms, phrases, Term::Month(month));
    }
    terms
});

fn insert(terms: &mut HashMap<&'static str, Term>, phrases: &'static str, term: Term) {
    for phrase in phrases.split('|') {
        terms.insert(phrase, term);
    }
}

/// What a phrase stands for, whatever the schema.
pub(super) fn term(key: &str) -> Option<Term> {
    TERMS.get(key).copied()
}

/// The particles and endings that may follow a Korean noun, longest first.
pub(super) static ENDING_LIST: LazyLock<Vec<Vec<char>>> =
    LazyLock::new(|| ENDINGS.split('|').map(|ending| ending.chars().collect()).collect());

static CONCEPT_KEYS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| keys(CONCEPTS));
static SYNONYM_KEYS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| keys(SYNONYMS));

fn keys(lists: &[&str]) -> Vec<Vec<String>> {
    let key = |phrase: &str| {
        if starts_hangul(phrase) { phrase.to_owned() } else { phrase.split(' ').map(singular).collect::<Vec<_>>().join(" ") }
    };
    lists.iter().map(|phrases| phrases.split('|').map(key).collect()).collect()
}

/// Everything that people call what a schema calls `key`, itself included.
pub(super) fn same_concept(key: &str) -> impl Iterator<Item = &'static str> {
    matching(&CONCEPT_KEYS, key)
}

/// Everything that people call a stored value.
pub(super) fn same_value(key: &str) -> impl Iterator<Item = &'static str> {
    matching(&SYNONYM_KEYS, key)
}

fn matching(groups: &'static [Vec<String>], key: &str) -> impl Iterator<Item = &'static str> {
    let hits: Vec<_> = groups.iter().filter(|group| group.iter().any(|phrase| phrase == key)).collect();
    hits.into_iter().flatten().map(String::as_str)
}

const WORDS: &[(Word, &str)] = &[
    (
        Word::Count,
        "how many|number of|count of|count|no. of|how often|몇|몇건|몇명|몇개|몇곳|몇가지|몇회|몇번|몇종|몇종류|수|건수|개수|갯수|인원|인원수|명수|횟수|수는몇|number\
     |numbers",
    ),
    (Word::Distinct, "distinct|unique|different|고유|고유한|서로다른|중복없이|종류"),
    (Word::Sum, "total|sum|sum of|overall|합계|총|총합|총액|합|누계|합산|총합계"),
    (Word::Avg, "average|avg|mean|averaged|평균|평균적|평균값"),
    (Word::Max, "max|maximum|highest|largest|biggest|greatest|최대|최고|가장높은|제일높은|가장큰|제일큰|최댓값|최대값|최고값|가장높았던"),
    (Word::Min, "min|minimum|lowest|smallest|최소|최저|가장낮은|제일낮은|가장작은|제일작은|최솟값|최소값|최저값"),
    (Word::MaxPrice, "most expensive|priciest|costliest|가장비싼|제일비싼|최고가|비싼"),
    (Word::MinPrice, "least expensive|cheapest|가장싼|제일싼|가장저렴한|제일저렴한|최저가|싼|저렴한"),
    (Word::Top, "top|best|leading|상위|탑|톱|베스트|랭킹|순위"),
    (Word::Most, "most|the most|가장많은|가장많이|제일많은|제일많이|최다|가장많았던|가장잘"),
    (Word::Bottom, "bottom|worst|하위|꼴찌"),
    (Word::Least, "least|fewest|가장적은|가장적게|제일적은|제일적게|최소로|가장안"),
    (
        Word::Desc,
        "많은순|높은순|큰순|많은순서|높은순서|큰순서|순|순서|내림차순|descending|많은|높은|많이|큰|ranked|sorted|ordered by|sorted by|ranked by|rank by|sort by\
     |rank|in order of|in descending order|descending order|highest first|largest first|biggest first|high to low|highest to lowest\
     |순서대로|순대로|많은순서대로|높은순서대로|큰순서대로|많은순대로|높은순대로",
    ),
    (
        Word::Asc,
        "적은순|낮은순|작은순|적은순서|낮은순서|오름차순|ascending|적은|낮은|작은|적게|적은순서대로|낮은순서대로|적은순대로|낮은순대로|lowest first\
     |smallest first|fewest first|least first|low to high|lowest to highest|in ascending order|ascending order",
    ),
    (Word::Latest, "latest|recent|most recent|newest|last|past|최근|최신|가장최근|제일최근|지난|가장최신|마지막|맨마지막"),
    (Word::Oldest, "oldest|earliest|가장오래된|제일오래된|가장먼저|first|첫|첫번째|최초"),
    (Word::By, "by|group by|grouped by|broken down by|split by|기준"),
    (Word::Each, "per|each|for each|in each|for every|every|by each"),
    (Word::Suffix, "별|마다|당"),
    (
        Word::Revenue,
        "revenue|sale|turnover|sales amount|sales revenue|sales volume in won|spent|spend|spending|earned|earn|earning|매출|매출액\
     |매출금액|판매액|판매금액|판매매출|구매액|구매금액|구매총액|쓴돈|쓴|지출|수입",
    ),
    (
        Word::Sold,
        "sold|sell|selling|판매|팔린|판매된|팔리는|판매되는|팔렸어|팔렸어요|팔렸나요|팔렸니|팔렸는지|판매됐나요|판매되었나요|판매됐어",
    ),
    (
        Word::BestSold,
        "bestseller|bestselling|popular|인기|인기있는|인기많은|많이팔린|잘팔린|잘팔리는|베스트셀러|best selling|best seller|most popular|most sold\
     |top selling|top seller|hottest|가장많이팔린|제일많이팔린|가장많이판매된|가장인기있는|제일인기있는|가장인기많은|가장잘팔린|가장잘팔리는|제일잘팔리는",
    ),
    (Word::Superlative, "가장|제일"),
    (Word::Who, "who|whom|누구|누가"),
    (Word::Aov, "객단가|aov|average basket"),
    (Word::Fresh, "new|신규|새로운|새로"),
    (Word::Trend, "trend|over time|evolution|추이|변화|추세|흐름|동향|변동"),
    (Word::Share, "share|proportion|percentage|percent|ratio|fraction|breakdown|비중|비율|점유율|구성비|퍼센트|%"),
    (Word::Distribution, "distribution|분포"),
    (Word::List, "list|listing|목록|리스트|명단|내역|전체목록"),
    (Word::Which, "which|어떤|어느"),
    (Word::Gte, "at least|or more|or higher|or above|or greater|no less than|>=|이상|이상의|최소한|적어도"),
    (
        Word::Gt,
        "over|more than|above|greater than|exceeding|exceed|exceeds|higher than|larger than|bigger than|more expensive than|pricier than|>|초과|넘는|넘은|넘게|보다많은|보다큰\
     |보다높은|보다많이|보다비싼",
    ),
    (Word::Lte, "at most|or less|or fewer|or lower|no more than|up to|<=|이하|이하의"),
    (Word::Lt, "under|less than|below|fewer than|lower than|cheaper than|smaller than|<|미만|보다적은|보다작은|보다낮은|보다싼|안되는"),
    (Word::Eq, "exactly|precisely|equal to|정확히|딱"),
    (Word::Between, "between|사이"),
    (Word::And, "and|와|과|및|그리고|,|&|+|하고|랑|이랑"),
    (Word::Or, "or|또는|이나|혹은"),
    (
        Word::Not,
        "not|except|excluding|exclude|without|never|no|other than|except for|non|제외|제외한|제외하고|빼고|뺀|말고|아닌|않은|없는|없이|외|이외|aren't\
     |isn't|didn't|don't|haven't|weren't|되지않은|하지않은|지않은",
    ),
    (Word::From, "from|starting|부터"),
    (Word::To, "to|through|thru|until|till|~|까지"),
    (Word::Since, "since|onward|onwards|이후|이래"),
    (Word::After, "after"),
    (Word::Before, "before|prior to|earlier than|이전"),
    (Word::Compare, "compare|compared|comparison|vs|versus|비교|대비"),
    (Word::Call, "named|called|라는"),
    (
        Word::Predict,
        "predict|prediction|forecast|forecasting|project next|projection|next year|next month|next quarter|next week|will|expect\
     |expected|예측|예상|전망|내년|다음달|다음해|다음주|다음분기|앞으로",
    ),
    (Word::Why, "why|reason|cause|explain|왜|이유|원인|때문|어째서"),
    (
        Word::Write,
        "delete|drop|insert|update|truncate|alter|create|remove|modify|grant|삭제|지워|지워줘|수정|변경|추가|입력|갱신|없애|바꿔|바꿔줘|등록해|만들어|생성",
    ),
    (
        Word::Method,
        "median|percentile|stddev|standard deviation|variance|correlation|correlate|regression|cumulative|running|growth\
     |increase|decrease|rate|moving|yoy|mom|retention|cohort|cluster|recommend|anomaly|outlier|중앙값|중간값|표준편차|분산|상관|상관관계|누적\
     |증가율|성장률|증감|증감률|증가|감소|전년대비|전월대비|성장|재구매율|이탈|이탈률|추천|군집|이상치|취소율|환불률|반품률|전환율|순매출|순이익|순수익|늘었|줄었|늘어난|줄어든|율",
    ),
];

/// English words that carry no meaning here.
const STOP_ENGLISH: &str = "a|about|all|all of|also|am|an|answer|any|are|as|as of|at|bar|based|be|been|belong|belonging|came|can|chart\
    |come|coming|could|data|did|display|do|do we sell|do you sell|does|dollar|draw|during|earns|entire|entry|exist|figure|find\
    |for|get|give|give me|graph|had|happen|happened|has|have|having|he|hello|hey|hi|how|how much|i|i'd|i'd like|i'd like to|i've|in|in our shop|in total\
    |is|it|its|just|know|krw|let|like to know|like to see|line|live in|lives in|living in|located|made|make|makes|many|me|much|my|occur|occurred|of|on\
    |ones|only|our|our shop|our's|pie|place|placed|please|plot|question|record|respectively|result|return all|return me|return the|row|s|see|she\
    |should|show|show me|so|some|store's|tell|tell me|thank|thanks|that|the|their|them|then|there|there's|these|they|they've|this|those\
    |throughout|together|us|usd|visualise|visualize|want|was|we|we'd|we've|were|what|what're|what are|what is|whats|when|where|whole|whose|with|won|work for|work in\
    |working for|working in|works for|works in|would|would like|would like to|you|your";

/// Korean words and predicates that carry no meaning here.
const STOP_KOREAN: &str = "가|가게|가지고있는|가진|각|각각|각각의|간|값|거|거주|거주하는|검색|것|결과|계산|계산해주세요|계산해줘|관한|구하라|구해주세요|구해줘|궁금합니다|궁금해|궁금해요|그|그래프|그래프로|그려주세요|그려줘|그리고나서\
    |그림|기간|기록|기록한|나열|나열해줘|나온|나왔나요|나왔어|내|낸|누구야|누구예요|누구인가요|는|대하여|대한|대해|데이터|도|동안|돼|돼요|됐나요|됐어|되나|되나요|되는지|되니|되었나요|된|된것|됩니까|들어온\
    |등록된|따라|따른|때|로|로그|를|만|말해주세요|말해줘|몇이나|모두|모든|무엇|무엇이|무엇인가요|뭐|뭐가|뭐야|뭐예요|뭔가요|받은|발생|발생한|보여|보여주세요|보여줄래|보여줘|보여줘요|보유한|부탁|부탁드립니다\
    |부탁해|부탁해요|뽑아주세요|뽑아줘|사는|살고있는|속한|쇼핑몰|실적|싶어|싶어요|안에|알고싶어|알고싶어요|알려|알려주세요|알려줄래|알려줘|알려줘요|알수있을까|어디|어디야|어디에|어디예요|어디인가요|어딘가요\
    |어때|어떤지|어떻게|어떻게돼|어떻게되나요|언제|언제야|언제인가요|얼마|얼마나|얼마나돼|얼마나되나요|얼마니|얼마야|얼마에요|얼마였나요|얼마였어|얼마예요|얼마인가요|얼마인지|얼마입니까|얼마지|에|에서|올린|우리\
    |우리의|원|위치한|으로|은|을|의|이|이고|이루어진|이며|인|인가요|일어난|있나요|있는|있는지|있니|있던|있습니까|있어|있어요|있었나요|있었어|있지|자료|저|저희|전부|전체|정리|정리해주세요|정리해줘|정보|조회\
    |조회해주세요|조회해줘|좀|주세요|줄래|중|중에|중에서|줘|지금|차트|차트로|찾아|찾아주세요|찾아줘|총총|출력|표|표로|표시|하는|한|해당|해주세요|해줘|했나요|했는지|했어|현재|현황|확인|회사\
    |해주실래요|주실래요|줄래요|해줄래|해줄래요|알려주실래요|알려주시겠어요|알려줄수있어|알려줄수있나요|보여주실래요|보여주시겠어요|보여줄수있나요|인지|야|이야\
    |이에요|예요|얼마일까|얼마일까요|얼마죠|얼마였지|뭐지|뭐죠|무엇인지|뭔지|누구지|누구죠|어디지|어디죠|있죠|있을까|있을까요|알고싶습니다|보고싶어|보고싶어요|부탁드려요\
    |저는|제가|나는|혹시|한해|한해동안|언제였어|언제였나요|언제였지|언제예요|언제였는지|원그래프|원그래프로|막대그래프|막대그래프로|선그래프|선그래프로|파이차트|파이차트로";

/// Words that ask for one row a period.
const BUCKETS: &[(Bucket, &str)] = &[
    (Bucket::Month, "monthly|month by month|월별|매월|매달|달별|월간"),
    (Bucket::Year, "yearly|annual|annually|year by year|연도별|년도별|년별|연별|매년|해마다|연간"),
    (Bucket::Quarter, "quarterly|분기별|매분기|분기마다"),
    (Bucket::Day, "daily|day by day|일별|일자별|날짜별|매일"),
    (Bucket::Weekday, "요일별"),
];

/// Names of periods.
const UNITS: &[(Bucket, &str)] = &[
    (Bucket::Month, "month|달|월"),
    (Bucket::Year, "year|연도|년도|해"),
    (Bucket::Quarter, "quarter|분기"),
    (Bucket::Day, "day|date|날짜|일자"),
    (Bucket::Weekday, "weekday|day of week|day of the week|요일"),
];

/// Periods told from today.
const RELATIVE: &[(Relative, &str)] = &[
    (Relative::LastYear, "last year|previous year|작년|지난해|전년|전년도|작년도"),
    (Relative::ThisYear, "this year|current year|올해|금년|이번해|올"),
    (Relative::BeforeLastYear, "year before last|재작년"),
    (Relative::LastMonth, "last month|previous month|지난달|저번달|전월|지난월"),
    (Relative::ThisMonth, "this month|current month|이번달|이달|당월|금월"),
    (Relative::LastQuarter, "last quarter|previous quarter|지난분기|전분기"),
    (Relative::ThisQuarter, "this quarter|current quarter|이번분기|당분기"),
    (Relative::LastWeek, "last week|previous week|지난주|저번주"),
    (Relative::ThisWeek, "this week|current week|이번주|금주"),
    (Relative::Today, "today|오늘|금일"),
    (Relative::Yesterday, "yesterday|어제|전일"),
    (Relative::PastYear, "past year"),
];

/// Parts of a year.
const PARTS: &[(Part, &str)] = &[
    (Part::Half(1), "first half|h1|1h|상반기"),
    (Part::Half(2), "second half|h2|2h|하반기"),
    (Part::Quarter(1), "q1|first quarter|일분기|1q"),
    (Part::Quarter(2), "q2|second quarter|2q"),
    (Part::Quarter(3), "q3|third quarter|3q"),
    (Part::Quarter(4), "q4|fourth quarter|4q"),
];

/// Names of the months, January first.
const MONTHS: &[&str] = &[
    "january|jan",
    "february|feb",
    "march|mar",
    "april|apr",
    "may",
    "june|jun",
    "july|jul",
    "august|aug",
    "september|sep|sept",
    "october|oct",
    "november|nov",
    "december|dec",
];

/// Names of one thing, as schemas and people call it.
const CONCEPTS: &[&str] = &[
    "customer|client|member|buyer|shopper|고객|회원|손님|구매자",
    "user|account|사용자|유저|이용자",
    "order|purchase|bought|buy|주문|구매|주문건|구매건|발주",
    "order item|line item|order line|order detail|order product|주문상품|주문항목|주문품목|주문상세|주문내역상품",
    "product|item|goods|merchandise|article|상품|제품|품목|물품|물건",
    "category|product category|카테고리|분류|상품분류|상품군|제품군|품목군",
    "city|town|도시|지역|시도",
    "region|area|지역|권역",
    "country|nation|국가|나라",
    "channel|sales channel|order channel|채널|판매채널|주문채널|판매경로|경로",
    "status|order status|state|상태|주문상태|진행상태",
    "segment|customer segment|customer type|고객구분|구분|고객유형|유형|세그먼트",
    "name|이름|성명|명칭",
    "email|e mail|mail|이메일|메일",
    "phone|phone number|telephone|전화번호|연락처|전화",
    "price|priced|cost|가격|판매가|판매가격|값",
    "unit price|단가",
    "quantity|qty|unit|units sold|sales quantity|수량|판매량|판매수량|판매개수|팔린개수|주문수량",
    "amount|value|order value|order amount|order total|total amount|total value|금액|주문금액|주문액|결제금액|결제액|총금액",
    "employee|staff|worker|직원|사원|임직원",
    "department|dept|division|부서|팀",
    "salary|pay|wage|compensation|급여|연봉|월급|임금",
    "hire date|hired|hired on|hired at|joined company|입사일|입사|입사일자|채용",
    "joined on|joined|joined at|join date|signed up|sign up|signup|registered|registration|가입일|가입|가입일자|가입날짜",
    "ordered at|ordered|order date|ordered on|주문일|주문일시|주문일자|주문날짜",
    "created at|created|생성일|생성일시|등록일",
    "gender|sex|성별",
    "age|나이|연령",
    "rating|score|평점|별점|점수",
    "title|job title|position|직급|직위|직책",
    "store|branch|매장|지점",
    "brand|브랜드",
    "supplier|vendor|공급업체|공급사|거래처",
    "payment|결제|지불",
    "review|리뷰|후기",
    "stock|inventory|재고",
    "student|학생",
    "course|강의|과목",
    "teacher|instructor|교사|강사",
    "school|학교",
    "project|프로젝트",
    "book|도서|책",
    "author|저자|작가",
    "invoice|청구서",
    "team|팀",
    "manager|관리자|매니저",
    "delivery|shipment|배송",
    "address|주소",
    "budget|예산",
    "cost|비용",
    "profit|이익|수익",
    "discount|할인|할인액",
    "hour|시간",
];

/// Stored values and what people call them.
const SYNONYMS: &[&str] = &[
    "cancelled|canceled|cancellation|cancel|취소|취소됨|취소한|주문취소|취소건",
    "refunded|refund|환불|환불됨|환불완료",
    "delivered|배송완료|배달완료|배송이완료",
    "shipped|배송중|발송|출고|배송시작",
    "paid|결제|결제완료|결제됨|입금완료",
    "pending|대기|대기중",
    "returned|반품|반품됨",
    "active|활성",
    "inactive|비활성",
    "seoul|서울|서울시",
    "busan|pusan|부산|부산시",
    "daegu|대구|대구시",
    "incheon|인천|인천시",
    "gwangju|광주|광주시",
    "daejeon|대전|대전시",
    "ulsan|울산|울산시",
    "jeju|제주|제주도|제주시",
    "london|런던",
    "new york|뉴욕|new york city|nyc",
    "tokyo|도쿄|동경",
    "berlin|베를린",
    "paris|파리",
    "individual|personal|consumer|개인|개인고객",
    "business|corporate|corporation|기업|법인|기업고객|enterprise",
    "electronics|electronic|전자제품|전자|가전|가전제품",
    "clothing|clothes|apparel|fashion|의류|옷|패션",
    "food|grocery|groceries|식품|음식|식료품",
    "book|books|도서|책|서적",
    "furniture|가구",
    "cosmetics|cosmetic|beauty|makeup|화장품|뷰티",
    "web|website|웹|웹사이트|홈페이지",
    "app|mobile|mobile app|앱|어플|모바일|모바일앱",
    "store|offline|offline store|in store|매장|오프라인|오프라인매장|스토어",
    "male|m|남성|남자",
    "female|f|여성|여자",
];

/// Particles and endings that may follow a noun, longest first.
const ENDINGS: &str = "되었나요|이었나요|하였나요|해주세요|됐나요|되나요|습니까|에게는|에게서|에서는|에서의|였나요|으로는|의경우|이었던|이었어|이에요|인가요|일까요|입니까|중에는|중에서|할까요|했나요|했는지|했을까|경우|나요|동안|됐던\
    |됐어|되는|된것|들은|들을|들의|들이|로는|에게|에는|에서|에선|에요|였던|였어|예요|으로|이고|이나|이니|이라|이며|이야|인가|인지|일까|중에|하는|하라|한것|해라|해줘|했던|했어|가|간|까|나|내|는|니|님\
    |도|됐|되|된|들|라|로|를|만|상|씩|야|에|였|요|은|을|의|이|인|죠|중|지|하|한|해";
