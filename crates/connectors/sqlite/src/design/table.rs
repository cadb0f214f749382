//! `CREATE TABLE`: the source's own text where nothing changed, else one made from the structure.

use longshore_dialect::{write_condition, write_generated};
use longshore_model::catalog::{Column, Common, ForeignKey, NotMoved, Table};
use longshore_model::plan::{ColumnPlan, TablePlan};
use longshore_model::{Cell, ColumnBuilder, ColumnView, DefaultValue, LogicalType};

use super::not_moved;
use crate::dialect::{self, SQL};
use crate::sql::{definition, quote, quote_all, text_literal};
use crate::types::{Affinity, affinity, is_plain_type};

/// A table's definition.
pub(super) struct Making {
    pub(super) sql: String,
    /// Whether it is the source's own text, but for the name.
    pub(super) verbatim: bool,
    /// The highest number given out, when the table has AUTOINCREMENT.
    pub(super) sequence: Option<i64>,
    pub(super) not_moved: Vec<NotMoved>,
}

/// Makes the definition of a table; `same` says that the source is SQLite too.
pub(super) fn make(plan: &TablePlan, source: Option<&Table>, same: bool) -> Making {
    let structure = &plan.structure;
    let sequence = structure
        .attributes
        .get("autoincrement")
        .filter(|_| same)
        .and_then(|highest| highest.parse().ok());
    if same
        && let Some(native) = &structure.native
        && let Some(sql) = verbatim(plan, source, native)
    {
        return Making { sql, verbatim: true, sequence, not_moved: Vec::new() };
    }
    let mut maker = Maker { plan, same, strict: false, not_moved: Vec::new() };
    maker.strict = same && structure.attributes.contains_key("strict") && maker.can_be_strict();
    let sql = maker.table();
    let sequence = sequence.filter(|_| maker.alias().is_some());
    Making { sql, verbatim: false, sequence, not_moved: maker.not_moved }
}

/// The source's text with the target's name, unless a foreign key must be written anew.
fn verbatim(plan: &TablePlan, source: Option<&Table>, native: &str) -> Option<String> {
    let unchanged = |one: &ForeignKey, two: &ForeignKey| {
        one.references.name.eq_ignore_ascii_case(&two.references.name)
            && one.referenced == two.referenced
            && one.columns == two.columns
    };
    let (old, new) = (&source?.foreign_keys, &plan.structure.foreign_keys);
    if old.len() != new.len() || !old.iter().zip(new).all(|(one, two)| unchanged(one, two)) {
        return None;
    }
    let written = definition(native).name?;
    let name = quote(&plan.target.name);
    if plan.source == plan.target {
        return Some(native.to_string());
    }
    Some(format!("{}{name}{}", &native[..written.start], &native[written.end..]))
}

struct Maker<'a> {
    plan: &'a TablePlan,
    same: bool,
    strict: bool,
    not_moved: Vec<NotMoved>,
}

