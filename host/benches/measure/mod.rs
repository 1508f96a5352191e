//! Ratios that a busy machine does not bend: both sides take turns, many short rounds, in one
//! process. What is printed is the middle of the rounds' ratios, the middle eight tenths, and what
//! the quickest tenth of either side's rounds says: those that nobody disturbed. The last is held
//! against what is wanted. Where time itself is bounded there is one side only.

#![allow(dead_code, clippy::print_stdout, reason = "each benchmark takes what it needs")]

pub mod job;

use std::time::{Duration, Instant};

/// What the ratio shall be.
#[derive(Clone, Copy)]
pub enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Wanted {
    /// What is wanted, and whether it was missed.
    fn of(self, ratio: f64) -> String {
        let (held, wanted) = match self {
            Self::AtLeast(wanted) => (ratio >= wanted, format!("at least {wanted}")),
            Self::AtMost(wanted) => (ratio <= wanted, format!("at most {wanted}")),
        };
        format!("{wanted}{}", if held { "" } else { ": MISSED" })
    }
}

/// How many times `one` costs of what `other` costs. Each side runs a round and returns the seconds
/// of one piece of work in it.
///
/// Whatever the command line asks criterion for holds here too: without `--bench` nothing is
/// measured, and a filter that is no part of the name leaves it out.
pub fn ratio(
    name: &str,
    wanted: Wanted,
    rounds: usize,
    mut one: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) {
    if !is_asked_for(name) {
        return;
    }
    // The first rounds find cold caches and unmapped memory.
    one();
    other();
    let (mut ones, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whoever goes second may find what the first has left behind: they change places.
        let (a, b) = if round % 2 == 0 {
            let a = one();
            (a, other())
        } else {
            let b = other();
            (one(), b)
        };
        ones.push(a);
        others.push(b);
        ratios.push(a / b);
    }
    let [low, middle, high] = [0.1, 0.5, 0.9].map(|part| quantile(&mut ratios, part));
    let (one, other) = (quantile(&mut ones, 0.1), quantile(&mut others, 0.1));
    println!(
        "{name}: {middle:.2} times ({low:.2} to {high:.2} in {rounds} rounds), undisturbed {:.2} \
         ({} beside {}), wanted {}",
        one / other,
        time(one),
        time(other),
        wanted.of(one / other),
    );
}

/// How long something takes: `round` returns the seconds of one piece of work.
pub fn bounded(name: &str, wanted: Duration, rounds: usize, mut round: impl FnMut() -> f64) {
    if !is_asked_for(name) {
        return;
    }
    // The first round finds cold caches and unmapped memory.
    round();
    let mut took: Vec<_> = (0..rounds).map(|_| round()).collect();
    let quantiles = [0.1, 0.5, 0.9].map(|part| quantile(&mut took, part));
    let missed = if quantiles[0] <= wanted.as_secs_f64() { "" } else { ": MISSED" };
    let [low, middle, high] = quantiles.map(time);
    println!(
        "{name}: {middle} ({low} to {high} in {rounds} rounds), undisturbed {low}, wanted at most \
         {}{missed}",
        time(wanted.as_secs_f64()),
    );
}

/// Seconds as one reads them.
fn time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}

/// Seconds that `work` takes, each of so many times.
pub fn seconds(times: u32, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..times {
        work();
    }
    begun.elapsed().as_secs_f64() / f64::from(times)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((values.len() - 1) as f64 * part).round() as usize;
    values[at]
}

fn is_asked_for(name: &str) -> bool {
    let mut measures = false;
    let mut filters = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => measures = true,
            "--test" | "--list" => return false,
            filter if !filter.starts_with('-') => filters.push(filter.to_owned()),
            _ => {}
        }
    }
    measures && (filters.is_empty() || filters.iter().any(|filter| name.contains(filter)))
}
