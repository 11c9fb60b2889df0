//! The tables that a query reads, from its text as a server prints it: the note that follows EXPLAIN, and the definition of a view. There
//! every table is written with its database and every name in backticks, but for those of WITH. What stands where a table may stand and is
//! not known to be a name of WITH counts as one: taken for a table, a name is at worst one too many. The text that is explained is read
//! in the same way.

use std::collections::{BTreeSet, HashSet};

use super::tokens::{Kind, Token, tokens};
use crate::guard::Relation;

/// The tables that a printed query names in its FROM clauses, at any depth. One without its database is of the default one.
pub(super) fn tables(printed: &str, default_schema: &str) -> BTreeSet<Relation> {
    let tokens = tokens(printed);
    let mut reader = Reader { tokens: &tokens, levels: vec![Level::default()], with: HashSet::new(), found: Vec::new() };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at = reader.read(token, at);
    }
    let Reader { with, found, .. } = reader;
    let relation = |(schema, table): (Option<String>, String)| match schema {
        Some(schema) => Some(Relation { schema, table }),
        // `<derived2>` and its kin are the server's own.
        None if with.contains(&table) || table.starts_with('<') => None,
        None => Some(Relation { schema: default_schema.to_owned(), table }),
    };
    found.into_iter().filter_map(relation).collect()
}

/// Whether MariaDB would print a query so that it can't be read: what a text with its character set in front holds (`_utf8mb4'it''s'`,
/// `_utf8mb4 X'27'`) it prints bare, and what stands behind a quote in it would pass for a part of the query.
pub(super) fn is_printed_badly(sql: &str) -> bool {
    let tokens = tokens(sql);
    let is_plain = |token: &Token<'_>| {
        let text = sql.get(token.start..token.end).unwrap_or_default();
        let held = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        text.starts_with(['\'', '"']) && !held.contains(['\'', '"', '\\'])
    };
    let is_printed_bare = |(at, token): (usize, &Token<'_>)| {
        let is_character_set = matches!(token.kind, Kind::Word(word) if word.starts_with('_'));
        let mut rest = tokens.iter().skip(at + 1).peekable();
        // Digits, which may be those of a quote.
        let of_digits = rest.next_if(|next| next.is_word("x") || next.is_word("b")).is_some();
        let mut texts = rest.take_while(|next| next.kind == Kind::Literal).peekable();
        is_character_set && if of_digits { texts.peek().is_some() } else { texts.any(|text| !is_plain(text)) }
    };
    tokens.iter().enumerate().any(is_printed_bare)
}

/// Words that end a FROM clause. `FOR` does not: it begins a period of a table with a history.
const ENDS: [&str; 12] =
    ["where", "group", "having", "order", "limit", "offset", "fetch", "window", "union", "except", "intersect", "procedure"];

/// What may stand at a place between two parentheses.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// A SELECT began here, so a FROM here is its clause, not a part of `EXTRACT(… FROM …)`.
    is_select: bool,
    in_from: bool,
    /// A table, or a group of them in parentheses, comes next.
    expects_table: bool,
    in_with: bool,
    expects_with: bool,
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    levels: Vec<Level>,
    with: HashSet<String>,
    found: Vec<(Option<String>, String)>,
}

