use std::collections::BTreeSet;

use longshore_model::{Code, ColumnView, LogicalType, Result};

use crate::listing::DataFile;
use crate::options::{CsvStyle, Format};
use crate::range::FileRange;
use crate::read::{Job, TextRules};
use crate::tree::Tree;

fn read(content: &[u8], columns: &[(&str, &str)], own: bool) -> Result<Vec<Vec<String>>> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.jsonl"), content).expect("a file");
    let tree = Tree::new(folder.path());
    let stamp = tree.stamp("t.jsonl")?.expect("a file");
    let file =
        DataFile { path: "t.jsonl".to_string(), format: Format::Jsonl, stamp, keys: Vec::new() };
    let known: BTreeSet<String> = columns.iter().map(|(name, _)| name.to_string()).collect();
    let job = Job {
        tree,
        parts: vec![(FileRange::whole("t.jsonl"), file)],
        columns: columns
            .iter()
            .map(|(name, ty)| (name.to_string(), ty.parse().expect("a type")))
            .collect(),
        batch_bytes: 1 << 20,
        text: TextRules { csv: CsvStyle::default(), own, known: Some(known) },
        filter: None,
    };
    let mut rows = Vec::new();
    job.run(&mut |batch| {
        for row in 0..batch.num_rows() {
            let mut texts = Vec::new();
            for ((_, logical), array) in job.columns.iter().zip(batch.columns()) {
                let mut text = String::new();
                ColumnView::new(logical, array)?.cell(row).write_text(&mut text);
                texts.push(text);
            }
            rows.push(texts);
        }
        Ok(true)
    })?;
    Ok(rows)
}

fn inferred(content: &[u8]) -> Result<Vec<(String, LogicalType)>> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.jsonl"), content).expect("a file");
    let tree = Tree::new(folder.path());
    let stamp = tree.stamp("t.jsonl")?.expect("a file");
    let file =
        DataFile { path: "t.jsonl".to_string(), format: Format::Jsonl, stamp, keys: Vec::new() };
    Ok(super::infer(&tree, &[file])?.columns)
}

#[test]
fn values_are_read_by_the_type_of_their_column() {
    for (token, logical, expected) in [
        ("9223372036854775807", "int64", "9223372036854775807"),
        ("18446744073709551615", "uint64", "18446744073709551615"),
        ("0.1", "float64", "0.1"),
        ("-0.0", "float64", "-0.0"),
        ("5e-324", "float64", "5e-324"),
        ("\"NaN\"", "float64", "NaN"),
        ("\"-Infinity\"", "float32", "-Infinity"),
        ("\"1.50\"", "decimal(5,2)", "1.50"),
        ("1.5", "decimal(5,2)", "1.50"),
        ("\"a\\u0000\\n\\ud83d\\ude00\"", "text", "a\0\n\u{1F600}"),
        ("\"\\\\x00ff\"", "bytes", "\\x00ff"),
        ("true", "boolean", "true"),
        ("\"2024-02-29\"", "date", "2024-02-29"),
        ("\"{\\\"a\\\": 1}\"", "json", "{\"a\": 1}"),
        ("{\"a\": [1, 2]}", "json", "{\"a\": [1, 2]}"),
        ("\"'x'\"", "variant", "'x'"),
        ("null", "text", ""),
    ] {
        let line = format!("{{ \"v\" : {token} }}\r\n");
        let rows = read(line.as_bytes(), &[("v", logical)], true);
        assert_eq!(rows.unwrap_or_else(|e| panic!("{token}: {e:?}")), [[expected]], "{token}");
    }
    for (token, logical, expected) in
        [("\"it's\"", "variant", "'it''s'"), ("7", "variant", "7"), ("\"a\"", "json", "\"a\"")]
    {
        let line = format!("{{\"v\":{token}}}");
        assert_eq!(read(line.as_bytes(), &[("v", logical)], false).expect("rows"), [[expected]]);
    }
}

#[test]
fn keys_come_in_any_order_and_may_be_absent() {
    let content = b"\xef\xbb\xbf{\"b\":\"x\",\"a\":1}\n\n{}\n{\"a\":2}";
    let rows = read(content, &[("a", "int64"), ("b", "text")], true).expect("rows");
    assert_eq!(rows, [["1", "x"], ["", ""], ["2", ""]]);
}

#[test]
fn what_is_not_a_row_is_refused_with_its_line_and_without_values() {
    for (line, code) in [
        (&b"{\"a\":1,\"a\":2}"[..], Code::SourceUnreadable),
        (b"{\"other\":1}", Code::SourceUnreadable),
        (b"{\"a\":hunter2}", Code::SourceUnreadable),
        (b"{\"a\":1", Code::SourceUnreadable),
        (b"{\"a\":1} {}", Code::SourceUnreadable),
        (b"\"hunter2\"", Code::SourceUnreadable),
        (b"[1]", Code::SourceUnreadable),
        (b"{\"a\":01}", Code::SourceUnreadable),
        (b"{\"a\":\"\xff\"}", Code::SourceUnreadable),
        (b"{\"a\":\"hunter2\"}", Code::ValueInvalid),
        (b"{\"a\":1.5}", Code::ValueInvalid),
        (b"{\"a\":9223372036854775808}", Code::ValueInvalid),
        (b"{\"a\":{}}", Code::ValueInvalid),
    ] {
        let content = [b"{\"a\":1}\n", line, b"\n"].concat();
        let error = read(&content, &[("a", "int64")], true).expect_err("not a row");
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.context().contains(&("line", "2".to_string())), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(
        read(b"{\"a\":\"\\ud800\"}", &[("a", "text")], true).expect_err("half a pair").code(),
        Code::ValueInvalid
    );
}

#[test]
fn columns_are_found_in_every_row() {
    let content = b"{\"a\":1}\n{\"b\":\"x\",\"a\":null}\n{\"c\":[],\"a\":2.5}\n";
    let columns = inferred(content).expect("columns");
    let names: Vec<_> = columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    assert_eq!(names, ["a float64", "b text", "c json"]);
    assert!(inferred(b"{\"a\":1,\"a\":1}\n").is_err());
    assert!(inferred(b"{}\n{}\n").is_err());
}
