//! `wasi:sockets`: datagrams and connections to granted addresses. Who is granted none is told that access is denied.
//!
//! Every address is looked at when it is used. A granted name is asked for here, too, so that what a guest says it
//! found counts for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::{
    instance_network, ip_name_lookup, network, tcp, tcp_create_socket, udp, udp_create_socket,
};
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::sockets::{
    SocketAddrUse, WasiSockets, WasiSocketsCtxView, WasiSocketsView as _,
};

use super::Guest;
use super::refusals::{Refusal, Refusals};
use crate::http_client::{Reach, plain};
use crate::plugin::asked::{more, not_granted};
use crate::plugin::call::Plugin;
use crate::plugin::convert::line;
use crate::plugin::grant::Place;

/// Names a call may have asked for; those of the guest and those that its addresses are compared with.
const LOOKUPS_MAX: u32 = 64;
/// Bytes of a name that are told.
const NAME_BYTES_MAX: u64 = 255;

/// Decides on every address of one call.
pub(super) struct Wire {
    plugin: Arc<Plugin>,
    /// A plugin that describes itself has no network.
    is_open: bool,
    refusals: Arc<Refusals>,
    used: Mutex<Used>,
}

struct Used {
    sends_left: u64,
    lookups_left: u32,
    /// What granted names led to, in this call.
    known: BTreeMap<String, BTreeSet<IpAddr>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Udp,
    Tcp,
}

impl Wire {
    pub(super) fn new(plugin: &Arc<Plugin>, is_open: bool, refusals: &Arc<Refusals>) -> Arc<Self> {
        let used = Used {
            sends_left: plugin.bounds.socket_sends_max,
            lookups_left: LOOKUPS_MAX,
            known: BTreeMap::new(),
        };
        Arc::new(Self {
            plugin: Arc::clone(plugin),
            is_open,
            refusals: Arc::clone(refusals),
            used: Mutex::new(used),
        })
    }

    /// Puts itself before the sockets of a guest.
    pub(super) fn guard(self: &Arc<Self>, wasi: &mut WasiCtxBuilder) {
        let grants = &self.plugin.grants;
        let wire = Arc::clone(self);
        wasi.allow_udp(self.is_open && !grants.udp.is_empty())
            .allow_tcp(self.is_open && !grants.tcp.is_empty())
            .allow_ip_name_lookup(self.is_open)
            .socket_addr_check(move |address, used| {
                let wire = Arc::clone(&wire);
                Box::pin(async move { wire.check(address, used).await })
            });
    }

