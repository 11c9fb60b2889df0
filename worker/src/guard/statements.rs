//! Random statements for the properties: from a small grammar over the shop of the tests, and mutated from the corpora.

use datagenie_common::model::connections::DbType;

/// A generator of numbers that are the same in every run (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or(0) % limit.max(1)
    }

    pub fn pick<'p, T: ?Sized>(&mut self, from: &[&'p T]) -> &'p T {
        from[self.below(from.len())]
    }

    pub fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

const TABLES: [(&str, &[&str]); 5] = [
    ("customers", &["id", "name", "city", "segment", "joined_on"]),
    ("products", &["id", "name", "category", "price"]),
    ("orders", &["id", "customer_id", "ordered_at", "status", "channel", "amount"]),
    ("order_items", &["id", "order_id", "product_id", "quantity", "unit_price"]),
    ("주문", &["번호", "금액", "고객명"]),
];

// A part of a FROM: how it is written, its alias, and its columns.
struct Source {
    text: String,
    alias: String,
    columns: Vec<String>,
}

/// Writes statements. Every alias is used once, so that a name says where it comes from.
pub(super) struct Writer<'d> {
    db: DbType,
    dice: &'d mut Dice,
    names: usize,
    ctes: Vec<(String, Vec<String>)>,
}

impl<'d> Writer<'d> {
    pub fn new(db: DbType, dice: &'d mut Dice) -> Self {
        Self { db, dice, names: 0, ctes: Vec::new() }
    }

