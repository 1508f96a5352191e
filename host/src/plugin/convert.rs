//! The contract's words ⇄ the nouns of the house. What a guest says is read strictly: errors name what was wrong.

use std::collections::BTreeSet;

use super::bindings::{handler, monitor, prober, stack_output, types};
use super::call::Call;
use super::probe::Subject;
use crate::domain::{
    Action, Alias, Failure, Handler, HandlerName, Json, Output, ResourceRef, Stack, Target,
    UpdateStyle, Verdict,
};

/// Bytes of an error text that are kept; the rest is cut.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// What a plugin says of itself.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) limits: Vec<types::Limit>,
    pub(super) grants: Vec<types::Grant>,
}

pub(super) fn json(what: &str, text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|why| format!("{what} is not JSON: {why}"))
}

fn json_object(what: &str, text: &str) -> Result<Json, String> {
    match json(what, text)? {
        object @ Json::Object(_) => Ok(object),
        _ => Err(format!("{what} is not a JSON object")),
    }
}

pub(super) fn resource_ref(of: types::ResourceRef) -> ResourceRef {
    ResourceRef::new(of.resource_type, of.resource_id)
}

pub(super) fn of(of: &ResourceRef) -> types::ResourceRef {
    types::ResourceRef {
        resource_type: of.kind.as_str().to_owned(),
        resource_id: of.id.as_str().to_owned(),
    }
}

pub(super) fn job(call: &Call) -> types::Job {
    let job = &call.job.job;
    types::Job {
        id: job.id.as_str().to_owned(),
        action: match job.action {
            Action::Create => types::Action::Create,
            Action::Modify => types::Action::Modify,
            Action::Delete => types::Action::Delete,
            Action::LogicalDelete => types::Action::LogicalDelete,
        },
        target: of(&job.target),
        version: job.version.0,
        attempt: call.job.attempts,
        template_id: call.template_id.as_str().to_owned(),
        template: call.template_text.clone(),
        resource_input: job.input.to_string(),
    }
}

pub(super) fn verdict(verdict: types::Verdict) -> Result<Verdict, String> {
    Ok(match verdict {
        types::Verdict::Completed => Verdict::Completed,
        types::Verdict::Pending(types::Pending { after_ms, checkpoint }) => {
            Verdict::Pending { after_ms, checkpoint: json("checkpoint", &checkpoint)? }
        }
        types::Verdict::Failed(why) => Verdict::Failed(failure(why)),
    })
}

pub(super) fn failure(failure: types::Failure) -> Failure {
    match failure {
        types::Failure::Retry(why) => Failure::Retry(cut(&why)),
        types::Failure::Fatal(why) => Failure::Fatal(cut(&why)),
    }
}

/// A guest's text, fit to be logged and kept: one line of bounded length.
pub(super) fn cut(text: &str) -> String {
    line(text, TEXT_BYTES_MAX as u64)
}

/// One line without control characters, so that no guest can fake another line or paint the terminal.
pub(crate) fn line(text: &str, bytes_max: u64) -> String {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.trim_end().chars() {
        if line.len() + c.len_utf8() > max {
            line.push('…');
            break;
        }
        if is_control(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// What moves the cursor, breaks a line, or turns the direction of what is shown.
pub(super) fn is_control(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control()
}

pub(super) fn described(said: handler::Description) -> (Described, Handler) {
    let handler = Handler {
        name: HandlerName::new(said.name.clone()),
        after: said.after.into_iter().map(HandlerName::new).collect::<BTreeSet<_>>(),
        update: match said.update {
            types::UpdateStyle::Modify => UpdateStyle::Modify,
            types::UpdateStyle::Recreate => UpdateStyle::Recreate,
        },
    };
    (Described { name: said.name, limits: said.limits, grants: said.grants }, handler)
}

pub(super) fn probing(said: prober::Probing) -> (Described, Vec<String>) {
    let described = Described { name: said.name, limits: said.limits, grants: said.grants };
    (described, said.kinds)
}

pub(super) fn subject(subject: &Subject) -> prober::Subject {
    prober::Subject {
        of: of(&subject.of),
        name: subject.name.clone(),
        kind: subject.kind.clone(),
        properties: subject.properties.to_string(),
    }
}

/// How many bytes a stack says.
pub(super) fn stack_bytes(stack: &stack_output::Stack) -> usize {
    let outputs = stack.outputs.iter().map(|output| {
        let error = output.error.as_ref().map_or(0, String::len);
        size_of::<Output>()
            + output.key.len()
            + output.value.len()
            + output.description.len()
            + error
    });
    let texts = [&stack.stack_id, &stack.tenant_id, &stack.status, &stack.status_reason];
    texts.into_iter().map(String::len).chain(outputs).sum()
}

pub(super) fn stack(stack: stack_output::Stack) -> Result<Stack, String> {
    let output = |output: stack_output::Output| {
        let value = json(&format!("value of output \"{}\"", output.key), &output.value)?;
        Ok(Output { key: output.key, value, description: output.description, error: output.error })
    };
    Ok(Stack {
        stack_id: stack.stack_id,
        tenant_id: stack.tenant_id,
        status: stack.status,
        status_reason: stack.status_reason,
        outputs: stack.outputs.into_iter().map(output).collect::<Result<_, String>>()?,
    })
}

pub(super) fn found_stack(stack: &Stack) -> stack_output::Stack {
    let output = |output: &Output| stack_output::Output {
        key: output.key.clone(),
        value: output.value.to_string(),
        description: output.description.clone(),
        error: output.error.clone(),
    };
    stack_output::Stack {
        stack_id: stack.stack_id.clone(),
        tenant_id: stack.tenant_id.clone(),
        status: stack.status.clone(),
        status_reason: stack.status_reason.clone(),
        outputs: stack.outputs.iter().map(output).collect(),
    }
}

pub(super) fn target(target: monitor::Target) -> Result<Target, String> {
    let what = format!("properties of target \"{}\"", target.name);
    Ok(Target {
        properties: json_object(&what, &target.properties)?,
        name: target.name,
        kind: target.kind,
        topic: target.topic,
        interval_ms: target.interval_ms,
    })
}

pub(super) fn alias(mapping: monitor::Mapping, own: &ResourceRef) -> Alias {
    let kind = mapping.resource_type.unwrap_or_else(|| own.kind.as_str().to_owned());
    let id = mapping.resource_id.unwrap_or_else(|| own.id.as_str().to_owned());
    Alias {
        mapped_id: mapping.mapped_id,
        relation: mapping.relation,
        of: ResourceRef::new(kind, id),
    }
}

#[cfg(test)]
mod tests {
    use super::{TEXT_BYTES_MAX, cut, line};

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        for (text, max, expected) in [
            ("plain\n", 10, "plain"),
            ("two\nlines \u{1b}[31mred", 99, "two\\nlines \\u{1b}[31mred"),
            ("a\rb\tc", 99, "a\\rb\\tc"),
            ("turned \u{202e}round\u{2028}", 99, "turned \\u{202e}round"),
            ("abcdef", 3, "abc…"),
            ("äöü", 4, "äö…"),
            ("", 0, ""),
        ] {
            assert_eq!(line(text, max), expected);
        }
    }

    #[test]
    fn a_failures_text_stays_one_line_of_bounded_length() {
        assert_eq!(cut("gone\n2026 INFO all is well\u{7}!"), "gone\\n2026 INFO all is well\\u{7}!");
        assert!(cut(&"\u{1b}".repeat(TEXT_BYTES_MAX)).len() < TEXT_BYTES_MAX + 16);
    }
}
