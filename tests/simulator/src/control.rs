//! The simulator's own endpoints: what a test does with the library, over HTTP.

use crate::answer::Answer;
use crate::call::Call;
use crate::faults::Fault;
use crate::heat::show::Snapshot;
use crate::heat::world::End;
use crate::shared::{State, now};
use crate::text::field;
use serde_json::{Value as Json, json};

const ENDPOINTS: &str = "GET requests, stacks, faults; POST faults (adds one or a list), finish \
                         {\"stack\"[, \"status\", \"reason\", \"outputs\"]}, down {\"fq_name\"}, \
                         up {\"fq_name\"}; DELETE faults, requests, tokens";

/// Answers a request under `/simulator`.
pub(crate) fn answer(state: &mut State, call: &Call, path: &[&str]) -> Answer {
    act(state, call, path)
        .unwrap_or_else(|error| Answer::json(400, json!({"error": format!("{error:#}")})))
}

fn act(state: &mut State, call: &Call, path: &[&str]) -> anyhow::Result<Answer> {
    let done = || Answer::json(200, json!({"done": true}));
    let name = || field(&call.json(), "/fq_name").as_str().map(str::to_owned);
    Ok(match (call.method.as_str(), path) {
        ("GET", ["requests"]) => {
            let seen: Vec<Json> = state
                .requests
                .iter()
                .map(|seen| json!({"method": seen.method, "path": seen.path, "body": seen.body}))
                .collect();
            Answer::json(200, json!({ "requests": seen }))
        }
        ("DELETE", ["requests"]) => {
            state.requests.clear();
            done()
        }
        ("GET", ["faults"]) => Answer::json(200, json!({"faults": state.faults.left()})),
        ("POST", ["faults"]) => {
            state.faults.add(Fault::from_json(serde_json::from_slice(&call.body)?)?);
            done()
        }
        ("DELETE", ["faults"]) => {
            state.faults.set(Vec::new());
            done()
        }
        ("DELETE", ["tokens"]) => {
            state.tokens.clear();
            done()
        }
        ("GET", ["stacks"]) => {
            let overrides = &state.world.options.overrides;
            let stacks: Vec<Json> = state
                .world
                .stacks()
                .iter()
                .map(|stack| Snapshot::of(stack, overrides))
                .map(|stack| {
                    json!({
                        "tenant": stack.tenant, "name": stack.name, "id": stack.id,
                        "status": stack.status.to_string(), "reason": stack.reason,
                        "outputs": stack.outputs,
                    })
                })
                .collect();
            Answer::json(200, json!({ "stacks": stacks }))
        }
        ("POST", ["finish"]) => {
            finish(state, &call.json())?;
            done()
        }
        ("POST", ["down"]) if name().is_some() => {
            state.down.extend(name());
            done()
        }
        ("POST", ["up"]) if name().is_some() => {
            state.down.remove(&name().unwrap_or_default());
            done()
        }
        _ => Answer::json(404, json!({"error": format!("known under /simulator are {ENDPOINTS}")})),
    })
}

fn finish(state: &mut State, wanted: &Json) -> anyhow::Result<()> {
    let stack = field(wanted, "/stack").as_str().unwrap_or_default();
    let end = match field(wanted, "/status").as_str() {
        None => return finish_computed(state, stack),
        Some(status) => End {
            status: status.parse()?,
            reason: field(wanted, "/reason").as_str().unwrap_or_default().to_owned(),
            outputs: field(wanted, "/outputs").as_array().cloned(),
        },
    };
    state.world.step(stack, Some(end), now())
}

/// Ends every phase that a stack has before it.
pub(crate) fn finish_computed(state: &mut State, stack: &str) -> anyhow::Result<()> {
    state.world.step(stack, None, now())?;
    while state.world.runs(stack) {
        state.world.step(stack, None, now())?;
    }
    Ok(())
}
