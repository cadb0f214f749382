//! Ledger, plan and proof folded into a report.

use std::path::Path;

use longshore_model::ledger::Ledger;
use longshore_model::plan::MovePlan;
use longshore_model::{Code, Error};

use super::{Fidelity, MoveReport, Recorder, ReferenceReport, Report, TableReport, Verification};

/// Keys that are shown for one kind of loss in one column.
const KEYS: usize = 10;

impl MoveReport {
    /// What a ledger and a plan say of a move.
    pub(crate) fn new(plan: &MovePlan, ledger: &Ledger, source_unchanged: bool) -> Self {
        let tables = plan.tables.iter().enumerate().map(|(index, table)| {
            let entries: Vec<_> =
                ledger.entries.iter().filter(|entry| entry.table == index).collect();
            TableReport {
                source: table.source.to_string(),
                target: table.target.to_string(),
                planned_rows: table.rows,
                rows: entries.iter().map(|entry| entry.fingerprint.rows).sum(),
                bytes: entries.iter().map(|entry| entry.bytes).sum(),
                chunks: entries.len(),
                seconds: 0.0,
                rejected: entries.iter().map(|entry| entry.rejected).sum(),
            }
        });
        Self {
            from: plan.from.clone(),
            to: plan.to.clone(),
            position: ledger.header.position.0.clone(),
            source_unchanged,
            tables: tables.collect(),
            fidelity: fidelity(plan, ledger),
            not_moved: plan.not_moved.clone(),
            rejects: None,
            verification: None,
        }
    }

    /// Adds the proof.
    pub(crate) fn prove(&mut self, proof: Verification) {
        for row in &mut self.fidelity {
            let table = self.tables.iter().find(|table| table.source == row.table);
            row.verified = table.and_then(|table| {
                proof.tables.iter().find(|p| p.table == table.target).map(|p| p.matches)
            });
        }
        self.verification = Some(proof);
    }

    /// Rows that went to reject files.
    pub fn rejected(&self) -> u64 {
        self.tables.iter().map(|table| table.rejected).sum()
    }

    /// Adds where reject files are, if there are any.
    pub(crate) fn with_rejects(self, folder: &Path) -> Self {
        let rejects = (self.rejected() > 0).then(|| folder.display().to_string());
        Self { rejects, ..self }
    }

    /// Adds how long the workers were at each table.
    pub(crate) fn with_seconds(mut self, recorder: &Recorder) -> Self {
        for table in &mut self.tables {
            table.seconds = recorder.table_seconds(&table.target);
        }
        self
    }
}

/// The error of moves of which rows are in reject files.
pub(crate) fn rejection(moves: &[MoveReport]) -> Option<Error> {
    let rows: u64 = moves.iter().map(MoveReport::rejected).sum();
    let tables = moves.iter().flat_map(|one| &one.tables).filter(|table| table.rejected > 0);
    let tables: Vec<_> = tables.map(|table| table.target.clone()).collect();
    let folder = moves.iter().find_map(|one| one.rejects.clone());
    (rows > 0).then(|| {
        let error = Error::new(Code::RowsRejected, "rows are in reject files, not in the target")
            .with("rows", rows.to_string())
            .with("tables", tables.join(", "));
        match folder {
            Some(folder) => error.with("folder", folder),
            None => error,
        }
    })
}

/// The error of a report whose proof failed, or whose losses were not as predicted.
pub(crate) fn difference(report: &Report) -> Option<Error> {
    for one in &report.moves {
        if let Some(proof) = one.verification.as_ref().filter(|proof| !proof.matches) {
            let tables: Vec<_> =
                proof.tables.iter().filter(|t| !t.matches).map(|t| t.table.clone()).collect();
            return Some(
                Error::new(Code::Difference, "source and target differ")
                    .with("target", one.to.clone())
                    .with("tables", tables.join(", ")),
            );
        }
        let wrong = one.fidelity.iter().find(|row| row.predicted != row.counted);
        if let Some(row) = wrong.filter(|_| one.source_unchanged && one.verification.is_some()) {
            return Some(
                Error::new(Code::FidelityMismatch, "losses were not as predicted")
                    .with("table", row.table.clone())
                    .with("column", row.column.clone())
                    .with("predicted", row.predicted.to_string())
                    .with("counted", row.counted.to_string()),
            );
        }
    }
    report.references.iter().find(|one| !one.matches).map(missing)
}

fn missing(reference: &ReferenceReport) -> Error {
    Error::new(Code::ObjectsMissing, "rows name objects that are not in the target")
        .with("columns", reference.columns.join(", "))
        .with("target", reference.objects.clone())
        .with("missing", reference.missing.to_string())
        .with("of these in the source", reference.in_source.to_string())
}

fn fidelity(plan: &MovePlan, ledger: &Ledger) -> Vec<Fidelity> {
    let mut rows = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        for column in &table.columns {
            for guard in &column.guards {
                let entries = || ledger.entries.iter().filter(|entry| entry.table == index);
                let counted = entries()
                    .filter_map(|entry| entry.losses.get(&column.source)?.get(&guard.kind))
                    .sum();
                let keys = entries()
                    .filter_map(|entry| entry.samples.get(&column.source)?.get(&guard.kind))
                    .flatten();
                let predicted = plan
                    .losses
                    .iter()
                    .find(|loss| {
                        loss.table == table.source
                            && loss.column == column.source
                            && loss.kind == guard.kind
                    })
                    .map_or(0, |loss| loss.count);
                if predicted + counted > 0 {
                    rows.push(Fidelity {
                        table: table.source.to_string(),
                        column: column.source.clone(),
                        kind: guard.kind,
                        action: guard.action,
                        predicted,
                        counted,
                        verified: None,
                        keys: keys.take(KEYS).cloned().collect(),
                    });
                }
            }
        }
    }
    rows
}
