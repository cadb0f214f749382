//! How the keys of rows are shown.

use longshore_model::plan::digest;
use longshore_model::spec::Keys;
use longshore_model::{Cell, Literal};

/// One column of a key, `column=value`.
pub(crate) fn part(column: &str, value: Cell<'_>, keys: Keys) -> String {
    let mut text = String::new();
    match keys {
        Keys::Plain => value.write_literal(&mut text),
        Keys::Sha256 => text = hashed(value),
    }
    format!("{column}={text}")
}

/// One column of a key, given as a literal.
pub(crate) fn part_of_literal(column: &str, literal: &str, keys: Keys) -> String {
    if keys == Keys::Plain {
        return format!("{column}={literal}");
    }
    let hash = match Literal::parse(literal) {
        Some(Literal::Int(value)) => hashed(Cell::Int(value)),
        Some(Literal::Float(value)) => hashed(Cell::Float(value)),
        Some(Literal::Bytes(bytes)) => hashed(Cell::Bytes(&bytes)),
        Some(Literal::Text(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => hashed(Cell::Text(text)),
            Err(_) => hashed(Cell::Bytes(&bytes)),
        },
        None => hashed(Cell::Text(literal)),
    };
    format!("{column}={hash}")
}

/// The SHA-256 of a value's canonical text, in hex: what a mask makes of it too.
pub(crate) fn hashed(value: Cell<'_>) -> String {
    let mut text = String::new();
    value.write_text(&mut text);
    digest(text.as_bytes()).trim_start_matches("sha256:").to_string()
}

#[cfg(test)]
mod tests {
    use longshore_model::Cell;
    use longshore_model::spec::Keys;

    use super::{part, part_of_literal};

    #[test]
    fn a_hashed_key_is_the_same_from_a_value_and_from_its_literal() {
        for (value, literal) in
            [(Cell::Int(7), "7"), (Cell::Text("it's"), "'it''s'"), (Cell::Bytes(&[1]), "x'01'")]
        {
            assert_eq!(part("id", value, Keys::Plain), format!("id={literal}"));
            let hashed = part("id", value, Keys::Sha256);
            assert_eq!(hashed, part_of_literal("id", literal, Keys::Sha256));
            assert!(hashed.len() == 67 && hashed != part("id", value, Keys::Plain), "{hashed}");
        }
    }
}
