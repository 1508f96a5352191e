//! A handler that wants all memory there is.

use stokehold_sdk::{Description, Host, Job, Json, Verdict, Worker, export_worker};

/// Eats.
pub struct Eats;

impl Worker for Eats {
    fn describe() -> Description {
        Description::new("guest_eats")
    }

    fn handle(_host: &dyn Host, _job: &Job, _checkpoint: Option<Json>) -> Verdict {
        let mut eaten: Vec<Vec<u8>> = Vec::new();
        loop {
            eaten.push(vec![1; 1 << 20]);
            std::hint::black_box(&eaten);
        }
    }
}

export_worker!(Eats);