    /// A whole statement.
    pub fn statement(&mut self) -> String {
        let mut with = Vec::new();
        while self.dice.one_in(4) {
            let (text, columns) = self.select(2, &[]);
            let name = self.name("c");
            with.push(format!("{name} AS ({text})"));
            self.ctes.push((name, columns));
        }
        let (text, columns) = self.select(2, &[]);
        let with = if with.is_empty() { String::new() } else { format!("WITH {} ", with.join(", ")) };
        let mut tail = String::new();
        if self.dice.one_in(3) {
            let by = ["1", "2 DESC", "-(-1)", columns.first().map_or("1", String::as_str)];
            tail = format!(" ORDER BY {}", self.dice.pick(&by));
        }
        if self.dice.one_in(3) {
            tail.push_str(" LIMIT 10");
        }
        let comment = self.dice.pick(&["", "", "", " -- note", " /* ; */", ";"]);
        format!("{with}{text}{tail}{comment}")
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    // A SELECT or a set operation, and its output columns. `outer`: what may be named from the enclosing statement.
    fn select(&mut self, depth: usize, outer: &[String]) -> (String, Vec<String>) {
        let (from, mut visible) = self.from(depth);
        visible.extend_from_slice(outer);
        let mut items = Vec::new();
        let mut columns = Vec::new();
        for _ in 0..=self.dice.below(3) {
            if self.dice.one_in(12) && !from.is_empty() {
                items.push("*".to_owned());
                continue;
            }
            let value = if self.dice.one_in(3) { self.column(&visible, 3) } else { self.value(depth, &visible) };
            let alias = self.name("x");
            items.push(format!("{value} AS {alias}"));
            columns.push(alias);
        }
        let distinct = if self.dice.one_in(10) { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{}{from}", items.join(", "));
        if self.dice.one_in(2) {
            text.push_str(&format!(" WHERE {}", self.predicate(depth, &visible)));
        }
        if self.dice.one_in(8) {
            let by = self.column(&visible, 20);
            text.push_str(&format!(" GROUP BY {}", self.dice.pick(&["1", "-(-1)", "TRUE", by.as_str(), by.as_str()])));
        }
        if depth > 0 && self.dice.one_in(12) {
            let (arm, _) = self.select(depth - 1, &[]);
            text = format!("{text} {} {arm}", self.dice.pick(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]));
        }
        (text, columns)
    }

    fn from(&mut self, depth: usize) -> (String, Vec<String>) {
        if self.dice.one_in(10) {
            return (String::new(), Vec::new());
        }
        let mut visible = Vec::new();
        let mut text = String::from(" FROM ");
        for index in 0..=self.dice.below(3) {
            let source = self.source(depth);
            let seen: Vec<String> = source.columns.iter().map(|column| format!("{}.{column}", source.alias)).collect();
            let join = if index == 0 { "" } else { self.dice.pick(&[", ", " JOIN ", " LEFT JOIN ", " CROSS JOIN ", " NATURAL JOIN "]) };
            text.push_str(join);
            text.push_str(&source.text);
            visible.extend(seen);
            match join {
                " JOIN " if self.dice.one_in(3) => text.push_str(&format!(" USING ({})", self.dice.pick(&["id", "id", "name", "email"]))),
                " JOIN " | " LEFT JOIN " => text.push_str(&format!(" ON {}", self.predicate(0, &visible))),
                _ => {}
            }
            // Some columns without their qualifier.
            if self.dice.one_in(3) {
                visible.extend(source.columns);
            }
        }
        (text, visible)
    }

    fn source(&mut self, depth: usize) -> Source {
        let alias = self.name("t");
        match self.dice.below(12) {
            0 if depth > 0 => {
                let (text, columns) = self.select(depth - 1, &[]);
                Source { text: format!("({text}) AS {alias}"), alias, columns }
            }
            1 if !self.ctes.is_empty() => {
                let (name, columns) = self.ctes[self.dice.below(self.ctes.len())].clone();
                Source { text: format!("{name} AS {alias}"), alias, columns }
            }
            2 if self.db != DbType::Mysql => {
                let call =
                    self.dice.pick(&["generate_series(1, 9)", "json_each('{\"a\": 1}')", "pg_ls_dir('/')", "pragma_table_info('orders')"]);
                Source { text: format!("{call} AS {alias}"), alias, columns: vec!["value".to_owned()] }
            }
            3 if self.dice.one_in(3) => {
                let hidden = self.dice.pick(&["secret", "v_secret", "hr.orders", "mysql.user", "sqlite_master", "pg_class", "nosuch"]);
                Source { text: format!("{hidden} AS {alias}"), alias, columns: vec!["id".to_owned(), "token".to_owned()] }
            }
            _ => {
                let (table, columns) = TABLES[self.dice.below(TABLES.len())];
                let mut columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
                if table == "customers" && self.dice.one_in(2) {
                    columns.extend(["email".to_owned(), "phone".to_owned()]);
                }
                Source { text: format!("{} AS {alias}", self.quoted(table)), alias, columns }
            }
        }
    }

    // The name, sometimes in the dialect's quotes.
    fn quoted(&mut self, name: &str) -> String {
        match (self.dice.below(4), self.db) {
            (0, DbType::Postgresql | DbType::Sqlite) => format!("\"{name}\""),
            (1, DbType::Mysql | DbType::Sqlite) => format!("`{name}`"),
            (2, DbType::Mysql | DbType::Sqlite) => name.to_uppercase(),
            _ => name.to_owned(),
        }
    }

    // One of the columns; the masked ones once in `rare` times, of those that are drawn.
    fn column(&mut self, visible: &[String], rare: usize) -> String {
        for _ in 0..8 {
            let Some(column) = visible.get(self.dice.below(visible.len())) else { break };
            let masked = column.ends_with("email") || column.ends_with("phone");
            if !masked || self.dice.one_in(rare) {
                return column.clone();
            }
        }
        self.literal().to_owned()
    }

    fn literal(&mut self) -> &'static str {
        self.dice.pick(&["1", "0.5", "'a'", "'it''s'", "NULL", "'서울'", "-2", "TRUE", "0x1F", "'a\\b'", "'; DROP TABLE orders; --'", "''"])
    }

