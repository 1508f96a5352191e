//! The languages, and what a project in each of them consists of.

use std::fmt;

/// A language that plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    /// cargo and the target wasm32-wasip2.
    Rust,
    /// Python 3.10 or later with venv; componentize-py comes from `PyPI`.
    Python,
    /// `Node.js` 20 or later with npm; componentize-js comes from npm.
    Javascript,
    /// make and Python 3 with venv; the compiler (zig cc, with a libc for WASI) comes from `PyPI`.
    C,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Javascript => "JavaScript",
            Self::C => "C",
        })
    }
}

/// A file of a project: its path there, and its text for a plugin called `my_worker`.
pub(super) type Template = (&'static str, &'static str);

macro_rules! templates {
    ($folder:literal, $($path:literal from $file:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("templates/", $folder, "/", $file)))),*]
    };
}

/// What every project has.
pub(super) const SHARED: &[Template] = templates!(
    "shared",
    "wit/world.wit" from "world.wit",
    "job.json" from "job.json",
);

/// The end of every README.
pub(super) const README_END: &str = include_str!("templates/shared/README.md");

impl Language {
    /// What its toolchain is, in a line.
    pub(super) fn needs(self) -> &'static str {
        match self {
            Self::Rust => "cargo, and rustup target add wasm32-wasip2",
            Self::Python => "Python 3.10 or later with venv; componentize-py comes from PyPI",
            Self::Javascript => "Node.js 20 or later with npm; componentize-js comes from npm",
            Self::C => "make and Python 3 with venv; zig cc, with a libc for WASI, comes from PyPI",
        }
    }

    /// The commands that test and build a project.
    pub(super) fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["cargo test", "cargo build --release --target wasm32-wasip2"],
            Self::Python => &["python3 build.py test", "python3 build.py"],
            Self::Javascript => &["npm install", "npm test", "npm run build"],
            Self::C => &["make test", "make"],
        }
    }

    /// Where a project's component is once it is built.
    pub(super) fn component(self) -> &'static str {
        match self {
            Self::Rust => "target/wasm32-wasip2/release/my_worker.wasm",
            Self::Python | Self::C => "build/my_worker.wasm",
            Self::Javascript => "my_worker.wasm",
        }
    }

    /// What only projects in this language have.
    pub(super) fn templates(self) -> &'static [Template] {
        match self {
            Self::Rust => templates!(
                "rust",
                ".gitignore" from "gitignore",
                "Cargo.toml" from "Cargo.toml",
                "README.md" from "README.md",
                "src/lib.rs" from "src/lib.rs",
            ),
            Self::Python => templates!(
                "python",
                ".gitignore" from "gitignore",
                "README.md" from "README.md",
                "build.py" from "build.py",
                "requirements.txt" from "requirements.txt",
                "src/app.py" from "src/app.py",
                "tests/test_app.py" from "tests/test_app.py",
            ),
            Self::Javascript => templates!(
                "javascript",
                ".gitignore" from "gitignore",
                "README.md" from "README.md",
                "package.json" from "package.json",
                "src/plugin.js" from "src/plugin.js",
                "src/work.js" from "src/work.js",
                "test/work.test.js" from "test/work.test.js",
            ),
            Self::C => templates!(
                "c",
                ".gitignore" from "gitignore",
                "Makefile" from "Makefile",
                "README.md" from "README.md",
                "src/plugin.c" from "src/plugin.c",
                "test/plugin_test.c" from "test/plugin_test.c",
            ),
        }
    }
}
