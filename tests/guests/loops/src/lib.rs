//! A handler that never comes back.

use stokehold_sdk::{Description, Host, Job, Json, Verdict, Worker, export_worker};

/// Loops for ever.
pub struct Loops;

impl Worker for Loops {
    fn describe() -> Description {
        Description::new("guest_loops")
    }

    fn handle(_host: &dyn Host, _job: &Job, _checkpoint: Option<Json>) -> Verdict {
        loop {
            std::hint::spin_loop();
        }
    }
}

export_worker!(Loops);
