//! One value changed as little as can be, behind longshore's back, in every type and system: it is
//! found, named and mended.
//!
//! The changed rows take the real path into a second target, and are carried from there into the
//! first: what is in the files is then what a bit flipped in the value would be, in every encoding.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use longshore_engine::report::{Outcome, TableVerification};
use longshore_model::LogicalType;
use longshore_model::spec::{Size, Spec};
use longshore_testkit::corpus::{self, Value};
use longshore_testkit::memory::Store;
use rusqlite::Connection;

use crate::dump::dump;
use crate::near::{emptiest, neighbour, swap_case};
use crate::scene::{folder, migrate, proofs, put, store, verify};

type Row = Vec<Value>;

#[derive(Debug, Clone, Copy)]
enum Change {
    /// One bit, digit, tick or byte of a value, in the first or the last row that has one.
    Bit(bool),
    /// A space at the end of a text.
    Space,
    /// The case of a letter.
    Case,
    /// The same letters in another normal form.
    Form,
    /// NULL becomes the emptiest value.
    FromNull,
    /// A value becomes NULL; an empty one where there is one.
    ToNull,
    /// 0.0 becomes −0.0, or the integer 1 the text '1'.
    Sign,
    /// Two rows swap a value.
    SwapRows,
    /// A row swaps two columns.
    SwapColumns,
    /// A row is there twice, and another is gone.
    Double,
    /// Four rows are wrong in the same way.
    Same,
}

/// Changes of one value, each in a row of its own.
const SINGLES: &[Change] = &[
    Change::Sign,
    Change::ToNull,
    Change::FromNull,
    Change::Form,
    Change::Space,
    Change::Case,
    Change::Bit(true),
    Change::Bit(false),
];

/// What is changed in one round, in tables with a key and in tables whose rows are only told apart
/// as a whole.
const KEYED: &[&[Change]] =
    &[&[Change::Bit(true)], SINGLES, &[Change::SwapRows], &[Change::SwapColumns]];
