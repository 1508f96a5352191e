//! A handler that fetches what its input tells it to: `{"url", "times", "method", "body", "first_byte_ms",
//! "between_bytes_ms", "connect_ms", "together", "header_bytes", "stubborn", "headers", "scan", "follow"}`. It reports
//! the last status, headers and body, or the first error; with `scan` also how often those two texts stand side by side
//! in its memory; with `follow` it goes where a redirect leads, once.

#[cfg(target_family = "wasm")]
mod guest {
    #![allow(unsafe_code, missing_docs, clippy::pedantic, reason = "made by a macro")]
    #![allow(
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a guest of the tests may trap"
    )]

    wit_bindgen::generate!({
        path: "../../../wit/worker@0.1.0",
        world: "worker",
        generate_all,
    });

    use exports::stokehold::worker::handler::{Description, Guest, Job, Verdict};
    use serde_json::Value;
    use stokehold::worker::state;
    use stokehold::worker::types::{Failure, Grant, UpdateStyle};
    use wasi::http::outgoing_handler::handle;
    use wasi::http::types::{
        Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
        RequestOptions, Scheme,
    };
    use wasi::io::streams::StreamError;

    struct Fetch;

    impl Guest for Fetch {
        fn describe() -> Description {
            let grant =
                |kind: &str, value: &str| Grant { kind: kind.to_owned(), value: value.to_owned() };
            Description {
                name: "guest_http".to_owned(),
                after: vec!["guest_acts".to_owned()],
                update: UpdateStyle::Recreate,
                limits: Vec::new(),
                grants: vec![
                    grant("http", "never.granted:1"),
                    grant("http", "config:url"),
                    grant("config", "url"),
                ],
            }
        }

        fn handle(job: Job, _checkpoint: Option<String>) -> Verdict {
            let input: Value = serde_json::from_str(&job.resource_input).unwrap();
            let all: Vec<_> =
                (0..input["together"].as_u64().unwrap_or(0)).map(|_| start(&input)).collect();
            for one in all {
                if let Err(why) = one.and_then(finish) {
                    return Verdict::Failed(Failure::Retry(why));
                }
            }
            let outcome = fetch_all(&input);
            if let [Some(one), Some(two)] = [0, 1].map(|nth| input["scan"][nth].as_str()) {
                state::report("found", &scan(one.as_bytes(), two.as_bytes()).to_string());
            }
            match outcome {
                Ok(()) => Verdict::Completed,
                Err(why) => Verdict::Failed(Failure::Retry(why)),
            }
        }
    }

    fn fetch_all(input: &Value) -> Result<(), String> {
        for _ in 0..input["times"].as_u64().unwrap_or(1) {
            match fetch(input) {
                Ok((status, headers, body)) => {
                    let location = headers.iter().find(|(name, _)| name == "location");
                    if let (Some((_, to)), true) = (location, input["follow"] == true) {
                        let mut next = input.clone();
                        next["url"] = to.as_str().into();
                        next["follow"] = false.into();
                        return fetch_all(&next);
                    }
                    let body = String::from_utf8_lossy(&body).into_owned();
                    state::report("status", &status.to_string());
                    let headers: serde_json::Map<_, _> =
                        headers.into_iter().map(|(k, v)| (k, Value::from(v))).collect();
                    state::report("headers", &Value::from(headers).to_string());
                    state::report("body", &Value::from(body).to_string());
                }
                Err(_) if input["stubborn"] == true => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// How often `one` is followed by `two` in all of this guest's memory.
    fn scan(one: &[u8], two: &[u8]) -> usize {
        let bytes = core::arch::wasm32::memory_size(0) * 65536;
        // Nothing else runs meanwhile, and all of it can be read; only address 0 is none for Rust.
        let memory = unsafe {
            core::slice::from_raw_parts(core::ptr::with_exposed_provenance(1), bytes - 1)
        };
        let found = memory.windows(one.len() + two.len());
        found.filter(|part| part.starts_with(one) && part.ends_with(two)).count()
    }

    type Fetched = (u16, Vec<(String, String)>, Vec<u8>);

    fn fetch(input: &Value) -> Result<Fetched, String> {
        finish(start(input)?)
    }

    fn start(input: &Value) -> Result<FutureIncomingResponse, String> {
        let url = input["url"].as_str().unwrap();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
        let fields = Fields::new();
        if let Some(bytes) = input["header_bytes"].as_u64() {
            let value = vec![b'x'; bytes as usize];
            fields.append("x-long", &value).map_err(|why| format!("{why:?}"))?;
        }
        for (name, value) in input["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().as_bytes();
            fields.append(name, value).map_err(|why| format!("{why:?}"))?;
        }
        let request = OutgoingRequest::new(fields);
        request.set_scheme(Some(&scheme)).unwrap();
        request.set_authority(Some(authority)).unwrap();
        request.set_path_with_query(Some(path)).unwrap();
        if let Some(method) = input["method"].as_str() {
            request.set_method(&Method::Other(method.to_owned())).unwrap();
        }
        let options = RequestOptions::new();
        let ns = |name: &str| input[name].as_u64().map(|ms| ms * 1_000_000);
        options.set_connect_timeout(ns("connect_ms")).unwrap();
        options.set_first_byte_timeout(ns("first_byte_ms")).unwrap();
        options.set_between_bytes_timeout(ns("between_bytes_ms")).unwrap();
        let body = request.body().unwrap();
        let future = handle(request, Some(options)).map_err(|why| format!("{why:?}"))?;
        if let Some(text) = input["body"].as_str() {
            let stream = body.write().unwrap();
            for chunk in text.as_bytes().chunks(4096) {
                stream.blocking_write_and_flush(chunk).map_err(|why| format!("{why:?}"))?;
            }
        }
        OutgoingBody::finish(body, None).map_err(|why| format!("{why:?}"))?;
        Ok(future)
    }

    fn finish(future: FutureIncomingResponse) -> Result<Fetched, String> {
        future.subscribe().block();
        let response = future.get().unwrap().unwrap().map_err(|why| format!("{why:?}"))?;
        let status = response.status();
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        let headers = response.headers().entries().into_iter();
        let headers = headers.map(|(name, value)| (name, text(value))).collect();
        let body = response.consume().unwrap();
        let stream = body.stream().unwrap();
        let mut bytes = Vec::new();
        loop {
            match stream.blocking_read(65536) {
                Ok(chunk) => bytes.extend(chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(why)) => {
                    return Err(why.to_debug_string());
                }
            }
        }
        drop(stream);
        drop(IncomingBody::finish(body));
        Ok((status, headers, bytes))
    }

    export!(Fetch);
}
