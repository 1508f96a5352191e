//! One step of a job: look at the stack, ask for what is missing, wait.

use serde_json::{Map, json};
use stokehold_sdk::{Failure, Host, Job, Json, Level, Next, Output, Stack, Verdict};

use crate::answer::{HEAT_MINS, Shown};
use crate::body;
use crate::checkpoint::{Checkpoint, Phase};
use crate::heat::{Asked, Heat, Made};
use crate::secrets::Secrets;
use crate::settings::Settings;

/// How often, and for how many milliseconds, the stack's old status is looked at before the action
/// is asked for again.
const UNSEEN_POLLS_MAX: u64 = 5;
const UNSEEN_MS_MIN: u64 = 5000;
/// What a look costs is paid by those who wait long: the pause is this part of the time waited.
const PAUSE_PART: u64 = 8;
/// How often a job begins anew because Heat was not as expected.
const ROUNDS_MAX: u64 = 5;

/// Does the next step of a job.
pub(crate) fn step(
    host: &dyn Host,
    secrets: &Secrets,
    job: &Job,
    checkpoint: Option<&Json>,
) -> Verdict {
    let settings = Settings::read(host)?;
    secrets.add(settings.heat_token.as_deref().unwrap_or_default(), "(token)");
    let tenant = job.resource_input.get("tenant_id").and_then(Json::as_str);
    let tenant = tenant.filter(|tenant| !tenant.is_empty()).ok_or_else(|| {
        let words = "has no tenant_id: it names the project of the stack";
        Failure::fatal(format!("{} {words}", job.target))
    })?;
    let name = format!("{}_{}", job.target.resource_type, job.target.resource_id);
    let heat = Heat::new(host, &settings, secrets, tenant);
    let work = Work { host, job, heat, settings: &settings, tenant, name };
    let checkpoint = match checkpoint.map(Checkpoint::read) {
        None => Checkpoint::start(),
        Some(Some(checkpoint)) => checkpoint,
        Some(None) => {
            host.log(Level::Warn, "the checkpoint is not one of heat_worker's: beginning anew");
            Checkpoint::start()
        }
    };
    let checkpoint = checkpoint.bounded(work.now_s(), || work.limit_s(work.asked_mins()));
    match checkpoint.phase {
        Phase::Look => work.look(&checkpoint),
        Phase::Create => work.creating(&checkpoint),
        Phase::Update => work.updating(checkpoint),
        Phase::Delete => work.deleting(checkpoint),
    }
}

struct Work<'a> {
    host: &'a dyn Host,
    job: &'a Job,
    heat: Heat<'a>,
    settings: &'a Settings,
    tenant: &'a str,
    name: String,
}

