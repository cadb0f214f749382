//! Tables from the plan's columns: what any system's structure becomes.

use std::collections::HashSet;

use longshore_dialect::{Kind, columns, write_expression};
use longshore_model::catalog::{Column, Common, Index, IndexPart, NotMoved, TableName};
use longshore_model::connector::Design;
use longshore_model::loss::LossKind;
use longshore_model::plan::{ColumnPlan, Statement, TablePlan};
use longshore_model::{ColumnBuilder, ColumnView, DefaultValue, LogicalType};

use super::{LONGEST_NAME, foreign, generated, step};
use crate::dialect::{self, SQL};
use crate::flavor::Flavor;
use crate::sql::{list, literal, quote};
use crate::types;

/// The longest key, in bytes, and the bytes that a character may take.
const KEY_BYTES: usize = 3072;
const CHARACTER_BYTES: usize = 4;

/// The bytes of a row that texts with bounds may take together.
const ROW_BYTES: u64 = 40_000;

/// The most characters of a comment.
const TABLE_COMMENT: usize = 2048;
const COLUMN_COMMENT: usize = 1024;

/// The most characters of a text that is part of a key.
const LONGEST_KEY_TEXT: usize = 255;

/// Makes a table and what follows its load.
pub(super) fn make(
    number: usize,
    table: &TablePlan,
    tables: &[TablePlan],
    flavor: Flavor,
    same: bool,
    design: &mut Design,
) {
    let keyed = Keyed::of(table, tables, same);
    let name = quote(&table.target.name);
    let mut lines: Vec<String> = Vec::with_capacity(table.columns.len() + 1);
    for column in &table.columns {
        let mut line = declaration(table, column, &keyed, (same, flavor), design);
        if let Some(described) = table.structure.column(&column.target) {
            let name = format!("{}.{}", table.target, column.target);
            line += &comment(&described.comment, COLUMN_COMMENT, &name, design);
            line += &check(described, column);
        }
        lines.push(line);
    }
    design.risks.extend(table.columns.iter().filter_map(|column| keyed.risk(table, column)));
    let structure = &table.structure;
    // Between servers of one system their values do not move.
    for column in structure.columns.iter().filter(|column| column.generated.is_some()) {
        if !table.columns.iter().any(|planned| planned.target == column.name) {
            let name = format!("{}.{}", table.target, column.name);
            let reason = "its table does not move as it is: add the column by hand";
            design.not_moved.push(left("generated column", &name, reason));
        }
    }
    if !structure.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", list(&structure.primary_key)));
    }
    let said = comment(&structure.comment, TABLE_COMMENT, &table.target.to_string(), design);
    design.prepare.push(Statement {
        table: Some(number),
        step: 0,
        purpose: format!("table {}", table.target),
        sql: format!(
            "CREATE TABLE {name} (\n  {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={}{}",
            lines.join(",\n  "),
            flavor.exact_collation(),
            said,
        ),
    });
    let keys: Vec<String> = structure
        .indexes
        .iter()
        .filter_map(|index| match key(index, table, &keyed, flavor) {
            Ok(key) => Some(format!("ADD {key}")),
            Err(reason) => {
                design.not_moved.push(left("index", &index.name, &reason));
                None
            }
        })
        .collect();
    if !keys.is_empty() {
        design.finish.push(Statement {
            table: Some(number),
            step: step::KEYS,
            purpose: format!("indexes of {}", table.target),
            sql: format!("ALTER TABLE {name} {}", keys.join(", ")),
        });
    }
    foreign::keys(number, table, tables, design);
}

pub(super) fn left(kind: &str, name: &str, reason: &str) -> NotMoved {
    NotMoved { kind: kind.to_string(), name: name.to_string(), reason: reason.to_string() }
}

/// What people say of a table or a column, where it is not too long.
fn comment(text: &Option<String>, longest: usize, name: &str, design: &mut Design) -> String {
    let Some(text) = text else { return String::new() };
    if text.chars().count() > longest {
        let reason = format!("it is longer than the {longest} characters that a comment may have");
        design.not_moved.push(left("comment", name, &reason));
        return String::new();
    }
    format!(" COMMENT {}", literal(text))
}

