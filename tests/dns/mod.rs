//! Further handlers join a workflow after `heat_worker`, without a change of the host: `examples/dns_worker`, which
//! looks after something of its own, and `examples/bare_worker`, which has nothing but the contract.

mod bare;

use anyhow::Result;
use stokehold_tests::{dns_life, guests};

#[tokio::test(flavor = "multi_thread")]
async fn a_third_handler_joins_after_heat_worker_without_a_change_of_the_host() -> Result<()> {
    dns_life::live("dns_worker", &guests::build("dns_worker")).await
}
