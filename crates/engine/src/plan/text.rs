//! The plan as text for people: an overview with one line a table; every column on request, or when
//! there are few tables.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use longshore_model::plan::{
    ColumnPlan, MergeForecast, MovePlan, Plan, ReferencePlan, Statement, TablePlan,
};
use longshore_model::spec::{Existing, Missing};

/// Bytes in a second that the first estimate assumes; the run corrects it as it goes.
const ASSUMED_RATE: u64 = 60 << 20;

/// Up to so many tables, every column is shown.
const FEW: usize = 4;

/// Sentences are wrapped at this width.
const WIDTH: usize = 100;

/// Writes a plan for people; with `details`, every column and every statement is named.
pub fn describe(plan: &Plan, details: bool) -> String {
    let mut out = String::new();
    write_plan(plan, details, &mut out).expect("writing to a String cannot fail");
    out
}

fn write_plan(plan: &Plan, details: bool, out: &mut String) -> fmt::Result {
    writeln!(out, "Plan of {} {}", plan.name, plan.version)?;
    for one in &plan.moves {
        let details = details || one.tables.len() <= FEW;
        write_move(one, details, out)?;
        if !details {
            writeln!(out, "\n  Every column: --details. Every statement: --sql.")?;
        }
    }
    if !plan.references.is_empty() {
        writeln!(out, "\nRows that name objects")?;
    }
    plan.references.iter().try_for_each(|one| write_reference(plan, one, out))
}

fn write_reference(plan: &Plan, one: &ReferencePlan, out: &mut String) -> fmt::Result {
    let table = &plan.moves[one.rows].tables[one.table];
    let column = &table.columns[one.column].source;
    let prefix = one.prefix.as_ref().map(|prefix| format!(" behind {prefix}")).unwrap_or_default();
    let objects = &plan.moves[one.objects].from;
    writeln!(out, "  {}.{column}{prefix} → {objects}", table.source)?;
    let Some(forecast) = one.forecast else { return Ok(()) };
    let names = counted(forecast.names, "name");
    let unnamed = counted(forecast.unnamed, "object");
    write_wrapped(out, &format!("{names} in the rows; {unnamed} that no row names"))?;
    let missing = grouped(forecast.missing);
    match (forecast.missing, one.missing) {
        (0, _) => Ok(()),
        (_, Missing::Fail) => write_wrapped(
            out,
            &format!("{missing} of the names are no objects: the run will not count as a success"),
        ),
        (_, Missing::Allow) => {
            write_wrapped(out, &format!("{missing} of the names are no objects, which is allowed"))
        }
    }
}

fn write_move(one: &MovePlan, details: bool, out: &mut String) -> fmt::Result {
    writeln!(out, "\n{} → {}", one.from, one.to)?;
    let seconds = one.bytes() / ASSUMED_RATE + 1;
    writeln!(
        out,
        "  {}, {}, {} in {}; about {seconds} s, corrected as it runs\n",
        counted(one.tables.len() as u64, "table"),
        counted(one.rows(), "row"),
        size(one.bytes()),
        counted(one.chunks() as u64, "chunk")
    )?;
    if details {
        one.tables.iter().try_for_each(|table| write_table(table, out))?;
    } else {
        write_overview(&one.tables, out)?;
        section(out, "Columns that change", one.tables.iter().flat_map(changes))?;
    }
    write_statements(out, "Before the copy", &one.prepare, details)?;
    write_statements(out, "After the copy", &one.finish, details)?;
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
    section(out, "What the target holds", one.merge.iter().flat_map(|m| merged(m, one.existing)))?;
    section(out, "Risks", one.risks.iter().cloned())?;
    section(out, "If a run is killed", std::iter::once(one.restart.clone()))
}

/// What becomes of the objects of both sides, a line for each kind that there is.
fn merged(merge: &MergeForecast, existing: Existing) -> Vec<String> {
    let fate = if existing == Existing::Mirror { "will be REMOVED" } else { "are kept" };
    let mut names = merge.first_others.join(", ");
    if merge.others.objects > merge.first_others.len() as u64 {
        names += ", …";
    }
    [
        (merge.same, "look the same and stay if their bytes are".to_string()),
        (merge.differing, "differ and will be written over".to_string()),
        (merge.added, "will be added".to_string()),
        (merge.others, format!("are not in the source and {fate}: {names}")),
    ]
    .into_iter()
    .filter(|(extent, _)| extent.objects > 0)
    .map(|(extent, what)| {
        format!("{} ({}) {what}", counted(extent.objects, "object"), size(extent.bytes))
    })
    .collect()
}

