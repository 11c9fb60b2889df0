//! A plan, as EXPLAIN tells it in JSON: which relations it reads and what it costs. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A relation's schema and name.
pub(super) type Name = (String, String);

/// What a plan says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    /// What it reads.
    pub(super) relations: BTreeSet<Name>,
    /// The planner's total cost.
    pub(super) cost: Option<f64>,
}

#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "Plan")]
    plan: Node,
}

/// Of a node only what is looked at: its expressions may be megabytes.
#[derive(Deserialize)]
struct Node {
    #[serde(rename = "Node Type", default)]
    kind: String,
    #[serde(rename = "Parent Relationship", default)]
    relationship: String,
    #[serde(rename = "Schema", default)]
    schema: String,
    #[serde(rename = "Relation Name")]
    relation: Option<String>,
    /// Foreign tables that their own server joins.
    #[serde(rename = "Relations")]
    joined: Option<String>,
    #[serde(rename = "Total Cost")]
    cost: Option<f64>,
    #[serde(rename = "Plans", default)]
    below: Vec<Node>,
}

impl Told {
    /// Reads a plan; none: it is none, or nested deeper than JSON may be.
    pub(super) fn read(json: &str) -> Option<Self> {
        let plans: Vec<Explained> = serde_json::from_str(json).ok()?;
        let mut told = Self::default();
        for Explained { plan } in plans {
            told.cost = plan.cost.map(|cost| cost + told.cost.unwrap_or_default());
            told.walk(plan);
        }
        Some(told)
    }

    fn walk(&mut self, node: Node) {
        // An extension that reads a relation in its own way (compressed, columnar, spread over servers) shows how below it, by tables
        // that are its own business. What the statement itself computes there is not.
        let has_own_ways = node.relation.is_some() && node.kind == "Custom Scan";
        if let Some(name) = node.relation {
            self.relations.insert((node.schema, name));
        }
        if let Some(joined) = node.joined {
            self.relations.extend(qualified_names(&joined));
        }
        for child in node.below {
            if !has_own_ways || matches!(child.relationship.as_str(), "InitPlan" | "SubPlan") {
                self.walk(child);
            }
        }
    }
}

/// The names in `(public.orders o) INNER JOIN (crm."Big Customers" c)`: two identifiers with a dot between.
fn qualified_names(text: &str) -> Vec<Name> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut schema: Option<String> = None;
    while let Some(first) = rest.chars().next() {
        if !is_word(first) && first != '"' {
            rest = &rest[first.len_utf8()..];
            schema = None;
            continue;
        }
        let (word, after) = identifier(rest);
        rest = after;
        match (schema.take(), rest.strip_prefix('.')) {
            (Some(schema), _) => found.push((schema, word)),
            (None, Some(after)) => {
                schema = Some(word);
                rest = after;
            }
            (None, None) => {}
        }
    }
    found
}

/// The identifier at the beginning, without its quotes, and what follows it.
fn identifier(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut word = String::new();
    let mut rest = quoted;
    loop {
        let Some(end) = rest.find('"') else {
            word.push_str(rest);
            return (word, "");
        };
        word.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        // Two quotes are one.
        let Some(after) = rest.strip_prefix('"') else { return (word, rest) };
        word.push('"');
        rest = after;
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names(told: &Told) -> Vec<String> {
        told.relations.iter().map(|(schema, name)| format!("{schema}.{name}")).collect()
    }

    fn read(plan: &Value) -> Told {
        Told::read(&json!([{ "Plan": plan }]).to_string()).expect("it is a plan")
    }

    #[test]
    fn what_any_node_reads_is_told_once() {
        let told = read(&json!({
            "Node Type": "Hash Join", "Total Cost": 57.25,
            "Plans": [
                { "Node Type": "Seq Scan", "Parent Relationship": "InitPlan", "Relation Name": "salaries", "Schema": "hr", "Total Cost": 9 },
                { "Node Type": "Index Only Scan", "Relation Name": "orders", "Schema": "public", "Index Name": "orders_pkey" },
                { "Node Type": "Function Scan", "Function Name": "generate_series", "Schema": "pg_catalog" },
                { "Node Type": "Hash", "Plans": [{ "Node Type": "Seq Scan", "Relation Name": "orders", "Schema": "public" }] },
            ],
        }));
        assert_eq!(names(&told), ["hr.salaries", "public.orders"]);
        assert_eq!(told.cost, Some(57.25));
    }

    #[test]
    fn foreign_tables_joined_elsewhere_are_told() {
        let told = read(&json!({
            "Node Type": "Foreign Scan", "Schema": "public",
            "Relations": "Aggregate on ((public.ft1 r1) INNER JOIN (crm.\"Big \"\"X\"\" Customers\" c)) LEFT JOIN (\"o.d\".t)",
        }));
        assert_eq!(names(&told), ["crm.Big \"X\" Customers", "o.d.t", "public.ft1"]);
    }

    #[test]
    fn how_an_extension_reads_its_own_is_its_business() {
        let told = read(&json!({
            "Node Type": "Custom Scan", "Custom Plan Provider": "DecompressChunk", "Relation Name": "chunk", "Schema": "internal",
            "Plans": [
                { "Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "compressed_chunk", "Schema": "internal" },
                { "Node Type": "Seq Scan", "Parent Relationship": "SubPlan", "Relation Name": "salaries", "Schema": "hr" },
            ],
        }));
        assert_eq!(names(&told), ["hr.salaries", "internal.chunk"]);
    }

    #[test]
    fn what_is_no_plan_is_none() {
        let deep = format!("[{{\"Plan\": {}{}}}]", "{\"Plans\": [".repeat(100), "]}".repeat(100));
        for wrong in ["", "{}", "[1]", "[{}]", deep.as_str()] {
            assert_eq!(Told::read(wrong), None, "{wrong}");
        }
    }
}
