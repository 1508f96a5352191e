//! A project of `stokehold plugin new` is built and tested by the commands of its README, looked at, called, and then
//! taken in by a host, which gives it a job.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};

use super::{TURN, shell, toolchain};

/// Where cargo builds the project in Rust, below the target directory.
const KEPT: &str = "languages/rust";

/// A language, and what of its toolchain a project finds there already.
struct Case {
    lang: &'static str,
    /// Below the toolchains, and as a project calls it.
    has: Option<(&'static str, &'static str)>,
    /// Commands of the README that get what is there already.
    gets: &'static [&'static str],
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_rust_works_as_its_readme_says() -> Result<()> {
    let gets = &["rustup target add wasm32-wasip2"];
    // What its dependencies are compiled to is kept: the first run takes a while, the next ones do not.
    std::fs::create_dir_all(paths::target()?.join(KEPT))?;
    works(&Case { lang: "rust", has: None, gets }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_python_works_as_its_readme_says() -> Result<()> {
    works(&Case { lang: "python", has: Some(("python", ".venv")), gets: &[] }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_javascript_works_as_its_readme_says() -> Result<()> {
    let has = Some(("javascript/node_modules", "node_modules"));
    works(&Case { lang: "javascript", has, gets: &["npm install"] }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_c_works_as_its_readme_says() -> Result<()> {
    works(&Case { lang: "c", has: Some(("python", ".venv")), gets: &[] }).await
}

async fn works(case: &Case) -> Result<()> {
    let Case { lang, has, gets } = case;
    let mut programs = vec![folder_of(&paths::program("stokehold")?)?];
    let _turn = TURN.lock().await;
    let room = tempfile::tempdir()?;
    let name = format!("{lang}_project");
    let begun = Instant::now();
    let told = shell(&format!("stokehold plugin new {name} --lang {lang}"), room.path(), &programs);
    ensure!(told.contains(&format!("cd {name}\n")), "it does not say what comes next: {told}");
    let project = room.path().join(&name);
    match has {
        Some((place, own)) => {
            let Some(there) = toolchain(place) else { return Ok(()) };
            symlink(&there, project.join(own))?;
        }
        None => symlink(paths::target()?.join(KEPT), project.join("target"))?,
    }
    // A machine without Node.js has it beside the Python tools.
    programs.extend(toolchain("python").map(|venv| venv.join("bin")));
    let (commands, component) = told_by_the_readme(&project)?;
    for command in commands.iter().filter(|command| !gets.contains(&command.as_str())) {
        let said = shell(command, &project, &programs);
        if command.starts_with("stokehold plugin run") {
            ensure!(said.contains("completed"), "{said}");
            ensure!(said.contains(&format!("{name} = {{\"name\":")), "{said}");
        }
    }
    let ran = commands.iter().any(|command| command.starts_with("stokehold plugin run"));
    ensure!(ran, "the README calls nothing: {commands:?}");
    println!("{lang}: from `plugin new` to `plugin run` in {:.1} s", begun.elapsed().as_secs_f32());
    serves(&name, &project.join(component)).await
}

fn folder_of(file: &Path) -> Result<PathBuf> {
    Ok(file.parent().context("a file lies in a folder")?.to_path_buf())
}

/// The commands of a project's README up to the first look at it, in order, and the component they make.
fn told_by_the_readme(project: &Path) -> Result<(Vec<String>, String)> {
    let readme = std::fs::read_to_string(project.join("README.md"))?;
    let (told, _) = readme.split_once("## Using it").context("the README does not go on")?;
    let commands = told.lines().filter_map(|line| line.strip_prefix("    ").map(str::to_owned));
    let commands: Vec<_> = commands.collect();
    let check = commands.iter().find_map(|line| line.strip_prefix("stokehold plugin check "));
    let component = check.context("the README checks nothing")?.to_owned();
    Ok((commands, component))
}

/// A host takes it in, and gives it the job of a network.
async fn serves(handler: &str, component: &Path) -> Result<()> {
    let plugins = tempfile::tempdir()?;
    std::fs::copy(component, plugins.path().join(format!("{handler}.wasm")))?;
    let mut setup = Setup::new(schemas(handler)?)?;
    setup.handlers = plugins.path().to_owned();
    let mut world = World::start(setup).await?;
    let template = json!({
        "id": "own", "handler": handler, "template_file": "", "parameter_mappings": {"name": "Pname"},
    });
    world.config("/v2.0/heat_templates/own", &template, 1, false).await?;
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "one", "admin_state_up": true});
    world.config("/v2.0/networks/n1", &network, 1, false).await?;
    let state = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    let told =
        state["state"][handler].as_str().with_context(|| format!("nothing told: {state}"))?;
    ensure!(serde_json::from_str::<Json>(told)? == json!({"name": "one"}), "{state}");
    world.idle().await?;
    world.stop_host().await
}

/// The network example's schemas, with this handler as the only one of networks.
fn schemas(handler: &str) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(paths::root().join("examples/network/schemas.json"))?;
    let mut all: Json = serde_json::from_str(&text)?;
    let schemas = all["schemas"].as_array_mut().context("no list of schemas")?;
    let network =
        schemas.iter_mut().find(|schema| schema["id"] == "network").context("no network")?;
    network["metadata"] = json!({"templates": {handler: "Cown"}});
    Ok(serde_json::to_vec(&all)?)
}
