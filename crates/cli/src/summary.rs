//! The end of a run, for people: what moved, how long each step took, what was lost, the proof.

use std::path::Path;

use longshore_engine::report::{
    DifferenceKind, MoveReport, Outcome, ReferenceReport, Report, Verification,
};

use crate::output::{Output, Style};
use longshore_service::number::{counted, grouped, per_second, seconds, size};

/// Tables that are shown; the report holds all.
const TABLES: usize = 30;

/// Differences that are shown; the report holds more.
const SHOWN: usize = 10;

/// Writes a report for people; `page` is where its HTML form is.
pub(crate) fn render(report: &Report, page: &Path, output: &Output) -> String {
    let mut out = String::new();
    for one in &report.moves {
        render_move(one, output, &mut out);
    }
    for one in &report.references {
        render_reference(one, output, &mut out);
    }
    out.push_str(&steps(report));
    out.push_str(&format!("\n{}\nreport: {}\n", verdict(report, output), page.display()));
    out
}

/// How a run ended, in one line.
pub(crate) fn verdict(report: &Report, output: &Output) -> String {
    let (style, word) = match report.outcome {
        Outcome::Verified => (Style::Green, "verified:"),
        Outcome::Copied => (Style::Yellow, "copied, not verified:"),
        Outcome::Rejected => (Style::Red, "INCOMPLETE, rows are in reject files:"),
        Outcome::Different => (Style::Red, "DIFFERENT:"),
        Outcome::Failed => (Style::Red, "failed:"),
        Outcome::Cancelled => (Style::Yellow, "stopped:"),
    };
    format!(
        "{} run {} of {} {} in {}",
        output.styled(style, word),
        report.run,
        report.name,
        report.version,
        seconds(report.seconds)
    )
}

fn render_move(one: &MoveReport, output: &Output, out: &mut String) {
    out.push_str(&format!(
        "\n{}\n",
        output.styled(Style::Bold, &format!("{} → {}", one.from, one.to))
    ));
    let width = one.tables.iter().map(|t| t.target.chars().count()).max().unwrap_or(0).max(5);
    let (moved, waiting): (Vec<_>, Vec<_>) = one.tables.iter().partition(|t| t.chunks > 0);
    for table in moved.iter().take(TABLES) {
        out.push_str(&format!(
            "  {:width$}  {:>14}  {:>10}  {}\n",
            table.target,
            counted(table.rows, "row"),
            size(table.bytes),
            output.styled(Style::Dim, &counted(table.chunks as u64, "chunk"))
        ));
    }
    if moved.len() > TABLES {
        let more = (moved.len() - TABLES) as u64;
        out.push_str(&format!("  and {} more in the report\n", counted(more, "table")));
    }
    if !waiting.is_empty() {
        let waiting = counted(waiting.len() as u64, "table");
        out.push_str(&format!("  {waiting} without a finished chunk\n"));
    }
    let rows = one.tables.iter().map(|table| table.rows).sum();
    let bytes = one.tables.iter().map(|table| table.bytes).sum();
    out.push_str(&format!(
        "  {:width$}  {:>14}  {:>10}\n",
        "total",
        counted(rows, "row"),
        size(bytes)
    ));
    if !one.source_unchanged {
        out.push_str(
            "  The source may have changed since it was read; the target holds the state that was \
             copied. For a newer one, start over with --existing replace.\n",
        );
    }
    for loss in &one.fidelity {
        let verified = match loss.verified {
            Some(true) => "verified",
            Some(false) => "NOT verified",
            None => "not read back",
        };
        out.push_str(&format!(
            "  loss: {}.{}: {} → {}: predicted {}, counted {}, {verified}\n",
            loss.table,
            loss.column,
            loss.kind,
            loss.action,
            grouped(loss.predicted),
            grouped(loss.counted)
        ));
        if let [first, rest @ ..] = loss.keys.as_slice() {
            let more = if rest.is_empty() { "" } else { ", …" };
            out.push_str(&format!("    at {first}{more}\n"));
        }
    }
    for table in one.tables.iter().filter(|table| table.rejected > 0) {
        let rejected = format!("rejected: {}: {}", table.source, counted(table.rejected, "row"));
        out.push_str(&format!("  {}\n", output.styled(Style::Red, &rejected)));
    }
    if let Some(folder) = &one.rejects {
        out.push_str(&format!("  reject files: {folder}\n"));
    }
    for left in &one.not_moved {
        out.push_str(&format!("  not moved: {} {}: {}\n", left.kind, left.name, left.reason));
    }
    if let Some(verification) = &one.verification {
        render_verification(verification, output, out);
    }
}

