//! From the bytes of a component to what it says of itself.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};
use wit_component::WitPrinter;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::offers::{CONTRACT, CONTRACT_TRACK, Name, judge, nearest};
use super::{Import, Inspection, Kind};
use crate::plugin::cache::hex;
use crate::plugin::convert::line;

/// Bytes of a name or a reason that are shown.
const TEXT_BYTES_MAX: u64 = 512;
/// Languages and tools that are listed.
const PRODUCERS_MAX: usize = 32;

/// Reads a component without running it.
///
/// # Errors
/// What is wrong with the bytes: no component, cut short, or broken inside.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, String> {
    let decoded = decode(bytes).map_err(|why| broken(bytes, &why))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("is a WIT package without code: build the component itself".to_owned());
    };
    let (exports, imports) = names(&resolve, world);
    let (kind, mut flaws) = kind(&exports);
    let imports: Vec<_> = imports
        .into_iter()
        .map(|(name, functions)| {
            let offer = judge(&name, &functions, kind);
            Import { name, functions, offer }
        })
        .collect();
    flaws.extend(imports.iter().filter_map(|import| match &import.offer {
        super::Offer::Missing(why) => Some(line(why, TEXT_BYTES_MAX)),
        _ => None,
    }));
    let made = producers(bytes).with_inferred();
    Ok(Inspection {
        bytes: bytes.len() as u64,
        digest: hex(&Sha256::digest(bytes)),
        kind,
        contract: contract(exports.iter().chain(imports.iter().map(|import| &import.name))),
        imports,
        exports,
        world: print(&resolve, world, false),
        packages: print(&resolve, world, true),
        languages: made.languages.into_iter().take(PRODUCERS_MAX).collect(),
        tools: made.tools.into_iter().take(PRODUCERS_MAX).collect(),
        has_lines: made.has_lines,
        flaws,
    })
}

/// The parser's words for a file that ends too early are about bytes; ours say what has happened.
fn broken(bytes: &[u8], why: &anyhow::Error) -> String {
    let cut = Parser::new(0).parse_all(bytes).find_map(Result::err);
    if let Some(error) = cut
        && (error.message().contains("unexpected end")
            || error.message().contains("unexpected-end"))
    {
        return format!(
            "is cut short: it ends at byte {} in the middle of a section; copy it again",
            bytes.len()
        );
    }
    line(&format!("is not a valid component: {why:#}"), TEXT_BYTES_MAX)
}

type Imports = Vec<(String, Vec<String>)>;

