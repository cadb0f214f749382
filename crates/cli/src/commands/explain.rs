//! Error codes, explained.

use longshore_model::{Code, Error, Result};

use crate::context::Context;
use crate::failure::{DONE, exit_of};

pub(crate) fn explain(code: Option<&str>, context: &Context) -> Result<u8> {
    let codes = match code {
        None => Code::ALL.to_vec(),
        Some(id) => vec![Code::find(id).ok_or_else(|| {
            Error::new(Code::Usage, "there is no such error code")
                .with("code", id)
                .hint("`longshore explain` lists all codes.")
        })?],
    };
    let mut out = String::new();
    for one in &codes {
        let entry = one.entry();
        if context.json {
            let line = serde_json::json!({
                "code": entry.id,
                "kind": entry.kind,
                "exit": exit_of(entry.kind),
                "title": entry.title,
                "advice": entry.hint,
                "explanation": entry.explanation,
            });
            out.push_str(&format!("{line}\n"));
        } else if code.is_none() {
            out.push_str(&format!("{}  {}\n", entry.id, entry.title));
        } else {
            out.push_str(&format!(
                "{}: {}\n\n{}\n\nWhat to do: {}\nExit code: {}\n",
                entry.id,
                entry.title,
                entry.explanation,
                entry.hint,
                exit_of(entry.kind)
            ));
        }
    }
    context.print(&out);
    Ok(DONE)
}