impl Maker<'_> {
    fn table(&mut self) -> String {
        let structure = &self.plan.structure;
        let mut lines = Vec::new();
        for column in &structure.columns {
            lines.extend(self.column(column));
        }
        let key = &structure.primary_key;
        let there = |name: &String| structure.columns.iter().any(|column| column.name == *name);
        let keyed = !key.is_empty() && key.iter().all(there);
        if keyed && self.alias().is_none() {
            let names = quote_all(key.iter().map(String::as_str));
            lines.push(format!("PRIMARY KEY ({names})"));
        }
        lines.extend(self.checks());
        for foreign in &structure.foreign_keys {
            lines.push(foreign_key(foreign));
        }
        let mut options = Vec::new();
        if self.same && keyed && structure.attributes.contains_key("without-rowid") {
            options.push("WITHOUT ROWID");
        }
        if self.strict {
            options.push("STRICT");
        }
        let name = quote(&self.plan.target.name);
        let options = options.join(", ");
        let space = if options.is_empty() { "" } else { " " };
        format!("CREATE TABLE {name} (\n  {}\n){space}{options}", lines.join(",\n  "))
    }

    fn column(&mut self, column: &Column) -> Option<String> {
        let plan = self.plan.columns.iter().find(|plan| plan.target == column.name);
        let computed = match (plan, &column.generated) {
            (None, Some(generated)) if self.same => {
                Some((generated.expression.clone(), generated.stored))
            }
            (None, _) => return None,
            (Some(plan), Some(generated)) if plan.computed => {
                let relation = dialect::target(self.plan);
                let written = write_generated(&SQL, &relation, self.plan, &column.name);
                written.ok().map(|expression| (expression, generated.stored))
            }
            (Some(_), _) => None,
        };
        let name = quote(&column.name);
        if self.alias() == Some(column.name.as_str()) {
            let auto = self.same && self.plan.structure.attributes.contains_key("autoincrement");
            let auto = if auto { " AUTOINCREMENT" } else { "" };
            return Some(format!("{name} INTEGER PRIMARY KEY{auto}"));
        }
        let declared = plan.map_or_else(|| column.native.clone(), |plan| self.declared(plan));
        let mut text = name;
        if !declared.is_empty() {
            text.push(' ');
            text.push_str(&declared);
        }
        if !column.nullable {
            text.push_str(" NOT NULL");
        }
        if let Some(collation) = column.collation.as_ref().filter(|_| self.same) {
            text.push_str(&format!(" COLLATE {}", quote(collation)));
        }
        if let Some((expression, stored)) = computed {
            let kind = if stored { "STORED" } else { "VIRTUAL" };
            text.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kind}"));
        } else if let Some(default) = &column.default {
            let kept = match plan {
                Some(plan) if !self.same => translated(default, &plan.to),
                _ => Some(default.clone()),
            };
            match kept {
                Some(default) => text.push_str(&format!(" DEFAULT ({default})")),
                None => {
                    let name = format!("{}.{}", self.plan.target, column.name);
                    self.lose("default", &name, "its expression is of another system");
                }
            }
        }
        if !column.values.is_empty() && plan.is_some() {
            text.push_str(&self.check(column));
        }
        Some(text)
    }

    /// The conditions that every row meets, where they mean the same here.
    fn checks(&mut self) -> Vec<String> {
        let table = dialect::target(self.plan);
        let mut lines = Vec::new();
        for check in &self.plan.structure.checks {
            let written = match &check.common {
                Common::Sql(common) => {
                    write_condition(&SQL, &table, common).map_err(|refusal| refusal.to_string())
                }
                Common::Refused(reason) => Err(reason.clone()),
            };
            match written {
                Ok(condition) if check.name.is_empty() => {
                    lines.push(format!("CHECK ({condition})"))
                }
                Ok(condition) => {
                    lines.push(format!("CONSTRAINT {} CHECK ({condition})", quote(&check.name)));
                }
                Err(reason) => {
                    let name = format!("{}.{}", self.plan.target, check.name);
                    self.lose("check", &name, &format!("{reason}; write it anew for SQLite"));
                }
            }
        }
        lines
    }

    /// The rule that allows certain texts only.
    fn check(&mut self, column: &Column) -> String {
        let is_text = matches!(column.logical, LogicalType::Text | LogicalType::Opaque { .. });
        if !is_text || column.values.iter().any(|v| v.contains('\0')) {
            let name = format!("{}.{}", self.plan.target, column.name);
            self.lose(
                "check",
                &name,
                "its column is of another type here, or one of its texts cannot be",
            );
            return String::new();
        }
        let texts: Vec<String> = column.values.iter().map(|text| text_literal(text)).collect();
        let called = quote(&format!("{}_values", column.name));
        format!(" CONSTRAINT {called} CHECK ({} IN ({}))", quote(&column.name), texts.join(", "))
    }

    /// The declared type: the source's own when values go from SQLite to SQLite as they are.
    fn declared(&self, column: &ColumnPlan) -> String {
        let any = column.declared.eq_ignore_ascii_case("ANY");
        if !self.same || converts(column) || (any && !self.strict) {
            return column.native.clone();
        }
        if column.declared.is_empty() || any || is_plain_type(&column.declared) {
            return column.declared.clone();
        }
        let plain = match affinity(&column.declared) {
            Affinity::Integer => "INTEGER",
            Affinity::Text => "TEXT",
            Affinity::Blob => "BLOB",
            Affinity::Real => "REAL",
            Affinity::Numeric => "NUMERIC",
        };
        plain.to_string()
    }

    /// The column that becomes the row's number.
    fn alias(&self) -> Option<&str> {
        let structure = &self.plan.structure;
        let [only] = structure.primary_key.as_slice() else { return None };
        let column = self.plan.columns.iter().find(|column| column.target == *only)?;
        let fits = match self.same {
            true => structure.attributes.contains_key("rowid-alias") && !converts(column),
            false => true,
        };
        (fits && matches!(column.to, LogicalType::Int { .. })).then_some(only)
    }

    fn can_be_strict(&self) -> bool {
        self.plan.columns.iter().all(|column| {
            ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"]
                .iter()
                .any(|allowed| column.declared.eq_ignore_ascii_case(allowed))
                && !converts(column)
        })
    }

    fn lose(&mut self, kind: &str, name: &str, reason: &str) {
        self.not_moved.push(not_moved(kind, name, reason.to_string()));
    }
}

