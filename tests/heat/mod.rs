//! The component `heat_worker` against a Heat: the simulated one always, the real one where it is at hand. What needs
//! a whole host, and failures that only a real Heat has, is in the files below.

mod keystone;
mod life;
mod place;
mod recorded;
mod steps;
mod times;
mod tls;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use heat_simulator::{Options, Simulator};
use serde_json::{Value as Json, json};
use stokehold::domain::{
    Action, Failure, Fault, Job, OnFailure, Param, ParamValue, Posted, Report, ResourceRef, Stack,
    Verdict, Version,
};
use stokehold::plugin::{
    self, Call, Engine, EngineSettings, Lookup, PluginGrants, PluginSettings, Worker,
};
use stokehold_tests::{paths, real_heat};

const TENANT: &str = "0123456789abcdef0123456789abcdef";
/// Tries that a job has, as it would with a host.
const TRIES_MAX: usize = 5;
const TEMPLATE: &str = "heat_template_version: 2013-05-23
parameters:
  name: {type: string}
  size: {type: number, default: 1}
resources:
  net:
    type: OS::Contrail::VirtualNetwork
    properties: {name: {get_param: name}, shared: {{ jinja_shared }}}
outputs:
  name: {description: its name, value: {get_attr: [net, name]}}
  fq_name: {description: its full name, value: {get_attr: [net, fq_name]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn heat_worker_does_its_work_on_the_simulator() -> Result<()> {
    let simulator = Simulator::start(Options::default())?;
    suite(&simulator.url()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn heat_worker_does_its_work_on_the_real_heat() -> Result<()> {
    let Some(heat) = real_heat::any().await? else { return Ok(()) };
    suite(heat.url()).await
}

/// One worker and one stack's story.
struct Bench {
    worker: Worker,
    stack: String,
}

/// What became of a job, all its calls together.
struct Came {
    outcome: Result<Verdict, Fault>,
    report: Report,
    /// It took more than one try: what an earlier one has made was found.
    is_repeated: bool,
}

impl Came {
    fn status(&self) -> String {
        self.report.stack.as_ref().map(|stack| stack.status.clone()).unwrap_or_default()
    }

    fn output(&self, key: &str) -> Option<Json> {
        let outputs = &self.report.stack.as_ref()?.outputs;
        outputs.iter().find(|output| output.key == key).map(|output| output.value.clone())
    }

    fn fatal(&self) -> Result<&str> {
        match &self.outcome {
            Ok(Verdict::Failed(Failure::Fatal(why))) => Ok(why),
            other => anyhow::bail!("expected a fatal failure, not {other:?}"),
        }
    }

    fn completed(&self, status: &str) -> Result<()> {
        ensure!(self.outcome == Ok(Verdict::Completed), "not completed: {:?}", self.outcome);
        let found = self.is_repeated && status == "CREATE_COMPLETE";
        let is_so = self.status() == status || (found && self.status() == "UPDATE_COMPLETE");
        ensure!(is_so, "{} is not {status}", self.status());
        Ok(())
    }
}

async fn suite(url: &str) -> Result<()> {
    let bench = Bench::new(url).await?;
    let story = [
        ("a stack is created, with outputs", bench.create_and_again().await),
        ("a stack is modified, or created if it is not there", bench.modify().await),
        ("a stack is deleted, and deleting nothing is no failure", bench.delete().await),
        ("a failing stack fails in Heat's words and can be repaired", bench.fail().await),
        ("what Heat refuses is final, in its words", bench.refused().await),
    ];
    for (law, told) in story {
        told.with_context(|| law.to_owned())?;
    }
    Ok(())
}

impl Bench {
    async fn new(url: &str) -> Result<Self> {
        let engine = Engine::new(&EngineSettings::default())?;
        let authority = url.split('/').nth(2).unwrap_or_default().to_owned();
        let config = [("heat_url", url), ("poll_ms", "50")];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let grants = PluginGrants {
            http: vec![authority],
            config: BTreeMap::from(config),
            ..PluginGrants::default()
        };
        let settings = PluginSettings {
            cache_dir: Some(paths::target()?.join("handlers-cache")),
            per_plugin: BTreeMap::from([("heat_worker".to_owned(), grants)]),
            ..PluginSettings::default()
        };
        let mut loaded = plugin::load(&engine, &paths::handlers()?, &settings).await;
        let worker = loaded.workers.remove(&"heat_worker".into()).context("no heat_worker")?;
        let process = std::process::id();
        Ok(Self { worker, stack: format!("suite-{process}") })
    }

    async fn create_and_again(&self) -> Result<()> {
        let came = self.job(Action::Create, "one", TEMPLATE, &[("name", json!("net-one"))]).await;
        came.completed("CREATE_COMPLETE")?;
        ensure!(came.output("name") == Some(json!("net-one")), "{:?}", came.report.stack);
        let full = came.output("fq_name");
        ensure!(full == Some(json!("default-domain:admin:net-one")), "{full:?}");
        let stack = came.report.stack.as_ref().context("no stack record")?;
        ensure!(stack.stack_id == format!("port_{}-one", self.stack), "{}", stack.stack_id);
        ensure!(stack.tenant_id == TENANT, "{}", stack.tenant_id);
        // Called once more, as after a crash: what is there is taken over.
        let again = self.job(Action::Create, "one", TEMPLATE, &[("name", json!("net-one"))]).await;
        again.completed("UPDATE_COMPLETE")
    }

    async fn modify(&self) -> Result<()> {
        let came = self.job(Action::Modify, "one", TEMPLATE, &[("name", json!("net-two"))]).await;
        came.completed("UPDATE_COMPLETE")?;
        ensure!(came.output("name") == Some(json!("net-two")), "{:?}", came.report.stack);
        let came = self.job(Action::Modify, "two", TEMPLATE, &[("name", json!("net"))]).await;
        came.completed("CREATE_COMPLETE")
    }

    async fn delete(&self) -> Result<()> {
        for action in [Action::LogicalDelete, Action::Delete] {
            for stack in ["one", "two"] {
                let came = self.job(action, stack, "", &[]).await;
                came.completed("DELETE_COMPLETE")?;
                let stack = came.report.stack.as_ref().context("no stack record")?;
                ensure!(stack.stack_id.is_empty() && stack.outputs.is_empty(), "{stack:?}");
            }
        }
        Ok(())
    }

    async fn fail(&self) -> Result<()> {
        let name = [("name", json!("will-fail"))];
        let came = self.job(Action::Create, "three", TEMPLATE, &name).await;
        let why = came.fatal()?;
        ensure!(why.contains("backend refused"), "{why}");
        ensure!(came.status() == "CREATE_FAILED", "{}", came.status());
        let state = came.report.fields.get("orchestration_state");
        ensure!(state == Some(&json!("CREATE_ERROR")), "{state:?}");
        let fine = [("name", json!("fine"))];
        let came = self.job(Action::Modify, "three", TEMPLATE, &fine).await;
        came.completed("UPDATE_COMPLETE")?;
        self.job(Action::Delete, "three", "", &[]).await.completed("DELETE_COMPLETE")
    }

    async fn refused(&self) -> Result<()> {
        for (template, params, words) in [
            (TEMPLATE, vec![], "name"),
            (TEMPLATE, vec![("name", json!("n")), ("bogus", json!(1))], "bogus"),
            ("heat_template_version: 1999-01-01\nresources: {}", vec![], "1999-01-01"),
            ("resources: [", vec![], "400"),
        ] {
            let came = self.job(Action::Create, "four", template, &params).await;
            let why = came.fatal()?;
            ensure!(why.contains(words), "`{words}` is not in: {why}");
        }
        Ok(())
    }

    /// Calls the worker until the job has ended, as a host would.
    async fn job(
        &self,
        action: Action,
        stack: &str,
        template: &str,
        params: &[(&str, Json)],
    ) -> Came {
        let id = format!("{}-{stack}", self.stack);
        let mut params = params.to_vec();
        params.push(("jinja_shared", json!(false)));
        let job = Arc::new(Posted { job: job(action, &id, &params), attempts: 0 });
        let mut checkpoint = None;
        let mut report = Report::default();
        let mut tries = 1;
        for _ in 0..600 {
            let answer = self
                .worker
                .handle(Call {
                    job: Arc::clone(&job),
                    template_id: "suite".into(),
                    template_text: template.to_owned(),
                    checkpoint: checkpoint.clone(),
                    lookup: Arc::new(Nothing),
                })
                .await;
            report.stack = answer.report.stack.or(report.stack);
            report.fields.extend(answer.report.fields);
            match answer.outcome {
                Ok(Verdict::Pending { after_ms, checkpoint: next }) => {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    checkpoint = Some(next);
                }
                // Heat may be busy with what other tests ask of it.
                Ok(Verdict::Failed(Failure::Retry(_))) | Err(Fault::Deadline { .. })
                    if tries < TRIES_MAX =>
                {
                    tries += 1;
                }
                outcome => return Came { outcome, report, is_repeated: tries > 1 },
            }
        }
        let outcome = Err(Fault::Host("it is pending for ever".into()));
        Came { outcome, report, is_repeated: true }
    }
}

fn job(action: Action, id: &str, params: &[(&str, Json)]) -> Job {
    let params = params.iter().map(|(name, value)| Param {
        name: (*name).to_owned(),
        value: ParamValue::Value(value.clone()),
        resources: Vec::new(),
    });
    Job {
        id: format!("{action}:heat_worker:port:{id}:1:aaaaa").as_str().into(),
        action,
        handler: "heat_worker".into(),
        target: ResourceRef::new("port", id),
        version: Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: std::collections::BTreeSet::new(),
        params: params.collect(),
        input: json!({"id": id, "tenant_id": TENANT}),
    }
}

/// A store with nothing in it.
struct Nothing;

#[async_trait]
impl Lookup for Nothing {
    async fn stack(&self, _of: &ResourceRef) -> Result<Option<Stack>> {
        Ok(None)
    }

    async fn state(&self, _of: &ResourceRef) -> Result<Option<Json>> {
        Ok(None)
    }
}
