//! What is said to a client: Heat's JSON bodies, its refusals, and the short notices that come in
//! the form the client accepts.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use serde_json::{Value as Json, json};

const MALFORMED: &str = "The server could not comply with the request since it is either \
                         malformed or otherwise incorrect.";

/// An answer before it is spelled for the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Empty,
    Json(Json),
    Text(String),
    Notice(Notice),
}

/// The body of an answer whose form (JSON, HTML, text) follows the `Accept` of the request.
#[derive(Debug, Clone)]
struct Notice {
    title: &'static str,
    html: String,
    text: String,
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: u16, body: Json) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    /// A body of any text; the caller names its content type with [`Answer::with`].
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Text(body.into()) }
    }

    /// No body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    /// 202 for an update.
    pub(crate) fn accepted() -> Self {
        Self::notice(
            202,
            "Accepted",
            "The request is accepted for processing.<br /><br />\n\n\n".into(),
            "The request is accepted for processing.\n\n   ".into(),
        )
    }

    /// 404 for a path that means nothing.
    pub(crate) fn no_such_path() -> Self {
        Self::notice(
            404,
            "Not Found",
            "The resource could not be found.<br /><br />\n\n\n".into(),
            "The resource could not be found.\n\n   ".into(),
        )
    }

    /// 302 to `url`.
    pub(crate) fn found(url: &str) -> Self {
        let html = format!(
            "The resource was found at <a href=\"{url}\">{url}</a>;\nyou should be redirected \
             automatically.\n\n"
        );
        let text =
            format!("The resource was found at {url}; you should be redirected automatically.  ");
        Self::notice(302, "Found", html, text).with(LOCATION.as_str(), url)
    }

    fn notice(status: u16, title: &'static str, html: String, text: String) -> Self {
        Self { status, headers: Vec::new(), body: Body::Notice(Notice { title, html, text }) }
    }

    /// The same answer with a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Spells the answer; `accept` is the request's header of that name.
    pub(crate) fn spell(self, accept: Option<&str>) -> Response<Full<Bytes>> {
        let (content_type, body) = match self.body {
            Body::Empty => (None, String::new()),
            Body::Json(body) => (Some("application/json"), body.to_string()),
            Body::Text(body) => (None, body),
            Body::Notice(notice) => notice.spell(self.status, accept),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = hyper::StatusCode::from_u16(self.status)
            .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(content_type) = content_type {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in &self.headers {
            // A header that HTTP cannot carry is left out: a fault may be given any text.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Notice {
    fn spell(self, status: u16, accept: Option<&str>) -> (Option<&'static str>, String) {
        let title = format!("{status} {}", self.title);
        let accept = accept.unwrap_or_default();
        if accept.contains("text/html") || accept.contains("*/*") {
            let body = format!(
                "<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  \
                 <h1>{title}</h1>\n  {}\n\n </body>\n</html>",
                self.html
            );
            (Some("text/html; charset=UTF-8"), body)
        } else if accept.contains("application/json") {
            let body = json!({"message": self.html, "code": title, "title": self.title});
            (Some("application/json"), body.to_string())
        } else {
            (Some("text/plain; charset=UTF-8"), format!("{title}\n\n{}", self.text))
        }
    }
}

/// A refusal in Heat's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    kind: String,
    message: Option<String>,
}

impl Refusal {
    /// 400 of a kind, the class name of Heat's exception.
    pub(crate) fn bad(kind: &str, message: impl Into<String>) -> Self {
        Self { status: 400, kind: kind.to_owned(), message: Some(message.into()) }
    }

    /// 400 `HTTPBadRequest`.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::bad("HTTPBadRequest", message)
    }

    /// 400 `StackValidationFailed`.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::bad("StackValidationFailed", message)
    }

    /// 400 for a request that Heat cannot make sense of at all.
    pub(crate) fn malformed() -> Self {
        Self::request(MALFORMED)
    }

    /// 400 of a kind for which Heat gives no message.
    pub(crate) fn wordless(kind: &str) -> Self {
        Self { status: 400, kind: kind.to_owned(), message: None }
    }

    /// 405.
    pub(crate) fn method() -> Self {
        Self {
            status: 405,
            kind: "HTTPMethodNotAllowed".into(),
            message: Some(MALFORMED.to_owned()),
        }
    }

    /// 404 for a stack, a resource or an output.
    pub(crate) fn missing(kind: &str, message: impl Into<String>) -> Self {
        Self { status: 404, kind: kind.to_owned(), message: Some(message.into()) }
    }

    /// 404 for a stack.
    pub(crate) fn no_stack(name: &str) -> Self {
        Self::missing("EntityNotFound", format!("The Stack ({name}) could not be found."))
    }

    /// 409.
    pub(crate) fn conflict(kind: &str, message: impl Into<String>) -> Self {
        Self { status: 409, kind: kind.to_owned(), message: Some(message.into()) }
    }

    /// The same refusal of another kind.
    pub(crate) fn of_kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let (title, explanation) = match refusal.status {
            404 => ("Not Found", "The resource could not be found."),
            405 => ("Method Not Allowed", MALFORMED),
            409 => ("Conflict", "There was a conflict when trying to complete your request."),
            _ => ("Bad Request", MALFORMED),
        };
        let mut error = json!({"type": refusal.kind, "traceback": null});
        if let (Some(message), Json::Object(error)) = (refusal.message, &mut error) {
            error.insert("message".into(), Json::String(message));
        }
        Self::json(
            refusal.status,
            json!({
                "code": refusal.status, "title": title, "explanation": explanation, "error": error,
            }),
        )
    }
}
