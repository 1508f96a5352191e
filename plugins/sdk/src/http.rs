//! Requests and their answers.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::{Failure, Json};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read, without the body.
    Head,
    /// Make.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

/// One request.
///
/// ```
/// use stokehold_sdk::{Failure, Json, Outside, Request, json};
///
/// /// The id the server gave the new record.
/// fn create(host: &dyn Outside, url: &str) -> Result<String, Failure> {
///     let request = Request::post(url).json(&json!({"name": "www"})).timeout_ms(5_000);
///     let response = host.http(&request)?.success(&request)?;
///     let record: Json = response.read(&request)?;
///     Ok(record["id"].to_string())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// Milliseconds for connecting, for the first byte of the answer, and between two of its bytes.
    pub timeout_ms: u64,
    /// Bytes of the answer's body that are read; more is an error.
    pub body_bytes_max: usize,
}

impl Request {
    /// Without headers and body, with 20 seconds and 8 MiB.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: 20_000,
            body_bytes_max: 8 << 20,
        }
    }

    /// Reads.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Makes.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// Replaces.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::Put, url)
    }

    /// Removes.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url)
    }

    /// Sets the milliseconds for connecting, for the first byte of the answer, and between two of
    /// its bytes. The call as a whole has a bound of its own, the host's `call_ms_max`.
    #[must_use]
    pub fn timeout_ms(mut self, ms: u64) -> Self {
        self.timeout_ms = ms;
        self
    }

    /// Adds `name=value` to the address' query, both percent-encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let mark = if self.url.contains('?') { '&' } else { '?' };
        self.url = format!("{}{mark}{}={}", self.url, path_segment(name), path_segment(value));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, body: &Json) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a body and its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// The address without what may be secret in it: query and user.
    fn place(&self) -> String {
        let plain = self.url.split(['?', '#']).next().unwrap_or_default();
        match plain.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host = authority.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}{path}")
            }
            None => plain.to_owned(),
        }
    }
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON, `None` if it is none.
    pub fn json(&self) -> Option<Json> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text; what is not UTF-8 shows as U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Itself if the status is one of 200 to 299, [`Response::failure`] otherwise.
    pub fn success(self, to: &Request) -> Result<Self, Failure> {
        if self.is_success() { Ok(self) } else { Err(self.failure(to)) }
    }

    /// What this status means for a job that cannot go on with it: another try may help where the
    /// server says so (408, 425, 429) or has trouble of its own (500 and more, but not 501 and
    /// 505); otherwise the same request will get the same answer. The words name request and status
    /// and leave out the body and the query.
    pub fn failure(&self, to: &Request) -> Failure {
        let words = format!("{} {} answered {}", to.method, to.place(), self.status);
        match self.status {
            408 | 425 | 429 | 500 | 502..=504 | 506.. => Failure::Retry(words),
            _ => Failure::Fatal(words),
        }
    }

    /// The JSON body as `T`. That it is none, or another, is worth a try: what stands between may
    /// have answered in the server's place.
    pub fn read<T: DeserializeOwned>(&self, to: &Request) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|why| {
            // The reader quotes values, and an answer may hold secrets: kind and place will do.
            let (kind, line) = (why.classify(), why.line());
            let kind = match kind {
                serde_json::error::Category::Data => "is not as expected",
                _ => "is no JSON",
            };
            Failure::retry(format!("{} {}: the answer {kind} (line {line})", to.method, to.place()))
        })
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The host does not let the plugin ask there, or the request is none: another try is of no
    /// use.
    Refused(String),
    /// No connection, no answer in time, an answer broken off: the request may or may not have had
    /// an effect.
    Trouble(String),
    /// The answer's body has more bytes than the request allows.
    TooLarge {
        /// What it allows.
        body_bytes_max: usize,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Trouble(why) => f.write_str(why),
            Self::TooLarge { body_bytes_max } => {
                write!(f, "the answer has more than {body_bytes_max} bytes")
            }
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Trouble(_) => Self::Retry(error.to_string()),
            HttpError::Refused(_) | HttpError::TooLarge { .. } => Self::Fatal(error.to_string()),
        }
    }
}

/// A text as one segment of a path: all but letters, digits and `-._~:` is percent-encoded, and so
/// are the dots of `.` and `..`, which would lead elsewhere.
pub fn path_segment(text: &str) -> String {
    use fmt::Write as _;

    if matches!(text, "." | "..") {
        return text.replace('.', "%2E");
    }

    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The address in a setting of a plugin, without final slashes. One with a user in it is refused,
/// and not quoted: it may hold a password.
pub fn base_url(plugin: &str, setting: &str, url: &str) -> Result<String, Failure> {
    if url.contains('@') {
        return Err(Failure::fatal(format!(
            "setting {setting} of {plugin} holds an @: it wants an address without user and \
             password, as in http://127.0.0.1:8004"
        )));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// What a plugin hears that asked a host it was not granted.
#[cfg(any(test, target_family = "wasm"))]
pub(crate) fn not_granted(plugin: &str, authority: &str, https: bool) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    let port = match (has_port, https) {
        (true, _) => "",
        (false, true) => ":443",
        (false, false) => ":80",
    };
    format!(
        "{host}{port} is not granted: add it to http under [plugins.{plugin}] in stokehold.toml, \
         or --grant-http {plugin}={host}{port}"
    )
}

#[cfg(test)]
mod tests;