fn names(resolve: &Resolve, world: WorldId) -> (Vec<String>, Imports) {
    let Some(world) = resolve.worlds.get(world) else { return Default::default() };
    let name = |key: &WorldKey| match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_default(),
    };
    let functions = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => {
            let interface = resolve.interfaces.get(*id);
            interface.map(|known| known.functions.keys().cloned().collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let exports = world.exports.keys().map(name).collect();
    let imports = world.imports.iter().map(|(key, item)| (name(key), functions(item))).collect();
    (exports, imports)
}

/// What the exports make of it, and what is wrong with them.
fn kind(exports: &[String]) -> (Option<Kind>, Vec<String>) {
    let of_contract = || {
        let names = exports.iter().filter_map(|name| Name::read(name));
        names.filter(|name| name.package == CONTRACT)
    };
    let has = |interface: &str| of_contract().any(|name| name.interface == interface);
    let strange = of_contract().find(|name| !name.version.starts_with(CONTRACT_TRACK));
    let mut flaws = Vec::new();
    if let Some(name) = strange {
        flaws.push(format!(
            "speaks {CONTRACT}@{}, this host speaks {CONTRACT}@{CONTRACT_TRACK}",
            line(name.version, TEXT_BYTES_MAX)
        ));
    }
    let kind = match (has("handler"), has("prober")) {
        (true, false) => Some(Kind::Handler),
        (false, true) => Some(Kind::Prober),
        (true, true) => {
            flaws.push("is a handler and a prober: make two plugins of it".to_owned());
            None
        }
        (false, false) => {
            flaws.push(worldless(exports));
            None
        }
    };
    (kind, flaws)
}

fn worldless(exports: &[String]) -> String {
    let wanted = [format!("{CONTRACT}/handler"), format!("{CONTRACT}/prober")];
    let bare = exports.iter().filter_map(|name| name.split('@').next());
    let near = bare.clone().find_map(|name| {
        nearest(name, wanted.iter().map(String::as_str)).map(|wanted| (name, wanted))
    });
    let hint = match near {
        Some((name, wanted)) => {
            format!("; its {} is near {wanted}", line(name, TEXT_BYTES_MAX))
        }
        None if exports.iter().any(|name| name.starts_with("wasi:cli/run")) => {
            "; it is a program, not a plugin".to_owned()
        }
        None => String::new(),
    };
    let listed: Vec<_> = exports.iter().map(|name| line(name, TEXT_BYTES_MAX)).collect();
    let listed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
    format!(
        "exports neither {CONTRACT}/handler nor {CONTRACT}/prober, but {listed}{hint}: build it for \
         the world `worker` or `watcher`"
    )
}

fn contract<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let versions: BTreeSet<_> = names
        .filter_map(|name| Name::read(name))
        .filter(|name| name.package == CONTRACT && !name.version.is_empty())
        .map(|name| line(name.version, TEXT_BYTES_MAX))
        .collect();
    (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(", "))
}

/// The world alone, or the packages that it names.
fn print(resolve: &Resolve, world: WorldId, others: bool) -> String {
    let Some(main) = resolve.worlds.get(world).and_then(|world| world.package) else {
        return String::new();
    };
    let all = resolve.packages.iter().map(|(id, _)| id);
    let texts = all.filter(|id| (*id == main) != others).filter_map(|package| {
        let mut printer = WitPrinter::default();
        printer.print_package(resolve, package, !others).ok()?;
        Some(printer.output.to_string())
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

#[derive(Default)]
struct Made {
    languages: BTreeSet<String>,
    tools: BTreeSet<String>,
    has_lines: bool,
}

impl Made {
    /// Stripped components do not tell their language any more, but their tools do.
    fn with_inferred(mut self) -> Self {
        const SPEAK: [(&str, &str); 5] = [
            ("componentize-py", "Python"),
            ("componentize-js", "JavaScript"),
            ("jco", "JavaScript"),
            ("wit-bindgen-rust", "Rust"),
            ("wit-bindgen-go", "Go"),
        ];
        let uses = |tool: &str| self.tools.iter().any(|known| known.starts_with(tool));
        if let Some((_, language)) = SPEAK.into_iter().find(|(tool, _)| uses(tool))
            && !self.languages.iter().any(|known| known.starts_with(language))
        {
            self.languages.insert(language.to_owned());
        }
        self
    }
}

/// What the sections of tools say; a broken one says nothing.
fn producers(bytes: &[u8]) -> Made {
    let mut made = Made::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(Payload::CustomSection(section)) = payload else { continue };
        if section.name() == ".debug_line" {
            made.has_lines = true;
        }
        if let KnownCustom::Producers(fields) = section.as_known() {
            // A section that cannot be read says nothing, and nothing depends on it.
            let _ = add_producers(&mut made, fields);
        }
    }
    made
}

fn add_producers(made: &mut Made, fields: ProducersSectionReader<'_>) -> wasmparser::Result<()> {
    for field in fields {
        let field = field?;
        let into = match field.name {
            "language" => &mut made.languages,
            "processed-by" | "sdk" => &mut made.tools,
            _ => continue,
        };
        for value in field.values {
            let value = value?;
            into.insert(line(format!("{} {}", value.name, value.version).trim(), TEXT_BYTES_MAX));
        }
    }
    Ok(())
}
