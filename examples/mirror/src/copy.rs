//! Copies one file or one link, so that it appears whole or not at all.

use crate::dir::{self, Dir, Kind, Meta};
use crate::fault::{Problem, Step};
use crate::temp::Namer;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};

/// The most that is copied between two questions for the verdict: under a millisecond's work in memory, and the
/// system copies no faster in larger pieces.
const CHUNK: usize = 1 << 20;
/// Files up to this size are read and written by one call each, which is cheaper for them than to let the system copy.
const SMALL: usize = 128 << 10;

/// How a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is in its place; so many bytes were copied.
    New(u64),
    /// It was there already.
    Unchanged,
    /// The watcher said stop. Nothing is left behind.
    Stopped,
}

/// Whom the copier tells about its progress.
pub trait Watcher {
    /// So many bytes more are done. May the work go on?
    fn advance(&self, bytes: u64) -> bool;
    /// So many bytes more than were expected are to come.
    fn expect(&self, bytes: u64);
}

/// What a thread needs to copy files; made once, used for many.
pub struct Copier<'a> {
    /// As large as the largest small file so far.
    buffer: Vec<u8>,
    namer: &'a Namer,
}

/// From where, to where.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub source: &'a Dir,
    pub dest: &'a Dir,
    pub name: &'a OsStr,
    /// Whether the destination had something of that name when it was listed.
    pub taken: bool,
}

/// A name that is removed again unless what bears it gets its real name.
pub struct Part<'a> {
    dest: &'a Dir,
    name: OsString,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // If this fails, the next run removes it.
        if !self.name.is_empty() {
            _ = self.dest.remove_file(&self.name);
        }
    }
}

impl Part<'_> {
    /// Gives it its real name, in place of a file or link that has it.
    pub fn place(mut self, name: &OsStr) -> Result<(), Problem> {
        match self.dest.rename(&self.name, name) {
            Ok(()) => {
                self.name.clear();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(Problem::DirInTheWay),
            Err(error) => Err(Problem::Io(Step::Place, error)),
        }
    }
}

fn at<T>(step: Step, result: io::Result<T>) -> Result<T, Problem> {
    result.map_err(|error| Problem::Io(step, error))
}

impl<'a> Copier<'a> {
    pub fn new(namer: &'a Namer) -> Self {
        Self {
            buffer: Vec::new(),
            namer,
        }
    }

    /// Copies a file, unless the destination has it already. `listed` is what was found there a moment ago.
    pub fn file(
        &mut self,
        place: Place<'_>,
        listed: &Meta,
        watcher: &impl Watcher,
    ) -> Result<Copied, Problem> {
        if place.taken {
            if let Some(found) = look(place.dest, place.name)? {
                if found.kind == Kind::Dir {
                    return Err(Problem::DirInTheWay);
                }
                if found.same_content(listed) && keep_mode(place, &found, listed) {
                    let go_on = watcher.advance(listed.size);
                    return Ok(if go_on {
                        Copied::Unchanged
                    } else {
                        Copied::Stopped
                    });
                }
            }
        }
        let source = at(Step::Open, place.source.read(place.name))?;
        let before = at(Step::Look, dir::meta(&source))?;
        if before.kind != Kind::File {
            return Err(Problem::Replaced);
        }
        if before.size > listed.size {
            watcher.expect(before.size - listed.size);
        }
        let (dest, part) = self.create(place.dest, place.name)?;
        let Some(bytes) = self.content(&source, &dest, before.size, watcher)? else {
            return Ok(Copied::Stopped);
        };
        // By its name, not by its handle: a file that was removed or replaced meanwhile shows only there.
        let after = at(Step::Look, place.source.look(place.name))?;
        if bytes != before.size || after.id != before.id || !after.same_content(&before) {
            return Err(Problem::Changed);
        }
        at(Step::Keep, dir::keep(&dest, &before))?;
        // Some network file systems tell only here that there was no room.
        drop(dest);
        part.place(place.name)?;
        Ok(Copied::New(bytes))
    }