fn converts(column: &ColumnPlan) -> bool {
    column.mask.is_some() || column.from != column.to
}

/// The default of another system that means the same here, for a column that is stored as `logical`.
fn translated(default: &str, logical: &LogicalType) -> Option<String> {
    match (DefaultValue::read(default)?, logical) {
        (DefaultValue::Null, _) => Some("NULL".to_string()),
        (DefaultValue::Bool(value), _) => Some(u8::from(value).to_string()),
        (DefaultValue::Now, LogicalType::Timestamp { .. }) => Some("CURRENT_TIMESTAMP".to_string()),
        (DefaultValue::Today, LogicalType::Date) => Some("CURRENT_DATE".to_string()),
        (DefaultValue::Bits(digits), LogicalType::Bits { length }) => {
            let width = usize::try_from(*length).ok()?;
            stored(&format!("{digits:0>width$}"), logical)
        }
        (DefaultValue::Text(text), LogicalType::Date | LogicalType::Timestamp { .. }) => {
            let utc = matches!(logical, LogicalType::Timestamp { utc: true, .. });
            let zone = if utc && !text.contains(['Z', '+']) { "Z" } else { "" };
            stored(&(text + zone), logical)
        }
        (DefaultValue::Text(_), LogicalType::Bits { .. }) => None,
        (DefaultValue::Text(text), _) => Some(text_literal(&text)),
        (DefaultValue::Number(text), _) => Some(text),
        _ => None,
    }
}

/// The literal of a value, as its text is stored.
fn stored(text: &str, logical: &LogicalType) -> Option<String> {
    let mut builder = ColumnBuilder::new(logical);
    builder.cast(Cell::Text(text)).ok()?;
    let array = builder.finish();
    let mut text = String::new();
    ColumnView::new(logical, &array).ok()?.cell(0).write_text(&mut text);
    Some(text_literal(&text))
}

fn foreign_key(key: &ForeignKey) -> String {
    let columns = quote_all(key.columns.iter().map(String::as_str));
    let mut text = format!("FOREIGN KEY ({columns}) REFERENCES {}", quote(&key.references.name));
    if !key.referenced.is_empty() {
        let referenced = quote_all(key.referenced.iter().map(String::as_str));
        text.push_str(&format!(" ({referenced})"));
    }
    for (event, action) in [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)] {
        let known = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"];
        if let Some(action) = known.iter().find(|known| action.eq_ignore_ascii_case(known)) {
            text.push_str(&format!(" ON {event} {action}"));
        }
    }
    if key.deferred {
        text.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    text
}
