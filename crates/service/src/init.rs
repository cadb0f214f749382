//! Writes a migration file from a live source, with comments.

use std::fmt::Write;

use longshore_model::catalog::{Catalog, Table};
use longshore_model::connector::{Source, Study, StudyRequest};
use longshore_model::spec::{Limits, Spec};
use longshore_model::{Code, Endpoint, Error, Result};

use crate::Service;
use crate::number::{counted, size};
use crate::secret::is_in;

const REFERENCE: &str = "docs/reference/migration.schema.json describes every key.";

impl Service {
    /// A migration of everything in `from`, as YAML with comments: its tables with their sizes and
    /// what is odd about them. The source is read, nothing is changed; the target need not exist.
    pub async fn init(&self, from: &str, to: &str) -> Result<String> {
        let link = self.links(&Spec::short(from, to))?.remove(0);
        let clean = |error| self.secrets().redact_error(error);
        let source = link.source.open_source(&link.from).await.map_err(clean)?;
        let catalog = source.catalog().await.map_err(clean)?;
        let mut tables = Vec::with_capacity(catalog.tables.len());
        for table in &catalog.tables {
            tables.push((table, study(source.as_ref(), table).await.map_err(clean)?));
        }
        let yaml = render(from, to, &catalog, &tables);
        Spec::parse(&yaml, "the new migration file").map_err(|error| {
            Error::new(Code::Internal, "the new migration file is not valid").because(error)
        })?;
        Ok(yaml)
    }
}

async fn study(source: &dyn Source, table: &Table) -> Result<Study> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| column.name.clone())
        .collect();
    let chunk_bytes = Limits::default().chunk.0;
    source
        .study(&StudyRequest { table, columns: &columns, filter: None, chunk_bytes, decoded: true })
        .await
}

fn render(from: &str, to: &str, catalog: &Catalog, tables: &[(&Table, Study)]) -> String {
    let mut out = String::from(
        "# A migration, written by `longshore init` from what the source holds now.\n",
    );
    push(&mut out, format_args!("# {REFERENCE}\n"));
    push(&mut out, format_args!("longshore: v1\nname: {}\nversion: 0.1.0\nmoves:\n", name(from)));
    write_address(&mut out, "  - from", from, "SOURCE_URL");
    write_address(&mut out, "    to", to, "TARGET_URL");
    out.push_str(
        "    # What to do with data that the target holds already: refuse, append, truncate, replace;\n    # for trees of objects also mirror, which removes what the source lacks.\n    existing: refuse\n    # What moves, in order; \"!\" excludes, \"*\" stands for any text.\n",
    );
    out.push_str(if tables.is_empty() {
        "    # The source holds no tables.\n    tables: []\n"
    } else {
        "    tables:\n"
    });
    for (table, study) in tables {
        write_table(&mut out, table, study);
    }
    for left in &catalog.not_moved {
        push(
            &mut out,
            format_args!(
                "    # Stays behind: {} {}: {}\n",
                left.kind,
                line(&left.name),
                line(&left.reason)
            ),
        );
    }
    out.push_str(FURTHER);
    out
}

const FURTHER: &str = r#"    # More rules, each optional:
    # rename: { old_table: new_table }
    # columns: { users: { drop: [legacy], rename: { nm: name }, mask: { email: sha256 } } }
    # where: { orders: "created_at >= '2024-01-01'" }    # the source's SQL
    # types: { "orders.created_at": timestamp, "users.active": boolean }
# Values that the target cannot hold fail the run, unless a policy says otherwise:
# policies: { nan: "null", negative-zero: zero, invalid-cast: "null", nul-text: strip, zero-date: divert }
# on-reject: divert    # rows that cannot be written go to reject files
# keys: sha256    # keys in reports are hashed
# limits: { workers: auto, memory: 512MiB, source-rate: 100MiB/s, chunk: 64MiB }
verify: full    # full, sample or count
"#;

fn write_address(out: &mut String, key: &str, address: &str, secret: &str) {
    let shown = Endpoint::parse(address).map(|endpoint| endpoint.to_string());
    if !is_in(address) && shown.is_ok_and(|shown| shown.contains("***")) {
        push(out, format_args!("{key}: ${{secret:{secret}}}    # set {secret} when you run it\n"));
    } else {
        push(out, format_args!("{key}: {}\n", quoted(address)));
    }
}

