#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use minisign::KeyPair;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn lists(digests: &str) -> Rules {
    let settings = TrustSettings { digests: Some(digests.to_owned()), keys: None };
    Rules::read(&settings).unwrap()
}

fn with_file(digests: &str) -> Rules {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sums");
    fs::write(&file, digests).unwrap();
    lists(&file.display().to_string())
}

fn signed_by(pair: &KeyPair) -> Rules {
    let settings = TrustSettings { digests: None, keys: Some(pair.pk.to_base64()) };
    Rules::read(&settings).unwrap()
}

fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(Some(&pair.pk), &pair.sk, Cursor::new(bytes), None, None).unwrap().to_string()
}

fn pair() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

#[test]
fn where_nothing_is_asked_everything_is_admitted() {
    let trust = admit(&Rules::default(), "a.wasm", b"x", A, None).unwrap();
    assert_eq!(trust, Trust::default());
    assert_eq!(trust.to_string(), "nothing is asked of its origin");
}

#[test]
fn only_listed_digests_are_admitted() {
    let rules = lists(&format!("{A}, {}", B.to_uppercase()));
    for digest in [A, B] {
        let trust = admit(&rules, "a.wasm", b"", digest, None).unwrap();
        assert_eq!(trust.to_string(), "its digest is listed");
    }
    let other = A.replace('a', "c");
    let why = admit(&rules, "a.wasm", b"", &other, None).unwrap_err();
    assert!(why.starts_with(&format!("has the SHA-256 {other}, which is not in trusted_digests")));
    assert!(why.ends_with(&format!("add the line \"{other}  a.wasm\" if you trust this file")));
}

#[test]
fn a_list_of_sha256sum_binds_digests_to_names() {
    let rules = with_file(&format!("# ours\n\n{A}  handlers/a.wasm\n{B} *b.wasm\n"));
    assert!(admit(&rules, "a.wasm", b"", A, None).is_ok());
    assert!(admit(&rules, "b.wasm", b"", B, None).is_ok());
    let why = admit(&rules, "b.wasm", b"", A, None).unwrap_err();
    assert_eq!(why, "has a digest that trusted_digests lists for a.wasm, not for b.wasm");
    let other = A.replace('a', "c");
    let why = admit(&rules, "a.wasm", b"", &other, None).unwrap_err();
    assert!(why.contains(&format!("which lists {A} for it")), "{why}");
}

#[test]
fn an_empty_list_admits_nothing() {
    assert!(admit(&with_file(""), "a.wasm", b"", A, None).is_err());
}

#[test]
fn only_a_good_signature_of_a_known_key_is_admitted() {
    let (ours, theirs) = (pair(), pair());
    let rules = signed_by(&ours);
    let good = sign(&ours, b"code");
    let trust = admit(&rules, "a.wasm", b"code", A, Some(&good)).unwrap();
    assert_eq!(trust.to_string(), "its signature is good");
    let refused = |bytes: &[u8], signature: Option<&str>| {
        admit(&rules, "a.wasm", bytes, A, signature).unwrap_err()
    };
    assert_eq!(
        refused(b"code", None),
        "is not signed, and trusted_keys asks for a signature: put a.wasm.minisig beside it, made by \
         `minisign -Sm a.wasm` with a key of trusted_keys"
    );
    assert_eq!(
        refused(b"c0de", Some(&good)),
        "was changed after it was signed, or a.wasm.minisig is of another file"
    );
    assert_eq!(
        refused(b"code", Some(&sign(&theirs, b"code"))),
        "is signed with a key that is not in trusted_keys"
    );
    assert_eq!(
        refused(b"code", Some("nonsense")),
        "has a a.wasm.minisig that is no signature of minisign"
    );
}

#[test]
fn every_rule_that_there_is_must_be_met() {
    let ours = pair();
    let rules = Rules { digests: lists(A).digests, ..signed_by(&ours) };
    let good = sign(&ours, b"code");
    let trust = admit(&rules, "a.wasm", b"code", A, Some(&good)).unwrap();
    assert_eq!(trust.to_string(), "its digest is listed and its signature is good");
    assert!(admit(&rules, "a.wasm", b"code", B, Some(&good)).is_err());
    assert!(admit(&rules, "a.wasm", b"code", A, None).is_err());
}

#[test]
fn what_cannot_be_read_trusts_nothing_and_is_named() {
    let read = |digests: Option<&str>, keys: Option<&str>| {
        let settings =
            TrustSettings { digests: digests.map(Into::into), keys: keys.map(Into::into) };
        Rules::read(&settings).unwrap_err()
    };
    assert!(read(Some("/none/sums"), None).starts_with("cannot read /none/sums: "));
    assert!(read(None, Some("RWnokey")).starts_with("cannot read RWnokey: "));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    fs::write(&file, format!("{A}  a.wasm\nabc  b.wasm\n")).unwrap();
    let name = file.display().to_string();
    assert!(read(Some(&name), None).contains("line 2 has no SHA-256 of 64 hex digits"));
    assert!(read(None, Some(&name)).ends_with("it is no public key of minisign"));
}

#[test]
fn the_signature_lies_beside_the_file_and_keys_may_lie_in_files() {
    let (ours, dir) = (pair(), tempfile::tempdir().unwrap());
    let (file, key) = (dir.path().join("a.wasm"), dir.path().join("minisign.pub"));
    fs::write(&key, ours.pk.to_box().unwrap().to_string()).unwrap();
    let settings = TrustSettings { digests: None, keys: Some(key.display().to_string()) };
    assert!(check(&settings, &file, b"code", A).unwrap_err().starts_with("is not signed"));
    fs::write(dir.path().join("a.wasm.minisig"), sign(&ours, b"code")).unwrap();
    let (trust, signers) = check(&settings, &file, b"code", A).unwrap();
    assert_eq!(trust, Trust { is_listed: false, is_signed: true });
    assert_eq!(signers.len(), 1);
}
