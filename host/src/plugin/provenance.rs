//! Whether a file is one of those that the operator trusts: its digest stands in a list, its signature was made with
//! a known key. This is decided before anything of the file is compiled, on the very bytes that would be.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use minisign_verify::{Error, PublicKey, Signature};

use super::convert::line;

/// Bytes of a list, a key or a signature.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a name that are shown.
const TEXT_BYTES_MAX: u64 = 256;
const DIGEST_LETTERS: usize = 64;

/// Where the operator says what is trusted. Each is read anew for each plugin, so that it may change meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// Digests with commas between them, or files as `sha256sum` writes them; `None` asks for no digest.
    pub digests: Option<String>,
    /// Public keys of minisign with commas between them, or files with one; `None` asks for no signature.
    pub keys: Option<String>,
}

/// What is trusted, read.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    digests: Option<Vec<Digest>>,
    keys: Option<Vec<PublicKey>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Digest {
    hex: String,
    /// The file that it is for; `None` is any.
    name: Option<String>,
}

/// Why a file is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Its digest stands in the list.
    pub is_listed: bool,
    /// Its signature was made with a known key.
    pub is_signed: bool,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_listed, self.is_signed) {
            (true, true) => "its digest is listed and its signature is good",
            (true, false) => "its digest is listed",
            (false, true) => "its signature is good",
            (false, false) => "nothing is asked of its origin",
        })
    }
}

/// Reads what the operator trusts and what lies beside the file, and decides. Gives the keys that signed it, too.
///
/// # Errors
/// Why the file is not trusted, and what would make it so.
pub(super) fn check(
    settings: &TrustSettings,
    file: &Path,
    bytes: &[u8],
    digest: &str,
) -> Result<(Trust, Vec<PublicKey>), String> {
    let rules = Rules::read(settings)?;
    let name = name_of(file);
    let beside = beside(file);
    let signature = match &rules.keys {
        Some(_) if beside.exists() => Some(text(&beside)?),
        _ => None,
    };
    judge(&rules, &name, bytes, digest, signature.as_deref())
}

