//! Where tables lie, what their headers are, and which rows are no data.

use super::*;

#[test]
fn a_report_with_title_unit_groups_sections_and_totals() {
    let lines = [
        "2024년 지점별 매출 현황",
        "작성: 영업기획팀|||||(단위: 천원)",
        "",
        "지점|1분기||2분기||비고",
        "|매출|비용|매출|비용|",
        "수도권",
        "서울|100|40|120|50|",
        "인천|60|30|70|30|신규",
        "소계|160|70|190|80|",
        "영남권",
        "부산|80|20|90|25|",
        "대구|40|15|45|20|",
        "소계|120|35|135|45|",
        "총 계|280|105|325|125|",
        "※ 잠정치임",
    ];
    let merges = ["A4:A5", "B4:C4", "D4:E4", "F4:F5", "A6:F6", "A10:F10"];
    let went = went(&sheet("현황", &lines, &merges));
    let table = went.only();
    assert_eq!((table.title.as_deref(), table.header_rows, table.rows), (Some("2024년 지점별 매출 현황"), 2, 4));
    assert_eq!(went.names(0), ["지점", "1분기 매출", "1분기 비용", "2분기 매출", "2분기 비용", "비고"]);
    assert_eq!(table.total_rows, [9, 13, 14]);
    assert_eq!((went.sum("1분기 매출"), went.sum("2분기 비용")), (Some(280.0), Some(125.0)));
    assert_eq!(went.assumed("section_row"), ["A6:F10 2 rows that only name sections are left out."]);
    assert_eq!(went.assumed("note_row").len(), 1);
}

#[test]
fn a_header_of_three_rows() {
    let lines = [
        "구분|2023년||||2024년|||",
        "|상반기||하반기||상반기||하반기|",
        "|국내|해외|국내|해외|국내|해외|국내|해외",
        "A제품|1|2|3|4|5|6|7|8",
        "B제품|10|20|30|40|50|60|70|80",
    ];
    let merges = ["A1:A3", "B1:E1", "F1:I1", "B2:C2", "D2:E2", "F2:G2", "H2:I2"];
    let went = went(&sheet("S", &lines, &merges));
    assert_eq!((went.only().header_rows, went.only().rows), (3, 2));
    assert_eq!(went.names(0)[..3], ["구분", "2023년 상반기 국내", "2023년 상반기 해외"]);
    assert_eq!((went.names(0)[8], went.sum("2024년 하반기 해외")), ("2024년 하반기 해외", Some(88.0)));
}

#[test]
fn tables_beside_and_below_each_other() {
    let lines = [
        "월|매출||부서|인원",
        "1월|10||영업|5",
        "2월|20||개발|7",
        "3월|30||인사|2",
        "",
        "",
        "도시|인구|면적||",
        "서울|900|605||",
        "부산|330|770||",
    ];
    let went = went(&sheet("S", &lines, &[]));
    assert_eq!(went.ranges(), ["S!A1:B4", "S!D1:E4", "S!A7:C9"]);
    assert_eq!((went.sum("매출"), went.sum("인원"), went.sum("인구")), (Some(60.0), Some(14.0), Some(1_230.0)));
    assert_eq!(went.assumed("several_tables").len(), 3);
}

#[test]
fn totals_are_marked_and_not_counted() {
    for last in ["합계|6|60", "합 계 (원)|6|60", "Total|6|60", "Grand total:|6|60", "|6|60", "총 판매 금액|6|60", "전체|6|60", "평균|2|20"]
    {
        let went = went(&sheet("S", &["이름|수량|금액", "가|1|10", "나|2|20", "다|3|30", last], &[]));
        assert_eq!((went.only().rows, &went.only().total_rows[..]), (3, &[5][..]), "{last}");
        assert_eq!((went.sum("수량"), went.sum("금액")), (Some(6.0), Some(60.0)), "{last}");
        assert_eq!(went.only().range, "A1:C5");
    }
    let went = went(&sheet("S", &["이름|수량|금액", "가|1|10", "나|2|20", "다|3|30", "합계|6|60", "평균|2|20", "최대|3|30"], &[]));
    assert_eq!((went.only().rows, &went.only().total_rows[..]), (3, &[5, 6, 7][..]));
}

#[test]
fn a_total_may_stand_first() {
    for first in ["전국|60", "합계|60", "Total|60"] {
        let went = went(&sheet("S", &["지역|인구", first, "서울|10", "부산|20", "대구|30"], &[]));
        assert_eq!((went.sum("인구"), &went.only().total_rows[..]), (Some(60.0), &[2][..]), "{first}");
    }
}

#[test]
fn what_only_looks_like_a_total_is_data() {
    for last in ["총무팀|4|40", "Total Energies|7|3", "전체관리|9|1", "|6|61", "Max|1|5"] {
        let went = went(&sheet("S", &["이름|수량|금액", "가|1|10", "나|2|20", "다|3|30", last], &[]));
        assert_eq!((went.only().rows, went.only().total_rows.len()), (4, 0), "{last}");
    }
    // The last of a running number without a name is no total of the others.
    let went = went(&sheet("S", &["n|m", "1|5", "2|6", "3|11"], &[]));
    assert_eq!(went.only().rows, 3);
}

#[test]
fn formulas_that_add_up_are_totals_too() {
    let lines = ["이름|금액", "가|10", "나|20", "다|30", "합계|=SUM(B2:B4)→60"];
    let went = went(&sheet("S", &lines, &[]));
    assert_eq!((went.sum("금액"), went.only().rows), (Some(60.0), 3));
}

