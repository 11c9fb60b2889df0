//! The lists of words in the document, made of the enums that the programs use.

use datagenie_common::{
    charts, files, jobs,
    model::{connections, jobs as job_model, language, policies, questions, results, upkeep, users},
    schedules, settings, store,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::access;

macro_rules! words {
    ($($name:ident, $description:literal: $($words:ident)::+;)+) => {
        $(
            #[doc = $description]
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    list($description, $($words)::+::ALL.iter().map(|word| word.as_str()))
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

words! {
    Role, "What somebody may do: all, what is his own, or only look": users::Role;
    Scope, "What an API key may do": access::Scope;
    DbType, "What kind of database": connections::DbType;
    ConnectionState, "Whether a connection can be asked": connections::ConnectionState;
    MaskKind, "How a column is masked": policies::MaskKind;
    QuestionStatus, "How a question or an analysis stands": questions::QuestionStatus;
    QueryType, "What a question is asked of": questions::QueryType;
    Stage, "What a running job is doing": questions::Stage;
    FailureCode, "Why there is no result": questions::FailureCode;
    InsightKind, "What an insight is about": questions::InsightKind;
    ColumnKind, "What a column's values are to charts and summaries": results::ColumnKind;
    CacheMode, "Whether an answer may come from the cache": jobs::CacheMode;
    JobKind, "What a job does": jobs::JobKind;
    JobState, "How a job stands": job_model::JobState;
    Lane, "Which queue a job waits in": job_model::Lane;
    Language, "The language of sentences": language::Language;
    FileKind, "The kind of a workbook, by its content": files::kind::FileKind;
    ChartType, "The form of a chart": charts::ChartType;
    CatchUp, "What becomes of times that were missed": schedules::CatchUp;
    SettingType, "What kind of value a setting has": settings::ValueType;
    SettingSource, "Where a setting's value comes from": settings::SourceKind;
    Program, "One of the programs": settings::programs::Program;
    UpkeepTask, "What the upkeep keeps": upkeep::UpkeepTask;
    Unfinished, "Which unfinished jobs": store::ledger::cancel::Unfinished;
}

fn list(description: &str, words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(words)).into()
}
