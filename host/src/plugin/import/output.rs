//! Standard output and error of a guest: bounded, and passed on line by line for those who look for a fault.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::plugin::convert::line;
use crate::plugin::grant::Bounds;
use crate::plugin::witness::Witness;

/// Bytes a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;
/// Lines of standard error that explain a trap: some languages say what happened before they say where, others after.
const LAST_LINES: usize = 9;
/// Bytes of each of them.
const LAST_LINE_BYTES: u64 = 400;

/// Both streams of one call.
pub(super) struct Output {
    out: Arc<Mutex<Lines>>,
    err: Arc<Mutex<Lines>>,
}

struct Lines {
    plugin: Arc<str>,
    stream: &'static str,
    open: Vec<u8>,
    bytes_left: u64,
    dropped: u64,
    line_bytes_max: u64,
    /// The first line, when it is not among the last.
    first: Option<String>,
    last: VecDeque<String>,
    witness: Option<Arc<Witness>>,
}

impl Output {
    pub(super) fn new(plugin: &Arc<str>, bounds: &Bounds) -> Self {
        let lines = |stream| {
            Arc::new(Mutex::new(Lines {
                plugin: Arc::clone(plugin),
                stream,
                open: Vec::new(),
                bytes_left: bounds.stdout_bytes_max,
                dropped: 0,
                line_bytes_max: bounds.log_line_bytes_max,
                first: None,
                last: VecDeque::new(),
                witness: None,
            }))
        };
        Self { out: lines("stdout"), err: lines("stderr") }
    }

    pub(super) fn stream(&self, name: &str) -> Stream {
        Stream(Arc::clone(if name == "stderr" { &self.err } else { &self.out }))
    }

    /// Lets a witness read along.
    pub(super) fn show(&self, witness: &Arc<Witness>) {
        for lines in [&self.out, &self.err] {
            lock(lines).witness = Some(Arc::clone(witness));
        }
    }

    /// Beginning and end of standard error on one line; the runtime's own hints are left out.
    pub(super) fn last_words(&self) -> String {
        let mut lines = lock(&self.err);
        lines.end_line();
        let last = lines.last.make_contiguous().join(" ");
        match &lines.first {
            Some(first) => format!("{first} … {last}"),
            None => last,
        }
    }

    pub(super) fn finish(&self) {
        for lines in [&self.out, &self.err] {
            let mut lines = lock(lines);
            lines.end_line();
            if lines.dropped > 0 {
                let (plugin, stream, dropped) = (&*lines.plugin, lines.stream, lines.dropped);
                tracing::debug!(
                    plugin,
                    stream,
                    "… {dropped} more bytes dropped (stdout_bytes_max)"
                );
            }
        }
    }
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.open.len() as u64 <= self.line_bytes_max {
                // One byte more than is shown, so that the cut is seen.
                self.open.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        let open = std::mem::take(&mut self.open);
        if open.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&open);
        if !text.starts_with("note: ") {
            if self.last.len() == LAST_LINES {
                let oldest = self.last.pop_front();
                self.first = self.first.take().or(oldest);
            }
            self.last.push_back(line(text.trim(), LAST_LINE_BYTES));
        }
        let cost = open.len() as u64 + 1;
        if self.dropped > 0 || cost > self.bytes_left {
            self.dropped += cost;
            return;
        }
        self.bytes_left -= cost;
        let (plugin, stream) = (&*self.plugin, self.stream);
        let text = line(&text, self.line_bytes_max);
        tracing::debug!(plugin, stream, "{text}");
        if let Some(witness) = &self.witness {
            witness.printed(self.stream, text);
        }
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The guest's end. It never fails and never fills: programs do not expect that of their output.
#[derive(Clone)]
pub(super) struct Stream(Arc<Mutex<Lines>>);

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.0).take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        lock(&self.0).take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
