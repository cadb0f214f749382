//! The plan as text for people.

use std::fmt::{self, Write};

use longshore_model::plan::{MovePlan, Plan, TablePlan};

/// Bytes in a second that the first estimate assumes; the run corrects it as it goes.
const ASSUMED_RATE: u64 = 60 << 20;

/// Writes a plan for people.
pub fn describe(plan: &Plan) -> String {
    let mut out = String::new();
    write_plan(plan, &mut out).expect("writing to a String cannot fail");
    out
}

fn write_plan(plan: &Plan, out: &mut String) -> fmt::Result {
    writeln!(out, "Plan of {} {}", plan.name, plan.version)?;
    for one in &plan.moves {
        write_move(one, out)?;
    }
    Ok(())
}

fn write_move(one: &MovePlan, out: &mut String) -> fmt::Result {
    writeln!(out, "\n{} → {}", one.from, one.to)?;
    let seconds = one.bytes() / ASSUMED_RATE + 1;
    writeln!(
        out,
        "  {} tables, {} rows, {} in {} chunks; about {seconds} s, corrected as it runs",
        one.tables.len(),
        grouped(one.rows()),
        size(one.bytes()),
        one.chunks()
    )?;
    writeln!(out, "  If a run is killed: {}", one.restart)?;
    for table in &one.tables {
        write_table(table, out)?;
    }
    section(out, "Before the copy", one.prepare.iter().map(|s| s.purpose.clone()))?;
    section(out, "After the copy", one.finish.iter().map(|s| s.purpose.clone()))?;
    section(
        out,
        "Losses",
        one.losses.iter().map(|loss| {
            format!(
                "{}.{}: {} × {} → {}",
                loss.table,
                loss.column,
                grouped(loss.count),
                loss.kind.describe(),
                loss.action
            )
        }),
    )?;
    section(
        out,
        "Not moved",
        one.not_moved.iter().map(|n| format!("{} {}: {}", n.kind, n.name, n.reason)),
    )?;
    section(out, "Risks", one.risks.iter().cloned())
}

fn write_table(table: &TablePlan, out: &mut String) -> fmt::Result {
    write!(out, "\n  {}", table.source)?;
    if table.source != table.target {
        write!(out, " → {}", table.target)?;
    }
    writeln!(
        out,
        "  {} rows, {}, {} chunk{}{}",
        grouped(table.rows),
        size(table.bytes),
        table.chunks.len(),
        if table.chunks.len() == 1 { "" } else { "s" },
        table.filter.as_ref().map(|filter| format!(", where {filter}")).unwrap_or_default()
    )?;
    let width = table.columns.iter().map(|c| c.source.chars().count()).max().unwrap_or(0);
    for column in &table.columns {
        let declared = if column.declared.is_empty() {
            String::new()
        } else {
            format!("{} = ", column.declared)
        };
        write!(out, "    {:width$}  {declared}{}", column.source, column.from)?;
        if column.to != column.from {
            write!(out, " → {}", column.to)?;
        }
        write!(out, " → {}", if column.native.is_empty() { "(no type)" } else { &column.native })?;
        if column.source != column.target {
            write!(out, " as {}", column.target)?;
        }
        if let Some(mask) = column.mask {
            write!(out, ", masked ({mask:?})")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(out, "\n  {title}")?;
    }
    for line in lines {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn size(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_for_people() {
        assert_eq!(super::grouped(1_234_567), "1,234,567");
        assert_eq!(super::grouped(999), "999");
        assert_eq!(super::size(1536), "1.5 KiB");
    }
}
