//! Who works, and in which order.

use std::collections::BTreeSet;

use super::HandlerName;

/// How a handler takes a new version of what it has put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateStyle {
    /// One job that changes it in place.
    Modify,
    /// Taken down with the old params, put up again with the new.
    Recreate,
}

/// One handler, as its plugin describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Its name.
    pub name: HandlerName,
    /// The handlers it comes after.
    pub after: BTreeSet<HandlerName>,
    /// How it takes an update.
    pub update: UpdateStyle,
}

/// All handlers in working order: each one after those it names, equals by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handlers(Vec<Handler>);

impl Handlers {
    /// Puts the handlers in order. Names that no plugin answers to are no constraint.
    ///
    /// # Errors
    /// The names of handlers that wait for one another in a circle.
    pub fn in_order(handlers: Vec<Handler>) -> Result<Self, Vec<HandlerName>> {
        let mut left = handlers;
        left.sort_by(|a, b| a.name.cmp(&b.name));
        left.dedup_by(|a, b| a.name == b.name);
        let mut ordered = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let open: BTreeSet<_> = left.iter().map(|h| h.name.clone()).collect();
            let next =
                left.iter().position(|h| h.after.iter().all(|a| *a == h.name || !open.contains(a)));
            match next {
                Some(at) => ordered.push(left.remove(at)),
                None => return Err(open.into_iter().collect()),
            }
        }
        Ok(Self(ordered))
    }

    /// In working order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Handler> {
        self.0.iter()
    }

    /// The place of a handler in the order.
    pub fn place(&self, name: &HandlerName) -> Option<usize> {
        self.0.iter().position(|h| h.name == *name)
    }

    /// The handler of this name.
    pub fn get(&self, name: &HandlerName) -> Option<&Handler> {
        self.0.iter().find(|h| h.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(name: &str, after: &[&str]) -> Handler {
        Handler {
            name: name.into(),
            after: after.iter().map(|a| (*a).into()).collect(),
            update: UpdateStyle::Modify,
        }
    }

    fn order(handlers: Vec<Handler>) -> Result<Vec<String>, Vec<HandlerName>> {
        Handlers::in_order(handlers).map(|h| h.iter().map(|h| h.name.to_string()).collect())
    }

    #[test]
    fn handlers_come_after_those_they_name_and_equals_by_name() {
        let all = vec![
            handler("watch", &["heat", "absent"]),
            handler("heat", &[]),
            handler("audit", &[]),
        ];
        assert_eq!(order(all), Ok(vec!["audit".into(), "heat".into(), "watch".into()]));
    }

    #[test]
    fn a_circle_of_handlers_is_named() {
        let all = vec![handler("a", &["b"]), handler("b", &["a"]), handler("c", &[])];
        assert_eq!(order(all), Err(vec!["a".into(), "b".into()]));
    }
}