impl Work<'_> {
    fn look(&self, at: &Checkpoint) -> Verdict {
        // Whoever is to take down needs neither params nor a template that can be rendered.
        let takes_down = self.job.action.takes_down();
        let body = if takes_down { Map::new() } else { self.body()? };
        match self.heat.find(&self.name)?.filter(|shown| !shown.is_gone()) {
            None if takes_down => Ok(self.taken_down()),
            None => self.create(at, body),
            Some(shown) if takes_down || shown.status == "DELETE_FAILED" => self.delete(at, &shown),
            // An update is refused meanwhile, and what runs may be an earlier call's own doing.
            Some(shown) if shown.is_running() => self.still(&at.look(), &shown),
            Some(shown) => self.update(at, &shown, body),
        }
    }

    fn body(&self) -> Result<Map<String, Json>, Failure> {
        body::of(self.job, self.host.resolve_all()?, self.settings)
    }

    fn create(&self, at: &Checkpoint, body: Map<String, Json>) -> Verdict {
        self.say(Level::Info, "creating");
        match self.heat.create(&self.name, body)? {
            Made::Begun(id) if id.is_empty() => Ok(self.wait(&at.look())),
            Made::Begun(id) => Ok(self.wait(&at.creating(id))),
            Made::Exists => self.again(at),
        }
    }

    fn update(&self, at: &Checkpoint, shown: &Shown, body: Map<String, Json>) -> Verdict {
        self.say(Level::Info, "updating");
        match self.heat.update(&self.name, &shown.id, body)? {
            Asked::Accepted => Ok(self.wait(&at.asked(Phase::Update, shown))),
            Asked::Busy => self.still(&at.look(), shown),
            Asked::Missing => self.again(at),
        }
    }

    fn delete(&self, at: &Checkpoint, shown: &Shown) -> Verdict {
        let asked = at.asked(Phase::Delete, shown);
        if shown.status == "DELETE_IN_PROGRESS" {
            return Ok(self.wait(&asked.running()));
        }
        self.say(Level::Info, "deleting");
        match self.heat.delete(&self.name, &shown.id)? {
            Asked::Accepted => Ok(self.wait(&asked)),
            Asked::Busy => self.still(&at.look(), shown),
            Asked::Missing => Ok(self.gone(at)),
        }
    }

    fn creating(&self, at: &Checkpoint) -> Verdict {
        match self.heat.show_plain(&self.name, &at.stack)? {
            Some(shown) if shown.is_running() && shown.status != "DELETE_IN_PROGRESS" => {
                self.still(at, &shown)
            }
            Some(shown) if !shown.status.starts_with("DELETE_") => self.settled(at, &shown),
            _ => self.again(at),
        }
    }

    fn updating(&self, at: Checkpoint) -> Verdict {
        let shown = match self.heat.show_plain(&self.name, &at.stack)? {
            Some(shown) if !shown.status.starts_with("DELETE_") => shown,
            _ => return self.again(&at),
        };
        if shown.is_running() {
            return self.still(&at.running(), &shown);
        }
        // Heat's clock ticks in seconds: an update right after another ends with the same status
        // and time. Then it is asked for once more, as it may as well not have begun.
        let is_of_it = ["UPDATE_", "ROLLBACK_"].iter().any(|start| shown.status.starts_with(start));
        if at.ran || (moved(&at, &shown) && is_of_it) {
            return self.settled(&at, &shown);
        }
        self.unseen(at)
    }

    /// After a deletion was asked for, only `DELETE_*` counts: a creation that it breaks off shows
    /// as failed before.
    fn deleting(&self, at: Checkpoint) -> Verdict {
        let Some(shown) = self.heat.show_plain(&self.name, &at.stack)? else {
            return Ok(self.gone(&at));
        };
        match shown.status.as_str() {
            "DELETE_COMPLETE" => Ok(self.gone(&at)),
            "DELETE_IN_PROGRESS" => self.still(&at.running(), &shown),
            "DELETE_FAILED" if at.ran || moved(&at, &shown) => self.failed(&shown),
            _ if shown.is_running() => self.still(&at, &shown),
            _ => self.unseen(at),
        }
    }

    /// An old stack is out of the way.
    fn gone(&self, at: &Checkpoint) -> Next {
        if self.job.action.takes_down() { self.taken_down() } else { self.wait(&at.look_afresh()) }
    }

    fn settled(&self, at: &Checkpoint, shown: &Shown) -> Verdict {
        if !shown.is_up() {
            return self.failed(shown);
        }
        match self.heat.show(&self.name, &at.stack)? {
            Some(full) if full.is_up() => Ok(self.put_up(full)),
            // Something else began between the two looks.
            _ => self.again(at),
        }
    }

    fn put_up(&self, shown: Shown) -> Next {
        let outputs = shown.outputs.iter().map(reported).collect();
        self.host.report("heat_outputs", &Json::Array(outputs));
        self.report_state(&shown.status);
        self.host.publish(&Stack {
            stack_id: self.name.clone(),
            tenant_id: self.tenant.to_owned(),
            status: shown.status,
            status_reason: shown.reason,
            outputs: shown.outputs,
        });
        Next::Completed
    }

    fn taken_down(&self) -> Next {
        self.host.report("heat_outputs", &json!([]));
        self.report_state("DELETE_COMPLETE");
        self.host.publish(&Stack {
            tenant_id: self.tenant.to_owned(),
            status: "DELETE_COMPLETE".to_owned(),
            ..Stack::default()
        });
        Next::Completed
    }

    fn failed(&self, shown: &Shown) -> Verdict {
        self.publish_failed(shown);
        let reason = if shown.reason.is_empty() { "no reason given" } else { &shown.reason };
        let what = if shown.is_failed() { "is" } else { "ended as" };
        let is_undone = shown.status == "ROLLBACK_COMPLETE";
        let cause = is_undone.then(|| self.heat.undone(&self.name, shown)).flatten();
        let cause = cause.map(|cause| format!("; what failed was {cause}")).unwrap_or_default();
        let words = format!("stack {} {what} {}: {reason}{cause}", self.name, shown.status);
        Err(Failure::fatal(words))
    }

    fn publish_failed(&self, shown: &Shown) {
        // What an earlier version put out is still there for those who refer to it.
        let known = self.host.find_stack(&self.job.target).ok().flatten().unwrap_or_default();
        self.host.publish(&Stack {
            stack_id: self.name.clone(),
            tenant_id: self.tenant.to_owned(),
            status: shown.status.clone(),
            status_reason: shown.reason.clone(),
            outputs: known.outputs,
        });
    }

    /// Heat is at it: waits, but not for ever.
    fn still(&self, at: &Checkpoint, shown: &Shown) -> Verdict {
        let at = at.going_on(shown, self.now_s());
        let of_stack_s = at.since_s.saturating_add(self.limit_s(at.mins));
        if self.now_s() < at.until_s.max(of_stack_s) {
            return Ok(self.wait(&at));
        }
        self.publish_failed(shown);
        let mins = self.now_s().saturating_sub(at.since_s) / 60;
        let still = format!("is still {} after {mins} min", shown.status);
        Err(Failure::fatal(format!("stack {} {still}: Heat does not end it", self.name)))
    }

    /// What was asked for is not to be seen: looks on for a while, then asks again.
    fn unseen(&self, at: Checkpoint) -> Verdict {
        if at.polls < UNSEEN_POLLS_MAX || at.unseen_ms < UNSEEN_MS_MIN {
            let pause_ms = self.pause_ms(&at);
            return Ok(self.wait(&at.unseen(pause_ms)));
        }
        self.again(&at)
    }

    /// Begins anew. When that was of no use too often, the checkpoint stays: another try looks
    /// whether Heat has come to it meanwhile.
    fn again(&self, at: &Checkpoint) -> Verdict {
        if at.rounds < ROUNDS_MAX {
            return Ok(self.wait(&at.anew()));
        }
        let words = "something else keeps changing it, or Heat accepts and does nothing";
        Err(Failure::retry(format!("cannot get hold of stack {}: {words}", self.name)))
    }

    fn now_s(&self) -> u64 {
        self.host.now_ms() / 1000
    }

    /// Seconds until Heat must have ended an action that has so many minutes.
    fn limit_s(&self, mins: u64) -> u64 {
        mins.saturating_add(self.settings.timeout_margin_mins).saturating_mul(60)
    }

    /// Minutes that the job asks Heat to take at most. A deletion cannot ask: for it they are those
    /// that stacks usually have.
    fn asked_mins(&self) -> u64 {
        let given = if self.job.action.takes_down() {
            None
        } else {
            // A param that cannot be had stops the job where the request is made.
            self.host.resolve("heat_timeout").ok().and_then(|given| body::minutes(&given).ok())
        };
        match given.flatten() {
            // Heat takes it for not given.
            Some(0) => HEAT_MINS,
            given => given.unwrap_or(self.settings.timeout_mins),
        }
    }

    fn report_state(&self, status: &str) {
        if self.settings.report_orchestration_state {
            self.host.report("orchestration_state", &json!(status));
        }
    }

    fn wait(&self, checkpoint: &Checkpoint) -> Next {
        Next::Pending { after_ms: self.pause_ms(checkpoint), checkpoint: checkpoint.write() }
    }

    /// Quick at first, then slower: the end of what takes long is seen an eighth of its time late.
    fn pause_ms(&self, at: &Checkpoint) -> u64 {
        let begun_s = if at.until_s == 0 { self.now_s() } else { at.since_s };
        let waited_ms = self.now_s().saturating_sub(begun_s).saturating_mul(1000);
        (waited_ms / PAUSE_PART).clamp(self.settings.poll_ms, self.settings.poll_ms_max)
    }

    fn say(&self, level: Level, what: &str) {
        self.host.log(level, &format!("{what} stack {}", self.name));
    }
}

/// Whether the stack looks other than when the action was asked for.
fn moved(at: &Checkpoint, shown: &Shown) -> bool {
    (&shown.status, &shown.updated) != (&at.before.0, &at.before.1)
}

fn reported(output: &Output) -> Json {
    let mut json = json!({
        "output_key": output.key,
        "output_value": output.value,
        "description": output.description,
    });
    if let (Some(error), Some(fields)) = (&output.error, json.as_object_mut()) {
        fields.insert("output_error".to_owned(), json!(error));
    }
    json
}
