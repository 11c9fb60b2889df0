//! The words that the sample is made of.

/// A city: name, share of the customers in percent, whether its customers have Korean names.
pub const CITIES: [(&str, u64, bool); 12] = [
    ("서울", 30, true),
    ("부산", 14, true),
    ("대구", 9, true),
    ("인천", 11, true),
    ("광주", 6, true),
    ("대전", 6, true),
    ("울산", 5, true),
    ("제주", 5, true),
    ("London", 5, false),
    ("New York", 4, false),
    ("Tokyo", 3, false),
    ("Berlin", 2, false),
];

/// Korean family names, and how they are written in an address.
pub const FAMILY_NAMES: [(&str, &str); 10] = [
    ("김", "kim"),
    ("이", "lee"),
    ("박", "park"),
    ("최", "choi"),
    ("정", "jung"),
    ("강", "kang"),
    ("조", "cho"),
    ("윤", "yoon"),
    ("장", "jang"),
    ("임", "lim"),
];

/// Korean given names, and how they are written in an address.
pub const GIVEN_NAMES: [(&str, &str); 20] = [
    ("민준", "minjun"),
    ("서연", "seoyeon"),
    ("도윤", "doyoon"),
    ("지우", "jiwoo"),
    ("하준", "hajun"),
    ("서윤", "seoyun"),
    ("지호", "jiho"),
    ("수아", "sua"),
    ("예준", "yejun"),
    ("하은", "haeun"),
    ("지훈", "jihoon"),
    ("민서", "minseo"),
    ("현우", "hyunwoo"),
    ("지민", "jimin"),
    ("준서", "junseo"),
    ("채원", "chaewon"),
    ("유진", "yujin"),
    ("은우", "eunwoo"),
    ("다은", "daeun"),
    ("성민", "sungmin"),
];

/// English first names.
pub const FIRST_NAMES: [&str; 16] = [
    "Emma", "Liam", "Olivia", "Noah", "Ava", "Oliver", "Sophia", "James", "Isabella", "William", "Mia", "Henry", "Amelia", "Lucas",
    "Harper", "Daniel",
];

/// English last names.
pub const LAST_NAMES: [&str; 16] = [
    "Smith", "Johnson", "Brown", "Taylor", "Wilson", "Davies", "Evans", "Thomas", "Walker", "Wright", "Robinson", "Thompson", "White",
    "Hughes", "Edwards", "Green",
];

/// First and second halves of the names of Korean companies.
pub const COMPANIES: [&str; 8] = ["한빛", "새롬", "대성", "미래", "가온", "누리", "다온", "해솔"];
/// See [`COMPANIES`].
pub const COMPANY_ENDINGS: [&str; 4] = ["상사", "유통", "산업", "물산"];
/// First and second halves of the names of other companies.
pub const FOREIGN_COMPANIES: [&str; 8] = ["Harbor", "Summit", "Oakridge", "Bluebell", "Northgate", "Riverside", "Sterling", "Maple"];
/// See [`FOREIGN_COMPANIES`].
pub const FOREIGN_COMPANY_ENDINGS: [&str; 4] = ["Ltd", "Trading", "Studio", "Partners"];

/// A category: name, share of the items sold in percent, the second variant of each product and its price in percent
/// of the first, and the products with their prices in won.
pub type Category = (&'static str, u64, &'static str, u64, [(&'static str, u64); 10]);

/// What the shop sells.
pub const CATEGORIES: [Category; 6] = [
    (
        "전자제품",
        22,
        "프로",
        140,
        [
            ("무선 이어폰", 89_000),
            ("블루투스 스피커", 65_000),
            ("기계식 키보드", 119_000),
            ("게이밍 마우스", 59_000),
            ("27인치 모니터", 289_000),
            ("노트북", 1_290_000),
            ("태블릿", 549_000),
            ("스마트워치", 259_000),
            ("보조배터리", 39_000),
            ("USB-C 허브", 45_000),
        ],
    ),
    (
        "의류",
        24,
        "프리미엄",
        160,
        [
            ("면 티셔츠", 19_900),
            ("청바지", 49_900),
            ("후드 집업", 59_000),
            ("경량 패딩", 99_000),
            ("울 코트", 189_000),
            ("린넨 셔츠", 45_000),
            ("운동화", 79_000),
            ("니트 스웨터", 55_000),
            ("트레이닝 바지", 35_000),
            ("가죽 벨트", 29_000),
        ],
    ),
    (
        "식품",
        26,
        "선물세트",
        250,
        [
            ("원두커피", 15_900),
            ("제주 감귤", 22_000),
            ("한우 불고기", 45_000),
            ("홍삼 스틱", 38_000),
            ("현미 쌀", 28_000),
            ("올리브유", 18_500),
            ("견과 믹스", 16_000),
            ("녹차", 9_900),
            ("꿀", 24_000),
            ("김", 12_000),
        ],
    ),
    (
        "도서",
        12,
        "개정판",
        115,
        [
            ("데이터 분석 입문", 28_000),
            ("러스트 프로그래밍", 36_000),
            ("한국사 산책", 18_000),
            ("경제학 첫걸음", 22_000),
            ("집밥 요리책", 17_000),
            ("제주 여행 안내", 16_500),
            ("어린이 과학", 13_000),
            ("마음 심리학", 16_000),
            ("투자의 기초", 19_500),
            ("영어 회화", 15_000),
        ],
    ),
    (
        "가구",
        6,
        "오크",
        130,
        [
            ("사무용 의자", 159_000),
            ("원목 책상", 249_000),
            ("책장", 129_000),
            ("소파", 690_000),
            ("침대 프레임", 420_000),
            ("협탁", 69_000),
            ("식탁", 330_000),
            ("행거", 49_000),
            ("서랍장", 179_000),
            ("스탠드 조명", 75_000),
        ],
    ),
    (
        "화장품",
        10,
        "대용량",
        170,
        [
            ("수분 크림", 32_000),
            ("선크림", 21_000),
            ("클렌징 폼", 12_900),
            ("립스틱", 24_000),
            ("마스크 팩", 15_000),
            ("샴푸", 18_000),
            ("바디 로션", 17_500),
            ("향수", 68_000),
            ("핸드 크림", 9_900),
            ("쿠션 파운데이션", 36_000),
        ],
    ),
];