/// The declaration of a column, without what people say of it and without a check.
fn declaration(
    table: &TablePlan,
    column: &ColumnPlan,
    keyed: &Keyed,
    (same, flavor): (bool, Flavor),
    design: &mut Design,
) -> String {
    let mut line = format!("{} {}", quote(&column.target), keyed.declare(column));
    let Some(described) = table.structure.column(&column.target) else { return line };
    if same
        && types::is_text(&column.native)
        && let Some(collation) = &described.collation
    {
        line += &format!(" COLLATE {collation}");
    }
    if column.computed
        && let Ok(expression) = generated(table, &column.target, flavor)
    {
        let stored = described.generated.as_ref().is_none_or(|generated| generated.stored);
        let kind = if stored { "STORED" } else { "VIRTUAL" };
        line += &format!(" GENERATED ALWAYS AS ({expression}) {kind}");
        // MariaDB knows no NOT NULL there.
        return line;
    }
    let is_key = table.structure.primary_key.contains(&column.target);
    line += if described.nullable && !is_key { " NULL" } else { " NOT NULL" };
    let first = table.structure.primary_key.first() == Some(&column.target);
    if described.increments && first && matches!(column.to, LogicalType::Int { .. }) {
        return line + " AUTO_INCREMENT";
    }
    if described.increments {
        let name = format!("{}.{}", table.target, column.target);
        let reason = "only an integer that begins the primary key numbers rows here";
        design.not_moved.push(left("numbering of rows", &name, reason));
    }
    match default(described, column, same) {
        Ok(Some(default)) => line += &format!(" DEFAULT {default}"),
        Ok(None) => {}
        Err(reason) => {
            let name = format!("{}.{}", table.target, column.target);
            design.not_moved.push(left("default", &name, reason));
        }
    }
    line
}

/// The rule that allows certain texts only, where the column is no enumeration.
fn check(described: &Column, column: &ColumnPlan) -> String {
    if described.values.is_empty() || types::word(&column.native) == "enum" {
        return String::new();
    }
    let values: Vec<String> = described.values.iter().map(|text| literal(text)).collect();
    format!(" CHECK ({} IN ({}))", quote(&column.target), values.join(", "))
}

/// The default of a column, where it means the same here.
fn default(
    described: &Column,
    column: &ColumnPlan,
    same: bool,
) -> Result<Option<String>, &'static str> {
    const OTHER: &str = "its text is of another system; set it anew";
    let Some(text) = described.default.as_deref().map(str::trim) else { return Ok(None) };
    if same {
        return if column.native == column.declared {
            Ok(Some(match DefaultValue::read(text) {
                Some(DefaultValue::Text(text)) => literal(&text),
                _ => text.to_string(),
            }))
        } else {
            Err(OTHER)
        };
    }
    match DefaultValue::read(text) {
        Some(DefaultValue::Null) => Ok(None),
        Some(value) => words(value, column).map(Some).ok_or(OTHER),
        None => Err(OTHER),
    }
}

fn words(value: DefaultValue, column: &ColumnPlan) -> Option<String> {
    let is_large = matches!(types::word(&column.native), "longtext" | "longblob" | "json");
    match (&column.to, value) {
        (
            LogicalType::Int { .. } | LogicalType::Float { .. } | LogicalType::Decimal { .. },
            DefaultValue::Number(text) | DefaultValue::Text(text),
        ) => text.parse::<f64>().is_ok_and(f64::is_finite).then_some(text),
        (LogicalType::Boolean, DefaultValue::Bool(value)) => Some(u8::from(value).to_string()),
        (LogicalType::Boolean, DefaultValue::Number(text)) => {
            matches!(text.as_str(), "0" | "1").then_some(text)
        }
        // Texts without bounds take expressions only.
        (LogicalType::Text | LogicalType::Opaque { .. }, DefaultValue::Text(text)) if is_large => {
            Some(format!("({})", literal(&text)))
        }
        (LogicalType::Text | LogicalType::Opaque { .. }, DefaultValue::Text(text)) => {
            Some(literal(&text))
        }
        (LogicalType::Bits { .. }, DefaultValue::Bits(digits)) => Some(format!("b'{digits}'")),
        (LogicalType::Timestamp { .. }, DefaultValue::Now) if column.native == "datetime(6)" => {
            Some("CURRENT_TIMESTAMP(6)".to_string())
        }
        (LogicalType::Date | LogicalType::Timestamp { .. }, DefaultValue::Text(text)) => {
            moment(&text, &column.to)
        }
        _ => None,
    }
}

/// A day or a moment of the years that the servers have, without the zone of UTC.
fn moment(text: &str, logical: &LogicalType) -> Option<String> {
    let mut builder = ColumnBuilder::new(logical);
    builder.parse(text.trim_end_matches("+00").trim_end_matches('Z')).ok()?;
    let array = builder.finish();
    let cell = ColumnView::new(logical, &array).ok()?.cell(0);
    let mut text = String::new();
    cell.write_text(&mut text);
    (!LossKind::OutOfRange.catches(cell)).then(|| literal(&text))
}

/// The columns of a table that are in keys, which bounds them.
struct Keyed {
    columns: HashSet<String>,
    /// The most characters of a text in the widest of the keys.
    characters: usize,
    /// Whether declarations are of this system already.
    own: bool,
    /// Whether a row has no room for all texts with bounds.
    wide: bool,
}

