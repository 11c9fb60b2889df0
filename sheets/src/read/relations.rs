//! Which part of a package refers to which, as its `.rels` parts tell.

use super::{
    package::Package,
    xml::{Token, Xml, unescaped},
};
use crate::{error::ReadError, skipped::NoWorksheet};

/// One part's reference to another.
pub(super) struct Relation {
    pub(super) id: String,
    /// The last word of its type: `worksheet`, `sharedStrings`.
    pub(super) kind: String,
    /// The other part, by its whole name.
    pub(super) target: String,
}

/// The relations of a part; of the package itself for an empty name.
pub(super) fn of(package: &mut Package, part: &str) -> Result<Vec<Relation>, ReadError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let slash = if folder.is_empty() { "" } else { "/" };
    let mut found = Vec::new();
    let Some(part) = package.part(&format!("{folder}{slash}_rels/{name}.rels"))? else { return Ok(found) };
    let mut xml = Xml::new(part)?;
    loop {
        match xml.next()? {
            Token::Open(tag) if tag.name == b"Relationship" => {
                let mut relation = Relation { id: String::new(), kind: String::new(), target: String::new() };
                for (name, value) in tag.attributes() {
                    match name {
                        b"Id" => relation.id = unescaped(value)?,
                        b"Type" => relation.kind = unescaped(value)?.rsplit('/').next().unwrap_or_default().to_owned(),
                        b"Target" => relation.target = resolve(folder, &unescaped(value)?),
                        _ => {}
                    }
                }
                found.push(relation);
            }
            Token::End => return Ok(found),
            _ => {}
        }
    }
}

// The whole name of a part that is named as seen from a folder.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let mut names: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.retain(|name| !name.is_empty());
    names.join("/")
}

/// The main part of a package: the one that the package names, or else the one that has this name.
pub(super) fn main_part(package: &mut Package, usual: &str) -> Result<String, ReadError> {
    let named = of(package, "")?.into_iter().find(|relation| relation.kind == "officeDocument").map(|relation| relation.target);
    Ok(named.filter(|name| package.has(name)).unwrap_or_else(|| usual.to_owned()))
}

/// The part that a workbook refers to by a kind, or else the one that has this name.
pub(super) fn by_kind(relations: &[Relation], kind: &str, usual: &str) -> String {
    relations.iter().find(|relation| relation.kind == kind).map_or_else(|| usual.to_owned(), |relation| relation.target.clone())
}

/// What a sheet is, by the kind of its relation; none if it is one with cells.
pub(super) fn no_worksheet(kind: &str) -> Option<NoWorksheet> {
    match kind {
        "worksheet" => None,
        "chartsheet" => Some(NoWorksheet::Chart),
        "dialogsheet" => Some(NoWorksheet::Dialog),
        "xlMacrosheet" | "xlIntlMacrosheet" => Some(NoWorksheet::Macros),
        _ => Some(NoWorksheet::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_seen_from_their_folder() {
        assert_eq!(resolve("xl", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("xl/worksheets", "../tables/table1.xml"), "xl/tables/table1.xml");
        assert_eq!(resolve("xl", "/xl/worksheets\\sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("", "xl/workbook.xml"), "xl/workbook.xml");
        assert_eq!(resolve("xl", "../../../a.xml"), "a.xml");
    }
}