    async fn check(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            // A port of the system's choice is what every sender needs.
            SocketAddrUse::UdpBind | SocketAddrUse::TcpBind if address.port() == 0 => true,
            SocketAddrUse::UdpBind
            | SocketAddrUse::TcpBind
            | SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept => {
                self.refusals.tell(Refusal::Listening, |_| {
                    format!("wanted to listen at {address}, which no plugin is granted")
                });
                false
            }
            SocketAddrUse::UdpReceive => self.is_granted(Kind::Udp, address).await,
            SocketAddrUse::UdpSend => self.may_send(Kind::Udp, address).await,
            SocketAddrUse::TcpConnect => self.may_send(Kind::Tcp, address).await,
        }
    }

    async fn may_send(&self, kind: Kind, address: SocketAddr) -> bool {
        let left = {
            let mut used = self.used();
            let left = used.sends_left.checked_sub(1);
            used.sends_left = left.unwrap_or_default();
            left
        };
        if left.is_none() {
            let max = self.plugin.bounds.socket_sends_max;
            self.refusals.tell(Refusal::TooMany, |stem| {
                let remedy = more(stem, "socket_sends_max");
                format!("has sent {max} times in one call (socket_sends_max): {remedy}")
            });
            return false;
        }
        if self.is_granted(kind, address).await {
            return true;
        }
        let (refusal, word) = match kind {
            Kind::Udp => (Refusal::Udp, "udp"),
            Kind::Tcp => (Refusal::Tcp, "tcp"),
        };
        let wish = SocketAddr::new(plain(address.ip()), address.port());
        self.refusals.tell(refusal, |stem| {
            format!("asked for {word} {wish}, {}", not_granted(word, stem, &wish.to_string()))
        });
        false
    }

    fn places(&self, kind: Kind) -> &[Place] {
        match kind {
            Kind::Udp => &self.plugin.grants.udp,
            Kind::Tcp => &self.plugin.grants.tcp,
        }
    }

    async fn is_granted(&self, kind: Kind, address: SocketAddr) -> bool {
        let (ip, port) = (plain(address.ip()), address.port());
        if self.places(kind).iter().any(|place| place.has(ip, port)) {
            return true;
        }
        for name in self.places(kind).iter().filter_map(|place| place.name(port)) {
            if self.leads_to(name, ip).await {
                return true;
            }
        }
        false
    }

    /// Whether a granted name stands for this address.
    async fn leads_to(&self, name: &str, ip: IpAddr) -> bool {
        // Names may not lead to what is near, whatever the DNS says.
        if Reach::Afar.check(name, ip).is_err() {
            return false;
        }
        {
            let mut used = self.used();
            if used.known.get(name).is_some_and(|known| known.contains(&ip)) {
                return true;
            }
            let Some(left) = used.lookups_left.checked_sub(1) else { return false };
            used.lookups_left = left;
        }
        let asked = (name.to_owned(), 0);
        let found = tokio::task::spawn_blocking(move || {
            std::net::ToSocketAddrs::to_socket_addrs(&asked).map(Vec::from_iter)
        });
        let Ok(Ok(found)) = found.await else { return false };
        let mut used = self.used();
        let known = used.known.entry(name.to_owned()).or_default();
        known.extend(found.iter().map(|address| plain(address.ip())));
        known.contains(&ip)
    }

    /// Whether the guest may ask the DNS for this name. The DNS carries whatever is asked to whoever owns the name.
    fn may_look_up(&self, name: &str) -> bool {
        let grants = &self.plugin.grants;
        let literal = name.parse::<IpAddr>().is_ok();
        let granted = grants.udp.iter().chain(&grants.tcp).any(|place| place.is_named(name));
        if !literal && !granted {
            self.refusals.tell(Refusal::Name, |stem| {
                let name = line(name, NAME_BYTES_MAX);
                let wish = format!("{name}:PORT");
                format!("asked for the address of {name}, {}", not_granted("udp", stem, &wish))
            });
            return false;
        }
        let mut used = self.used();
        let left = used.lookups_left.checked_sub(1);
        used.lookups_left = left.unwrap_or_default();
        literal || left.is_some()
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Links sockets and the lookup of names.
pub(super) fn link(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    tcp::add_to_linker::<_, WasiSockets>(l, Guest::sockets)?;
    tcp_create_socket::add_to_linker::<_, WasiSockets>(l, Guest::sockets)?;
    udp::add_to_linker::<_, WasiSockets>(l, Guest::sockets)?;
    udp_create_socket::add_to_linker::<_, WasiSockets>(l, Guest::sockets)?;
    instance_network::add_to_linker::<_, WasiSockets>(l, Guest::sockets)?;
    let options = network::LinkOptions::default();
    network::add_to_linker::<_, WasiSockets>(l, &options, Guest::sockets)?;
    ip_name_lookup::add_to_linker::<_, Names>(l, Guest::names)
}

/// The lookup of names, with a look at them before.
struct Names;

impl HasData for Names {
    type Data<'a> = NamesView<'a>;
}

/// The sockets of a guest, and who decides on them.
pub(super) struct NamesView<'a> {
    pub(super) sockets: WasiSocketsCtxView<'a>,
    pub(super) wire: Arc<Wire>,
}

type Stream = ip_name_lookup::ResolveAddressStream;

impl network::HostNetwork for NamesView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets, network)
    }
}

impl network::Host for NamesView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets.network_error_code(error)
    }
}

impl ip_name_lookup::Host for NamesView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<Stream>, SocketError> {
        if !self.wire.may_look_up(&name) {
            return Err(ErrorCode::AccessDenied.into());
        }
        ip_name_lookup::Host::resolve_addresses(&mut self.sockets, network, name)
    }
}

impl ip_name_lookup::HostResolveAddressStream for NamesView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<Stream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        self.sockets.resolve_next_address(stream)
    }

    fn subscribe(&mut self, stream: Resource<Stream>) -> wasmtime::Result<Resource<DynPollable>> {
        ip_name_lookup::HostResolveAddressStream::subscribe(&mut self.sockets, stream)
    }

    fn drop(&mut self, stream: Resource<Stream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}
