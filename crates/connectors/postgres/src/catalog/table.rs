//! One table: what the server says of it, and its definition.

use longshore_model::catalog::{
    Column as ModelColumn, ForeignKey, Generated, Index as ModelIndex, IndexPart, Program,
    TableName,
};
use tokio_postgres::Row;

use super::{Got, key, program};
use crate::sql::{literal, quote};
use crate::types::{self, NativeType};

pub(super) struct Facts {
    pub(super) oid: u32,
    pub(super) name: TableName,
    pub(super) partitioned: bool,
    unlogged: bool,
    partition_key: Option<String>,
    bound: Option<String>,
    pub(super) parents: Vec<u32>,
    options: Option<String>,
    identity: String,
    row_security: bool,
    forced: bool,
    of_type: Option<String>,
}

pub(super) struct Column {
    name: String,
    native: NativeType,
    required: bool,
    /// Whether no parent requires it too.
    required_here: bool,
    default: Option<String>,
    identity: String,
    generated: String,
    collation: Option<String>,
    local: bool,
    storage: Option<String>,
    compression: Option<String>,
    statistics: Option<i32>,
    options: Option<String>,
}

pub(super) struct Constraint {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) definition: String,
    pub(super) local: bool,
    /// Whether it is not a copy of its parent table's.
    pub(super) own: bool,
    pub(super) references: Option<u32>,
    pub(super) columns: Vec<String>,
    referenced: Vec<String>,
    on_delete: String,
    on_update: String,
    deferred: bool,
}

pub(super) struct Index {
    pub(super) oid: u32,
    pub(super) table: u32,
    pub(super) name: String,
    pub(super) definition: String,
    unique: bool,
    pub(super) constraint: bool,
    pub(super) parent: Option<u32>,
    condition: Option<String>,
    parts: Vec<String>,
    options: Vec<i32>,
    pub(super) clustered: bool,
    pub(super) identifies: bool,
    pub(super) valid: bool,
    pub(super) qualified: String,
}

pub(super) struct Sequence {
    pub(super) name: String,
    kind: String,
    start: i64,
    increment: i64,
    most: i64,
    least: i64,
    cache: i64,
    cycles: bool,
    pub(super) table: Option<u32>,
    column: Option<String>,
    pub(super) identity: bool,
    /// The last number, and whether it was given out; `None` where the user may not see it.
    pub(super) next: Option<(i64, bool)>,
    unlogged: bool,
    /// Whether the user may read it.
    pub(super) readable: bool,
}

pub(super) fn facts(row: &Row) -> Got<Facts> {
    Ok(Facts {
        oid: row.try_get(0)?,
        name: TableName { namespace: Some(row.try_get(1)?), name: row.try_get(2)? },
        partitioned: row.try_get(3)?,
        unlogged: row.try_get(4)?,
        partition_key: row.try_get(5)?,
        bound: row.try_get(6)?,
        parents: row.try_get(7)?,
        options: row.try_get(8)?,
        identity: row.try_get(9)?,
        row_security: row.try_get(10)?,
        forced: row.try_get(11)?,
        of_type: row.try_get(12)?,
    })
}

/// A type, from five columns of a row.
pub(super) fn native(row: &Row, at: usize) -> Got<NativeType> {
    Ok(NativeType {
        name: row.try_get(at)?,
        base: row.try_get(at + 1)?,
        builtin: row.try_get(at + 2)?,
        portable: row.try_get(at + 3)?,
        modifier: row.try_get(at + 4)?,
    })
}

pub(super) fn column(row: &Row) -> Got<Column> {
    Ok(Column {
        name: row.try_get(1)?,
        native: native(row, 2)?,
        required: row.try_get(7)?,
        default: row.try_get(8)?,
        identity: row.try_get(9)?,
        generated: row.try_get(10)?,
        collation: row.try_get(11)?,
        local: row.try_get(12)?,
        storage: row.try_get(13)?,
        compression: row.try_get(14)?,
        statistics: row.try_get(15)?,
        options: row.try_get(16)?,
        required_here: row.try_get(17)?,
    })
}

