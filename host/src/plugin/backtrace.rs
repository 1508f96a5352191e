//! Where a guest trapped, in the names its author gave.

use wasmtime::WasmBacktrace;

/// Functions of a backtrace that are kept.
const FRAMES_MAX: usize = 64;

/// One function of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name; empty where the component has none.
    pub function: String,
    /// Its file and line, where the component has line tables and the engine reads them.
    pub place: Option<(String, u32)>,
}

impl Frame {
    /// Whether it is of the machinery that ends a program, or of a library that came with the compiler, and says
    /// nothing of the plugin.
    pub fn is_machinery(&self) -> bool {
        const FUNCTIONS: [&str; 8] = [
            "abort",
            "core::panicking",
            "panic_abort",
            "rust_panic",
            "rustc::",
            "std::panicking",
            "std::process",
            "std::sys",
        ];
        const SOURCES: [&str; 3] = ["/rustc/", "wasisdk://", "wasi-libc"];
        let name = self.function.as_str();
        let source = |file: &str| SOURCES.iter().any(|known| file.starts_with(known));
        name.contains("__rust")
            || FUNCTIONS.iter().any(|known| name.starts_with(known))
            || self.place.as_ref().is_some_and(|(file, _)| source(file))
    }
}

/// The functions of a trap, the innermost first; none where the error is no trap of the guest's code.
pub(super) fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frames = backtrace.frames().iter().flat_map(|frame| {
        let name = frame.func_name().map(demangled).unwrap_or_default();
        let symbols = frame.symbols();
        let placed = symbols.iter().map(|symbol| Frame {
            function: symbol.name().map_or_else(|| name.clone(), demangled),
            place: symbol.file().map(str::to_owned).zip(symbol.line()),
        });
        let bare = symbols.is_empty().then(|| Frame { function: name.clone(), place: None });
        placed.chain(bare).collect::<Vec<_>>()
    });
    frames.take(FRAMES_MAX).collect()
}

/// The name as it stands in the source, without the hash that the compiler adds.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: Option<&str>) -> Frame {
        Frame { function: demangled(function), place: file.map(|file| (file.to_owned(), 1)) }
    }

    #[test]
    fn a_function_is_shown_as_it_stands_in_the_source() {
        let legacy = frame("_ZN10guest_acts5guest7recurse17hd07681ebb308bbbeE", None);
        assert_eq!(legacy.function, "guest_acts::guest::recurse");
        assert_eq!(frame("handle", None).function, "handle");
        let newer = frame("_RNvNtCshXfaRvt2tfW_3std7process5abort", None);
        assert_eq!(newer.function, "std::process::abort");
    }

    #[test]
    fn what_came_with_the_compiler_says_nothing_of_the_plugin() {
        assert!(frame("_RNvNtCshXfaRvt2tfW_3std7process5abort", None).is_machinery());
        assert!(
            frame("panic_display", Some("/rustc/abc/library/core/src/panicking.rs")).is_machinery()
        );
        assert!(!frame("handle", Some("worker/src/lib.rs")).is_machinery());
        assert!(!frame("guest_acts::guest::recurse", None).is_machinery());
    }
}