fn write_table(out: &mut String, table: &Table, study: &Study) {
    let rows: u64 = study.chunks.iter().map(|chunk| chunk.rows).sum();
    let bytes: u64 = study.chunks.iter().map(|chunk| chunk.bytes).sum();
    let name = table.name.to_string();
    // A leading "!" would exclude; "?" stands for any one character.
    let pattern = name.strip_prefix('!').map_or(name.clone(), |rest| format!("?{rest}"));
    push(
        out,
        format_args!(
            "      - {}    # {}, about {}",
            quoted(&pattern),
            counted(rows, "row"),
            size(bytes)
        ),
    );
    out.push_str(if table.primary_key.is_empty() { ", no primary key\n" } else { "\n" });
    for note in &study.notes {
        push(out, format_args!("        # {}\n", line(note)));
    }
}

/// The name of a migration: the last part of the source's path, as far as names allow.
fn name(from: &str) -> String {
    let path = Endpoint::parse(from).and_then(|endpoint| endpoint.path()).unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches('-');
    // A name that YAML would read as a number or a word of its own stays text by its prefix.
    match name.chars().next() {
        None => "migration".to_string(),
        Some(first) if first.is_ascii_digit() => format!("migration-{name}"),
        Some(_)
            if ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name) =>
        {
            format!("migration-{name}")
        }
        Some(_) => name.to_string(),
    }
}

/// A YAML string in double quotes; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text on one line, so that it stays inside its comment.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') { ' ' } else { c }
        })
        .collect()
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use longshore_model::LogicalType;
    use longshore_model::catalog::{Catalog, Column, NotMoved, Table, TableName};
    use longshore_model::connector::Study;
    use longshore_model::plan::Chunk;
    use longshore_model::spec::Spec;

    use super::render;

    fn table(name: &str) -> Table {
        Table {
            name: TableName::plain(name),
            columns: vec![Column::new("a", LogicalType::Text)],
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            native: None,
            rows_elsewhere: false,
            comment: None,
            attributes: Default::default(),
        }
    }

    #[test]
    fn the_file_is_valid_whatever_the_names_are() {
        let names = ["plain", "!bang", "quote\"'\\", "new\nline", "täb: {x}", "# no"];
        let tables: Vec<Table> = names.iter().map(|name| table(name)).collect();
        let studies: Vec<_> = tables
            .iter()
            .map(|table| {
                let chunk = Chunk { range: serde_json::Value::Null, rows: 12, bytes: 34 };
                let notes = vec!["odd\nthing".to_string()];
                (
                    table,
                    Study {
                        types: vec![LogicalType::Text],
                        chunks: vec![chunk],
                        wires: Vec::new(),
                        notes,
                    },
                )
            })
            .collect();
        let catalog = Catalog {
            not_moved: vec![NotMoved {
                kind: "virtual table".to_string(),
                name: "f\nts".to_string(),
                reason: "why\nnot".to_string(),
            }],
            ..Catalog::default()
        };
        let yaml = render("sqlite:/a b/Shop 1.db", "pg://me:hunter2@db/x", &catalog, &studies);
        let spec = Spec::parse(&yaml, "m.yaml").unwrap_or_else(|e| panic!("{e:?}\n{yaml}"));
        assert_eq!(spec.name, "shop-1");
        assert_eq!(spec.moves[0].to, "${secret:TARGET_URL}");
        assert_eq!(spec.moves[0].tables[1], "?bang");
        assert_eq!(spec.moves[0].tables[3], names[3]);
        assert!(yaml.contains("# 12 rows") && !yaml.contains("hunter2"), "{yaml}");
    }

    #[test]
    fn further_rules_are_valid_when_uncommented() {
        let yaml = render("sqlite:1.db", "file:x", &Catalog::default(), &[]);
        let open: String = yaml
            .lines()
            .filter(|line| !line.contains("More rules") && !line.contains("Values that"))
            .map(|line| match line.trim_start().strip_prefix("# ") {
                Some(rest) if rest.contains(": {") => {
                    format!("{}{rest}\n", &line[..line.len() - line.trim_start().len()])
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let spec = Spec::parse(&open, "m.yaml").unwrap_or_else(|e| panic!("{e:?}\n{open}"));
        assert_eq!(spec.moves[0].types.len(), 2);
        assert_eq!(spec.name, "migration-1");
    }
}