pub(super) fn constraint(row: &Row) -> Got<Constraint> {
    let references: u32 = row.try_get(6)?;
    Ok(Constraint {
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        definition: row.try_get(3)?,
        local: row.try_get(4)?,
        own: row.try_get(5)?,
        references: (references != 0).then_some(references),
        columns: row.try_get(7)?,
        referenced: row.try_get(8)?,
        on_delete: row.try_get(9)?,
        on_update: row.try_get(10)?,
        deferred: row.try_get(11)?,
    })
}

pub(super) fn index(row: &Row) -> Got<Index> {
    Ok(Index {
        oid: row.try_get(0)?,
        table: row.try_get(1)?,
        name: row.try_get(2)?,
        definition: row.try_get(3)?,
        unique: row.try_get(4)?,
        constraint: row.try_get(5)?,
        parent: row.try_get(6)?,
        condition: row.try_get(7)?,
        parts: row.try_get(8)?,
        options: row.try_get(9)?,
        clustered: row.try_get(10)?,
        identifies: row.try_get(11)?,
        valid: row.try_get(12)?,
        qualified: row.try_get(13)?,
    })
}

pub(super) fn sequence(row: &Row) -> Got<Sequence> {
    Ok(Sequence {
        name: row.try_get(0)?,
        kind: row.try_get(1)?,
        start: row.try_get(2)?,
        increment: row.try_get(3)?,
        most: row.try_get(4)?,
        least: row.try_get(5)?,
        cache: row.try_get(6)?,
        cycles: row.try_get(7)?,
        table: row.try_get(8)?,
        column: row.try_get(9)?,
        identity: row.try_get(10)?,
        next: row.try_get::<_, Option<i64>>(11)?.map(|last| (last, true)),
        unlogged: row.try_get(12)?,
        readable: row.try_get(13)?,
    })
}

impl Facts {
    /// The statements that make the table, without what follows the load.
    pub(super) fn create(
        &self,
        columns: &[Column],
        constraints: &[Constraint],
        sequences: &[Sequence],
        parents: &[String],
    ) -> String {
        let name = key(&self.name);
        let partition = self.bound.is_some();
        let mut lines: Vec<String> = columns
            .iter()
            .filter(|column| column.local || partition)
            .map(|column| {
                let required = required(column, constraints).filter(|one| !one.is_late());
                column.declare(self.sequence(column, sequences), required, constraints)
            })
            .collect();
        lines.extend(
            constraints
                .iter()
                .filter(|one| one.kind == "c" && (one.local || partition) && !one.is_late())
                .map(|one| format!("CONSTRAINT {} {}", quote(&one.name), one.definition)),
        );
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        let mut sql = format!("CREATE {unlogged}TABLE {name} (\n    {}\n)", lines.join(",\n    "));
        if !partition && !parents.is_empty() {
            sql += &format!("\nINHERITS ({})", parents.join(", "));
        }
        if let Some(partition_key) = &self.partition_key {
            sql += &format!("\nPARTITION BY {partition_key}");
        }
        if let Some(options) = &self.options {
            sql += &format!("\nWITH ({options})");
        }
        for column in columns {
            if !column.local
                && !partition
                && let Some(default) = &column.default
                && column.generated.is_empty()
            {
                let column = quote(&column.name);
                sql += &format!(
                    ";\nALTER TABLE ONLY {name} ALTER COLUMN {column} SET DEFAULT {default}"
                );
            }
            if !column.local && !partition && column.required {
                let quoted = quote(&column.name);
                match required(column, constraints) {
                    Some(one) if one.local && !one.is_late() => {
                        sql += &format!(
                            ";\nALTER TABLE ONLY {name} ADD CONSTRAINT {} {}",
                            quote(&one.name),
                            one.definition
                        );
                    }
                    None if column.required_here => {
                        sql += &format!(
                            ";\nALTER TABLE ONLY {name} ALTER COLUMN {quoted} SET NOT NULL"
                        );
                    }
                    _ => {}
                }
            }
            for words in column.settings() {
                let column = quote(&column.name);
                sql += &format!(";\nALTER TABLE ONLY {name} ALTER COLUMN {column} SET {words}");
            }
        }
        if let Some(of_type) = &self.of_type {
            sql += &format!(";\nALTER TABLE ONLY {name} OF {of_type}");
        }
        match self.identity.as_str() {
            "n" => sql += &format!(";\nALTER TABLE ONLY {name} REPLICA IDENTITY NOTHING"),
            "f" => sql += &format!(";\nALTER TABLE ONLY {name} REPLICA IDENTITY FULL"),
            _ => {}
        }
        if self.row_security {
            sql += &format!(";\nALTER TABLE {name} ENABLE ROW LEVEL SECURITY");
        }
        if self.forced {
            sql += &format!(";\nALTER TABLE ONLY {name} FORCE ROW LEVEL SECURITY");
        }
        if let (Some(bound), Some(parent)) = (&self.bound, parents.first()) {
            sql += &format!(";\nALTER TABLE ONLY {parent} ATTACH PARTITION {name} {bound}");
        }
        sql
    }

