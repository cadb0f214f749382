//! The shape of the house: which crate may know which, and which words may stand where.

mod arrows;
mod source;
mod words;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is in crates/xtask").to_path_buf()
}
