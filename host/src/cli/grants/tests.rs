#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::settings::{Flags, Form};

struct Place {
    dir: tempfile::TempDir,
    flags: Flags,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let handlers = ("handlers".to_owned(), dir.path().display().to_string());
        let flags = Flags { values: [handlers].into(), ..Flags::default() };
        Self { dir, flags }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn granted(&self, plugin: &str, settings: &str) -> Result<PluginGrants, String> {
        let own_files = own_files(self.dir.path()).into_iter().collect();
        let flags = Flags { own_files, ..self.flags.clone() };
        let settings = Settings::from_sources(&flags, &BTreeMap::new(), Some(("s.toml", settings)));
        loading(&settings.unwrap()).source.unwrap().granted(plugin)
    }
}

#[test]
fn who_is_not_spoken_of_is_granted_nothing() {
    let granted = Place::new().granted("x", "").unwrap();
    assert_eq!(format!("{granted:?}"), format!("{:?}", PluginGrants::default()));
}

#[test]
fn a_plugins_own_file_says_what_a_table_would_and_flags_are_laid_over() {
    let mut place = Place::new();
    place
        .file("x.toml", "http = [\"a:1\"]\ncall_ms_max = 7\nconfig = { k = \"own\", l = \"own\" }");
    place.flags.grant_http.push("x=GET b:1".to_owned());
    place.flags.grant_udp.push("x=10.0.0.0/8:161".to_owned());
    place.flags.config.push("x.k=flag".to_owned());
    let granted = place.granted("x", "[plugins.y]").unwrap();
    assert_eq!(granted.http, ["GET b:1", "a:1"]);
    assert_eq!(granted.udp, ["10.0.0.0/8:161"]);
    assert_eq!(granted.bounds.call_ms_max, Some(7));
    assert_eq!(granted.config.into_iter().map(|(k, v)| k + &v).collect::<String>(), "kflaglown");
    assert!(place.granted("y", "[plugins.y]").unwrap().http.is_empty());
}

#[test]
fn two_places_for_one_plugins_grants_are_refused_by_name() {
    let place = Place::new();
    place.file("x.toml", "http = [\"a:1\"]");
    let why = place.granted("x", "[plugins.x]\nhttp = [\"b:1\"]").unwrap_err();
    let expected = "x.toml and [plugins.x] in the settings file both say what x may do: keep one";
    assert!(why.starts_with("cannot use its grants: ") && why.contains(expected), "{why}");
}

#[test]
fn a_broken_file_of_one_plugin_is_that_plugins_trouble_alone() {
    let place = Place::new();
    place.file("x.toml", "http = [\n\n= hush");
    place.file("y.toml", "htp = []");
    let why = place.granted("x", "").unwrap_err();
    assert!(why.contains("x.toml, line 3: ") && !why.contains("hush"), "{why}");
    let why = place.granted("y", "").unwrap_err();
    assert!(why.contains("y.toml: htp: unknown key; known are http, http_ca_file, udp"), "{why}");
    assert!(place.granted("z", "").is_ok());
}

#[test]
fn secrets_and_settings_come_from_files_and_the_environment() {
    let place = Place::new();
    let file = place.file("token", "opensesame\r\n");
    let text = format!(
        "[plugins.x]\nconfig = {{ a = {{ file = '{file}' }}, b = {{ env = 'CARGO_PKG_NAME' }} }}\n\
         [plugins.x.secrets.token]\nfile = '{file}'\ninject = ['https://heat:1']\nheader = 'X-Auth'"
    );
    let granted = place.granted("x", &text).unwrap();
    assert_eq!(granted.config.get("a").map(String::as_str), Some("opensesame"));
    assert_eq!(granted.config.get("b").map(String::as_str), Some("stokehold"));
    let token = granted.secrets.get("token").unwrap();
    assert_eq!((&*token.value, token.header.as_deref()), ("opensesame", Some("X-Auth")));
    assert_eq!(token.inject, ["https://heat:1"]);
}

#[test]
fn a_value_that_cannot_be_had_is_named_with_its_place() {
    let place = Place::new();
    let broken = |line: &str| place.granted("x", &format!("[plugins.x]\n{line}")).unwrap_err();
    let why = broken("config = { a = { file = '/no/such' } }");
    assert!(why.contains("cannot read setting a: cannot read /no/such: "), "{why}");
    let why = broken("config = { a = { env = 'NO_SUCH_VARIABLE' } }");
    assert!(why.contains("the variable NO_SUCH_VARIABLE is not in the environment"), "{why}");
    let why = broken("secrets = { t = { file = '/no/such', inject = ['a:1'] } }");
    assert!(why.contains("cannot read secret t: cannot read /no/such: "), "{why}");
    let why = broken("http_ca_file = '/no/such'");
    assert!(why.contains("cannot read http_ca_file: cannot read /no/such: "), "{why}");
}

#[test]
fn every_bound_is_a_setting_of_the_host_and_of_each_plugin() {
    let place = Place::new();
    for name in Bounds::NAMES {
        let row = settings::ROWS.iter().find(|row| row.name == *name);
        assert!(row.is_some(), "{name} is no setting");
        let line = format!("[plugins.x]\n{name} = {}", row.unwrap().default);
        let granted = place.granted("x", &line).unwrap();
        let other = AskedBounds::default();
        assert_ne!(granted.bounds, other, "{name}");
        let Form::Number(_, most) = row.unwrap().form else { panic!("{name} is no number") };
        assert_eq!(Bounds::most(name), Some(most), "{name}");
    }
    let defaults = Settings::from_sources(&place.flags, &BTreeMap::new(), None).unwrap();
    // Only the log is kept shorter by a host than by the sandbox alone.
    assert_eq!(bounds(&defaults), Bounds { log_lines_max: 200, ..Bounds::default() });
}