    fn sequence<'a>(&self, column: &Column, sequences: &'a [Sequence]) -> Option<&'a Sequence> {
        sequences.iter().find(|sequence| {
            sequence.identity
                && sequence.table == Some(self.oid)
                && sequence.column.as_ref() == Some(&column.name)
        })
    }
}

/// The constraint that requires a column; before version 18 it has none.
fn required<'a>(column: &Column, constraints: &'a [Constraint]) -> Option<&'a Constraint> {
    constraints.iter().find(|one| one.kind == "n" && one.columns.first() == Some(&column.name))
}

impl Column {
    fn declare(
        &self,
        sequence: Option<&Sequence>,
        constraint: Option<&Constraint>,
        constraints: &[Constraint],
    ) -> String {
        let mut text = format!("{} {}", quote(&self.name), self.native.name);
        if let Some(collation) = &self.collation {
            text += &format!(" COLLATE {collation}");
        }
        match (self.generated.as_str(), &self.default) {
            ("s", Some(expression)) => {
                text += &format!(" GENERATED ALWAYS AS ({expression}) STORED")
            }
            ("v", Some(expression)) => text += &format!(" GENERATED ALWAYS AS ({expression})"),
            (_, Some(default)) => text += &format!(" DEFAULT {default}"),
            (_, None) => {}
        }
        match constraint {
            Some(one) => {
                let alone = if one.definition.ends_with("NO INHERIT") { " NO INHERIT" } else { "" };
                text += &format!(" CONSTRAINT {} NOT NULL{alone}", quote(&one.name));
            }
            None if self.required && required(self, constraints).is_none() => text += " NOT NULL",
            None => {}
        }
        let when = match self.identity.as_str() {
            "a" => "ALWAYS",
            "d" => "BY DEFAULT",
            _ => return text,
        };
        // A partition shares the sequence of its parent, and gets it from there.
        match sequence {
            None => text,
            Some(one) => {
                let options = format!("SEQUENCE NAME {} {}", one.name, one.parameters());
                text + &format!(" GENERATED {when} AS IDENTITY ({options})")
            }
        }
    }

    fn settings(&self) -> Vec<String> {
        let storage = self.storage.as_deref().and_then(|storage| match storage {
            "p" => Some("STORAGE PLAIN"),
            "e" => Some("STORAGE EXTERNAL"),
            "m" => Some("STORAGE MAIN"),
            "x" => Some("STORAGE EXTENDED"),
            _ => None,
        });
        let compression = self.compression.as_deref().and_then(|compression| match compression {
            "p" => Some("COMPRESSION pglz"),
            "l" => Some("COMPRESSION lz4"),
            _ => None,
        });
        let mut all: Vec<String> =
            storage.into_iter().chain(compression).map(str::to_string).collect();
        all.extend(
            self.statistics.filter(|target| *target >= 0).map(|n| format!("STATISTICS {n}")),
        );
        all.extend(self.options.as_ref().map(|options| format!("({options})")));
        all
    }

