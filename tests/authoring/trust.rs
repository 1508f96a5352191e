//! Only trusted files are loaded, and nothing of any other is compiled.

use anyhow::{Result, ensure};
use stokehold::plugin::{Engine, EngineSettings, PluginSettings, TrustSettings, load};

use super::Bench;
use crate::sandbox::component::Wat;

#[tokio::test]
async fn an_untrusted_file_is_refused_before_it_is_compiled() -> Result<()> {
    let bench = Bench::new()?;
    bench.file("plain.wasm", Wat::default().worker())?;
    let engine = Engine::new(&EngineSettings { instances_max: 2, ..EngineSettings::default() })?;
    let trusting = async |digests: String| {
        let trust = TrustSettings { digests: Some(digests), keys: None };
        let settings = PluginSettings { trust, ..PluginSettings::default() };
        load(&engine, bench.path(), &settings).await
    };
    let loaded = trusting("a".repeat(64)).await;
    let reason = loaded.faults.first().map(|fault| fault.reason.clone()).unwrap_or_default();
    ensure!(reason.contains("which is not in trusted_digests: add the line"), "{reason}");
    ensure!(loaded.workers.is_empty() && engine.compilations() == 0, "it was compiled");
    // The reason says what to add.
    let digest: String = reason.chars().skip("has the SHA-256 ".len()).take(64).collect();
    let loaded = trusting(digest).await;
    ensure!(loaded.faults.is_empty() && loaded.workers.len() == 1, "{:?}", loaded.faults);
    Ok(())
}

#[test]
fn a_check_says_whether_the_operator_trusts_the_file() -> Result<()> {
    let bench = Bench::new()?;
    bench.file("plain.wasm", Wat::default().worker())?;
    let check = ["plugin", "check", "plain.wasm", "--trusted-digests"];
    let other = "b".repeat(64);
    let said = bench.stokehold(&[&check[..], &[&other]].concat())?;
    let said = said.with(1, &["fails  origin    has the SHA-256 "])?;
    let digest = said.out.split("has the SHA-256 ").nth(1).and_then(|rest| rest.get(..64));
    bench.file("sums", format!("{}  plain.wasm\n", digest.unwrap_or_default()))?;
    let good = bench.stokehold(&[&check[..], &["sums"]].concat())?;
    good.with(0, &["ok     origin    its digest is listed"])?;
    let key = minisign::KeyPair::generate_unencrypted_keypair()?.pk.to_base64();
    let unsigned = bench.stokehold(&["plugin", "check", "plain.wasm", "--trusted-keys", &key])?;
    unsigned.with(1, &["fails  origin    is not signed, and trusted_keys asks for a signature"])?;
    Ok(())
}
