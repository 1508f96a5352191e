//! What is asked of Keystone's `/auth/tokens`, and what its answer says. Pure.

use std::collections::BTreeMap;

use http::HeaderValue;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::{Identity, Keystone, Scope};

/// Characters of an answer's message that are told.
const SHOWN_CHARS_MAX: usize = 300;

/// A token and what goes with it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Goes into `X-Auth-Token`; marked as sensitive.
    pub(super) header: HeaderValue,
    /// How long Keystone says it lives, by Keystone's own clock.
    pub(super) life_ms: u64,
    /// Service type → its address, without a final slash.
    pub(super) endpoints: BTreeMap<String, String>,
}

/// The body of the request. `project` is what the guest asks for.
pub(super) fn question(granted: &Keystone, project: &str) -> Json {
    let identity = match &granted.identity {
        Identity::Password { user, domain, password } => json!({
            "methods": ["password"],
            "password": {"user": {
                "name": user, "domain": {"name": domain}, "password": password.reveal(),
            }},
        }),
        Identity::ApplicationCredential { id, secret } => json!({
            "methods": ["application_credential"],
            "application_credential": {"id": id, "secret": secret.reveal()},
        }),
    };
    let scope = match &granted.scope {
        Scope::Tenant => json!({"project": {"id": project}}),
        Scope::Project { name, domain } => {
            json!({"project": {"name": name, "domain": {"name": domain}}})
        }
        // A credential knows its project and takes no other.
        Scope::Own => return json!({"auth": {"identity": identity}}),
    };
    json!({"auth": {"identity": identity, "scope": scope}})
}

/// What came of asking.
///
/// # Errors
/// Keystone's refusal or an answer that is none, in words without secrets.
pub(super) fn read(
    granted: &Keystone,
    status: u16,
    subject_token: Option<&HeaderValue>,
    body: &[u8],
) -> Result<Token, String> {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    if !matches!(status, 200 | 201) {
        // Only what is where Keystone's words are: something else may repeat the question.
        let said = body.pointer("/error/message").and_then(Json::as_str).unwrap_or_default();
        let said = granted.hide(said);
        let said: String = said.trim().chars().take(SHOWN_CHARS_MAX).collect();
        let mark = if said.is_empty() { "" } else { ": " };
        return Err(format!("Keystone answered {status}{mark}{said}"));
    }
    let mut header = subject_token.cloned().ok_or("the answer has no X-Subject-Token")?;
    header.set_sensitive(true);
    let token = body.get("token").ok_or("the answer describes no token")?;
    let moment = |key: &str| {
        let text = token.get(key).and_then(Json::as_str).unwrap_or_default();
        OffsetDateTime::parse(text, &Iso8601::DEFAULT)
            .map_err(|_| format!("the answer's {key} is no time"))
    };
    let life = moment("expires_at")? - moment("issued_at")?;
    let life_ms = u64::try_from(life.whole_milliseconds()).unwrap_or_default();
    Ok(Token { header, life_ms, endpoints: endpoints(granted, token) })
}

/// Of every service the first endpoint of the wanted region and interface.
fn endpoints(granted: &Keystone, token: &Json) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let catalog = token.get("catalog").and_then(Json::as_array);
    for service in catalog.into_iter().flatten() {
        let Some(kind) = service.get("type").and_then(Json::as_str) else { continue };
        let all = service.get("endpoints").and_then(Json::as_array);
        let url = all.into_iter().flatten().find_map(|endpoint| {
            let text = |key: &str| endpoint.get(key).and_then(Json::as_str);
            let region = text("region_id").or_else(|| text("region"));
            let fits = granted.region.as_deref().is_none_or(|wanted| region == Some(wanted));
            let fits = fits && text("interface") == Some(&granted.interface);
            text("url").filter(|_| fits)
        });
        if let Some(url) = url {
            let url = url.trim_end_matches('/').to_owned();
            found.entry(kind.to_owned()).or_insert(url);
        }
    }
    found
}
