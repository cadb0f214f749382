//! `cargo run --release -p longshore-testkit --example lineitem -- FILE SCALE` writes the data of
//! the benchmarks.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, scale] = arguments.as_slice() else {
        return Err("usage: lineitem FILE SCALE".into());
    };
    longshore_testkit::lineitem::write(std::path::Path::new(file), scale.parse()?)?;
    Ok(())
}
