//! Where the resource types come from: a file, or the API server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::{HeaderMap, HeaderValue};
use tracing::{info, warn};

use super::patience::until_answered;
use crate::domain::Schemas;
use crate::http_client::HttpClient;
use crate::store::{Outcome, Store, Txn, Write};
use crate::wire;

/// How long one question may take.
const ANSWER_SECONDS_MAX: u64 = 30;
/// How large the answer may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file with the API server's own JSON.
    File(std::path::PathBuf),
    /// The whole address: `http://gohan:9091/gohan/v0.1/schemas`.
    Url {
        /// The address.
        url: String,
        /// Sent as `X-Auth-Token`; empty sends none.
        token: String,
    },
}

/// Schemas, and what cannot be used of them.
type Read = (Schemas, Vec<String>);

/// Gets the schemas. A server that does not answer, or not with schemas, is asked again without
/// end; a file that cannot be read is an error at once.
pub async fn get(source: &Source) -> Result<(Arc<Schemas>, Vec<u8>)> {
    let (text, (schemas, complaints)) = match source {
        Source::File(path) => {
            let text = tokio::fs::read(path).await;
            let text =
                text.with_context(|| format!("cannot read schemas from {}", path.display()))?;
            let read = wire::schemas::read(&text).context("cannot read schemas")?;
            (text, read)
        }
        Source::Url { url, token } => ask_until_answered(url, token).await?,
    };
    for complaint in complaints {
        warn!("schema is not used as it is: {complaint}");
    }
    info!(kinds = schemas.iter().count(), "schemas are known");
    Ok((Arc::new(schemas), text))
}

/// Leaves the schemas in the store, for those who have only the store.
pub async fn publish(store: &dyn Store, text: &[u8]) -> Result<()> {
    let key = wire::key::SCHEMAS.to_owned();
    let present = store.get(&key).await.context("cannot read the store")?;
    if present.is_some_and(|kv| kv.value == text) {
        return Ok(());
    }
    let write = Write::Put { key, value: text.to_vec(), lease: None };
    let txn = Txn { compares: Vec::new(), writes: vec![write] };
    match store.commit(txn).await.context("cannot leave the schemas in the store")? {
        Outcome::Committed(_) => Ok(()),
        Outcome::Conflict(_) => bail!("cannot leave the schemas in the store"),
    }
}

/// The schemas that an earlier host left in the store.
pub async fn published(store: &dyn Store) -> Result<Option<Arc<Schemas>>> {
    let Some(found) = store.get(wire::key::SCHEMAS).await.context("cannot read the store")? else {
        return Ok(None);
    };
    let (schemas, _) =
        wire::schemas::read(&found.value).context("cannot read the stored schemas")?;
    info!(kinds = schemas.iter().count(), "schemas are those of an earlier run");
    Ok(Some(Arc::new(schemas)))
}

async fn ask_until_answered(url: &str, token: &str) -> Result<(Vec<u8>, Read)> {
    let client = HttpClient::new()?;
    // What stands before a server, or one that is being started, may answer well with something else.
    until_answered(
        |_| true,
        async || {
            let answer = ask(&client, url, token).await;
            let read = answer.and_then(|text| wire::schemas::read(&text).map(|read| (text, read)));
            read.with_context(|| format!("cannot get schemas from {url}"))
        },
    )
    .await
}

/// Asks the API server once.
///
/// # Errors
/// No answer, or one that is no success.
pub async fn ask(client: &HttpClient, url: &str, token: &str) -> Result<Vec<u8>> {
    let mut headers = HeaderMap::new();
    if !token.is_empty() {
        let mut token = HeaderValue::from_str(token).context("the token is no header value")?;
        token.set_sensitive(true);
        headers.insert("x-auth-token", token);
    }
    let timeout = Duration::from_secs(ANSWER_SECONDS_MAX);
    let (status, body) = client.get(url, &headers, timeout, ANSWER_BYTES_MAX).await?;
    if !status.is_success() {
        bail!("it answered {status}");
    }
    Ok(body.to_vec())
}
