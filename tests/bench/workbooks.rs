//! Large files, from the first byte of the upload to the finished analysis.

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use datagenie_local::{system::http::Api, with_servers::TempFolder};
use reqwest::{Method, header};
use rust_xlsxwriter::{Format, Workbook};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Fleet, With},
    proc::{peak_mb, tree_mb},
};

/// How often memory is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(300);
const BOUNDARY: &str = "0123456789abcdefghij";
const REGIONS: [&str; 10] = ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원"];
const HEADERS: [&str; 12] =
    ["주문번호", "주문일시", "고객명", "지역", "상품분류", "상품코드", "수량", "단가", "할인율", "결제완료", "배송일", "비고"];
/// 2023-01-01 as workbooks count days.
const FIRST_DAY: f64 = 44_927.0;

/// What one file took.
#[derive(Debug, Serialize)]
pub struct Analysed {
    /// Its size.
    pub mb: f64,
    /// From the first byte to 201.
    pub upload_seconds: f64,
    /// From the order to the finished analysis.
    pub analysis_seconds: f64,
    /// Rows of its first table.
    pub rows: u64,
    /// The highest proportional set of the worker with the process that reads.
    pub worker_peak_mb: f64,
    /// The worker before it began.
    pub worker_before_mb: f64,
    /// The api's highest memory, above what it had before.
    pub api_added_mb: f64,
}

/// Uploads and analyses a workbook of this many rows and twelve columns, and a csv of that many; or one file of the caller's.
pub async fn workbooks(fleet: &mut Fleet, own: Option<&Path>, rows: u32, csv_rows: u32) -> anyhow::Result<Vec<(String, Analysed)>> {
    let folder = TempFolder::new("bench-workbooks")?;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    if let Some(own) = own {
        files.push(("workbook".to_owned(), own.to_owned()));
    } else {
        files.push((format!("xlsx of {rows} rows"), xlsx(folder.path(), rows)?));
        files.push((format!("csv of {csv_rows} rows"), csv(folder.path(), csv_rows)?));
    }
    let mut found = Vec::new();
    for (name, path) in files {
        fleet.begin(With::Workers).await?;
        found.push((name, Box::pin(analysed(fleet, &path)).await?));
    }
    Ok(found)
}

async fn analysed(fleet: &Fleet, path: &Path) -> anyhow::Result<Analysed> {
    let (api, key, api_pid, worker) = (Api::new(&fleet.run.url)?, fleet.run.api_key.clone(), fleet.api_pid()?, fleet.worker_pid()?);
    let content = fs::read(path).with_context(|| path.display().to_string())?;
    let mb = content.len() as f64 / 1024.0 / 1024.0;
    let name = path.extension().and_then(|extension| extension.to_str()).unwrap_or("bin");
    let mut body = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"bench.{name}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend(content);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    let (api_before, worker_before_mb, began) = (peak_mb(api_pid, true)?, tree_mb(worker), Instant::now());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = api.http().post(format!("{}/v1/files", api.url())).bearer_auth(&key).header(header::CONTENT_TYPE, kind).body(body);
    let answer = request.send().await.context("an upload")?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("an upload was answered {status}: {text}");
    }
    let upload_seconds = began.elapsed().as_secs_f64();
    let file: Value = serde_json::from_str(&text)?;
    let path = format!("/v1/files/{}/analysis", file["id"].as_str().context("the api gave no id")?);

    let began = Instant::now();
    api.call(Method::POST, &path, Some(&key), None).await?;
    let (mut worker_peak_mb, mut looks) = (worker_before_mb, 0_u32);
    let analysis = loop {
        worker_peak_mb = tree_mb(worker).max(worker_peak_mb);
        looks += 1;
        // Its memory is looked at often, the api asked now and then.
        if looks.is_multiple_of(5) {
            let analysis = api.call(Method::GET, &path, Some(&key), None).await?;
            match analysis["status"].as_str() {
                Some("success") => break analysis,
                Some("pending") => {}
                _ => bail!("the analysis ended otherwise: {analysis}"),
            }
        }
        if began.elapsed() > LONGEST {
            bail!("the analysis took more than {} s", LONGEST.as_secs());
        }
        sleep(LOOK_AGAIN).await;
    };
    let analysis_seconds = began.elapsed().as_secs_f64();
    let rows = analysis["tables"][0]["rows"].as_u64().unwrap_or_default();
    let api_added_mb = peak_mb(api_pid, false)? - api_before;
    Ok(Analysed { mb, upload_seconds, analysis_seconds, rows, worker_peak_mb, worker_before_mb, api_added_mb })
}

/// Something like random: the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn xlsx(folder: &Path, rows: u32) -> anyhow::Result<PathBuf> {
    let (path, mut dice, mut book) = (folder.join("bench.xlsx"), Dice(42), Workbook::new());
    let (time, day) = (Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"), Format::new().set_num_format("yyyy-mm-dd"));
    let sheet = book.add_worksheet_with_constant_memory()?;
    for (column, header) in (0_u16..).zip(HEADERS) {
        sheet.write_string(0, column, header)?;
    }
    for row in 1..=rows {
        let date = FIRST_DAY + dice.below(900) as f64;
        sheet.write_number(row, 0, 1_000_000.0 + f64::from(row))?;
        sheet.write_number_with_format(row, 1, date + dice.below(86_400) as f64 / 86_400.0, &time)?;
        sheet.write_string(row, 2, format!("고객 {}", dice.below(4_000)))?;
        sheet.write_string(row, 3, REGIONS[usize::try_from(dice.below(10))?])?;
        sheet.write_string(row, 4, ["가전", "식품", "의류"][usize::try_from(dice.below(3))?])?;
        sheet.write_string(row, 5, format!("SKU-{:05}", dice.below(20_000)))?;
        sheet.write_number(row, 6, dice.below(50) as f64 + 1.0)?;
        sheet.write_number(row, 7, dice.below(50_000) as f64 * 100.0)?;
        if dice.below(10) > 3 {
            sheet.write_number(row, 8, dice.below(500) as f64 / 1000.0)?;
        }
        sheet.write_boolean(row, 9, dice.below(10) > 0)?;
        sheet.write_number_with_format(row, 10, date + dice.below(9) as f64, &day)?;
        if dice.below(10) > 6 {
            sheet.write_string(row, 11, "문 앞에 놓아 주세요")?;
        }
    }
    book.save(&path)?;
    Ok(path)
}

fn csv(folder: &Path, rows: u32) -> anyhow::Result<PathBuf> {
    let (path, mut dice) = (folder.join("bench.csv"), Dice(42));
    let mut file = BufWriter::new(fs::File::create(&path)?);
    writeln!(file, "{}", HEADERS.join(","))?;
    for row in 1..=rows {
        let (month, day) = (dice.below(12) + 1, dice.below(28) + 1);
        writeln!(
            file,
            "{},2024-{month:02}-{day:02} {:02}:{:02}:00,고객 {},{},의류,SKU-{:05},{},{},0.{:03},{},2024-{month:02}-{day:02},",
            1_000_000 + row,
            dice.below(24),
            dice.below(60),
            dice.below(4_000),
            REGIONS[usize::try_from(dice.below(10))?],
            dice.below(20_000),
            dice.below(50) + 1,
            dice.below(50_000) * 100,
            dice.below(500),
            dice.below(10) > 0,
        )?;
    }
    file.flush()?;
    Ok(path)
}
