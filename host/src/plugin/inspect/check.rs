//! Whether a file can be used as a plugin, and what it needs for it: everything a host looks at when it loads the
//! file, its trial included where the operator's settings are there for it, and where that fails, why, in plain words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Inspection, Offer, inspect};
use crate::domain::UpdateStyle;
use crate::plugin::asked::{Asked, Standing, Wish, wishes};
use crate::plugin::cache::{Cache, hex};
use crate::plugin::convert::{Described, line};
use crate::plugin::engine::Engine;
use crate::plugin::grant::PluginSettings;
use crate::plugin::load::{Candidate, Found, check_format, check_name, read};
use crate::plugin::{provenance, trial};

/// Granted where nothing was, so that a plugin can be linked and asked what it wants. It describes itself only, and
/// whoever describes itself has no network.
const NOWHERE: &str = "nowhere.invalid:1";
/// Asked things that are told.
const ASKED_MAX: usize = 64;
/// Bytes of a text of the plugin's that are shown.
const TEXT_BYTES_MAX: u64 = 512;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing, and nothing that a word of the operator could change.
    Remark,
    /// It works once the operator has said so.
    Need,
    /// It cannot be used.
    Failure,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `file`, `origin`, `world`, `imports`, `describe`, `grants`, `limits`, `trial`.
    pub check: &'static str,
    /// How it is.
    pub severity: Severity,
    /// In words, with what to do.
    pub text: String,
}

/// What a plugin says of itself when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// The handlers it comes after; none for a prober.
    pub after: Vec<String>,
    /// Whether an update takes down and puts up again; `None` for a prober.
    pub recreates: Option<bool>,
    /// The kinds of target it probes; none for a handler.
    pub kinds: Vec<String>,
    /// The grants it asks for, as kind and value.
    pub grants: Vec<(String, String)>,
    /// The limits it asks for, each in the unit that ends its name.
    pub limits: Vec<(String, u64)>,
}

/// Everything about one file.
#[derive(Clone, Debug)]
pub struct Checkup {
    /// The file.
    pub file: PathBuf,
    /// What it says of itself; `None` where it is no component.
    pub inspection: Option<Inspection>,
    /// What it says when it is asked; `None` where it cannot be.
    pub about: Option<About>,
    /// In the order in which a host looks.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// The worst of its findings.
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    fn add(&mut self, check: &'static str, severity: Severity, text: impl Into<String>) {
        self.findings.push(Finding { check, severity, text: text.into() });
    }
}

/// Checks one file against this host, and where there are any, against the operator's settings. Without settings
/// everything that is asked for is a need.
pub async fn check(engine: &Engine, file: &Path, settings: Option<&PluginSettings>) -> Checkup {
    let mut checkup =
        Checkup { file: file.to_owned(), inspection: None, about: None, findings: Vec::new() };
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Err(why) = check_name(stem) {
        checkup.add("file", Severity::Failure, why);
    }
    let bytes = match read(file).and_then(|bytes| check_format(&bytes).map(|()| bytes)) {
        Ok(bytes) => bytes,
        Err(why) => {
            checkup.add("file", Severity::Failure, why);
            return checkup;
        }
    };
    let digest = hex(&Sha256::digest(&bytes));
    if let Some(settings) = settings {
        match provenance::check(&settings.trust, file, &bytes, &digest) {
            Ok((trust, _)) => checkup.add("origin", Severity::Ok, trust.to_string()),
            Err(why) => checkup.add("origin", Severity::Failure, why),
        }
    }
    let inspection = match inspect(&bytes) {
        Ok(inspection) => inspection,
        Err(why) => {
            checkup.add("file", Severity::Failure, why);
            return checkup;
        }
    };
    let bytes = inspection.bytes;
    checkup.add("file", Severity::Ok, format!("{bytes} bytes, SHA-256 {digest}"));
    look(&mut checkup, &inspection);
    let is_sound = inspection.flaws.is_empty();
    checkup.inspection = Some(inspection);
    if is_sound && checkup.severity() < Severity::Failure {
        describe(&mut checkup, engine, stem, settings).await;
    }
    checkup
}

/// World and imports, as the file says them.
fn look(checkup: &mut Checkup, inspection: &Inspection) {
    match inspection.kind {
        Some(kind) => {
            let contract = inspection.contract.as_deref().unwrap_or("unknown");
            let text = format!("a {} for stokehold:worker@{contract}", kind.word());
            checkup.add("world", Severity::Ok, text);
        }
        None => checkup.add("world", Severity::Failure, "fits no world of the contract"),
    }
    for flaw in &inspection.flaws {
        checkup.add("imports", Severity::Failure, flaw.clone());
    }
    if inspection.flaws.is_empty() {
        let text = format!("all {} are offered by this host", inspection.imports.len());
        checkup.add("imports", Severity::Ok, text);
    }
}

