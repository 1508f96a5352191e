//! The stack API: a request under `/v1/{tenant}` and its answer.

use super::request::{self, Form};
use super::show;
use super::stack::{Moment, Stack};
use super::world::World;
use crate::answer::{Answer, Refusal};
use crate::call::Call;
use crate::faults::Faults;
use serde_json::{Value as Json, json};

/// Answers a request; `path` are its segments behind the version.
pub(crate) fn answer(
    world: &mut World,
    faults: &mut Faults,
    call: &Call,
    path: &[&str],
    now: Moment,
) -> Answer {
    let mut api = Api { world, faults, call, now };
    api.route(path).unwrap_or_else(Answer::from)
}

/// `GET /`, and any version that Heat does not have.
pub(crate) fn versions(call: &Call) -> Answer {
    let href = format!("{}/v1/", call.origin);
    let links = json!([{"rel": "self", "href": href}]);
    Answer::json(300, json!({"versions": [{"id": "v1.0", "status": "CURRENT", "links": links}]}))
}

struct Api<'a> {
    world: &'a mut World,
    faults: &'a mut Faults,
    call: &'a Call,
    now: Moment,
}

/// Whether these segments name a part of a stack.
fn is_part(part: &[&str]) -> bool {
    match part {
        ["template" | "resources" | "outputs" | "events" | "environment" | "files"] => true,
        ["resources" | "outputs" | "events", name, ..] => !name.is_empty(),
        _ => false,
    }
}

type Answered = Result<Answer, Refusal>;

