//! One request over `wasi:http`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::http::not_granted;
use crate::{HttpError, Method, Request, Response};

/// What an output stream takes at once.
const WRITE_BYTES_MAX: usize = 4096;
/// What is asked of an input stream at once.
const READ_BYTES_MAX: u64 = 65_536;

/// Sends it. The plugin's name is asked for when the host denies the request.
pub(super) fn send(request: &Request, plugin: fn() -> String) -> Result<Response, HttpError> {
    let failed = |code: &ErrorCode| match code {
        ErrorCode::HttpRequestDenied => {
            let https = request.url.starts_with("https:");
            refused(&not_granted(&plugin(), authority(&request.url), https))
        }
        other => failed(other),
    };
    let (outgoing, options) = prepare(request)?;
    let body = outgoing.body().map_err(|()| refused("the request takes no body"))?;
    let future = outgoing_handler::handle(outgoing, Some(options)).map_err(|e| failed(&e))?;
    write(body, &request.body).map_err(|e| failed(&e))?;
    future.subscribe().block();
    // The outer layers say "not ready" and "taken already", neither of which can be after waiting
    // once.
    let answered = future.get().and_then(Result::ok);
    let incoming = answered.ok_or_else(|| trouble("no answer"))?.map_err(|e| failed(&e))?;
    read(&incoming, request.body_bytes_max)
}

fn prepare(request: &Request) -> Result<(OutgoingRequest, RequestOptions), HttpError> {
    let url = &request.url;
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(refused(&format!("{url} is no http or https address"))),
    };
    let authority = authority(url);
    let path = rest.strip_prefix(authority).unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };

    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .chain([("content-length".to_owned(), request.body.len().to_string().into_bytes())])
        .collect();
    let headers =
        Fields::from_list(&headers).map_err(|e| refused(&format!("a header is wrong: {e:?}")))?;
    let outgoing = OutgoingRequest::new(headers);
    let set = outgoing
        .set_method(&method(request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&path)));
    set.map_err(|()| refused(&format!("{url} is no http or https address")))?;

    let options = RequestOptions::new();
    let timeout = Some(request.timeout_ms.saturating_mul(1_000_000));
    // A host that cannot bound one of these says so; its own bound of the whole call holds then.
    let _ = options.set_connect_timeout(timeout);
    let _ = options.set_first_byte_timeout(timeout);
    let _ = options.set_between_bytes_timeout(timeout);
    Ok((outgoing, options))
}

/// `127.0.0.1:8004` of `http://127.0.0.1:8004/v1`.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn method(method: Method) -> WasiMethod {
    match method {
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), ErrorCode> {
    if !bytes.is_empty() {
        let stream = body.write().map_err(|()| no_body())?;
        for piece in bytes.chunks(WRITE_BYTES_MAX) {
            // A server may answer and hang up before it has read all: its answer tells more than
            // this error.
            if stream.blocking_write_and_flush(piece).is_err() {
                return Ok(());
            }
        }
    }
    OutgoingBody::finish(body, None)
}

fn no_body() -> ErrorCode {
    ErrorCode::InternalError(Some("the request takes no body".to_owned()))
}

fn read(incoming: &IncomingResponse, body_bytes_max: usize) -> Result<Response, HttpError> {
    let status = incoming.status();
    let headers = incoming
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let body = incoming.consume().map_err(|()| trouble("the answer has no body"))?;
    let stream = body.stream().map_err(|()| trouble("the answer has no body"))?;
    let bytes = read_all(&stream, body_bytes_max)?;
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok(Response { status, headers, body: bytes })
}

fn read_all(stream: &InputStream, body_bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(e)) => return Err(trouble(&e.to_debug_string())),
        }
        if all.len() > body_bytes_max {
            return Err(HttpError::TooLarge { body_bytes_max });
        }
    }
}

fn refused(why: &str) -> HttpError {
    HttpError::Refused(why.to_owned())
}

fn trouble(why: &str) -> HttpError {
    HttpError::Trouble(why.to_owned())
}

/// Which error codes no other try can mend, and the words for those an operator meets.
fn failed(code: &ErrorCode) -> HttpError {
    match code {
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestUriInvalid => {
            refused(&format!("{code:?}"))
        }
        ErrorCode::ConnectionRefused => trouble("connection refused"),
        ErrorCode::ConnectionTimeout => trouble("no connection in time"),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => {
            trouble("no answer in time")
        }
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            trouble("the connection broke off")
        }
        ErrorCode::TlsCertificateError => trouble("its certificate is not trusted"),
        // The host's own words.
        ErrorCode::InternalError(Some(why)) => trouble(why),
        other => trouble(&format!("{other:?}")),
    }
}
