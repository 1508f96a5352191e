//! A handler that does what its input's `act` tells it to: the good, and everything a stranger may try.

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
    use serde_json::{Value, json};
    use stokehold::worker::types::{Failure, Grant, Limit, Pending, ResourceRef, UpdateStyle};
    use stokehold::worker::{config, log, monitor, params, stack_output, state};

    struct Acts;

    impl Guest for Acts {
        fn describe() -> Description {
            Description {
                name: "guest_acts".to_owned(),
                after: vec!["first_worker".to_owned()],
                update: UpdateStyle::Recreate,
                limits: vec![
                    Limit { name: "memory-bytes".to_owned(), value: u64::MAX },
                    Limit { name: "call-ms".to_owned(), value: 1 },
                    Limit { name: "bandwidth".to_owned(), value: 1 },
                ],
                grants: vec![
                    Grant { kind: "config".to_owned(), value: "password".to_owned() },
                    Grant { kind: "config".to_owned(), value: "ungranted".to_owned() },
                ],
            }
        }

        fn handle(job: Job, checkpoint: Option<String>) -> Verdict {
            let input: Value = serde_json::from_str(&job.resource_input).unwrap();
            let n = input["n"].as_u64().unwrap_or_default();
            match input["act"].as_str().unwrap() {
                "work" => work(&job),
                "echo" => report("job", echo(&job, checkpoint)),
                "params" => report("params", resolve_each()),
                "find" => find(&job),
                "find many" => find_many(n),
                "find long" => find_long(n),
                "retry with" => {
                    let why = input["say"].as_str().unwrap().to_owned();
                    return Verdict::Failed(Failure::Retry(why));
                }
                "wait" => return pending(n, checkpoint),
                "retry" => return Verdict::Failed(Failure::Retry("later".to_owned())),
                "fatal" => return Verdict::Failed(Failure::Fatal("x".repeat(n as usize))),
                "panic" => panic!("{}", input["say"].as_str().unwrap()),
                "exit" => std::process::exit(7),
                "recurse" => report("depth", json!(recurse(1, n))),
                "eat" => report("eaten", json!(eat(n))),
                "sleep" => std::thread::sleep(std::time::Duration::from_millis(n)),
                "print" => print(n),
                "log" => log_lines(n, input["say"].as_str().unwrap_or("line")),
                "look" => report("seen", look()),
                "config" => report("config", json!(config::get(input["key"].as_str().unwrap()))),
                "big report" => {
                    state::report("big", &Value::from("x".repeat(n as usize)).to_string())
                }
                "spin" => loop {
                    std::hint::spin_loop();
                },
                "spin in the host" => {
                    let say = "x".repeat(n as usize);
                    loop {
                        log::write(log::Level::Trace, &say);
                    }
                }
                "big checkpoint" => {
                    let checkpoint = Value::from("x".repeat(n as usize)).to_string();
                    return Verdict::Pending(Pending { after_ms: 1, checkpoint });
                }
                "odd names" => odd_names(),
                "many reports" => (0..n).for_each(|_| monitor::clear()),
                "bad report" => state::report("broken", "{"),
                "bad output" => publish_bad(),
                "bad target" => register("bad", "[]"),
                other => panic!("unknown act {other}"),
            }
            Verdict::Completed
        }
    }

    fn report(field: &str, value: Value) {
        state::report(field, &value.to_string());
    }

    fn register(name: &str, properties: &str) {
        monitor::register(&monitor::Target {
            name: name.to_owned(),
            kind: "nova_vm".to_owned(),
            topic: "monitor_nova_vm".to_owned(),
            properties: properties.to_owned(),
            interval_ms: Some(500),
        });
    }

    /// Whatever looks like the way to something that is not its own.
    fn odd_names() {
        for name in ["../../jobs/ready/x", "/state/v2.0/networks/n1", "..", "", "a/b"] {
            report(name, json!(name));
            register(name, "{}");
        }
        stack_output::publish(&stack_output::Stack {
            stack_id: "../../state/v2.0/networks/n1".to_owned(),
            tenant_id: "../t1".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: String::new(),
            outputs: vec![output("../../n1", "1", None)],
        });
        monitor::add_mapping(&mapping(Some("network")));
        monitor::add_mapping(&mapping(Some("../../networks")));
    }

    fn work(job: &Job) {
        log::write(log::Level::Info, "at work");
        let fixed_ips = params::resolve("fixed_ips").unwrap();
        stack_output::publish(&stack_output::Stack {
            stack_id: format!("port_{}", job.target.resource_id),
            tenant_id: "t1".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: String::new(),
            outputs: vec![
                output("fixed_ips", &fixed_ips, None),
                output("broken", "null", Some("no such attribute")),
            ],
        });
        report("heat_outputs", json!([1, "two"]));
        report("orchestration_state", json!("CREATE_COMPLETE"));
        monitor::clear();
        register("vm", r#"{"server_id": "s1"}"#);
        monitor::unregister("old");
        monitor::add_mapping(&mapping(None));
        monitor::remove_mapping(&mapping(Some("network")));
    }

    fn mapping(kind: Option<&str>) -> monitor::Mapping {
        monitor::Mapping {
            mapped_id: "m1".to_owned(),
            relation: "baremetal".to_owned(),
            resource_type: kind.map(str::to_owned),
            resource_id: kind.map(|_| "n1".to_owned()),
        }
    }

    fn output(key: &str, value: &str, error: Option<&str>) -> stack_output::Output {
        stack_output::Output {
            key: key.to_owned(),
            value: value.to_owned(),
            description: "an output".to_owned(),
            error: error.map(str::to_owned),
        }
    }

    fn publish_bad() {
        stack_output::publish(&stack_output::Stack {
            stack_id: "s".to_owned(),
            tenant_id: String::new(),
            status: String::new(),
            status_reason: String::new(),
            outputs: vec![output("bad", "nonsense", None)],
        });
    }

    fn echo(job: &Job, checkpoint: Option<String>) -> Value {
        json!({
            "id": job.id, "action": format!("{:?}", job.action), "version": job.version,
            "target": [job.target.resource_type, job.target.resource_id],
            "attempt": job.attempt, "template": [job.template_id, job.template],
            "checkpoint": checkpoint,
        })
    }

    fn resolve_each() -> Value {
        let mut all = serde_json::Map::new();
        for name in params::names().into_iter().chain(["nobody".to_owned()]) {
            let value = match params::resolve(&name) {
                Ok(value) => serde_json::from_str(&value).unwrap(),
                Err(why) => json!({ "error": format!("{why:?}") }),
            };
            all.insert(name, value);
        }
        let whole = match params::resolve_all() {
            Ok(whole) => serde_json::from_str(&whole).unwrap(),
            Err(why) => json!({ "error": format!("{why:?}") }),
        };
        json!({ "each": all, "whole": whole })
    }

    fn find(job: &Job) {
        let of = |kind: &str, id: &str| ResourceRef {
            resource_type: kind.to_owned(),
            resource_id: id.to_owned(),
        };
        let show = |of: &ResourceRef| match (stack_output::find(of), state::find(of)) {
            (Ok(stack), Ok(state)) => {
                let outputs = stack.map(|s| s.outputs.into_iter().map(|o| o.key + &o.value));
                json!([outputs.map(Vec::from_iter), state])
            }
            (stack, state) => json!([stack.err(), state.err()]),
        };
        report("own", show(&job.target));
        report("other", show(&of("network", "n1")));
        report("trouble", show(&of("trouble", "t1")));
    }

    fn find_many(times: u64) {
        let of = ResourceRef { resource_type: "port".to_owned(), resource_id: "p9".to_owned() };
        let mut refused = Vec::new();
        for n in 0..times {
            let error =
                if n % 2 == 0 { stack_output::find(&of).err() } else { state::find(&of).err() };
            refused.extend(error);
        }
        report("refused", json!([refused.len(), refused.last()]));
    }

    fn find_long(bytes: u64) {
        let long = "x".repeat(bytes as usize);
        let of = |kind: &str, id: &str| ResourceRef {
            resource_type: kind.to_owned(),
            resource_id: id.to_owned(),
        };
        let all = [of(&long, "n1"), of("network", &long)]
            .map(|of| [stack_output::find(&of).err(), state::find(&of).err()]);
        report("refused", json!(all));
    }

    fn pending(after_ms: u64, checkpoint: Option<String>) -> Verdict {
        match checkpoint {
            None => {
                let checkpoint = r#"{"seen": 1}"#.to_owned();
                Verdict::Pending(Pending { after_ms, checkpoint })
            }
            Some(checkpoint) if checkpoint == r#"{"seen":1}"# => {
                Verdict::Pending(Pending { after_ms, checkpoint: "not json".to_owned() })
            }
            Some(_) => Verdict::Completed,
        }
    }

    /// So deep; 0 is without end.
    fn recurse(depth: u64, most: u64) -> u64 {
        let here = std::hint::black_box([depth; 64]);
        if depth == most { depth } else { recurse(depth + 1, most).max(here[0]) }
    }

    fn eat(mib: u64) -> usize {
        let mut eaten = Vec::new();
        for _ in 0..mib {
            eaten.push(std::hint::black_box(vec![1u8; 1 << 20]));
        }
        eaten.len()
    }

    fn print(lines: u64) {
        for n in 0..lines {
            println!("out {n}");
            eprintln!("err {n}");
        }
        print!("unended");
        std::io::Write::flush(&mut std::io::stdout()).unwrap();
    }

    fn log_lines(lines: u64, say: &str) {
        for _ in 0..lines {
            log::write(log::Level::Debug, say);
        }
    }

    fn look() -> Value {
        let env: Vec<_> = std::env::vars().collect();
        let args: Vec<_> = std::env::args().collect();
        let root = std::fs::read_dir("/").map(Iterator::count).map_err(|e| e.to_string());
        let here = std::fs::read_dir(".").map(Iterator::count).map_err(|e| e.to_string());
        let read = std::fs::read("/etc/passwd").map_err(|e| e.to_string());
        let write = std::fs::write("/tmp/seen", "x").map_err(|e| e.to_string());
        json!({
            "env": env.len(), "args": args.len(), "root": root.is_ok(), "here": here.is_ok(),
            "read": read.is_ok(), "write": write.is_ok(),
        })
    }

    export!(Acts);
}
