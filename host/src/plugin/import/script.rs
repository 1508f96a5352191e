//! The network as a witness plays it, and the network as one watches it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::domain::Exchange;
use crate::plugin::call::Plugin;
use crate::plugin::witness::{Side, Witness, masked};

/// One exchange that is watched.
#[derive(Clone)]
pub(super) struct Watch {
    witness: Arc<Witness>,
    number: usize,
}

impl Watch {
    /// Notes a request that is about to be sent.
    pub(super) fn begin(witness: &Arc<Witness>, request: &Request<WasiBody>) -> Self {
        let url = request.uri().to_string();
        let number = witness.begin(request.method().as_str(), &url, headers(request.headers()));
        Self { witness: Arc::clone(witness), number }
    }

    /// Notes the head of its answer.
    pub(super) fn answered(&self, response: &Response<WasiBody>) {
        let headers = headers(response.headers());
        self.witness.head(self.number, Ok(response.status().as_u16()), headers);
    }

    /// Notes why there is no answer.
    pub(super) fn failed(&self, why: &Error) {
        self.witness.head(self.number, Err(word(why)), Vec::new());
    }

    /// The body, every part of which is noted on its way.
    pub(super) fn tap(&self, side: Side, body: WasiBody) -> WasiBody {
        Tap { body, watch: self.clone(), side }.boxed_unsync()
    }
}

/// What is told of headers; the length is that of the kept body.
fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    let told = map.iter().filter(|(name, _)| !matches!(name.as_str(), "content-length" | "host"));
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    told.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// What a script calls the error.
fn word(why: &Error) -> &'static str {
    match why {
        Error::ConnectionRefused => "connection-refused",
        Error::ConnectionTimeout => "connection-timeout",
        Error::DnsError { .. } => "dns-error",
        Error::ConnectionReadTimeout | Error::HttpResponseTimeout => "response-timeout",
        Error::TlsCertificateError => "tls-certificate-error",
        _ => "connection-terminated",
    }
}

fn error(word: &str) -> Error {
    match word {
        "connection-refused" => Error::ConnectionRefused,
        "connection-timeout" => Error::ConnectionTimeout,
        "dns-error" => Error::DnsError { rcode: None, info_code: None },
        "response-timeout" => Error::ConnectionReadTimeout,
        "tls-certificate-error" => Error::TlsCertificateError,
        _ => Error::ConnectionTerminated,
    }
}

/// Answers a request from the witness's script.
///
/// # Errors
/// Those that the script says; a request without an answer fails, and is noted.
pub(super) async fn play(
    plugin: &Plugin,
    witness: &Arc<Witness>,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    let watch = Watch::begin(witness, &request);
    let (method, url) = (request.method().as_str().to_owned(), request.uri().to_string());
    let max = usize::try_from(plugin.bounds.http_body_bytes_max).unwrap_or(usize::MAX);
    let asked = Limited::new(watch.tap(Side::Request, request.into_body()), max).collect().await;
    asked.map_err(|_| Error::HttpRequestBodySize(None))?;
    // A recording has no secrets, so that an address with one in it is looked for without it, too.
    let answer = witness.answer(&method, &url);
    let answer = answer.or_else(|| witness.answer(&method, &masked(&plugin.grants, &url)));
    let Some(Exchange { status, answer, .. }) = answer else {
        witness.miss(&method, &url);
        // Not as a refused one: a guest would say which grant is missing.
        let why = Error::InternalError(Some("the script has no answer to it".to_owned()));
        watch.failed(&why);
        return Err(why);
    };
    let status = match status {
        Ok(status) => status,
        Err(word) => {
            watch.failed(&error(&word));
            return Err(error(&word));
        }
    };
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::builder().status(status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let response = response.body(body).map_err(|_| Error::HttpProtocolError)?;
    watch.answered(&response);
    Ok(response.map(|body| watch.tap(Side::Answer, body)))
}

/// A body on its way past a witness.
struct Tap {
    body: WasiBody,
    watch: Watch,
    side: Side,
}

impl Body for Tap {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.watch.witness.body(self.watch.number, self.side, data);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::{error, word};

    #[test]
    fn an_error_that_was_recorded_is_played_again() {
        for known in [
            "connection-refused",
            "connection-timeout",
            "connection-terminated",
            "dns-error",
            "response-timeout",
            "tls-certificate-error",
        ] {
            assert_eq!(word(&error(known)), known);
        }
    }
}
