//! Pieces of work.

use std::collections::BTreeSet;
use std::fmt;

use super::{HandlerName, JobId, Json, ResourceRef, TemplateId, Version};

/// What a job does with its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Put up.
    Create,
    /// Change in place.
    Modify,
    /// Take down: part of an update, or the config is gone.
    Delete,
    /// Take down: the resource is marked for deletion.
    LogicalDelete,
}

impl Action {
    /// As job ids spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::Delete => "delete",
            Self::LogicalDelete => "logical_delete",
        }
    }

    /// As states spell it, before `_COMPLETED` and `_FAILED`: both deletions are `DELETE`.
    pub fn state_word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Modify => "MODIFY",
            Self::Delete | Self::LogicalDelete => "DELETE",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the failure of a job means for those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They are cancelled.
    Fail,
    /// They go on.
    Ignore,
}

/// One job: one handler, one version of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The same for the same change, however often it is planned.
    pub id: JobId,
    /// What to do.
    pub action: Action,
    /// Who does it.
    pub handler: HandlerName,
    /// The resource.
    pub target: ResourceRef,
    /// The config version that asked for it.
    pub version: Version,
    /// It begins its workflow.
    pub is_first: bool,
    /// It ends its workflow and reports the state.
    pub is_last: bool,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// Jobs that must be finished before.
    pub dependency: BTreeSet<JobId>,
    /// What the handler asks for by name.
    pub params: Vec<Param>,
    /// The body of the config that asked for it.
    pub input: Json,
}

impl Job {
    /// `kind:id:version`, shared by all jobs of a workflow.
    pub fn name(&self) -> String {
        format!("{}:{}", self.target, self.version)
    }

    /// Whose it is; empty where the config does not say.
    pub fn tenant(&self) -> &str {
        self.input.get("tenant_id").and_then(Json::as_str).unwrap_or_default()
    }

    /// Every resource that the params refer to, the targets of output keys included.
    pub fn refers_to(&self) -> BTreeSet<&ResourceRef> {
        fn collect<'a>(params: &'a [Param], found: &mut BTreeSet<&'a ResourceRef>) {
            for param in params {
                found.extend(&param.resources);
                match &param.value {
                    ParamValue::Value(_) => {}
                    ParamValue::Output { of, .. } => {
                        found.insert(of);
                    }
                    ParamValue::List(items) => collect(items, found),
                }
            }
        }
        let mut found = BTreeSet::new();
        collect(&self.params, &mut found);
        found
    }
}

/// One named param of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What is known of its value.
    pub value: ParamValue,
    /// The resources walked through for it, in order; elements of a list have none of their own.
    pub resources: Vec<ResourceRef>,
}

/// What is known of a param's value when the job is posted.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// The value.
    Value(Json),
    /// An output of a stack, looked up when the job runs.
    Output {
        /// The output's key.
        key: String,
        /// The resource whose stack it is.
        of: ResourceRef,
    },
    /// Elements of which at least one is an output.
    List(Vec<Param>),
}

/// A job as it lies in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// The job.
    pub job: Job,
    /// How many tries failed since the last progress.
    pub attempts: u32,
}

/// The small, changing side of a job, kept apart from its large body.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The template that the job's handler gets.
    pub template: TemplateId,
    /// What the handler's last `pending` gave.
    pub checkpoint: Option<Json>,
    /// Not to be run before this moment, in milliseconds of Unix time; 0 is any time.
    pub wake_ms: u64,
    /// What went wrong at the last try, for those who look; empty when nothing did.
    pub trouble: String,
}