#[test]
fn blank_rows_and_columns_within_a_table() {
    let lines = ["이름|부서||금액", "가|영업||1", "", "나|개발||2", "", "", "다|영업||3"];
    let went = went(&sheet("S", &lines, &[]));
    assert_eq!((went.only().rows, went.names(0), went.sum("금액")), (3, vec!["이름", "부서", "금액"], Some(6.0)));
}

#[test]
fn names_that_are_missing_or_doubled() {
    let went = went(&sheet("S", &["금액||금액|금액", "1|2|3|4", "5|6|7|8"], &[]));
    assert_eq!(went.names(0), ["금액", "column_2", "금액_2", "금액_3"]);
    let texts = ["이름|도시||직급", "김|서울|가|대리", "이|부산|나|과장", "박|대구|다|부장", "최|서울|라|사원"];
    let went = super::went(&sheet("S", &texts, &[]));
    assert_eq!((went.names(0), went.only().rows), (vec!["이름", "도시", "column_3", "직급"], 4));
}

#[test]
fn months_and_years_may_be_names_of_columns() {
    let went = went(&sheet("S", &["지역|'2024-01|'2024-02|'2024-03", "서울|1|2|3", "부산|4|5|6"], &[]));
    assert_eq!((went.names(0), went.sum("2024-03")), (vec!["지역", "2024-01", "2024-02", "2024-03"], Some(9.0)));
    let went = super::went("지역,2022,2023\n서울,1,2\n부산,3,4\n".as_bytes());
    assert_eq!((went.names(0), went.sum("2023")), (vec!["지역", "2022", "2023"], Some(6.0)));
    let went = super::went(&sheet("S", &["지역|'2022|'2023", "서울|1|2", "부산|3|4"], &[]));
    assert_eq!(went.names(0), ["지역", "2022", "2023"]);
}

#[test]
fn merged_cells_of_data_hold_for_all_their_rows() {
    let lines = ["권역|지점|매출", "수도권|서울|1", "|인천|2", "영남|부산|3", "|대구|4"];
    let went = went(&sheet("S", &lines, &["A2:A3", "A4:A5"]));
    let rows = went.rows("SELECT 권역, sum(매출) FROM S GROUP BY 권역 ORDER BY 1");
    assert_eq!(rows, ["수도권|3", "영남|7"]);
}

#[test]
fn many_merged_cells_and_columns_take_no_longer_than_their_cells() {
    let mut writer = Writer::new();
    let sheet = writer.add_worksheet();
    for col in 0..300 {
        sheet.write(0, col, format!("c{col}")).expect("in range");
    }
    for row in (1..6_001).step_by(2) {
        sheet.merge_range(row, 0, row + 1, 0, &format!("g{row}"), &Format::new()).expect("in range");
        sheet.write(row, 1, row).expect("in range").write(row + 1, 1, row).expect("in range");
        sheet.write(row, 299, 1).expect("in range");
    }
    let went = went(&writer.save_to_buffer().expect("memory can be written"));
    assert_eq!(went.rows("SELECT count(*), count(c0), count(DISTINCT c0) FROM Sheet1"), ["6000|6000|3000"]);
}

#[test]
fn descriptions_above_a_table_are_none() {
    let lines = [
        "거래내역",
        "계좌번호|123-456-789",
        "작성일|d:2024-03-05",
        "",
        "일자|적요|금액",
        "d:2024-03-01|급여|100",
        "d:2024-03-02|이체|-30",
        "d:2024-03-03|이자|1",
    ];
    let went = went(&sheet("S", &lines, &[]));
    assert_eq!((went.ranges(), went.sum("금액")), (vec!["S!A5:C8".to_owned()], Some(71.0)));
    // Two short tables of numbers are tables.
    let went = super::went(&sheet("S", &["구분|값", "가|1", "나|2", "", "월|매출|비용", "1월|1|2", "2월|3|4"], &[]));
    assert_eq!(went.ranges(), ["S!A1:B3", "S!A5:C7"]);
}

#[test]
fn an_outline_has_each_name_once() {
    let lines = ["지역|구|인구", "서울|강남|100", "|서초|90", "|송파|80", "부산|해운대|70", "|수영|60"];
    let went = went(&sheet("S", &lines, &[]));
    assert_eq!(went.rows("SELECT 지역, sum(인구) FROM S GROUP BY 지역 ORDER BY 1"), ["부산|130", "서울|270"]);
    assert_eq!(went.assumed("blank_as_above"), ["A2:A6 In the column “지역” blank cells mean the value above them."]);
    let gaps = super::went(&sheet("S", &["이름|값", "가|1", "|2", "나|3", "다|4", "라|5"], &[]));
    assert_eq!(gaps.column("이름").nulls, 1, "one gap is a gap");
}

#[test]
fn years_may_stand_above_names_without_merged_cells() {
    let went = went(&sheet("S", &["|2023||2024|", "지역|매출|비용|매출|비용", "서울|1|2|3|4", "부산|5|6|7|8"], &[]));
    assert_eq!(went.names(0), ["지역", "2023 매출", "2023 비용", "2024 매출", "2024 비용"]);
    let went = super::went(&sheet("S", &["|2023년||2024년|", "지역|매출|비용|매출|비용", "서울|1|2|3|4", "부산|5|6|7|8"], &[]));
    assert_eq!(went.names(0), ["지역", "2023년 매출", "2023년 비용", "2024년 매출", "2024년 비용"]);
}

#[test]
fn a_line_of_text_below_numbers_is_a_note() {
    let went = went(&sheet("S", &["id|name|amount", "1|a|10", "2|b|20", "3|c|30", "Total records: 3"], &[]));
    assert_eq!((went.kind("id"), went.only().rows, went.assumed("note_row").len()), ("integer", 3, 1));
}
