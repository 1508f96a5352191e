//! Work that others have a hand in must not end the host when it panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// What the work comes to, or the words of its panic. What it holds is dropped; it must leave what it shares with
/// others fit for use.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("this is a fault of the host: {}", text.unwrap_or("it panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_in_its_words() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let seven = 7;
        let told = caught(async { assert_eq!(seven, 8, "not {seven}") }).await.unwrap_err();
        assert!(told.starts_with("this is a fault of the host: "), "{told}");
        assert!(told.contains("not 7"), "{told}");
    }
}
