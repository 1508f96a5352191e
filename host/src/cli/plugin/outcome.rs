//! What a call of a plugin looks like to its author: text for eyes, JSON for machines.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::recorded::{Recorded, differences};
use super::rehearsal::{Probe, Scene};
use crate::cli::Answer;
use crate::cli::plain::plain;
use crate::domain::{Alias, Failure, MonitorCall, Report, Stack, Verdict};
use crate::flow::recordings;
use crate::plugin::{Found, Frame, Seen};
use crate::wire;

/// Functions of a trap that are shown.
const FRAMES_MAX: usize = 12;
const NO_LINES: &str =
    "the component has no line tables: built with them, a trap shows file and line";

/// Who is to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Form {
    Text,
    Json,
}

/// Prints the calls of a handler. The answer is no where the last one failed or asked in vain.
pub(in crate::cli) fn calls(
    form: Form,
    found: &Found,
    scenes: &[Scene],
    unused: &[String],
) -> Result<Answer> {
    print(form, found, scenes, &[], unused)?;
    let is_well = scenes.last().is_some_and(|scene| {
        matches!(scene.answer.outcome, Ok(Verdict::Completed | Verdict::Pending { .. }))
    });
    Ok(answer(is_well && scenes.iter().all(|scene| scene.seen.unanswered.is_empty())))
}

/// Prints calls that were made again. The answer is no where one came out otherwise than before, or sent something
/// else.
pub(in crate::cli) fn replay(
    form: Form,
    found: &Found,
    scenes: &[Scene],
    recorded: &[Recorded],
    unused: &[String],
) -> Result<Answer> {
    print(form, found, scenes, recorded, unused)?;
    let mut pairs = scenes.iter().zip(recorded);
    Ok(answer(pairs.all(|(scene, before)| differences(scene, before).is_empty())))
}

fn print(
    form: Form,
    found: &Found,
    scenes: &[Scene],
    recorded: &[Recorded],
    unused: &[String],
) -> Result<()> {
    let before = recorded.iter().map(Some).chain(std::iter::repeat(None));
    let text = match form {
        Form::Json => {
            let calls = scenes.iter().zip(before).map(|(scene, before)| {
                let mut call = scene_json(scene);
                if let Some(before) = before {
                    let differences = differences(scene, before);
                    add(&mut call, json!({"recorded": before.outcome, "differences": differences}));
                }
                call
            });
            whole(found, "calls", &calls.collect(), unused)
        }
        Form::Text => {
            let calls = scenes.iter().zip(before).enumerate().map(|(nth, (scene, before))| {
                let mut text = scene_text(nth + 1, scene);
                if let Some(before) = before {
                    let differences = differences(scene, before);
                    let how = if differences.is_empty() { "the same" } else { "DIFFERS" };
                    let mut lines = Lines(String::new());
                    lines.add("recorded", &format!("{} ({how})", before.outcome));
                    for difference in differences {
                        lines.add("otherwise", &difference);
                    }
                    text.push_str(&lines.0);
                }
                text
            });
            calls.chain([left_over(unused)]).collect()
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Prints a look of a prober.
pub(in crate::cli) fn probe(
    form: Form,
    found: &Found,
    probe: &Probe,
    unused: &[String],
) -> Result<Answer> {
    let text = match form {
        Form::Json => whole(found, "probe", &probe_json(probe), unused),
        Form::Text => probe_text(probe) + &left_over(unused),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(answer(matches!(probe.status, Ok(Ok(_))) && probe.seen.unanswered.is_empty()))
}

fn answer(is_well: bool) -> Answer {
    if is_well { Answer::Yes } else { Answer::No }
}

fn whole(found: &Found, what: &str, said: &Json, unused: &[String]) -> String {
    let (name, digest) = match found {
        Found::Worker(worker) => (worker.name(), worker.digest()),
        Found::Prober(prober) => (prober.name(), prober.digest()),
    };
    let whole = json!({"plugin": name, "digest": digest, what: said, "unused_answers": unused});
    format!("{whole:#}\n")
}

fn left_over(unused: &[String]) -> String {
    unused.iter().fold(String::new(), |mut text, it| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "note: nobody asked for the answer to {}", plain(it));
        text
    })
}

fn costs(seen: &Seen) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a figure for eyes")]
    let (ms, mib) =
        (seen.took.as_secs_f64() * 1000.0, seen.memory_bytes as f64 / f64::from(1 << 20));
    format!("{ms:.1} ms, {mib:.1} MiB of memory")
}

/// Lines of one call, each with what it is about.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, about: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {about:<10} {}", plain(text));
    }
}

