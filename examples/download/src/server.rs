//! The server that the example downloads from, on loopback: one line asks for a file, eight bytes tell its length, then it
//! comes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The file of which nothing comes but its length.
pub const STALLED: &str = "stalled.iso";

/// The length that says there is no such file.
pub const MISSING: u64 = u64::MAX;

/// What the server has, in the order in which it lists it.
pub fn names(files: usize) -> Vec<String> {
    let numbered = (0..files).map(|n| format!("part {n:02}.bin"));
    [STALLED, "gone.txt"]
        .map(str::to_owned)
        .into_iter()
        .chain(numbered)
        .collect()
}

/// What is in a file; none where there is no such file.
pub fn content(name: &str) -> Option<Vec<u8>> {
    let number: usize = name
        .strip_prefix("part ")?
        .strip_suffix(".bin")?
        .parse()
        .ok()?;
    let length = number * 37_501;
    Some(
        (0..length)
            .map(|place| (place * (number + 3) / 7) as u8)
            .collect(),
    )
}

/// Serves until the runtime ends.
pub async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    Ok(address)
}

async fn answer(socket: TcpStream) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut name = String::new();
    socket.read_line(&mut name).await?;
    let name = name.trim_end();
    if name == STALLED {
        socket.write_u64(1 << 30).await?;
        socket.read_line(&mut String::new()).await?; // until the other side hangs up
        return Ok(());
    }
    let Some(content) = content(name) else {
        return socket.write_u64(MISSING).await;
    };
    socket.write_u64(content.len() as u64).await?;
    socket.write_all(&content).await
}
