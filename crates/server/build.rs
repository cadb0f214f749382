//! Puts the files of the dashboard into the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new("dashboard");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(root, &mut files);
    files.sort();
    let mut text = String::from("static ASSETS: &[(&str, &[u8])] = &[\n");
    for path in files {
        let name = path.strip_prefix(root).expect("it was found below");
        let whole = fs::canonicalize(&path).expect("it is there");
        writeln!(text, "    ({:?}, include_bytes!({:?})),", name.display().to_string(), whole)
            .expect("memory takes it");
    }
    text.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("assets.rs");
    fs::write(out, text).expect("the build folder can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}