fn scene_text(number: usize, scene: &Scene) -> String {
    let outcome = recordings::outcome(&scene.answer.outcome);
    let head = format!("call {number}: {} ({})\n", plain(&outcome), costs(&scene.seen));
    let mut lines = Lines(head);
    seen_text(&mut lines, &scene.seen);
    report_text(&mut lines, &scene.answer.report);
    if let Ok(Verdict::Pending { checkpoint, .. }) = &scene.answer.outcome {
        lines.add("checkpoint", &checkpoint.to_string());
    }
    lines.0
}

fn probe_text(probe: &Probe) -> String {
    let status = match &probe.status {
        Ok(Ok(status)) => status.clone(),
        Ok(Err(Failure::Retry(why))) => format!("no status, to be tried again: {why}"),
        Ok(Err(Failure::Fatal(why))) => format!("no status: {why}"),
        Err(fault) => format!("fault: {fault}"),
    };
    let mut lines = Lines(format!("probe: {} ({})\n", plain(&status), costs(&probe.seen)));
    seen_text(&mut lines, &probe.seen);
    lines.0
}

fn seen_text(lines: &mut Lines, seen: &Seen) {
    let frames = telling(&seen.frames);
    for (nth, frame) in frames.iter().take(FRAMES_MAX).enumerate() {
        let place = frame.place.as_ref().map(|(file, line)| format!("  {file}:{line}"));
        let name = if frame.function.is_empty() { "(no name)" } else { &frame.function };
        lines.add(
            if nth == 0 { "trap at" } else { "" },
            &format!("{name}{}", place.unwrap_or_default()),
        );
    }
    if !frames.is_empty() && frames.iter().all(|frame| frame.place.is_none()) {
        lines.add("", NO_LINES);
    }
    for (level, line) in &seen.log {
        lines.add("log", &format!("{level:<5} {line}"));
    }
    for (stream, printed) in [("stdout", &seen.stdout), ("stderr", &seen.stderr)] {
        for line in printed {
            lines.add(stream, line);
        }
    }
    for exchange in &seen.exchanges {
        let came = match &exchange.status {
            Ok(status) => format!("{status}, {} bytes", exchange.answer.body.len()),
            Err(word) => word.clone(),
        };
        lines.add("http", &format!("{} {}: {came}", exchange.method, exchange.url));
    }
    for request in &seen.unanswered {
        lines.add("no answer", &missing(request));
    }
    if seen.dropped_bytes > 0 {
        lines.add(
            "note",
            &format!("{} bytes of bodies were too many to be kept", seen.dropped_bytes),
        );
    }
}

/// What would answer the request, to be pasted into the file of answers.
fn missing(request: &str) -> String {
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    let answer = json!({"method": method, "url": url, "status": 200, "body": {}});
    format!("to {request}: add {answer} to the answers, or --record real ones")
}

/// Without the machinery of a panic, unless that is all there is. Where nothing has a name, one stands for all.
fn telling(frames: &[Frame]) -> Vec<&Frame> {
    let telling: Vec<_> = frames.iter().filter(|frame| !frame.is_machinery()).collect();
    let mut telling = if telling.is_empty() { frames.iter().collect() } else { telling };
    if telling.iter().all(|frame| frame.function.is_empty() && frame.place.is_none()) {
        telling.truncate(1);
    }
    telling
}

fn report_text(lines: &mut Lines, report: &Report) {
    for (field, value) in &report.fields {
        lines.add("state", &format!("{field} = {value}"));
    }
    if let Some(stack) = &report.stack {
        let reason = if stack.status_reason.is_empty() { "" } else { ": " };
        lines.add(
            "stack",
            &format!("{} {}{reason}{}", stack.stack_id, stack.status, stack.status_reason),
        );
        for output in &stack.outputs {
            let error =
                output.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            lines.add("", &format!("output {} = {}{error}", output.key, output.value));
        }
    }
    for call in &report.monitor {
        lines.add("monitor", &monitor_text(call));
    }
}

fn monitor_text(call: &MonitorCall) -> String {
    let named = |alias: &Alias| format!("{} {} of {}", alias.relation, alias.mapped_id, alias.of);
    match call {
        MonitorCall::Register(target) => {
            format!("register {} of kind {}: {}", target.name, target.kind, target.properties)
        }
        MonitorCall::Unregister(name) => format!("unregister {name}"),
        MonitorCall::AddAlias(alias) => format!("add mapping {}", named(alias)),
        MonitorCall::RemoveAlias(alias) => format!("remove mapping {}", named(alias)),
        MonitorCall::Clear => "clear".to_owned(),
    }
}

