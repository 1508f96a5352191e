//! Tokens of Keystone (v3, by password).

use serde_json::json;
use stokehold_sdk::{Failure, Json, Method, Outside, Request};

use crate::answer;
use crate::secrets::Secrets;

/// Where tokens are had, and for whom.
pub(crate) struct Keystone {
    /// Without a final slash: `http://127.0.0.1:5000/v3`.
    pub(crate) url: String,
    /// The user's name.
    pub(crate) user: String,
    /// The user's password.
    pub(crate) password: String,
    /// The name of the project that the token is for.
    pub(crate) project: String,
    /// The user's domain, by name.
    pub(crate) user_domain: String,
    /// The project's domain, by name.
    pub(crate) project_domain: String,
}

impl Keystone {
    /// A fresh token.
    pub(crate) fn token(
        &self,
        outside: &dyn Outside,
        secrets: &Secrets,
    ) -> Result<String, Failure> {
        let url = format!("{}/auth/tokens", self.url);
        let failed = |failure: Failure| {
            failure.reworded(|why| format!("cannot get a token from {}: {why}", self.url))
        };
        let request = Request::new(Method::Post, url).json(&self.question());
        let response = outside.http(&request).map_err(|e| failed(e.into()))?;
        match (response.status, response.header("x-subject-token")) {
            (200 | 201, Some(token)) => {
                secrets.add(token, "(token)");
                Ok(token.to_owned())
            }
            (200 | 201, None) => Err(failed(Failure::fatal("the answer has no X-Subject-Token"))),
            _ => Err(failed(answer::discreet_failure("Keystone", &response))),
        }
    }

    fn question(&self) -> Json {
        json!({"auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {
                    "name": self.user,
                    "domain": {"name": self.user_domain},
                    "password": self.password,
                }},
            },
            "scope": {"project": {
                "name": self.project,
                "domain": {"name": self.project_domain},
            }},
        }})
    }
}
