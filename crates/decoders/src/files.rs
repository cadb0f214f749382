//! Files of any content in a folder that is read as a source.

use std::path::Path;

use longshore_model::connector::{Connector, ReadRequest, StudyRequest};
use longshore_model::{Endpoint, Fingerprint, Result};

/// A CSV file.
pub fn csv(bytes: &[u8]) {
    twice("t.csv", bytes);
}

/// A file of JSON Lines.
pub fn jsonl(bytes: &[u8]) {
    twice("t.jsonl", bytes);
}

/// A Parquet file.
pub fn parquet(bytes: &[u8]) {
    twice("t.parquet", bytes);
}

/// What is read is the same each time, in pieces of any size.
fn twice(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), bytes).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let whole = runtime.block_on(read(folder.path(), 1 << 20));
    let pieces = runtime.block_on(read(folder.path(), 64));
    if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces, "pieces of a file are not the file");
    }
}

/// The fingerprint of everything in the folder.
async fn read(folder: &Path, piece: u64) -> Result<Fingerprint> {
    let address = Endpoint::parse(&format!("file:{}", folder.display()))?;
    let source = longshore_objects::connector().open_source(&address).await?;
    let mut sum = Fingerprint::default();
    for table in source.catalog().await?.tables {
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let (filter, chunk_bytes) = (None, piece);
        let request =
            StudyRequest { table: &table, columns: &columns, filter, chunk_bytes, decoded: true };
        let study = source.study(&request).await?;
        let snapshot = source.snapshot(1).await?;
        for chunk in study.chunks {
            let request = ReadRequest {
                table: table.name.clone(),
                columns: columns.iter().cloned().zip(study.types.iter().cloned()).collect(),
                filter: None,
                range: Some(chunk.range),
                wire: None,
                batch_bytes: usize::try_from(piece).unwrap_or(usize::MAX),
            };
            let mut reader = snapshot.read(&request).await?;
            while let Some(batch) = reader.next().await? {
                sum.add_batch(&batch)?;
            }
        }
    }
    Ok(sum)
}
