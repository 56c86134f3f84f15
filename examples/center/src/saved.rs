//! The choices on disk.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use syncmgr::Choices;
use syncmgr_mirror::show::escaped;

/// Why the choices could not be read or kept.
#[derive(Debug)]
pub enum BadChoices {
    Read(PathBuf, io::Error),
    Parse(PathBuf, serde_json::Error),
    Write(PathBuf, io::Error),
}

impl fmt::Display for BadChoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => {
                write!(f, "cannot read the choices '{}': {error}", escaped(path))
            }
            Self::Parse(path, error) => write!(
                f,
                "the file '{}' does not hold choices: {error}; remove it, or name another",
                escaped(path)
            ),
            Self::Write(path, error) => {
                write!(f, "cannot keep the choices in '{}': {error}", escaped(path))
            }
        }
    }
}

impl std::error::Error for BadChoices {}

/// Reads the choices; none where there is no such file yet.
pub fn read(path: &Path) -> Result<Choices, BadChoices> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Choices::new()),
        text => text.map_err(|error| BadChoices::Read(path.into(), error))?,
    };
    serde_json::from_str(&text).map_err(|error| BadChoices::Parse(path.into(), error))
}

/// Keeps the choices. The file is written beside its place and renamed, so it is never half a file.
pub fn write(path: &Path, choices: &Choices) -> Result<(), BadChoices> {
    let failed = |error| BadChoices::Write(path.into(), error);
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut text = serde_json::to_string_pretty(choices).map_err(|error| failed(error.into()))?;
    text.push('\n');
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
