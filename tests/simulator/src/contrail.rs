//! As much of Contrail's analytics as a prober asks: whether an object is known.

use crate::answer::Answer;
use crate::call::Call;
use crate::shared::State;
use serde_json::json;

/// UVE, the resource type of Heat that makes it, and the name of its data.
const UVES: [(&str, &str, &str); 2] = [
    (
        "virtual-machine-interface",
        "OS::Contrail::VirtualMachineInterface",
        "UveVirtualMachineInterfaceAgent",
    ),
    ("virtual-network", "OS::Contrail::VirtualNetwork", "UveVirtualNetworkAgent"),
];

/// Answers a request under `/analytics`.
pub(crate) fn answer(state: &State, call: &Call, path: &[&str]) -> Answer {
    let ["uves", uve, fq_name] = path else { return Answer::no_such_path() };
    let Some((_, kind, data)) = UVES.iter().find(|(name, ..)| name == uve) else {
        return Answer::no_such_path();
    };
    if call.method != "GET" {
        return Answer::empty(405);
    }
    let maker = state.world.maker(kind, fq_name).filter(|_| !state.down.contains(*fq_name));
    match maker {
        None => Answer::json(404, json!({"error": format!("{uve} {fq_name} is not known")})),
        Some(stack) => {
            let (vn, admin) = (fq_name, "active");
            let known = json!({"name": vn, "active": true, "status": admin, "stack": stack.name});
            Answer::json(200, json!({ *data: known }))
        }
    }
}