impl Reader<'_> {
    /// Reads a token; the place of the next one.
    fn read(&mut self, token: &Token<'_>, at: usize) -> usize {
        if token.is_sign('(') {
            let is_group = std::mem::take(&mut self.level().expects_table);
            self.levels.push(Level { in_from: is_group, expects_table: is_group, ..Level::default() });
        } else if token.is_sign(')') {
            // The last one stays: more are closed than were opened only in what no server prints.
            if self.levels.len() > 1 {
                self.levels.pop();
            }
        } else if token.is_sign(',') {
            let level = self.level();
            level.expects_table = level.in_from;
            level.expects_with = level.in_with;
        } else if !self.keyword(token) && token.name().is_some() {
            return self.name(at);
        }
        at + 1
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// Whether it was a keyword that matters here.
    fn keyword(&mut self, token: &Token<'_>) -> bool {
        let is = |word: &str| token.is_word(word);
        let level = self.level();
        if is("select") {
            *level = Level { is_select: true, ..Level::default() };
        } else if is("with") && !level.is_select {
            *level = Level { in_with: true, expects_with: true, ..Level::default() };
        } else if (is("recursive") && level.expects_with) || (is("lateral") && level.expects_table) {
            // What they are about comes next.
        } else if is("from") && level.is_select {
            (level.in_from, level.expects_table) = (true, true);
        } else if (is("join") || is("straight_join")) && level.in_from {
            level.expects_table = true;
        } else if is("dual") && level.expects_table {
            level.expects_table = false;
        } else if level.in_from && (ENDS.iter().any(|end| is(end)) || (is("values") && level.expects_table)) {
            (level.in_from, level.expects_table) = (false, false);
        } else {
            return false;
        }
        true
    }

    /// A name, where one is expected: of one part or of two.
    fn name(&mut self, at: usize) -> usize {
        let tokens = self.tokens;
        let part = |at: usize| tokens.get(at).and_then(Token::name).map(str::to_owned);
        let Some(first) = part(at) else { return at + 1 };
        let second = tokens.get(at + 1).filter(|token| token.is_sign('.')).and_then(|_| part(at + 2));
        let level = self.level();
        let (is_table, is_with) = (std::mem::take(&mut level.expects_table), std::mem::take(&mut level.expects_with));
        let next = if second.is_some() { at + 3 } else { at + 1 };
        // `JSON_TABLE(…)` makes its rows itself. A keyword's way to be written: a table's name has its database before it.
        let is_made = second.is_none()
            && tokens.get(at).is_some_and(|token| token.is_word("json_table"))
            && tokens.get(next).is_some_and(|token| token.is_sign('('));
        if is_made {
            return next;
        }
        if is_table {
            self.found.push(match second {
                Some(second) => (Some(first), second),
                None => (None, first),
            });
        } else if is_with {
            self.with.insert(first);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(printed: &str) -> Vec<String> {
        tables(printed, "shop").into_iter().map(|relation| format!("{}.{}", relation.schema, relation.table)).collect()
    }

    // As printed by MariaDB 10.11.
    #[test]
    fn tables_are_told_from_columns_and_aliases() {
        let join = "select `o`.`id` AS `id`,`c`.`name` AS `name` from `shop`.`orders` `o` join `shop`.`customers` `c` \
            where `o`.`customer_id` = `c`.`id` and `o`.`amount` > 100 order by `c`.`name` limit 5";
        assert_eq!(read(join), ["shop.customers", "shop.orders"]);
        let constant = "select 'from `a`.`b`' AS `s`,`shop`.`secret`.`id` AS `id` from `shop`.`secret` where 1";
        assert_eq!(read(constant), ["shop.secret"]);
        assert_eq!(read("select 1 AS `1` from dual where `x`.`y`"), Vec::<String>::new());
        assert_eq!(read("select 1 AS `1`"), Vec::<String>::new());
    }

    #[test]
    fn every_way_of_joining_is_read() {
        let nested = "select `a`.`x` AS `x` from `shop`.`a` left join (`shop`.`b` join `other`.`c` `d`) on(`d`.`x` = `shop`.`b`.`x` and 1) \
            semi join (`shop`.`e`) join `shop`.`f` straight_join `shop`.`g` where 1";
        assert_eq!(read(nested), ["other.c", "shop.a", "shop.b", "shop.e", "shop.f", "shop.g"]);
        assert_eq!(read("select 1 from (`shop`.`a` `x` join `shop`.`b` on((`x`.`i` = `shop`.`b`.`i`)))"), ["shop.a", "shop.b"]);
        assert_eq!(
            read("select 1 from `shop`.`a` , `shop`.`b` use index (`k`) , `shop`.`c` PARTITION (`p0`) `z`"),
            ["shop.a", "shop.b", "shop.c"]
        );
        assert_eq!(read("select 1 from `shop`.`a` FOR SYSTEM_TIME ALL join `shop`.`b`"), ["shop.a", "shop.b"]);
    }

    #[test]
    fn subqueries_are_read_wherever_they_stand() {
        let union = "/* select#1 */ select `c`.`name` AS `name` from `shop`.`customers` `c` semi join (`shop`.`orders` `o`) where 1 \
            union /* select#3 */ select `shop`.`secret`.`s` AS `s` from `shop`.`secret`";
        assert_eq!(read(union), ["shop.customers", "shop.orders", "shop.secret"]);
        let expression = "select <expr_cache><`c`.`id`>((select max(`o`.`id`) from `shop`.`orders` `o` where `o`.`c` = `c`.`id`)) AS `m`,\
            extract(year from `c`.`at`) AS `y` from `shop`.`customers` `c` where <in_optimizer>(`c`.`id`,<exists>(select 1 from `shop`.`vip`))";
        assert_eq!(read(expression), ["shop.customers", "shop.orders", "shop.vip"]);
        let derived =
            "select `d`.`n` AS `n` from (select count(0) AS `n` from `shop`.`orders`) `d` join lateral (select 1 from `shop`.`x`) `l`";
        assert_eq!(read(derived), ["shop.orders", "shop.x"]);
    }

    #[test]
    fn names_of_with_are_no_tables_and_others_without_a_database_are() {
        let with = "with x as (/* select#2 */ select `orders`.`customer_id` AS `customer_id` from `shop`.`orders` group by 1), \
            `y`(`a`,`b`) as (select 1,2 from `x`)/* select#1 */ select `c`.`name` AS `name` from `x` join `shop`.`customers` `c` join `y`";
        assert_eq!(read(with), ["shop.customers", "shop.orders"]);
        assert_eq!(read("with recursive r as (select 1 from `shop`.`a` union select 1 from `r`) select 1 from `r`"), ["shop.a"]);
        assert_eq!(read("select `u`.`x` from `u` join `<derived2>`"), ["shop.u"]);
        assert_eq!(read("select 1 from `shop`.`a` group by `b`.`c` with rollup"), ["shop.a"]);
    }

    #[test]
    fn what_makes_its_rows_itself_is_no_table() {
        let made = "select `j`.`x` AS `x` from JSON_TABLE((select `s` from `shop`.`secret`), '$[*]' COLUMNS (`x` int(11) PATH '$')) `j` \
            join `shop`.`orders` `o` left join json_table ('[]', '$[*]' columns (`y` int path '$')) `k` on(1) join `shop`.`last`";
        assert_eq!(read(made), ["shop.last", "shop.orders", "shop.secret"]);
        assert_eq!(read("select 1 from `json_table` join `shop`.`json_table`"), ["shop.json_table"]);
    }

    #[test]
    fn texts_that_would_be_printed_bare_are_known() {
        for sql in [
            "SELECT _utf8mb4'it''s' FROM t",
            r"SELECT _binary 'a\'b', 1",
            r#"SELECT _latin1"a\\" FROM t"#,
            "SELECT _utf8mb4'a\"b'",
            "SELECT _utf8mb4'a' 'b''c'",
            "SELECT _utf8mb4 X'27'",
            "SELECT _utf8mb4 0x27, 1",
        ] {
            assert!(is_printed_badly(sql), "{sql}");
        }
        for sql in
            ["SELECT _utf8mb4'plain' FROM t", "SELECT 'it''s' AS _x FROM t", "SELECT _x, 'it''s', X'27' FROM t", "SELECT _x x FROM t"]
        {
            assert!(!is_printed_badly(sql), "{sql}");
        }
    }

    #[test]
    fn broken_texts_end() {
        for printed in ["", "))) from", "select from", "select 1 from `a`.", "with", "select 1 from (((", "from `a`.`b`"] {
            let _ = read(printed);
        }
    }
}