/// Decides anew on a version of a file that was let in before. Its bytes and its signature may have been replaced
/// since: its digest has to be listed still, and one of those who signed it has to be known still.
///
/// # Errors
/// Why it is not trusted any more.
pub(super) fn check_again(
    settings: &TrustSettings,
    file: &Path,
    digest: &str,
    signers: &[PublicKey],
) -> Result<(), String> {
    let rules = Rules::read(settings)?;
    if let Some(listed) = &rules.digests {
        is_listed(listed, &name_of(file), digest)?;
    }
    match &rules.keys {
        Some(keys) if !signers.iter().any(|signer| keys.contains(signer)) => {
            Err("was signed with a key that is not in trusted_keys any more".to_owned())
        }
        _ => Ok(()),
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `heat_worker.wasm` → `heat_worker.wasm.minisig`.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

impl Rules {
    /// # Errors
    /// A list or key that cannot be read: then nothing is trusted.
    fn read(settings: &TrustSettings) -> Result<Self, String> {
        let mut rules = Self::default();
        if let Some(list) = &settings.digests {
            rules.digests = Some(Vec::new());
            for part in parts(list) {
                let found = if is_digest(part) {
                    vec![Digest { hex: part.to_ascii_lowercase(), name: None }]
                } else {
                    digests(part, &text(Path::new(part))?)?
                };
                rules.digests.get_or_insert_default().extend(found);
            }
        }
        if let Some(list) = &settings.keys {
            rules.keys = Some(Vec::new());
            for part in parts(list) {
                let key = match PublicKey::from_base64(part) {
                    Ok(key) => key,
                    Err(_) => key(part, &text(Path::new(part))?)?,
                };
                rules.keys.get_or_insert_default().push(key);
            }
        }
        Ok(rules)
    }
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn text(file: &Path) -> Result<String, String> {
    let cannot = |why: &dyn fmt::Display| format!("cannot read {}: {why}", file.display());
    let about = fs::metadata(file).map_err(|why| cannot(&why))?;
    if about.len() > FILE_BYTES_MAX {
        return Err(cannot(&format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    fs::read_to_string(file).map_err(|why| cannot(&why))
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_LETTERS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Lines as `sha256sum` writes them: digest, two blanks or a blank and a star, name.
fn digests(file: &str, text: &str) -> Result<Vec<Digest>, String> {
    let lines = text.lines().enumerate().map(|(nth, line)| (nth + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let digest = |(nth, line): (usize, &str)| {
        let (hex, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if !is_digest(hex) {
            return Err(format!(
                "cannot read {file}: line {nth} has no SHA-256 of 64 hex digits at its beginning, \
                 as sha256sum writes it"
            ));
        }
        let name = name.trim().trim_start_matches('*');
        let name = Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Digest { hex: hex.to_ascii_lowercase(), name })
    };
    lines.map(digest).collect()
}

fn key(file: &str, text: &str) -> Result<PublicKey, String> {
    // Without its comment, so that a key is the same wherever it is written.
    let second = text.lines().nth(1).unwrap_or_default();
    PublicKey::decode(text)
        .and_then(|_| PublicKey::from_base64(second.trim()))
        .or_else(|_| PublicKey::from_base64(text.trim()))
        .map_err(|_| format!("cannot read {file}: it is no public key of minisign"))
}

/// Decides on one file. Every rule that there is must be met.
///
/// # Errors
/// Why it is refused, and what would let it in.
pub fn admit(
    rules: &Rules,
    name: &str,
    bytes: &[u8],
    digest: &str,
    signature: Option<&str>,
) -> Result<Trust, String> {
    judge(rules, name, bytes, digest, signature).map(|(trust, _)| trust)
}

fn judge(
    rules: &Rules,
    name: &str,
    bytes: &[u8],
    digest: &str,
    signature: Option<&str>,
) -> Result<(Trust, Vec<PublicKey>), String> {
    let (mut trust, mut signers) = (Trust::default(), Vec::new());
    if let Some(listed) = &rules.digests {
        is_listed(listed, name, digest)?;
        trust.is_listed = true;
    }
    if let Some(keys) = &rules.keys {
        signers = signers_of(keys, name, bytes, signature)?;
        trust.is_signed = true;
    }
    Ok((trust, signers))
}

fn is_listed(listed: &[Digest], name: &str, digest: &str) -> Result<(), String> {
    let mut same = listed.iter().filter(|it| it.hex == digest);
    let fits = |it: &Digest| it.name.as_deref().is_none_or(|for_name| for_name == name);
    if same.clone().any(fits) {
        return Ok(());
    }
    let name = line(name, TEXT_BYTES_MAX);
    if let Some(other) = same.find_map(|it| it.name.as_deref()) {
        let other = line(other, TEXT_BYTES_MAX);
        return Err(format!("has a digest that trusted_digests lists for {other}, not for {name}"));
    }
    let named = listed.iter().find(|it| it.name.as_deref() == Some(&*name));
    let instead = named.map(|it| format!(", which lists {} for it", it.hex)).unwrap_or_default();
    Err(format!(
        "has the SHA-256 {digest}, which is not in trusted_digests{instead}: add the line \
         \"{digest}  {name}\" if you trust this file"
    ))
}

/// Those of the keys that made the signature.
fn signers_of(
    keys: &[PublicKey],
    name: &str,
    bytes: &[u8],
    signature: Option<&str>,
) -> Result<Vec<PublicKey>, String> {
    let name = line(name, TEXT_BYTES_MAX);
    let Some(text) = signature else {
        return Err(format!(
            "is not signed, and trusted_keys asks for a signature: put {name}.minisig beside it, \
             made by `minisign -Sm {name}` with a key of trusted_keys"
        ));
    };
    let Ok(signature) = Signature::decode(text) else {
        return Err(format!("has a {name}.minisig that is no signature of minisign"));
    };
    // The old kind signs the bytes themselves; minisign made it before 2019 and with -l.
    let (mut signers, mut errors) = (Vec::new(), Vec::new());
    for key in keys {
        match key.verify(bytes, &signature, false) {
            Ok(()) => signers.push(key.clone()),
            Err(error) => errors.push(error),
        }
    }
    if !signers.is_empty() {
        return Ok(signers);
    }
    let with = |error: fn(&Error) -> bool| errors.iter().any(error);
    Err(if with(|error| matches!(error, Error::InvalidSignature)) {
        format!("was changed after it was signed, or {name}.minisig is of another file")
    } else if with(|error| matches!(error, Error::UnexpectedAlgorithm)) {
        format!("has a {name}.minisig of the old kind: sign it again without -l")
    } else {
        "is signed with a key that is not in trusted_keys".to_owned()
    })
}

#[cfg(test)]
mod tests;
