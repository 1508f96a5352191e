//! Which token is still good. Pure; the clock is an argument.

use http::HeaderValue;

use super::exchange::Token;

/// The token of one scope, if there is one, or why there is none.
#[derive(Default)]
pub(super) struct Kept {
    token: Option<(Token, u64)>,
    refusal: Option<(String, u64)>,
    /// When somebody last asked for it, in milliseconds.
    pub(super) asked_ms: u64,
}

impl Kept {
    /// The token, unless it ends within `before_ms`.
    pub(super) fn token(&self, now_ms: u64, before_ms: u64) -> Option<&Token> {
        let (token, ends_ms) = self.token.as_ref()?;
        (now_ms.saturating_add(before_ms) < *ends_ms).then_some(token)
    }

    /// Why Keystone gave none, as long as it need not be asked again.
    pub(super) fn refusal(&self, now_ms: u64) -> Option<&str> {
        let (why, until_ms) = self.refusal.as_ref()?;
        (now_ms < *until_ms).then_some(why)
    }

    /// Keeps an answer: a token for its life since it was asked for, a refusal for `pause_ms`.
    pub(super) fn keep(&mut self, answer: Result<Token, String>, asked_ms: u64, pause_ms: u64) {
        match answer {
            Ok(token) => {
                let ends_ms = asked_ms.saturating_add(token.life_ms);
                (self.token, self.refusal) = (Some((token, ends_ms)), None);
            }
            Err(why) => {
                let until_ms = asked_ms.saturating_add(pause_ms);
                (self.token, self.refusal) = (None, Some((why, until_ms)));
            }
        }
    }

    /// Keeps trouble on the way for those who asked before it ended.
    pub(super) fn fail(&mut self, why: String, ended_ms: u64) {
        self.refusal = Some((why, ended_ms));
    }

    /// Forgets this token; a newer one stays.
    pub(super) fn forget(&mut self, refused: &HeaderValue) {
        if self.token.as_ref().is_some_and(|(token, _)| token.header == refused) {
            self.token = None;
        }
    }
}
