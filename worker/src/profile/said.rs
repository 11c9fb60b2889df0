//! What a column's name, or a short comment on it, says of the people behind its values: `customer_email`, `hpNo`, `고객명`.

use datagenie_common::model::policies::MaskKind;

use crate::question::link::words::{fold, is_hangul, split};

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Personal values of this kind, whatever table they stand in.
    Surely(MaskKind),
    /// Names: of people, if the table is one of people.
    Names,
    /// Somebody by his role (`manager`, `담당자`): by name, if the values look like names.
    Somebody,
}

/// People by what they are to a business, singular.
#[rustfmt::skip]
const PEOPLE: &[&str] = &[
    "customer", "cust", "client", "member", "mbr", "user", "employee", "emp", "staff", "person", "people", "patient", "student", "teacher",
    "guest", "contact", "buyer", "purchaser", "recipient", "receiver", "sender", "subscriber", "passenger", "driver", "rider", "doctor",
    "nurse", "applicant", "candidate", "lead", "donor", "volunteer", "visitor", "resident", "tenant", "author", "writer", "manager",
    "owner", "holder", "cardholder", "insured", "insurant", "beneficiary", "guardian", "parent", "child", "spouse", "instructor", "tutor",
    "worker", "freelancer", "courier", "host", "attendee", "participant", "representative", "rep", "ceo", "salesperson", "seller",
];
const PEOPLE_IN_KOREAN: &[&str] = &[
    "고객",
    "회원",
    "직원",
    "사원",
    "환자",
    "학생",
    "교사",
    "강사",
    "담당자",
    "수령인",
    "수취인",
    "받는사람",
    "보내는사람",
    "사용자",
    "이용자",
    "구매자",
    "주문자",
    "신청자",
    "작성자",
    "보호자",
    "대표자",
    "예약자",
    "가입자",
    "예금주",
    "수강생",
    "방문자",
    "임직원",
    "근로자",
    "운전자",
    "저자",
    "지원자",
    "참가자",
    "응답자",
    "상담원",
    "입주자",
    "세입자",
    "피보험자",
    "계약자",
    "수익자",
];

/// What a column's name says; none: nothing of people.
pub(super) fn of_column(name: &str) -> Option<Said> {
    let words: Vec<String> = split(name).into_iter().map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    match words.last()?.chars().next() {
        Some(first) if is_hangul(first) => in_korean(&words.iter().filter(|word| word.starts_with(is_hangul)).copied().collect::<String>()),
        _ => in_english(&words),
    }
}

/// Whether a table of this name, or with this comment, holds people: `tb_customers`, `member_info`, `회원 정보`.
pub(super) fn is_of_people(table: &str) -> bool {
    let words = split(table);
    let words: Vec<&str> =
        words.iter().map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit())).filter(|word| !word.is_empty()).collect();
    let about = [
        "info",
        "infos",
        "information",
        "detail",
        "details",
        "data",
        "master",
        "mst",
        "list",
        "tbl",
        "table",
        "tb",
        "profile",
        "profiles",
        "view",
        "v",
        "backup",
        "bak",
        "old",
        "new",
        "archive",
    ];
    let about_in_korean = ["정보", "목록", "마스터", "테이블", "명부", "원장", "상세", "프로필"];
    let head = words.iter().rev().find(|word| !about.contains(word) && !about_in_korean.contains(word));
    head.is_some_and(|head| {
        let stem = about_in_korean.iter().find_map(|ending| head.strip_suffix(ending)).unwrap_or(head);
        PEOPLE.contains(&fold(head).as_str()) || PEOPLE_IN_KOREAN.iter().any(|person| stem.ends_with(person))
    })
}

fn in_english(words: &[&str]) -> Option<Said> {
    // `is_email`, `has_phone`: a mark, not the value.
    if words.len() > 1 && ["is", "has", "use", "can", "allow", "allows", "no", "enable"].contains(&words[0]) {
        return None;
    }
    let (last, before) = words.split_last()?;
    let previous = before.last().copied().unwrap_or_default();
    let number = ["no", "num", "number", "nbr"].contains(last);
    let kind = match (previous, *last) {
        (_, "email" | "mail" | "emailaddress" | "emailaddr" | "mailaddress") => MaskKind::Email,
        ("email" | "mail", "address" | "addr" | "id") => MaskKind::Email,
        (
            _,
            "phone" | "telephone" | "mobile" | "cellphone" | "handphone" | "tel" | "hp" | "phoneno" | "phonenumber" | "telno" | "hpno"
            | "mobileno",
        ) => MaskKind::Phone,
        ("phone" | "telephone" | "mobile" | "cell" | "cellphone" | "handphone" | "tel" | "hp" | "contact" | "call", _) if number => {
            MaskKind::Phone
        }
        (_, "cardno" | "cardnumber" | "cardnum" | "creditcard") => MaskKind::CardNumber,
        ("card", _) if number => MaskKind::CardNumber,
        (_, "fullname" | "firstname" | "lastname" | "surname" | "realname" | "customername" | "custname" | "membername" | "empname") => {
            MaskKind::Name
        }
        ("full" | "first" | "last" | "middle" | "family" | "given" | "real" | "legal" | "maiden", "name" | "nm") => MaskKind::Name,
        // A login is called so too, and a shop's user may show himself under any name: the table decides.
        ("" | "user" | "display" | "nick", "name" | "nm") => return Some(Said::Names),
        (person, "name" | "nm") if PEOPLE.contains(&person) => MaskKind::Name,
        (_, role) if PEOPLE.contains(&role) => return Some(Said::Somebody),
        _ => return None,
    };
    Some(Said::Surely(kind))
}

