//! Documents and streams of JSON.

mod choices;
mod docs;
mod documents;
mod failing_writers;
mod files;
mod hostile;
mod random;
mod stream;
