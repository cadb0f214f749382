use std::path::Path;

use longshore_model::{Cell, Code, ColumnView, LogicalType, Result};

use crate::infer::TextKinds;
use crate::listing::DataFile;
use crate::options::{CsvStyle, Format};
use crate::range::FileRange;
use crate::read::{Job, TextRules};
use crate::tree::Tree;

type Rows = Vec<Vec<Option<String>>>;

fn job(folder: &Path, columns: &[&str], style: &CsvStyle) -> Job {
    let tree = Tree::new(folder);
    let stamp = tree.stamp("t.csv").expect("a stamp").expect("a file");
    let file = DataFile { path: "t.csv".to_string(), format: Format::Csv, stamp, keys: Vec::new() };
    Job {
        tree,
        parts: vec![(FileRange::whole("t.csv"), file)],
        columns: columns.iter().map(|name| (name.to_string(), LogicalType::Text)).collect(),
        batch_bytes: 1 << 20,
        text: TextRules { csv: style.clone(), own: false, known: None },
        filter: None,
    }
}

fn rows_of(job: &Job) -> Result<Rows> {
    let mut rows = Rows::new();
    job.run(&mut |batch| {
        let views: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| ColumnView::new(&LogicalType::Text, array))
            .collect::<Result<_>>()?;
        for row in 0..batch.num_rows() {
            let text = |view: &ColumnView<'_>| match view.cell(row) {
                Cell::Text(text) => Some(text.to_string()),
                _ => None,
            };
            rows.push(views.iter().map(text).collect());
        }
        Ok(true)
    })?;
    Ok(rows)
}

fn read_styled(content: &[u8], columns: &[&str], style: &CsvStyle) -> Result<Rows> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.csv"), content).expect("a file");
    rows_of(&job(folder.path(), columns, style))
}

fn read(content: &[u8], columns: &[&str]) -> Result<Rows> {
    read_styled(content, columns, &CsvStyle::default())
}

fn texts(rows: &[&[Option<&str>]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|text| text.map(str::to_string)).collect()).collect()
}

#[test]
fn null_and_empty_text_are_told_apart() {
    let rows = read(b"a,b\n,\"\"\nx,\n\"\",y", &["a", "b"]).expect("rows");
    let expected: [&[_]; 3] = [&[None, Some("")], &[Some("x"), None], &[Some(""), Some("y")]];
    assert_eq!(rows, texts(&expected));
}

#[test]
fn an_empty_line_is_null_in_one_column_and_an_error_in_two() {
    let rows = read(b"a\n\n\"\"\n\nx\n", &["a"]).expect("rows");
    assert_eq!(rows, texts(&[&[None], &[Some("")], &[None], &[Some("x")]]));
    assert_eq!(read(b"a,b\n\n", &["a"]).expect_err("ragged").code(), Code::SourceUnreadable);
}

#[test]
fn quotes_line_ends_and_marks_are_understood() {
    for (content, expected) in [
        (&b"a,b\r\n1,2\r\n"[..], [Some("1"), Some("2")]),
        (b"\xef\xbb\xbfa,b\n1,2", [Some("1"), Some("2")]),
        (b"\xef\xbb\xbf\"a\",b\n1,2\n", [Some("1"), Some("2")]),
        (b"a,b\n\"x\r\ny\",\"a \"\"q\"\", b\"\r\n", [Some("x\r\ny"), Some("a \"q\", b")]),
        (b"a,b\n\"\"\"\",\"\"\"\"\"\"\n", [Some("\""), Some("\"\"")]),
        (b"a,b\n a , \n", [Some(" a "), Some(" ")]),
        (b"a,b\nx\0y,\r\n", [Some("x\0y"), None]),
        (b"a,b\n1,\"2\"\r", [Some("1"), Some("2")]),
        (b"b,a\n2,1\n", [Some("1"), Some("2")]),
    ] {
        let rows = read(content, &["a", "b"]).unwrap_or_else(|e| panic!("{content:?}: {e:?}"));
        assert_eq!(rows, texts(&[&expected]), "{content:?}");
    }
}

