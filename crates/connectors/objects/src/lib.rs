//! Folders of CSV, JSON Lines, Parquet and Arrow files as source and as target, and trees of any files, in the
//! file system and in cloud stores.
//!
//! It owns the layout of a folder of tables: data files, manifest, ledger, lock and lease. It must never
//! know the engine, another connector or a terminal.

mod arrow;
mod columns;
mod content;
mod convert;
mod csv;
mod describe;
mod digits;
mod filter;
mod finish;
mod folders;
mod infer;
mod journal;
mod jsonl;
mod lease;
mod listing;
mod load;
mod lock;
mod manifest;
mod options;
mod packing;
mod parquet;
mod partitions;
mod range;
mod read;
mod source;
mod store;
mod stored;
mod study;
mod target;
mod tree;
mod typed;
mod verbatim;
mod write;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::Names;
use longshore_model::{Endpoint, Error, Result};

pub use verbatim::Trees;

/// Folders of files in the local file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

/// The connector for folders of tables.
pub fn connector() -> Files {
    Files
}

/// The connector for trees of files that move as they are.
pub fn trees() -> Trees {
    Trees::default()
}

/// The connectors for the objects of stores: S3, Google Cloud Storage and Azure Blob Storage.
pub fn stores() -> [Trees; 3] {
    store::Provider::ALL.map(Trees::in_store)
}

static ABOUT: About = About {
    name: "files",
    title: "Folders of Parquet, CSV, JSON Lines and Arrow files",
    chosen_by: None,
    local: true,
    schemes: &["file"],
    example: "file:out?format=parquet",
    options: &[
        (
            "format",
            "parquet, csv, jsonl or arrow; a target writes parquet unless told otherwise, a source goes by the names of its files",
        ),
        (
            "compression",
            "of files written. Parquet: zstd (the default), snappy or none; tables of so many columns \
             that zstd's contexts exceed the memory are written with snappy. CSV and JSON Lines: none \
             (the default), gzip or zstd. Arrow: zstd (the default), lz4 or none",
        ),
        (
            "header",
            "whether CSV files read begin with a line of names: true (the default) or false",
        ),
        ("delimiter", "the character between the fields of CSV files read; a comma by default"),
        ("null", "the unquoted text that means NULL in CSV files read; the empty text by default"),
        (
            "hive",
            "whether folders like year=2024 in the folder of a table that is read are columns of it: \
             true (the default) or false",
        ),
    ],
    variables: &[],
    source: SourceCapabilities {
        filter: true,
        open_ended: false,
        dialect: "",
        restart: "sizes and times of all files prove the source unchanged; a run goes on where it \
                  stopped as long as they are the same",
    },
    target: TargetCapabilities {
        writers: None,
        repair: Repair::Chunks,
        dialect: "",
        wires: &[],
        namespaces: true,
        names: Names::EXACT,
    },
};

#[async_trait]
impl Connector for Files {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        let options = options::ReadOptions::parse(endpoint)?;
        let path = endpoint.path()?.into();
        let source = blocking(move || source::FileSource::open(path, options)).await?;
        Ok(Box::new(source))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        let options = options::WriteOptions::parse(endpoint)?;
        let root = endpoint.path()?.into();
        Ok(Box::new(blocking(move || target::FileTarget::open(root, options)).await?))
    }
}

/// Runs file work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(longshore_model::Code::Internal, "a thread of file work ended early")
            .because(error)
    })?
}
