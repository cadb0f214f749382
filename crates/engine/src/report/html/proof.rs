//! The parts of the page that people rely on: the outcome in words, verification, fidelity, and what
//! stays behind. Nothing here says more than the report proves.

use std::fmt::Write;

use longshore_model::loss::Action;
use longshore_model::spec::VerifyLevel;

use super::format::{count, counted, escape, name};
use super::table::{Align, table};
use crate::report::{DifferenceKind, MoveReport, Outcome, Report, TableVerification, Verification};

/// The outcome in words.
pub(super) struct Headline {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
    pub(super) mark: &'static str,
    pub(super) title: String,
    pub(super) detail: String,
}

/// How the run ended.
pub(super) fn headline(report: &Report) -> Headline {
    let tables = report.moves.iter().flat_map(|one| &one.tables);
    let rows: u64 = tables.clone().map(|table| table.rows).sum();
    let tables = counted(tables.count() as u64, "table");
    let (word, class, mark, title, detail) = match report.outcome {
        Outcome::Verified => return verified(report, rows, &tables),
        Outcome::Copied => (
            "copied",
            "neutral",
            "→",
            format!("Copied: {} of {tables} are in", counted(rows, "row")),
            "The target was not read back. longshore verify proves that it is equal.".to_string(),
        ),
        Outcome::Rejected => return rejected(report, rows, &tables),
        Outcome::Different => return different(report, &tables),
        Outcome::Failed => (
            "failed",
            "bad",
            "×",
            "Failed: the run ended before it was done".to_string(),
            "Finished chunks are kept. The same command goes on from there.".to_string(),
        ),
        Outcome::Cancelled => (
            "stopped",
            "neutral",
            "‖",
            "Stopped on request".to_string(),
            "Finished chunks are kept. The same command goes on from there.".to_string(),
        ),
    };
    Headline { word, class, mark, title, detail }
}

/// A verified run, in the words of its weakest proof.
fn verified(report: &Report, rows: u64, tables: &str) -> Headline {
    let proofs: Option<Vec<&Verification>> =
        report.moves.iter().map(|one| one.verification.as_ref()).collect();
    let Some(proofs) = proofs.filter(|all| all.iter().all(|proof| proof.matches)) else {
        return Headline {
            word: "incomplete",
            class: "bad",
            mark: "!",
            title: "Incomplete: not every move has a proof".to_string(),
            detail: "The run says that it was verified, and a part of the proof is missing."
                .to_string(),
        };
    };
    let has = |level| proofs.iter().any(|proof| proof.level == level);
    let (word, title) = if has(VerifyLevel::Count) {
        ("counted", format!("Counted: {tables} hold as many rows as they must"))
    } else if has(VerifyLevel::Sample) {
        ("sampled", format!("Sampled: a part of {tables} was read back and is equal"))
    } else {
        ("verified", format!("Verified: every row of {tables} was read back and is equal"))
    };
    let repaired: u64 = proofs.iter().map(|proof| proof.repaired).sum();
    let mut detail = match word {
        "counted" => "The values were not compared; verify: full compares them.".to_string(),
        "sampled" => "The number of rows of all was compared; the values of a sample.".to_string(),
        _ if proofs.iter().all(|proof| proof.independent) => {
            format!("{} were read again on both sides and compared.", counted(rows, "row"))
        }
        _ => format!(
            "The fingerprints of {} were taken from the very bytes that were copied, and compared \
             with what the target holds.",
            counted(rows, "row")
        ),
    };
    if repaired > 0 {
        let _ = write!(detail, " {} mended before.", were(repaired, "row"));
    }
    let (class, mark) = if word == "verified" { ("good", "✓") } else { ("neutral", "≈") };
    Headline { word, class, mark, title, detail }
}

/// A run of which rows are in reject files.
fn rejected(report: &Report, rows: u64, tables: &str) -> Headline {
    let number: u64 = report.moves.iter().map(MoveReport::rejected).sum();
    let is_verified = report.moves.iter().all(|one| one.verification.is_some());
    let detail = match is_verified {
        true => format!(
            "The other {} of {tables} are in, were read back and are equal. Each reject has its \
             cause in its file.",
            counted(rows, "row")
        ),
        false => format!(
            "The other {} of {tables} are in; nobody has read them back. Each reject has its cause \
             in its file.",
            counted(rows, "row")
        ),
    };
    Headline {
        word: "rejected",
        class: "bad",
        mark: "!",
        title: format!("Incomplete: {} in reject files, not in the target", are(number, "row")),
        detail,
    }
}

fn are(number: u64, noun: &str) -> String {
    format!("{} {}", counted(number, noun), if number == 1 { "is" } else { "are" })
}

