//! `stokehold plugin new`: a small project to begin a plugin from.

mod language;
mod project;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum as _;

use self::language::Language;
use super::shown;
use crate::cli::{Answer, Misuse};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Name of the plugin: of its handler in templates, its file and its folder.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// The language to write it in.
    #[arg(long, value_enum, required_unless_present = "list")]
    lang: Option<Language>,
    /// The folder to make; `./NAME` if it is not given.
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// List the languages and what each of them needs.
    #[arg(long, exclusive = true)]
    list: bool,
}

pub(super) fn new(args: &Args) -> Result<Answer> {
    io::stdout().write_all(answer(args)?.as_bytes()).context("cannot print")?;
    Ok(Answer::Yes)
}

/// Does what is asked, and says what was done.
fn answer(args: &Args) -> Result<String> {
    let (Some(name), Some(language)) = (&args.name, args.lang) else { return Ok(languages()) };
    project::check_name(name)
        .map_err(|why| Misuse(anyhow!("cannot make plugin {name:?}: {why}")))?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    make(&folder, name, language)?;
    Ok(made(&folder, name, language))
}

fn languages() -> String {
    let line = |language: &Language| {
        let value = language.to_possible_value();
        let word = value.as_ref().map_or("", |value| value.get_name());
        format!("{word:<12}{}\n", language.needs())
    };
    Language::value_variants().iter().map(line).collect::<Vec<_>>().concat()
}

fn made(folder: &Path, name: &str, language: Language) -> String {
    let folder = shown(folder);
    let steps = project::next_steps(name, language, &folder).join("\n  ");
    format!(
        "made {name}, a handler in {language}, in {folder}\n\n\
         it needs {}\nnext:\n  {steps}\nREADME.md tells the rest\n",
        language.needs()
    )
}

/// Writes the project into a folder that has nothing in it yet.
fn make(folder: &Path, name: &str, language: Language) -> Result<()> {
    vacant(folder).with_context(|| format!("cannot make project {}", shown(folder)))?;
    for (path, text) in project::files(name, language) {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::File::create_new(&file))
            .and_then(|mut open| open.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write file {}", shown(&file)))?;
    }
    Ok(())
}

fn vacant(folder: &Path) -> Result<()> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the folder is not empty: name another one with --dir"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            bail!("it is a file: name a folder with --dir")
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(name: &str, dir: &Path) -> Args {
        let dir = Some(dir.to_owned());
        Args { name: Some(name.to_owned()), lang: Some(Language::Python), dir, list: false }
    }

    #[test]
    fn a_project_is_made_once_and_nothing_is_overwritten() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("deep/dns");
        let told = answer(&args("dns", &folder)).unwrap();
        assert!(told.starts_with("made dns, a handler in Python, in "), "{told}");
        assert!(folder.join("wit/deps/stokehold-worker/types.wit").is_file());
        let said = format!("{:#}", answer(&args("dns", &folder)).unwrap_err());
        assert!(said.ends_with("the folder is not empty: name another one with --dir"), "{said}");
        let file = folder.join("README.md");
        let said = format!("{:#}", answer(&args("dns", &file)).unwrap_err());
        assert!(said.ends_with("it is a file: name a folder with --dir"), "{said}");
    }

    #[test]
    fn a_name_that_does_not_fit_is_a_mistake_of_the_caller_and_leaves_nothing() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("x");
        let error = answer(&args("../x", &folder)).unwrap_err();
        assert!(error.is::<Misuse>());
        assert!(format!("{error}").starts_with("cannot make plugin \"../x\": use lower case"));
        assert!(!folder.exists());
    }

    #[test]
    fn what_comes_next_and_what_each_language_needs_is_told() {
        let told = made(Path::new("dns"), "dns", Language::Rust);
        for line in [
            "made dns, a handler in Rust, in dns",
            "it needs cargo, and rustup target add wasm32-wasip2",
            "  cargo build --release --target wasm32-wasip2",
            "  stokehold plugin check target/wasm32-wasip2/release/dns.wasm",
        ] {
            assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
        }
        let words = languages();
        let words: Vec<_> = words.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(words, ["rust", "python", "javascript", "c"]);
    }
}