fn render_verification(verification: &Verification, output: &Output, out: &mut String) {
    let rows = verification.tables.iter().map(|table| table.found_rows).sum();
    let (style, verdict) =
        if verification.matches { (Style::Green, "equal") } else { (Style::Red, "DIFFERENT") };
    let how = if verification.independent { ", both sides read again" } else { "" };
    out.push_str(&format!(
        "  verification ({}{how}): {}, {} read in {}\n",
        format!("{:?}", verification.level).to_lowercase(),
        output.styled(style, verdict),
        counted(rows, "row"),
        counted(verification.tables.len() as u64, "table")
    ));
    if verification.repaired > 0 {
        out.push_str(&format!("  repaired: {}\n", counted(verification.repaired, "row")));
    }
    for table in verification.tables.iter().filter(|table| !table.matches) {
        out.push_str(&format!(
            "  {}: {} missing, {} extra, {} different; expected {}, found {}\n",
            table.table,
            grouped(table.missing),
            grouped(table.extra),
            grouped(table.different),
            counted(table.expected_rows, "row"),
            counted(table.found_rows, "row")
        ));
        for difference in table.differences.iter().take(SHOWN) {
            let kind = match difference.kind {
                DifferenceKind::Missing => "missing",
                DifferenceKind::Extra => "extra",
                DifferenceKind::Different => "different",
            };
            let columns = match difference.columns.as_slice() {
                [] => String::new(),
                columns => format!(" in {}", columns.join(", ")),
            };
            out.push_str(&format!(
                "    {kind} × {}: {}{columns}\n",
                difference.count, difference.key
            ));
        }
        if let Some(note) = &table.note {
            out.push_str(&format!("    {note}\n"));
        }
    }
}

fn render_reference(one: &ReferenceReport, output: &Output, out: &mut String) {
    let (style, verdict) = match (one.missing, one.matches) {
        (0, _) => (Style::Green, "all are there".to_string()),
        (missing, true) => (Style::Yellow, format!("{} missing, as allowed", grouped(missing))),
        (missing, false) => (Style::Red, format!("{} MISSING", grouped(missing))),
    };
    let title = format!("{} → {}", one.columns.join(", "), one.objects);
    out.push_str(&format!("\n{}\n", output.styled(Style::Bold, &title)));
    out.push_str(&format!(
        "  {} in {} name objects: {}\n",
        counted(one.names, "name"),
        counted(one.rows, "row"),
        output.styled(style, &verdict)
    ));
    if one.missing > 0 {
        let in_source = grouped(one.in_source);
        out.push_str(&format!("  of the missing, the source has {in_source}\n"));
    }
    list(&one.missing_names, one.missing, "missing", out);
    if one.elsewhere > 0 {
        let elsewhere = counted(one.elsewhere, "row");
        out.push_str(&format!("  {elsewhere} with a value that does not begin as names do\n"));
    }
    if one.unnamed > 0 {
        out.push_str(&format!("  {} that no row names\n", counted(one.unnamed, "object")));
    }
    list(&one.unnamed_names, one.unnamed, "not named", out);
}

/// The first names of some.
fn list(names: &[String], number: u64, what: &str, out: &mut String) {
    for name in names.iter().take(SHOWN) {
        out.push_str(&format!("    {what}: {name}\n"));
    }
    if number > SHOWN as u64 {
        out.push_str(&format!("    and {} more\n", grouped(number - SHOWN as u64)));
    }
}

/// How long each step took, one line each.
pub(crate) fn steps(report: &Report) -> String {
    let mut out = String::new();
    if report.steps.is_empty() || report.moves.is_empty() {
        return out;
    }
    out.push_str("\n  step           time\n");
    for step in &report.steps {
        out.push_str(&format!("  {:10} {:>8}", step.name, seconds(step.seconds)));
        if step.name == "copy"
            && let Some(sample) = report.samples.last()
            && sample.rows > 0
        {
            out.push_str(&format!(
                "  {}, {}, {} rows/s, {}/s",
                counted(sample.rows, "row"),
                size(sample.bytes),
                grouped(per_second(sample.rows, step.seconds)),
                size(per_second(sample.bytes, step.seconds))
            ));
        }
        out.push('\n');
    }
    out
}
