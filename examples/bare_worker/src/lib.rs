//! A handler with nothing but the contract: what `wit_bindgen` makes of `wit/worker@0.1.0`, and no SDK. It keeps what
//! a resource's outputs are called in the resource's state.

/// The names of a stack's outputs as a JSON list. The contract's names are words, digits and dashes, so that quotes
/// around them are all it takes; whatever else occurs is escaped by its number.
pub fn name_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    use std::fmt::Write as _;

    let mut list = String::from("[");
    for (nth, name) in names.enumerate() {
        list.push_str(if nth == 0 { "\"" } else { ", \"" });
        for letter in name.chars() {
            if letter.is_control() || letter == '"' || letter == '\\' {
                let _ = write!(list, "\\u{:04x}", u32::from(letter));
            } else {
                list.push(letter);
            }
        }
        list.push('"');
    }
    list.push(']');
    list
}

#[cfg(target_family = "wasm")]
mod component {
    #![allow(unsafe_code, missing_docs, clippy::pedantic, reason = "made by a macro")]

    wit_bindgen::generate!({
        path: "../../wit/worker@0.1.0",
        world: "worker",
        generate_all,
    });

    use exports::stokehold::worker::handler::{Description, Guest, Job, Verdict};
    use stokehold::worker::types::{Action, Failure, Pending, UpdateStyle};
    use stokehold::worker::{log, stack_output, state};

    struct BareWorker;

    impl Guest for BareWorker {
        fn describe() -> Description {
            Description {
                name: "bare_worker".to_owned(),
                after: vec!["heat_worker".to_owned()],
                update: UpdateStyle::Modify,
                limits: Vec::new(),
                grants: Vec::new(),
            }
        }

        fn handle(job: Job, checkpoint: Option<String>) -> Verdict {
            if matches!(job.action, Action::Delete | Action::LogicalDelete) {
                return Verdict::Completed;
            }
            match (stack_output::find(&job.target), checkpoint) {
                (Ok(Some(stack)), _) => {
                    log::write(log::Level::Info, &format!("looked at {}", stack.stack_id));
                    let names = stack.outputs.iter().map(|output| output.key.as_str());
                    state::report("output_names", &super::name_list(names));
                    Verdict::Completed
                }
                // Somebody else may put it up yet: look once more, a second later.
                (Ok(None), None) => {
                    Verdict::Pending(Pending { after_ms: 1000, checkpoint: "true".to_owned() })
                }
                (Ok(None), Some(_)) => {
                    let of = format!("{} {}", job.target.resource_type, job.target.resource_id);
                    Verdict::Failed(Failure::Fatal(format!("{of} has no stack to look at")))
                }
                (Err(why), _) => Verdict::Failed(Failure::Retry(why)),
            }
        }
    }

    export!(BareWorker);
}

#[cfg(test)]
mod tests {
    use super::name_list;

    #[test]
    fn names_become_a_json_list_whatever_they_hold() {
        assert_eq!(name_list([].into_iter()), "[]");
        assert_eq!(name_list(["id", "fq_name"].into_iter()), r#"["id", "fq_name"]"#);
        assert_eq!(name_list(["a\"b\\c\nd"].into_iter()), r#"["a\u0022b\u005cc\u000ad"]"#);
    }
}
