//! The tools of the script.

use super::{Check, Report};
use crate::client::{Client, Reply};
use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a stack may take to settle.
const SETTLES_SECONDS_MAX: u64 = 60;
/// How long to wait before the next look.
const LOOKS_EVERY: Duration = Duration::from_millis(25);

/// A stack by its name and id.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) name: String,
    pub(super) id: String,
    /// `/stacks/{name}/{id}`
    pub(super) path: String,
}

/// A run of the script.
pub(super) struct Script {
    pub(super) base: String,
    pub(super) tenant: String,
    pub(super) client: Client,
    pub(super) report: Report,
    made: Vec<Stack>,
}

impl Script {
    pub(super) fn new(base: &str) -> Self {
        let tenant = Uuid::new_v4().simple().to_string();
        let base = format!("{}/{tenant}", base.trim_end_matches('/'));
        let client = Client::new(&base);
        Self { base, tenant, client, report: Report::default(), made: Vec::new() }
    }

    /// A name that no other run has.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{name}_{}", self.tenant.chars().take(8).collect::<String>())
    }

    /// Notes whether a law holds.
    pub(super) fn law(&mut self, law: &str, got: impl Into<Json>, wanted: impl Into<Json>) {
        let (wanted, got) = (wanted.into(), got.into());
        self.report.checks.push(Check { law: law.to_owned(), wanted, got });
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply> {
        self.client.get(path).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: &Json) -> Result<Reply> {
        self.client.send(method, path, Some(body)).await
    }

    /// Makes a stack of this name (and the run's) and does not wait for it; `more` are further
    /// fields of the body.
    pub(super) async fn post(&mut self, name: &str, template: &str, more: Json) -> Result<Stack> {
        let name = self.name(name);
        let mut body = json!({
            "stack_name": name, "template": template, "disable_rollback": true,
        });
        if let (Json::Object(body), Json::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let reply = self.send("POST", "/stacks", &body).await?;
        let Some(id) = reply.body["stack"]["id"].as_str() else {
            bail!("cannot make stack {name}: {} {}", reply.status, reply.body);
        };
        let path = format!("/stacks/{name}/{id}");
        let stack = Stack { id: id.to_owned(), name, path };
        self.made.push(stack.clone());
        Ok(stack)
    }

    /// Makes a stack and waits until it is settled: its body.
    pub(super) async fn make(
        &mut self,
        name: &str,
        template: &str,
        more: Json,
    ) -> Result<(Stack, Json)> {
        let stack = self.post(name, template, more).await?;
        let shown = self.settled(&stack, "CREATE").await?;
        Ok((stack, shown))
    }

    /// What a stack shows, once nothing is in progress and its status begins with this.
    pub(super) async fn settled(&self, stack: &Stack, action: &str) -> Result<Json> {
        let is = |shown: &Json| {
            let status = shown["stack_status"].as_str().unwrap_or_default();
            status.starts_with(action) && !status.ends_with("_IN_PROGRESS")
        };
        self.shown_when(stack, is).await
    }

    /// What a stack shows, once it is deleted: Heat shows the status a moment before it lets the
    /// name go.
    pub(super) async fn gone(&self, stack: &Stack) -> Result<Json> {
        self.shown_when(stack, |shown| shown["deletion_time"].is_string()).await
    }

    async fn shown_when(&self, stack: &Stack, is: impl Fn(&Json) -> bool) -> Result<Json> {
        let begun = Instant::now();
        loop {
            let reply = self.get(&stack.path).await?;
            let shown = &reply.body["stack"];
            let status = shown["stack_status"]
                .as_str()
                .with_context(|| format!("cannot read stack {}: {}", stack.name, reply.body))?;
            if is(shown) {
                return Ok(shown.clone());
            }
            if begun.elapsed().as_secs() > SETTLES_SECONDS_MAX {
                bail!("cannot wait longer for stack {}: it is {status}", stack.name);
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// Notes a stack that a reply says was made, to be deleted in the end.
    pub(super) fn made(&mut self, reply: &Reply) {
        let path = reply.location.as_deref().and_then(|url| url.strip_prefix(&self.base));
        if let (Some(path), Some(id)) = (path, reply.body["stack"]["id"].as_str()) {
            let (id, path) = (id.to_owned(), path.to_owned());
            self.made.push(Stack { name: String::new(), id, path });
        }
    }

    /// Deletes what was made and is still there.
    pub(super) async fn tidy(&mut self) -> Result<()> {
        for stack in std::mem::take(&mut self.made) {
            self.client.send("DELETE", &stack.path, None).await?;
        }
        Ok(())
    }
}

/// Status and reason of a stack that is shown.
pub(super) fn status(shown: &Json) -> Json {
    json!([shown["stack_status"], shown["stack_status_reason"]])
}

/// The outputs of a stack that is shown: key to value, or to the error.
pub(super) fn outputs(shown: &Json) -> Json {
    let outputs = shown["outputs"].as_array().into_iter().flatten();
    let pairs = outputs.map(|output| {
        let key = output["output_key"].as_str().unwrap_or_default().to_owned();
        let failed = output.get("output_error").map(|error| json!({ "error": error }));
        (key, failed.unwrap_or_else(|| output["output_value"].clone()))
    });
    Json::Object(pairs.collect())
}

/// Status, type and message of a refusal.
pub(super) fn refusal(reply: &Reply) -> Json {
    let error = &reply.body["error"];
    json!([reply.status, error["type"], error["message"]])
}
