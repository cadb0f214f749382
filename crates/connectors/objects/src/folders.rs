//! The names of table folders.

use std::collections::BTreeMap;

use longshore_model::catalog::TableName;
use longshore_model::plan::digest;

/// Most file systems allow 255 bytes; part of it is left for a suffix.
const LONGEST: usize = 200;

/// The folder of each table. `taken` holds folders that tables have already; two tables whose
/// folders would differ only in case, which some file systems do not tell apart, get a suffix made
/// of their full name.
pub(crate) fn assign(tables: &[TableName], taken: &BTreeMap<TableName, String>) -> Vec<String> {
    let manifest = TableName::plain("");
    let mut used: BTreeMap<String, &TableName> =
        taken.iter().map(|(name, folder)| (folder.to_lowercase(), name)).collect();
    used.insert(crate::manifest::NAME.to_string(), &manifest);
    let mut sorted: Vec<&TableName> = tables.iter().collect();
    sorted.sort();
    let mut folders: BTreeMap<&TableName, String> = BTreeMap::new();
    for table in sorted {
        let folder = match taken.get(table) {
            Some(folder) => folder.clone(),
            None => {
                let plain = encode(table);
                let collides = used.get(&plain.to_lowercase()).is_some_and(|other| *other != table);
                if collides || plain.len() > LONGEST { suffixed(&plain, table) } else { plain }
            }
        };
        used.insert(folder.to_lowercase(), table);
        folders.insert(table, folder);
    }
    tables.iter().map(|table| folders[table].clone()).collect()
}

/// A folder's name for a table: readable, and never hidden, nested or another table's.
fn encode(table: &TableName) -> String {
    let mut out = String::new();
    if let Some(namespace) = &table.namespace {
        encode_part(namespace, &mut out);
        out.push('.');
    }
    encode_part(&table.name, &mut out);
    out
}

/// Dots are escaped, so that the one between namespace and name is the only one.
fn encode_part(part: &str, out: &mut String) {
    if part.is_empty() {
        out.push('%');
    }
    for character in part.chars() {
        let plain = !character.is_control()
            && !matches!(
                character,
                '/' | '\\' | '%' | '.' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '~'
            );
        if plain {
            out.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
}

fn suffixed(folder: &str, table: &TableName) -> String {
    let mut cut = folder.len().min(LONGEST);
    while !folder.is_char_boundary(cut) {
        cut -= 1;
    }
    let full = format!("{:?}\0{}", table.namespace, table.name);
    let hash = digest(full.as_bytes());
    let hash = hash.rsplit(':').next().and_then(|hex| hex.get(..8)).unwrap_or_default();
    format!("{}~{hash}", &folder[..cut])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use longshore_model::catalog::TableName;

    use super::assign;

    fn namespaced(namespace: &str, name: &str) -> TableName {
        TableName { namespace: Some(namespace.to_string()), name: name.to_string() }
    }

    #[test]
    fn folders_are_distinct_and_safe() {
        let tables: Vec<TableName> =
            ["a", "a/b", "..", ".hidden", "a b", "😀", "100%", "", "~x", "a.b", "new\nline"]
                .into_iter()
                .map(TableName::plain)
                .chain([namespaced("a", "b"), namespaced("", ""), namespaced("x.y", "z/")])
                .chain([namespaced("longshore", "json")])
                .collect();
        let folders = assign(&tables, &BTreeMap::new());
        let distinct: BTreeSet<String> = folders.iter().map(|f| f.to_lowercase()).collect();
        assert_eq!(distinct.len(), tables.len(), "{folders:?}");
        for folder in &folders {
            assert!(!folder.starts_with('.') && !folder.contains(['/', '\n']), "{folder}");
            assert!(!folder.is_empty() && folder != "longshore.json", "{folder}");
        }
    }

    #[test]
    fn case_only_names_and_long_names_get_a_stable_suffix() {
        let tables =
            [TableName::plain("T"), TableName::plain("t"), TableName::plain("x".repeat(300))];
        let folders = assign(&tables, &BTreeMap::new());
        assert_eq!(folders[0], "T");
        assert!(folders[1].starts_with("t~"), "{}", folders[1]);
        assert!(folders[2].len() < 220);
        let turned = [tables[1].clone(), tables[0].clone()];
        assert_eq!(assign(&turned, &BTreeMap::new()), [folders[1].clone(), folders[0].clone()]);
        let taken = BTreeMap::from([(tables[1].clone(), "t".to_string())]);
        assert_eq!(assign(&tables[..2], &taken)[1], "t");
        assert!(assign(&tables[..2], &taken)[0].starts_with("T~"));
    }
}