#[test]
fn what_is_not_csv_is_refused_with_its_line() {
    for (content, line) in [
        (&b"a,b\n1,2\n1\n"[..], "3"),
        (b"a,b\n\"x\ny\",2\n1,2,3\n", "4"),
        (b"a,b\n1,\"2\n3\n", "2"),
        (b"a,b\n1,2\n1,x\"y\n", "3"),
        (b"a,b\n\"1\"x,2\n", "2"),
        (b"a,b\n1,2\n\xff,2\n", "3"),
        (b"a,b\n\"\n\n\xff\",2\n", "4"),
    ] {
        let error = read(content, &["a", "b"]).expect_err("not CSV");
        assert_eq!(error.code(), Code::SourceUnreadable, "{content:?}");
        let found = error.context().iter().find(|(key, _)| *key == "line");
        assert_eq!(found.map(|(_, line)| line.as_str()), Some(line), "{content:?}: {error}");
        assert!(!format!("{error:?}").contains("x\"y"), "no values in errors");
    }
    assert_eq!(read(b"", &["a"]).expect_err("empty").code(), Code::SourceUnreadable);
    assert_eq!(read(b"a,a\n", &["a"]).expect_err("twice").code(), Code::SourceUnreadable);
    assert_eq!(read(b"a\n1\n", &["b"]).expect_err("gone").code(), Code::SourceChanged);
}

#[test]
fn styles_change_delimiter_null_and_header() {
    let style = CsvStyle { header: false, delimiter: b'\t', null: "\\N".to_string() };
    let rows = read_styled(b"x\t\\N\n\t\"\\N\"\n", &["c1", "c2"], &style).expect("rows");
    let expected: [&[_]; 2] = [&[Some("x"), None], &[Some(""), Some("\\N")]];
    assert_eq!(rows, texts(&expected));
}

#[test]
fn a_field_larger_than_the_buffer_is_read() {
    let large = "ab\"\"\n,".repeat(300_000);
    let content = format!("a,b\n1,\"{large}\"\n2,x\n");
    let rows = read(content.as_bytes(), &["a", "b"]).expect("rows");
    assert_eq!(rows[0][1].as_ref().map(String::len), Some(5 * 300_000));
    assert_eq!(rows[1], [Some("2".to_string()), Some("x".to_string())]);
}

#[test]
fn pieces_of_a_file_hold_every_row_once_with_true_line_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut content = "\u{feff}a,b\n".to_string();
    for row in 0..5000 {
        content.push_str(&format!("{row},\"text\nof {row}\"\n"));
    }
    std::fs::write(folder.path().join("t.csv"), &content).expect("a file");
    let mut whole = job(folder.path(), &["a", "b"], &CsvStyle::default());
    let expected = rows_of(&whole).expect("rows");
    let mut kinds = [TextKinds::default(), TextKinds::default()];
    let style = CsvStyle::default();
    let pieces = super::scan(&whole.tree, "t.csv", &style, &["a", "b"], Some(&mut kinds), 10_000);
    let pieces = pieces.expect("pieces");
    assert!(pieces.len() > 5);
    assert_eq!(pieces.iter().map(|piece| piece.rows).sum::<u64>(), 5000);
    assert_eq!(kinds[0].logical(), LogicalType::INT64);
    let file = whole.parts[0].1.clone();
    whole.parts = (0..pieces.len())
        .map(|index| {
            let mut range = FileRange::whole("t.csv");
            range.bytes = Some((pieces[index].offset, pieces.get(index + 1).map(|p| p.offset)));
            range.line = Some(pieces[index].line);
            (range, file.clone())
        })
        .collect();
    assert_eq!(rows_of(&whole).expect("rows"), expected);
    for piece in &pieces {
        assert_eq!(piece.line % 2, 0, "records begin on even lines");
    }
}