fn scene_json(scene: &Scene) -> Json {
    let (word, reason) = match &scene.answer.outcome {
        Ok(Verdict::Completed) => ("completed", None),
        Ok(Verdict::Pending { .. }) => ("pending", None),
        Ok(Verdict::Failed(Failure::Retry(why))) => ("retry", Some(why.clone())),
        Ok(Verdict::Failed(Failure::Fatal(why))) => ("fatal", Some(why.clone())),
        Err(fault) => ("fault", Some(fault.to_string())),
    };
    let (after_ms, checkpoint) = match &scene.answer.outcome {
        Ok(Verdict::Pending { after_ms, checkpoint }) => (Some(after_ms), Some(checkpoint)),
        _ => (None, None),
    };
    let report = &scene.answer.report;
    let mut call = json!({
        "verdict": word,
        "reason": reason,
        "after_ms": after_ms,
        "checkpoint": checkpoint,
        "state": report.fields,
        "stack": report.stack.as_ref().map(stack_json),
        "monitor": report.monitor.iter().map(monitor_json).collect::<Vec<_>>(),
    });
    add(&mut call, seen_json(&scene.seen));
    call
}

fn probe_json(probe: &Probe) -> Json {
    let (status, reason) = match &probe.status {
        Ok(Ok(status)) => (Some(status.clone()), None),
        Ok(Err(Failure::Retry(why) | Failure::Fatal(why))) => (None, Some(why.clone())),
        Err(fault) => (None, Some(fault.to_string())),
    };
    let mut said = json!({"status": status, "reason": reason});
    add(&mut said, seen_json(&probe.seen));
    said
}

fn add(to: &mut Json, more: Json) {
    if let (Json::Object(to), Json::Object(more)) = (to, more) {
        to.extend(more);
    }
}

fn seen_json(seen: &Seen) -> Json {
    let log = seen.log.iter().map(|(level, line)| json!({"level": level, "message": line}));
    let trap = seen.frames.iter().map(|frame| {
        let (file, line) = frame.place.clone().unzip();
        json!({"function": frame.function, "file": file, "line": line})
    });
    // What was spelled as text a moment ago is JSON.
    let http: Json =
        serde_json::from_str(&wire::spell_answers(&seen.exchanges)).unwrap_or_default();
    json!({
        "log": log.collect::<Vec<_>>(),
        "stdout": seen.stdout,
        "stderr": seen.stderr,
        "http": http,
        "unanswered": seen.unanswered,
        "trap": trap.collect::<Vec<_>>(),
        "took_us": u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX),
        "memory_bytes": seen.memory_bytes,
    })
}

fn stack_json(stack: &Stack) -> Json {
    let outputs = stack.outputs.iter().map(|output| {
        json!({
            "output_key": output.key,
            "output_value": output.value,
            "description": output.description,
            "output_error": output.error,
        })
    });
    json!({
        "stack_id": stack.stack_id,
        "tenant_id": stack.tenant_id,
        "stack_status": stack.status,
        "status_reason": stack.status_reason,
        "output": outputs.collect::<Vec<_>>(),
    })
}

fn monitor_json(call: &MonitorCall) -> Json {
    let alias = |what: &str, alias: &Alias| {
        json!({
            "call": what,
            "mapped_id": alias.mapped_id,
            "relation": alias.relation,
            "of": alias.of.to_string(),
        })
    };
    match call {
        MonitorCall::Register(target) => json!({
            "call": "register",
            "name": target.name,
            "kind": target.kind,
            "topic": target.topic,
            "properties": target.properties,
            "interval_ms": target.interval_ms,
        }),
        MonitorCall::Unregister(name) => json!({"call": "unregister", "name": name}),
        MonitorCall::AddAlias(it) => alias("add_mapping", it),
        MonitorCall::RemoveAlias(it) => alias("remove_mapping", it),
        MonitorCall::Clear => json!({"call": "clear"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_without_a_name_are_one_line() {
        let shown = |names: &[&str]| {
            let frame = |name: &&str| Frame { function: (*name).to_owned(), place: None };
            let seen = Seen { frames: names.iter().map(frame).collect(), ..Seen::default() };
            let mut lines = Lines::default();
            seen_text(&mut lines, &seen);
            lines.0
        };
        let none = format!("  trap at    (no name)\n             {NO_LINES}\n");
        assert_eq!(shown(&[""; 12]), none);
        assert_eq!(shown(&["", "f", ""]).matches("(no name)").count(), 2);
    }
}
