//! Colours, where they can be seen and nobody declined them.

use std::fmt;
use std::io::{self, IsTerminal};

use anstyle::AnsiColor;
use portbook::delta::ChangeKind;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl Style {
    /// Coloured when standard output is a terminal that can do it and `NO_COLOR` (<https://no-color.org>) is unset.
    pub(crate) fn of_stdout() -> Self {
        let declined = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        if io::stdout().is_terminal() && !declined && !dumb { Self::Coloured } else { Self::Plain }
    }

    pub(super) fn paint<T: fmt::Display>(self, colour: anstyle::Style, text: T) -> impl fmt::Display {
        let colour = match self {
            Self::Plain => anstyle::Style::new(),
            Self::Coloured => colour,
        };
        Painted { colour, text }
    }
}

/// The colour of a kind of change: what is destructive or waits for a person stands out.
pub(super) fn colour(kind: ChangeKind) -> anstyle::Style {
    match kind {
        ChangeKind::New => AnsiColor::Green.on_default(),
        ChangeKind::Updated => AnsiColor::Yellow.on_default(),
        ChangeKind::Deleted => AnsiColor::Red.on_default(),
        ChangeKind::Moved => AnsiColor::Cyan.on_default(),
        ChangeKind::Conflict => AnsiColor::Magenta.on_default().bold(),
        ChangeKind::Unchanged | ChangeKind::Skipped => anstyle::Style::new().dimmed(),
    }
}

struct Painted<T> {
    colour: anstyle::Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.colour.render())?;
        self.text.fmt(f)?;
        write!(f, "{}", self.colour.render_reset())
    }
}
