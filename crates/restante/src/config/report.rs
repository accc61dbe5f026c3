//! What is wrong with a configuration, shown at its line and column.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Octets of the text.
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

impl Problem {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        // The parser ends some messages with an empty line or several lines of detail.
        let message = message.into().trim_end().replace('\n', ", ");
        Self { span, message }
    }
}

/// A configuration that cannot be used. Its text has one clear line first, then every problem
/// with the lines around it.
#[derive(Debug)]
pub(crate) struct ConfigError {
    file: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unreadable(io::Error),
    Wrong { text: String, problems: Vec<Problem> },
}

impl ConfigError {
    pub(super) fn unreadable(file: &Path, error: io::Error) -> Self {
        Self { file: file.to_owned(), kind: Kind::Unreadable(error) }
    }

    /// Whether trying again may help: the file is there and cannot be read now.
    pub(crate) fn is_temporary(&self) -> bool {
        let for_good = [io::ErrorKind::NotFound, io::ErrorKind::InvalidData];
        matches!(&self.kind, Kind::Unreadable(error) if !for_good.contains(&error.kind()))
    }

    /// `problems` must not be empty.
    pub(crate) fn new(file: &Path, text: &str, problems: Vec<Problem>) -> Self {
        Self { file: file.to_owned(), kind: Kind::Wrong { text: text.to_owned(), problems } }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Unreadable(error) => Some(error),
            Kind::Wrong { .. } => None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let (text, problems) = match &self.kind {
            Kind::Unreadable(_) => return write!(f, "cannot read the configuration {file}"),
            Kind::Wrong { text, problems } => (text, problems),
        };
        if let Some(first) = problems.first() {
            let (line, column) = position(text, first.span.start);
            write!(f, "{file}:{line}:{column}: {}", first.message)?;
        }
        match problems.len() {
            0 | 1 => {}
            2 => f.write_str(" (and 1 more problem)")?,
            n => write!(f, " (and {} more problems)", n - 1)?,
        }
        let path = self.file.to_string_lossy();
        for problem in problems {
            let span = problem.span.start..problem.span.end.max(problem.span.start);
            let snippet = Snippet::source(text.as_str())
                .path(path.as_ref())
                .annotation(AnnotationKind::Primary.span(span));
            let title = Level::ERROR.primary_title(problem.message.as_str());
            let report = [title.element(snippet)];
            write!(f, "\n{}", Renderer::plain().render(&report))?;
        }
        Ok(())
    }
}

/// Line and column, both from 1, of an octet of the text.
fn position(text: &str, octet: usize) -> (usize, usize) {
    let before = text.get(..octet).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (line, column)
}
