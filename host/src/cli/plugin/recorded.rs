//! Calls that were recorded, against the same made again.

use super::rehearsal::Scene;
use crate::domain::Exchange;
use crate::flow::recordings;

/// What is known of a call that was recorded.
pub(in crate::cli) struct Recorded {
    /// What came of it, in words.
    pub(in crate::cli) outcome: String,
    /// What it sent; `None` where other answers stand for the recorded ones.
    pub(in crate::cli) sent: Option<Vec<Exchange>>,
}

/// What is otherwise than before; a reason's words may differ.
pub(super) fn differences(scene: &Scene, before: &Recorded) -> Vec<String> {
    let word = |text: &str| text.split([':', ',']).next().map(str::to_owned);
    let now = recordings::outcome(&scene.answer.outcome);
    let mut all = Vec::new();
    if word(&now) != word(&before.outcome) {
        all.push("the outcome".to_owned());
    }
    all.extend(scene.seen.unanswered.iter().map(|it| format!("{it} was not asked for before")));
    let named = |it: &Exchange| format!("{} {}", it.method, it.url);
    let mut left: Vec<&Exchange> = scene.seen.exchanges.iter().collect();
    for then in before.sent.iter().flatten() {
        let is_it = |now: &&Exchange| named(now) == named(then);
        let Some(at) = left.iter().position(is_it) else {
            all.push(format!("{} is not asked for", named(then)));
            continue;
        };
        if left.remove(at).request.body != then.request.body {
            all.push(format!("{} with another body", named(then)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Message, Report, Verdict};
    use crate::plugin::{Answer, Seen};

    fn sent(method: &str, body: &str) -> Exchange {
        Exchange {
            method: method.to_owned(),
            url: "http://a/".to_owned(),
            request: Message { headers: Vec::new(), body: body.into() },
            status: Ok(200),
            answer: Message::default(),
            repeats: false,
        }
    }

    fn told(outcome: &str, then: &[Exchange], now: &[Exchange]) -> String {
        let answer = Answer { outcome: Ok(Verdict::Completed), report: Report::default() };
        let seen = Seen { exchanges: now.to_vec(), ..Seen::default() };
        let before = Recorded { outcome: outcome.to_owned(), sent: Some(then.to_vec()) };
        differences(&Scene { answer, seen }, &before).join("; ")
    }

    #[test]
    fn whatever_is_otherwise_is_named() {
        let (get, put) = (sent("GET", ""), sent("PUT", "1"));
        let both = [get.clone(), put.clone()];
        assert_eq!(told("completed", &both, &both), "");
        // Whoever asks for two things at once has no order.
        assert_eq!(told("completed", &both, &[put.clone(), get.clone()]), "");
        assert_eq!(told("failed for good: why", &both, &both), "the outcome");
        assert_eq!(told("completed", &both, &[get]), "PUT http://a/ is not asked for");
        let other = [sent("GET", ""), sent("PUT", "2")];
        assert_eq!(told("completed", &both, &other), "PUT http://a/ with another body");
    }
}
