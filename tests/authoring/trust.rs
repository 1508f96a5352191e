//! Only trusted files are loaded, and nothing of any other is compiled.

use anyhow::{Result, ensure};
use stokehold::plugin::{
    Engine, EngineSettings, Loader, PluginSettings, TrustSettings, inspect, load,
};

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

#[tokio::test]
async fn a_version_that_is_trusted_no_more_is_no_way_back() -> Result<()> {
    let bench = Bench::new()?;
    let bytes = Wat::default().worker();
    let file = bench.file("plain.wasm", &bytes)?;
    let digest = inspect(&bytes).map_err(anyhow::Error::msg)?.digest;
    let other = "b".repeat(64);
    let sums = bench.file("sums", &digest)?;
    let [pair, next] = [(), ()].map(|()| minisign::KeyPair::generate_unencrypted_keypair());
    let (pair, next) = (pair?, next?);
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, &bytes[..], None, None)?;
    bench.file("plain.wasm.minisig", signature.to_string())?;
    // With its comment and without, it is the same key.
    let keys = bench.file("keys", pair.pk.to_base64())?;
    let trust = TrustSettings {
        digests: Some(sums.display().to_string()),
        keys: Some(keys.display().to_string()),
    };
    let settings = PluginSettings { trust, ..PluginSettings::default() };
    let engine = Engine::new(&EngineSettings { instances_max: 2, ..EngineSettings::default() })?;
    let loader = Loader::new(&engine, bench.path(), &settings);
    let again = async |found| loader.granted_anew(&file, found).await.err().unwrap_or_default();
    let found = loader.load(&file).await.map_err(anyhow::Error::msg)?;
    // Another version lies in its place, and a signature of that one.
    bench.file("plain.wasm", Wat { parts: "(func)", ..Wat::default() }.worker())?;
    bench.file("plain.wasm.minisig", "another")?;
    bench.file("sums", format!("{other}\n{digest}\n"))?;
    bench.file("keys", pair.pk.to_box()?.to_string())?;
    ensure!(again(&found).await.is_empty(), "{}", again(&found).await);
    bench.file("sums", &other)?;
    let why = again(&found).await;
    ensure!(why.contains(&format!("has the SHA-256 {digest}, which is not in")), "{why}");
    bench.file("sums", &digest)?;
    bench.file("keys", next.pk.to_base64())?;
    let why = again(&found).await;
    ensure!(why == "was signed with a key that is not in trusted_keys any more", "{why}");
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