fn were(number: u64, noun: &str) -> String {
    format!("{} {}", counted(number, noun), if number == 1 { "was" } else { "were" })
}

/// A run whose proof failed, in the tables or in the count of losses.
fn different(report: &Report, tables: &str) -> Headline {
    let all = report.moves.iter().filter_map(|one| one.verification.as_ref());
    let number = all.flat_map(|proof| &proof.tables).filter(|table| !table.matches).count();
    let dangles = report.references.iter().any(|one| !one.matches);
    let (title, detail) = match number {
        0 if dangles => (
            "Different: rows name objects that are not in the target".to_string(),
            "The names are listed at the end of the page.".to_string(),
        ),
        0 => (
            "Different: losses were not as predicted".to_string(),
            "Every table is equal; the fidelity table below shows which count is off.".to_string(),
        ),
        _ => (
            format!(
                "Different: {} of {tables} {} not equal to the source",
                count(number as u64),
                if number == 1 { "is" } else { "are" }
            ),
            "The differences are listed below. longshore verify --repair mends them.".to_string(),
        ),
    };
    Headline { word: "different", class: "bad", mark: "≠", title, detail }
}

/// The proof of a move.
pub(super) fn verification(one: &MoveReport) -> String {
    let Some(proof) = &one.verification else {
        return "<section><h2>Verification</h2><p>The target was not read back.</p></section>\n"
            .to_string();
    };
    let what = match (proof.level, proof.independent) {
        (VerifyLevel::Full, true) => "Every row was read again on both sides.",
        (VerifyLevel::Full, false) => {
            "Every row was read back from the target and compared with the fingerprints that were \
             taken from the bytes of the source as they were copied."
        }
        (VerifyLevel::Sample, _) => {
            "The rows of a part of the chunks were read back and compared, and the number of rows \
             of all."
        }
        (VerifyLevel::Count, _) => "The number of rows was compared, no values.",
    };
    let mut html = format!("<section><h2>Verification</h2><p>{what}");
    if proof.repaired > 0 {
        let _ = write!(html, " {} mended by a repair.", were(proof.repaired, "row"));
    }
    html.push_str("</p>");
    html.push_str(&verified_tables(proof));
    for table in proof.tables.iter().filter(|table| !table.matches) {
        html.push_str(&differences(table));
    }
    html.push_str("</section>\n");
    html
}

fn verified_tables(proof: &Verification) -> String {
    let mut columns = vec![
        ("Table", Align::Left),
        ("Result", Align::Left),
        ("Rows expected", Align::Right),
        ("Rows read", Align::Right),
    ];
    if !proof.matches {
        columns.extend(["Missing", "Extra", "Different"].map(|title| (title, Align::Right)));
    }
    columns.push(("Fingerprint found", Align::Left));
    let rows = proof.tables.iter().map(|table| {
        let mut cells = vec![
            name(&table.table),
            verdict(table.matches).to_string(),
            count(table.expected_rows),
            count(table.found_rows),
        ];
        if !proof.matches {
            cells.extend([table.missing, table.extra, table.different].map(count));
        }
        cells.push(hash(&table.found));
        cells
    });
    table("Each table, and what was found in it", &columns, rows)
}

fn verdict(matches: bool) -> &'static str {
    match matches {
        true => "<span class=\"tag good\">✓ equal</span>",
        false => "<span class=\"tag bad\">≠ different</span>",
    }
}

fn hash(fingerprint: &str) -> String {
    format!("<code class=\"hash\">{}</code>", escape(fingerprint))
}

/// The rows of one table that differ, as far as they are known.
fn differences(table: &TableVerification) -> String {
    let mut html = format!(
        "<h3>Differences in {}</h3><p>Fingerprint expected: {}<br>Fingerprint found: {}</p>",
        name(&table.table),
        hash(&table.expected),
        hash(&table.found)
    );
    if let Some(note) = &table.note {
        let _ = write!(html, "<p>{}</p>", escape(note));
    }
    if !table.chunks.is_empty() {
        let chunks: Vec<_> = table.chunks.iter().map(ToString::to_string).collect();
        let _ = write!(html, "<p>Chunks that do not match: {}.</p>", chunks.join(", "));
    }
    if table.differences.is_empty() {
        return html;
    }
    let rows = table.differences.iter().map(|difference| {
        let kind = match difference.kind {
            DifferenceKind::Missing => "missing in the target",
            DifferenceKind::Extra => "extra in the target",
            DifferenceKind::Different => "different values",
        };
        let columns: Vec<_> = difference.columns.iter().map(|column| name(column)).collect();
        vec![name(&difference.key), kind.to_string(), columns.join(", "), count(difference.count)]
    });
    let columns = [
        ("Key", Align::Left),
        ("How", Align::Left),
        ("Columns", Align::Left),
        ("Rows", Align::Right),
    ];
    let total = table.missing + table.extra + table.different;
    let caption = format!("{} of {}", table.differences.len(), counted(total, "row"));
    html.push_str(&super::table::table(&caption, &columns, rows));
    html
}

