//! The network example, as tests use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};

use crate::paths;
use crate::world::World;

/// The templates of the network example, as Gohan would write them.
///
/// # Errors
/// When the example cannot be read, or the store refuses.
pub async fn put_templates(world: &World) -> Result<()> {
    let folder = paths::root().join("examples/network");
    let templates = std::fs::read_to_string(folder.join("templates.json"))?;
    let templates: Vec<Json> = serde_json::from_str(&templates)?;
    ensure!(!templates.is_empty(), "the network example has no templates");
    for template in templates {
        let mut body = template["heat_template"].clone();
        if let Some(file) = body["template_file"]["file"].as_str() {
            let text = std::fs::read_to_string(folder.join(file))?;
            body["template_file"] = json!(text);
        }
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        world.config(&format!("/v2.0/heat_templates/{id}"), &body, 1, false).await?;
    }
    Ok(())
}
