//! A prober that calls every function the contract lets a prober import. What is built of it for a released contract is
//! kept under `tests/contract/kept`, so it uses the contract alone.

#[cfg(target_family = "wasm")]
mod guest {
    #![allow(unsafe_code, missing_docs, clippy::pedantic, reason = "made by a macro")]

    wit_bindgen::generate!({
        path: "../../../wit/worker@0.1.0",
        world: "watcher",
        generate_all,
    });

    use exports::stokehold::worker::prober::{Guest, Probing, Subject};
    use stokehold::worker::types::{Failure, Grant, Limit};
    use stokehold::worker::{config, log};
    use wasi::http::outgoing_handler;
    use wasi::http::types::{Fields, OutgoingBody, OutgoingRequest, Scheme};

    struct Kept;

    impl Guest for Kept {
        fn describe() -> Probing {
            Probing {
                name: "kept_prober".to_owned(),
                kinds: vec!["kept".to_owned(), "other".to_owned()],
                limits: vec![Limit { name: "call-ms".to_owned(), value: 1000 }],
                grants: vec![Grant { kind: "config".to_owned(), value: "site".to_owned() }],
            }
        }

        fn probe(subject: Subject) -> Result<String, Failure> {
            log::write(log::Level::Info, "at work");
            match subject.name.as_str() {
                "fatal" => return Err(Failure::Fatal("for good".to_owned())),
                "retry" => return Err(Failure::Retry("for now".to_owned())),
                _ => {}
            }
            let site = config::get("site").ok_or(Failure::Fatal("no site".to_owned()))?;
            let status = fetch(&site).map_err(Failure::Retry)?;
            let of = format!("{}:{}", subject.of.resource_type, subject.of.resource_id);
            Ok(format!("{status} {} {of} {}", subject.kind, subject.properties))
        }
    }

    /// The status of a request to `http://host:port`.
    fn fetch(site: &str) -> Result<u16, String> {
        let authority = site.strip_prefix("http://").ok_or("no http")?;
        let request = OutgoingRequest::new(Fields::new());
        request.set_scheme(Some(&Scheme::Http)).map_err(|()| "scheme")?;
        request.set_authority(Some(authority)).map_err(|()| "authority")?;
        request.set_path_with_query(Some("/kept")).map_err(|()| "path")?;
        let body = request.body().map_err(|()| "body")?;
        let future = outgoing_handler::handle(request, None).map_err(|e| format!("{e:?}"))?;
        OutgoingBody::finish(body, None).map_err(|e| format!("{e:?}"))?;
        future.subscribe().block();
        let answered = future.get().and_then(Result::ok).ok_or("no answer")?;
        Ok(answered.map_err(|e| format!("{e:?}"))?.status())
    }

    export!(Kept);
}
