//! A way from one host to the members of an etcd that can be closed.

use std::io;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CHUNK_BYTES: usize = 64 << 10;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It arrives.
    Open,
    /// Nobody hears anything: connections stay, and nothing goes through.
    Silent,
    /// Connections are ended, and new ones at once.
    Closed,
}

/// A listener for each member; it ends when dropped.
pub(super) struct Gate {
    ways: watch::Sender<Way>,
    /// `etcd://127.0.0.1:PORT,…`
    pub(super) address: String,
    _task: JoinSet<()>,
}

impl Gate {
    pub(super) async fn open(members: &[String]) -> Result<Self> {
        let (ways, way) = watch::channel(Way::Open);
        let mut task = JoinSet::new();
        let mut ports = Vec::new();
        for member in members {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
            ports.push(listener.local_addr()?.to_string());
            task.spawn(serve(listener, member.clone(), way.clone()));
        }
        Ok(Self { ways, address: format!("etcd://{}", ports.join(",")), _task: task })
    }

    pub(super) fn set(&self, way: Way) {
        self.ways.send_replace(way);
    }
}

async fn serve(listener: TcpListener, member: String, way: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => {
                // A connection that breaks is nothing that its host does not see itself.
                connections.spawn(pass(near, member.clone(), way.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass(near: TcpStream, member: String, mut way: watch::Receiver<Way>) -> io::Result<()> {
    let until_open = way.wait_for(|way| *way != Way::Silent).await.map(|way| *way);
    if until_open.ok() != Some(Way::Open) {
        return Ok(());
    }
    let far = TcpStream::connect(member).await?;
    for side in [&near, &far] {
        side.set_nodelay(true)?;
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let closed = way.clone();
    tokio::select! {
        ended = copy(near_in, far_out, way.clone()) => ended,
        ended = copy(far_in, near_out, way) => ended,
        () = is_closed(closed) => Ok(()),
    }
}

async fn is_closed(mut way: watch::Receiver<Way>) {
    // The gate is gone: that closes it.
    let _ = way.wait_for(|way| *way == Way::Closed).await;
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = from.read(&mut chunk).await?;
        if way.wait_for(|way| *way == Way::Open).await.is_err() || bytes == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..bytes]).await?;
    }
}
