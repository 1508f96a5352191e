//! As much of Keystone v3 as a client needs to get a token for Heat.

use crate::answer::Answer;
use crate::call::Call;
use crate::shared::State;
use crate::text::field;
use serde_json::{Value as Json, json};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

const LIVES: Duration = Duration::from_hours(1);

/// Answers a request under `/v3`.
pub(crate) fn answer(state: &mut State, call: &Call, path: &[&str]) -> Answer {
    match (call.method.as_str(), path) {
        ("POST", ["auth", "tokens"]) => token(state, call),
        ("GET", [] | [""]) => {
            let links = json!([{"rel": "self", "href": format!("{}/v3/", call.origin)}]);
            let version = json!({"id": "v3.14", "status": "stable", "links": links});
            Answer::json(200, json!({ "version": version }))
        }
        _ => refusal(404, "Not Found", &format!("Could not find {}.", call.target)),
    }
}

/// Heat's answer to a request without a valid token.
pub(crate) fn unauthorized(call: &Call) -> Answer {
    refusal(401, "Unauthorized", "The request you have made requires authentication.")
        .with("www-authenticate", &format!("Keystone uri=\"{}/v3\"", call.origin))
}

fn refusal(status: u16, title: &str, message: &str) -> Answer {
    let error = json!({"message": message, "code": status, "title": title});
    Answer::json(status, json!({ "error": error }))
}

fn token(state: &mut State, call: &Call) -> Answer {
    let body = call.json();
    let auth = field(&body, "/auth");
    let password = field(auth, "/identity/methods")
        .as_array()
        .is_some_and(|methods| methods.iter().any(|method| method == "password"));
    let user = field(auth, "/identity/password/user");
    if !password || !user.is_object() {
        let message = "Expecting to find identity with method password and a user in auth. The \
                       server could not comply with the request since it is either malformed or \
                       otherwise incorrect. The client is assumed to be in error.";
        return refusal(400, "Bad Request", message);
    }
    let said = |key: &str| user.get(key).and_then(Json::as_str).unwrap_or_default();
    if let Some(wanted) = &state.world.options.credentials {
        let known = said("name") == wanted.user || said("id") == wanted.user;
        if !known || said("password") != wanted.password {
            return unauthorized(call);
        }
    }
    let token = Uuid::new_v4().simple().to_string();
    state.tokens.insert(token.clone());
    Answer::json(201, described(call, user, field(auth, "/scope/project")))
        .with("x-subject-token", &token)
}

fn described(call: &Call, user: &Json, project: &Json) -> Json {
    let now = SystemTime::now();
    let said = |of: &Json, key: &str| of.get(key).and_then(Json::as_str).map(str::to_owned);
    let named = said(project, "name");
    let id = said(project, "id").or_else(|| named.clone()).unwrap_or_else(|| "admin".into());
    let name = named.unwrap_or_else(|| id.clone());
    let domain = json!({"id": "default", "name": "Default"});
    let user_name = said(user, "name").or_else(|| said(user, "id"));
    let endpoint = json!({
        "id": Uuid::new_v4().simple().to_string(), "interface": "public", "region": "RegionOne",
        "region_id": "RegionOne", "url": format!("{}/v1/{id}", call.origin),
    });
    json!({"token": {
        "methods": ["password"],
        "user": {"id": user_name, "name": user_name, "domain": domain},
        "project": {"id": id, "name": name, "domain": domain},
        "issued_at": crate::text::time(now),
        "expires_at": crate::text::time(now + LIVES),
        "catalog": [{"type": "orchestration", "name": "heat", "endpoints": [endpoint]}],
    }})
}
