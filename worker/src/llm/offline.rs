//! temp
pub struct PlanInput<'a> {
    pub question: &'a str,
    pub schema: &'a datagenie_common::model::schemas::SourceSchema,
    pub dialect: datagenie_common::model::connections::DbType,
    pub today: chrono::NaiveDate,
    pub previous: Option<&'a str>,
}
pub fn plan(_input: &PlanInput<'_>) -> super::Draft {
    super::Draft::default()
}
pub const MODEL_NAME: &str = "offline-planner";
