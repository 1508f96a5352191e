//! Requests and their answers.

use std::fmt;

use crate::{Failure, Json};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
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
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

/// One request.
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

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &Json) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
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
mod tests {
    use super::*;

    #[test]
    fn a_segment_holds_nothing_that_a_path_gives_a_meaning() {
        assert_eq!(path_segment("port_a-1.b~:c"), "port_a-1.b~:c");
        assert_eq!(path_segment("a b/c?d:e%ż"), "a%20b%2Fc%3Fd:e%25%C5%BC");
        assert_eq!(path_segment("."), "%2E");
        assert_eq!(path_segment(".."), "%2E%2E");
        assert_eq!(path_segment("..."), "...");
    }

    #[test]
    fn an_address_with_a_user_is_refused_and_not_quoted() {
        assert_eq!(base_url("p", "url", "http://a:1/v1//"), Ok("http://a:1/v1".to_owned()));
        for url in ["http://me:hidden@a:1", "me:hidden@a", "http://me:hid/den@a"] {
            let failure = base_url("p", "url", url).unwrap_err();
            let words = "setting url of p holds an @: it wants an address without user and \
                         password, as in http://127.0.0.1:8004";
            assert_eq!(failure, Failure::fatal(words));
        }
    }

    #[test]
    fn a_host_that_is_not_granted_is_named_with_its_port_and_the_setting() {
        let cases = [
            ("127.0.0.1:18004", false, "127.0.0.1:18004"),
            ("heat", false, "heat:80"),
            ("heat", true, "heat:443"),
            ("[::1]", true, "[::1]:443"),
            ("[::1]:5", false, "[::1]:5"),
            ("me:hidden@heat", false, "heat:80"),
        ];
        for (authority, https, named) in cases {
            let words = format!(
                "{named} is not granted: add it to http under [plugins.heat_worker] in \
                 stokehold.toml, or --grant-http heat_worker={named}"
            );
            assert_eq!(not_granted("heat_worker", authority, https), words);
        }
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let headers = vec![("LOCATION".to_owned(), "x".to_owned())];
        let response = Response { status: 302, headers, body: Vec::new() };
        assert_eq!(response.header("location"), Some("x"));
        assert_eq!(response.header("other"), None);
    }

    #[test]
    fn only_trouble_on_the_way_is_worth_another_try() {
        let trouble = HttpError::Trouble("connection refused".to_owned());
        assert_eq!(Failure::from(trouble), Failure::retry("connection refused"));
        let refused = HttpError::Refused("not granted".to_owned());
        assert_eq!(Failure::from(refused), Failure::fatal("not granted"));
        let large = HttpError::TooLarge { body_bytes_max: 5 };
        assert_eq!(Failure::from(large), Failure::fatal("the answer has more than 5 bytes"));
    }
}
