//! Patterns over names: `*` stands for any text, `?` for one character.

/// Whether `pattern` matches the whole of `name`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((star_p, star_n)) = star {
            p = star_p + 1;
            n = star_n + 1;
            star = Some((star_p, star_n + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&character| character == '*')
}

/// Whether `pattern` matches one of the names of a thing.
pub fn matches_any(pattern: &str, names: &[String]) -> bool {
    names.iter().any(|name| matches(pattern, name))
}

/// Whether a list of patterns selects a thing by one of its names: the last that matches decides,
/// `!` excludes. An empty list selects everything, and so does a list of exclusions what it does
/// not exclude.
pub fn selects(patterns: &[String], names: &[String]) -> bool {
    let mut selected = patterns.iter().all(|pattern| pattern.starts_with('!'));
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(excluded) if matches_any(excluded, names) => selected = false,
            None if matches_any(pattern, names) => selected = true,
            _ => {}
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::{matches, selects};

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("public.*", "public.users", true),
            ("public.*", "other.users", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b", "aXbY", false),
            ("?", "ä", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn selection() {
        let list = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let selects = |patterns: &[String], name: &str| selects(patterns, &[name.to_string()]);
        assert!(selects(&[], "a"));
        assert!(selects(&list(&["!b"]), "a"));
        assert!(!selects(&list(&["!b"]), "b"));
        assert!(!selects(&list(&["b"]), "a"));
        assert!(!selects(&list(&["*", "!audit_*"]), "audit_x"));
        assert!(selects(&list(&["*", "!audit_*", "audit_x"]), "audit_x"));
    }
}
