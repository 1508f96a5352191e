//! What an agent's answers say about a device or an interface.

use crate::agent::{Agent, Trouble};
use crate::message::{Answer, Ask, Told};

/// It works.
const UP: &str = "UP";
/// It does not, or nobody is there to ask.
const DOWN: &str = "DOWN";
/// The agent answers, but what is registered it does not have.
const FAIL: &str = "FAIL";

/// `sysUpTime.0`.
const UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];
/// `ifName`: what people call an interface, `ae0.1025`.
const NAME: [u32; 11] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
/// `ifDescr`: what devices without `ifName` call it.
const DESCRIPTION: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
/// `ifOperStatus`.
const STATUS: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 8];

/// Interfaces asked for at a time.
const REPETITIONS: u32 = 50;
/// Interfaces that are looked at before a table counts as endless.
const INTERFACES_MAX: usize = 20_000;

/// A device is up when its agent knows how long it has been.
pub(crate) fn device(agent: &mut Agent<'_>) -> Result<&'static str, Trouble> {
    let Some(answer) = agent.ask(&Ask::Get(UPTIME.to_vec()))? else { return Ok(DOWN) };
    match value(&answer, &UPTIME) {
        Some(Told::Ticks(_)) => Ok(UP),
        _ => Ok(FAIL),
    }
}

/// An interface is found by `ifName`, or else by `ifDescr`.
pub(crate) fn interface(agent: &mut Agent<'_>, name: &str) -> Result<&'static str, Trouble> {
    for column in [&NAME[..], &DESCRIPTION[..]] {
        match find(agent, column, name.as_bytes())? {
            Found::Index(index) => return status(agent, index),
            Found::Nowhere => {}
            Found::Silence => return Ok(DOWN),
        }
    }
    Ok(FAIL)
}

fn status(agent: &mut Agent<'_>, index: u32) -> Result<&'static str, Trouble> {
    let asked = [&STATUS[..], &[index]].concat();
    let Some(answer) = agent.ask(&Ask::Get(asked.clone()))? else { return Ok(DOWN) };
    Ok(match value(&answer, &asked) {
        Some(Told::Number(1)) => UP,
        // Testing, unknown, dormant, not present, lower layer down: it carries no traffic.
        Some(Told::Number(_)) => DOWN,
        // It has gone between two questions, or the agent has no such column.
        _ => FAIL,
    })
}

enum Found {
    Index(u32),
    Nowhere,
    Silence,
}

/// Walks a column of the interface table until a value is this text.
fn find(agent: &mut Agent<'_>, column: &[u32], text: &[u8]) -> Result<Found, Trouble> {
    let mut last = column.to_vec();
    let mut seen = 0;
    while seen < INTERFACES_MAX {
        let ask = Ask::After(last.clone(), REPETITIONS);
        let Some(answer) = agent.ask(&ask)? else { return Ok(Found::Silence) };
        if answer.error != 0 || answer.values.is_empty() {
            return Ok(Found::Nowhere);
        }
        for (name, told) in answer.values {
            let Some([index]) = name.strip_prefix(column) else { return Ok(Found::Nowhere) };
            if told == Told::Nothing {
                return Ok(Found::Nowhere);
            }
            if name <= last {
                let what = "its table of interfaces goes in a circle".to_owned();
                return Err(Trouble::Garbled(what));
            }
            if matches!(&told, Told::Text(told) if told == text) {
                return Ok(Found::Index(*index));
            }
            last = name;
            seen += 1;
        }
    }
    Err(Trouble::Garbled(format!("it has more than {INTERFACES_MAX} interfaces")))
}

/// The value of this name, if the answer has it.
fn value<'a>(answer: &'a Answer, name: &[u32]) -> Option<&'a Told> {
    let found = answer.values.iter().find(|(of, _)| of == name);
    found.filter(|_| answer.error == 0).map(|(_, told)| told)
}
