//! Rust sources as code and literals, so that rules about words do not read comments.

use std::path::{Path, PathBuf};

/// A file without its comments and its tests.
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// The code, with every literal replaced by `""`.
    pub(super) code: String,
    /// The contents of the string literals.
    pub(super) literals: Vec<String>,
}

impl Source {
    /// Every file below `folder` but those of tests.
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let mut sources = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if path.is_dir() && name != "tests" {
                    folders.push(path);
                } else if name.ends_with(".rs") && name != "tests.rs" {
                    let text = std::fs::read_to_string(&path).expect("a source in UTF-8");
                    sources.push(Self::read(path, &text));
                }
            }
        }
        assert!(!sources.is_empty(), "there is no source in {}", folder.display());
        sources
    }

    fn read(path: PathBuf, text: &str) -> Self {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let (mut code, mut literals) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if rest.starts_with("//") {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
            } else if let Some(inner) = rest.strip_prefix("/*") {
                rest = inner.split_once("*/").map_or("", |(_, rest)| rest);
            } else if let Some((inner, end)) = raw_string(rest).filter(|_| !after_word) {
                literals.push(inner.to_string());
                code.push_str("\"\"");
                rest = &rest[end..];
            } else if first == '"' {
                let end = plain_string(rest);
                literals.push(rest[1..end - 1].to_string());
                code.push_str("\"\"");
                rest = &rest[end..];
            } else if let Some(end) = character(rest) {
                rest = &rest[end..];
            } else {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        Self { path, code, literals }
    }

    /// The identifiers and keywords.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
    }
}

/// What is in the raw string that `text` begins with, and its end.
fn raw_string(text: &str) -> Option<(&str, usize)> {
    let prefix = ["r", "br"].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix).unwrap_or_default().trim_start_matches('#');
        text.starts_with(prefix) && after.starts_with('"')
    })?;
    let hashes = text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
    let start = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    text[start..].find(&close).map(|at| (&text[start..start + at], start + at + close.len()))
}

/// The end of the string that `text` begins with.
fn plain_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The end of the character literal that `text` begins with; lifetimes are none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut characters = inner.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        return inner[2..].find('\'').map(|at| at + 4);
    }
    let (at, second) = characters.next()?;
    (second == '\'').then_some(at + 2)
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text = r####"
        // sqlite in a comment, "and" a quote
        /* and here */ let a = "in a \" literal"; let b = r#"raw "one""#; let c = ('"', '\'', b'x');
        fn f<'a>(x: &'a str) {} // end
#[cfg(test)]
mod tests { fn hidden() {} }"####;
    let source = Source::read(PathBuf::new(), text);
    assert_eq!(source.literals, ["in a \\\" literal", "raw \"one\""]);
    let words: Vec<_> = source.words().collect();
    assert!(words.contains(&"f") && words.contains(&"str"));
    for word in ["sqlite", "comment", "here", "literal", "raw", "end", "hidden"] {
        assert!(!words.contains(&word), "{word}");
    }
}
