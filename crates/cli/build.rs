//! Writes down what the binary is built of, for the section that every engine has: the JSON of
//! cargo-auditable, compressed.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::ZlibEncoder;

const PACKAGE: &str = "longshore-cli";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..");
    println!("cargo:rerun-if-changed={}", root.join("Cargo.lock").display());
    println!("cargo:rerun-if-changed=build.rs");
    let json = packages(&tree(&root)?)?;
    let mut section = ZlibEncoder::new(Vec::new(), Compression::best());
    section.write_all(json.as_bytes())?;
    let out = Path::new(&env::var("OUT_DIR")?).join("packages.zlib");
    std::fs::write(out, section.finish()?)?;
    Ok(())
}

/// What cargo says that the package needs when it runs, a line each with its depth before it.
fn tree(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new(env::var("CARGO")?);
    command.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "depth"]);
    command.args(["--package", PACKAGE, "--format", "{p}", "--target", &env::var("TARGET")?]);
    let output = command.current_dir(root).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[derive(Default)]
struct Package {
    needs: Vec<String>,
    is_ours: bool,
    compiles_only: bool,
}

fn packages(tree: &str) -> Result<String, Box<dyn Error>> {
    let mut all: BTreeMap<String, Package> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (depth, text) = line.split_at(digits);
        let mut words = text.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let key = format!("{name} {}", version.trim_start_matches('v'));
        above.truncate(depth.parse()?);
        // What a macro needs runs in the compiler, as the macro does.
        let compiles_only = text.contains("(proc-macro)")
            || above.last().is_some_and(|parent| all[parent].compiles_only);
        let is_new = !all.contains_key(&key);
        let package = all.entry(key.clone()).or_default();
        package.is_ours |= text.contains(" (/");
        package.compiles_only = compiles_only && (is_new || package.compiles_only);
        if let Some(parent) = above.last()
            && let Some(parent) = all.get_mut(parent)
            && !parent.needs.contains(&key)
        {
            parent.needs.push(key.clone());
        }
        above.push(key);
    }
    let places: BTreeMap<&String, usize> =
        all.keys().enumerate().map(|(place, key)| (key, place)).collect();
    let mut json = String::from("{\"packages\":[");
    for (place, (key, package)) in all.iter().enumerate() {
        let (name, version) = key.split_once(' ').unwrap_or((key, ""));
        let source = if package.is_ours { "local" } else { "crates.io" };
        let comma = if place > 0 { "," } else { "" };
        write!(
            json,
            "{comma}{{\"name\":\"{name}\",\"version\":\"{version}\",\"source\":\"{source}\""
        )?;
        if package.compiles_only {
            json.push_str(",\"kind\":\"build\"");
        }
        let mut needs: Vec<usize> = package.needs.iter().map(|need| places[need]).collect();
        needs.sort_unstable();
        if !needs.is_empty() {
            write!(json, ",\"dependencies\":{needs:?}")?;
        }
        json.push_str(if name == PACKAGE { ",\"root\":true}" } else { "}" });
    }
    json.push_str("]}");
    Ok(json)
}
