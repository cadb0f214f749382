//! The page that says how every system declares every type.

use longshore_engine::Connectors;
use longshore_model::catalog::Column;
use longshore_model::connector::Target;
use longshore_model::{LogicalType, Result};

use super::NOTE;

/// Types whose declaration differs somewhere, in the words of the migration file.
const TYPES: &[&str] = &[
    "boolean",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "decimal(12,2)",
    "decimal(76,30)",
    "number",
    "text",
    "bytes",
    "bits(12)",
    "date",
    "time(us)",
    "time(ns)",
    "timestamp(us)",
    "timestamp(ns)",
    "timestamptz(us)",
    "interval",
    "uuid",
    "json",
    "variant",
];

const HEAD: &str = "# Types

How every system declares the columns that another system's values need, and which values it lacks: those fail the
run, or follow the policy of that name. Between two systems of the same kind declarations stay as they are.

";

/// Makes the page.
pub(super) async fn page(connectors: &Connectors) -> Result<String> {
    let mut systems = Vec::new();
    for about in connectors.about() {
        let link = connectors.link("sqlite:another.db", about.example)?;
        systems.push((about.title, link.target.open_target(&link.to).await?));
    }
    let mut out = format!("{NOTE}{HEAD}| type |");
    for (title, _) in &systems {
        out.push_str(&format!(" {title} |"));
    }
    out.push_str(&format!("\n|{}\n", "---|".repeat(systems.len() + 1)));
    for text in TYPES {
        let column = Column::new("c", text.parse::<LogicalType>()?);
        row(&mut out, &format!("`{text}`"), &column, &systems)?;
    }
    let text = Column::new("c", LogicalType::Text);
    row(
        &mut out,
        "`text` of at most 40 characters",
        &Column { length: Some(40), ..text.clone() },
        &systems,
    )?;
    let values = vec!["a".to_string(), "b".to_string()];
    row(&mut out, "`text` that is `a` or `b`", &Column { values, ..text }, &systems)?;
    Ok(out)
}

fn row(
    out: &mut String,
    name: &str,
    column: &Column,
    systems: &[(&str, Box<dyn Target>)],
) -> Result<()> {
    out.push_str(&format!("| {name} |"));
    for (_, target) in systems {
        let mapping = target.map_column(column)?;
        let lacks: Vec<String> = mapping.guards.iter().map(|kind| format!("`{kind}`")).collect();
        let lacks = match lacks.is_empty() {
            true => String::new(),
            false => format!(", without {}", lacks.join(", ")),
        };
        out.push_str(&format!(" `{}`{lacks} |", mapping.native));
    }
    out.push('\n');
    Ok(())
}