    /// Makes the same link in the destination, unless it is there already. It is never followed.
    pub fn link(&mut self, place: Place<'_>, listed: &Meta) -> Result<Copied, Problem> {
        let target = at(Step::Read, place.source.link_target(place.name))?;
        if place.taken {
            let found = look(place.dest, place.name)?;
            if found.is_some_and(|found| found.kind == Kind::Dir) {
                return Err(Problem::DirInTheWay);
            }
            if let Some(found) = found.filter(|found| found.kind == Kind::Link) {
                if at(Step::Look, place.dest.link_target(place.name))? == target {
                    if found.modified != listed.modified {
                        let kept = place.dest.keep_link_times(place.name, listed);
                        at(Step::Keep, kept)?;
                    }
                    return Ok(Copied::Unchanged);
                }
            }
        }
        let ((), part) = self.fresh(place.dest, place.name, |part| {
            place.dest.make_link(&target, part, place.source)
        })?;
        at(Step::Keep, place.dest.keep_link_times(&part.name, listed))?;
        part.place(place.name)?;
        Ok(Copied::New(0))
    }

    /// Makes a file under a temporary name.
    pub fn create<'d>(&self, dest: &'d Dir, name: &OsStr) -> Result<(File, Part<'d>), Problem> {
        self.fresh(dest, name, |part| dest.create(part))
    }

    /// Makes something under a temporary name that nothing else bears.
    fn fresh<'d, T>(
        &self,
        dest: &'d Dir,
        name: &OsStr,
        make: impl Fn(&OsStr) -> io::Result<T>,
    ) -> Result<(T, Part<'d>), Problem> {
        loop {
            let name = self.namer.name(name);
            match make(&name) {
                Ok(made) => return Ok((made, Part { dest, name })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Problem::Io(Step::Create, error)),
            }
        }
    }

    /// Copies the content and says how long it was; `None` if the watcher stopped it. Stops past `size` bytes: the file
    /// is growing, perhaps for ever.
    fn content(
        &mut self,
        mut source: &File,
        mut dest: &File,
        size: u64,
        watcher: &impl Watcher,
    ) -> Result<Option<u64>, Problem> {
        let mut done = 0;
        let small = size < SMALL as u64;
        let room = if small { size as usize + 1 } else { 0 };
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        loop {
            let copied = if small {
                let read = match source.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => at(Step::Read, read)?,
                };
                at(Step::Write, dest.write_all(&self.buffer[..read]))?;
                read as u64
            } else {
                // On Linux the system copies without a detour through this process, or shares the blocks.
                at(
                    Step::Copy,
                    io::copy(&mut source.take(CHUNK as u64), &mut dest),
                )?
            };
            done += copied;
            // An empty file, and one that ends early, show only by reading past the end. A file that has just grown past
            // its size shows in its size, which is looked at again.
            if copied == 0 || done > size {
                return Ok(Some(done));
            }
            if !watcher.advance(copied) {
                return Ok(None);
            }
            if done == size {
                return Ok(Some(done));
            }
        }
    }
}

/// What the destination has at that name, if anything.
fn look(dest: &Dir, name: &OsStr) -> Result<Option<Meta>, Problem> {
    match dest.look(name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::Io(Step::Look, error)),
    }
}

/// Sees to it that an unchanged file has the permissions of its source too. `false` if that takes a new copy.
fn keep_mode(place: Place<'_>, found: &Meta, listed: &Meta) -> bool {
    found.has_mode_of(listed)
        || place
            .dest
            .read(place.name)
            .and_then(|file| {
                // What was looked at and what is open must be the same file.
                if dir::meta(&file)?.id != found.id {
                    return Err(io::ErrorKind::NotFound.into());
                }
                dir::keep(&file, listed)
            })
            .is_ok()
}
