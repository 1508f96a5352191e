//! Small components from WAT: a core module with the bodies a test gives, wrapped for a world of the contract.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::wit;

/// A handler or prober to be; what is not set is good.
#[derive(Clone, Copy)]
pub struct Wat<'a> {
    /// What it calls itself.
    pub name: &'a str,
    /// The world, `worker` or one of `worlds`.
    pub world: &'a str,
    /// A WIT document with more worlds.
    pub worlds: &'a str,
    /// Core imports.
    pub imports: &'a str,
    /// Further parts of the module.
    pub parts: &'a str,
    /// Instructions before memory is handed out to the host.
    pub realloc: &'a str,
    /// Instructions before `describe` answers.
    pub describe: &'a str,
    /// Instructions before `handle` answers `completed`.
    pub handle: &'a str,
    /// Pages of memory at the start.
    pub pages: u32,
}

impl Default for Wat<'_> {
    fn default() -> Self {
        Self {
            name: "plain",
            world: "worker",
            worlds: "",
            imports: "",
            parts: "",
            realloc: "",
            describe: "",
            handle: "",
            pages: 1,
        }
    }
}

impl Wat<'_> {
    /// A handler.
    pub fn worker(&self) -> Vec<u8> {
        let Self { imports, describe, handle, .. } = self;
        let interface = "stokehold:worker/handler@0.1.0";
        // A description is name, after, update, limits, grants; lists of length 0 may point anywhere.
        self.component(&format!(
            r#"{imports}
            {}
            (func (export "{interface}#describe") (result i32) {describe} (i32.const 64))
            (func (export "{interface}#handle") (param i32) (result i32) {handle} (i32.const 256))"#,
            self.frame(),
        ))
    }

    /// A prober of the one kind `kind`; every subject is UP.
    pub fn prober(&self, kind: &str) -> Vec<u8> {
        let Self { imports, describe, handle, .. } = self;
        let interface = "stokehold:worker/prober@0.1.0";
        let kinds = [512, kind.len()].map(word).concat();
        let list = [528, 1].map(word).concat();
        let up = [0, 544, 2].map(word).concat();
        self.component(&format!(
            r#"{imports}
            {}
            (data (i32.const 512) "{kind}") (data (i32.const 528) "{kinds}")
            (data (i32.const 72) "{list}") (data (i32.const 544) "UP") (data (i32.const 300) "{up}")
            (func (export "{interface}#describe") (result i32) {describe} (i32.const 64))
            (func (export "{interface}#probe")
              (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
              {handle} (i32.const 300))"#,
            self.frame(),
        ))
    }

    /// Memory, a bump allocator, and the description's name.
    fn frame(&self) -> String {
        let name = [128, self.name.len()].map(word).concat();
        format!(
            r#"(memory (export "memory") {})
            (global $heap (mut i32) (i32.const 4096))
            (data (i32.const 64) "{name}") (data (i32.const 128) "{}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              {}
              (global.get $heap)
              (global.set $heap (i32.and (i32.const -16)
                (i32.add (i32.const 15) (i32.add (global.get $heap) (local.get 3))))))
            {}"#,
            self.pages, self.name, self.realloc, self.parts,
        )
    }

    fn component(&self, core: &str) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let (mut package, _) = resolve.push_path(wit()).unwrap();
        if !self.worlds.is_empty() {
            package = resolve.push_str("worlds.wit", self.worlds).unwrap();
        }
        encode(&resolve, package, self.world, core)
    }
}

/// A component for a world of a WIT document of its own.
pub fn foreign(document: &str, world: &str, core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("foreign.wit", document).unwrap();
    encode(&resolve, package, world, core)
}

fn encode(resolve: &Resolve, package: wit_parser::PackageId, world: &str, core: &str) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(format!("(module {core})")).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// A number as the four bytes of a data segment.
fn word(number: usize) -> String {
    let [a, b, c, d] = u32::try_from(number).unwrap().to_le_bytes();
    format!("\\{a:02x}\\{b:02x}\\{c:02x}\\{d:02x}")
}