impl Keyed {
    fn of(table: &TablePlan, tables: &[TablePlan], same: bool) -> Self {
        let structure = &table.structure;
        let mut lists: Vec<Vec<String>> = vec![structure.primary_key.clone()];
        lists.extend(
            structure
                .indexes
                .iter()
                .filter(|index| index.unique)
                .map(|index| index.parts.iter().filter_map(|part| part.column.clone()).collect()),
        );
        lists.extend(structure.foreign_keys.iter().map(|key| key.columns.clone()));
        let refers = |target: &TableName| *target == table.target;
        lists.extend(tables.iter().flat_map(|other| {
            let keys = other.structure.foreign_keys.iter();
            keys.filter(|key| refers(&key.references)).map(|key| key.referenced.clone())
        }));
        let most = lists.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let characters = KEY_BYTES / CHARACTER_BYTES / most;
        let lengths = table.columns.iter().filter_map(|column| types::length(&column.native));
        let bytes: u64 = lengths.map(|length| u64::from(length) * 4 + 2).sum();
        let columns = lists.into_iter().flatten().collect();
        Self { columns, characters, own: same, wide: bytes > ROW_BYTES }
    }

    /// What becomes of a column in a key that holds less there than it would elsewhere.
    fn risk(&self, table: &TablePlan, column: &ColumnPlan) -> Option<String> {
        let declared = self.declare(column);
        let is_cut = self.columns.contains(&column.target) && declared != column.native;
        is_cut.then(|| {
            format!(
                "{}.{} is in a key and becomes {declared}: the run fails at a longer value",
                table.target, column.target
            )
        })
    }

    /// The declaration of a column: texts in keys have a bound.
    fn declare(&self, column: &ColumnPlan) -> String {
        let native = column.native.as_str();
        if self.own && column.native == column.declared {
            return native.to_string();
        }
        match (self.columns.contains(&column.target), types::word(native)) {
            (true, "varchar") => {
                let own = types::length(native).and_then(|length| usize::try_from(length).ok());
                format!("varchar({})", own.unwrap_or(LONGEST_KEY_TEXT).min(self.characters))
            }
            (false, "varchar") if self.wide => "longtext".to_string(),
            (true, "longtext") => format!("varchar({})", LONGEST_KEY_TEXT.min(self.characters)),
            (true, "longblob") => {
                let characters = LONGEST_KEY_TEXT.min(self.characters);
                format!("varbinary({})", characters * CHARACTER_BYTES)
            }
            _ => native.to_string(),
        }
    }
}

/// An index.
fn key(index: &Index, table: &TablePlan, keyed: &Keyed, flavor: Flavor) -> Result<String, String> {
    if index.condition.is_some() {
        return Err("it has a condition, which MySQL and MariaDB do not know".to_string());
    }
    let parts = index
        .parts
        .iter()
        .map(|part| {
            let Some(name) = part.column.as_ref() else {
                return expression(part, index.unique, table, keyed, flavor);
            };
            let none = || format!("its column {name} does not move");
            let column = table.columns.iter().find(|column| column.target == *name);
            let column = column.ok_or_else(none)?;
            let declared = keyed.declare(column);
            let large = matches!(types::word(&declared), "longtext" | "longblob" | "json");
            let length = types::length(&declared).and_then(|length| usize::try_from(length).ok());
            let long = length.is_some_and(|length| length > keyed.characters);
            let length = if large || long {
                format!("({})", LONGEST_KEY_TEXT.min(keyed.characters))
            } else {
                String::new()
            };
            Ok(format!("{}{length}{}", quote(name), if part.descending { " DESC" } else { "" }))
        })
        .collect::<Result<Vec<String>, String>>()?;
    let unique = if index.unique { "UNIQUE " } else { "" };
    let own = !index.name.is_empty() && index.name.chars().count() <= LONGEST_NAME;
    let name = if own { quote(&index.name) + " " } else { String::new() };
    Ok(format!("{unique}INDEX {name}({})", parts.join(", ")))
}

/// An expression of an index, which MySQL alone has, and none whose result has no bound.
fn expression(
    part: &IndexPart,
    unique: bool,
    table: &TablePlan,
    keyed: &Keyed,
    flavor: Flavor,
) -> Result<String, String> {
    let common = match &part.common {
        _ if flavor == Flavor::MariaDb => {
            return Err("it has an expression, which indexes of MariaDB do not know".to_string());
        }
        Some(Common::Sql(common)) => common,
        Some(Common::Refused(reason)) => return Err(format!("{reason}; make it anew")),
        None => return Err("it has an expression of another system; make it anew".to_string()),
    };
    let written = write_expression(&SQL, &dialect::target(table), common, !unique);
    let (text, kind) = written.map_err(|refusal| format!("{refusal}; make it anew"))?;
    let bounded = |name: &String| {
        let column = table.columns.iter().find(|column| column.source == *name);
        let length = column.and_then(|column| types::length(&keyed.declare(column)));
        length.is_some_and(|length| usize::try_from(length).is_ok_and(|n| n <= LONGEST_KEY_TEXT))
    };
    let is_text = matches!(kind, Kind::Text | Kind::Word);
    // What is joined may be longer than its parts.
    if is_text && (common.contains("||") || !columns(common).iter().all(bounded)) {
        return Err("its expression is a text without a bound; make it anew".to_string());
    }
    Ok(format!("({text}){}", if part.descending { " DESC" } else { "" }))
}