impl Api<'_> {
    fn route(&mut self, path: &[&str]) -> Answered {
        let method = self.call.method.as_str();
        match path {
            [tenant, "stacks"] => match method {
                "GET" => self.list(tenant),
                "POST" => self.create(tenant),
                _ => Err(Refusal::method()),
            },
            [_, "validate"] => match method {
                "POST" => self.validate(),
                _ => Err(Refusal::method()),
            },
            [_, "build_info"] => {
                let revision = json!({"revision": "simulator"});
                Ok(Answer::json(200, json!({"api": revision, "engine": revision})))
            }
            [tenant, "stacks", name] if !name.is_empty() => self.look_up(tenant, name, None),
            [tenant, "stacks", name, part @ ("resources" | "template" | "events")] => {
                self.look_up(tenant, name, Some(part))
            }
            [tenant, "stacks", name, id] if !id.is_empty() => match method {
                "GET" => self.show(tenant, name, id),
                "PUT" => self.update((tenant, name, id), Form::Replace),
                "PATCH" => self.update((tenant, name, id), Form::Patch),
                "DELETE" => self.delete((tenant, name, id)),
                _ => Err(Refusal::method()),
            },
            [tenant, "stacks", name, id, part @ ..] if is_part(part) => match method {
                "GET" => self.part(tenant, name, id, part),
                _ => Err(Refusal::method()),
            },
            _ => Ok(Answer::no_such_path()),
        }
    }

    fn url(&self, stack: &Stack) -> String {
        let Call { origin, version, .. } = self.call;
        format!("{origin}/{version}/{}/stacks/{}/{}", stack.tenant, stack.name, stack.id)
    }

    fn body(&self) -> Result<Json, Refusal> {
        request::json(&self.call.body)
    }

    fn look_up(&self, tenant: &str, name: &str, part: Option<&str>) -> Answered {
        if self.call.method != "GET" {
            // The body is read, though not used: a broken one is refused before the redirect.
            self.body()?;
        }
        let mut url = self.url(self.world.look_up(tenant, name)?);
        if let Some(part) = part {
            url = format!("{url}/{part}");
        }
        if !self.call.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.call.query);
            url = format!("{url}?{}", query.finish());
        }
        Ok(Answer::found(&url))
    }

    fn list(&self, tenant: &str) -> Answered {
        let limit = match self.call.asked("limit").filter(|limit| !limit.is_empty()) {
            None => usize::MAX,
            Some(limit) => {
                usize::try_from(request::whole(&limit.into(), "limit")?).unwrap_or(usize::MAX)
            }
        };
        let deleted = self.call.asked("show_deleted").is_some_and(|asked| asked == "true");
        let fits = |stack: &&Stack| {
            let named = |key: &str, value: &str| {
                let mut asked = self.call.query.iter().filter(|(name, _)| name == key).peekable();
                asked.peek().is_none() || asked.any(|(_, asked)| asked == value)
            };
            let status = stack.status.to_string();
            stack.tenant == tenant
                && (deleted || stack.deleted.is_none())
                && named("name", &stack.name)
                && named("id", &stack.id)
                && named("action", stack.status.action.word())
                && (named("status", &status) || named("status", stack.status.progress.word()))
        };
        let mut left: Vec<&Stack> = self.world.stacks().iter().rev().filter(fits).collect();
        if let Some(marker) = self.call.asked("marker")
            && let Some(place) = left.iter().position(|stack| stack.id == marker)
        {
            left.drain(..=place);
        }
        let page: Vec<&Stack> = left.iter().take(limit).copied().collect();
        let shown: Vec<Json> =
            page.iter().map(|stack| show::entry(stack, &self.url(stack))).collect();
        let mut body = json!({ "stacks": shown });
        if let (Some(last), true, Json::Object(body)) =
            (page.last(), page.len() == limit, &mut body)
        {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.call.query.iter().filter(|(name, _)| name != "marker"));
            query.append_pair("marker", &last.id);
            let Call { origin, version, .. } = self.call;
            let href = format!("{origin}/{version}/{tenant}/stacks?{}", query.finish());
            body.insert("links".into(), json!([{"rel": "next", "href": href}]));
        }
        Ok(Answer::json(200, body))
    }

    fn create(&mut self, tenant: &str) -> Answered {
        let wanted = request::read(&self.body()?, Form::Create)?;
        let doom = |name: &str| self.faults.doom(name, "POST", &self.call.target);
        let stack = self.world.create(tenant, wanted, doom, self.now)?.clone();
        let url = self.url(&stack);
        Ok(Answer::json(201, show::created(&stack, &url)).with("location", &url))
    }

    fn update(&mut self, which: (&str, &str, &str), form: Form) -> Answered {
        let body = self.body()?;
        // Heat looks for the stack first only where the body is well formed.
        let wanted = request::read(&body, form)?;
        let Call { method, target, .. } = self.call;
        let doom = |name: &str| self.faults.doom(name, method, target);
        self.world.update(which, wanted, form, doom, self.now)?;
        Ok(Answer::accepted())
    }

    fn delete(&mut self, which: (&str, &str, &str)) -> Answered {
        let doom = |name: &str| self.faults.doom(name, "DELETE", &self.call.target);
        self.world.delete(which, doom, self.now)?;
        Ok(Answer::empty(204))
    }

    fn validate(&self) -> Answered {
        let wanted = request::read(&self.body()?, Form::Replace)?;
        Ok(Answer::json(200, show::validated(&self.world.validate(wanted)?)))
    }

    fn show(&self, tenant: &str, name: &str, id: &str) -> Answered {
        let resolve = match self.call.asked("resolve_outputs") {
            None => true,
            Some(asked) => match asked.to_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => {
                    return Err(Refusal::request(format!(
                        "Unrecognized value \"{asked}\" for \"resolve_outputs\", acceptable \
                         values are: true, false."
                    )));
                }
            },
        };
        let stack = self.world.exact(tenant, name, id)?;
        let outputs = if resolve { stack.outputs(&self.world.options.overrides) } else { None };
        Ok(Answer::json(200, show::stack(stack, &self.url(stack), outputs)))
    }

    fn part(&self, tenant: &str, name: &str, id: &str, part: &[&str]) -> Answered {
        let overrides = &self.world.options.overrides;
        let stack = self.world.exact(tenant, name, id)?;
        let url = self.url(stack);
        let shown = match part {
            ["template"] => stack.revision.template.body.clone(),
            ["resources"] => show::resources(stack, &url),
            ["events" | "environment" | "files", ..] => {
                let why = "the simulator does not keep events, environments and files of stacks";
                return Ok(Answer::json(501, json!({ "error": why })));
            }
            ["resources" | "outputs", ..] if stack.deleted.is_some() => {
                return Err(Refusal::no_stack(name));
            }
            ["resources", resource] => {
                let known = stack.resources.get(*resource).ok_or_else(|| {
                    let message =
                        format!("The Resource ({resource}) could not be found in Stack {name}.");
                    Refusal::missing("ResourceNotFound", message)
                })?;
                show::one_resource(stack, resource, known, &url, overrides)
            }
            ["outputs"] => show::output_keys(stack, overrides),
            ["outputs", key] => {
                // The placeholder is in Heat's own message.
                let missing = || Refusal::missing("NotFound", "Specified output key {} not found.");
                json!({"output": stack.output(key, overrides).ok_or_else(missing)?})
            }
            _ => return Ok(Answer::no_such_path()),
        };
        Ok(Answer::json(200, shown))
    }
}
