//! Gohan's schema endpoint.

use crate::answer::Answer;
use crate::call::Call;
use crate::shared::State;
use serde_json::json;

/// Answers `GET /gohan/v0.1/schemas`.
pub(crate) fn answer(state: &mut State, call: &Call, path: &[&str]) -> Answer {
    let Some(schemas) = state.world.options.schemas.clone() else {
        let why = "the simulator was given no schemas (--schemas FILE)";
        return Answer::json(404, json!({ "error": why }));
    };
    if path != ["v0.1", "schemas"] || call.method != "GET" {
        return Answer::no_such_path();
    }
    if schemas.token.is_some() && schemas.token != call.token {
        return Answer::json(401, json!({"error": "the token is missing or wrong"}));
    }
    if state.schema_failures > 0 {
        state.schema_failures -= 1;
        return Answer::json(503, json!({"error": "not ready yet"}));
    }
    let file = schemas.file;
    match std::fs::read_to_string(&file) {
        Ok(text) => Answer::text(200, text).with("content-type", "application/json"),
        Err(error) => {
            let why = format!("cannot read schemas {}: {error}", file.display());
            Answer::json(500, json!({ "error": why }))
        }
    }
}
