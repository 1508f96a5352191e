//! A handler that renders its template with all its params and reports the length: what a real handler does
//! most of the time. `render` is the same function for the guest and for a native comparison.

use minijinja::{Environment, Value};

/// Renders a template with a JSON object of params.
///
/// # Errors
/// What is wrong with the params or the template.
pub fn render(template: &str, params: &str) -> Result<String, String> {
    let params: Value = serde_json::from_str(params).map_err(|why| why.to_string())?;
    let mut environment = Environment::new();
    environment.add_template("job", template).map_err(|why| format!("{why:#}"))?;
    let template = environment.get_template("job").map_err(|why| format!("{why:#}"))?;
    template.render(params).map_err(|why| format!("{why:#}"))
}

#[cfg(target_family = "wasm")]
mod guest {
    #![allow(unsafe_code, missing_docs, clippy::pedantic, reason = "made by a macro")]

    wit_bindgen::generate!({
        path: "../../../wit/worker@0.1.0",
        world: "worker",
        generate_all,
    });

    use exports::stokehold::worker::handler::{Description, Guest, Job, Verdict};
    use stokehold::worker::types::{Failure, UpdateStyle};
    use stokehold::worker::{params, state};

    struct Render;

    impl Guest for Render {
        fn describe() -> Description {
            Description {
                name: "guest_render".to_owned(),
                after: Vec::new(),
                update: UpdateStyle::Modify,
                limits: Vec::new(),
                grants: Vec::new(),
            }
        }

        fn handle(job: Job, checkpoint: Option<String>) -> Verdict {
            // With a checkpoint nothing is left to do: that is the call that costs nothing but itself.
            if checkpoint.is_some() {
                return Verdict::Completed;
            }
            let all = match params::resolve_all() {
                Ok(all) => all,
                Err(why) => return Verdict::Failed(Failure::Fatal(format!("{why:?}"))),
            };
            match super::render(&job.template, &all) {
                Ok(text) => {
                    state::report("length", &text.len().to_string());
                    Verdict::Completed
                }
                Err(why) => Verdict::Failed(Failure::Fatal(why)),
            }
        }
    }

    export!(Render);
}