/// Loads it as a host does, with a grant where the import alone needs one, and compares what it asks for with what
/// it has.
async fn describe(
    checkup: &mut Checkup,
    engine: &Engine,
    stem: &str,
    settings: Option<&PluginSettings>,
) {
    let all = settings.cloned().unwrap_or_default();
    let granted = match all.granted(stem) {
        Ok(granted) => granted,
        Err(why) => {
            checkup.add("grants", Severity::Failure, line(&why, 4 * TEXT_BYTES_MAX));
            return;
        }
    };
    let mut imports = checkup.inspection.iter().flat_map(|inspection| &inspection.imports);
    let has_http = !granted.http.is_empty() || granted.keystone.is_some();
    let lacks_http = !has_http && imports.any(|import| import.offer == Offer::Grant("http"));
    let bounds = all.bounds.with(&granted.bounds);
    let enough = all.for_one(stem, |own| {
        if lacks_http {
            own.http.push(NOWHERE.to_owned());
        }
    });
    let enough = enough.unwrap_or_default();
    let cache = enough.cache_dir.as_deref().and_then(|dir| Cache::open(dir).ok()).map(Arc::new);
    let file = checkup.file.clone();
    let one = Candidate { engine, settings: &enough, file: &file, cache: cache.as_ref() };
    let (described, found) = match one.load().await {
        Ok(loaded) => loaded,
        Err(why) => {
            checkup.add("describe", Severity::Failure, line(&why, 4 * TEXT_BYTES_MAX));
            return;
        }
    };
    let about = about(&described, &found);
    checkup.add("describe", Severity::Ok, words(&about));
    checkup.about = Some(about);
    if lacks_http {
        let text = format!(
            "imports wasi:http, which has to be granted: http = [\"HOST:PORT\"] under \
             [plugins.{stem}] in stokehold.toml, or --grant-http {stem}=HOST:PORT"
        );
        checkup.add("grants", Severity::Need, text);
    }
    for wish in wishes(&Asked::of(&described), &granted, &bounds) {
        tell(checkup, stem, &wish);
    }
    // Without its grants a host would not come so far, and without settings there is nothing to try it with.
    if settings.is_some() && !lacks_http && trial::is_offered(&found) {
        match trial::attempt(&found).await {
            Ok(()) => checkup.add("trial", Severity::Ok, "stands its trial"),
            Err(why) => {
                let why = line(&why, 4 * TEXT_BYTES_MAX);
                let text = format!("{why}; a running host keeps the version before it");
                checkup.add("trial", Severity::Failure, text);
            }
        }
    }
}

/// One thing that is asked for, against what is granted.
fn tell(checkup: &mut Checkup, stem: &str, wish: &Wish) {
    let Wish { kind, asked, setting, is_limit, .. } = wish;
    let check = if *is_limit { "limits" } else { "grants" };
    let origin = setting.as_ref().map(|key| format!(" (its setting {key})")).unwrap_or_default();
    let what = if *is_limit { format!("{asked} {kind}") } else { format!("{kind} {asked}") };
    let remedy = wish.line.as_ref().map(|line| format!("{line} under [plugins.{stem}]"));
    let remedy = remedy.unwrap_or_default();
    let (severity, text) = match wish.standing {
        Standing::Granted => (Severity::Ok, format!("asks for {what}{origin}, and has it")),
        Standing::Refused => (Severity::Need, format!("asks for {what}{origin}: add {remedy}")),
        Standing::Unset => (Severity::Ok, format!("may be given {what}: {remedy}")),
        // A host loads it all the same.
        Standing::Unasked => {
            let text = format!("is given {what}, but never asks for it: is the name right?");
            (Severity::Remark, text)
        }
        // No setting would help, and the host loads it all the same.
        Standing::Beyond { most } => (
            Severity::Remark,
            format!("asks for {what}: more than this host can give ({most} at most)"),
        ),
        Standing::Unclear if *is_limit => {
            (Severity::Remark, format!("asks for {what}, a limit that this host does not know"))
        }
        Standing::Unclear => {
            (Severity::Need, format!("asks for {what}{origin}, which this host does not know"))
        }
    };
    checkup.add(check, severity, text);
}

fn about(said: &Described, found: &Found) -> About {
    let text = |text: &str| line(text, TEXT_BYTES_MAX);
    let (after, recreates, kinds) = match found {
        Found::Worker(worker) => {
            let handler = worker.handler();
            let after = handler.after.iter().map(|name| text(name.as_str())).collect();
            (after, Some(handler.update == UpdateStyle::Recreate), Vec::new())
        }
        Found::Prober(prober) => {
            (Vec::new(), None, prober.kinds().iter().map(|kind| text(kind)).collect())
        }
    };
    let grants = said.grants.iter().take(ASKED_MAX);
    let limits = said.limits.iter().take(ASKED_MAX);
    About {
        name: text(&said.name),
        after,
        recreates,
        kinds,
        grants: grants.map(|asked| (text(&asked.kind), text(&asked.value))).collect(),
        limits: limits.map(|asked| (text(&asked.name), asked.value)).collect(),
    }
}

fn words(about: &About) -> String {
    let About { name, after, .. } = about;
    match about.recreates {
        None => format!("prober {name} of {}", about.kinds.join(", ")),
        Some(_) if after.is_empty() => format!("handler {name}"),
        Some(_) => format!("handler {name}, after {}", after.join(", ")),
    }
}