    pub(super) fn model(&self) -> ModelColumn {
        let generated = self.default.clone().filter(|_| !self.generated.is_empty());
        ModelColumn {
            name: self.name.clone(),
            logical: types::logical(&self.native),
            native: self.native.name.clone(),
            nullable: !self.required,
            default: self.default.clone().filter(|_| generated.is_none()),
            generated: generated
                .map(|expression| Generated { expression, stored: self.generated == "s" }),
            collation: self.collation.clone(),
        }
    }
}

impl Constraint {
    /// Whether it is made after the load, because rows need not meet it.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.kind.as_str(), "c" | "n") && self.definition.ends_with("NOT VALID")
    }

    pub(super) fn foreign_key(&self, references: &TableName) -> Option<ForeignKey> {
        let action = |letter: &str| {
            match letter {
                "r" => "RESTRICT",
                "c" => "CASCADE",
                "n" => "SET NULL",
                "d" => "SET DEFAULT",
                _ => "NO ACTION",
            }
            .to_string()
        };
        Some(ForeignKey {
            columns: self.columns.clone(),
            references: references.clone(),
            referenced: self.referenced.clone(),
            on_delete: action(&self.on_delete),
            on_update: action(&self.on_update),
            deferred: self.deferred,
        })
    }
}

impl Index {
    /// The index as other systems see it; `None` for the primary key's, and for what only this
    /// system has.
    pub(super) fn model(&self, constraints: &[Constraint]) -> Option<ModelIndex> {
        let kind = constraints.iter().find(|one| self.constraint && one.name == self.name);
        if !self.valid || kind.is_some_and(|one| one.kind != "u") {
            return None;
        }
        let parts = self.parts.iter().enumerate().map(|(at, column)| IndexPart {
            column: Some(column.clone()).filter(|column| !column.is_empty()),
            descending: self.options.get(at).is_some_and(|bits| bits & 1 == 1),
        });
        Some(ModelIndex {
            name: self.name.clone(),
            parts: parts.collect(),
            unique: self.unique,
            constraint: self.constraint,
            condition: self.condition.clone(),
            native: Some(self.definition.clone()),
        })
    }
}

impl Sequence {
    fn parameters(&self) -> String {
        format!(
            "START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {}{}",
            self.start,
            self.increment,
            self.least,
            self.most,
            self.cache,
            if self.cycles { " CYCLE" } else { "" }
        )
    }

    pub(super) fn create(&self) -> String {
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        format!("CREATE {unlogged}SEQUENCE {} AS {} {}", self.name, self.kind, self.parameters())
    }

    /// What follows the load: whose it is, and where it goes on.
    pub(super) fn finish(&self, table: Option<&TableName>, bound: &str) -> Vec<Program> {
        let mut programs = Vec::new();
        let mut add = |kind: &str, native| {
            programs.push(program(kind.into(), self.name.clone(), bound.into(), native));
        };
        if let (false, Some(_), Some(column)) = (self.identity, table, &self.column) {
            let sql = format!("ALTER SEQUENCE {} OWNED BY {bound}.{}", self.name, quote(column));
            add("owner of a sequence", sql);
        }
        let name = literal(&self.name);
        match (table, &self.column) {
            // Rows may be newer than the number that was read with the structure.
            (Some(_), Some(column)) if self.increment > 0 && !self.cycles => {
                let (column, most) = (quote(column), self.most);
                let (last, called) = self.next.unwrap_or((self.start, false));
                add(
                    "sequence value",
                    format!(
                        "SELECT pg_catalog.setval({name}, LEAST(GREATEST({last}, at), {most}), \
                         COALESCE(at >= {last}, false) OR {called}) FROM (SELECT \
                         pg_catalog.max({column})::pg_catalog.int8 AS at FROM {bound}) AS highest"
                    ),
                );
            }
            _ => {
                if let Some((last, called)) = self.next
                    && (called || last != self.start)
                {
                    add(
                        "sequence value",
                        format!("SELECT pg_catalog.setval({name}, {last}, {called})"),
                    );
                }
            }
        }
        programs
    }
}
