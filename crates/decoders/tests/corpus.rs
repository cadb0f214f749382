//! The corpus of the fuzzer, without the fuzzer.

use std::path::Path;

#[test]
fn every_file_of_the_corpus_is_decoded() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, decode) in longshore_decoders::ALL {
        let mut files = 0;
        for file in std::fs::read_dir(corpus.join(name)).expect("the decoder's corpus") {
            let path = file.expect("a file").path();
            decode(&std::fs::read(&path).expect("its bytes"));
            files += 1;
        }
        assert!(files > 0, "{name} has no corpus");
    }
}
