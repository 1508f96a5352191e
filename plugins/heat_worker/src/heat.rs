//! Requests to Heat.

use serde_json::Map;
use stokehold_sdk::{Failure, Json, Method, Outside, Request, Response, path_segment};

use crate::answer::{self, Shown};
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The stacks of one project.
pub(crate) struct Heat<'a> {
    outside: &'a dyn Outside,
    settings: &'a Settings,
    secrets: &'a Secrets,
    stacks_url: String,
}

/// What came of asking for a change.
pub(crate) enum Asked {
    /// Heat does it.
    Accepted,
    /// There is no such stack.
    Missing,
    /// Another action runs.
    Busy,
}

/// What came of asking for a new stack.
pub(crate) enum Made {
    /// Its id, empty if Heat did not say it.
    Begun(String),
    /// There is one of that name.
    Exists,
}

impl<'a> Heat<'a> {
    pub(crate) fn new(
        outside: &'a dyn Outside,
        settings: &'a Settings,
        secrets: &'a Secrets,
        tenant: &str,
    ) -> Self {
        let stacks_url = format!("{}/{}/stacks", settings.heat_url, path_segment(tenant));
        Self { outside, settings, secrets, stacks_url }
    }

    /// The stack of this name, without its outputs. Heat answers with a redirect to name and id; it
    /// is followed by hand and to the configured address only.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Shown>, Failure> {
        let path = format!("/{}?resolve_outputs=false", path_segment(name));
        let response = self.send(Method::Get, &path, None)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return self.shown(name, &response);
        }
        let location = response.header("location").unwrap_or_default();
        let id = location.split('?').next().unwrap_or_default().rsplit('/').next();
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            let location = self.secrets.hide(location);
            let words = format!("cannot look up stack {name}: Heat redirects to {location:?}");
            return Err(Failure::Fatal(words));
        };
        self.show_plain(name, id)
    }

    /// The stack, without its outputs, which Heat would compute at every look.
    pub(crate) fn show_plain(&self, name: &str, id: &str) -> Result<Option<Shown>, Failure> {
        let path = format!("{}?resolve_outputs=false", path_of(name, id));
        self.shown(name, &self.send(Method::Get, &path, None)?)
    }

    /// The stack with its outputs.
    pub(crate) fn show(&self, name: &str, id: &str) -> Result<Option<Shown>, Failure> {
        self.shown(name, &self.send(Method::Get, &path_of(name, id), None)?)
    }

    /// What failed in the action that Heat has undone: the stack itself tells no more of it, its
    /// events do.
    pub(crate) fn undone(&self, name: &str, shown: &Shown) -> Option<String> {
        let path = format!("{}/events?resource_status=FAILED", path_of(name, &shown.id));
        let response = self.send(Method::Get, &path, None).ok()?;
        answer::last_failure(&response, &shown.updated, self.secrets)
    }

    fn shown(&self, name: &str, response: &Response) -> Result<Option<Shown>, Failure> {
        match response.status {
            404 => Ok(None),
            200 => match Shown::read(response, self.secrets) {
                Some(shown) => Ok(Some(shown)),
                None => Err(Failure::Fatal(format!(
                    "cannot look up stack {name}: the answer of {} shows no stack",
                    self.stacks_url
                ))),
            },
            _ => Err(self.refused("look up", name, response)),
        }
    }

    pub(crate) fn create(&self, name: &str, mut body: Map<String, Json>) -> Result<Made, Failure> {
        body.insert("stack_name".to_owned(), Json::String(name.to_owned()));
        let response = self.send(Method::Post, "", Some(&Json::Object(body)))?;
        match response.status {
            200..=202 => {
                let id = response
                    .json()
                    .and_then(|j| Some(j.pointer("/stack/id")?.as_str()?.to_owned()));
                Ok(Made::Begun(id.unwrap_or_default()))
            }
            409 if answer::error_type(&response).as_deref() == Some("StackExists") => {
                Ok(Made::Exists)
            }
            _ => Err(self.refused("create", name, &response)),
        }
    }

    pub(crate) fn update(
        &self,
        name: &str,
        id: &str,
        body: Map<String, Json>,
    ) -> Result<Asked, Failure> {
        let response = self.send(Method::Put, &path_of(name, id), Some(&Json::Object(body)))?;
        self.asked("update", name, &response)
    }

    pub(crate) fn delete(&self, name: &str, id: &str) -> Result<Asked, Failure> {
        let response = self.send(Method::Delete, &path_of(name, id), None)?;
        self.asked("delete", name, &response)
    }

    fn asked(&self, what: &str, name: &str, response: &Response) -> Result<Asked, Failure> {
        match response.status {
            200..=204 => Ok(Asked::Accepted),
            404 => Ok(Asked::Missing),
            409 if answer::error_type(response).as_deref() == Some("ActionInProgress") => {
                Ok(Asked::Busy)
            }
            _ => Err(self.refused(what, name, response)),
        }
    }

    fn refused(&self, what: &str, name: &str, response: &Response) -> Failure {
        let failure = answer::failure("Heat", response, self.secrets);
        failure.reworded(|why| format!("cannot {what} stack {name}: {why}"))
    }

    fn send(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Response, Failure> {
        let mut request = Request::new(method, format!("{}{path}", self.stacks_url))
            .header("accept", "application/json");
        if let Some(token) = &self.settings.heat_token {
            request = request.header("x-auth-token", token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.outside.http(&request).map_err(|error| {
            Failure::from(error)
                .reworded(|why| format!("cannot reach Heat at {}: {why}", self.settings.heat_url))
        })
    }
}

fn path_of(name: &str, id: &str) -> String {
    format!("/{}/{}", path_segment(name), path_segment(id))
}
