//! A request as it came in.

use bytes::Bytes;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// A request, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The path as it was sent, with the query.
    pub(crate) target: String,
    /// The segments of the path, decoded before it was cut, as Heat's server does.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    /// `v1` as it was spelled in the path.
    pub(crate) version: String,
    /// `http://host:port` as the client knows it.
    pub(crate) origin: String,
    pub(crate) accept: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(parts: &Parts, body: Bytes, address: &str) -> Self {
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let decoded = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
        let path: Vec<String> =
            decoded.strip_prefix('/').unwrap_or(&decoded).split('/').map(str::to_owned).collect();
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            version: path.first().cloned().unwrap_or_default(),
            path,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            origin: format!("http://{}", header("host").as_deref().unwrap_or(address)),
            accept: header("accept"),
            token: header("x-auth-token"),
            body,
        }
    }

    /// The value of a query parameter.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The name of the stack that the request is about, if it says one.
    pub(crate) fn stack(&self) -> Option<String> {
        match self.path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [_, _, "stacks", name, ..] => Some((*name).to_owned()),
            [_, _, "stacks"] => {
                self.json().get("stack_name").and_then(Json::as_str).map(str::to_owned)
            }
            _ => None,
        }
    }
}