const KEYLESS: &[&[Change]] = &[&[Change::Double], &[Change::Same]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_is_found_and_mended_in_sqlite() {
    System::new("sqlite:", ".db", "").check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_is_found_and_mended_in_parquet() {
    System::new("file:", "", "?format=parquet").check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_is_found_and_mended_in_csv() {
    System::new("file:", "", "?format=csv").check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_is_found_and_mended_in_jsonl() {
    System::new("file:", "", "?format=jsonl").check().await;
}

/// A kind of target, by the parts of its addresses.
struct System {
    scheme: &'static str,
    suffix: &'static str,
    options: &'static str,
}

impl System {
    fn new(scheme: &'static str, suffix: &'static str, options: &'static str) -> Self {
        Self { scheme, suffix, options }
    }

    fn is_sqlite(&self) -> bool {
        self.scheme == "sqlite:"
    }

    fn path(&self, folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}{}", self.suffix))
    }

    fn spec(&self, from: &Store, path: &Path) -> Spec {
        let to = format!("{}{}{}", self.scheme, path.display(), self.options);
        let mut spec = Spec::short(&from.address("memory"), &to);
        if self.is_sqlite() {
            // Many chunks; the files of a table keep their number, so that they can be exchanged.
            spec.limits.chunk = Size(512);
        }
        spec
    }

    async fn check(&self) {
        for keyed in [true, false] {
            let tables = self.tables();
            let source = store();
            for (name, logical, rows) in &tables {
                put(&source, name, keyed.then_some("n"), batch(logical, rows));
            }
            let folder = folder();
            let path = self.path(folder.path(), "target");
            let spec = self.spec(&source, &path);
            let end = migrate(&spec).await.expect("a plan");
            assert_eq!(end.report.outcome, Outcome::Verified, "{:?}", end.error);
            for round in if keyed { KEYED } else { KEYLESS } {
                self.tamper(&tables, &spec, &path, round, keyed).await;
            }
            let again = verify(&spec, false, true).await;
            assert_eq!(again.report.outcome, Outcome::Verified, "{:?}", again.error);
        }
    }

    /// A table for each type, with the corpus in two columns.
    fn tables(&self) -> Vec<(String, LogicalType, Vec<Row>)> {
        let storable = |value: &Value| match value {
            Value::Text(text) if self.is_sqlite() && (text == "NaN" || text == "-0.0") => false,
            Value::Text(text) => text.len() < 2000,
            Value::Null => true,
            Value::Bits(_) => false,
        };
        let table = |(index, logical): (usize, LogicalType)| {
            let values: Vec<Value> =
                corpus::values(&logical).into_iter().filter(storable).collect();
            let rows = values.iter().zip(values.iter().rev()).enumerate();
            let row = |(n, (v, w)): (usize, (&Value, &Value))| {
                vec![Value::Text(n.to_string()), v.clone(), w.clone()]
            };
            (format!("t{index}"), logical, rows.map(row).collect())
        };
        let types = corpus::types().into_iter().filter(|logical| match logical {
            LogicalType::Decimal { precision, scale } => {
                [(5, -2), (38, 38), (39, 0), (76, 30)].contains(&(*precision, *scale))
            }
            // Nobody keeps them who is not asked to.
            loose => loose.strict().is_none(),
        });
        types.enumerate().map(table).collect()
    }

    async fn tamper(
        &self,
        tables: &[(String, LogicalType, Vec<Row>)],
        spec: &Spec,
        path: &Path,
        changes: &[Change],
        keyed: bool,
    ) {
        let (other, beside) = (store(), folder());
        let mut changed = Vec::new();
        for (name, logical, rows) in tables {
            let made = self.changed(changes, logical, rows, keyed);
            put(&other, name, keyed.then_some("n"), batch(logical, &made));
            changed.push(made);
        }
        let from = self.path(beside.path(), "other");
        let end = migrate(&self.spec(&other, &from)).await.expect("a plan");
        assert_eq!(end.report.outcome, Outcome::Verified, "{:?}", end.error);
        let before = self.is_sqlite().then(|| dump(path).expect("a dump"));
        for (name, ..) in tables {
            self.carry(&from, path, name);
        }

        let end = verify(spec, false, false).await;
        let mut seen = 0;
        for ((name, logical, rows), made) in tables.iter().zip(&changed) {
            let proof = proofs(&end).iter().find(|proof| proof.table == *name).expect("a proof");
            seen +=
                usize::from(is_found(proof, rows, made, keyed, &format!("{changes:?} {logical}")));
        }
        assert!(seen > 0, "{changes:?} changes something");
        assert_eq!(end.report.outcome, Outcome::Different);
        let mended = verify(spec, true, false).await;
        assert!(mended.error.is_none(), "{changes:?} {:?}", mended.error);
        let again = verify(spec, false, false).await;
        assert_eq!(again.report.outcome, Outcome::Verified, "{changes:?} {:?}", again.error);
        if let Some(before) = before {
            assert!(dump(path).expect("a dump") == before, "{changes:?} is not mended exactly");
        }
    }

    /// Replaces a table by that of another target.
    fn carry(&self, from: &Path, to: &Path, table: &str) {
        if self.is_sqlite() {
            let connection = Connection::open(to).expect("the target");
            let from = from.to_str().expect("UTF-8");
            connection.execute("ATTACH ?1 AS other", [from]).expect("the other target");
            connection
                .execute_batch(&format!(
                    "DELETE FROM main.{table};
                     INSERT INTO main.{table} (rowid, n, v, w) SELECT rowid, n, v, w FROM other.{table};"
                ))
                .expect("the rows are exchanged");
            return;
        }
        for entry in std::fs::read_dir(from.join(table)).expect("a folder") {
            let file = entry.expect("a file");
            let place = to.join(table).join(file.file_name());
            assert!(place.exists(), "the file is one of the target's");
            std::fs::copy(file.path(), place).expect("a copy");
        }
    }

    fn changed(
        &self,
        changes: &[Change],
        logical: &LogicalType,
        rows: &[Row],
        keyed: bool,
    ) -> Vec<Row> {
        let mut made = rows.to_vec();
        for change in changes {
            if !across_rows(*change, rows, &mut made, keyed) {
                let untouched = (0..rows.len()).filter(|at| made[*at] == rows[*at]);
                let new =
                    |at: usize| Some((at, self.new_value(*change, logical, rows, &rows[at][1])?));
                let found = match change {
                    Change::Bit(false) => untouched.rev().find_map(new),
                    _ => untouched.into_iter().find_map(new),
                };
                if let Some((at, value)) = found {
                    made[at][1] = value;
                }
            }
        }
        made
    }

    /// What a value becomes; `None` when the change does not apply to it.
    fn new_value(
        &self,
        change: Change,
        logical: &LogicalType,
        rows: &[Row],
        value: &Value,
    ) -> Option<Value> {
        let textual =
            matches!(logical, LogicalType::Text | LogicalType::Opaque { .. } | LogicalType::Json);
        match (change, value) {
            (Change::Bit(_), value) => neighbour(logical, value),
            (Change::FromNull, Value::Null) => Some(emptiest(logical, rows)),
            (Change::ToNull, value) => (*value == emptiest(logical, rows)).then_some(Value::Null),
            (Change::Sign, Value::Text(text)) => match (logical, text.as_str()) {
                (LogicalType::Float { .. }, "0.0") if !self.is_sqlite() => {
                    Some(Value::Text("-0.0".to_string()))
                }
                (LogicalType::Variant, "1") => Some(Value::Text("'1'".to_string())),
                _ => None,
            },
            (_, Value::Text(text)) if textual => match change {
                Change::Space => Some(format!("{text} ")),
                Change::Case => swap_case(text),
                Change::Form => text.contains('ä').then(|| text.replace('ä', "a\u{308}")),
                _ => None,
            }
            .map(Value::Text),
            _ => None,
        }
    }
}

/// Makes a change that is of more than one value; whether it is one.
fn across_rows(change: Change, rows: &[Row], made: &mut [Row], keyed: bool) -> bool {
    match change {
        Change::SwapRows => {
            let other = rows.iter().position(|row| row[1] != rows[0][1]).expect("two values");
            made[other][1] = rows[0][1].clone();
            made[0][1] = rows[other][1].clone();
        }
        Change::SwapColumns => {
            let at = rows.iter().position(|row| row[1] != row[2]).unwrap_or_default();
            made[at].swap(1, 2);
        }
        Change::Double => {
            let (last, from) = (made.len() - 2, usize::from(keyed));
            made[last][from..].clone_from_slice(&rows[1][from..]);
        }
        Change::Same => {
            let wrong = rows[1][1].clone();
            let others = made.iter_mut().filter(|row| row[1] != wrong);
            others.take(4).for_each(|row| row[1] = wrong.clone());
        }
        _ => return false,
    }
    true
}

fn batch(logical: &LogicalType, rows: &[Row]) -> arrow_array::RecordBatch {
    let columns = [("n", LogicalType::INT64), ("v", logical.clone()), ("w", logical.clone())];
    let columns = columns.map(|(name, logical)| (name.to_string(), logical));
    corpus::build(&columns, rows.iter().cloned())
}

/// Whether the proof says exactly what was changed; the answer tells whether anything was.
fn is_found(
    proof: &TableVerification,
    rows: &[Row],
    made: &[Row],
    keyed: bool,
    what: &str,
) -> bool {
    let changed: Vec<usize> = (0..rows.len()).filter(|at| rows[*at] != made[*at]).collect();
    assert_eq!(proof.matches, changed.is_empty(), "{what}: {proof:?}");
    if changed.is_empty() {
        return false;
    }
    if keyed {
        let mut named: Vec<String> = proof.differences.iter().map(|d| d.key.clone()).collect();
        named.sort();
        let mut keys: Vec<String> = changed.iter().map(|at| format!("n={at}")).collect();
        keys.sort();
        assert_eq!(named, keys, "{what}");
        assert_eq!(proof.different, changed.len() as u64, "{what}");
    } else {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(format!("{row:?}")).or_default() += 1);
        made.iter().for_each(|row| *counts.entry(format!("{row:?}")).or_default() -= 1);
        let missing: i64 = counts.values().filter(|count| **count > 0).sum();
        assert_eq!((proof.missing, proof.extra), (missing as u64, missing as u64), "{what}");
        assert!(proof.differences.iter().all(|d| d.key.starts_with("row ")), "{what}");
    }
    true
}