/// Losses: predicted, counted, verified.
pub(super) fn fidelity(one: &MoveReport) -> String {
    let rejects = rejects(one);
    if one.fidelity.is_empty() && !rejects.is_empty() {
        return format!("<section><h2>Fidelity</h2>{rejects}</section>\n");
    }
    if one.fidelity.is_empty() {
        return "<section><h2>Fidelity</h2><p>Every value is kept exactly: no loss was predicted, \
                and none was counted.</p></section>\n"
            .to_string();
    }
    let rows = one.fidelity.iter().map(|loss| {
        let agrees = match loss.predicted == loss.counted {
            true => "<span class=\"tag good\">✓ as predicted</span>",
            false => "<span class=\"tag bad\">≠ not as predicted</span>",
        };
        let verified = match loss.verified {
            Some(true) => "<span class=\"tag good\">✓ verified</span>",
            Some(false) => "<span class=\"tag bad\">≠ not verified</span>",
            None => "not read back",
        };
        vec![
            format!("{}.{}", name(&loss.table), name(&loss.column)),
            escape(loss.kind.describe()),
            escape(policy(loss.action)),
            count(loss.predicted),
            count(loss.counted),
            format!("{agrees} {verified}"),
            loss.keys.iter().map(|key| name(key)).collect::<Vec<_>>().join("<br>"),
        ]
    });
    let columns = [
        ("Column", Align::Left),
        ("Loss", Align::Left),
        ("Policy", Align::Left),
        ("Predicted", Align::Right),
        ("Counted", Align::Right),
        ("Verified", Align::Left),
        ("First rows", Align::Left),
    ];
    format!(
        "<section><h2>Fidelity</h2>{rejects}{}</section>\n",
        table("Values that were not kept exactly, as the policies allow", &columns, rows)
    )
}

/// What a policy makes of a value, in words.
fn policy(action: Action) -> &'static str {
    match action {
        Action::Fail => "ends the run",
        Action::Divert => "its row goes to a reject file",
        Action::Strip => "is stripped",
        Action::Round => "is rounded",
        Action::Replace => "becomes U+FFFD where it is wrong",
        Action::Null => "becomes NULL",
        Action::Zero => "becomes 0.0",
        Action::Rename => "gets another name",
    }
}

/// The tables of which rows are in reject files, and where these are.
fn rejects(one: &MoveReport) -> String {
    if one.rejected() == 0 {
        return String::new();
    }
    let tables = one.tables.iter().filter(|table| table.rejected > 0);
    let rows = tables.map(|table| {
        vec![
            name(&table.source),
            count(table.planned_rows),
            count(table.rows),
            count(table.rejected),
        ]
    });
    let columns = [
        ("Table", Align::Left),
        ("Rows planned", Align::Right),
        ("Rows in", Align::Right),
        ("Rejected", Align::Right),
    ];
    let folder = one.rejects.as_deref().map_or(String::new(), |folder| {
        format!("<p><span class=\"tag bad\">! reject files</span> {}</p>", super::code(folder))
    });
    format!("{folder}{}", table("Rows that are in reject files, not in the target", &columns, rows))
}

/// What stays behind.
pub(super) fn not_moved(one: &MoveReport) -> String {
    if one.not_moved.is_empty() {
        return String::new();
    }
    let rows = one
        .not_moved
        .iter()
        .map(|thing| vec![name(&thing.name), escape(&thing.kind), escape(&thing.reason)]);
    let columns = [("Name", Align::Left), ("Kind", Align::Left), ("Why", Align::Left)];
    format!(
        "<section><h2>Not moved</h2>{}</section>\n",
        table("What stays behind, and what to do about it", &columns, rows)
    )
}

/// The state of the source that was copied, and whether it still holds.
pub(super) fn source(one: &MoveReport) -> String {
    let (class, words) = match one.source_unchanged {
        true => ("good", "✓ The source was still in this state at the end."),
        false => (
            "bad",
            "≠ The source was not in this state any more at the end: what changed since then is not \
             in the target.",
        ),
    };
    format!(
        "<section><h2>The source</h2><p>Copied in the state {}</p><p><span class=\"tag \
         {class}\">{words}</span></p></section>\n",
        super::code(&one.position)
    )
}
