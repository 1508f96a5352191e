//! A Heat that believes nobody: the host logs in at a real Keystone, and the plugin knows nothing of it.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use heat_simulator::Client;
use stokehold::plugin::{Hidden, Identity, Keystone, Scope};
use stokehold_tests::proxy::Proxy;
use stokehold_tests::real_heat::{self, HeatOptions, RealHeat};
use stokehold_tests::real_keystone::{self, RealKeystone, User};
use stokehold_tests::world::World;

use super::place::{Place, fresh_tenant, setup};
use super::tls;

/// How the plugin asks for Heat.
const HEAT_URL: &str = "http://orchestration.openstack";

/// A cloud with a member of two projects.
struct Cloud {
    keystone: RealKeystone,
    heat: RealHeat,
    proxy: Proxy,
    user: User,
    projects: [String; 2],
}

impl Cloud {
    async fn start() -> Result<Option<Self>> {
        let Some(keystone) = real_keystone::start().await? else { return Ok(None) };
        let of_it = Some(keystone.for_services());
        let options = HeatOptions { keystone: of_it, ..HeatOptions::default() };
        let Some(heat) = real_heat::start(options).await? else { return Ok(None) };
        keystone.register(heat.url()).await?;
        let user = keystone.user("worker", "open sesame").await?;
        let projects =
            [keystone.project("one", &user).await?, keystone.project("two", &user).await?];
        let proxy = Proxy::before(keystone.url()).await?;
        Ok(Some(Self { keystone, heat, proxy, user, projects }))
    }

    /// The user logs in by password, for the project of each request.
    fn login(&self) -> Keystone {
        let login = self.keystone.login(&self.user, "orchestration");
        Keystone { url: self.proxy.url().to_owned(), ..login }
    }

    /// A host that logs in so, in the first project.
    async fn place(&self, login: Keystone, ca: Option<&str>) -> Result<Place> {
        self.place_at(HEAT_URL, self.heat.url(), login, ca).await
    }

    /// The same for another Heat: how the plugin asks for it, and where it is.
    async fn place_at(
        &self,
        asked: &str,
        heat_url: &str,
        login: Keystone,
        ca: Option<&str>,
    ) -> Result<Place> {
        let mut setup = setup(asked)?;
        setup.keystone = Some(login);
        setup.heat_ca = ca.map(str::to_owned);
        let mut place = Place::around(World::start(setup).await?, heat_url).await?;
        place.move_to(&self.projects[0], self.client_at(heat_url, &self.projects[0]).await?);
        Ok(place)
    }

    /// Looks at the stacks of a project.
    async fn client(&self, project: &str) -> Result<Client> {
        self.client_at(self.heat.url(), project).await
    }

    async fn client_at(&self, heat_url: &str, project: &str) -> Result<Client> {
        let token = self.keystone.token_for(project, &self.user).await?;
        Ok(Client::new(&format!("{heat_url}/{project}")).token(&token))
    }

