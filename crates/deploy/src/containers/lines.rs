//! Lines out of the pieces in which engines give what a container wrote.

use bollard::container::LogOutput;

use crate::Line;

/// Beginnings of lines, whose ends are still to come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    out: Vec<u8>,
    error: Vec<u8>,
}

impl Lines {
    /// Adds a piece; returns the lines that are whole.
    pub(super) fn take(&mut self, piece: LogOutput) -> Vec<Line> {
        let is_error = matches!(piece, LogOutput::StdErr { .. });
        let (kept, line): (_, fn(String) -> Line) = match is_error {
            true => (&mut self.error, Line::Error),
            false => (&mut self.out, Line::Out),
        };
        kept.extend_from_slice(&piece.into_bytes());
        let Some(last) = kept.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = kept.split_off(last + 1);
        let whole = std::mem::replace(kept, rest);
        text(&whole[..last]).lines().map(|one| line(one.to_string())).collect()
    }

    /// What was written without an end.
    pub(super) fn rest(&mut self) -> Vec<Line> {
        let (out, error) = (std::mem::take(&mut self.out), std::mem::take(&mut self.error));
        let mut lines = Vec::new();
        if !out.is_empty() {
            lines.push(Line::Out(text(&out)));
        }
        if !error.is_empty() {
            lines.push(Line::Error(text(&error)));
        }
        lines
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use bollard::container::LogOutput;

    use super::Lines;
    use crate::Line;

    #[test]
    fn lines_are_whole_however_they_are_cut() {
        let mut lines = Lines::default();
        let out = |text: &'static str| LogOutput::StdOut { message: text.into() };
        let error = |text: &'static str| LogOutput::StdErr { message: text.into() };
        assert_eq!(lines.take(out("{\"a\"")), []);
        assert_eq!(lines.take(error("oh\n")), [Line::Error("oh".into())]);
        let told = lines.take(out(":1}\n{\"b\":2}\n{"));
        assert_eq!(told, [Line::Out("{\"a\":1}".into()), Line::Out("{\"b\":2}".into())]);
        assert_eq!(lines.rest(), [Line::Out("{".into())]);
        assert_eq!(lines.rest(), []);
    }
}
