//! Runs the example.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Only a failure takes this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The program, which cargo builds before these tests.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_mirror"))
}

/// The example with these arguments, without input.
pub fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program());
    command.args(args).stdin(Stdio::null());
    command
}

/// What a run of the example came to.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)
                .expect("the output is UTF-8 whatever the names are"),
            err: String::from_utf8(output.stderr).expect("so are the messages"),
        }
    }
}

impl Ended {
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "out:\n{}\nerr:\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    pub fn expect(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in:\n{}", self.out);
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    command.output().expect("the program starts").into()
}

/// Mirrors from one directory to another.
pub fn mirror(source: &Path, dest: &Path) -> Ended {
    run(&mut command([source, dest]))
}

/// Mirrors with `--delete`.
pub fn mirror_delete(source: &Path, dest: &Path) -> Ended {
    run(&mut command([
        OsStr::new("--delete"),
        source.as_os_str(),
        dest.as_os_str(),
    ]))
}

/// A run of the example that goes on while the test does.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Reads what the program prints, so that it never waits for a reader.
    out: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = child.stdout.take().expect("it is piped");
        let reader = move || {
            let mut out = Vec::new();
            stdout.read_to_end(&mut out).expect("a pipe can be read");
            out
        };
        Self {
            stdin: child.stdin.take(),
            child,
            out: Some(thread::spawn(reader)),
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // It may have ended just now.
        _ = kill_process(pid, signal);
    }

    /// Stops the whole program, and waits until it stands still; `false` if it has ended instead.
    pub fn hold(&self) -> bool {
        self.signal(Signal::STOP);
        let pid = Pid::from_child(&self.child);
        let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), either).expect("it is our child");
        status.is_some_and(|status| status.stopped())
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}").expect("the program reads what is typed");
    }

    pub fn end(mut self) -> Ended {
        let status = self.child.wait().expect("it is our child");
        let out = self.out.take().expect("it is taken only here");
        Ended::from(Output {
            status,
            stdout: out.join().expect("the reader does not panic"),
            stderr: Vec::new(),
        })
    }
}

/// No test that fails leaves a program behind, and least of all one that is held.
impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Waits for something outside of this process.
#[track_caller]
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < DEADLINE,
            "{what} did not happen in {DEADLINE:?}"
        );
        // Not to hit a moment, but to leave the processor to who makes it happen.
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The example as a user whom permissions bind: root runs it as nobody, from a copy in `place` that he may run.
pub fn bound_by_permissions(place: &Path, args: &[&OsStr]) -> Command {
    if !is_root() {
        return command(args);
    }
    const NOBODY: u32 = 65534;
    let copy = place.join("mirror-program");
    if !copy.exists() {
        // Not by this process: a program that is being written cannot be started, and for a moment every other test's new
        // process would hold it open.
        let status = Command::new("cp").arg(program()).arg(&copy).status();
        assert!(status.expect("there is cp").success());
    }
    let mut command = Command::new(copy);
    command
        .args(args)
        .stdin(Stdio::null())
        .uid(NOBODY)
        .gid(NOBODY);
    command
}
