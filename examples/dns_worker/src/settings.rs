//! What the operator tells the handler.

use stokehold_sdk::{Failure, Outside, base_url};

/// The address of the server, without `/records`.
pub const URL: &str = "dns_url";
/// Milliseconds between two looks.
pub const POLL: &str = "dns_poll_ms";
/// Milliseconds after which a record that does not show is sent again.
pub const WAIT: &str = "dns_wait_ms_max";

const POLL_MS: u64 = 1_000;
const WAIT_MS_MAX: u64 = 60_000;
/// A look is never nearer to the one before.
const POLL_MS_MIN: u64 = 10;

/// The settings, read.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Without a slash at its end.
    pub url: String,
    /// See [`POLL`].
    pub poll_ms: u64,
    /// See [`WAIT`].
    pub wait_ms_max: u64,
}

/// Reads them; what is wrong is final and says how to set it.
pub fn read(host: &dyn Outside) -> Result<Settings, Failure> {
    let set = host.settings(&[URL, POLL, WAIT]);
    let url = set.get(URL).ok_or_else(|| {
        Failure::fatal(format!(
            "setting {URL} of dns_worker is missing (--config dns_worker.{URL}=… or config under \
             [plugins.dns_worker]): it is the address of the DNS server's API, as in \
             http://127.0.0.1:8053"
        ))
    })?;
    let ms = |key: &str, usual: u64| match set.get(key) {
        None => Ok(usual),
        Some(text) => text.parse().map_err(|_| {
            Failure::fatal(format!("setting {key} of dns_worker is no number of milliseconds"))
        }),
    };
    Ok(Settings {
        url: base_url("dns_worker", URL, url)?,
        poll_ms: ms(POLL, POLL_MS)?.max(POLL_MS_MIN),
        wait_ms_max: ms(WAIT, WAIT_MS_MAX)?,
    })
}