fn in_korean(text: &str) -> Option<Said> {
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| text.ends_with(ending));
    let stem = text.strip_suffix("주소").unwrap_or(text);
    if ["메일", "전자우편"].iter().any(|ending| stem.ends_with(ending)) {
        return Some(Said::Surely(MaskKind::Email));
    }
    if ends_with(&["전화", "전화번호", "휴대폰", "휴대폰번호", "핸드폰", "핸드폰번호", "휴대번호", "연락처"]) {
        return Some(Said::Surely(MaskKind::Phone));
    }
    if ends_with(&["카드번호"]) {
        return Some(Said::Surely(MaskKind::CardNumber));
    }
    if ends_with(&["성명", "성함"]) {
        return Some(Said::Surely(MaskKind::Name));
    }
    if text == "이름" {
        return Some(Said::Names);
    }
    let stem = ["이름", "명"].iter().find_map(|ending| text.strip_suffix(ending));
    if stem.is_some_and(|stem| PEOPLE_IN_KOREAN.iter().any(|person| stem.ends_with(person))) {
        return Some(Said::Surely(MaskKind::Name));
    }
    ends_with(PEOPLE_IN_KOREAN).then_some(Said::Somebody)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn names_of_columns_say_what_they_hold() {
        let cases: [(MaskKind, &[&str]); 4] = [
            (
                MaskKind::Email,
                &[
                    "email", "EMAIL", "e_mail", "eMail", "user_email", "customerEmail", "email1", "email_address", "emailAddr", "mail", "email_id",
                    "이메일", "고객이메일", "이메일주소", "이메일 주소", "메일", "고객_메일", "전자우편",
                ],
            ),
            (
                MaskKind::Phone,
                &[
                    "phone", "phone_number", "phoneNo", "PHONE_NO_2", "mobile", "mobile_no", "tel", "tel_no", "TELNO", "hp", "hp_no", "HPNo",
                    "cell_no", "contact_number", "전화", "전화번호", "집전화번호", "휴대폰", "휴대폰번호", "휴대전화", "연락처", "비상 연락처",
                ],
            ),
            (MaskKind::CardNumber, &["card_no", "card_number", "cardNo", "CARDNUMBER", "credit_card_number", "카드번호", "결제카드번호"]),
            (
                MaskKind::Name,
                &[
                    "full_name", "fullName", "first_name", "LAST_NAME", "customer_name", "cust_nm", "memberName", "emp_nm", "patient_name",
                    "recipient_name", "성명", "고객명", "회원명", "고객 이름", "담당자명", "환자성명",
                ],
            ),
        ];
        for (kind, names) in cases {
            for name in names {
                assert_eq!(of_column(name), Some(Said::Surely(kind)), "{name}");
            }
        }
        for name in ["name", "NAME", "user_name", "display_name", "nm", "이름"] {
            assert_eq!(of_column(name), Some(Said::Names), "{name}");
        }
        for name in ["manager", "account_owner", "담당자", "작성자"] {
            assert_eq!(of_column(name), Some(Said::Somebody), "{name}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn false_friends_say_nothing() {
        for name in [
            "email_sent_at", "email_count", "is_email", "has_phone", "email_verified", "mailing_list", "mail_type", "voicemail_url", "phone_type",
            "phone_model", "telephone_count", "mobile_os", "hp_max", "card_type", "card_id", "score_card", "product_name", "file_name",
            "city_name", "table_name", "product_nm", "customer_group_name", "user_file_name", "company_name", "hostname", "username", "name_count",
            "display_order", "상품명", "제품명", "파일명", "도시명", "부서명", "회사명", "설명", "고객 설명", "증명", "이메일 발송 일시", "전화 여부",
            "메일링", "카드사", "고객번호", "id", "", "_", "123",
        ] {
            assert_eq!(of_column(name), None, "{name}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn tables_of_people_are_told_from_tables_about_them() {
        for name in [
            "customers", "Customer", "tb_customer", "TB_CUSTOMERS", "member_info", "users", "app_users", "employees", "people", "contacts", "staff",
            "patients2", "customerDetails", "고객", "회원정보", "회원 정보", "직원 목록", "tb_고객", "우수고객",
        ] {
            assert!(is_of_people(name), "{name}");
        }
        for name in [
            "products", "orders", "customer_orders", "user_roles", "user_groups", "customer_types", "member_levels", "companies", "suppliers",
            "files", "고객 주문", "고객등급", "상품", "회원등급 정보", "", "info",
        ] {
            assert!(!is_of_people(name), "{name}");
        }
    }
}
