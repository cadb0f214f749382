use longshore_model::LogicalType;
use longshore_model::catalog::{Common, TableName};

use crate::dialect::{Cast, Dialect, Function, Same};
use crate::{
    Column, Kind, Names, Relation, View, columns, read_condition, read_expression, read_views,
    write_condition, write_expression, write_views,
};

fn doubled(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn ticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn escaped(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A server with types of its own for everything, that casts where nobody does.
const STRICT: Dialect = Dialect {
    grammar: "postgresql",
    quote: doubled,
    literal: text,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("char_length", Function::Characters),
        ("length", Function::Characters),
        ("btrim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("substring", Function::Substring),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[
        ("integer", Cast::Whole),
        ("bigint", Cast::Whole),
        ("numeric", Cast::Exact),
        ("double precision", Cast::Float),
        ("text", Cast::Text),
        ("character varying", Cast::Text),
        ("date", Cast::Date),
        ("timestamp without time zone", Cast::Timestamp),
    ],
    joins: true,
    truth: true,
    same: Same::Words,
    like: true,
    nulls_last: true,
    nulls_said: true,
    decimals: true,
    wide: Some("numeric"),
    misquoted: false,
};

/// A server whose conditions are numbers and whose names stand in ticks.
const TICKED: Dialect = Dialect {
    grammar: "mysql",
    quote: ticked,
    literal: escaped,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("ifnull", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("char_length", Function::Characters),
        ("trim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("concat", Function::Concat),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("if", Function::If),
        ("isnull", Function::IsNull),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[],
    joins: false,
    truth: false,
    same: Same::Arrow,
    like: true,
    nulls_last: false,
    nulls_said: false,
    decimals: true,
    wide: None,
    misquoted: false,
};

/// A library without types.
const LOOSE: Dialect = Dialect {
    grammar: "sqlite",
    quote: doubled,
    literal: text,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("ifnull", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("length", Function::Characters),
        ("trim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[],
    joins: true,
    truth: false,
    same: Same::Is,
    like: false,
    nulls_last: false,
    nulls_said: true,
    decimals: false,
    wide: None,
    misquoted: true,
};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "int64"),
    ("qty", "int32"),
    ("price", "decimal(10,2)"),
    ("long", "decimal(30,2)"),
    ("weight", "float64"),
    ("flag", "boolean"),
    ("status", "text"),
    ("name", "text"),
    ("born", "date"),
    ("died", "date"),
    ("at", "timestamp"),
    ("moment", "timestamptz"),
    ("doc", "json"),
    ("tag", "uuid"),
];

/// The table of the tests, with what each system makes of its columns.
fn table(of: impl Fn(&LogicalType) -> Kind) -> Relation {
    let column = |(name, logical): &(&str, &str)| {
        let logical: LogicalType = logical.parse().expect(logical);
        Column::of(name, of(&logical), *name != "id")
    };
    let mut columns: Vec<Column> = COLUMNS.iter().map(column).collect();
    let folds = "the source compares its texts without case".to_string();
    columns.push(Column::of("email", Kind::Folded(folds), true));
    let named = Some("public.mood".to_string());
    columns.push(Column { named, ..Column::of("mood", Kind::Text, true) });
    let name = TableName::plain("t");
    Relation { written: "t".to_string(), ..Relation::of(name, columns) }
}

fn strict() -> Relation {
    table(Kind::of)
}

/// Conditions are numbers there, so a column of truth values is one.
fn ticked_table() -> Relation {
    table(|logical| match logical {
        LogicalType::Boolean => Kind::Exact { whole: 3, scale: 0 },
        other => Kind::of(other),
    })
}

fn loose() -> Relation {
    table(|_| Kind::Loose)
}

/// What a target makes of the table: decimals and days are texts in the library.
fn stored() -> Relation {
    table(|logical| match Kind::of(logical) {
        Kind::Exact { whole, scale } if scale > 0 => Kind::Digits { whole, scale },
        Kind::Date | Kind::Timestamp | Kind::Instant => Kind::Mark,
        other => other,
    })
}

fn read(dialect: &Dialect, table: &Relation, text: &str) -> Result<String, String> {
    match read_condition(dialect, table, text) {
        Common::Sql(sql) => Ok(sql),
        Common::Refused(reason) => Err(reason),
    }
}

#[test]
fn what_a_strict_server_shows_is_read() {
    for (text, expected) in [
        ("(price > (0)::numeric)", r#""price" > 0"#),
        ("((qty >= 1) AND (qty <= '-5'::integer))", r#""qty" >= 1 AND "qty" <= -5"#),
        (
            "((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))",
            r#""status" IN ('a', 'it''s')"#,
        ),
        ("(qty <> ALL (ARRAY[1, 2]))", r#""qty" NOT IN (1, 2)"#),
        ("(name ~~ '%@%'::text)", r#""name" LIKE '%@%'"#),
        ("(name !~~ 'A_'::text)", r#""name" NOT LIKE 'A_'"#),
        ("(flag OR (NOT flag))", r#""flag" OR NOT "flag""#),
        ("(flag IS NOT TRUE)", r#""flag" IS NOT TRUE"#),
        (
            "((born IS NULL) OR (born > '1900-01-01'::date))",
            r#""born" IS NULL OR "born" > DATE '1900-01-01'"#,
        ),
        (
            "(at < '2000-01-01 00:00:00'::timestamp without time zone)",
            r#""at" < TIMESTAMP '2000-01-01 00:00:00'"#,
        ),
        ("(char_length((name)::text) >= 3)", r#"char_length("name") >= 3"#),
        ("(length(TRIM(BOTH FROM name)) > 0)", r#"char_length(trim("name")) > 0"#),
        ("((status IS DISTINCT FROM name))", r#""status" IS DISTINCT FROM "name""#),
        ("(COALESCE(price, (0)::numeric) < 5.50)", r#"coalesce("price", 0) < 5.50"#),
        ("((qty % 5) = 0)", r#""qty" % 5 = 0"#),
        ("(((qty + 1) * 2) > (qty - (1 - qty)))", r#"("qty" + 1) * 2 > "qty" - (1 - "qty")"#),
        ("(weight > (0)::double precision)", r#""weight" > 0"#),
        ("(weight < '0.5'::double precision)", r#""weight" < 0.5"#),
        ("((price * (qty)::numeric) < (1000)::numeric)", r#""price" * "qty" < 1000"#),
        ("(mood = 'sad'::public.mood)", r#""mood" = 'sad'"#),
        ("(((name || ' '::text) || status) <> ''::text)", r#"("name" || ' ' || "status") <> ''"#),
        (
            "(CASE WHEN flag THEN qty ELSE 0 END > 3)",
            r#"CASE WHEN "flag" THEN "qty" ELSE 0 END > 3"#,
        ),
        ("(CASE qty WHEN 1 THEN 2 END = 2)", r#"CASE WHEN "qty" = 1 THEN 2 END = 2"#),
        ("(died >= born)", r#""died" >= "born""#),
        ("(doc IS NOT NULL)", r#""doc" IS NOT NULL"#),
        ("(tag <> tag)", r#""tag" <> "tag""#),
        ("(qty BETWEEN 1 AND 5)", r#""qty" BETWEEN 1 AND 5"#),
        ("(SUBSTRING(status FROM 1 FOR 2) = 'ab'::text)", r#"substr("status", 1, 2) = 'ab'"#),
    ] {
        let found = read(&STRICT, &strict(), text);
        assert_eq!(found.as_deref(), Ok(expected), "{text}");
        let again = write_condition(&crate::dialect::COMMON, &strict(), expected);
        assert_eq!(again.as_deref(), Ok(expected), "common SQL reads itself: {text}");
    }
}

#[test]
fn what_a_server_of_numbers_shows_is_read() {
    for (text, expected) in [
        ("(`price` > 0)", r#""price" > 0"#),
        (
            r"(`status` in (_utf8mb4'a',_utf8mb4'b\\c',_utf8mb4'it\'s'))",
            r#""status" IN ('a', 'b\c', 'it''s')"#,
        ),
        ("`flag`", r#""flag" <> 0"#),
        ("(`flag` = true)", r#""flag" = 1"#),
        ("(0 <> `flag`)", r#"0 <> "flag""#),
        ("(`qty` <=> `id`)", r#""qty" IS NOT DISTINCT FROM "id""#),
        ("(ifnull(`qty`,0) < 5)", r#"coalesce("qty", 0) < 5"#),
        ("((`qty` % 2) = 0)", r#""qty" % 2 = 0"#),
        ("`qty` MOD 5 = 0", r#""qty" % 5 = 0"#),
        ("(concat(`name`,' ',`status`) <> '')", r#"("name" || ' ' || "status") <> ''"#),
        ("(`born` > DATE'1900-01-01')", r#""born" > DATE '1900-01-01'"#),
        ("(`born` > _utf8mb4'1900-01-01')", r#""born" > DATE '1900-01-01'"#),
        ("(if((`qty` > 1),1,2) = 1)", r#"CASE WHEN "qty" > 1 THEN 1 ELSE 2 END = 1"#),
        ("isnull(`doc`)", r#""doc" IS NULL"#),
        ("(char_length(concat(`email`,'x')) > 3)", r#"char_length("email" || 'x') > 3"#),
    ] {
        assert_eq!(read(&TICKED, &ticked_table(), text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_the_library_keeps_is_read() {
    for (text, expected) in [
        (r#"price>0 and "status" in ("a", 'b')"#, r#""price" > 0 AND "status" IN ('a', 'b')"#),
        ("flag", r#""flag" <> 0"#),
        ("[qty] == 1 OR t.qty != 2", r#""qty" = 1 OR "qty" <> 2"#),
        ("name LIKE '%@%'", r#""name" LIKE '%@%'"#),
        ("length(name) <= 10", r#"char_length("name") <= 10"#),
        ("flag IN (0, 1)", r#""flag" IN (0, 1)"#),
    ] {
        assert_eq!(read(&LOOSE, &loose(), text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_differs_is_refused_with_its_reason() {
    for (dialect, text, reason) in [
        (&STRICT, "((price / 2) > 1)", "divides"),
        (&STRICT, "(name < 'b'::text)", "orders texts"),
        (&STRICT, "(name ~ '^a'::text)", "operator ~"),
        (&STRICT, "(name ~~* 'a'::text)", "operator ~~*"),
        (&STRICT, "(lower(name) = name)", "beyond ASCII"),
        (&STRICT, "(date_part('year'::text, born) > 3)", "the function date_part"),
        (&STRICT, "(round(weight) = 1)", "the function round"),
        (&STRICT, "(public.f(qty) > 1)", "the function public.f"),
        (&STRICT, "(moment > now())", "the function now"),
        (&STRICT, "(moment > CURRENT_TIMESTAMP)", "CURRENT_TIMESTAMP"),
        (&STRICT, "(moment > '2000-01-01 00:00:00+00'::timestamp with time zone)", "casts to"),
        (&STRICT, "((price)::integer > 1)", "casts to whole"),
        (&STRICT, "((id)::double precision > 1)", "casts to float"),
        (&STRICT, "(weight > (0.1)::real)", "casts to real"),
        (&STRICT, "((weight + weight) > 1)", "floats"),
        (&STRICT, "(weight = 9007199254740993)", "compares a float with a number"),
        (&STRICT, "((qty % 00) = 0)", "remainder"),
        (&STRICT, "((id)::text = '1'::text)", "casts to text"),
        (&STRICT, "(name = 'sad'::public.other)", "casts to public.other"),
        (&STRICT, "(doc = doc)", "looks into doc, and its type, json"),
        (&STRICT, "(email = 'a'::text)", "compares email, and the source compares its texts"),
        (&STRICT, "(name ~~ 'a\\%'::text)", "escape"),
        (&STRICT, "(qty % id = 0)", "remainder"),
        (&STRICT, "(qty > 1e3)", "the number 1e3"),
        (&STRICT, "(EXISTS (SELECT 1))", "query in a query"),
        (&STRICT, "(other = 1)", "names other"),
        (&STRICT, "(substr(name, '-2'::integer) = 'a')", "place of a part"),
        (&STRICT, "(born > '0044-03-15 BC'::date)", "a date"),
        (&STRICT, "(flag > false)", "orders truth values"),
        (&STRICT, "((name COLLATE \"C\") = 'a')", "COLLATE"),
        (&STRICT, "(qty = 1) (", "not understood"),
        (&TICKED, "(`name` = 1)", "compares a text with a number"),
        (&TICKED, "(`name` || `status`)", "operator ||"),
        (&TICKED, "(length(`name`) > 1)", "the function length"),
        (&TICKED, "regexp_like(`name`,'a')", "the function regexp_like"),
        (&TICKED, "json_valid(`doc`)", "the function json_valid"),
        (&TICKED, "(`name` = _latin1'a')", "character set"),
        (&TICKED, "(`qty` DIV 2)", "divides"),
        (&TICKED, "(`email` like '%@%')", "compares email"),
        (&TICKED, "(concat(`email`,'x') = 'ax')", "compares email"),
        (&LOOSE, "name LIKE 'a%'", "upper and lower case"),
        (&LOOSE, "typeof(qty) = 'integer'", "the function typeof"),
        (&LOOSE, "qty * 0.1 > 1", "fractions"),
        (&LOOSE, "name = 'a' COLLATE NOCASE", "COLLATE"),
    ] {
        let table = match dialect.grammar {
            "postgresql" => strict(),
            "mysql" => ticked_table(),
            _ => loose(),
        };
        let found = read(dialect, &table, text).expect_err(text);
        assert!(found.contains(reason), "{text}: {found}");
    }
    let long = format!("qty = 1{}", " OR qty = 1".repeat(1_000));
    assert!(read(&STRICT, &strict(), &long).is_ok());
    assert!(read(&STRICT, &strict(), &long.repeat(2)).is_err());
}

#[test]
fn targets_write_it_in_their_own_words() {
    for (common, strict_text, ticked_text, loose_text) in [
        (
            r#""price" > 0 AND "status" IN ('a\b', 'it''s')"#,
            r#""price" > 0 AND "status" IN ('a\b', 'it''s')"#,
            r"`price` > 0 AND `status` IN ('a\\b', 'it''s')",
            r#"CAST("price" AS REAL) > 0 AND "status" IN ('a\b', 'it''s')"#,
        ),
        (r#""flag""#, r#""flag""#, "`flag` <> 0", r#""flag" <> 0"#),
        (
            r#"NOT ("flag" OR "flag" = TRUE)"#,
            r#"NOT ("flag" OR "flag" = TRUE)"#,
            "NOT (`flag` <> 0 OR `flag` = TRUE)",
            r#"NOT ("flag" <> 0 OR "flag" = TRUE)"#,
        ),
        (
            r#""status" IS DISTINCT FROM "name""#,
            r#""status" IS DISTINCT FROM "name""#,
            "NOT (`status` <=> `name`)",
            r#""status" IS NOT "name""#,
        ),
        (
            r#"("name" || ' ' || "status") <> ''"#,
            r#"("name" || ' ' || "status") <> ''"#,
            "CONCAT(`name`, ' ', `status`) <> ''",
            r#"("name" || ' ' || "status") <> ''"#,
        ),
        (
            r#""name" LIKE '%a*_'"#,
            r#""name" LIKE '%a*_'"#,
            "`name` LIKE '%a*_'",
            r#""name" GLOB '*a[*]?'"#,
        ),
        (
            r#""qty" * 2 + 1 > char_length(trim("name"))"#,
            r#"CAST("qty" AS numeric) * 2 + 1 > char_length(btrim("name"))"#,
            "`qty` * 2 + 1 > char_length(trim(`name`))",
            r#""qty" * 2 + 1 > length(trim("name"))"#,
        ),
    ] {
        for (dialect, table, expected) in [
            (&STRICT, strict(), strict_text),
            (&TICKED, strict(), ticked_text),
            (&LOOSE, stored(), loose_text),
        ] {
            let found = write_condition(dialect, &table, common);
            assert_eq!(found.as_deref(), Ok(expected), "{common} for {}", dialect.grammar);
        }
    }
}

#[test]
fn what_a_target_stores_otherwise_is_refused() {
    for (common, reason) in [
        (r#""long" > 0"#, "more than 15 digits"),
        (r#""price" * 2 > 1"#, "kept as texts"),
        (r#"coalesce("price", 0) > 1"#, "kept as texts"),
        (r#""born" < "died""#, "no order everywhere"),
        (r#""born" = DATE '2000-01-01'"#, "compares"),
        (r#""gone" = 1"#, "names gone"),
    ] {
        let found = write_condition(&LOOSE, &stored(), common).expect_err(common).to_string();
        assert!(found.contains(reason), "{common}: {found}");
    }
    let mut renamed = strict();
    renamed.columns[1].written = "amount".to_string();
    let found = write_condition(&TICKED, &renamed, r#""qty" > 0"#);
    assert_eq!(found.as_deref(), Ok("`amount` > 0"));
}

#[test]
fn expressions_of_indexes_may_change_case_where_they_only_find_rows() {
    let common = read_expression(&STRICT, &strict(), "lower(name)", true);
    assert_eq!(common, Common::Sql(r#"lower("name")"#.to_string()));
    let (text, kind) = write_expression(&TICKED, &strict(), r#"lower("name")"#, true).expect("one");
    assert_eq!((text.as_str(), kind), ("lower(`name`)", Kind::Text));
    let refused = read_expression(&STRICT, &strict(), "lower(name)", false);
    assert!(matches!(refused, Common::Refused(_)));
    assert_eq!(columns(r#""a" + "b" > "a""#), ["a", "b"]);
}

fn orders() -> Vec<Relation> {
    let people = vec![
        Column::of("id", Kind::of(&LogicalType::INT64), false),
        Column::of("name", Kind::Text, false),
    ];
    vec![strict(), Relation::of(TableName::plain("people"), people)]
}

fn views(texts: &[(&str, &str)]) -> Vec<View> {
    let view = |(name, text): &(&str, &str)| View {
        name: TableName::plain(*name),
        text: Ok(text.to_string()),
    };
    texts.iter().map(view).collect()
}

#[test]
fn views_are_read_and_written_in_the_order_of_their_needs() {
    let texts = [
        ("second", "SELECT f.n AS n, f.total AS total FROM first f WHERE (f.n > 1)"),
        (
            "first",
            "SELECT p.name, count(*) AS n, sum(t.qty) AS total FROM (people p LEFT JOIN t ON \
             ((t.id = p.id))) WHERE (t.status = 'a'::text) GROUP BY p.name HAVING (count(*) > 0) \
             ORDER BY (count(*)) DESC, (sum(t.qty))",
        ),
        ("third", "SELECT id FROM people UNION SELECT id FROM t ORDER BY 1 LIMIT 5"),
        ("fourth", "SELECT g.n FROM gone g"),
        ("fifth", "SELECT s.n FROM fourth s"),
    ];
    let read = read_views(&STRICT, orders(), &views(&texts));
    let sql = |common: &Common| match common {
        Common::Sql(sql) => sql.clone(),
        Common::Refused(reason) => format!("no: {reason}"),
    };
    let read: Vec<String> = read.iter().map(sql).collect();
    assert_eq!(
        read,
        [
            r#"CREATE VIEW "second" AS SELECT "f"."n" AS "n", "f"."total" AS "total" FROM "first" AS "f" WHERE "f"."n" > 1"#,
            r#"CREATE VIEW "first" AS SELECT "p"."name" AS "name", count(*) AS "n", sum("t"."qty") AS "total" FROM "people" AS "p" LEFT JOIN t AS "t" ON "t"."id" = "p"."id" WHERE "t"."status" = 'a' GROUP BY "p"."name" HAVING count(*) > 0 ORDER BY "n" DESC, "total" NULLS LAST"#,
            r#"CREATE VIEW "third" AS SELECT "people"."id" AS "id" FROM "people" AS "people" UNION SELECT "t"."id" AS "id" FROM t AS "t" ORDER BY "id" LIMIT 5"#,
            "no: it needs gone, which does not move as it is",
            "no: it needs fourth, which does not move as it is",
        ]
    );
    let common: Vec<Common> = read[..3].iter().cloned().map(Common::Sql).collect();
    let common: Vec<&Common> = common.iter().collect();
    let names = Names { view: &|name| ticked(&name.name), fits: &|name| name.len() < 64 };
    let written = write_views(&TICKED, orders(), &common, &names);
    let order: Vec<usize> = written.iter().map(|(at, _)| *at).collect();
    assert_eq!(order, [1, 2, 0]);
    assert_eq!(
        written[0].1.as_deref(),
        Ok("CREATE VIEW `first` AS SELECT `p`.`name` AS `name`, count(*) AS `n`, \
            sum(`t`.`qty`) AS `total` FROM \"people\" AS `p` LEFT JOIN t AS `t` ON \
            `t`.`id` = `p`.`id` WHERE `t`.`status` = 'a' GROUP BY `p`.`name` HAVING count(*) > 0 \
            ORDER BY `n` DESC, `total` IS NULL, `total`")
    );
}

#[test]
fn other_views_are_refused_with_their_reason() {
    for (text, reason) in [
        ("SELECT avg(qty) AS a FROM t", "the function avg"),
        ("SELECT qty, count(*) AS n FROM t", "neither grouped"),
        ("SELECT name FROM t ORDER BY name", "orders texts"),
        ("SELECT qty FROM t LIMIT 1", "without an order"),
        ("SELECT email FROM t GROUP BY email", "compares email"),
        ("SELECT DISTINCT email FROM t", "compares email"),
        ("SELECT count(DISTINCT email) AS n FROM t", "compares email"),
        ("SELECT email FROM t UNION SELECT name FROM t", "compares email"),
        ("SELECT p.id, t.id FROM people p, t", "two of its columns"),
        ("SELECT qty + 1 FROM t", "no name"),
        ("SELECT max(name) AS n FROM t", "orders texts"),
        ("SELECT sum(weight) AS n FROM t", "floats"),
        ("WITH a AS (SELECT 1) SELECT id FROM t", "WITH"),
        ("SELECT id FROM (SELECT id FROM t) x", "no table"),
        ("SELECT id, row_number() OVER () AS n FROM t", "row_number"),
        ("SELECT sum(qty) OVER () AS n FROM t", "window"),
        ("SELECT DISTINCT ON (id) id FROM t", "DISTINCT ON"),
        ("SELECT t.id FROM t RIGHT JOIN people p ON t.id = p.id", "RIGHT"),
        ("SELECT 1 AS one", "no table"),
        ("SELECT id FROM t EXCEPT SELECT id FROM people", "EXCEPT"),
        ("SELECT id FROM t FOR UPDATE", "clause"),
    ] {
        let found = read_views(&STRICT, orders(), &views(&[("v", text)]));
        let Common::Refused(found) = &found[0] else { panic!("{text}: {:?}", found[0]) };
        assert!(found.contains(reason), "{text}: {found}");
    }
    let found = read_views(&TICKED, orders(), &views(&[("v", "SELECT `qty` > 1 AS a FROM `t`")]));
    assert!(matches!(&found[0], Common::Refused(why) if why.contains("a condition is one")));
}
