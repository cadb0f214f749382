//! Errors at the edge: how they are shown, and which exit code follows.

use longshore_engine::report::Outcome;
use longshore_model::{Error, Kind};
use serde_json::{Value, json};

use crate::output::{Output, Style};

/// Everything is done.
pub(crate) const DONE: u8 = 0;
/// Source and target differ, or values would be lost.
pub(crate) const DIFFERENCE: u8 = 3;
/// Stopped on request, as shells report an interrupt.
pub(crate) const STOPPED: u8 = 130;

/// The exit codes with the kinds that lead to them, for the reference.
pub(crate) const EXITS: &[(u8, &[Kind], &str)] = &[
    (DONE, &[], "Done, and verified unless verification was off."),
    (1, &[Kind::System, Kind::Internal], "The machine or the network failed; try again."),
    (2, &[Kind::Usage], "The command line or the migration file is wrong."),
    (
        DIFFERENCE,
        &[Kind::Difference],
        "Source and target differ, rows are in reject files, or plan --check finds a loss.",
    ),
    (
        42,
        &[Kind::NotFound, Kind::Permission, Kind::Unsupported, Kind::Data],
        "It cannot work like this; another try is pointless until something changes.",
    ),
    (43, &[Kind::Precondition], "The world is not as the plan needs it; stop everything."),
    (75, &[Kind::Busy], "Somebody else holds the source or the target; try again later."),
    (STOPPED, &[Kind::Cancelled], "Stopped on request; the same command goes on from there."),
];

/// The exit code of a kind of error.
pub(crate) fn exit_of(kind: Kind) -> u8 {
    EXITS.iter().find(|(_, kinds, _)| kinds.contains(&kind)).map_or(1, |(code, ..)| *code)
}

/// The exit code of a run that ended without an error.
pub(crate) fn exit_of_outcome(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Verified | Outcome::Copied => DONE,
        Outcome::Different | Outcome::Rejected => DIFFERENCE,
        Outcome::Cancelled => STOPPED,
        Outcome::Failed => 1,
    }
}

/// Shows an error on the standard error; with `json`, on the standard output as a line too.
pub(crate) fn show(output: &Output, error: &Error, json: bool) {
    if json {
        print_json(output, error);
    }
    let title = output.styled_note(Style::Red, &format!("error[{}]", error.code()));
    output.note(&text("", &title, error));
}

/// Shows an error on the standard output as a line of JSON.
pub(crate) fn print_json(output: &Output, error: &Error) {
    output.print(&format!("{}\n", as_json(error)));
}

/// Shows an error that did not end the command.
pub(crate) fn warn(output: &Output, error: &Error) {
    let title = output.styled_note(Style::Yellow, &format!("warning[{}]", error.code()));
    output.note(&text("", &title, error));
}

fn text(indent: &str, title: &str, error: &Error) -> String {
    let chain = error.chain();
    let mut out = format!("{indent}{title}: {}\n", chain[0]);
    for cause in &chain[1..] {
        let lines: Vec<&str> = cause.trim_end().lines().collect();
        out.push_str(&format!("{indent}  = cause: {}\n", lines.join(&format!("\n{indent}    "))));
    }
    out.push_str(&format!("{indent}  = help: {}\n", error.advice()));
    out.push_str(&format!("{indent}  = see: longshore explain {}\n", error.code()));
    out
}

fn as_json(error: &Error) -> Value {
    let context: serde_json::Map<String, Value> = error
        .context()
        .iter()
        .map(|(key, value)| ((*key).to_string(), Value::from(value.as_str())))
        .collect();
    json!({
        "event": "error",
        "code": error.code().to_string(),
        "kind": error.kind(),
        "message": error.message(),
        "context": context,
        "causes": error.chain()[1..],
        "advice": error.advice(),
    })
}

#[cfg(test)]
mod tests {
    use longshore_model::{Code, Error, Kind};

    use super::{EXITS, as_json, exit_of, text};

    #[test]
    fn every_kind_has_one_exit_code() {
        for code in Code::ALL {
            let kind = code.entry().kind;
            let rows = EXITS.iter().filter(|(_, kinds, _)| kinds.contains(&kind)).count();
            assert_eq!(rows, 1, "{kind:?}");
        }
        assert_eq!(exit_of(Kind::Usage), 2);
        assert_eq!(exit_of(Kind::Precondition), 43);
    }

    #[test]
    fn errors_are_shown_with_causes_and_advice() {
        let error = Error::new(Code::TargetNotEmpty, "the target already holds data")
            .with("table", "orders")
            .because("first\nsecond");
        let expected = "error: the target already holds data (table: orders)\n  = cause: first\n    second\n  = help: Choose what to do with it: `existing: append`, `truncate` or `replace` in the move, or --existing on the command line.\n  = see: longshore explain LS0201\n";
        assert_eq!(text("", "error", &error), expected);
        let json = as_json(&error);
        assert_eq!(json["code"], "LS0201");
        assert_eq!(json["kind"], "precondition");
        assert_eq!(json["context"]["table"], "orders");
        assert_eq!(json["causes"][0], "first\nsecond");
    }
}
