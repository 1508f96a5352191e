//! The laws that every history of a cluster keeps, whatever befell its hosts and its store.

mod hosts;
mod jobs;
mod states;
#[cfg(test)]
mod tests;

use super::history::{Step, View, around};

/// One revision and what is there before and after it.
pub(super) struct Moment<'a> {
    pub(super) step: &'a Step,
    pub(super) before: &'a View,
    pub(super) after: &'a View,
}

/// A law. It sees all revisions in order, and then what is left.
pub(super) trait Rule {
    /// The law in plain words.
    fn law(&self) -> &'static str;

    /// What is wrong with this revision.
    fn see(&mut self, now: &Moment<'_>) -> Result<(), String>;

    /// What is wrong with what is left.
    fn end(&mut self, _left: &View) -> Result<(), String> {
        Ok(())
    }
}

/// A broken law.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) law: &'static str,
    /// Where; the last one for what is left at the end.
    pub(super) revision: u64,
    pub(super) what: String,
}

impl Broken {
    /// With the events around it.
    pub(super) fn tell(&self, history: &[Step]) -> String {
        let Self { law, revision, what } = self;
        format!("broken: {law}\nat {revision}: {what}\n{}", around(history, *revision))
    }
}

fn all() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(states::OneAnswer::default()),
        Box::new(states::Answered),
        Box::new(states::Forward::default()),
        Box::new(states::ByItsJob),
        Box::new(jobs::OneResult::default()),
        Box::new(jobs::DependenciesHold),
        Box::new(jobs::NothingLeft),
        Box::new(hosts::OneClaim),
        Box::new(hosts::UnderALease::default()),
        Box::new(hosts::LeadersPlan),
    ]
}

/// The first breach of each law.
pub(super) fn check(history: &[Step]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for mut rule in all() {
        if let Err((revision, what)) = judge(rule.as_mut(), history) {
            broken.push(Broken { law: rule.law(), revision, what });
        }
    }
    broken
}

fn judge(rule: &mut dyn Rule, history: &[Step]) -> Result<(), (u64, String)> {
    let (mut before, mut after) = (View::new(), View::new());
    let mut last = 0;
    for step in history {
        step.apply(&mut after);
        let now = Moment { step, before: &before, after: &after };
        rule.see(&now).map_err(|what| (step.revision, what))?;
        step.apply(&mut before);
        last = step.revision;
    }
    rule.end(&after).map_err(|what| (last, what))
}
