//! Digests: the names of contents.

use std::fmt::{self, Write as _};
use std::io::Read;
use std::str::FromStr;

use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// The algorithms, and how many hexadecimal digits each gives. The first is the one of our own images.
const ALGORITHMS: [(&str, usize); 2] = [("sha256", 64), (SHA512, 128)];
const SHA512: &str = "sha512";

/// A digest as images write it: `sha256:` and 64 hexadecimal digits in lower case, or `sha512:` and 128.
/// So it is safe as a part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The SHA-256 digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish().0
    }

    /// Whether it is the digest of bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::like(self);
        hasher.update(bytes);
        hasher.finish().0 == *self
    }

    /// The algorithm, which is the folder in a layout.
    pub fn algorithm(&self) -> &str {
        self.parts().0
    }

    /// The hexadecimal digits.
    pub fn hex(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').expect("it was read as one")
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As many digits as people compare.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        let is_one = text.split_once(':').is_some_and(|(algorithm, hex)| {
            ALGORITHMS.contains(&(algorithm, hex.len())) && hex.bytes().all(digit)
        });
        match is_one {
            true => Ok(Self(text.to_string())),
            false => Err(Error::new(Code::ImageInvalid, "a digest is not understood")
                .with("digest", text.chars().take(100).collect::<String>())
                .hint("It is `sha256:` and 64 hexadecimal digits in lower case, or `sha512:` and 128.")),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: Error| error.to_string())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes bytes and tells their digest and number.
#[derive(Debug, Clone)]
pub struct Hasher {
    state: State,
    size: u64,
}

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Default for Hasher {
    fn default() -> Self {
        Self { state: State::Sha256(Sha256::new()), size: 0 }
    }
}

impl Hasher {
    /// A hasher of the algorithm of a digest.
    pub fn like(digest: &Digest) -> Self {
        match digest.algorithm() {
            SHA512 => Self { state: State::Sha512(Sha512::new()), size: 0 },
            _ => Self::default(),
        }
    }

    /// Takes bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
        self.size += bytes.len() as u64;
    }

    /// Whether it gives digests of the algorithm of one.
    pub fn is_like(&self, digest: &Digest) -> bool {
        matches!(self.state, State::Sha512(_)) == (digest.algorithm() == SHA512)
    }

    /// How many bytes it took.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest and the number of the bytes.
    pub fn finish(self) -> (Digest, u64) {
        let (algorithm, bytes) = match self.state {
            State::Sha256(hasher) => (ALGORITHMS[0].0, hasher.finalize().to_vec()),
            State::Sha512(hasher) => (SHA512, hasher.finalize().to_vec()),
        };
        let mut text = format!("{algorithm}:");
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        (Digest(text), self.size)
    }
}

/// Reads from another reader and hashes what passes.
#[derive(Debug)]
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Hashed<R> {
    /// A reader whose bytes are to have a digest.
    pub(crate) fn new(inner: R, digest: &Digest) -> Self {
        Self { inner, hasher: Hasher::like(digest) }
    }

    pub(crate) fn finish(self) -> (Digest, u64) {
        self.hasher.finish()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    const EMPTY_512: &str = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(Digest::of(b"").as_str(), EMPTY);
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
        let long: Digest = format!("sha512:{EMPTY_512}").parse().expect("a digest");
        assert_eq!((long.algorithm(), long.hex()), ("sha512", EMPTY_512));
        assert!(long.is_of(b"") && !long.is_of(b"x") && Digest::of(b"x").is_of(b"x"));
    }

    #[test]
    fn only_digests_are_taken() {
        assert!(EMPTY.parse::<Digest>().is_ok());
        for wrong in [
            "",
            "sha256:",
            "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256:../../../../../../../../../../../../../../../../../../../../etc/passwd",
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