    /// How often Keystone was asked for a token by way of the proxy.
    fn logins(&self) -> usize {
        let steps = self.proxy.steps();
        steps.iter().filter(|step| step.path == "/v3/auth/tokens").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_logs_in_and_finds_heat_and_the_plugin_sees_no_token() -> Result<()> {
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    tokens_are_kept(&cloud).await.context("tokens are kept and renewed once")?;
    refused(&cloud).await.context("what Keystone refuses is told")?;
    one_project(&cloud).await.context("one project for all")?;
    credential(&cloud).await.context("an application credential")?;
    tls(&cloud).await.context("TLS with an authority of its own")?;
    elsewhere(&cloud).await.context("no endpoint in the region")
}

async fn tokens_are_kept(cloud: &Cloud) -> Result<()> {
    let mut place = cloud.place(cloud.login(), None).await?;
    let before = cloud.logins();
    for nth in 0..5 {
        place.want(&format!("kept-{nth}"), 1, "net").await?;
    }
    for nth in 0..5 {
        place.up(&format!("kept-{nth}"), 1, "net").await?;
    }
    let [_, second] = &cloud.projects;
    place.move_to(second, cloud.client(second).await?);
    place.want("other", 1, "net").await?;
    place.up("other", 1, "net").await?;
    ensure!(cloud.logins() - before == 2, "{} logins for two projects", cloud.logins() - before);
    cloud.keystone.revoke(&cloud.user).await?;
    place.move_to(second, cloud.client(second).await?);
    place.want("other", 2, "net-2").await?;
    place.up("other", 2, "net-2").await?;
    ensure!(cloud.logins() - before == 3, "{} logins after one more", cloud.logins() - before);
    place.unwant("other", 3).await?;
    place.down("other", 3).await?;
    ensure!(cloud.logins() - before == 3, "{} logins at the end", cloud.logins() - before);
    // Keystone's tokens begin so; the proxy passed some, and the store never had one.
    for event in place.world.history().await? {
        let value =
            String::from_utf8_lossy(event.value.as_deref().unwrap_or_default()).into_owned();
        ensure!(!value.contains("gAAAA"), "{} holds a token", event.key);
        ensure!(!value.contains(&cloud.user.password), "{} holds the password", event.key);
    }
    Ok(())
}

async fn refused(cloud: &Cloud) -> Result<()> {
    let wrong = Identity::Password {
        user: cloud.user.name.clone(),
        domain: "Default".to_owned(),
        password: Hidden::new("guessed"),
    };
    let place = cloud.place(Keystone { identity: wrong, ..cloud.login() }, None).await?;
    let before = cloud.logins();
    let begun = Instant::now();
    place.want("wrong", 1, "net").await?;
    let project = &cloud.projects[0];
    let words = format!("cannot get a token for project {project} from {}", cloud.proxy.url());
    place.failed("wrong", 1, &[&words, "Keystone answered 401"]).await?;
    // Five tries of the job; one of the password, and another one after ten seconds.
    let most = 1 + usize::try_from(begun.elapsed().as_secs() / 10)?;
    let logins = cloud.logins() - before;
    ensure!((1..=most).contains(&logins), "{logins} logins, {most} at most");

    // A project in which the user has no part.
    let mut place = cloud.place(cloud.login(), None).await?;
    let heat = place.heat.clone();
    place.move_to(&fresh_tenant(), heat);
    place.want("strange", 1, "net").await?;
    place.failed("strange", 1, &["cannot get a token for project", "Keystone answered 401"]).await
}

async fn one_project(cloud: &Cloud) -> Result<()> {
    let scope = Scope::Project { name: "two".to_owned(), domain: "Default".to_owned() };
    let mut place = cloud.place(Keystone { scope, ..cloud.login() }, None).await?;
    // Whoever it is for, the stack is in the one project.
    place.move_to(&fresh_tenant(), cloud.client(&cloud.projects[1]).await?);
    place.want("served", 1, "net").await?;
    place.up("served", 1, "net").await
}

async fn credential(cloud: &Cloud) -> Result<()> {
    let (id, secret) = cloud.keystone.credential(&cloud.user, &cloud.projects[0]).await?;
    let identity = Identity::ApplicationCredential { id, secret: Hidden::new(secret) };
    let login = Keystone { identity, scope: Scope::Own, ..cloud.login() };
    let place = cloud.place(login, None).await?;
    place.want("credible", 1, "net").await?;
    place.up("credible", 1, "net").await
}

async fn tls(cloud: &Cloud) -> Result<()> {
    let login = || Keystone { url: cloud.keystone.safe_url().to_owned(), ..cloud.login() };
    let place = cloud.place(login(), Some(cloud.keystone.ca())).await?;
    place.want("safe", 1, "net").await?;
    place.up("safe", 1, "net").await?;
    // Without its authority it is not believed.
    let place = cloud.place(login(), None).await?;
    place.want("unsafe", 1, "net").await?;
    place.failed("unsafe", 1, &["cannot get a token", "certificate"]).await?;

    // Heat by TLS as well, as the catalogue names it, with an authority that is not Keystone's.
    let Some(heat) = tls::start(Some(cloud.keystone.for_services())).await? else { return Ok(()) };
    cloud.keystone.offer("safe-heat", &format!("{}/%(tenant_id)s", heat.safe_url())).await?;
    let login = || Keystone { services: BTreeSet::from(["safe-heat".to_owned()]), ..login() };
    let asked = "http://safe-heat.openstack";
    let both = format!("{}{}", cloud.keystone.ca(), heat.ca());
    let place = cloud.place_at(asked, heat.url(), login(), Some(&both)).await?;
    place.want("both", 1, "net").await?;
    place.up("both", 1, "net").await?;
    let place = cloud.place_at(asked, heat.url(), login(), Some(cloud.keystone.ca())).await?;
    place.want("one", 1, "net").await?;
    place
        .failed("one", 1, &["cannot reach Heat at http://safe-heat.openstack", tls::CERTIFICATE])
        .await
}

async fn elsewhere(cloud: &Cloud) -> Result<()> {
    let region = Some("Elsewhere".to_owned());
    let place = cloud.place(Keystone { region, ..cloud.login() }, None).await?;
    place.want("lost", 1, "net").await?;
    let words = "has no public endpoint of orchestration in region Elsewhere";
    place.failed("lost", 1, &[words]).await
}
