//! Folders of CSV, JSON Lines, Parquet and Arrow files as source and as target, and trees of any files, in the
//! file system and in cloud stores.
//!
//! It owns the layout of a folder of tables: data files, manifest, ledger, lock and lease. It must never
//! know the engine, another connector or a terminal.

mod arrow;
mod blocks;
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
mod new_file;
mod options;
mod packing;
mod parquet;
mod partitions;
mod range;
mod read;
mod record;
mod source;
mod store;
mod stored;
mod study;
mod target;
mod tree;
mod typed;
mod verbatim;
mod write;

use std::sync::LazyLock;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::Names;
use longshore_model::{Endpoint, Error, Result};

pub use verbatim::Trees;

use store::{Provider, Store};

/// Folders of files with tables: in the file system, or in a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files {
    provider: Option<Provider>,
}

/// The connector for folders of tables.
pub fn connector() -> Files {
    Files::default()
}

/// The connector for trees of files that move as they are.
pub fn trees() -> Trees {
    Trees::default()
}

/// The connectors for stores, which are S3, Google Cloud Storage and Azure Blob Storage: for tables in
/// files, and for objects that move as they are.
pub fn stores() -> [(Files, Trees); 3] {
    Provider::ALL.map(|provider| (Files { provider: Some(provider) }, Trees::in_store(provider)))
}

static ABOUT: About = About {
    name: "files",
    title: "Folders of Parquet, CSV, JSON Lines and Arrow files",
    chosen_by: None,
    local: true,
    port: None,
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
        merges: false,
        shared: false,
        names: Names::EXACT,
    },
};

static STORES: LazyLock<Vec<About>> = LazyLock::new(|| Provider::ALL.map(in_store).to_vec());

fn in_store(provider: Provider) -> About {
    let (name, title, schemes, example): (_, _, &'static [&'static str], _) = match provider {
        Provider::S3 => ("s3", "S3", &["s3"], "s3://bucket/path?format=parquet&region=eu-west-1"),
        Provider::Gcs => {
            ("gcs", "Google Cloud Storage", &["gs"], "gs://bucket/path?format=parquet")
        }
        Provider::Azure => (
            "azure",
            "Azure Blob Storage",
            &["az"],
            "az://container/path?format=parquet&account=name",
        ),
    };
    let title: &'static str = format!("{}, in {title}", ABOUT.title).leak();
    let source = SourceCapabilities {
        restart: "sizes and tags of all files prove the source unchanged; a run goes on where it \
                  stopped as long as they are the same",
        ..ABOUT.source
    };
    About {
        name,
        title,
        local: false,
        port: Some(443),
        schemes,
        example,
        options: [ABOUT.options, provider.options()].concat().leak(),
        variables: provider.variables(),
        source,
        ..ABOUT.clone()
    }
}

impl Files {
    /// Refuses options that are neither of those nor of the store.
    fn allow(&self, own: &[&str], endpoint: &Endpoint) -> Result<()> {
        let of_store = self.provider.map_or(&[][..], Provider::options);
        let known: Vec<&str> =
            own.iter().copied().chain(of_store.iter().map(|(name, _)| *name)).collect();
        endpoint.allow_options(&known)
    }
}

#[async_trait]
impl Connector for Files {
    fn about(&self) -> &'static About {
        self.provider.and_then(|provider| STORES.get(provider as usize)).unwrap_or(&ABOUT)
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        let own: Vec<&str> = ABOUT.options.iter().map(|(name, _)| *name).collect();
        self.allow(&own, endpoint)?;
        let options = options::ReadOptions::parse(endpoint)?;
        if let Some(provider) = self.provider {
            let store = Store::open(provider, endpoint)?;
            return Ok(Box::new(source::FileSource::in_store(store, options).await?));
        }
        let path = endpoint.path()?.into();
        let source = blocking(move || source::FileSource::open(path, options)).await?;
        Ok(Box::new(source))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        self.allow(&["format", "compression"], endpoint)?;
        let options = options::WriteOptions::parse(endpoint)?;
        if let Some(provider) = self.provider {
            let store = Store::open(provider, endpoint)?;
            return Ok(Box::new(target::FileTarget::in_store(store, options)));
        }
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
