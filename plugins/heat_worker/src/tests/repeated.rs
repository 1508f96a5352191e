//! The contract's first promise: a call may be repeated.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// A Heat that remembers: every action needs two looks to end.
#[derive(Default)]
struct Heat {
    stack: Option<Kept>,
    made: u32,
    clock: u32,
}

struct Kept {
    action: &'static str,
    looks_left: u32,
    template: String,
    updated: Option<u32>,
}

impl Heat {
    fn answer(&mut self, method: Method, by_name: bool, template: String) -> Answer {
        self.clock += 1;
        let clock = self.clock;
        if method == Method::Post {
            if self.stack.is_some() {
                return conflict("StackExists");
            }
            self.made += 1;
            self.stack = Some(Kept { action: "CREATE", looks_left: 2, template, updated: None });
            return created();
        }
        let Some(kept) = &mut self.stack else { return missing() };
        if by_name {
            return found();
        }
        match method {
            Method::Put if kept.looks_left > 0 => conflict("ActionInProgress"),
            Method::Put => {
                let updated = Some(clock);
                self.stack = Some(Kept { action: "UPDATE", looks_left: 2, template, updated });
                answer(202, json!({}))
            }
            Method::Delete => {
                (kept.action, kept.looks_left) = ("DELETE", 2);
                answer(204, Json::Null)
            }
            _ => {
                kept.looks_left = kept.looks_left.saturating_sub(1);
                let end = if kept.looks_left > 0 { "IN_PROGRESS" } else { "COMPLETE" };
                let status = format!("{}_{end}", kept.action);
                let updated = kept.updated.map(|at| at.to_string());
                if status == "DELETE_COMPLETE" {
                    self.stack = None;
                }
                stack(&status, updated.as_deref())
            }
        }
    }
}

fn host_of(heat: &Rc<RefCell<Heat>>) -> ScriptedHost {
    let heat = Rc::clone(heat);
    host().param("jinja_name", "new").network(move |request| {
        let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        let template = body["template"].as_str().unwrap_or_default().to_owned();
        let by_name = request.url.split('?').next().unwrap().ends_with("/port_p1");
        heat.borrow_mut().answer(request.method, by_name, template)
    })
}

/// Runs a job; the calls at the places of `lost` have their effect, but what they said is lost, as
/// in a crash.
fn run_losing(heat: &Rc<RefCell<Heat>>, action: Action, lost: &[usize]) -> Seen {
    let mut checkpoint = None;
    for call in 0..60 {
        let host = host_of(heat);
        let verdict = HeatWorker::handle(&host, &a_job(action), checkpoint.clone());
        if lost.contains(&call) {
            continue;
        }
        match verdict.unwrap() {
            Next::Completed => return host.finish(),
            Next::Pending { checkpoint: next, .. } => checkpoint = Some(next),
        }
    }
    panic!("the job does not end");
}

#[test]
fn calls_that_are_repeated_after_a_crash_end_the_same() {
    let there =
        || Kept { action: "CREATE", looks_left: 0, template: "old".to_owned(), updated: None };
    for first in 0..8 {
        for second in first..8 {
            for action in [Action::Create, Action::Modify, Action::Delete, Action::LogicalDelete] {
                for before in [None, Some(there())] {
                    let made = u32::from(before.is_none() && !action.takes_down());
                    let heat = Heat { stack: before, ..Heat::default() };
                    let heat = Rc::new(RefCell::new(heat));
                    let seen = run_losing(&heat, action, &[first, second]);
                    let heat = heat.borrow();
                    let template = heat.stack.as_ref().map(|kept| &*kept.template);
                    let wanted = (!action.takes_down()).then_some("name: new");
                    assert_eq!((template, heat.made), (wanted, made), "{action:?}");
                    let status = seen.stack.unwrap().status;
                    assert!(status.ends_with("_COMPLETE"), "{action:?} ends as {status}");
                }
            }
        }
    }
}
