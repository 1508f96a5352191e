//! A handler that calls every function the contract lets a handler import, once or more, and reports what each said.
//! What is built of it for a released contract is kept under `tests/contract/kept`, so it uses the contract alone: no
//! SDK, no JSON library.

#[cfg(target_family = "wasm")]
mod guest {
    #![allow(unsafe_code, missing_docs, clippy::pedantic, reason = "made by a macro")]

    wit_bindgen::generate!({
        path: "../../../wit/worker@0.1.0",
        world: "worker",
        generate_all,
    });

    use exports::stokehold::worker::handler::{Description, Guest, Job, Verdict};
    use stokehold::worker::types::{
        Action, Failure, Grant, Limit, Pending, ResourceRef, UpdateStyle,
    };
    use stokehold::worker::{config, log, monitor, params, stack_output, state};
    use wasi::http::outgoing_handler;
    use wasi::http::types::{Fields, IncomingBody, OutgoingBody, OutgoingRequest, Scheme};

    struct Kept;

    impl Guest for Kept {
        fn describe() -> Description {
            Description {
                name: "kept_worker".to_owned(),
                after: vec!["heat_worker".to_owned()],
                update: UpdateStyle::Recreate,
                limits: vec![Limit { name: "call-ms".to_owned(), value: 1000 }],
                grants: vec![
                    Grant { kind: "config".to_owned(), value: "site".to_owned() },
                    Grant { kind: "http".to_owned(), value: "config:site".to_owned() },
                ],
            }
        }

        fn handle(job: Job, checkpoint: Option<String>) -> Verdict {
            match (job.action, checkpoint) {
                (Action::Delete, _) => return Verdict::Failed(Failure::Fatal("for good".into())),
                (Action::LogicalDelete, _) => {
                    return Verdict::Failed(Failure::Retry("for now".into()));
                }
                (Action::Modify, None) => {
                    let checkpoint = "{\"step\": 2}".to_owned();
                    return Verdict::Pending(Pending { after_ms: 7, checkpoint });
                }
                (Action::Modify, Some(checkpoint)) => state::report("checkpoint", &checkpoint),
                (Action::Create, _) => {}
            }
            told(&job);
            for level in [
                log::Level::Trace,
                log::Level::Debug,
                log::Level::Info,
                log::Level::Warn,
                log::Level::Error,
            ] {
                log::write(level, "at work");
            }
            state::report("params", &all_params());
            state::report("found", &found(&job.target));
            put_up();
            watched();
            let site = config::get("site");
            state::report("unset", if config::get("unset").is_none() { "true" } else { "false" });
            let fetched = site.map_or(Err("no site".to_owned()), |site| fetch(&site));
            state::report("fetched", &text(&fetched.unwrap_or_else(|why| why)));
            Verdict::Completed
        }
    }

    /// A text as JSON, as long as it is plain.
    fn text(plain: &str) -> String {
        format!("\"{}\"", plain.replace('"', "'"))
    }

    fn told(job: &Job) {
        let target = format!("{}:{}", job.target.resource_type, job.target.resource_id);
        let said = format!(
            "{}|{target}|{}|{}|{}|{}",
            job.id, job.version, job.attempt, job.template_id, job.template
        );
        state::report("job", &text(&said));
        state::report("input", &job.resource_input);
    }

    fn all_params() -> String {
        let one = |name: String| {
            let said = match params::resolve(&name) {
                Ok(value) => value,
                Err(why) => text(&because(&why)),
            };
            format!("\"{name}\": {said}")
        };
        let names = params::names().into_iter().chain(["nobody".to_owned()]);
        let each = names.map(one).collect::<Vec<_>>().join(", ");
        let whole = match params::resolve_all() {
            Ok(whole) => whole,
            Err(named) => text(&format!("{} is {}", named.name, because(&named.error))),
        };
        format!("{{\"each\": {{{each}}}, \"whole\": {whole}}}")
    }

    fn because(why: &params::ParamError) -> String {
        let (word, fault) = match why {
            params::ParamError::Unknown(name) => return format!("unknown {name}"),
            params::ParamError::Unavailable(why) => return format!("unavailable {why}"),
            params::ParamError::MissingStack(fault) => ("missing stack", fault),
            params::ParamError::MissingOutput(fault) => ("missing output", fault),
            params::ParamError::FailedOutput(fault) => ("failed output", fault),
        };
        format!("{word} {} {}", fault.of.resource_id, fault.output_key)
    }

