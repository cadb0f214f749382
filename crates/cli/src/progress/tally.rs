//! The sums of a stage in a line.

use longshore_engine::{Stage, Tally};
use longshore_service::number::{counted, grouped, per_second, seconds, size};

/// `45 %, 5 s left, 12.3 MiB/s, 1,234 of 2,000 rows, 600 rows/s`: what matters most comes first, for narrow
/// terminals. The time left follows from what this attempt has reached.
pub(super) fn line(tally: &Tally, at: f64) -> String {
    if tally.stage == Some(Stage::References) {
        return "the names in the rows are looked for".to_string();
    }
    let (rows, reached) = tally.totals();
    let elapsed = at - tally.began;
    let mut parts = Vec::new();
    if let Some(share) = (u128::from(reached) * 100).checked_div(u128::from(rows)) {
        parts.push(format!("{share} %"));
    }
    if let Some(left) = tally.left(at) {
        parts.push(format!("{} left", whole_seconds(left)));
    }
    if tally.bytes > 0 {
        parts.push(format!("{}/s", size(per_second(tally.bytes, elapsed))));
    }
    parts.push(match rows {
        0 => counted(reached, "row"),
        _ => format!("{} of {}", grouped(reached), counted(rows, "row")),
    });
    parts.push(format!("{} rows/s", grouped(per_second(tally.rows, elapsed))));
    parts.join(", ")
}

/// A time that is a guess, without a fraction.
fn whole_seconds(left: f64) -> String {
    seconds(left.floor() + 1.0).replace(".0 s", " s")
}

#[cfg(test)]
mod tests {
    use longshore_engine::{Event, Stage, TableTally, Tally};

    use super::line;

    #[test]
    fn the_line_says_first_what_matters_most() {
        let mut tally = Tally::default();
        let whole = TableTally { rows: 2_000, chunks: 2, ..TableTally::default() };
        tally.tables.insert("orders".to_string(), whole);
        tally.listen(1.0, &Event::StageStarted { stage: Stage::Copy });
        let copied = Event::Copied {
            table: "orders".to_string(),
            worker: 0,
            rows: 500,
            bytes: 5 << 20,
            held: 0.0,
        };
        tally.listen(2.0, &copied);
        let expected = "25 %, 4 s left, 5.0 MiB/s, 500 of 2,000 rows, 500 rows/s";
        assert_eq!(line(&tally, 2.0), expected);
        assert_eq!(line(&Tally::default(), 0.0), "0 rows, 0 rows/s");
    }
}