/// One line for each table.
fn write_overview(tables: &[TablePlan], out: &mut String) -> fmt::Result {
    let titles: Vec<String> = tables.iter().map(title).collect();
    let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
    let heading = "table";
    writeln!(out, "  {heading:width$}  {:>14}  {:>10}  chunks  columns", "rows", "size")?;
    for (table, title) in tables.iter().zip(&titles) {
        writeln!(
            out,
            "  {title:width$}  {:>14}  {:>10}  {:>6}  {:>7}{}",
            grouped(table.rows),
            size(table.bytes),
            table.chunks.len(),
            table.columns.len(),
            condition(table)
        )?;
    }
    writeln!(out)
}

fn title(table: &TablePlan) -> String {
    if table.source == table.target {
        table.source.to_string()
    } else {
        format!("{} → {}", table.source, table.target)
    }
}

fn condition(table: &TablePlan) -> String {
    table.filter.as_ref().map(|filter| format!(", where {filter}")).unwrap_or_default()
}

/// The columns of a table that get another name or type, or are masked.
fn changes(table: &TablePlan) -> impl Iterator<Item = String> {
    table
        .columns
        .iter()
        .filter(|c| c.to != c.from || c.source != c.target || c.mask.is_some())
        .map(|column| format!("{}.{}: {}", table.source, column.source, way(column)))
}

fn write_table(table: &TablePlan, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "  {}  {}, {}, {}{}",
        title(table),
        counted(table.rows, "row"),
        size(table.bytes),
        counted(table.chunks.len() as u64, "chunk"),
        condition(table)
    )?;
    let width = table.columns.iter().map(|c| c.source.chars().count()).max().unwrap_or(0);
    for column in &table.columns {
        writeln!(out, "    {:width$}  {}", column.source, way(column))?;
    }
    writeln!(out)
}

/// `BOOLEAN = int64 → boolean → Boolean as paid, masked (sha256)`.
fn way(column: &ColumnPlan) -> String {
    let mut out = String::new();
    if !column.declared.is_empty() {
        out.push_str(&format!("{} = ", column.declared));
    }
    out.push_str(&column.from.to_string());
    if column.to != column.from {
        out.push_str(&format!(" → {}", column.to));
    }
    let native = if column.native.is_empty() { "(no type)" } else { &column.native };
    out.push_str(&format!(" → {native}"));
    if column.source != column.target {
        out.push_str(&format!(" as {}", column.target));
    }
    if let Some(mask) = column.mask {
        out.push_str(&format!(", masked ({})", format!("{mask:?}").to_lowercase()));
    }
    out
}

/// The purposes of statements; without details their kinds with numbers: `64 indexes`.
fn write_statements(
    out: &mut String,
    title: &str,
    statements: &[Statement],
    details: bool,
) -> fmt::Result {
    if details {
        return section(out, title, statements.iter().map(|s| s.purpose.clone()));
    }
    let mut kinds = BTreeMap::<&str, u64>::new();
    for statement in statements {
        let kind = statement.purpose.split(' ').next().unwrap_or_default();
        *kinds.entry(kind).or_default() += 1;
    }
    section(out, title, kinds.iter().map(|(kind, number)| counted(*number, kind)))
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(out, "  {title}")?;
    }
    for line in lines {
        write_wrapped(out, &line)?;
    }
    Ok(())
}

/// A line of a section, broken between words.
fn write_wrapped(out: &mut String, line: &str) -> fmt::Result {
    let mut used = 4;
    write!(out, "    ")?;
    for (index, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && used + 1 + length > WIDTH {
            write!(out, "\n      {word}")?;
            used = 6 + length;
        } else {
            let space = if index > 0 { " " } else { "" };
            write!(out, "{space}{word}")?;
            used += space.len() + length;
        }
    }
    writeln!(out)
}

fn counted(number: u64, singular: &str) -> String {
    let ending = match singular {
        _ if number == 1 => "",
        _ if singular.ends_with(['s', 'x']) => "es",
        _ => "s",
    };
    format!("{} {singular}{ending}", grouped(number))
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
    use super::{WIDTH, counted, grouped, size, write_wrapped};

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(counted(1, "table"), "1 table");
        assert_eq!(counted(64, "index"), "64 indexes");
    }

    #[test]
    fn long_lines_are_broken_between_words_and_lose_none() {
        let words: Vec<String> = (0..60).map(|n| format!("wört{n},")).collect();
        let mut out = String::new();
        write_wrapped(&mut out, &words.join(" ")).expect("a String");
        assert!(out.lines().count() > 3 && out.lines().all(|l| l.chars().count() <= WIDTH));
        assert_eq!(out.split_whitespace().collect::<Vec<_>>(), words);
        let mut one = String::new();
        write_wrapped(&mut one, &"x".repeat(200)).expect("a String");
        assert_eq!(one.lines().count(), 1);
    }
}