    fn found(own: &ResourceRef) -> String {
        let stack = match stack_output::find(own) {
            Ok(Some(stack)) => {
                let outputs = stack.outputs.iter().map(|output| {
                    let error = output.error.as_deref().unwrap_or("none");
                    format!("{}={} ({}, {error})", output.key, output.value, output.description)
                });
                let outputs = outputs.collect::<Vec<_>>().join(";");
                format!("{} {} {} {outputs}", stack.stack_id, stack.tenant_id, stack.status)
            }
            Ok(None) => "no stack".to_owned(),
            Err(why) => why,
        };
        let nowhere =
            ResourceRef { resource_type: "port".to_owned(), resource_id: "nowhere".to_owned() };
        let none = matches!(stack_output::find(&nowhere), Ok(None))
            && matches!(state::find(&nowhere), Ok(None));
        let state = match state::find(own) {
            Ok(state) => state.unwrap_or_else(|| "null".to_owned()),
            Err(why) => text(&why),
        };
        format!("{{\"stack\": {}, \"state\": {state}, \"nothing\": {none}}}", text(&stack))
    }

    fn put_up() {
        stack_output::publish(&stack_output::Stack {
            stack_id: "stack".to_owned(),
            tenant_id: "tenant".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: "done".to_owned(),
            outputs: vec![stack_output::Output {
                key: "key".to_owned(),
                value: "[1]".to_owned(),
                description: "one".to_owned(),
                error: Some("none".to_owned()),
            }],
        });
    }

    fn watched() {
        monitor::clear();
        monitor::register(&monitor::Target {
            name: "one".to_owned(),
            kind: "kind".to_owned(),
            topic: "topic".to_owned(),
            properties: "{\"a\": 1}".to_owned(),
            interval_ms: Some(500),
        });
        monitor::unregister("two");
        let mapping = |of: Option<&str>| monitor::Mapping {
            mapped_id: "other".to_owned(),
            relation: "baremetal".to_owned(),
            resource_type: of.map(str::to_owned),
            resource_id: of.map(str::to_owned),
        };
        monitor::add_mapping(&mapping(None));
        monitor::remove_mapping(&mapping(Some("network")));
    }

    /// Sends `hello` to `http://host:port` and gives back what is answered.
    fn fetch(site: &str) -> Result<String, String> {
        let authority = site.strip_prefix("http://").ok_or("no http")?;
        let headers = Fields::from_list(&[("x-kept".to_owned(), b"yes".to_vec())])
            .map_err(|e| format!("{e:?}"))?;
        let request = OutgoingRequest::new(headers);
        request.set_method(&wasi::http::types::Method::Put).map_err(|()| "method")?;
        request.set_scheme(Some(&Scheme::Http)).map_err(|()| "scheme")?;
        request.set_authority(Some(authority)).map_err(|()| "authority")?;
        request.set_path_with_query(Some("/kept")).map_err(|()| "path")?;
        let body = request.body().map_err(|()| "body")?;
        let future = outgoing_handler::handle(request, None).map_err(|e| format!("{e:?}"))?;
        let stream = body.write().map_err(|()| "stream")?;
        stream.blocking_write_and_flush(b"hello").map_err(|e| format!("{e:?}"))?;
        drop(stream);
        OutgoingBody::finish(body, None).map_err(|e| format!("{e:?}"))?;
        future.subscribe().block();
        let answered = future.get().and_then(Result::ok).ok_or("no answer")?;
        let response = answered.map_err(|e| format!("{e:?}"))?;
        let body = response.consume().map_err(|()| "no body")?;
        let stream = body.stream().map_err(|()| "no stream")?;
        let mut bytes = Vec::new();
        while let Ok(piece) = stream.blocking_read(4096) {
            bytes.extend(piece);
        }
        drop(stream);
        drop(IncomingBody::finish(body));
        Ok(format!("{} {}", response.status(), String::from_utf8_lossy(&bytes)))
    }

    export!(Kept);
}