    fn value(&mut self, depth: usize, visible: &[String]) -> String {
        if depth == 0 || self.dice.one_in(4) {
            return if self.dice.one_in(3) { self.literal().to_owned() } else { self.column(visible, 20) };
        }
        let first = self.value(depth - 1, visible);
        match self.dice.below(12) {
            0 => format!("COUNT({})", self.column(visible, 2)),
            1 => format!("({} IS NULL)", self.column(visible, 2)),
            2 => format!("CASE WHEN {} THEN {first} ELSE 'x' END", self.predicate(depth - 1, visible)),
            3 => format!("CAST({first} AS {})", self.dice.pick(&["CHAR(9)", "INTEGER", "DATE", "regclass", "secret", "DECIMAL(9, 2)"])),
            4 => {
                let (text, _) = self.select(depth - 1, visible);
                format!("({text})")
            }
            5 => format!("({first})"),
            6 => format!("SUM({}) OVER (PARTITION BY {} ORDER BY {first})", self.literal(), self.column(visible, 20)),
            7 => format!("{first} {} {}", self.dice.pick(&["+", "-", "*", "||", "%", "="]), self.column(visible, 20)),
            8 => {
                let forbidden = ["pg_sleep", "LOAD_FILE", "sleep", "load_extension", "query_to_xml", "nosuch", "hr.lower", "randomblob"];
                if self.dice.one_in(3) { format!("{}({first})", self.dice.pick(&forbidden)) } else { first }
            }
            _ => format!("{}({first})", self.dice.pick(&["lower", "UPPER", "abs", "coalesce", "LENGTH", "max", "MIN", "round", "trim"])),
        }
    }

    fn predicate(&mut self, depth: usize, visible: &[String]) -> String {
        let left = self.column(visible, 20);
        match self.dice.below(8) {
            0 => format!("{left} IN ('a', {})", self.literal()),
            1 if depth > 0 => {
                let (text, _) = self.select(depth - 1, visible);
                format!("{left} IN ({text})")
            }
            2 if depth > 0 => {
                let (text, _) = self.select(depth - 1, visible);
                format!("EXISTS ({text})")
            }
            3 => format!("{left} LIKE 'a%'"),
            4 => format!("{left} IS NOT NULL"),
            5 => format!("NOT ({left} BETWEEN 1 AND {})", self.column(visible, 20)),
            _ => format!("{left} {} {}", self.dice.pick(&["=", "<>", "<", ">="]), self.value(depth.min(1), visible)),
        }
    }
}

/// A statement of the corpora, changed a little.
pub(super) fn mutated(dice: &mut Dice, sql: &str) -> String {
    const WORDS: [&str; 18] = [
        "secret",
        "orders",
        "customers",
        "email",
        "phone",
        "id",
        "*",
        "(",
        ")",
        ",",
        "1",
        "SELECT",
        "FROM",
        "JOIN",
        "AND",
        "NULL",
        "'x'",
        "--",
    ];
    let mut words: Vec<String> = sql.split_inclusive([' ', '(', ')', ',']).map(str::to_owned).collect();
    for _ in 0..=dice.below(2) {
        let at = dice.below(words.len());
        match dice.below(7) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, format!("{} ", dice.pick(&WORDS))),
            2 => words[at] = format!("{} ", dice.pick(&WORDS)),
            3 => words[at] = words[at].to_uppercase(),
            4 => words.insert(at, "/* note */ ".to_owned()),
            5 => words[at] = words[at].replace("status", "email").replace("orders", "customers").replace("name", "phone"),
            _ => {
                let other = dice.below(words.len());
                words.swap(at, other);
            }
        }
        if words.is_empty() {
            words.push("SELECT 1".to_owned());
        }
    }
    let text = words.concat();
    let text = text.trim_end_matches([' ', ';']);
    match dice.below(8) {
        0 => format!("SELECT * FROM ({text}) AS wrapped"),
        1 => format!("WITH wrapped AS ({text}) SELECT * FROM wrapped"),
        2 => format!("SELECT COUNT(*) FROM orders WHERE EXISTS ({text})"),
        _ => text.to_owned(),
    }
}
